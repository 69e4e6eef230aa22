"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc


class paused:  # noqa: N801  # reads as a verb: `with paused():`
    """Collects no cycles meanwhile. Building a graph makes none, and looking for them over and over takes time that
    grows faster than the graph: nearly half of it at 50,000 layers.

    What was made counts as old afterwards, as if it had been looked through once: freezing and thawing moves it there
    at no cost. A program that has frozen objects of its own keeps them frozen, and pays for one look instead.
    """

    __slots__ = ("ours",)

    def __enter__(self) -> None:
        self.ours = gc.isenabled()
        gc.disable()

    def __exit__(self, *problem: object) -> None:
        if self.ours:
            if not gc.get_freeze_count():
                gc.freeze()
                gc.unfreeze()
            gc.enable()
