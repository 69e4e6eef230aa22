"""A Network's facts, put together as a Report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.graph import Activation, Graph
from archdsl.reports.schema import Report

if TYPE_CHECKING:
    from archdsl.analyses.fields import Field
    from archdsl.network import Network

Row = dict[str, Any]
"""A record of the schema, before pydantic has checked it."""

_DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
_INTEGER_BYTES = 8


def build_report(network: Network, batch: int = 1) -> Report:
    """The report of a network without errors."""
    graph, totals = network.graph, network.totals
    numbers, layers = _layers(network, batch)
    macs = None if totals.macs is None else batch * totals.macs
    floats = totals.parameters + totals.buffers - totals.integers
    return Report.model_validate(
        {
            "network": graph.name,
            "doc": graph.doc,
            "file": graph.span.source.name,
            "batch": batch,
            "inputs": [{"name": i.name, "kind": i.tensor.kind, "shape": i.tensor.dims} for i in graph.inputs],
            "outputs": [
                {
                    "name": output.name,
                    "kind": graph.tensor(output.value).kind,
                    "shape": graph.tensor(output.value).dims,
                    "training_only": output.training_only,
                }
                for output in graph.outputs
            ],
            "totals": {
                "layers": len(layers),
                "parameters": totals.parameters,
                "trainable": totals.parameters,
                "buffers": totals.buffers,
                "macs": macs,
                "flops": None if macs is None else 2 * macs,
                "bytes": {name: size * floats + _INTEGER_BYTES * totals.integers for name, size in _DTYPES.items()},
            },
            "layers": layers,
            "modules": _modules(graph, layers, numbers),
        }
    )


def _layers(network: Network, batch: int) -> tuple[list[int], list[Row]]:
    """For each node the number of its layer (-1 of an input's), and the layers."""
    graph = network.graph
    nodes = graph.nodes
    layers: list[Row] = []
    numbers: list[int] = []
    seen: dict[int, Row | None] = {}
    for node, applied, field, count in zip(nodes, graph.applied, network.fields, network.counts, strict=True):
        if not node.inputs:
            numbers.append(-1)
            continue
        numbers.append(len(layers))
        if id(field) not in seen:
            seen[id(field)] = _field(field)
        outputs = applied.outputs
        source = node.span.source
        layers.append(
            {
                "path": node.path,
                "layer": node.layer.word,
                "text": applied.text,
                "inputs": [nodes[value.node].path for value in node.inputs],
                "output": outputs[0].dims,
                "outputs": [tensor.dims for tensor in outputs] if len(outputs) > 1 else (),
                "parameters": count.parameters,
                "buffers": count.buffers,
                "macs": None if count.macs is None else batch * count.macs,
                "field": seen[id(field)],
                "everywhere": field.everywhere,
                "line": source.position(node.span.start).line,
                "file": source.name,
                "reused": node.reused,
            }
        )
    return numbers, layers


def _field(field: Field) -> Row | None:
    if not field.axes:
        return None
    return {
        "size": [axis.size for axis in field.axes],
        "stride": [axis.stride for axis in field.axes],
        "padding": [axis.padding for axis in field.axes],
    }


def _modules(graph: Graph, layers: list[Row], numbers: list[int]) -> list[Row]:
    """The modules with the layers in them; a block without a module of its own counts to the one around it."""
    held = _held(graph, numbers)
    return [_module(graph, a, held[a.index], layers) for a in graph.activations if not a.transparent]


def _held(graph: Graph, numbers: list[int]) -> list[range]:
    """The layers in each activation: they follow one another, since one is written out after the other."""
    first = [len(numbers)] * len(graph.activations)
    last = [-1] * len(graph.activations)
    for node in graph.nodes:
        number = numbers[node.index]
        if number >= 0:
            at = node.activation
            first[at] = min(first[at], number)
            last[at] = number
    for activation in reversed(graph.activations):  # a module stands before those in it
        at, parent = activation.index, activation.parent
        if parent is not None:
            first[parent] = min(first[parent], first[at])
            last[parent] = max(last[parent], last[at])
    return [range(a, b + 1) for a, b in zip(first, last, strict=True)]


def _module(graph: Graph, activation: Activation, held: range, layers: list[Row]) -> Row:
    inside = layers[held.start : held.stop]
    macs = [layer["macs"] for layer in inside]
    return {
        "path": activation.path,
        "kind": activation.kind,
        "definition": activation.definition,
        "call": activation.call,
        "parent": None if activation.parent is None else graph.activations[activation.parent].path,
        "layers": tuple(held),
        "output": graph.tensor(activation.outputs[0]).dims if activation.outputs else (),
        "parameters": sum([layer["parameters"] for layer in inside]),
        "macs": None if None in macs else sum(macs),
    }
