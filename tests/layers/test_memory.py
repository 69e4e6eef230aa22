"""What a process remembers of layers from one network to the next."""

from __future__ import annotations

import archdsl
from archdsl.layers.applied import MEMORY, Memory

TEXT = "net n {{ input 3x16x16\n conv {c} k3 -> bn -> relu -> gap -> flatten -> fc 2 }}"


def test_a_second_network_works_out_only_what_is_new() -> None:
    MEMORY.clear()
    first = archdsl.parse(TEXT.format(c=8)).graph
    known = len(MEMORY.applied)
    again = archdsl.parse(TEXT.format(c=8)).graph
    assert len(MEMORY.applied) == known
    assert all(a is b for a, b in zip(first.applied[1:], again.applied[1:], strict=True))


def test_what_is_remembered_of_one_network_says_nothing_of_another() -> None:
    MEMORY.clear()
    for c in (8, 12, 8):
        report = archdsl.parse(TEXT.format(c=c)).report()
        assert report.totals.parameters == (3 * 9 * c + c) + 2 * c + (2 * c + 2)


def test_arguments_that_are_equal_in_python_but_not_in_the_language_are_kept_apart() -> None:
    MEMORY.clear()
    text = "net n {{ input 3x16x16\n conv 4 bias={bias} }}"
    assert archdsl.parse(text.format(bias="yes")).ok
    assert not archdsl.parse(text.format(bias="1")).ok
    assert archdsl.parse(text.format(bias="yes")).ok


def test_a_long_life_does_not_fill_the_machine() -> None:
    memory = Memory(10)
    memory.layers |= {(number,): None for number in range(6)}  # type: ignore[misc]
    memory.trim()
    assert memory.layers
    memory.applied |= {(number, ()): None for number in range(6)}  # type: ignore[misc]
    memory.trim()
    assert not memory.layers
    assert not memory.applied
