"""Many changed texts through the pipeline, without atheris: what CI runs, and `python -m tests.fuzz --plain`."""

from __future__ import annotations

import resource
import time
from collections import Counter
from random import Random
from typing import NamedTuple

from .corpus import texts
from .mutate import mutated, scrambled
from .pipeline import examine, small_limits

SECONDS, MEGABYTES = 10.0, 1024
"""What one text may take, of a processor's time."""


class Found(NamedTuple):
    """A text that fails, with the number that makes it again and how it fails."""

    seed: str
    text: str
    problem: str
    place: str
    """What tells one failure from another: its kind, and the line that raises."""


class Swept(NamedTuple):
    stages: Counter[str]
    found: list[Found]
    slowest: tuple[float, str]
    """The seconds that a text took, and its seed."""
    megabytes: int
    """The most memory that the process had."""


def text_of(seed: str, kind: str, others: list[str]) -> str:
    """The text that a seed makes: a scrambled one, or a spec with a few changes."""
    random = Random(seed)
    text = random.choice(others)
    return scrambled(text, random, others) if kind == "bytes" else mutated(text, random, others)


def sweep(seed: int, kind: str, first: int, last: int) -> Swept:
    """Examines the texts of a seed from a number up to another."""
    others = texts()
    stages: Counter[str] = Counter()
    found: dict[str, Found] = {}
    slowest = (0.0, "")
    with small_limits():
        for number in range(first, last):
            name = f"{seed}/{kind}/{number}"
            text = text_of(name, kind, others)
            began = time.process_time()
            try:
                stages[examine(text)] += 1
            except Exception as problem:  # noqa: BLE001  # whatever it is, it is what is looked for
                stages["failed"] += 1
                place = _place(problem)
                found.setdefault(place, Found(name, text, f"{type(problem).__name__}: {problem}", place))
            slowest = max(slowest, (time.process_time() - began, name))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    return Swept(stages, list(found.values()), slowest, peak)


def _place(problem: BaseException) -> str:
    trace = problem.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{type(problem).__name__} {trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "nowhere"
