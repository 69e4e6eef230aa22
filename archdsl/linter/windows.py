"""Rules about windows that slide, and what they leave out: the end of a map, and what is between them."""

from __future__ import annotations

from fractions import Fraction
from math import gcd
from typing import TYPE_CHECKING

from archdsl.analyses.sizes import borders
from archdsl.layers.border import Crop, Pad
from archdsl.layers.convolution import Conv
from archdsl.layers.geometry import Window
from archdsl.layers.linear import Identity
from archdsl.layers.pooling import AvgPool, MaxPool
from archdsl.layers.tensor import AXIS_NAMES
from archdsl.linter.model import Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from archdsl.layers.applied import Applied

_SLIDES = (Conv, MaxPool, AvgPool)
_MOVES = (Crop, Pad, Identity)


def dropped_pixels(facts: Facts) -> Iterator[Finding]:
    """Windows whose stride leaves out the end of a map that nothing else sees."""
    graph = facts.graph
    found: dict[int, list[tuple[int, int, int]]] = {}
    for border in borders(graph):
        if isinstance(graph.nodes[border.node].layer, _SLIDES):
            found.setdefault(border.node, []).append((border.axis, border.size, border.unseen))
    seen = _Seen(facts, found)
    for index, cut in found.items():
        if seen.otherwise(index):
            continue
        node, applied = graph.nodes[index], graph.applied[index]
        names = AXIS_NAMES[applied.inputs[0].rank]
        axis, size, unseen = cut[0]
        window = (applied.reach.axes or ())[axis]
        assert isinstance(window, Window)
        which = " and ".join(names[each[0]] for each in cut) if len({each[1:] for each in cut}) == 1 else names[axis]
        remedy = "`ceil=yes` adds a last window; or " if isinstance(node.layer, MaxPool | AvgPool) else ""
        fitting = (size - unseen, size - unseen + window.stride)
        yield Finding(
            index,
            f"{node.layer.word} leaves out the last {unseen} of {size} positions along {which}",
            notes=(f"{window.formula(size)}, and what the rounding cuts off nothing else sees",),
            help=f"{remedy}give it a map of {fitting[0]} or {fitting[1]}, or more padding",
        )


def stride_over_kernel(facts: Facts) -> Iterator[Finding]:
    """Windows with gaps between them, the pixels in which nothing else sees."""
    graph = facts.graph
    known: dict[int, tuple[int, Fraction]] = {}
    found: dict[int, tuple[int, Fraction]] = {}
    for index, applied in enumerate(graph.applied):
        if isinstance(applied.layer, _SLIDES):
            if id(applied) not in known:
                known[id(applied)] = _gaps(applied)
            if known[id(applied)][1] < 1:
                found[index] = known[id(applied)]
    others = _Seen(facts, found)
    for index, (axis, share) in found.items():
        if others.otherwise(index):
            continue
        node, applied = graph.nodes[index], graph.applied[index]
        window = (applied.reach.axes or ())[axis]
        assert isinstance(window, Window)
        dilated = f" with dilation {window.dilation}" if window.dilation > 1 else ""
        seen = f"{_residues(window)} of {window.stride} neighbours"
        yield Finding(
            index,
            f"{node.layer.word} never sees {1 - share} of the positions",
            notes=(f"with stride {window.stride} a kernel of {window.kernel}{dilated} meets {seen}",),
            help=_without_gaps(window),
        )


def _without_gaps(window: Window) -> str:
    if window.kernel < window.stride:
        return f"take a kernel of at least {window.stride}, a smaller stride, or a pooling before it"
    return "take a dilation that has no factor in common with the stride, or a stride of 1"


def _gaps(applied: Applied) -> tuple[int, Fraction]:
    """The first axis along which windows leave gaps, and the share of the positions that is seen."""
    axis, share = 0, Fraction(1)
    windows = applied.reach.axes or ()
    sizes = zip(windows, applied.inputs[0].space, applied.outputs[0].space, strict=False)
    for number, (window, size, count) in enumerate(sizes):
        if not isinstance(window, Window) or not isinstance(size, int):
            continue
        met, of = _residues(window), window.stride if count != 1 else min(window.stride, size)
        if met < of:
            axis = number if share == 1 else axis
            share *= Fraction(met, of)
    return axis, share


def _residues(window: Window) -> int:
    """Of `stride` neighbouring positions, so many are met by a tap: taps stand a dilation apart."""
    return min(window.kernel, window.stride // gcd(window.dilation, window.stride))


class _Seen:
    """Whether what some layers leave out is read by others."""

    def __init__(self, facts: Facts, leaving_out: Collection[int]) -> None:
        self.facts = facts
        self.leaving_out = leaving_out
        self.known: dict[int, bool] = {}

    def otherwise(self, index: int) -> bool:
        """Whether what a layer reads goes to one that leaves nothing out; or, before it was cropped or padded, to any
        other: together they may see all, as the two halves of a factorised reduction do.
        """
        nodes = self.facts.graph.nodes
        before = nodes[index].inputs[0].node
        if before not in self.known:
            self.known[before] = self._seen(before)
        return self.known[before]

    def _seen(self, node: int) -> bool:
        users, given = self.facts.users, self.facts.given
        if node in given or any(user not in self.leaving_out for user in users[node]):
            return True
        while isinstance(self.facts.graph.nodes[node].layer, _MOVES):
            node = self.facts.graph.nodes[node].inputs[0].node
            if node in given or len(users[node]) > 1:
                return True
        return False
