"""How time and memory grow with the number of layers, each size in a process of its own.

`python -m benchmarks.growth FORM LAYERS` is such a process: it prints its measurements as JSON. With `--profile` it
prints where the time goes instead.
"""

from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Mapping
from math import log
from pathlib import Path
from typing import Any

from benchmarks.measure import Bar, ChildError, Row, child

SIZES = (100, 1_000, 10_000, 100_000)
PHASES = ("parse", "elaborate", "analyse", "report")
SOURCE_UP_TO = 10_000
"""The largest network whose Python source is written as well."""

_LINEAR = Bar("most", 1.1)


def flat(n: int) -> str:
    """A layer a line."""
    return _net("  conv 8 k3 p1\n  relu\n" * (n // 2))


def distinct(n: int) -> str:
    """A layer a line, and no two convolutions alike."""
    return _net("".join(f"  conv {8 + i} k3 p1\n  relu\n" for i in range(n // 2)))


def repeats(n: int) -> str:
    """Repeats of blocks of repeats, ten times ten times ten."""
    text, block, size = "block b1 { (conv 8 k3 p1 -> relu) x5 }\n", 1, 10
    while size * 10 <= n:
        text += f"block b{block + 1} {{ b{block} x10 }}\n"
        block, size = block + 1, size * 10
    return text + _net(f"  b{block} x{n // size}\n")


def one_repeat(n: int) -> str:
    """One pair of layers, repeated."""
    return _net(f"  (conv 8 k3 p1 -> relu) x{n // 2}\n")


def branches(n: int) -> str:
    """One group of branches, merged."""
    return _net("  ( " + "\n  | ".join(["conv 8 k1"] * (n - 1)) + "\n  ) -> add\n")


def residuals(n: int) -> str:
    """Residual blocks in a row."""
    block = "block unit { ( conv 8 k3 p1 -> relu -> conv 8 k3 p1 | id ) -> add -> relu }\n"
    return block + _net(f"  unit x{n // 5}\n")


def dense(n: int) -> str:
    """Named values, each used again by the next line."""
    lines = "".join(f"  add e{i} -> conv 8 k1 as e{i + 1}\n" for i in range(1, n // 2))
    return _net("  conv 8 k1\n  conv 8 k1 as e1\n" + lines)


def table(n: int) -> str:
    """A loop over a table, a row for two layers."""
    lines = "".join(f"    [{8 + 8 * (i % 2)}, 3],\n" for i in range(n // 2))
    return _net(f"  for c, k in [\n{lines}  ] {{ conv c k=k p1 -> relu }}\n")


FORMS: dict[str, Callable[[int], str]] = {
    "flat": flat,
    "distinct": distinct,
    "repeats": repeats,
    "one_repeat": one_repeat,
    "branches": branches,
    "residuals": residuals,
    "dense": dense,
    "table": table,
}


def _net(body: str) -> str:
    return f"net grown {{\n  input 8x32x32\n{body}}}\n"


# ---------------------------------------------------------------- the process


def measure(form: str, n: int) -> dict[str, float]:
    """CPU seconds of each phase and of all, the best of several where they are short; the growth of memory in MiB."""
    from archdsl import project

    once(FORMS[form](10))
    _network(project.open_source(_source(FORMS[form](10)))).source()  # for its imports
    text = FORMS[form](n)
    before = _peak()
    best: dict[str, float] = {}
    runs = 0
    spent = 0.0
    memory = 0.0
    while runs < 9 and (runs == 0 or spent < 1.0):
        phases = once(text)
        memory = memory or _peak() - before
        best = {name: min(best.get(name, seconds), seconds) for name, seconds in phases.items()}
        spent += phases["all"]
        runs += 1
    best["memory"] = memory
    if n <= SOURCE_UP_TO:
        network = _network(project.open_source(_source(text)))
        network.report()
        start = time.process_time()
        network.source()
        best["source"] = time.process_time() - start
    return best


def once(text: str) -> dict[str, float]:
    from archdsl import project
    from archdsl.layers.applied import MEMORY

    MEMORY.clear()  # the large networks are worked out once: nothing is remembered for the small ones either
    clock = time.process_time
    marks = [clock()]
    module = project.open_source(_source(text))
    marks.append(clock())
    network = _network(module)
    _ = network.elaboration
    marks.append(clock())
    if not network.ok:
        raise ValueError(str(network.diagnostics[0]))
    _ = network.fields, network.totals
    marks.append(clock())
    network.report()
    marks.append(clock())
    phases = {name: marks[i + 1] - marks[i] for i, name in enumerate(PHASES)}
    return {**phases, "all": marks[-1] - marks[0]}


def _source(text: str) -> Any:
    from archdsl.source import Source

    return Source("grown.arch", text)


def _network(module: Any) -> Any:
    from archdsl.layers.catalog import STANDARD
    from archdsl.network import Network

    return Network(module, "grown", STANDARD)


def _peak() -> float:
    """The most memory that this process has held, in MiB.

    Linux says it of this program alone; `ru_maxrss` also counts what the process held before it became this program.
    """
    status = Path("/proc/self/status")
    if status.exists():
        return int(re.search(r"VmHWM:\s+(\d+)", status.read_text())[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 2**20 if sys.platform == "darwin" else peak / 2**10


def profile(form: str, n: int) -> None:
    import cProfile
    import pstats

    from archdsl import project

    text = FORMS[form](n)
    network = _network(project.open_source(_source(text)))
    network.report()
    with cProfile.Profile() as profiler:
        once(text)
        if n <= SOURCE_UP_TO:
            network.source()
    pstats.Stats(profiler).sort_stats("tottime").print_stats(20)


# ---------------------------------------------------------------- the rows


def rows(seconds: float) -> list[Row]:
    del seconds  # each size is measured as long as it takes
    return [row for form in FORMS for row in _rows_of(form)]


def _rows_of(form: str) -> list[Row]:
    measured: dict[int, dict[str, float]] = {}
    for n in SIZES:
        print(f"  {form}, {n:,} layers", file=sys.stderr, flush=True)
        try:
            measured[n] = json.loads(child("-m", "benchmarks.growth", form, str(n)).output)
        except ChildError as problem:
            return [Row(f"{form}, {n:,} layers", None, "s", bar=_LINEAR, note=f"failed: {problem}")]
    found = [_size_row(form, n, measured) for n in SIZES]
    for what, low, note in (
        ("all", SIZES[0], (FORMS[form].__doc__ or "").splitlines()[0]),
        ("memory", SIZES[1], f"from {SIZES[1]:,} up, where it stands out"),
        ("source", SIZES[0], f"up to {SOURCE_UP_TO:,}"),
    ):
        name = "time" if what == "all" else what
        found.append(
            Row(f"{form}: exponent of {name}", _slope(measured, what, low), "exponent", bar=_LINEAR, note=note)
        )
    for phase in PHASES:
        slope = _slope(measured, phase, SIZES[1])
        if slope > _LINEAR.value:
            note = f"from {SIZES[1]:,} up"
            found.append(Row(f"{form}: exponent of {phase} alone", slope, "exponent", bar=_LINEAR, note=note))
    return found


def _size_row(form: str, n: int, measured: Mapping[int, Mapping[str, float]]) -> Row:
    here, straight = measured[n], measured[SIZES[1]]["all"] * n / SIZES[1]
    note = ", ".join(f"{phase} {here[phase]:.3g}" for phase in PHASES) + f" s; {here['memory']:.1f} MiB"
    if "source" in here:
        note += f"; source {here['source']:.3g} s"
    ratio = here["all"] / straight
    peer = f"linear from {SIZES[1]:,}"
    return Row(f"{form}, {n:,} layers", here["all"], "s", peer, straight, ratio=ratio, note=note)


def _slope(measured: Mapping[int, Mapping[str, float]], what: str, low: int) -> float:
    """The exponent: the slope of the straight line through the logarithms."""
    points = [(log(n), log(max(m[what], 1e-6))) for n, m in measured.items() if what in m and n >= low]
    x0 = sum(x for x, _ in points) / len(points)
    y0 = sum(y for _, y in points) / len(points)
    return sum((x - x0) * (y - y0) for x, y in points) / sum((x - x0) ** 2 for x, _ in points)


if __name__ == "__main__":
    if "--profile" in sys.argv:
        profile(sys.argv[1], int(sys.argv[2]))
    else:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
