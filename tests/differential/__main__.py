"""`python -m tests.differential --count 100000`: as many random networks, on all cores; what is found is kept."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from random import Random, SystemRandom
from typing import NamedTuple

from archdsl.source import Source
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree

from .compare import judge
from .generate import generate
from .shrink import shrink

REGRESSIONS = Path(__file__).resolve().parents[1] / "regressions" / "differential"
CHUNK = 50
ENDED = "ended"
DEEP = 4
"""Of so many networks one is compared in its multiply-accumulates and receptive fields as well."""


class Found(NamedTuple):
    """A disagreement, with the number that made the network and its text."""

    seed: str
    kind: str
    details: str
    text: str


def run(seed: int, first: int, last: int) -> tuple[Counter[str], list[Found]]:
    """Judges the networks of a seed from a number up to another."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    counted: Counter[str] = Counter()
    found = []
    for number in range(first, last):
        random = Random(f"{seed}/{number}")
        text = print_tree(generate(random))
        verdict = judge(text, random, deep=number % DEEP == 0)
        counted[{True: "accepted", False: "refused", None: "too large"}[verdict.accepted]] += 1
        if verdict.disagreement is not None:
            found.append(Found(f"{seed}/{number}", *verdict.disagreement, text))
    return counted, found


Run = Callable[[int, int, int], tuple[Counter[str], list[Found]]]


def outcomes(
    seed: int, chunks: Iterable[tuple[int, int]], jobs: int, run: Run = run
) -> Iterator[tuple[Counter[str], list[Found]]]:
    """What the networks of each chunk come to, in no order; torch may end a process, and that is found as well."""
    waiting = list(chunks)
    while waiting:
        unknown = []
        with ProcessPoolExecutor(jobs) as pool:
            running = {pool.submit(run, seed, *chunk): chunk for chunk in waiting}
            for future in as_completed(running):
                if isinstance(future.exception(), BrokenProcessPool):  # all that are left; one of the first did it
                    unknown.append(running[future])
                else:
                    yield future.result()
        unknown.sort()
        for chunk in unknown[: 3 * jobs]:
            yield from _apart(seed, *chunk, run)
        waiting = unknown[3 * jobs :]


def _apart(seed: int, first: int, last: int, run: Run) -> Iterator[tuple[Counter[str], list[Found]]]:
    """The same for some networks in a process of their own, and where that ends, for each half of them."""
    with ProcessPoolExecutor(1) as pool:
        future = pool.submit(run, seed, first, last)
    if not isinstance(future.exception(), BrokenProcessPool):
        yield future.result()
    elif last - first == 1:
        name = f"{seed}/{first}"
        yield Counter({ENDED: 1}), [Found(name, ENDED, "torch ends the process", print_tree(generate(Random(name))))]
    else:
        middle = (first + last) // 2
        yield from _apart(seed, first, middle, run)
        yield from _apart(seed, middle, last, run)


def small(found: Found) -> str:
    """The text of the smallest spec that shows the same."""
    if found.kind == ENDED:
        return found.text

    def still(text: str) -> bool:
        again = judge(text).disagreement
        return again is not None and again.kind == found.kind

    return shrink(parse(Source("main.arch", found.text)).file, still) if still(found.text) else found.text


def keep(found: Found, text: str, folder: Path) -> Path:
    """Writes a spec to where the tests read it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{found.kind}-{hashlib.sha256(text.encode()).hexdigest()[:8]}.arch"
    path.write_text(f"# {found.kind}: {found.details[:200]}\n".replace("\n", " ").rstrip() + "\n" + text, "utf-8")
    return path


def _chunks(count: int) -> Iterator[tuple[int, int]]:
    for first in range(0, count, CHUNK):
        yield first, min(first + CHUNK, count)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.differential", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="how many networks")
    parser.add_argument("--seed", type=int, help="the seed; a fresh one if it is not given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    counted: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    start = time.time()
    for number, (counts, found) in enumerate(outcomes(seed, _chunks(options.count), options.jobs), 1):
        counted += counts
        for one in found:
            kinds[one.kind] += 1
            if kinds[one.kind] <= 10:
                path = keep(one, small(one), REGRESSIONS)
                print(f"{one.seed}: {one.kind}: {one.details}\n  kept as {path.name}", flush=True)
        if number % 20 == 0 or sum(counted.values()) == options.count:
            done = sum(counted.values())
            print(f"{done:,} networks in {time.time() - start:,.0f} s", file=sys.stderr, flush=True)
    print(", ".join(f"{count:,} {what}" for what, count in counted.most_common()))
    print(f"{sum(kinds.values())} disagreements", *(f"{kind} {count}" for kind, count in kinds.items()))
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
