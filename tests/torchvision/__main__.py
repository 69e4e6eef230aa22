"""`python -m tests.torchvision`: proves every network that torchvision has as well, and prints what was proven.

`--write` keeps the table in docs/torchvision.md; with names, the rows of these networks alone.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))  # as the tests import what stands here, by its bare name

import detectors
import page
from proofs import ALL, COLUMNS, NAMES, Row, prove


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.torchvision", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="the networks; all if none is given")
    parser.add_argument("--write", action="store_true", help="keep the table in docs/torchvision.md")
    options = parser.parse_args()
    names = NAMES + detectors.NAMES
    if unknown := set(options.names) - set(names):
        parser.error(f"torchvision and the specs do not both have {', '.join(sorted(unknown))}")
    names = tuple(name for name in names if name in (options.names or names))
    torch.set_num_threads(1)  # equal bits need one thread
    width = max(map(len, (*names, COLUMNS[0])))
    print(_line((*COLUMNS, "seconds"), width), flush=True)
    rows: list[Row] = []
    started = time.time()
    for name in names:
        began = time.time()
        rows.append(detectors.prove(name) if name in detectors.NAMES else prove(name))
        gc.collect()
        print(_line((name, *rows[-1].cells, f"{time.time() - began:.1f}"), width), flush=True)
    failures = [failure for row in rows for failure in row.failures]
    print(*failures, sep="\n", end="\n" if failures else "")
    whole = len(ALL) + len(detectors.NAMES) if not options.names else len(names)
    print(f"{sum(not row.failures for row in rows)} of {whole} in {time.time() - started:,.0f} s")
    if options.write:
        page.write(rows)
    return 1 if failures else 0


def _line(cells: tuple[str, ...], width: int) -> str:
    first, *others = cells
    return f"{first:<{width}}" + "".join(f"{cell:>13}" for cell in others)


if __name__ == "__main__":
    sys.exit(main())
