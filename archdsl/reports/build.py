"""A Network's facts, put together as a Report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.graph import Activation, Graph
from archdsl.layers.source import Input
from archdsl.reports.schema import FieldReport, LayerReport, ModuleReport, Port, Report, Totals

if TYPE_CHECKING:
    from archdsl.analyses.fields import Field
    from archdsl.network import Network

_DTYPES = {"float32": 4, "float16": 2, "bfloat16": 2, "float64": 8}
_INTEGER_BYTES = 8


def build_report(network: Network, batch: int = 1) -> Report:
    """The report of a network without errors."""
    graph, fields, counts, totals = network.graph, network.fields, network.counts, network.totals
    layers: list[LayerReport] = []
    numbers: dict[int, int] = {}
    field_reports: dict[object, FieldReport | None] = {}
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            continue
        numbers[node.index] = len(layers)
        field, count = fields[node.index], counts[node.index]
        if field.axes not in field_reports:
            field_reports[field.axes] = _field(field)
        applied = graph.applied[node.index]
        outputs = applied.outputs
        layers.append(
            LayerReport(
                path=node.path,
                layer=node.layer.word,
                text=applied.text,
                inputs=tuple([graph.nodes[value.node].path for value in node.inputs]),
                output=outputs[0].dims,
                outputs=tuple(t.dims for t in outputs) if len(outputs) > 1 else (),
                parameters=count.parameters,
                buffers=count.buffers,
                macs=None if count.macs is None else batch * count.macs,
                field=field_reports[field.axes],
                everywhere=field.everywhere,
                line=node.span.line,
                file=node.span.source.name,
                reused=node.reused,
            )
        )
    macs = None if totals.macs is None else batch * totals.macs
    floats = totals.parameters + totals.buffers - totals.integers
    return Report(
        network=graph.name,
        doc=graph.doc,
        file=graph.span.source.name,
        batch=batch,
        inputs=tuple(Port(name=i.name, kind=i.tensor.kind, shape=i.tensor.dims) for i in graph.inputs),
        outputs=tuple(
            Port(
                name=o.name,
                kind=graph.tensor(o.value).kind,
                shape=graph.tensor(o.value).dims,
                training_only=o.training_only,
            )
            for o in graph.outputs
        ),
        totals=Totals(
            layers=len(layers),
            parameters=totals.parameters,
            trainable=totals.parameters,
            buffers=totals.buffers,
            macs=macs,
            flops=None if macs is None else 2 * macs,
            bytes={name: size * floats + _INTEGER_BYTES * totals.integers for name, size in _DTYPES.items()},
        ),
        layers=tuple(layers),
        modules=_modules(graph, layers, numbers),
    )


def _field(field: Field) -> FieldReport | None:
    if not field.axes:
        return None
    return FieldReport(
        size=tuple(axis.size for axis in field.axes),
        stride=tuple(axis.stride for axis in field.axes),
        padding=tuple(axis.padding for axis in field.axes),
    )


def _modules(graph: Graph, layers: list[LayerReport], numbers: dict[int, int]) -> tuple[ModuleReport, ...]:
    """The modules with the layers in them; a block without a module of its own counts to the one around it."""
    held: dict[int, list[int]] = {a.index: [] for a in graph.activations}
    for node in graph.nodes:
        if node.index in numbers:
            at: int | None = node.activation
            while at is not None:
                held[at].append(numbers[node.index])
                at = graph.activations[at].parent
    return tuple(_module(graph, a, held[a.index], layers) for a in graph.activations if not a.transparent)


def _module(graph: Graph, activation: Activation, held: list[int], layers: list[LayerReport]) -> ModuleReport:
    macs = [layers[number].macs for number in held]
    known = [m for m in macs if m is not None]
    parent = None if activation.parent is None else graph.activations[activation.parent].path
    return ModuleReport(
        path=activation.path,
        kind=activation.kind,
        definition=activation.definition,
        call=activation.call,
        parent=parent,
        layers=tuple(held),
        output=graph.tensor(activation.outputs[0]).dims if activation.outputs else (),
        parameters=sum(layers[number].parameters for number in held),
        macs=sum(known) if len(known) == len(macs) else None,
    )
