"""Functions of a size and their formulas, against the numbers themselves."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil, floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archdsl.analyses.formulas import described, formula
from archdsl.analyses.laws import IDENTITY, Law, UndecidedError, after, constant, fitted, repeating, settled, tabulated

FAR = 500


def law(start: int, period: int, advance: int, first: list[int | None]) -> Law:
    """A function by its first numbers, and how they go on."""

    def value(n: int) -> int | None:
        if n < start + period:
            return first[(n - 1) % len(first)]
        before = value(n - period)
        return None if before is None else before + advance

    return tabulated(value, start, period, advance)


numbers = st.lists(st.none() | st.integers(1, 40), min_size=1, max_size=20)
laws = st.builds(law, st.integers(1, 12), st.integers(1, 8), st.integers(0, 9), numbers)


def window(kernel: int, stride: int, padding: int) -> Callable[[int], int | None]:
    """The size behind a convolution, from torch's documentation; None where the window does not fit."""
    return lambda n: (n + 2 * padding - kernel) // stride + 1 if n + 2 * padding >= kernel else None


@given(st.lists(st.tuples(st.integers(1, 7), st.integers(1, 4), st.integers(0, 3)), min_size=1, max_size=5))
def test_a_chain_of_windows_is_what_it_is_step_by_step(chain: list[tuple[int, int, int]]) -> None:
    whole = IDENTITY
    steps = [window(*each) for each in chain]
    for step in steps:
        own = fitted([step(n) for n in range(1, 80)])
        assert own is not None
        whole = after(own, whole)
    for n in range(1, FAR):
        value: int | None = n
        for step in steps:
            value = None if value is None else step(value)
        assert whole(n) == value


@given(laws, laws)
def test_one_function_after_another(outer: Law, inner: Law) -> None:
    both = after(outer, inner)
    for n in range(1, FAR):
        between = inner(n)
        assert both(n) == (None if between is None else outer(between))


@given(laws)
def test_a_function_is_found_again_from_its_numbers(known: Law) -> None:
    values = [known(n) for n in range(1, 8 * known.end)]
    assert fitted(values) == known
    assert repeating(known.start, known.period, values) == known
    assert repeating(known.start + 3, 2 * known.period, values) == known


@given(laws, laws, st.integers(1, 30))
def test_which_is_greater_settles(a: Law, b: Law, number: int) -> None:
    start, period = settled((a, b), (number,))
    for n in range(start, start + period):
        later = [(a(n + turn * period), b(n + turn * period)) for turn in range(6)]
        pairs = [(x, y) for x, y in later if x is not None and y is not None]
        assert len({(x > y) - (x < y) for x, y in pairs}) <= 1
        assert len({(x > number) - (x < number) for x, _ in later if x is not None}) <= 1


def test_what_repeats_too_late_is_not_decided() -> None:
    with pytest.raises(UndecidedError):
        tabulated(lambda n: n, 1, 5000, 5000)
    assert fitted([n * n for n in range(1, 60)]) is None
    assert repeating(1, 4, [n * n for n in range(1, 60)]) is None


# ---------------------------------------------------------------- in words and formulas


def taken(start: int, period: int, rests: set[int], before: set[int] = frozenset()) -> Law:  # type: ignore[assignment]
    return tabulated(lambda n: 0 if n in before or (n >= start and n % period in rests) else None, start, period, 0)


@pytest.mark.parametrize(
    ("sizes", "text"),
    [
        (taken(1, 1, {0}), "every size"),
        (taken(32, 1, {0}), "every size from 32"),
        (taken(32, 1, {0}, {5, 7}), "every size from 32, and 5 and 7"),
        (taken(1, 16, {0}), "multiples of 16"),
        (taken(40, 16, {0}), "multiples of 16 from 48"),
        (taken(1, 2, {0}), "even sizes"),
        (taken(1, 2, {1}), "odd sizes"),
        (taken(9, 2, {1}), "odd sizes from 9"),
        (taken(188, 16, {12}), "16*k + 12 from 188"),
        (taken(1, 16, {0, 1}), "16*k to 16*k + 1, from 1 on"),
        (taken(1, 224, {0, 221, 222, 223}), "224*k - 3 to 224*k, from 221 on"),
        (taken(1, 8, {3, 4}), "8*k + 3 to 8*k + 4, from 3 on"),
        (taken(1, 9, {0, 2, 5}), "what leaves 0, 2 and 5 when divided by 9, from 2 on"),
        (taken(1, 1, set()), "no size"),
        (taken(300, 1, set(), {224}), "only 224"),
        (taken(300, 1, set(), {32, 33, 34, 35}), "only 32 to 35"),
        (taken(300, 1, set(), set(range(1, 40, 3))), "only 1, 4, 7, 10, 13, 16 and 7 more"),
    ],
)
def test_sizes_in_words(sizes: Law, text: str) -> None:
    assert described(sizes) == text


def evaluated(text: str, n: int) -> int:
    """A formula, worked out by Python."""
    value = eval(text, {"__builtins__": {}}, {"floor": floor, "ceil": ceil, "H": n})
    assert value == int(value)
    return int(value)


@given(st.integers(1, 9), st.integers(-40, 40), st.integers(1, 5), st.integers(0, 9))
def test_a_formula_gives_the_numbers(divisor: int, shift: int, times: int, rest: int) -> None:
    known = tabulated(lambda n: times * ((n + shift) // divisor) + rest + 100, 1, divisor, times)
    text = formula(known, taken(1, 1, {0}), "H")
    assert text is not None
    assert all(evaluated(text, n) == known(n) for n in range(1, FAR))


@given(laws, st.integers(1, 6))
def test_a_formula_holds_where_the_network_takes_the_size(known: Law, every: int) -> None:
    sizes = taken(known.start, every, {0})
    if (text := formula(known, sizes, "H")) is not None:
        points = [(n, value) for n in range(known.start, FAR) if sizes(n) == 0 and (value := known(n)) is not None]
        assert all(evaluated(text, n) == value for n, value in points)


@pytest.mark.parametrize(
    ("function", "period", "text"),
    [
        (lambda n: n // 2, 2, "floor(H/2)"),
        (lambda n: (n + 1) // 2, 2, "ceil(H/2)"),
        (lambda n: (n + 31) // 32, 32, "ceil(H/32)"),
        (lambda n: 3 * n - 2, 1, "3*H - 2"),
        (lambda n: 2 * (n // 4) + 1, 4, "2*floor(H/4) + 1"),
        (lambda n: (3 * n) // 2, 2, "floor(3*H/2)"),
        (lambda n: 7, 1, "7"),
    ],
)
def test_formulas_are_short(function: Callable[[int], int], period: int, text: str) -> None:
    step = function(1 + period) - function(1)
    assert formula(tabulated(function, 1, period, step), taken(1, 1, {0}), "H") == text


def test_where_only_multiples_are_taken_nothing_is_rounded() -> None:
    halved = tabulated(lambda n: n // 2, 1, 2, 1)
    assert formula(halved, taken(1, 16, {0}), "H") == "H/2"
    assert formula(halved, taken(1, 2, {1}), "H") == "(H - 1)/2"
    assert formula(halved, constant(None), "H") is None
