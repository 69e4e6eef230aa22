"""Parameters, buffers and multiply-accumulates of every layer."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archdsl.graph import Graph
    from archdsl.layers.base import Layer
    from archdsl.layers.tensor import Tensor


class Counts(NamedTuple):
    """What one layer costs.

    `parameters` and `buffers` are numbers in `state_dict()`, 0 for a later use of a shared module; `integers` are those
    among the buffers that are not floating point. `macs` are multiply-accumulates for one sample by torchvision's rule
    (convolutions, linear layers and matrix products), None where a size is open.
    """

    parameters: int
    buffers: int
    integers: int
    macs: int | None


def counts(graph: Graph) -> tuple[Counts, ...]:
    """The counts of every node, by its number."""
    seen: dict[tuple[int, tuple[Tensor, ...]], Counts] = {}
    result = []
    for node in graph.nodes:
        inputs = graph.inputs_of(node)
        key = (id(node.layer), inputs)
        found = seen.get(key)
        if found is None:
            found = seen[key] = _counts(node.layer, inputs)
        result.append(found._replace(parameters=0, buffers=0, integers=0) if node.reused else found)
    return tuple(result)


def _counts(layer: Layer, inputs: tuple[Tensor, ...]) -> Counts:
    parameters = sum(map(prod, layer.weights(*inputs).values()))
    buffers = layer.buffers(*inputs)
    integers = sum(prod(shape) for name, shape in buffers.items() if name == "num_batches_tracked")
    return Counts(parameters, sum(map(prod, buffers.values())), integers, layer.macs(*inputs))


class Sums(NamedTuple):
    parameters: int
    buffers: int
    integers: int
    macs: int | None


def total(rows: tuple[Counts, ...]) -> Sums:
    """The sums over a network; MACs are None where one layer's are."""
    known = [row.macs for row in rows if row.macs is not None]
    return Sums(
        sum(row.parameters for row in rows),
        sum(row.buffers for row in rows),
        sum(row.integers for row in rows),
        sum(known) if len(known) == len(rows) else None,
    )
