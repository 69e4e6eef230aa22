"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc


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
            gc.enable()
