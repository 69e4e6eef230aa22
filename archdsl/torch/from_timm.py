"""Weights of timm (https://github.com/huggingface/pytorch-image-models) for networks that ship here.

timm has its own networks of the same names, with other names for their tensors, and some compute otherwise. So its
network is built beside the one that ships, the tensors are put into both, and both are run: weights are taken only
where the results are the same.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, Mapping
from math import floor
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.error import URLError

import torch

from archdsl.analyses.pretrained import TIMM, parameters_of
from archdsl.diagnostics.model import nearest
from archdsl.errors import WeightsError
from archdsl.torch.execute import build
from archdsl.torch.files import read_file, reason
from archdsl.torch.vision import import_torchvision
from archdsl.weights import Preprocessing

if TYPE_CHECKING:
    from torch import Tensor, nn

    from archdsl.graph import Backbone
    from archdsl.lowering.program import Program

State = Mapping[str, torch.Tensor]
Pairs = Mapping[str, str]
"""For each tensor of a network that ships, by its name, that of the one of timm's."""

Shipped = Callable[[str, Mapping[str, object]], "Program"]
"""The source of a network that ships, with arguments for its parameters."""

FILES = ("model.safetensors", "pytorch_model.bin")
"""The files of a network in its repository of the Hugging Face hub, the first that is there."""
LARGEST = 256
"""Pixels of the edge of the image on which the networks are compared, where they take any."""
IN_DOUBLE = 100_000_000
"""Up to how many parameters networks are compared in double precision."""
_CLASSES = 1000
_SHOWN = 4


class Agreement(NamedTuple):
    """How far timm's network and the one that ships are apart, with the same weights on the same image."""

    difference: float
    """The largest, as a part of the largest value."""
    limit: float

    @property
    def holds(self) -> bool:
        return self.difference <= self.limit


def is_meant(backbone: Backbone) -> bool:
    """Whether the weights of a network inside are timm's."""
    return (backbone.weights or "").startswith(TIMM)


def preprocessing(backbone: Backbone) -> Preprocessing:
    """What timm says that its weights expect of an image.

    Raises:
        WeightsError: where timm is not there, does not know the weights, or crops in a way that is not known here.
    """
    name, config = _config(backbone)
    size, crop = config.input_size, config.crop_pct or 0.875
    edges = (size[-2], size[-1])
    mode = config.crop_mode or "center"
    if mode not in ("center", "squash") or (mode == "center" and edges[0] != edges[1]):
        raise WeightsError(
            f"{backbone.span}: timm crops images for {name} in a way of its own ({mode}, {edges[0]}x{edges[1]}); "
            "say it in the spec: `preprocess resize=... crop=... mean=... std=...`"
        )
    resize = tuple([floor(edge / crop) for edge in (edges if mode == "squash" else edges[:1])])
    return Preprocessing(
        kind="ImageClassification",
        resize_size=resize,
        crop_size=edges[:1] if edges[0] == edges[1] else edges,
        interpolation=config.interpolation
        if config.interpolation in ("bicubic", "bilinear", "lanczos")
        else "bilinear",
        mean=tuple(config.mean),
        std=tuple(config.std),
        antialias=True,
    )


def read(backbone: Backbone, shipped: Shipped) -> tuple[State, str]:
    """The tensors of timm's weights, by the names that they have in the network that ships, and where they are from.

    Raises:
        WeightsError: where they are not to be had, or where timm's network is not the same.
    """
    name, config = _config(backbone)
    path = _file(backbone, name, config)
    with torch.random.fork_rng(devices=[]), torch.device("cpu"):
        model = _model(backbone, name, config, read_file(path))
        state = fitting(backbone, name, model, config, shipped)
    return state, f"timm {name} ({path.name})"


def fitting(backbone: Backbone, name: str, model: nn.Module, config: Any, shipped: Shipped) -> State:
    """The tensors of a network of timm's by the names of the one that ships, once both are seen to be the same.

    Raises:
        WeightsError: where they are not.
    """
    ours, image = _ours(backbone.network, config, shipped)
    theirs = model.eval().state_dict()
    closest = None
    for pair in PAIRINGS:
        pairs = pair(ours.state_dict(), theirs)
        if pairs is None:
            continue
        try:
            found = agreement(ours, model, pairs, image)
        except (RuntimeError, AssertionError) as problem:
            what = f"{backbone.span}: {backbone.network} cannot be compared with timm's {name}"
            raise WeightsError(f"{what}: {reason(problem)}") from problem
        if found.holds:
            return _taken(ours.state_dict(), theirs, pairs, _heads(config))
        closest = min(closest or found, found)
    where = f"{backbone.span}: the weights {name} of timm do not fit {backbone.network}"
    if closest is None:
        listed = "".join(f"\n  {line}" for line in _unlike(ours.state_dict(), theirs))
        raise WeightsError(f"{where}; timm's network has other tensors:{listed}")
    far = f" by {closest.difference:.2g} of their range" if closest.difference < 1 else ""
    raise WeightsError(
        f"{where}: timm's network computes otherwise. With the same weights and the same image the results differ"
        f"{far}; take weights of a network that is built alike"
    )


def _taken(ours: State, theirs: State, pairs: Pairs, heads: tuple[str, ...]) -> State:
    """What the network that ships takes: its partners' numbers in its own shapes. What no training sets is its own."""
    taken = {}
    for here, tensor in ours.items():
        there = pairs.get(here)
        if there is None and not tensor.is_floating_point():
            taken[here] = tensor
        elif there is not None and not there.startswith(heads):
            taken[here] = theirs[there].reshape(tensor.shape)
    return taken


# ---------------------------------------------------------------- what timm knows


def _timm(backbone: Backbone) -> Any:
    """The package timm."""
    import_torchvision()
    try:
        return importlib.import_module("timm")
    except ModuleNotFoundError as problem:
        if problem.name not in ("timm", "huggingface_hub"):
            raise
        raise WeightsError(
            f"{backbone.span}: the weights {backbone.weights} need the package {problem.name}: "
            'pip install "archdsl[timm]"'
        ) from None


def _config(backbone: Backbone) -> tuple[str, Any]:
    """The name of timm's weights, and what timm says of them."""
    timm = _timm(backbone)
    name = (backbone.weights or "").removeprefix(TIMM)
    try:
        config = timm.get_pretrained_cfg(name)
    except RuntimeError:  # it has the network, not the tag
        config = None
    if config is None or not (config.has_weights or config.hf_hub_id or config.url):
        near = nearest(name, timm.list_pretrained())
        alike = timm.list_pretrained(f"{name.partition('.')[0]}*")
        hint = f"; did you mean {TIMM}{near}?" if near else f"; it has {', '.join(alike[:8])}" if alike else ""
        raise WeightsError(f"{backbone.span}: timm {timm.__version__} has no weights {name}{hint}")
    return name, config


def _file(backbone: Backbone, name: str, config: Any) -> Path:
    """The file of timm's weights: in the cache, or downloaded into it."""
    where = f"{backbone.span}: the weights {name} of timm are not to be had"
    mend = "or leave the weights out: net.compile(weights=False), archdsl build --no-weights"
    if not config.hf_hub_id:
        cache = Path(torch.hub.get_dir()) / "checkpoints" / str(config.url).rpartition("/")[2]
        if not cache.is_file():
            cache.parent.mkdir(parents=True, exist_ok=True)
            try:
                torch.hub.download_url_to_file(config.url, str(cache))
            except (URLError, OSError, RuntimeError) as problem:
                raise WeightsError(
                    f"{where}: {cache} is not there, and {config.url} cannot be downloaded: {reason(problem)}. Put the "
                    f"file there, set TORCH_HOME to where it is, {mend}"
                ) from problem
        return cache
    hub = importlib.import_module("huggingface_hub")
    missing = importlib.import_module("huggingface_hub.errors")
    repository, _, revision = config.hf_hub_id.partition("@")
    files = (config.hf_hub_filename,) if config.hf_hub_filename else FILES
    for file in files:
        known = hub.try_to_load_from_cache(repository, file, revision=revision or None)
        if isinstance(known, str):
            return Path(known)
    failure: Exception | None = None
    for file in files:
        try:
            return Path(hub.hf_hub_download(repository, file, revision=revision or None))
        except missing.LocalEntryNotFoundError as found:  # no connection, and no file
            failure = found
            break
        except missing.EntryNotFoundError as found:
            failure = found
        except (OSError, ValueError) as found:
            failure = found
            break
    assert failure is not None
    cache = Path(hub.constants.HF_HUB_CACHE) / f"models--{repository.replace('/', '--')}"
    raise WeightsError(
        f"{where}: {files[0]} of {repository} is not in {cache}, and cannot be downloaded from the Hugging Face hub: "
        f"{reason(failure)}. Download it where there is a network (hf download {repository}), set HF_HOME to where it "
        f"is, {mend}"
    ) from failure


def _model(backbone: Backbone, name: str, config: Any, state: State) -> nn.Module:
    """timm's network with these tensors, brought into their places by timm."""
    classes = {} if config.num_classes else {"num_classes": _CLASSES}
    try:
        model: nn.Module = _timm(backbone).create_model(
            name, pretrained=True, pretrained_cfg_overlay={"state_dict": dict(state)}, **classes
        )
    except (RuntimeError, ValueError, KeyError, TypeError) as problem:
        raise WeightsError(f"{backbone.span}: timm cannot load the weights {name}: {reason(problem)}") from problem
    return model


def _heads(config: Any) -> tuple[str, ...]:
    """What the names of the tensors begin with that were not trained: the head of weights for features alone."""
    names = config.classifier or ()
    heads = (names,) if isinstance(names, str) else tuple(names)
    return () if config.num_classes else tuple([f"{head}." for head in heads])


# ---------------------------------------------------------------- the same network


def _ours(network: str, config: Any, shipped: Shipped) -> tuple[nn.Module, Tensor]:
    """The network that ships, for as many classes and the size of image of the weights, and an image for it."""
    known = parameters_of(network)
    channels, height, width = config.input_size
    arguments: dict[str, object] = {"classes": config.num_classes or _CLASSES} if "classes" in known else {}
    is_fixed = config.fixed_input_size or "image" in known
    if "image" in known:
        arguments["image"] = height
    while not is_fixed and max(height, width) > LARGEST:
        height, width = height // 2, width // 2
    image = torch.randn(2, channels, height, width, generator=torch.Generator().manual_seed(0))
    return build(shipped(network, arguments)).eval(), image


def agreement(ours: nn.Module, theirs: nn.Module, pairs: Pairs, image: Tensor) -> Agreement:
    """How alike two networks compute with the same weights; those of the first are replaced."""
    given, own = theirs.state_dict(), ours.state_dict()
    with torch.no_grad():
        for here, there in pairs.items():
            own[here].copy_(given[there].reshape(own[here].shape))
        is_small = sum(each.numel() for each in ours.parameters()) <= IN_DOUBLE
        kind, limit = (torch.float64, 1e-6) if is_small else (torch.float32, 1e-4)
        before = next(theirs.parameters()).dtype
        mine, yours = ours.to(kind)(image.to(kind)), theirs.to(kind)(image.to(kind))
        theirs.to(before)
        ours.to(torch.float32)
    if not isinstance(mine, torch.Tensor) or not isinstance(yours, torch.Tensor) or mine.shape != yours.shape:
        return Agreement(float("inf"), limit)
    scale = float(yours.abs().max()) or 1.0
    difference = float((mine - yours).abs().max()) / scale
    return Agreement(difference if difference == difference else float("inf"), limit)


def _by_name(ours: State, theirs: State) -> Pairs | None:
    """Where the names are the same. What only trains beside the network, timm has not."""
    here, there = _held(ours), _held(theirs)
    same = all(name in here and here[name].shape == tensor.shape for name, tensor in there.items())
    return {name: name for name in ours if name in theirs} if same else None


def _by_shape(ours: State, theirs: State) -> Pairs | None:
    """The tensors of each shape in their order."""
    return _in_turn(ours, theirs, lambda tensor: tuple(tensor.shape))


def _by_content(ours: State, theirs: State) -> Pairs | None:
    """The same, where a shape may be written otherwise: a matrix as a convolution of one position."""
    return _in_turn(ours, theirs, lambda tensor: (tensor.numel(),))


PAIRINGS: tuple[Callable[[State, State], Pairs | None], ...] = (_by_name, _by_shape, _by_content)
"""The ways to find for each tensor its partner, tried in turn until the networks compute the same."""


def _in_turn(ours: State, theirs: State, key: Callable[[Tensor], tuple[int, ...]]) -> Pairs | None:
    here, there = _grouped(_held(ours), key), _grouped(_held(theirs), key)
    if {k: len(names) for k, names in here.items()} != {k: len(names) for k, names in there.items()}:
        return None
    found = {mine: yours for k, names in here.items() for mine, yours in zip(names, there[k], strict=True)}
    counters = [[name for name in state if _is_counter(name)] for state in (ours, theirs)]
    return found | dict(zip(*counters, strict=False))


def _grouped(state: State, key: Callable[[Tensor], tuple[int, ...]]) -> dict[tuple[int, ...], list[str]]:
    groups: dict[tuple[int, ...], list[str]] = {}
    for name, tensor in state.items():
        groups.setdefault(key(tensor), []).append(name)
    return groups


def _held(state: State) -> State:
    """The tensors that are numbers of a network: neither how often a normalization ran, nor where positions are."""
    return {name: tensor for name, tensor in state.items() if not _is_counter(name) and tensor.is_floating_point()}


def _is_counter(name: str) -> bool:
    return name.endswith("num_batches_tracked")


def _unlike(ours: State, theirs: State) -> Iterator[str]:
    """Some tensors that one network has and the other has not, by their shapes."""
    here, there = _held(ours), _held(theirs)
    yield f"{len(here)} here, {len(there)} there"
    left = {name: tuple(each.shape) for name, each in here.items()}
    shapes = [tuple(each.shape) for each in there.values()]
    alone = [name for name, shape in left.items() if shape not in shapes]
    others = [name for name, each in there.items() if tuple(each.shape) not in left.values()]
    for where, names, state in (("here", alone, here), ("there", others, there)):
        yield from [f"only {where}: {name}, {'x'.join(map(str, state[name].shape))}" for name in names[:_SHOWN]]
