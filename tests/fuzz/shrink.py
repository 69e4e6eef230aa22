"""A failing text made smaller: lines, then pieces of lines, left out as long as it fails in the same way."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

from .corpus import FOUND
from .pipeline import examine, small_limits

SECONDS = 60
SLOW = 5.0
"""A text that takes so long counts as failing."""


def verdict(text: str, small: bool = True) -> str:
    """How a text fails: the kind of exception, or that it is slow; "" where it does not."""
    began = time.process_time()
    try:
        with small_limits() if small else nullcontext():
            examine(text)
    except Exception as problem:  # noqa: BLE001  # whatever it is, it is what is looked for
        return type(problem).__name__
    return "slow" if time.process_time() - began > SLOW else ""


def shrunk(text: str, fails: Callable[[str], bool], seconds: float = SECONDS) -> str:
    """The smallest text found in the time that still fails."""
    end = time.monotonic() + seconds
    for split in (lambda whole: whole.splitlines(keepends=True), list):
        parts = split(text)
        size = max(1, len(parts) // 2)
        while size and time.monotonic() < end:
            at = 0
            while at < len(parts) and time.monotonic() < end:
                fewer = parts[:at] + parts[at + size :]
                if fails("".join(fewer)):
                    parts = fewer
                else:
                    at += size
            size //= 2
        text = "".join(parts)
    return text


def kept_small(path: Path, small: bool = True) -> Path:
    """The same for a file."""
    return kept_small_text(path.read_bytes().decode("utf-8", "replace"), small)


def kept_small_text(text: str, small: bool = True) -> Path:
    """Makes a text smaller and keeps it where test_corpus.py runs it."""
    known = verdict(text, small)
    if known:
        text = shrunk(text, lambda tried: verdict(tried, small) == known)
    FOUND.mkdir(parents=True, exist_ok=True)
    kept = FOUND / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.arch"
    kept.write_text(text, encoding="utf-8")
    return kept
