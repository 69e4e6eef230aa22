"""Batch normalization that is part of the layer before it: the same network for inference, without those nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from archdsl.graph import Value
from archdsl.layers.applied import Applied
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.linear import Linear, Pointwise
from archdsl.layers.normalization import BatchNorm
from archdsl.lowering.modules import uses

if TYPE_CHECKING:
    from archdsl.graph import Graph, Node
    from archdsl.layers.base import Layer


class Pair(NamedTuple):
    """The paths of a layer and of the normalization that it takes over."""

    layer: str
    norm: str


class Folded(NamedTuple):
    graph: Graph
    pairs: tuple[Pair, ...]


def folded(graph: Graph) -> Folded:
    """The network in evaluation, with each batch norm folded into the convolution or matrix that it follows.

    That is done where the norm has running statistics, nobody else needs what the layer gives, and both run at one
    place only. The paths of all other layers, and with them the names of their tensors, stay what they are.
    """
    found = _pairs(graph)
    if not found:
        return Folded(graph, ())
    norms = {norm.index: layer.index for layer, norm in found}
    with_bias = {layer.index for layer, _ in found}
    kept = [node for node in graph.nodes if node.index not in norms]
    numbers = {node.index: number for number, node in enumerate(kept)}

    def moved(value: Value) -> Value:
        return Value(numbers[norms.get(value.node, value.node)], value.output)

    def all_moved(values: tuple[Value, ...]) -> tuple[Value, ...]:
        return tuple([moved(value) for value in values])

    nodes, applied = [], []
    for number, node in enumerate(kept):
        new = node._replace(index=number, inputs=all_moved(node.inputs))
        known = graph.applied[node.index]
        if node.index in with_bias:
            new = new._replace(layer=_with_bias(node.layer))
            known = Applied(new.layer, known.inputs, known.outputs)
        nodes.append(new)
        applied.append(known)
    result = replace(
        graph,
        inputs=tuple([port._replace(value=moved(port.value)) for port in graph.inputs]),
        outputs=tuple([port._replace(value=moved(port.value)) for port in graph.outputs]),
        nodes=tuple(nodes),
        applied=tuple(applied),
        activations=tuple(
            [a._replace(inputs=all_moved(a.inputs), outputs=all_moved(a.outputs)) for a in graph.activations]
        ),
        names={moved(value): name for value, name in graph.names.items()},
        local_names={(home, moved(value)): name for (home, value), name in graph.local_names.items()},
        size_reads=tuple([r._replace(value=None if r.value is None else moved(r.value)) for r in graph.size_reads]),
    )
    return Folded(result, tuple([Pair(layer.path, norm.path) for layer, norm in found]))


def _pairs(graph: Graph) -> list[tuple[Node, Node]]:
    """The layers with the normalizations that can become part of them."""
    used = uses(graph).count
    times = Counter(node.path for node in graph.nodes)
    found = []
    for norm in graph.nodes:
        if not isinstance(norm.layer, BatchNorm) or not norm.layer.track:
            continue
        value = norm.inputs[0]
        layer = graph.nodes[value.node]
        alone = used[value] == 1 and times[layer.path] == times[norm.path] == 1
        if alone and _takes_scales(layer.layer):
            found.append((layer, norm))
    return found


def _takes_scales(layer: Layer) -> bool:
    """Whether a scale of each channel of the result can be a scale of the weights."""
    if isinstance(layer, ConvTranspose):
        return layer.groups == 1  # with more, torch's weight has no axis that is the channels of the result
    return isinstance(layer, Conv | Linear | Pointwise)


def _with_bias(layer: Layer) -> Layer:
    """The layer with a bias; how it begins does not matter, its numbers are given."""
    return layer.model_copy(update={"bias": True, "init": "default"})
