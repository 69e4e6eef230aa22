"""`python -m tests.differential --count 100000`: as many random networks, on all cores; what is found is kept."""

from __future__ import annotations

import argparse
import hashlib
import os
import sys
import time
import warnings
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
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


def small(found: Found) -> str:
    """The text of the smallest spec that shows the same."""

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
    with ProcessPoolExecutor(options.jobs) as pool:
        chunks = list(_chunks(options.count))
        results = pool.map(run, [seed] * len(chunks), *zip(*chunks, strict=True))
        for number, (counts, found) in enumerate(results, 1):
            counted += counts
            for one in found:
                kinds[one.kind] += 1
                if kinds[one.kind] <= 10:
                    path = keep(one, small(one), REGRESSIONS)
                    print(f"{one.seed}: {one.kind}: {one.details}\n  kept as {path.name}", flush=True)
            if number % 20 == 0 or number == len(chunks):
                done = sum(counted.values())
                print(f"{done:,} networks in {time.time() - start:,.0f} s", file=sys.stderr, flush=True)
    print(", ".join(f"{count:,} {what}" for what, count in counted.most_common()))
    print(f"{sum(kinds.values())} disagreements", *(f"{kind} {count}" for kind, count in kinds.items()))
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
