"""`python -m benchmarks [NAME...]`: runs the benchmarks and prints their tables. Never fails on a slow machine."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.machine import machine
from benchmarks.measure import Row

BENCHMARKS = ("cold", "report", "analysis", "peers", "growth", "build", "eager")
"""Each is a file here; its docstring says what it measures, and its `rows(seconds)` measures it."""

RESULTS = Path(__file__).with_name("RESULTS.md")


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    warnings.simplefilter("ignore")  # the peers' own
    facts = machine()
    results: dict[str, list[Row]] = {}
    about: dict[str, str] = {}
    for name in options.names or BENCHMARKS:
        module = import_module(f"benchmarks.{name}")
        about[name] = (module.__doc__ or "").strip().splitlines()[0]
        print(f"{name} ...", file=sys.stderr, flush=True)
        results[name] = module.rows(options.seconds)
        if not options.json:
            _print(name, about[name], results[name])
    if options.json:
        rows = {name: [{**asdict(row), "met": row.met} for row in found] for name, found in results.items()}
        print(json.dumps({"machine": facts, "benchmarks": rows}, indent=2))
    if options.write:
        from benchmarks.show import markdown

        RESULTS.write_text(markdown(facts, results, about), encoding="utf-8")
        print(f"wrote {RESULTS.name}", file=sys.stderr)
    return 0


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser("python -m benchmarks", description="How fast archdsl is, against its peers.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"{', '.join(BENCHMARKS)}; all without a name")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long each comparison runs (10)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help=f"write {RESULTS.name} as well")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; there are {', '.join(BENCHMARKS)}")
    return options


def _print(name: str, about: str, rows: list[Row]) -> None:
    from rich.console import Console

    from benchmarks.show import table

    console = Console() if sys.stdout.isatty() else Console(width=200)
    console.print(table(name, about, rows))


if __name__ == "__main__":
    sys.exit(main())
