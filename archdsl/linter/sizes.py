"""Rules about numbers: channels that are slow or mistaken for another axis, and where the parameters sit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.layers.base import each
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.linear import Linear
from archdsl.layers.reshape import Flatten
from archdsl.linter.model import WEIGHTED, Edit, Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.graph import GraphInput
    from archdsl.layers.tensor import Tensor

_LITTLE = 100
"""A layer with less than this part of the network's multiplications is not worth a word."""
_SMALL = 100_000_000
"""Nor is a network with fewer of them for one sample: other things take its time."""
_COLOURS = (1, 3, 4)
"""The usual numbers of channels of a picture: grey, colours, colours and opacity."""


def tensor_core_channels(facts: Facts) -> Iterator[Finding]:
    """Layers that cost something, and give a number of channels that fills no tensor core."""
    graph, multiple, macs = facts.graph, facts.options.channel_multiple, facts.macs
    if macs is None or macs < _SMALL:
        return
    last = _last_weighted(facts)
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, WEIGHTED) or node.index in last or getattr(layer, "groups", 1) > 1:
            continue
        channels = graph.outputs_of(node)[0].channels
        cost = facts.counts[node.index].macs or 0
        if not isinstance(channels, int) or channels % multiple == 0 or cost * _LITTLE < macs:
            continue
        below, above = channels - channels % multiple, channels - channels % multiple + multiple
        yield Finding(
            node.index,
            f"{layer.word} gives {channels} channels, which is no multiple of {multiple}",
            notes=(
                f"in half precision tensor cores work on {multiple} channels at a time",
                f"the layer does {100 * cost / macs:.0f} % of the multiplications",
            ),
            help=f"take {f'{below} or ' if below else ''}{above}",
        )


def _last_weighted(facts: Facts) -> set[int]:
    """The layers behind which no learned one follows: the task says how many channels they give."""
    graph = facts.graph
    more = [False] * len(graph.nodes)
    for index in range(len(graph.nodes) - 1, -1, -1):
        more[index] = any(more[user] or facts.counts[user].macs for user in facts.users[index])
    return {node.index for node in graph.nodes if not more[node.index]}


def narrow_depthwise(facts: Facts) -> Iterator[Finding]:
    """Depthwise convolutions over so few channels that they leave a GPU idle."""
    graph, least = facts.graph, facts.options.depthwise_channels
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, Conv | ConvTranspose):
            continue
        x = graph.inputs_of(node)[0]
        is_wide = any(k > 1 for k in each(layer.kernel, x.rank))
        if layer.groups == x.channels != 1 and is_wide and layer.groups < least:
            yield Finding(
                node.index,
                f"a depthwise {layer.word} over {layer.groups} channels",
                notes=("a value is read, multiplied a few times and written: memory sets the pace",),
                help=f"leave `groups` out, or have at least {least} channels here",
            )


def channel_order(facts: Facts) -> Iterator[Finding]:
    """Inputs whose last axis looks like colours, and whose first does not."""
    for port in facts.graph.inputs:
        x = port.tensor
        if not _looks_channels_last(x):
            continue
        meant = "x".join(map(str, (x.dims[-1], *x.dims[:-1])))
        yield Finding(
            port.value.node,
            f"the input {x} has {x.dims[0]} channels and is {x.dims[-1]} wide",
            notes=("a shape is written with its channels first, C x H x W; torchvision's pictures come so as well",),
            help=f"write `{meant}`",
            fix=_reordered(port, str(x), meant),
        )


def _looks_channels_last(x: Tensor) -> bool:
    if x.kind != "map" or x.rank < 2 or not all(isinstance(size, int) for size in (x.dims[0], x.dims[-1])):
        return False
    *others, last = x.dims
    return last in _COLOURS and all(isinstance(size, str) or size >= 16 for size in others[-2:])


def _reordered(port: GraphInput, written: str, meant: str) -> Edit | None:
    text = port.span.text
    if text.count(written) != 1:
        return None
    start = port.span.start + text.index(written)
    return start, start + len(written), meant


def heavy_flatten(facts: Facts) -> Iterator[Finding]:
    """Flattened maps behind which most of the network's parameters then sit."""
    graph = facts.graph
    behind: list[int | None] = [None] * len(graph.nodes)
    held: dict[int, int] = {}
    for node in graph.nodes:
        if isinstance(node.layer, Flatten):
            x = graph.inputs_of(node)[0]
            is_large = x.kind == "map" and any(size != 1 for size in x.space)
            behind[node.index] = node.index if is_large else None
        elif len(node.inputs) == 1 and (flatten := behind[node.inputs[0].node]) is not None:
            if isinstance(node.layer, Linear):
                held[flatten] = held.get(flatten, 0) + facts.counts[node.index].parameters
            elif graph.outputs_of(node) == graph.inputs_of(node):
                behind[node.index] = flatten
    for flatten, parameters in held.items():
        if not parameters or parameters <= facts.options.flatten_share * facts.total:
            continue
        node = graph.nodes[flatten]
        x = graph.inputs_of(node)[0]
        positions = (x.elements or 0) // int(x.channels)
        yield Finding(
            flatten,
            f"the layer behind this flatten has {100 * parameters / facts.total:.0f} % of the network's parameters",
            notes=(
                f"flattened, {x} is {x.elements:,} features, with {parameters:,} of {facts.total:,} parameters",
                f"behind `gap` it would have about {parameters // positions:,}",
            ),
            help="put `gap` before `flatten`, or pool further",
        )
