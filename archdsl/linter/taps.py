"""Rules about the taps of kernels: those that meet nothing, and outputs to which not equally many add."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.geometry import TransposedWindow, Window
from archdsl.linter.model import Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.layers.applied import Applied

_MOST = 4096
"""Along an axis, kernels and factors beyond it are not looked at."""


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
    """Kernels with taps that meet nothing but padding in all their uses, at the sizes of this network."""
    graph = facts.graph
    known: dict[int, tuple[Taps, ...]] = {}
    by_path: dict[str, tuple[Taps, ...]] = {}
    kernels = [
        node
        for node in graph.nodes
        if isinstance(node.layer, Conv | ConvTranspose) and getattr(node.layer, "padding_mode", "zeros") == "zeros"
    ]
    for node in kernels:
        applied = graph.applied[node.index]
        if id(applied) not in known:
            known[id(applied)] = _taps(applied)
        here = known[id(applied)]
        by_path[node.path] = tuple(map(_either, by_path.get(node.path, here), here))
    for node in kernels:
        taps = by_path[node.path]
        every, met = prod([each.kernel for each in taps]), prod([len(each.used) for each in taps])
        if met == every or node.reused:
            continue
        layer, applied = node.layer, graph.applied[node.index]
        assert isinstance(layer, Conv | ConvTranspose)
        weights = prod(applied.weights["weight"])
        wasted = weights - weights * met // every
        meets = "the border that is cut off" if isinstance(layer, ConvTranspose) else "padding"
        yield Finding(
            node.index,
            f"{every - met} of {every} taps of {layer.word} meet nothing but {meets} on "
            f"{_space(applied.inputs[0].space)}",
            notes=(f"so {wasted:,} of its {weights:,} weights do nothing and never learn",),
            help=_smaller(layer, taps) or "take a smaller kernel, or a larger map",
        )


_UNDIVIDED = Taps((0,), 1)
"""Of an axis of which nothing can be said, or need not."""


def _taps(applied: Applied) -> tuple[Taps, ...]:
    layer, x = applied.layer, applied.inputs[0]
    assert isinstance(layer, Conv | ConvTranspose)
    windows: tuple[Window | TransposedWindow, ...] = layer.windows(x.rank)
    return tuple(
        [
            used_taps(window, size) if isinstance(size, int) and 1 < window.kernel <= _MOST else _UNDIVIDED
            for window, size in zip(windows, x.space, strict=True)
        ]
    )


def _either(one: Taps, other: Taps) -> Taps:
    """The taps that are used here or there."""
    if one == other:
        return one
    return Taps(tuple(sorted({*one.used, *other.used})), one.kernel) if one.kernel == other.kernel else _UNDIVIDED


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
