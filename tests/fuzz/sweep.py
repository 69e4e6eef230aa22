"""Many changed texts through the pipeline, without atheris: what CI runs, and `python -m tests.fuzz --plain`."""

from __future__ import annotations

import resource
import signal
import time
from collections import Counter
from contextlib import nullcontext
from random import Random
from types import FrameType
from typing import NamedTuple

from .corpus import texts
from .mutate import enlarged, mutated, scrambled
from .pipeline import Examined, examine, small_limits

SECONDS, MEGABYTES = 10.0, 1024
"""What one text may take, of a processor's time and of memory."""

SLOWER = 4
"""How many times as long everything takes under atheris."""

ENDLESS = 60
"""After so many seconds a text is given up."""

LARGE, LARGE_MEGABYTES = 10_000, 200
"""The layers from which a network counts as large, and the memory from which a process examines no further text."""

ENLARGED = 1 / 1000
"""The share of texts that ask for much."""


class Found(NamedTuple):
    """A text that fails, with the number that makes it again and how it fails."""

    seed: str
    text: str
    problem: str
    place: str
    """What tells one failure from another: its kind, and the line that raises."""


class Swept(NamedTuple):
    stages: Counter[str]
    """How many texts came how far."""
    large: Counter[str]
    """The same of those with a large network."""
    found: list[Found]
    slowest: tuple[float, str]
    """The seconds that a text took, and its seed."""
    largest: tuple[int, str]
    """The most memory that the process had, in MiB, and the seed of the text at which it had."""
    next: int
    """The first text that was not examined, since the process had become large."""


def text_of(seed: str, kind: str, others: list[str]) -> str:
    """The text that a seed makes: a scrambled one, or a spec with a few changes."""
    random = Random(seed)
    text = random.choice(others)
    if random.random() < ENLARGED:
        return enlarged(mutated(text, random, others) if random.random() < 0.3 else text, random)
    return scrambled(text, random, others) if kind == "bytes" else mutated(text, random, others)


def sweep(seed: int, kind: str, first: int, last: int, small: bool = True, leave: bool = False) -> Swept:
    """Examines the texts of a seed from a number up to another; with `leave`, only until the process is large."""
    others = texts()
    stages: Counter[str] = Counter()
    large: Counter[str] = Counter()
    found: dict[str, Found] = {}
    slowest, largest = (0.0, ""), (megabytes(), "")
    at = first
    with small_limits() if small else nullcontext():
        while at < last and not (leave and largest[0] > LARGE_MEGABYTES):
            name = f"{seed}/{kind}/{at}"
            at += 1
            text = text_of(name, kind, others)
            began = time.process_time()
            examined, problem = attempt(text)
            took, peak = time.process_time() - began, megabytes()
            stages[examined.stage] += 1
            if examined.layers > LARGE:
                large[examined.stage] += 1
            if problem is not None:
                place = _place(problem)
                found.setdefault(place, Found(name, text, f"{type(problem).__name__}: {problem}", place))
            if took > SECONDS:
                found.setdefault("slow", Found(name, text, f"it takes {took:.1f} s", f"slow {name}"))
            if peak > MEGABYTES and peak > largest[0]:
                found.setdefault("large", Found(name, text, f"it takes {peak:,} MiB", f"large {name}"))
            slowest = max(slowest, (took, name))
            if peak > largest[0]:
                largest = (peak, name)
    return Swept(stages, large, list(found.values()), slowest, largest, at)


def attempt(text: str) -> tuple[Examined, Exception | None]:
    """A text examined, and what it raises."""
    signal.signal(signal.SIGPROF, _given_up)
    signal.setitimer(signal.ITIMER_PROF, ENDLESS)
    try:
        return examine(text), None
    except Exception as problem:  # noqa: BLE001  # whatever it is, it is what is looked for
        return Examined("failed", 0), problem
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _given_up(number: int, frame: FrameType | None) -> None:
    raise TimeoutError(f"given up after {ENDLESS} s")


def megabytes() -> int:
    """The most memory that this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def _place(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{type(problem).__name__} {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
