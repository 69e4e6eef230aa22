"""The summary for a terminal."""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from archdsl.reports.numbers import NONE, clean, engineering, field, first_line, port, shapes, sizes, thousands
from archdsl.reports.rows import Row, footnotes, rows
from archdsl.reports.schema import Report

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.padding import Padding

_BAR_CELLS = 6
_GAP = "   "
_NARROWEST_NAME = 10
_WIDEST_SHAPE = 24
_WIDTH_FOR_BARS = 96
_WIDTH_FOR_FIELDS = 72
_EIGHTHS = " ▏▎▍▌▋▊▉█"
_NARROW = frozenset(map(chr, range(32, 127))) | frozenset("│├└─" + _EIGHTHS)
"""Characters that surely take one column of a terminal; what others take is looked up."""


def render(report: Report, depth: int | None = None, width: int | None = None, color: bool = False) -> str:
    """The layers as a tree with shapes, receptive fields, parameters and MACs, then the totals.

    `width` is in columns, the terminal's own by default. Layer names are cut before any number is.
    """
    width = width or shutil.get_terminal_size((100, 24)).columns
    shown = rows(report, depth)
    lines = (
        *printed(heading(report), width, color),
        *_layers(report, shown, width, color),
        *printed((_totals(report), *_footnotes(report, shown)), width, color),
    )
    return "\n".join([line.rstrip() for line in lines]) + "\n"


def printed(parts: Iterable[Padding], width: int, color: bool) -> list[str]:
    """The lines that rich makes of what is not the table: it breaks them where they are too long."""
    from rich.console import Console

    text = io.StringIO()
    console = Console(
        file=text,
        width=width,
        force_terminal=color,
        color_system="standard" if color else None,
        no_color=not color,
        legacy_windows=False,
        highlight=False,
        _environ={},
    )
    for part in parts:
        console.print(part)
    return text.getvalue().splitlines()


def heading(report: Report) -> Iterator[Padding]:
    from rich.text import Text

    yield indented(Text.assemble((clean(report.network), "bold"), ("  " + clean(report.file), "dim")))
    if doc := first_line(report.doc):
        yield indented(Text(doc, "italic"))
    inputs, outputs = (", ".join(map(port, ends)) for ends in (report.inputs, report.outputs))
    yield indented(Text.assemble((inputs, "green"), (" -> ", "dim"), (outputs, "green")))
    yield indented(Text())


def indented(content: RenderableType) -> Padding:
    from rich.padding import Padding

    return Padding(content, (0, 1))


_BOLD, DIM, _YELLOW, _CYAN, _MAGENTA = "1", "2", "33", "36", "35"
"""What turns a style on in a terminal; plain text has none."""

_Piece = tuple[str, str]
"""A text and its style."""


class Column(NamedTuple):
    """A column beside the names: its head, its foot, and its cells with their styles, which do not wrap."""

    title: str
    total: str
    cells: list[str]
    styles: Sequence[str]
    is_left: bool = False
    width: int = 0
    """The width it has whatever stands in it; 0 for that of the widest cell."""


def _layers(report: Report, shown: Sequence[Row], width: int, color: bool) -> Iterator[str]:
    leaves = [row for row in shown if not row.opened]
    macs = [row.macs for row in leaves]
    all_macs = None if None in macs else sum(filter(None, macs))
    plain = [""] * len(shown)
    columns: list[Column] = []
    if width >= _WIDTH_FOR_FIELDS:
        columns.append(Column("Field", "", [field(row.field, row.everywhere, row.output) for row in shown], plain))
    for title, total, hue, numbers, shares in (
        (
            "Parameters",
            thousands(sum(row.parameters for row in leaves)),
            _CYAN,
            [thousands(row.parameters) for row in shown],
            [row.parameter_share for row in shown],
        ),
        (
            "MACs",
            engineering(all_macs),
            _MAGENTA,
            [engineering(row.macs) for row in shown],
            [row.mac_share for row in shown],
        ),
    ):
        dim = [DIM if row.opened or number == NONE else "" for row, number in zip(shown, numbers, strict=True)]
        columns.append(Column(title, total, numbers, dim))
        if title == "Parameters" and report.totals.trainable != report.totals.parameters:
            columns.append(_trainable(report, shown))
        if width >= _WIDTH_FOR_BARS:
            bars = ["" if row.opened else _bar(share) for row, share in zip(shown, shares, strict=True)]
            columns.append(Column("", "", bars, [hue] * len(bars), is_left=True, width=_BAR_CELLS))
    names = max([_width(_name(row, guide)) for row, guide in zip(shown, _guides(shown), strict=True)], default=0)
    outputs = [shapes(row.output, row.outputs) for row in shown]
    asked = max(map(_text_width, outputs), default=0)

    def rest(others: Sequence[Column]) -> int:
        return width - 2 - names - sum([len(_GAP) + _wide(column) for column in others]) - len(_GAP)

    without_bars = [column for column in columns if column.title]
    if max(_WIDEST_SHAPE, rest(columns)) < asked <= rest(without_bars):
        columns = without_bars
    widest = max(_WIDEST_SHAPE, rest(columns))
    outputs = [_cut([(text, "")], widest)[0][0] for text in outputs]
    columns.insert(0, Column("Output", "", outputs, plain))
    return laid_out(shown, f"{len(report.layers)} layers", columns, width, color)


def _wide(column: Column) -> int:
    return column.width or max(map(_text_width, (column.title, column.total, *column.cells)))


def _trainable(report: Report, shown: Sequence[Row]) -> Column:
    """Which of the parameters train, where not all of them do."""
    cells = [
        "frozen" if row.frozen and row.frozen == row.parameters else thousands(row.parameters - row.frozen)
        for row in shown
    ]
    styles = [_CYAN if cell == "frozen" else DIM if row.opened else "" for row, cell in zip(shown, cells, strict=True)]
    return Column("Trainable", thousands(report.totals.trainable), cells, styles)


def laid_out(shown: Sequence[Row], total: str, columns: Sequence[Column], width: int, color: bool) -> Iterator[str]:
    """The columns beside the names, with a head and a foot; the names give way where there is not enough room."""
    guides = _guides(shown)
    widths = list(map(_wide, columns))
    room = width - 2 - sum(widths) - len(_GAP) * len(widths)
    names = max(len(total), *(_width(_name(row, guide)) for row, guide in zip(shown, guides, strict=True)))
    names = max(_NARROWEST_NAME, min(names, room))
    whole = 2 + names + sum(widths) + len(_GAP) * len(widths)

    def line(name: list[_Piece], cells: Iterable[_Piece]) -> str:
        name = _cut(name, names)
        pieces = [(" ", ""), *name, (" " * (names - _width(name)), "")]
        for (text, style), wide, column in zip(cells, widths, columns, strict=True):
            space = " " * (wide - _text_width(text))
            before, after = (_GAP, space) if column.is_left else (_GAP + space, "")
            pieces += ((before, ""), (text, style), (after, ""))
        if whole > width:
            pieces = _cut(pieces, width)
        return "".join([f"\x1b[{style}m{text}\x1b[0m" if color and style and text else text for text, style in pieces])

    rule = "─" * min(width, whole)
    if color:
        rule = f"\x1b[{DIM}m{rule}\x1b[0m"
    yield line([("Layer", _BOLD)], [(column.title, _BOLD) for column in columns])
    yield rule
    for row, guide, *cells in zip(shown, guides, *(zip(c.cells, c.styles, strict=True) for c in columns), strict=True):
        yield line(_name(row, guide), cells)
    yield rule
    yield line([(total, _BOLD)], [(column.total, _BOLD) for column in columns])


def _name(row: Row, guide: str) -> list[_Piece]:
    pieces = [(guide, DIM), (row.label, _BOLD if row.module else "")]
    pieces += [("  " + words, style) for words, style in ((row.text, DIM), (row.standing, _YELLOW)) if words]
    return pieces


def _width(pieces: Sequence[_Piece]) -> int:
    """How many columns of a terminal it takes."""
    return _text_width("".join([text for text, _ in pieces]))


def _text_width(text: str) -> int:
    if text.isascii() or _NARROW.issuperset(text):
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cut(pieces: list[_Piece], width: int) -> list[_Piece]:
    """The pieces with an ellipsis in place of what goes beyond the width."""
    if _width(pieces) <= width:
        return pieces
    from rich.cells import set_cell_size

    rest = set_cell_size("".join([text for text, _ in pieces]), width - 1) + "…"
    cut = []
    for text, style in pieces:
        cut.append((rest[: len(text)], style))
        rest = rest[len(text) :]
    return cut


def _guides(shown: Sequence[Row]) -> list[str]:
    """The lines of the tree before each row: `│  └─ `."""
    guides = []
    known: dict[str, str] = {}
    follows: list[bool] = []  # for each depth, whether a later row stands there, under the same module
    for row in reversed(shown):
        del follows[row.depth + 1 :]
        follows += [False] * (row.depth + 1 - len(follows))
        stems = "".join(["│  " if more else "   " for more in follows[1 : row.depth]])
        guide = stems + ("├─ " if follows[row.depth] else "└─ ") if row.depth else ""
        guides.append(known.setdefault(guide, guide))
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
    return indented(table)


def _footnotes(report: Report, shown: Sequence[Row]) -> Iterator[Padding]:
    from rich.text import Text

    yield indented(Text())
    for note in footnotes(report, shown):
        yield indented(Text(note, "dim"))
