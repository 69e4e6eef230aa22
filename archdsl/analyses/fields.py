"""The receptive field of every value: which inputs it can see, exactly, along each axis.

Along an axis the field of output `i` is an interval. Where everything above is a convolution or a pool, it is
`[jump*i + lo, jump*i + hi]`; below an up-sampling the intervals repeat with a period instead, so an axis keeps one
interval for each phase: output `period*q + r` sees `[advance*q + lo[r], advance*q + hi[r]]`. No half pixels are needed,
and nothing is rounded.

Source: Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019, in the
interval form; the phases are this project's own.
"""

from __future__ import annotations

from math import lcm
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archdsl.graph import Graph
    from archdsl.layers.applied import Applied
    from archdsl.layers.base import Reach
    from archdsl.layers.geometry import Geometry
    from archdsl.layers.tensor import Tensor

PHASES = 4096
"""Beyond so many phases a field is given up as unknown."""
FARTHEST = 2**62
"""So is one with larger steps: strides on open sizes may go on without end."""

Interval = tuple[int, int]


class AxisField(NamedTuple):
    """The field along one axis. A phase that sees nothing (a transposed convolution may leave one) is None."""

    period: int
    advance: int
    intervals: tuple[Interval | None, ...]

    @property
    def size(self) -> int:
        """The most inputs that one output sees."""
        if self.period == 1 and self.intervals[0] is not None:
            return self.intervals[0][1] - self.intervals[0][0] + 1
        return max((hi - lo + 1 for lo, hi in filter(None, self.intervals)), default=0)

    @property
    def stride(self) -> int | float:
        """The step in the input from one output to the next, on average."""
        if self.period == 1:
            return self.advance
        step, rest = divmod(self.advance, self.period)
        return self.advance / self.period if rest else step

    @property
    def padding(self) -> int:
        """How far the first output's field reaches before the input."""
        if self.period == 1 and self.intervals[0] is not None:
            return -self.intervals[0][0]
        return -min((lo for lo, _ in filter(None, self.intervals)), default=0)

    def at(self, index: int) -> Interval | None:
        """The inputs seen by one output, borders not considered."""
        turns, phase = divmod(index, self.period)
        interval = self.intervals[phase]
        return None if interval is None else (self.advance * turns + interval[0], self.advance * turns + interval[1])

    def over(self, first: int, last: int, step: int = 1) -> Interval | None:
        """The inputs seen by the outputs first, first + step, ... last together."""
        if self.period == 1:
            one = self.intervals[0]
            return None if one is None else (self.advance * first + one[0], self.advance * last + one[1])
        ends = [i for i in map(self.at, range(first, last + 1, step)) if i is not None]
        return (min(lo for lo, _ in ends), max(hi for _, hi in ends)) if ends else None


class Field(NamedTuple):
    """What a value sees of the network's input.

    `axes` is the local field, one for each spatial axis; None where position has lost its meaning. `everywhere` is the
    path of the layer by which the whole input has its say (a global pooling, an attention, a gate), if one has. What
    depends on no input has no axes, `()`.
    """

    axes: tuple[AxisField, ...] | None
    everywhere: str | None = None


POINT = AxisField(1, 1, ((0, 0),))
CONSTANT = Field(())


def fields(graph: Graph) -> tuple[Field, ...]:
    """The field of every node's result, by the node's number."""
    known: list[Field] = []
    for node, applied in zip(graph.nodes, graph.applied, strict=True):
        inputs = node.inputs
        if not inputs:
            known.append(Field((POINT,) * applied.outputs[0].rank))
            continue
        before = known[inputs[0].node]
        if len(inputs) == 1 and applied.keeps_positions:
            known.append(before)  # most layers: activations and normalisations
        elif len(inputs) == 1 or applied.layer.inputs[1] == 1:  # a reference gives its size, not its content
            known.append(_single(node.path, applied, before))
        else:
            known.append(_merged(node.path, applied, [known[value.node] for value in inputs]))
    return tuple(known)


def _single(path: str, applied: Applied, before: Field, x: Tensor | None = None) -> Field:
    """The field behind a layer with one input."""
    axes, everywhere = before
    reach = applied.reach
    if reach.nothing or before == CONSTANT:
        return CONSTANT
    if axes is not None and reach.axes is not None and not reach.everywhere:
        return Field(_through(axes, reach), everywhere)
    x = x or applied.inputs[0]
    output = applied.outputs[0]
    one_position = all(size == 1 for size in x.space)
    if axes is None:
        return Field(None, everywhere or (path if reach.everywhere else None))
    if reach.unknown:
        axes = None
    elif reach.axes is not None:
        axes = _through(axes, reach)
    elif output.rank != x.rank and not one_position:
        axes = None
    if reach.everywhere:
        if not one_position:
            everywhere = everywhere or path
        if output.space != x.space:
            axes = None
    return Field(axes, everywhere)


def _through(axes: tuple[AxisField, ...], reach: Reach) -> tuple[AxisField, ...] | None:
    assert reach.axes is not None
    if len(axes) != len(reach.axes):
        return None
    result: list[AxisField] = []
    for axis, geometry in zip(axes, reach.axes, strict=True):
        is_alike = result and axis is axes[0] and geometry is reach.axes[0]
        further = result[0] if is_alike else through(axis, geometry)
        if further is None:
            return None
        result.append(further)
    return tuple(result)


def through(axis: AxisField, geometry: Geometry) -> AxisField | None:
    """The field behind one more layer; None where it has too many phases to be written out."""
    up, down = geometry.up, geometry.down
    period, advance, intervals_before = axis
    if advance > FARTHEST:
        return None
    if period == up == 1 and (one := intervals_before[0]) is not None:
        taps = geometry.taps(0)
        return AxisField(1, advance * down, ((advance * taps[0] + one[0], advance * taps[-1] + one[1]),))
    turns = lcm(axis.period, down) // down if down else 1
    period = up * turns
    if period > PHASES:
        return None
    intervals = []
    for phase in range(period):
        turn, inner = divmod(phase, up)
        taps = geometry.taps(inner)
        base = down * turn
        intervals.append(axis.over(base + taps[0], base + taps[-1], taps.step) if len(taps) else None)
    return _simplest(AxisField(period, axis.advance * down * turns // axis.period, tuple(intervals)))


def _simplest(axis: AxisField) -> AxisField:
    """The same field with one phase, where all phases are alike."""
    period, advance, intervals = axis
    first = intervals[0]
    if period == 1 or first is None or advance % period:
        return axis
    jump = advance // period
    for phase, interval in enumerate(intervals):
        if interval is None or interval != (first[0] + jump * phase, first[1] + jump * phase):
            return axis
    return AxisField(1, jump, (first,))


def _merged(path: str, applied: Applied, before: list[Field]) -> Field:
    """Branches joined: the least and the greatest of their fields; a gate of size 1 sees for every position."""
    space = applied.outputs[0].space
    everywhere = next((field.everywhere for field in before if field.everywhere), None)
    if everywhere is None and applied.reach.everywhere:
        everywhere = path
    local: list[tuple[Tensor, Field]] = []
    seeing = [(tensor, field) for tensor, field in zip(applied.inputs, before, strict=True) if field != CONSTANT]
    if not seeing:
        return CONSTANT
    for tensor, field in seeing:
        if tensor.space != space and all(size == 1 for size in tensor.space):
            everywhere = everywhere or path
        elif any(size == 1 != whole for size, whole in zip(tensor.space, space, strict=False)):
            return Field(None, everywhere)  # stretched along some axes only: no interval moves with the position there
        else:
            local.append((tensor, field))
    axes = local[0][1].axes if local else None
    for _, field in local[1:]:
        if axes is None or field.axes is None or len(field.axes) != len(axes):
            return Field(None, everywhere)
        if axes == field.axes:
            continue
        joined: list[AxisField] = []
        for a, b in zip(axes, field.axes, strict=True):
            is_alike = joined and a is axes[0] and b is field.axes[0]
            one = joined[0] if is_alike else _joined(a, b)
            if one is None:
                return Field(None, everywhere)
            joined.append(one)
        axes = tuple(joined)
    if applied.keeps_positions and len(local) == len(seeing):
        return Field(axes, everywhere)
    return _single(path, applied, Field(axes, everywhere), local[0][0] if local else None)


def _joined(a: AxisField, b: AxisField) -> AxisField | None:
    """Both fields together; None where their strides differ, so that positions do not correspond."""
    if a.period == b.period == 1 and a.intervals[0] is not None and b.intervals[0] is not None:
        if a.advance != b.advance:
            return None
        (first, last), (other_first, other_last) = a.intervals[0], b.intervals[0]
        return AxisField(1, a.advance, ((min(first, other_first), max(last, other_last)),))
    if a == b:
        return a
    if a.advance * b.period != b.advance * a.period:
        return None
    period = lcm(a.period, b.period)
    if period > PHASES:
        return None
    intervals = []
    for phase in range(period):
        ends = [i for i in (a.at(phase), b.at(phase)) if i is not None]
        intervals.append((min(lo for lo, _ in ends), max(hi for _, hi in ends)) if ends else None)
    return _simplest(AxisField(period, a.advance * (period // a.period), tuple(intervals)))
