"""The summary for a terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from archdsl.reports.numbers import NONE, clean, engineering, field, first_line, port, shapes, sizes, thousands
from archdsl.reports.rows import Row, footnotes, rows
from archdsl.reports.schema import Report

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding
    from rich.text import Text

_BAR_CELLS = 6
_GAP = "   "
_NARROWEST_NAME = 10
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


class _Column(NamedTuple):
    """A column of the layers' table: its head, its foot, and its cells, which do not wrap."""

    title: str
    total: str
    cells: list[Text]
    is_left: bool = False
    width: int = 0
    """The width it has whatever stands in it; 0 for that of the widest cell."""


def _layers(report: Report, shown: Sequence[Row], width: int) -> Text:
    from rich.text import Text

    leaves = [row for row in shown if not row.opened]
    macs = [row.macs for row in leaves]
    all_macs = None if None in macs else sum(filter(None, macs))
    names = [_name(row, guide) for row, guide in zip(shown, _guides(shown), strict=True)]
    columns = [
        _Column("Layer", f"{len(report.layers)} layers", names, is_left=True),
        _Column("Output", "", [_cut(shapes(row.output, row.outputs), _WIDEST_SHAPE) for row in shown]),
    ]
    if width >= _WIDTH_FOR_FIELDS:
        columns.append(_Column("Field", "", [Text(field(row.field, row.everywhere)) for row in shown]))
    for title, total, hue, numbers, shares in (
        (
            "Parameters",
            thousands(sum(row.parameters for row in leaves)),
            "cyan",
            [thousands(row.parameters) for row in shown],
            [row.parameter_share for row in shown],
        ),
        (
            "MACs",
            engineering(all_macs),
            "magenta",
            [engineering(row.macs) for row in shown],
            [row.mac_share for row in shown],
        ),
    ):
        dim = ["dim" if row.opened or number == NONE else "" for row, number in zip(shown, numbers, strict=True)]
        columns.append(_Column(title, total, [Text(*cell) for cell in zip(numbers, dim, strict=True)]))
        if width >= _WIDTH_FOR_BARS:
            bars = ["" if row.opened else _bar(share) for row, share in zip(shown, shares, strict=True)]
            columns.append(_Column("", "", [Text(bar, hue) for bar in bars], is_left=True, width=_BAR_CELLS))
    return _laid_out(columns, width)


def _laid_out(columns: list[_Column], width: int) -> Text:
    """The columns beside each other, with a head and a foot; the first gives way where there is not enough room."""
    from rich.text import Text

    widths = [
        column.width or max(len(column.title), len(column.total), *(cell.cell_len for cell in column.cells))
        for column in columns
    ]
    room = width - 2 - sum(widths[1:]) - len(_GAP) * len(widths[1:])
    widths[0] = max(_NARROWEST_NAME, min(widths[0], room))
    rule = Text("─" * min(width, sum(widths) + len(_GAP) * len(widths[1:]) + 2), "dim")

    def line(cells: Sequence[Text]) -> Text:
        whole = Text(" ", no_wrap=True, overflow="ellipsis")
        for number, (cell, wide, column) in enumerate(zip(cells, widths, columns, strict=True)):
            if cell.cell_len > wide:
                cell.truncate(wide, overflow="ellipsis")
            space = " " * (wide - cell.cell_len)
            whole.append((_GAP if number else "") + ("" if column.is_left else space))
            whole.append_text(cell)
            if column.is_left:
                whole.append(space)
        return whole

    head = line([Text(column.title, "bold") for column in columns])
    foot = line([Text(column.total, "bold") for column in columns])
    rows = map(line, zip(*(column.cells for column in columns), strict=True))
    return Text("\n", no_wrap=True, overflow="ellipsis").join([head, rule, *rows, rule, foot])


def _cut(text: str, width: int) -> Text:
    from rich.text import Text

    cell = Text(text)
    cell.truncate(width, overflow="ellipsis")
    return cell


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
