"""What the benchmarks share: a row of the table, paired timings, and processes of their own."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Literal, NamedTuple

ROOT = Path(__file__).resolve().parents[1]

_RESAMPLES = 2000

Unit = Literal["s", "MiB", "calls", "operators", "exponent"]


@dataclass(frozen=True, slots=True)
class Bar:
    """What a ratio (or, where there is no peer, our number) is held to; it is shown, never asserted."""

    side: Literal["least", "most"]
    value: float

    def met(self, number: float) -> bool:
        return number >= self.value if self.side == "least" else number <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.side == 'least' else '≤'} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison. `ratio` is theirs over ours where `times_faster`, else ours over theirs."""

    case: str
    ours: float | None
    unit: Unit
    peer: str = ""
    theirs: float | None = None
    times_faster: bool = False
    ratio: float | None = None
    interval: tuple[float, float] | None = None
    bar: Bar | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the bar is met; None where there is no bar or no number, or the interval has ends on both sides."""
        number = self.ours if self.ratio is None else self.ratio
        if self.bar is not None and self.interval is not None and len(set(map(self.bar.met, self.interval))) > 1:
            return None
        return None if self.bar is None or number is None else self.bar.met(number)


class Pairs(NamedTuple):
    """Seconds of two things, timed in turns: `ours[i]` and `theirs[i]` stood side by side."""

    ours: list[float]
    theirs: list[float]

    def row(self, case: str, peer: str, times_faster: bool = False, bar: Bar | None = None, note: str = "") -> Row:
        """The median of the paired ratios, with a 95 % bootstrap interval."""
        both = list(zip(self.ours, self.theirs, strict=True))
        ratios = [b / a if times_faster else a / b for a, b in both]
        ours, theirs = statistics.median(self.ours), statistics.median(self.theirs)
        ratio = statistics.median(ratios)
        best = min(self.theirs) / min(self.ours) if times_faster else min(self.ours) / min(self.theirs)
        shown = f"best against best {best:.3g}x" if times_faster else f"best against best {best:.3f}"
        note = ", ".join(filter(None, [note, shown, f"{len(ratios)} pairs"]))
        return Row(case, ours, "s", peer, theirs, times_faster, ratio, bootstrap(ratios), bar, note)


def bootstrap(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % interval of the median, by resampling."""
    random = Random(0)
    medians = sorted(statistics.median(random.choices(values, k=len(values))) for _ in range(_RESAMPLES))
    return medians[_RESAMPLES // 40], medians[-_RESAMPLES // 40]


def in_turns(
    ours: Callable[[], object],
    theirs: Callable[[], object],
    seconds: float,
    *,
    least: int = 5,
    clock: Callable[[], float] = time.perf_counter,
    inner: int = 1,
    settle: float = 0.0,
) -> Pairs:
    """Times both in the order A B B A, until the time is up and at least `least` such rounds are done.

    A round is one pair: what drifts over it (clock rates, other people's jobs) falls on both alike. `inner` calls are
    timed together, for what is too short for the clock. `settle` is for how many seconds each runs untimed when its
    turn comes: what the other leaves behind (threads that still spin, full caches) is no part of a short call.
    """

    def turn(do: Callable[[], object], times: int) -> float:
        start = time.perf_counter()
        while time.perf_counter() - start < settle:
            do()
        return sum(timed(do, clock, inner) for _ in range(times)) / times

    pairs = Pairs([], [])
    end = time.perf_counter() + seconds
    while len(pairs.ours) < least or time.perf_counter() < end:
        before, meanwhile, after = turn(ours, 1), turn(theirs, 2), turn(ours, 1)
        pairs.ours.append((before + after) / 2)
        pairs.theirs.append(meanwhile)
    return pairs


def timed(do: Callable[[], object], clock: Callable[[], float] = time.perf_counter, inner: int = 1) -> float:
    """Seconds of one call."""
    start = clock()
    for _ in range(inner):
        do()
    return (clock() - start) / inner


class Ended(NamedTuple):
    """A process that has ended: wall-clock seconds, CPU seconds (all its threads), and what it printed."""

    wall: float
    cpu: float
    output: str


class ChildError(RuntimeError):
    """A process that failed, with the last line of what it said."""


def child(*arguments: str) -> Ended:
    """Runs Python in a fresh process, in the root of the checkout.

    Raises:
        ChildError: where it fails.
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", "PYTHONWARNINGS": "ignore"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # what is installed is compiled
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise ChildError(said[-1] if said else f"exit code {done.returncode}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Ended(wall, cpu, done.stdout)
