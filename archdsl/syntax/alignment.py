"""Columns: what stands one below the other in adjacent lines begins at the same column.

A column that is straight in the source stays where the writer put it; one that is not moves as far left as it can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, TypeVar

from archdsl.syntax.layout import COMMENTS, Line, Piece
from archdsl.syntax.tokens import CLOSERS, OPENERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_LAST_COLUMN = 120
"""What would begin further right is not aligned."""

_Cell: TypeAlias = tuple[Line, int]
_Items: TypeAlias = list[list[Piece]]
_T = TypeVar("_T")


def align(lines: list[Line]) -> None:
    """Widens the gaps of the lines until their columns are straight, from left to right."""
    for rows in _runs(lines, [_row(line) for line in lines], lambda one, other: len(one[1]) == len(other[1])):
        _align_table([items for _, items in rows])
    columns = [_columns(line) for line in lines]
    for number, column in enumerate(_COLUMNS):
        by_choice = column in _BY_CHOICE
        places = [places[number] for places in columns]
        for cells in _runs(lines, places, _side_by_side if by_choice else _always):
            if not by_choice or (len(cells) > 1 and any(map(_is_set_off, cells))):
                _straighten(cells)


def _runs(
    lines: list[Line],
    found: list[_T | None],
    belong: Callable[[tuple[Line, _T], tuple[Line, _T]], bool],
) -> Iterator[list[tuple[Line, _T]]]:
    """The stretches of adjacent, equally indented lines in which something is found that belongs together."""
    run: list[tuple[Line, _T]] = []
    for line, what in zip(lines, found, strict=True):
        cell = None if what is None else (line, what)
        above = run[-1] if run else None
        if above and (cell is None or line.blank_above or line.indent != above[0].indent or not belong(above, cell)):
            yield run
            run = []
        if cell is not None:
            run.append(cell)
    if run:
        yield run


# ---------------------------------------------------------------- columns


def _straighten(cells: list[_Cell]) -> None:
    columns = [line.start_of(at) for line, at in cells]
    written = {line.indent + line.pieces[at].column - line.pieces[0].column for line, at in cells}
    target = max(columns)
    if len(written) == 1 and target < (column := written.pop()) <= _LAST_COLUMN:
        target = column
    if target <= _LAST_COLUMN:
        for (line, at), column in zip(cells, columns, strict=True):
            line.pieces[at].gap += target - column


def _side_by_side(one: _Cell, other: _Cell) -> bool:
    """Whether the writer set two neighbours off as a column: by wide gaps, or by where they stand."""
    if _is_set_off(one) and _is_set_off(other):
        return True
    return one[0].pieces[one[1]].column == other[0].pieces[other[1]].column


def _always(one: _Cell, other: _Cell) -> bool:
    return True


def _is_set_off(cell: _Cell) -> bool:
    line, at = cell
    before = line.pieces[at - 1]
    return line.pieces[at].column - (before.column + before.token.end - before.token.start) > 1


def _places(line: Line) -> Iterator[int | None]:
    """Where each kind of column stands in a line: what `_COLUMNS` names."""
    first: dict[str, int] = {}
    for at in line.outside_brackets():
        if at:
            first.setdefault(line.pieces[at].type, at)
    label = first.get("AS")
    numbered = label is not None and _is_numbered(line, label)
    last = len(line.pieces) - 1
    yield first.get("ARROW")
    yield None if numbered else label
    yield label if numbered else None
    yield first.get("COLON")
    yield last if last and line.pieces[last].type in COMMENTS else None


def _is_numbered(line: Line, label: int) -> bool:
    """Whether a line ends with `as name[]`."""
    rest = [piece for piece in line.pieces if piece.type not in COMMENTS][label:]
    return len(rest) == 4 and rest[-1].role == "NUMBERED"


_COLUMNS = ("arrow", "label", "numbered label", "checked shape", "comment")
"""What stands in a column, in the order in which the columns are straightened."""
_BY_CHOICE = {"arrow", "label"}
"""What does so only where the writer has set it off."""


def _columns(line: Line) -> list[int | None]:
    """Where each kind of column stands in a line.

    None also where one that is straightened later stands before it: that would move it out of line again.
    """
    places = list(_places(line))
    return [
        None if at is None or any(other is not None and other < at for other in places[number + 1 :]) else at
        for number, at in enumerate(places)
    ]


# ---------------------------------------------------------------- tables


def _row(line: Line) -> _Items | None:
    """The items of a line that is a list and nothing more."""
    pieces = [piece for piece in line.pieces if piece.type not in COMMENTS]
    if pieces and pieces[-1].type == "COMMA":
        pieces.pop()
    if not pieces or pieces[0].type != "LSQB" or pieces[0].partner is not pieces[-1]:
        return None
    items: _Items = [[]]
    depth = 0
    for piece in pieces[1:-1]:
        depth += (piece.type in OPENERS) - (piece.type in CLOSERS)
        if piece.type == "COMMA" and depth == 0:
            items.append([])
        else:
            items[-1].append(piece)
    return items if all(items) else None


def _align_table(rows: list[_Items]) -> None:
    """Numbers end at the same column, other items begin at it."""
    for at in range(len(rows[0])):
        column = [items[at] for items in rows]
        widths = [sum(piece.gap + len(piece.text) for piece in item) - item[0].gap for item in column]
        numbers = all(item[-1].type == "NUMBER" and len(item) <= 2 for item in column)
        widest = max(widths)
        if widest > _LAST_COLUMN:
            return
        for items, width in zip(rows, widths, strict=True):
            if numbers:
                items[at][0].gap += widest - width
            elif at + 1 < len(items):
                items[at + 1][0].gap += widest - width
