"""How much work something is, is counted the same whatever else the process has done."""

from __future__ import annotations

from tests.work import calls


class Left:
    """In a cycle with itself, so that the collector has to find it."""

    def __init__(self) -> None:
        self.itself = self

    def __del__(self) -> None:
        len("called when it is found")


def make() -> list[tuple[int, int]]:
    """Enough for the collector to look around."""
    return [(number, number + 1) for number in range(50_000)]


def test_what_the_collector_finds_is_not_counted() -> None:
    alone = calls(make)
    for _ in range(5_000):
        Left()
    assert calls(make) == alone
