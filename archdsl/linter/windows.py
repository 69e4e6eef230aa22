"""Rules about windows that slide: what they leave out, what they never use, and what they cover unevenly."""

from __future__ import annotations

from fractions import Fraction
from math import gcd, prod
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analyses.sizes import borders
from archdsl.layers.border import Crop, Pad
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.geometry import TransposedWindow, Window
from archdsl.layers.linear import Identity
from archdsl.layers.pooling import AvgPool, MaxPool
from archdsl.layers.tensor import AXIS_NAMES
from archdsl.linter.model import Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from archdsl.layers.applied import Applied

_SLIDES = (Conv, MaxPool, AvgPool)
_MOVES = (Crop, Pad, Identity)
_MOST = 4096
"""Along an axis, kernels and factors beyond it are not looked at."""


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
        seen = f"{_residues(window)} of every {window.stride} neighbours"
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
        if not isinstance(window, Window) or count == 1 or not isinstance(size, int):
            continue
        met = _residues(window)
        if met < window.stride:
            axis = number if share == 1 else axis
            share *= Fraction(met, window.stride)
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


# ---------------------------------------------------------------- taps


class Taps(NamedTuple):
    """Along one axis, the taps of a kernel that ever meet the map."""

    used: tuple[int, ...]
    kernel: int


def used_taps(window: Window | TransposedWindow, size: int) -> Taps:
    """The taps of a kernel that meet a map of that size at one place at least; else they meet padding alone.

    Tap `t` of window `i` of a convolution meets the input `i*s - p + d*t`; of a transposed one, input `i` adds to the
    output `i*s - p + d*t`. Either way it is used if an `i` gives a position inside.
    """
    output = window.output(size)
    assert isinstance(output, int)
    if isinstance(window, Window):
        before, count, inside = window.before, output, size
    else:
        before, count, inside = window.padding, size, output
    used = []
    for tap in range(window.kernel):
        offset = window.dilation * tap - before
        first = max(0, -(offset // window.stride))
        last = min(count - 1, (inside - 1 - offset) // window.stride)
        if first <= last:
            used.append(tap)
    return Taps(tuple(used), window.kernel)


def unused_taps(facts: Facts) -> Iterator[Finding]:
    """Kernels with taps that meet nothing but padding, at the sizes of this network."""
    graph = facts.graph
    known: dict[int, tuple[Taps, ...]] = {}
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, Conv | ConvTranspose) or getattr(layer, "padding_mode", "zeros") != "zeros":
            continue
        applied = graph.applied[node.index]
        if id(applied) not in known:
            known[id(applied)] = _taps(applied)
        taps = known[id(applied)]
        every, met = prod([each.kernel for each in taps]), prod([len(each.used) for each in taps])
        if met == every:
            continue
        x = applied.inputs[0]
        weights = prod(applied.weights["weight"])
        wasted = weights - weights * met // every
        meets = "the border that is cut off" if isinstance(layer, ConvTranspose) else "padding"
        yield Finding(
            node.index,
            f"{every - met} of {every} taps of {layer.word} meet nothing but {meets} on {_space(x.space)}",
            notes=(f"so {wasted:,} of its {weights:,} weights do nothing and never learn",),
            help=_smaller(layer, taps) or "take a smaller kernel, or a larger map",
        )


def _taps(applied: Applied) -> tuple[Taps, ...]:
    layer, x = applied.layer, applied.inputs[0]
    assert isinstance(layer, Conv | ConvTranspose)
    windows: tuple[Window | TransposedWindow, ...] = layer.windows(x.rank)
    return tuple(
        [
            used_taps(window, size)
            for window, size in zip(windows, x.space, strict=True)
            if isinstance(size, int) and 1 < window.kernel <= _MOST
        ]
    )


def _space(space: tuple[int | str, ...]) -> str:
    sizes = "x".join(map(str, space))
    return f"a map of {sizes}" if len(space) > 1 else f"a length of {sizes}"


def _smaller(layer: Conv | ConvTranspose, taps: tuple[Taps, ...]) -> str | None:
    """A smaller kernel with less padding that does the same, where the axes are alike and the taps in the middle."""
    kernel, padding, dilation = layer.kernel, layer.padding, layer.dilation
    if len(set(taps)) != 1 or not (isinstance(kernel, int) and isinstance(padding, int) and isinstance(dilation, int)):
        return None
    used = taps[0].used
    cut = used[0] if used else 0
    if not used or used != tuple(range(cut, kernel - cut)) or padding < cut * dilation:
        return None
    options = [f"k{kernel - 2 * cut}", f"p{padding - cut * dilation}"]
    return f"`{' '.join(options)}` does the same"


# ---------------------------------------------------------------- transposed


def checkerboard(facts: Facts) -> Iterator[Finding]:
    """Transposed convolutions to whose outputs not equally many taps add."""
    graph = facts.graph
    for node in graph.nodes:
        layer = node.layer
        if not isinstance(layer, ConvTranspose):
            continue
        for window in layer.windows(graph.inputs_of(node)[0].rank):
            if not 1 < window.stride <= _MOST:
                continue
            taps = [len(window.taps(phase)) for phase in range(window.stride)]
            if len(set(taps)) == 1:
                continue
            multiple = window.stride * max(1, -(-window.kernel // window.stride))
            yield Finding(
                node.index,
                f"{layer.word} with kernel {window.kernel} and stride {window.stride} covers its output unevenly",
                notes=(f"along an axis its outputs are sums of {_in_turn(taps)} taps in turn: a checkerboard",),
                help=f"take a kernel that is a multiple of the stride, k{multiple}; or `upsample {window.stride}` and "
                "a `conv`",
            )
            break


def _in_turn(taps: list[int]) -> str:
    shown = [str(count) for count in taps[:6]] + (["..."] if len(taps) > 6 else [])
    return f"{', '.join(shown[:-1])} and {shown[-1]}"
