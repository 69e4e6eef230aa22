"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Collects no cycles meanwhile. Building a graph makes none, and looking for them over and over takes time that
    grows faster than the graph: nearly half of it at 50,000 layers.

    What was made counts as old afterwards, as if it had been looked through once: freezing and thawing moves it there
    at no cost. A program that has frozen objects of its own keeps them frozen, and pays for one look instead.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        if not gc.get_freeze_count():
            gc.freeze()
            gc.unfreeze()
        gc.enable()
