"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc

_MANY = 10_000
"""So many new objects are worth keeping from the collector."""
_ENOUGH = 2_000_000
"""Once so many have been kept from it, it goes through everything."""

_kept = 0


class paused:  # noqa: N801  # reads as a verb: `with paused():`
    """Collects no cycles meanwhile. Building a graph makes none, and looking for them over and over takes time that
    grows faster than the graph.
    """

    __slots__ = ("was_on",)

    def __enter__(self) -> None:
        self.was_on = gc.isenabled()
        gc.disable()

    def __exit__(self, *problem: object) -> None:
        if self.was_on:
            made = gc.get_count()[0]
            if made > _MANY and not gc.get_freeze_count():
                global _kept
                _kept += made
                gc.freeze()  # and at once back, among what is old: the collector would go through a large graph
                gc.unfreeze()  # three times in the next moments, for nothing
            gc.enable()


def make_room() -> None:
    """Before something new is begun: collects what earlier, large work has left behind, if it is much.

    What is made old as above would wait for long, since the collector does not count it.
    """
    global _kept
    if _kept > _ENOUGH and gc.isenabled():
        _kept = 0
        gc.collect()
