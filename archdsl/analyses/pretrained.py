"""Whether the weights that a spec names exist and fit, decided from the specs that ship: no file is opened for it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from archdsl import project, weights
from archdsl.analyses.inside import inside
from archdsl.diagnostics.model import Diagnostic, error, nearest
from archdsl.elaborate.elaborator import elaborate
from archdsl.layers.catalog import STANDARD

if TYPE_CHECKING:
    from archdsl.graph import Backbone, Graph, Node
    from archdsl.weights import Weights

FILE = "file:"
"""What the name of weights begins with that are in a file of the project."""
TIMM = "timm:"
"""What the name of weights begins with that are timm's: `timm:resnet50.a1_in1k`."""
_TIMM_NAME = re.compile(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)?")
_SHOWN = 4
_FILES = (".safetensors", ".pt", ".pth", ".bin", ".ckpt")
"""How names of files of weights end."""


class Fit(NamedTuple):
    """A tensor of weights beside the one that a network has at its place."""

    key: str
    """By its name inside the network that the weights are of."""
    here: tuple[int, ...]
    there: tuple[int, ...] | None
    """None where the weights have none of that name."""
    node: int
    is_adapted: bool
    """Whether it is the first convolution's, for other channels than the weights were trained on."""

    @property
    def fits(self) -> bool:
        return self.here == self.there or self.is_adapted


def problems(graph: Graph) -> Iterator[Diagnostic]:
    """What is wrong with the weights of the networks inside a network."""
    nodes = inside(graph)
    for backbone in graph.backbones:
        if backbone.weights is None:
            continue
        if backbone.weights.startswith(FILE):
            yield from _of_file(backbone)
            continue
        if backbone.weights.startswith(TIMM):
            yield from _of_timm(backbone)
            continue
        found = weights.find(backbone.network, backbone.weights) if backbone.ships else None
        if found is None:
            yield _unknown(backbone)
        else:
            yield from _mismatch(graph, nodes[backbone.path], backbone, found)


def _of_file(backbone: Backbone) -> Iterator[Diagnostic]:
    path = (backbone.weights or "").removeprefix(FILE)
    parts = PurePosixPath(path).parts
    if not path or path.startswith("/") or ".." in parts or "\\" in path or ":" in path or "\0" in path:
        message = f'"{path}" is not a path inside the project'
        help = 'weights stand beside the spec, or in a folder there: `weights="file:weights/body.safetensors"`'
        yield error("outside-project", message, backbone.span, help=help)


def _of_timm(backbone: Backbone) -> Iterator[Diagnostic]:
    """What can be said of timm's weights without timm: whether they have a name, and are for a network that ships."""
    name = (backbone.weights or "").removeprefix(TIMM)
    help = 'name a network of timm and its weights: `weights="timm:resnet50.a1_in1k"`'
    if not backbone.ships:
        message = f"{backbone.network} is no network that ships, and only for these timm has weights"
        help = 'name a file of yours: `weights="file:weights.safetensors"`, or leave the weights out'
        yield error("unknown-weights", message, backbone.span, help=help)
    elif not _TIMM_NAME.fullmatch(name):
        message = f'"{name}" is no name of weights of timm' if name else "no weights of timm are named"
        yield error("unknown-weights", message, backbone.span, help=help)


def _unknown(backbone: Backbone) -> Diagnostic:
    network, name = backbone.network, backbone.weights or ""
    if "/" in name or PurePosixPath(name).suffix in _FILES:
        help = f'a file is named so: `weights="{FILE}{name}"`'
        return error("unknown-weights", f'{network} has no weights "{name}"', backbone.span, help=help)
    if not backbone.ships:
        message = f"{network} is no network that ships, and only these have published weights"
        help = 'name a file of yours: `weights="file:weights.safetensors"`, or leave the weights out'
        return error("unknown-weights", message, backbone.span, help=help)
    names = [each.name for each in weights.known(network)]
    if not names:
        message = f"there are no published weights of {network}"
        help = 'name a file of yours: `weights="file:weights.safetensors"`, or leave `pretrained` out'
        return error("unknown-weights", message, backbone.span, help=help)
    near = nearest(name, names)
    notes = [f"there are {', '.join(names)}"] if near else []
    help = f'did you mean "{near}"?' if near else f"it has {', '.join(names)}"
    return error("unknown-weights", f'{network} has no weights "{name}"', backbone.span, notes=notes, help=help)


def _mismatch(graph: Graph, nodes: list[Node], backbone: Backbone, found: Weights) -> Iterator[Diagnostic]:
    wrong = [fit for fit in fits(graph, nodes, backbone, found) if not fit.fits]
    if not wrong:
        return
    first = wrong[0]
    there = "nothing" if first.there is None else _sized(first.there)
    message = f"the weights {found.name} do not fit: {first.key} is {_sized(first.here)} here and {there} in them"
    notes = [
        f"{fit.key}: {_sized(fit.here)} here, {'nothing' if fit.there is None else _sized(fit.there)} in the weights"
        for fit in wrong[1 : 1 + _SHOWN]
    ]
    if len(wrong) > 1 + _SHOWN:
        notes.append(f"... and {len(wrong) - 1 - _SHOWN} more")
    yield error("weights-mismatch", message, backbone.span, notes=notes, help=_help(graph, backbone, found, first))


def _help(graph: Graph, backbone: Backbone, found: Weights, first: Fit) -> str:
    image = _image(found)
    if image is not None and _has_image(backbone) and first.there is not None and "pos" in first.key:
        return f"they are for images of {image} pixels: `image={image}`"
    given = graph.nodes[first.node].inputs[0].node
    before = graph.nodes[given].path
    if before.startswith(f"{backbone.path}.") and len(first.here) in (1, 2):
        path = before.removeprefix(f"{backbone.path}.")
        written = path if path.isidentifier() else f'"{path}"'
        return f"end the network before that layer, `until={written}`, and write your own behind it"
    return "give the network the parameters that the weights were trained with, or leave the weights out"


def _sized(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "one number"


# ---------------------------------------------------------------- tensor by tensor


def fits(graph: Graph, nodes: list[Node], backbone: Backbone, found: Weights) -> tuple[Fit, ...]:
    """The tensors of a network inside another, each beside the one of published weights."""
    there = published(backbone.network, found.name)
    prefix = f"{backbone.path}."
    rows = []
    first = first_weights(graph, nodes, backbone)
    for node in nodes:
        applied = graph.applied[node.index]
        for name, shape in {**applied.weights, **node.layer.buffers(*applied.inputs)}.items():
            key = _key(node, name).removeprefix(prefix)
            theirs = there.get(key)
            adapted = key in first and theirs is not None and differs_in_channels(shape, theirs)
            rows.append(Fit(key, tuple(shape), theirs, node.index, adapted))
    return tuple(rows)


def first_weights(graph: Graph, nodes: list[Node], backbone: Backbone) -> frozenset[str]:
    """The weights, by their names inside, of the layers of a network that see what flows into it."""
    prefix = f"{backbone.path}."
    return frozenset(
        _key(node, "weight").removeprefix(prefix)
        for node in nodes
        if not any(graph.nodes[value.node].path.startswith(prefix) for value in node.inputs)
    )


def _key(node: Node, name: str) -> str:
    """The name of a layer's tensor in `state_dict()`."""
    return f"{node.path}.{name}" if name else node.path


def differs_in_channels(here: Sequence[int], there: Sequence[int]) -> bool:
    """Whether two weights of a convolution are for other channels and equal besides."""
    return len(here) == len(there) > 2 and here[0] == there[0] and here[2:] == there[2:] and here[1] != there[1]


@cache
def published(network: str, name: str) -> Mapping[str, tuple[int, ...]]:
    """The tensors that published weights have, as far as the network's spec has them, and their shapes."""
    found = weights.find(network, name)
    assert found is not None
    module = project.open_shipped(project.shipped()[network])
    image = _image(found)
    sized = image is not None and "image" in parameters_of(network)
    graph = elaborate(module, network, STANDARD, {"image": image} if sized else {}).graph
    return {
        _key(node, key): tuple(shape)
        for node, applied in zip(graph.nodes, graph.applied, strict=True)
        for key, shape in {**applied.weights, **node.layer.buffers(*applied.inputs)}.items()
    }


def _image(found: Weights) -> int | None:
    crop = found.preprocessing.crop_size
    return crop[0] if crop is not None and len(set(crop)) == 1 else None


def _has_image(backbone: Backbone) -> bool:
    return backbone.ships and "image" in parameters_of(backbone.network)


@cache
def parameters_of(network: str) -> frozenset[str]:
    """The names of the parameters of a network that ships."""
    from archdsl.syntax import tree

    module = project.open_shipped(project.shipped()[network])
    definition: object = module.definitions[network][0]
    while isinstance(definition, tree.Variant):
        definition = module.definitions[definition.base.text][0]
    assert isinstance(definition, tree.Net)
    return frozenset(parameter.name.text for parameter in definition.parameters)
