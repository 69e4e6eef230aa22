"""Weights of others, put into the networks inside a compiled module: published ones, and those of files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.error import URLError

import torch
from torch import nn

from archdsl import weights as table
from archdsl.analyses.inside import inside
from archdsl.analyses.pretrained import FILE, differs_in_channels, first_weights
from archdsl.errors import WeightsError
from archdsl.torch import from_timm
from archdsl.torch.files import State, is_alike, read_file, reason, renamed, typed

if TYPE_CHECKING:
    from torch import Tensor

    from archdsl.graph import Backbone, Graph
    from archdsl.torch.from_timm import Shipped

_SHOWN = 6


class Loaded(NamedTuple):
    """What became of the tensors of one network inside a module."""

    path: str
    """Of the network's module."""
    source: str
    """The name of the weights and the file they were read from."""
    kept: tuple[str, ...]
    """The tensors that were taken as they are, by their names in the module."""
    adapted: tuple[str, ...]
    """Those of a first convolution that were made to fit other channels."""
    unused: tuple[str, ...]
    """What the file has and the network does not, by its names there: mostly what stands behind a cut."""


def load(
    graph: Graph, module: nn.Module, folder: Path | None, shipped: Shipped | None = None, assign: bool = False
) -> tuple[Loaded, ...]:
    """Puts the weights that a spec names into a module of it. Files are looked for in `folder`, where the spec is.

    With `assign` the module, which is then `empty`, takes the tensors themselves; they must be all that it has.

    Published weights are taken from torch's cache (`torch.hub.get_dir()`), and downloaded into it, with the check of
    their hash, where they are not there. Those of timm are compared with what `shipped` gives. Nothing but tensors is
    unpickled.

    Raises:
        WeightsError: where they are not to be had, or do not fit; then nothing has been changed.
    """
    plans = [
        (backbone, *_read(backbone, folder, shipped)) for backbone in graph.backbones if backbone.weights is not None
    ]
    fitted = [(_fitted(graph, backbone, module, state, source), state, source) for backbone, state, source in plans]
    own = module.state_dict()
    given: dict[str, Tensor] = {}
    done = []
    for (backbone, _, _), (taken, state, source) in zip(plans, fitted, strict=True):
        prefix = f"{backbone.path}."
        given |= {prefix + key: tensor for key, (tensor, _) in taken.items()}
        kept = tuple([prefix + key for key, (_, adapted) in taken.items() if not adapted])
        adapted = tuple([prefix + key for key, (_, changed) in taken.items() if changed])
        unused = tuple([key for key in state if key not in taken])
        done.append(Loaded(backbone.path, source, kept, adapted, unused))
    _put(module, own, given, assign)
    return tuple(done)


def _put(module: nn.Module, own: State, given: Mapping[str, Tensor], assign: bool) -> None:
    if not assign:
        with torch.no_grad():
            for key, tensor in given.items():
                own[key].copy_(tensor)
        return
    device = torch.get_default_device()
    seen: set[int] = set()
    state = {}
    for key, tensor in own.items():
        if key not in given:  # a count of batches: files from before torch 0.4.1 have none
            state[key] = torch.zeros_like(tensor, device=device)
            continue
        mine = given[key].detach().to(device, tensor.dtype).contiguous()
        place = mine.untyped_storage().data_ptr()
        state[key] = mine.clone() if place in seen else mine  # what lies in one memory would be trained together
        seen.add(place)
    module.load_state_dict(state, strict=True, assign=True)


def are_all_given(graph: Graph) -> bool:
    """Whether every number of a network comes from weights that its spec names."""
    given = [each.path for each in graph.backbones if each.weights is not None]
    return bool(given) and all(
        any(node.path.startswith(f"{path}.") for path in given)
        for node in graph.nodes
        if graph.applied[node.index].weights or graph.applied[node.index].layer.buffers(*graph.inputs_of(node))
    )


def taken(own: State, weights: nn.Module | State) -> dict[str, Tensor]:
    """Copies of the tensors of a module of the same network, or of a `state_dict()`, to be a new module's.

    Raises:
        WeightsError: where they are not those of the network.
    """
    if not isinstance(weights, Mapping | nn.Module):
        raise WeightsError(
            f"weights are True, False, a module or its state_dict(), not {weights!r}; those of a file are given by the "
            'spec, weights="file:body.safetensors", or by net.filled(path)'
        )
    state: State = weights if isinstance(weights, Mapping) else weights.state_dict()
    wrong = [
        f"{key}: {_sized(tensor)} here, nothing among the weights" for key, tensor in own.items() if key not in state
    ]
    wrong += [f"{key}: nothing here, {_sized(state[key])} among the weights" for key in state if key not in own]
    both = [(key, tensor, state[key]) for key, tensor in own.items() if key in state]
    wrong += [f"{key}: {_sized(a)} here, {_sized(b)} among the weights" for key, a, b in both if a.shape != b.shape]
    if wrong:
        raise WeightsError(f"the weights are not those of this network:{_listed(wrong)}")
    device = torch.get_default_device()
    return {key: given.detach().to(device, tensor.dtype, copy=True) for key, tensor, given in both}


def _listed(wrong: list[str]) -> str:
    more = f"\n  ... and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
    return "".join(f"\n  {line}" for line in wrong[:_SHOWN]) + more


def adapted(weight: Tensor, channels: int) -> Tensor:
    """The weight of a first convolution for images of other channels than it was trained on.

    For one channel the sum over the old ones: a gray image then gives what it gave in all of them. For others the old
    ones in turn, scaled by their number over the new one, so that what comes out keeps its size. It is the rule of
    timm (`adapt_input_conv`).
    """
    old = weight.shape[1]
    if channels == 1:
        return weight.sum(dim=1, keepdim=True)
    turns = -(-channels // old)
    repeated = weight.repeat(1, turns, *(1,) * (weight.dim() - 2))[:, :channels]
    return repeated * (old / channels)


# ---------------------------------------------------------------- reading


def _read(backbone: Backbone, folder: Path | None, shipped: Shipped | None) -> tuple[State, str]:
    """The tensors of a network's weights by their names, and where they are from."""
    name = backbone.weights or ""
    if from_timm.is_meant(backbone):
        assert shipped is not None, "weights of timm are compared with a network that ships"
        return from_timm.read(backbone, shipped)
    if name.startswith(FILE):
        path = _inside(name.removeprefix(FILE), folder, backbone)
        return read_file(path), f"{name.removeprefix(FILE)}"
    found = table.find(backbone.network, name)
    assert found is not None  # it is checked before
    try:
        state = torch.hub.load_state_dict_from_url(
            found.url, map_location="cpu", progress=True, check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError, EOFError) as problem:
        cache = Path(torch.hub.get_dir()) / "checkpoints"
        raise WeightsError(
            f"{backbone.span}: the weights {found.name} of {backbone.network} are not to be had: {cache / found.file} "
            f"is not there, or cannot be read, and {found.url} cannot be downloaded: {reason(problem)}. Put the file "
            "there, set TORCH_HOME to where it is, or leave the weights out: net.compile(weights=False), "
            "archdsl build --no-weights"
        ) from problem
    return renamed(state), f"{found.name} ({found.file})"


def _inside(written: str, folder: Path | None, backbone: Backbone) -> Path:
    """The file that a spec means: in its folder, or below."""
    if folder is None:
        raise WeightsError(f"{backbone.span}: {written} is looked for beside the spec, and this one is in no file")
    try:
        path = (folder / written).resolve()
    except (OSError, RuntimeError):  # links that lead to each other
        raise WeightsError(f"{backbone.span}: {written} leads nowhere") from None
    if not path.is_relative_to(folder.resolve()):
        raise WeightsError(f"{backbone.span}: {written} leads outside the project")
    if not path.is_file():
        raise WeightsError(f"{backbone.span}: there is no file {folder / written}")
    return path


# ---------------------------------------------------------------- fitting


def _fitted(
    graph: Graph, backbone: Backbone, module: nn.Module, state: State, source: str
) -> dict[str, tuple[Tensor, bool]]:
    """For each tensor of a network the one that takes its place, and whether that was adapted.

    Raises:
        WeightsError: where one is missing, or has another shape.
    """
    prefix = f"{backbone.path}."
    own = {key.removeprefix(prefix): value for key, value in module.state_dict().items() if key.startswith(prefix)}
    first = first_weights(graph, inside(graph)[backbone.path], backbone)
    taken: dict[str, tuple[Tensor, bool]] = {}
    wrong = []
    for key, tensor in own.items():
        given = state.get(key)
        if given is None and key.endswith("num_batches_tracked"):
            continue  # files from before torch 0.4.1 have none
        if given is None:
            wrong.append(f"{key}: {_sized(tensor)} here, nothing in the file")
        elif not is_alike(tensor, given):
            wrong.append(f"{key}: {typed(tensor)} here, {typed(given)} in the file")
        elif given.shape == tensor.shape:
            taken[key] = (given, False)
        elif key in first and differs_in_channels(tensor.shape, given.shape):
            taken[key] = (adapted(given.to(tensor.dtype), tensor.shape[1]), True)
        else:
            wrong.append(f"{key}: {_sized(tensor)} here, {_sized(given)} in the file")
    if wrong:
        count = "tensor does" if len(wrong) == 1 else "tensors do"
        raise WeightsError(f"{backbone.span}: {len(wrong)} of {len(own)} {count} not fit in {source}:{_listed(wrong)}")
    return taken


def _sized(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
