"""Rows for people: a table for a terminal, and RESULTS.md."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.measure import Row

COLUMNS = ("case", "archdsl", "peer", "its number", "ratio", "95 %", "bar", "met", "note")


def cells(row: Row) -> tuple[str, ...]:
    """A row as text, in the order of `COLUMNS`."""
    return (
        row.case,
        number(row.ours, row.unit),
        row.peer,
        number(row.theirs, row.unit),
        ratio(row.ratio, row.times_faster),
        "" if row.interval is None else " - ".join(ratio(end, row.times_faster) for end in row.interval),
        "" if row.bar is None else f"{row.bar}{'x' if row.times_faster else ''}",
        {True: "yes", False: "NO", None: "" if row.bar is None else "?"}[row.met],
        row.note,
    )


def number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "s":
        return f"{value * 1e3:.3g} ms" if value < 1 else f"{value:.2f} s"
    return f"{value:.2f}" if unit == "exponent" else f"{value:,.0f} {unit}"


def ratio(value: float | None, times_faster: bool) -> str:
    if value is None:
        return ""
    if times_faster:
        return f"{value:.3g}x" if value < 100 else f"{value:.0f}x"
    return f"{value:.3f}"


def table(name: str, about: str, rows: Sequence[Row]) -> Any:
    """A table for a terminal."""
    from rich import box
    from rich.markup import escape
    from rich.table import Table

    made = Table(title=f"{name}: {about}", box=box.SIMPLE_HEAD, title_justify="left", title_style="bold")
    for column in COLUMNS:
        right = column in ("archdsl", "its number", "ratio", "95 %", "bar")
        made.add_column(column, justify="right" if right else "left", overflow="fold")
    for row in rows:
        style = {True: "green", False: "red", None: ""}[row.met]
        made.add_row(*(escape(cell) for cell in cells(row)), style=style)
    return made


def markdown(machine: Mapping[str, str], results: Mapping[str, Sequence[Row]], about: Mapping[str, str]) -> str:
    """RESULTS.md."""
    lines = [
        "# Results",
        "",
        "Written by `python -m benchmarks --write`; README.md says what each row is and how to read it.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {key} | {value} |" for key, value in machine.items()),
    ]
    for name, rows in results.items():
        lines += ["", f"## {name}", "", about[name], "", _line(COLUMNS), "|---|--:|---|--:|--:|--:|--:|---|---|"]
        lines += [_line(cells(row)) for row in rows]
    return "\n".join(lines) + "\n"


def _line(texts: Sequence[str]) -> str:
    return "| " + " | ".join(text.replace("|", "\\|") for text in texts) + " |"
