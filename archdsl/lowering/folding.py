"""Batch norms and layer scales as part of the layer before: the same network for inference, without those nodes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from archdsl.graph import Value
from archdsl.layers.applied import Applied
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.linear import Linear, Pointwise
from archdsl.layers.normalization import BatchNorm
from archdsl.layers.parameter import LayerScale
from archdsl.lowering.modules import uses

if TYPE_CHECKING:
    from archdsl.graph import Graph, Node
    from archdsl.layers.base import Layer


class Pair(NamedTuple):
    """The paths of a layer and of what it takes over: a normalization or a layer scale."""

    layer: str
    taken: str


class Folded(NamedTuple):
    graph: Graph
    pairs: tuple[Pair, ...]


def folded(graph: Graph, dtype: str = "float32") -> Folded:
    """The network in evaluation, with each batch norm and layer scale folded into the convolution or matrix before it.

    That is done where the norm has running statistics, nobody else needs what the layer gives, and both run at one
    place only. The paths of all other layers, and with them the names of their tensors, stay what they are. In float16
    layer scales stay too: they are small, and their products with weights would have few digits left there. The pairs
    are in the order of the flow.
    """
    found = _pairs(graph, scales=dtype != "float16")
    if not found:
        return Folded(graph, ())
    owners = {taken.index: layer.index for layer, taken in found}
    with_bias = {layer.index for layer, taken in found if isinstance(taken.layer, BatchNorm)}
    kept = [node for node in graph.nodes if node.index not in owners]
    numbers = {node.index: number for number, node in enumerate(kept)}

    def moved(value: Value) -> Value:
        return Value(numbers[owners.get(value.node, value.node)], value.output)

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
    return Folded(result, tuple([Pair(layer.path, taken.path) for layer, taken in found]))


def _pairs(graph: Graph, scales: bool) -> list[tuple[Node, Node]]:
    """The layers with what can become part of them."""
    used = uses(graph).count
    times = Counter(node.path for node in graph.nodes)
    found: dict[int, tuple[Node, Node]] = {}
    for node in graph.nodes:
        norm = isinstance(node.layer, BatchNorm) and node.layer.track
        if not norm and not (scales and isinstance(node.layer, LayerScale)):
            continue
        value = node.inputs[0]
        before = graph.nodes[value.node]
        layer = found[before.index][0] if before.index in found else before
        alone = used[value] == 1 and times[layer.path] == times[node.path] == 1
        if alone and _takes_scales(layer.layer):
            found[node.index] = layer, node
    return list(found.values())


def _takes_scales(layer: Layer) -> bool:
    """Whether a scale of each channel of the result can be a scale of the weights."""
    if isinstance(layer, ConvTranspose):
        return layer.groups == 1  # with more, torch's weight has no axis that is the channels of the result
    return isinstance(layer, Conv | Linear | Pointwise)


def _with_bias(layer: Layer) -> Layer:
    """The layer with a bias; how it begins does not matter, its numbers are given."""
    return layer.model_copy(update={"bias": True, "init": "default"})
