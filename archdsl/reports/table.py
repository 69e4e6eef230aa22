"""The summary for a terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from archdsl.reports.numbers import NONE, clean, engineering, field, first_line, port, shapes, sizes, thousands
from archdsl.reports.rows import Row, footnotes, rows
from archdsl.reports.schema import Report

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding
    from rich.table import Table
    from rich.text import Text

_BAR_CELLS = 6
_WIDEST_SHAPE = 24
_WIDTH_FOR_BARS = 96
_WIDTH_FOR_FIELDS = 72
_EIGHTHS = " ▏▎▍▌▋▊▉█"


def render(report: Report, depth: int | None = None, width: int | None = None, color: bool = False) -> str:
    """The layers as a tree with shapes, receptive fields, parameters and MACs, then the totals.

    `width` is in columns, the terminal's own by default. Layer names are cut before any number is.
    """
    from rich.console import Console

    text = io.StringIO()
    console = Console(
        file=text,
        width=width or shutil.get_terminal_size((100, 24)).columns,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        _environ={},
    )
    shown = rows(report, depth)
    for part in (*_heading(report), _layers(report, shown, console.width), _totals(report), *_footnotes(report, shown)):
        console.print(part)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines()) + "\n"


def _heading(report: Report) -> Iterator[Padding]:
    from rich.text import Text

    yield _indented(Text.assemble((clean(report.network), "bold"), ("  " + clean(report.file), "dim")))
    if doc := first_line(report.doc):
        yield _indented(Text(doc, "italic"))
    inputs, outputs = (", ".join(map(port, ends)) for ends in (report.inputs, report.outputs))
    yield _indented(Text.assemble((inputs, "green"), (" -> ", "dim"), (outputs, "green")))
    yield _indented(Text())


def _indented(content: RenderableType) -> Padding:
    from rich.padding import Padding

    return Padding(content, (0, 1))


def _layers(report: Report, shown: Sequence[Row], width: int) -> Table:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    leaves = [row for row in shown if not row.opened]
    macs = [row.macs for row in leaves]
    all_macs = None if None in macs else sum(filter(None, macs))
    bars, fields = width >= _WIDTH_FOR_BARS, width >= _WIDTH_FOR_FIELDS
    table = Table(
        box=box.SIMPLE, show_edge=False, show_footer=True, border_style="dim", header_style="bold", footer_style="bold"
    )
    # The only column that may shrink: its cells do not wrap either, so that a long name ends in an ellipsis.
    table.add_column("Layer", f"{len(report.layers)} layers", min_width=10)
    table.add_column("Output", no_wrap=True, justify="right", overflow="ellipsis", max_width=_WIDEST_SHAPE)
    if fields:
        table.add_column("Field", no_wrap=True, justify="right")
    for title, total in (
        ("Parameters", thousands(sum(row.parameters for row in leaves))),
        ("MACs", engineering(all_macs)),
    ):
        table.add_column(title, total, no_wrap=True, justify="right")
        if bars:
            table.add_column("", no_wrap=True, width=_BAR_CELLS)
    for row, guide in zip(shown, _guides(shown), strict=True):
        cells = [_name(row, guide), Text(shapes(row.output, row.outputs))]
        if fields:
            cells.append(Text(field(row.field, row.everywhere)))
        for number, share, hue in (
            (thousands(row.parameters), row.parameter_share, "cyan"),
            (engineering(row.macs), row.mac_share, "magenta"),
        ):
            cells.append(Text(number, style="dim" if row.opened or number == NONE else ""))
            if bars:
                cells.append(Text("" if row.opened else _bar(share), style=hue))
        table.add_row(*cells)
    return table


def _name(row: Row, guide: str) -> Text:
    from rich.text import Text

    name = Text(guide, style="dim", no_wrap=True, overflow="ellipsis")
    name.append(row.label, style="not dim bold" if row.module else "not dim")
    for words, style in ((row.text, "dim"), (row.remark, "not dim yellow")):
        if words:
            name.append("  " + words, style=style)
    return name


def _guides(shown: Sequence[Row]) -> list[str]:
    """The lines of the tree before each row: `│  └─ `."""
    guides = []
    follows: list[bool] = []  # for each depth, whether a later row stands there, under the same module
    for row in reversed(shown):
        del follows[row.depth + 1 :]
        follows += [False] * (row.depth + 1 - len(follows))
        stems = "".join("│  " if more else "   " for more in follows[1 : row.depth])
        guides.append(stems + ("├─ " if follows[row.depth] else "└─ ") if row.depth else "")
        follows[row.depth] = True
    return guides[::-1]


def _bar(share: float | None) -> str:
    """The share of the whole in eighths of a cell; whatever is there at all is seen."""
    if not share:
        return ""
    full, rest = divmod(max(1, round(share * _BAR_CELLS * 8)), 8)
    return "█" * full + _EIGHTHS[rest].strip()


def _totals(report: Report) -> Padding:
    from rich.table import Table
    from rich.text import Text

    totals = report.totals
    trainable = "all" if totals.trainable == totals.parameters else thousands(totals.trainable)
    samples = f" for {report.batch} samples" if report.batch != 1 else ""
    table = Table.grid(padding=(0, 2, 0, 0))
    for left, right in (
        (("Trainable", trainable), ("FLOPs", engineering(totals.flops) + samples)),
        (("Buffers", thousands(totals.buffers)), ("Size", " · ".join(sizes(totals)))),
    ):
        table.add_row(Text(left[0], "dim"), Text(left[1]), Text(right[0], "dim"), Text(right[1]))
    return _indented(table)


def _footnotes(report: Report, shown: Sequence[Row]) -> Iterator[Padding]:
    from rich.text import Text

    yield _indented(Text())
    for note in footnotes(report, shown):
        yield _indented(Text(note, "dim"))
