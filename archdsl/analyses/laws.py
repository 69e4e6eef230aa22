"""Sizes as functions of one size: exact, for every size at once.

What a chain of windows makes of a size is `floor((n + a)/b) + c`; what merges, up-samplings and patches make of it is
no such formula, but still repeats: from some size on, `period` more at the input are `advance` more here. So a function
is written out as far as that and goes on by the rule. A size for which there is nothing, since a layer cannot take it,
is None; what follows from it is None too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import gcd, lcm
from typing import NamedTuple

PERIOD = 4096
"""A function that repeats only after more sizes than this is given up."""
TABLE = 1 << 16
"""So is one that has to be written out farther."""


class UndecidedError(Exception):
    """The sizes cannot be decided by rules; the reason in words."""


class Law(NamedTuple):
    """A size (or None) for each size of an axis from 1 on.

    `values` are those of 1, 2, ... up to `start + period - 1`; behind them, `f(n + period) = f(n) + advance`.
    """

    start: int
    period: int
    advance: int
    values: tuple[int | None, ...]

    def __call__(self, n: int) -> int | None:
        if n < self.start:
            return self.values[n - 1]
        turns, rest = divmod(n - self.start, self.period)
        value = self.values[self.start - 1 + rest]
        return None if value is None else value + turns * self.advance

    @property
    def is_constant(self) -> bool:
        """Whether it is one number for all sizes."""
        return self.start == self.period == 1 and self.advance == 0

    @property
    def end(self) -> int:
        """The last size that is written out."""
        return self.start + self.period - 1


IDENTITY = Law(1, 1, 1, (1,))


def constant(value: int | None) -> Law:
    return Law(1, 1, 0, (value,))


def tabulated(function: Callable[[int], int | None], start: int, period: int, advance: int) -> Law:
    """The function whose rule is known to hold from `start` on, in its shortest form.

    Raises:
        UndecidedError: where it is too long to be written out.
    """
    if period > PERIOD or start + period > TABLE:
        raise UndecidedError(f"its sizes repeat only after more than {PERIOD:,} of the input's")
    return shortest(start, period, advance, [function(n) for n in range(1, start + period)])


def shortest(start: int, period: int, advance: int, values: Sequence[int | None]) -> Law:
    """The same function with the least period and the least start."""
    tail = values[start - 1 :]
    if all(value is None for value in tail):
        period, advance, tail = 1, 0, tail[:1]
    for part in range(1, period // 2 + 1):
        if period % part or advance * part % period:
            continue
        step = advance * part // period
        if all(_plus(a, step) == b for a, b in zip(tail, tail[part:], strict=False)):
            period, advance = part, step
            break
    values = values[: start + period - 1]
    while start > 1 and _plus(values[start - 2], advance) == values[start + period - 2]:
        start -= 1
    return Law(start, period, advance, tuple(values[: start + period - 1]))


def _plus(value: int | None, step: int) -> int | None:
    return None if value is None else value + step


def fitted(values: Sequence[int | None]) -> Law | None:
    """The rule that a function's second half of values follows, taken to hold for ever; None where there is none.

    At least two periods have followed it then.
    """
    half = len(values) // 2
    for period in range(1, half // 2 + 1):
        step = None
        for a, b in zip(values[half - period :], values[half:], strict=False):
            if a is None or b is None:
                if a is not b:
                    break
            elif step is None:
                step = b - a
            elif b - a != step:
                break
        else:
            return shortest(half - period + 1, period, step or 0, values)
    return None


def repeating(start: int, period: int, values: Sequence[int | None]) -> Law | None:
    """The function of these first values, if from `start` on they repeat with that period; None where they do not."""
    steps = set()
    for a, b in zip(values[start - 1 :], values[start - 1 + period :], strict=False):
        if (a is None) != (b is None):
            return None
        if a is not None and b is not None:
            steps.add(b - a)
    return shortest(start, period, max(steps, default=0), values) if len(steps) < 2 else None


def after(outer: Law, inner: Law) -> Law:
    """What `outer` makes of what `inner` makes of a size."""
    if outer == IDENTITY:
        return inner
    start, period, advance = inner.start, inner.period, 0
    if inner.advance:
        turns = outer.period // gcd(outer.period, inner.advance)
        period *= turns
        advance = outer.advance * (inner.advance * turns // outer.period)
        tail = [inner(inner.start + rest) for rest in range(inner.period)]
        late = [-((value - outer.start) // inner.advance) for value in tail if value is not None]
        start += inner.period * max(0, *late, 0)  # from here on, `outer` follows its rule
    return tabulated(lambda n: _of(outer, inner(n)), start, period, advance)


def _of(law: Law, size: int | None) -> int | None:
    return None if size is None else law(size)


def settled(laws: Sequence[Law], numbers: Sequence[int] = ()) -> tuple[int, int]:
    """From where on, and with what period, which of several sizes is greater does not change any more.

    `numbers` are constants with which they are compared as well.
    """
    period = lcm(*(law.period for law in laws))
    if period > PERIOD:
        raise UndecidedError(f"its sizes repeat only after more than {PERIOD:,} of the input's")
    start = max(law.start for law in laws)
    steps = [law.advance * (period // law.period) for law in laws] + [0] * len(numbers)
    pairs = [(i, j) for i in range(len(laws)) for j in range(i + 1, len(steps)) if steps[i] != steps[j]]
    latest = start
    for rest in range(period) if pairs else ():
        here = [law(start + rest) for law in laws] + list(numbers)
        for i, j in pairs:
            a, b, step = here[i], here[j], steps[i] - steps[j]
            if a is not None and b is not None and (a - b) * step <= 0:
                latest = max(latest, start + (abs(a - b) // abs(step) + 1) * period)
    return latest, period
