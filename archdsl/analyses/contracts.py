"""`expect`: what a network promises of itself, proven or refuted with the numbers."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.model import Label, error
from archdsl.elaborate.builder import TooMuchError
from archdsl.elaborate.values import MISSING, OPEN, SILENT, Env, describe

if TYPE_CHECKING:
    from archdsl.analyses.fields import AxisField, Field
    from archdsl.analyses.sizes import AxisSizes
    from archdsl.diagnostics.model import Diagnostic
    from archdsl.elaborate.elaborator import Elaboration
    from archdsl.elaborate.flow import Walker
    from archdsl.graph import Graph
    from archdsl.layers.applied import Counts
    from archdsl.syntax import tree


def contracts(elaboration: Elaboration, totals: Counts, fields: tuple[Field, ...]) -> list[Diagnostic]:
    """Findings about the expectations of a network that is otherwise without errors."""
    walker = elaboration.walker
    findings = walker.builder.diagnostics
    before = len(findings)
    graph = elaboration.graph
    facts = {
        "params": totals.parameters,
        "trainable": totals.parameters,
        "buffers": totals.buffers,
        "macs": OPEN if totals.macs is None else totals.macs,
        "flops": OPEN if totals.macs is None else 2 * totals.macs,
        "rf": last_field(fields),
        "layers": len([node for node in graph.nodes if node.inputs]),
        "out": graph.outputs[0].value if graph.outputs else SILENT,
    }
    facts |= {"parameters": facts["params"], "field": facts["rf"]}
    open_inputs = [
        Label(each.span, "sizes are open here")
        for each in graph.inputs
        if not all(isinstance(size, int) for size in each.tensor.dims)
    ]
    with suppress(TooMuchError):  # of which there is then a finding
        for statement, env in elaboration.expectations:
            decide(walker, statement, Env(env.module, env), facts, open_inputs)
    return findings[before:]


def impossible(graph: Graph, open_axes: tuple[AxisSizes, ...]) -> list[Diagnostic]:
    """An error for each open size that no number can fill: what one layer leaves of them, the next refuses."""
    if not open_axes:
        return []
    from archdsl.analyses.formulas import described

    hopeless = [result for result in open_axes if 0 not in result.accepted.values]
    found = []
    for at in dict.fromkeys(result.demands[-1].node for result in hopeless):
        results = [result for result in hopeless if result.demands[-1].node == at]
        names, (result, *_) = " or ".join(result.axis.name for result in results), results
        node, demand = graph.nodes[at], result.demands[-1]
        inputs = {number for result in results for number, _ in result.axis.places}
        labels = [
            Label(each.span, f"{names.replace(' or ', ' and ')} {'are' if len(results) > 1 else 'is'} open here")
            for each in graph.inputs
            if each.value.node in inputs and each.span.source is node.span.source
        ]
        before = [(graph.nodes[each.node], each.accepted) for each in result.demands[-4:-1]]
        notes = [f"{each.layer.word} at {each.span} takes {described(accepted)}" for each, accepted in before]
        message = f"no size of {names} suits all layers: at {demand.refused}, {demand.problem.message}"
        help = demand.problem.help or "give both branches as much padding as their windows take, or crop the larger one"
        found.append(error("no-size", message, node.span, labels=labels, notes=notes, help=help))
    return found


def decide(walker: Walker, statement: tree.Expect, inner: Env, facts: dict[str, Any], open_inputs: list[Label]) -> None:
    """Proves or refutes one expectation."""
    inner.names.update({name: fact for name, fact in facts.items() if inner.find(name) is MISSING})
    value = walker.expressions.value(statement.condition, inner)
    if value is False:
        notes = walker.sides(statement.condition, inner)
        walker.report("expectation", "this does not hold", statement.condition, inner, notes=notes)
    elif value is OPEN:
        help = "give the sizes that are open: --input 3x224x224"
        message = "this cannot be decided: it depends on a size that is open"
        walker.report("undecided", message, statement.condition, inner, labels=open_inputs, help=help, warn=True)
    elif value is not True and value is not SILENT:
        message = f"`expect` needs yes or no, got {describe(value)}"
        walker.report("bad-expression", message, statement.condition, inner, help="compare it: `params <= 5M`")


def last_axes(fields: tuple[Field, ...]) -> tuple[AxisField, ...] | None:
    """The local field of the last layer that has one."""
    return next((field.axes for field in reversed(fields) if field.axes), None)


def last_field(fields: tuple[Field, ...]) -> object:
    axes = last_axes(fields)
    return min(axis.size for axis in axes) if axes else OPEN
