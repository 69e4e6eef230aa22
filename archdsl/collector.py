"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc

_MANY = 10_000
"""So many new objects are worth keeping from the collector."""


class paused:  # noqa: N801  # reads as a verb: `with paused():`
    """Collects no cycles meanwhile. Building a graph makes none, and looking for them over and over takes time that
    grows faster than the graph: nearly half of it at 50,000 layers.
    """

    __slots__ = ("was_on",)

    def __enter__(self) -> None:
        self.was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *problem: object) -> None:
        if self.was_on:
            if gc.get_count()[0] > _MANY and not gc.get_freeze_count():
                gc.freeze()  # and at once back, among what is old: the collector would go through a large graph
                gc.unfreeze()  # three times in the next moments, for nothing
            gc.enable()
