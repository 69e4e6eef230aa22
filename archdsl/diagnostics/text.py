"""Findings for people: each with the lines that it speaks of, as compilers show them."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from archdsl.diagnostics.escape import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from archdsl.diagnostics.model import Diagnostic, Fix
    from archdsl.source import Source, Span

WIDTH = 120
TAB = 4
FIX_LINES = 8
"""How many lines of a fix are shown."""

_ANSI = {"error": "1;31", "warning": "1;33", "strong": "1", "gutter": "1;34", "help": "1;36", "fix": "32"}


class _Mark(NamedTuple):
    """What stands under a stretch of one line, given in characters of that line."""

    start: int
    end: int
    sign: str
    text: str
    style: str


class _Excerpt(NamedTuple):
    """A line as it is shown, and the marks under it in cells of the terminal."""

    shown: str
    marks: list[_Mark]


def render(diagnostics: Sequence[Diagnostic], *, color: bool = False, width: int = WIDTH) -> str:
    """The findings one below the other, an empty line between them.

    Lines of the source that are wider than `width` cells are cut around the place; messages are never cut.
    """
    return "\n".join(_finding(diagnostic, _painter(color), width) for diagnostic in diagnostics)


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """The last line: `2 errors, 1 warning in resnet.arch`.

    >>> summary([])
    'no errors'
    """
    if not diagnostics:
        return "no errors"
    severities = Counter(diagnostic.severity for diagnostic in diagnostics)
    files = {diagnostic.span.source.name for diagnostic in diagnostics}
    counted = [_count(severities[severity], severity) for severity in ("error", "warning") if severities[severity]]
    return f"{', '.join(counted)} in {printable(files.pop()) if len(files) == 1 else _count(len(files), 'file')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _painter(color: bool) -> Callable[[str, str], str]:
    if not color:
        return lambda text, style: text
    return lambda text, style: f"\x1b[{_ANSI[style]}m{text}\x1b[0m" if text else ""


def _finding(diagnostic: Diagnostic, paint: Callable[[str, str], str], width: int) -> str:
    sections = _sections(diagnostic)
    fix = None if _helped(diagnostic) else diagnostic.fix
    last = max(max(lines) for lines in sections.values())
    if fix is not None:
        last = max(last, fix.span.line + min(fix.text.count("\n"), FIX_LINES))
    digits = len(str(last))
    room = max(width - digits - 4, 20)

    def gutter(number: int | None = None, sign: str = "|") -> str:
        return paint(f" {'' if number is None else number:>{digits}} {sign}", "gutter")

    head = f"{diagnostic.severity}[{diagnostic.code}]"
    out = [paint(head, diagnostic.severity) + paint(f": {printable(diagnostic.message)}", "strong")]
    for source, lines in sections.items():
        first = source is diagnostic.span.source
        place = diagnostic.span.start if first else _first_place(diagnostic, source)
        line, column = source.position(place)
        if not first:
            out.append(gutter())
        arrow = " " * (digits + 1) + ("-->" if first else ":::")
        out += [f"{paint(arrow, 'gutter')} {printable(source.name)}:{line}:{column}", gutter()]
        above = None
        for number in _with_single_gaps(sorted(lines)):
            if above is not None and number > above + 1:
                out.append(paint("...", "gutter"))
            above = number
            for excerpt in _excerpts(source.line(number), lines.get(number, []), room):
                out.append(f"{gutter(number)} {excerpt.shown}".rstrip())
                out += [f"{gutter()} {row}" for row in _rows(excerpt.marks, paint)]
    for kind, text in [*(("", note) for note in diagnostic.notes), ("help: ", diagnostic.help or "")]:
        if text:
            indent = "\n" + " " * (digits + 4 + len(kind))
            shown = indent.join(map(printable, text.split("\n")))
            out.append(f"{gutter(None, '=')} {paint(kind, 'help')}{shown}")
    if fix is not None:
        elsewhere = "" if fix.span.source is diagnostic.span.source else f" in {printable(fix.span.source.name)}"
        out.append(f"{gutter(None, '=')} {paint(f'fix{elsewhere}:', 'help')}")
        out += [f"{gutter(n, '+')} {paint(text, 'fix')}".rstrip() for n, text in _fixed(fix, room)]
    return "\n".join(out) + "\n"


# ---------------------------------------------------------------- which lines


def _sections(diagnostic: Diagnostic) -> dict[Source, dict[int, list[_Mark]]]:
    """The marks by source and line, the source of the finding itself first."""
    sections: dict[Source, dict[int, list[_Mark]]] = {}
    marks = [(diagnostic.span, "^", diagnostic.label, str(diagnostic.severity))]
    marks += [(label.span, "-", label.text, "gutter") for label in diagnostic.labels]
    for span, sign, text, style in marks:
        number, start, end = _on_first_line(span)
        lines = sections.setdefault(span.source, {})
        lines.setdefault(number, []).append(_Mark(start, end, sign, printable(text), style))
    return sections


def _on_first_line(span: Span) -> tuple[int, int, int]:
    """The line where a span begins, and what it covers of it; at least one character, if only the line's end."""
    start = min(span.start, len(span.source.text))
    number, column = span.source.position(start)
    begins = start - column + 1
    length = len(span.source.line(number))
    start = min(start - begins, length)
    return number, start, max(min(span.end - begins, length), start + 1)


def _first_place(diagnostic: Diagnostic, source: Source) -> int:
    return next(label.span.start for label in diagnostic.labels if label.span.source is source)


def _helped(diagnostic: Diagnostic) -> bool:
    """Whether the help already says what the fix would write."""
    if diagnostic.fix is None or diagnostic.help is None:
        return False
    return re.search(rf"(?<!\w){re.escape(diagnostic.fix.text.strip())}(?!\w)", diagnostic.help) is not None


def _with_single_gaps(numbers: list[int]) -> Iterator[int]:
    """The numbers, and a number that is missing alone: a line takes no more room than the dots for it."""
    for number, following in zip(numbers, [*numbers[1:], None], strict=True):
        yield number
        if following == number + 2:
            yield number + 1


def _fixed(fix: Fix, room: int) -> Iterator[tuple[int | None, str]]:
    """The lines that a fix changes, as they are afterwards."""
    source, number = fix.span.source, fix.span.line
    last = source.position(fix.span.end).line
    text = source.text
    end = source.line_starts[last] - 1 if last < len(source.line_starts) else len(text)
    begin = source.line_starts[number - 1]
    lines = (text[begin : fix.span.start] + fix.text + text[fix.span.end : end]).split("\n")
    for offset, line in enumerate(lines[:FIX_LINES]):
        changed = fix.span.start - begin if offset == 0 else 0
        mark = _Mark(changed, changed + 1, "", "", "")
        yield number + offset, _excerpts(line.rstrip("\r"), [mark], room)[0].shown
    if len(lines) > FIX_LINES:
        yield None, "..."


# ---------------------------------------------------------------- one line, in cells


def _excerpts(line: str, marks: list[_Mark], room: int) -> list[_Excerpt]:
    """The line with its marks; one that is too wide as a piece for each group of marks that stand together."""
    if len(line) <= room:
        shown, cells = _layout(line)
        if cells[-1] <= room:
            return [_Excerpt(shown, [_moved(mark, cells, 0) for mark in marks])]
    groups: list[list[_Mark]] = []
    for mark in sorted(marks) or [_Mark(0, 0, "", "", "")]:
        if groups and max(mark.end, *(m.end for m in groups[-1])) - groups[-1][0].start <= room // 3:
            groups[-1].append(mark)
        else:
            groups.append([mark])
    return [_cut(line, group, room - 2) for group in groups]  # 2 for the dots at both ends


def _cut(line: str, marks: list[_Mark], room: int) -> _Excerpt:
    first, end = marks[0].start, min(max(mark.end for mark in marks), len(line))
    low, high = max(0, first - room), first + room  # no more characters than could be shown, however long the line
    _, cells = _layout(line[low:high])
    from_cell, to_cell = cells[first - low], cells[min(end - low, len(cells) - 1)]
    left = 0 if low == 0 and to_cell <= room else max(0, from_cell - max(0, room - (to_cell - from_cell)) // 2)
    begin = next(i for i, cell in enumerate(cells) if cell >= left)
    stop = max(i for i, cell in enumerate(cells) if cell <= cells[begin] + room)
    shown, cells = _layout(line[low + begin : low + stop])
    before = "…" if low + begin else ""
    after = "…" if low + stop < len(line) else ""
    placed = [_moved(mark, cells, low + begin, len(before)) for mark in marks if mark.sign]
    return _Excerpt(f"{before}{shown}{after}", placed)


def _moved(mark: _Mark, cells: list[int], begin: int, indent: int = 0) -> _Mark:
    """The mark in cells; one past the end of the line keeps the one cell that it has."""
    last = len(cells) - 1
    start = cells[min(max(mark.start - begin, 0), last)]
    end = cells[min(max(mark.end - begin, 0), last)]
    return mark._replace(start=start + indent, end=max(end, start + 1) + indent)


def _layout(text: str) -> tuple[str, list[int]]:
    """The text as a terminal can show it, and the cell where each character begins, and the last ends."""
    shown = []
    cells = [0]
    for character in text:
        if character == "\t":
            piece = " " * (TAB - cells[-1] % TAB)
        else:
            piece = printable(character)
        shown.append(piece)
        cells.append(cells[-1] + (len(piece) if len(piece) != 1 else _width(piece)))
    return "".join(shown), cells


def _width(character: str) -> int:
    """Cells that a printable character takes."""
    if character.isascii():
        return 1
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _rows(marks: list[_Mark], paint: Callable[[str, str], str]) -> Iterator[str]:
    """The marks as rows: one may stand right of another that has no text."""
    row, column = "", 0
    for mark in sorted(marks, key=lambda mark: (mark.start, mark.end, mark.sign)):
        if row and column >= mark.start:
            yield row
            row, column = "", 0
        underline = mark.sign * (mark.end - mark.start) + (f" {mark.text}" if mark.text else "")
        row += " " * (mark.start - column) + paint(underline, mark.style)
        column = mark.end
        if mark.text:
            yield row
            row, column = "", 0
    if row:
        yield row
