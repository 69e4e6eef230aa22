"""A Network's facts, put together as a Report."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING

from archdsl.graph import Activation, Graph, Value
from archdsl.reports.schema import Extents, FieldReport, LayerReport, ModuleReport, Port, Report, Totals

if TYPE_CHECKING:
    from archdsl.analyses.fields import AxisField
    from archdsl.network import Network
    from archdsl.source import Span

_DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
_INTEGER_BYTES = 8


def build_report(network: Network, batch: int = 1) -> Report:
    """The report of a network without errors."""
    graph, totals = network.graph, network.totals
    numbers, layers = _layers(network, batch)
    macs = None if totals.macs is None else batch * totals.macs
    floats = totals.parameters + totals.buffers - totals.integers
    return Report(
        network=graph.name,
        doc=graph.doc,
        file=graph.span.source.name,
        batch=batch,
        inputs=tuple([Port(name=port.name, kind=port.tensor.kind, shape=port.tensor.dims) for port in graph.inputs]),
        outputs=tuple(
            [
                Port(
                    name=port.name,
                    kind=graph.tensor(port.value).kind,
                    shape=dims_of(network, port.value),
                    training_only=port.training_only,
                )
                for port in graph.outputs
            ]
        ),
        totals=Totals(
            layers=len(layers),
            parameters=totals.parameters,
            trainable=sum([layer.parameters for layer in layers if not layer.frozen]),
            buffers=totals.buffers,
            macs=macs,
            flops=None if macs is None else 2 * macs,
            bytes={name: size * floats + _INTEGER_BYTES * totals.integers for name, size in _DTYPES.items()},
        ),
        layers=tuple(layers),
        modules=_modules(network, layers, numbers),
        sizes=_open_sizes(network),
    )


def dims_of(network: Network, value: Value) -> Extents:
    """The sizes of a value; those that follow from an open size as formulas."""
    tensor = network.graph.tensor(value)
    if not network.open_axes:
        return tensor.dims
    from archdsl.analyses.sizes import formulas

    return formulas(network.open_axes, value, tensor)


def _open_sizes(network: Network) -> dict[str, str]:
    """What the network takes for each size that is open, in words."""
    if not network.open_axes:
        return {}
    from archdsl.analyses.formulas import described

    return {each.axis.name: described(each.accepted) for each in network.open_axes}


def _layers(network: Network, batch: int) -> tuple[list[int], list[LayerReport]]:
    """For each node the number of its layer (-1 of an input's), and the layers."""
    graph = network.graph
    nodes, opened = graph.nodes, network.open_axes
    layers: list[LayerReport] = []
    numbers: list[int] = []
    shown: dict[int, FieldReport | None] = {}
    held = network.frozen.parameters
    lines: dict[Span, int] = {}
    for node, applied, field, count in zip(nodes, graph.applied, network.fields, network.counts, strict=True):
        _, path, layer, inputs, span, _, reused = node
        if not inputs:
            numbers.append(-1)
            continue
        numbers.append(len(layers))
        axes, everywhere = field
        key = id(axes)
        if key not in shown:
            shown[key] = field_report(axes) if axes else None
        line = lines.get(span) or lines.setdefault(span, span.line)
        outputs = applied.outputs
        shapes = [tensor.dims for tensor in outputs]
        if opened:
            shapes = [dims_of(network, Value(node.index, number)) for number in range(len(outputs))]
        parameters, buffers, _, macs = count
        row = LayerReport(  # by place, which takes a third of the time
            path,
            layer.word,
            applied.text,
            (nodes[inputs[0][0]][1],) if len(inputs) == 1 else tuple([nodes[value.node].path for value in inputs]),
            shapes[0],
            () if len(outputs) == 1 else tuple(shapes),
            parameters,
            buffers,
            macs if macs is None else batch * macs,
            shown[key],
            everywhere,
            line,
            span.source.name,
            reused,
            node.index in held,
        )
        layers.append(row)
    return numbers, layers


def field_report(axes: tuple[AxisField, ...]) -> FieldReport:
    """A local receptive field, as reports give it."""
    first, count = axes[0], len(axes)
    if axes == (first,) * count:
        return FieldReport((first.size,) * count, (first.stride,) * count, (first.padding,) * count)
    return FieldReport(
        tuple([axis.size for axis in axes]),
        tuple([axis.stride for axis in axes]),
        tuple([axis.padding for axis in axes]),
    )


def _modules(network: Network, layers: list[LayerReport], numbers: list[int]) -> tuple[ModuleReport, ...]:
    """The modules with the layers in them; a block without a module of its own counts to the one around it."""
    graph = network.graph
    held = _held(graph, numbers)
    parameters = list(accumulate([layer.parameters for layer in layers], initial=0))
    macs = list(accumulate([layer.macs or 0 for layer in layers], initial=0))
    unknown = list(accumulate([layer.macs is None for layer in layers], initial=0))

    def module(activation: Activation) -> ModuleReport:
        inside = held[activation.index]
        start, stop = inside.start, max(inside.start, inside.stop)
        parent = activation.parent
        return ModuleReport(
            activation.path,
            activation.kind,
            activation.definition,
            activation.call,
            None if parent is None else graph.activations[parent].path,
            tuple(inside),
            dims_of(network, activation.outputs[0]) if activation.outputs else (),
            parameters[stop] - parameters[start],
            macs[stop] - macs[start] if unknown[stop] == unknown[start] else None,
        )

    return tuple([module(activation) for activation in graph.activations if not activation.transparent])


def _held(graph: Graph, numbers: list[int]) -> list[range]:
    """The layers in each activation: they follow one another, since one is written out after the other."""
    first = [len(numbers)] * len(graph.activations)
    last = [-1] * len(graph.activations)
    for node, number in zip(graph.nodes, numbers, strict=True):
        if number >= 0:
            at = node.activation
            if last[at] < 0:
                first[at] = number
            last[at] = number
    for activation in reversed(graph.activations):  # a module stands before those in it
        at, parent = activation.index, activation.parent
        if parent is not None:
            first[parent] = min(first[parent], first[at])
            last[parent] = max(last[parent], last[at])
    return [range(a, b + 1) for a, b in zip(first, last, strict=True)]
