"""What became of the tensors of a checkpoint: a table for people, and JSON."""

from __future__ import annotations

import io
import json
import shutil
from typing import TYPE_CHECKING

from archdsl.reports.numbers import clean, shape

if TYPE_CHECKING:
    from archdsl.analyses.transfer import Plan

SCHEMA_VERSION = "1.0"

_SHOWN = 40
"""So many lines are listed for people."""


def render_json(plan: Plan) -> str:
    """All of it as data."""
    tensors = [
        {"what": row.what, "key": row.key, "shape": row.shape, "source": row.source, "source_shape": row.source_shape}
        for row in plan.rows
    ]
    unused = [{"key": key, "shape": sizes} for key, sizes in plan.unused]
    head = {"schema_version": SCHEMA_VERSION, "network": plan.network, "checkpoint": plan.checkpoint}
    return json.dumps({**head, "tensors": tensors, "unused": unused}, indent=2) + "\n"


def render(plan: Plan, width: int | None = None, color: bool = False) -> str:
    """The layers that are not kept under their own names, one by one, and what came of all tensors."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    found = _lines(plan)
    text = io.StringIO()
    console = Console(
        file=text, width=width or shutil.get_terminal_size((100, 24)).columns, force_terminal=color, no_color=not color,
        color_system="standard" if color else None, legacy_windows=False, highlight=False, _environ={},
    )  # fmt: skip
    if found:
        table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
        for title in ("", "tensor", "in the network", "in the checkpoint"):
            table.add_column(title, overflow="fold")
        for line in found[:_SHOWN]:
            table.add_row(*map(Text, line))
        console.print(table)
        if len(found) > _SHOWN:
            console.print(f"and {len(found) - _SHOWN:,} lines more; --format json has every tensor")
        console.print()
    counts = {what: plan.count(what) for what in ("kept", "adapted", "new")}
    counted = [f"{count:,} {what}" for what, count in counts.items() if count or what == "kept"]
    counted += [f"{len(plan.unused):,} of the checkpoint unused"] if plan.unused else []
    console.print(f"{clean(plan.checkpoint)} -> {clean(plan.network)}: {', '.join(counted)}", soft_wrap=True)
    return "\n".join(line.rstrip() for line in text.getvalue().split("\n"))


def _lines(plan: Plan) -> list[tuple[str, str, str, str]]:
    lines: list[tuple[str, str, str, str]] = []
    for row in plan.rows:
        here = shape(row.shape)
        there = "nothing" if row.source is None else shape(row.source_shape or ())
        if row.what == "kept" and row.source == row.key:
            continue
        named = there if row.source in (None, row.key) else f"{clean(row.source or '')} {there}"
        lines.append((row.what, clean(row.key), here, named))
    lines += [("unused", clean(key), "nothing", shape(sizes)) for key, sizes in plan.unused if not _is_named(plan, key)]
    return lines


def _is_named(plan: Plan, key: str) -> bool:
    """Whether a tensor of the checkpoint is told beside one of the network that it does not fit."""
    return any(row.source == key for row in plan.rows)
