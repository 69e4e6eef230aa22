"""Functions of a size in words and formulas: `floor((H - 31)/32)`, `multiples of 16`."""

from __future__ import annotations

from fractions import Fraction
from math import lcm
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.analyses.laws import Law

_LISTED = 6
"""So many sizes are listed one by one."""


def formula(law: Law, accepted: Law, letter: str) -> str | None:
    """A function on the accepted sizes, as short as it can be written; None where no such formula is known.

    Where only multiples are accepted, nothing is rounded: `H/16`.
    """
    period = lcm(law.period, accepted.period)
    start = max(law.start, accepted.start)
    known = [(n, value) for n in range(1, start + 2 * period) if accepted(n) == 0 and (value := law(n)) is not None]
    tail = [(n, value) for n, value in known if n >= start] or known
    if not tail:
        return None
    for points in (known, tail):  # the first sizes may be the only ones that the formula is wrong for
        found = _linear(points, letter) or _rounded(points, law.advance, law.period, letter)
        if found is not None:
            return found
    return None


def _linear(points: Sequence[tuple[int, int]], letter: str) -> str | None:
    """`H/16`, `2*H - 4`, `(H - 12)/16`."""
    (n, value), last = points[0], points[-1]
    if n == last[0]:
        return str(value)
    slope = Fraction(last[1] - value, last[0] - n)
    if any(slope * (m - n) != other - value for m, other in points):
        return None
    if slope == 0:
        return str(value)
    rest = (value - slope * n) * slope.denominator
    times = letter if slope.numerator == 1 else f"{slope.numerator}*{letter}"
    if slope.denominator == 1:
        return _plus(times, int(rest))
    if rest % slope.denominator == 0:
        return _plus(f"{times}/{slope.denominator}", int(rest) // slope.denominator)
    return f"({_plus(times, int(rest))})/{slope.denominator}"


def _rounded(points: Sequence[tuple[int, int]], advance: int, period: int, letter: str) -> str | None:
    """`floor(H/2)`, `ceil(H/32)`, `floor((H - 31)/32)`, `2*floor(H/4) + 1`."""
    for times in (t for t in range(1, advance + 1) if advance % t == 0):
        slope = Fraction(advance // times, period)
        above, below = slope.numerator, slope.denominator
        rest = points[0][1] % times
        if any((value - rest) % times for _, value in points):
            continue
        least = max(below * ((value - rest) // times) - above * n for n, value in points)
        most = min(below * ((value - rest) // times) - above * n + below - 1 for n, value in points)
        if least > most:
            continue
        inside = letter if above == 1 else f"{above}*{letter}"
        by = min(max(0, least), most)
        if by == 0:
            text = f"floor({inside}/{below})"
        elif least <= below - 1 <= most:
            text = f"ceil({inside}/{below})"
        else:
            text = f"floor(({_plus(inside, by)})/{below})"
        return _plus(text if times == 1 else f"{times}*{text}", rest)
    return None


def _plus(text: str, number: int) -> str:
    return text if number == 0 else f"{text} {'+' if number > 0 else '-'} {abs(number)}"


# ---------------------------------------------------------------- sets of sizes


def described(accepted: Law) -> str:
    """A set of sizes in words: 0 for those in it, None for the others."""
    before = [n for n in range(1, accepted.start) if accepted(n) == 0]
    rests = [n for n in range(accepted.start, accepted.start + accepted.period) if accepted(n) == 0]
    if not rests:
        return f"only {_ranges(before)}" if before else "no size"
    period = accepted.period
    if len(rests) == period:
        text = "every size" if accepted.start == 1 else f"every size from {accepted.start}"
        return f"{text}, and {_ranges(before)}" if before else text
    first, own = _first(accepted, rests)
    if len(rests) == 1:
        rest = first % period
        text = f"multiples of {period}" if rest == 0 else f"{period}*k + {rest}"
        text = "odd sizes" if (rest, period) == (1, 2) else "even sizes" if (rest, period) == (0, 2) else text
        text += "" if first == (rest or period) else f" from {first}"
    else:
        listed = sorted({n % period or period for n in rests})
        count = len(listed)
        turned = [n - period if n > period // 2 else n for n in listed]
        block = sorted(turned)
        if block[-1] - block[0] == count - 1:
            text = f"{_around(period, block[0])} to {_around(period, block[-1])}, from {first} on"
        elif listed[-1] - listed[0] == count - 1:
            text = f"{_around(period, listed[0])} to {_around(period, listed[-1])}, from {first} on"
        else:
            text = f"what leaves {_ranges([n % period for n in listed])} when divided by {period}, from {first} on"
    others = [n for n in before if n not in own]
    return f"{text}, and {_ranges(others)}" if others else text


def _first(accepted: Law, rests: Sequence[int]) -> tuple[int, set[int]]:
    """The least size that belongs to what repeats, and those of them before the law begins."""
    own: set[int] = set()
    remainders = {n % accepted.period for n in rests}
    at = accepted.start - 1
    while at >= 1 and (accepted(at) == 0) == (at % accepted.period in remainders):
        if accepted(at) == 0:
            own.add(at)
        at -= 1
    return min((*own, *rests)), own


def _around(period: int, number: int) -> str:
    return _plus(f"{period}*k", number)


def _ranges(numbers: Sequence[int]) -> str:
    """Sizes one by one, neighbours as ranges: 5, 7 to 12 and 30."""
    runs: list[list[int]] = []
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    parts = [str(a) if a == b else f"{a}, {b}" if b == a + 1 else f"{a} to {b}" for a, b in runs]
    if len(parts) > _LISTED:
        parts = [*parts[:_LISTED], f"{len(parts) - _LISTED} more"]
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
