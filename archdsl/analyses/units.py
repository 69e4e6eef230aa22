"""What single units see of the input: boxes, padding, the least and the greatest path, shifts between branches.

The receptive field of a layer (`fields`) is that of all paths together. Here the paths are told apart: of those that
lead from the input to a unit, one has the smallest field and one the largest, along each axis.
"""

from __future__ import annotations

from fractions import Fraction
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analyses.fields import CONSTANT, POINT, AxisField, Interval, through
from archdsl.graph import Value

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from archdsl.analyses.fields import Field
    from archdsl.graph import Graph, Node


class Box(NamedTuple):
    """The part of the input that one unit sees along one axis."""

    whole: Interval
    """From the first to the last position, borders not considered: it may reach into the padding."""
    inside: Interval | None
    """What of it is in the input; None where nothing is."""
    size: int
    """The input's size."""

    @property
    def extent(self) -> int:
        return self.whole[1] - self.whole[0] + 1

    @property
    def covered(self) -> int:
        """How many positions of the input it has."""
        return 0 if self.inside is None else self.inside[1] - self.inside[0] + 1


def box(axis: AxisField, index: int, size: int) -> Box | None:
    """What one output sees along an axis of an input of that size; None where it sees nothing."""
    whole = axis.at(index)
    if whole is None:
        return None
    first, last = max(whole[0], 0), min(whole[1], size - 1)
    return Box(whole, (first, last) if first <= last else None, size)


def padded(boxes: Sequence[Box]) -> float:
    """The share of a unit's field that is padding."""
    return 1 - prod(each.covered for each in boxes) / prod(each.extent for each in boxes)


# ---------------------------------------------------------------- paths


class Step(NamedTuple):
    """The field of the best path to a value along one axis, and the value before it on this path."""

    axis: AxisField
    before: Value | None


Steps = tuple[Step, ...] | None


def smallest(graph: Graph, fields: Sequence[Field]) -> tuple[Steps, ...]:
    """For each node and axis the path with the smallest field; None where position has no meaning."""
    return _best(graph, fields, lambda axis: axis.size)


def largest(graph: Graph, fields: Sequence[Field]) -> tuple[Steps, ...]:
    """For each node and axis the path with the largest field; None where position has no meaning."""
    return _best(graph, fields, lambda axis: -axis.size)


def _best(graph: Graph, fields: Sequence[Field], rank: Callable[[AxisField], int]) -> tuple[Steps, ...]:
    known: list[Steps] = []
    for node, field in zip(graph.nodes, fields, strict=True):
        if not node.inputs:
            known.append((Step(POINT, None),) * graph.applied[node.index].outputs[0].rank)
        elif not field.axes:
            known.append(None)
        else:
            known.append(_step(graph, node, len(field.axes), known, rank))
    return tuple(known)


def _step(graph: Graph, node: Node, count: int, known: list[Steps], rank: Callable[[AxisField], int]) -> Steps:
    applied = graph.applied[node.index]
    geometries = applied.reach.axes
    steps: list[Step] = []
    for number in range(count):
        candidates: list[Step] = []
        for value in seeing(graph, node):
            before = known[value.node]
            if before is None or len(before) != count:
                continue
            axis: AxisField | None = before[number].axis
            if geometries is not None and axis is not None:
                axis = through(axis, geometries[number])
            if axis is not None:
                candidates.append(Step(axis, value))
        if not candidates:
            return None
        steps.append(min(candidates, key=lambda step: rank(step.axis)))
    return tuple(steps)


def seeing(graph: Graph, node: Node) -> tuple[Value, ...]:
    """The inputs of a node whose positions it sees: no sizes of others, no gates that are one number for a map."""
    applied = graph.applied[node.index]
    inputs = node.inputs[:1] if applied.layer.inputs[1] == 1 else node.inputs
    if len(inputs) == 1:
        return inputs
    space = applied.outputs[0].space
    return tuple(value for value in inputs if graph.tensor(value).space == space or all(s == 1 for s in space))


def path_to(graph: Graph, steps: Sequence[Steps], node: int, axis: int) -> list[int]:
    """The nodes of the best path to a node along an axis, from the input on."""
    found = [node]
    while (here := steps[found[-1]]) is not None and (before := here[axis].before) is not None:
        found.append(before.node)
    return found[::-1]


# ---------------------------------------------------------------- branches


class Shift(NamedTuple):
    """Branches that meet and do not look at the same place: the centres of what they see differ."""

    node: int
    axis: int
    first: Value
    second: Value
    by: Fraction
    """How much further on the second looks, in positions of the input; half ones come of even windows."""


def shifts(graph: Graph, fields: Sequence[Field]) -> tuple[Shift, ...]:
    """Where branches with fields of one phase meet that are not centred on the same place."""
    found: list[Shift] = []
    for node in graph.nodes:
        values = [v for v in seeing(graph, node) if fields[v.node].axes and fields[v.node] != CONSTANT]
        for other in values[1:]:
            pairs = zip(fields[values[0].node].axes or (), fields[other.node].axes or (), strict=False)
            for number, (a, b) in enumerate(pairs):
                if a.period == b.period == 1 and a.advance == b.advance and (by := _centre(b) - _centre(a)):
                    found.append(Shift(node.index, number, values[0], other, by))
    return tuple(found)


def _centre(axis: AxisField) -> Fraction:
    """The middle of what output 0 sees."""
    interval = axis.intervals[0]
    return Fraction(sum(interval), 2) if interval is not None else Fraction(0)


# ---------------------------------------------------------------- tiles


class Tiling(NamedTuple):
    """How to cut an input so that the outputs of its tiles join without a seam, along one axis."""

    multiple: int
    """Tiles begin at multiples of this many positions of the input, and the output's tiles of `gives`."""
    gives: int
    before: int
    """How many positions more a tile needs before it."""
    after: int
    """And after it."""


def tiling(axis: AxisField) -> Tiling | None:
    """The context that tiles of an output need, so that each is what it is in the whole; None where all see nothing.

    An output tile of the positions from `gives*a` up to `gives*b` needs the inputs from `multiple*a - before` up to
    `multiple*b + after`; what lies outside the whole input is padding there as well.
    """
    seen = [interval for interval in axis.intervals if interval is not None]
    if not seen:
        return None
    first, last = min(lo for lo, _ in seen), max(hi for _, hi in seen)
    return Tiling(axis.advance, axis.period, max(0, -first), max(0, last + 1 - axis.advance))
