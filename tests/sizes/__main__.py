"""`python -m tests.sizes --count 20000`: so many pairs of a random network and a size, against torch."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from random import SystemRandom

from .judge import run

CHUNK = 25


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sizes", description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="how many pairs of a network and a size")
    parser.add_argument("--seed", type=int, help="the seed; a fresh one if it is not given")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    seed = SystemRandom().randrange(10**6) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    counted: Counter[str] = Counter()
    wrong = 0
    start = time.time()
    first = 0
    with ProcessPoolExecutor(options.jobs) as pool:
        while counted["accepted"] + counted["refused"] < options.count:
            parts = [(first + CHUNK * job, first + CHUNK * (job + 1)) for job in range(4 * options.jobs)]
            first += CHUNK * len(parts)
            for counts, found in pool.map(run, *zip(*((seed, *part) for part in parts), strict=True)):
                counted += counts
                wrong += len(found)
                for each in found[:5]:
                    print(f"{each.seed}: {each.kind}: {each.details}\n{each.text}", flush=True)
            pairs = counted["accepted"] + counted["refused"]
            print(f"{pairs:,} pairs in {time.time() - start:,.0f} s", file=sys.stderr, flush=True)
    print(f"{first:,} networks: " + ", ".join(f"{count:,} {what}" for what, count in counted.most_common()))
    print(f"{wrong} wrong")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
