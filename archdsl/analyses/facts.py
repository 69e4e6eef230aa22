"""What a contract can name, of the whole network or of what stands at a path."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from archdsl.analyses.counts import total
from archdsl.analyses.training import frozen
from archdsl.elaborate.values import OPEN, SILENT
from archdsl.graph import Value

if TYPE_CHECKING:
    from archdsl.analyses.fields import AxisField, Field
    from archdsl.graph import Graph
    from archdsl.layers.applied import Counts

ASKED = 4
"""What a fact takes at most, in steps for each layer."""


class Scope:
    """What a contract is about: the whole network, or the layers at a path."""

    def __init__(self, graph: Graph, counts: tuple[Counts, ...], fields: tuple[Field, ...], path: str | None) -> None:
        self.graph = graph
        self.all_fields = fields
        self.all_counts = counts
        inside = path and f"{path}."
        self.nodes = [node for node in graph.nodes if not inside or node.path == path or node.path.startswith(inside)]
        self.fields = tuple([fields[node.index] for node in self.nodes])
        self.counts = total(tuple([counts[node.index] for node in self.nodes]))
        self.path = path

    def out(self) -> Any:
        """What flows out of it."""
        if self.path is None:
            return self.graph.outputs[0].value if self.graph.outputs else SILENT
        given = [each.outputs for each in self.graph.activations if each.path == self.path and each.outputs]
        return given[0][0] if given else Value(self.nodes[-1].index)

    def smallest_field(self) -> Any:
        """The least field of a single path to the last layer that has one."""
        from archdsl.analyses.units import smallest

        best = smallest(self.graph, self.all_fields)
        for node, field in zip(reversed(self.nodes), reversed(self.fields), strict=True):
            if field.axes and (steps := best[node.index]):
                return min(step.axis.size for step in steps)
        return OPEN

    def trainable(self) -> int:
        """The parameters that no network inside freezes."""
        held = frozen(self.graph).parameters
        return sum(self.all_counts[node.index].parameters for node in self.nodes if node.index not in held)

    def misaligned(self) -> int:
        """In how many places branches meet that look at different places of the input."""
        from archdsl.analyses.units import shifts

        inside = {node.index for node in self.nodes}
        return len({shift.node for shift in shifts(self.graph, self.all_fields)} & inside)

    def dropped(self) -> Any:
        """How many rows and columns at the ends of maps no window covers, over all layers."""
        from archdsl.analyses.sizes import borders

        if not self.graph.is_closed:
            return OPEN
        inside = {node.index for node in self.nodes}
        return sum(border.unseen for border in borders(self.graph) if border.node in inside)


FACTS: Final[Mapping[str, Callable[[Scope], Any]]] = {
    "params": lambda scope: scope.counts.parameters,
    "parameters": lambda scope: scope.counts.parameters,
    "trainable": lambda scope: scope.trainable(),
    "buffers": lambda scope: scope.counts.buffers,
    "macs": lambda scope: OPEN if scope.counts.macs is None else scope.counts.macs,
    "flops": lambda scope: OPEN if scope.counts.macs is None else 2 * scope.counts.macs,
    "rf": lambda scope: last_field(scope.fields),
    "field": lambda scope: last_field(scope.fields),
    "smallest_field": Scope.smallest_field,
    "misaligned": Scope.misaligned,
    "dropped": Scope.dropped,
    "layers": lambda scope: len([node for node in scope.nodes if node.inputs]),
    "out": Scope.out,
}
"""What a contract can name, of the whole network or of what stands at a path."""


def last_axes(fields: tuple[Field, ...]) -> tuple[AxisField, ...] | None:
    """The local field of the last layer that has one."""
    return next((field.axes for field in reversed(fields) if field.axes), None)


def last_field(fields: tuple[Field, ...]) -> object:
    axes = last_axes(fields)
    return min(axis.size for axis in axes) if axes else OPEN
