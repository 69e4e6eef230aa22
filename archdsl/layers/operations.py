"""How many arithmetic operations a formula takes, where that is more than a number for each value.

One for each addition, subtraction, multiplication, division, comparison and change of sign, and one for each function
of C's mathematical library: exp, log, tanh, erf, sqrt, pow. docs/counting.md says it layer by layer.
"""

from __future__ import annotations

from math import gcd, prod
from typing import TYPE_CHECKING

from archdsl.layers.tensor import product

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.layers.geometry import TransposedWindow, Window
    from archdsl.layers.tensor import Size, Tensor

SIGMOID = 4
"""1 / (1 + exp(-x)): a change of sign, a function, an addition, a division."""


def sums(results: int, terms: int, bias: bool = False) -> int:
    """Sums of that many products each: a sum of n has n - 1 additions, and with a bias n."""
    return results * (2 * terms - 1 + bias)


def softmax(rows: int, length: int) -> int:
    """The greatest value (n - 1), differences from it (n), exponentials (n), their sum (n - 1), divisions (n)."""
    return rows * (5 * length - 2)


def log_softmax(rows: int, length: int) -> int:
    """As a softmax, with the logarithm of the sum (1) and differences from it (n) in place of divisions."""
    return rows * (5 * length - 1)


def standardized(groups: int, length: int) -> int:
    """Values of mean 0 and variance 1 in each group.

    The mean (n), differences from it (n), their mean square (2n), eps, a root and a reciprocal (3), products (n).
    """
    return groups * (5 * length + 3)


def root_mean_square(groups: int, length: int) -> int:
    """Values divided by their root mean square: mean square (2n), eps, a root and a reciprocal (3), products (n)."""
    return groups * (3 * length + 3)


def unit_length(groups: int, length: int) -> int:
    """Values divided by their length: sum of squares (2n - 1), a root, the least length (1), divisions (n)."""
    return groups * (3 * length + 1)


def by_position(x: Tensor) -> tuple[int, int] | None:
    """The positions, and the channels of each; None where a size is open."""
    positions = product(x.space)
    return (positions, x.channels) if positions is not None and isinstance(x.channels, int) else None


def taps_inside(windows: Sequence[Window], space: Sequence[Size]) -> int | None:
    """How many values of a map all windows see together, the border left out; None where a size is open."""
    total = 1
    for window, size in zip(windows, space, strict=True):
        count = window.output(size)
        if not isinstance(size, int) or not isinstance(count, int):
            return None
        total *= _pairs(window.stride, count, window.dilation, window.kernel, window.before, size)
    return total


def taps_falling_inside(windows: Sequence[TransposedWindow], space: Sequence[Size]) -> int | None:
    """How many values of transposed windows fall on the result, what is cut off left out; None where a size is open."""
    total = 1
    for window, size in zip(windows, space, strict=True):
        result = window.output(size)
        if not isinstance(size, int) or not isinstance(result, int):
            return None
        total *= _pairs(window.stride, size, window.dilation, window.kernel, window.padding, result)
    return total


def parts_inside(space: Sequence[Size], target: Sequence[Size]) -> int | None:
    """How many values all windows see together that cut a map into parts: one on a border is in both."""
    sizes = [
        size + parts - gcd(size, parts)
        for size, parts in zip(space, target, strict=True)
        if isinstance(size, int) and isinstance(parts, int)
    ]
    return prod(sizes) if len(sizes) == len(space) else None


def _pairs(step: int, count: int, dilation: int, kernel: int, before: int, size: int) -> int:
    """Pairs of a position i < count and a tap t < kernel with 0 <= step*i + dilation*t - before < size."""
    return _below(before + size - 1, step, count, dilation, kernel) - _below(before - 1, step, count, dilation, kernel)


def _below(most: int, a: int, i_count: int, b: int, j_count: int) -> int:
    """Pairs i < i_count, j < j_count with a*i + b*j <= most, however many there are."""
    if most < 0:
        return 0
    whole = min(max((most - a * (i_count - 1)) // b + 1, 0), j_count)  # so many j go with every i
    some = min(most // b + 1, j_count)  # and so many with at least one
    rest = some - whole
    return i_count * whole + rest + _floor_sum(rest, a, b, most - b * (some - 1))


def _floor_sum(n: int, m: int, a: int, b: int) -> int:
    """The sum of floor((a*i + b) / m) for i < n, by Euclid's algorithm."""
    total = 0
    while n > 0:
        total += a // m * n * (n - 1) // 2 + b // m * n
        a, b = a % m, b % m
        top = a * n + b
        if top < m:
            break
        n, b, m, a = top // m, top % m, a, m
    return total
