"""Python's garbage collector, out of the way where much is made and nothing is thrown away."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused() -> Iterator[None]:
    """Collects no cycles meanwhile. Building a graph makes none, and looking for them over and over takes time that
    grows faster than the graph: nearly half of it at 50,000 layers.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
