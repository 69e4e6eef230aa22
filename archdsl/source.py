"""Text and places in it: what every diagnostic points at."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple


@dataclass(frozen=True, eq=False)
class Source:
    """A text with the name it is shown by.

    `name` is what a reader sees in `name:line:column`; `folder` says where imports from this text are looked for
    (a folder, or None for text that has no place on disk).
    """

    name: str
    text: str
    folder: str | None = field(default=None)

    @cached_property
    def line_starts(self) -> list[int]:
        starts = [0]
        position = self.text.find("\n")
        while position >= 0:
            starts.append(position + 1)
            position = self.text.find("\n", position + 1)
        return starts

    def position(self, offset: int) -> Position:
        """The line and the column of an offset, both counted from 1, the column in characters."""
        line = bisect_right(self.line_starts, offset)
        return Position(line, offset - self.line_starts[line - 1] + 1)

    def utf16_position(self, offset: int) -> Position:
        """As editors count: line and column from 0, the column in UTF-16 code units."""
        line, _ = self.position(offset)
        start = self.line_starts[line - 1]
        return Position(line - 1, len(self.text[start:offset].encode("utf-16-le", "surrogatepass")) // 2)

    def line(self, number: int) -> str:
        """The text of a line, counted from 1, without its end."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


class Position(NamedTuple):
    line: int
    column: int


class Span(NamedTuple):
    """A stretch of a source: `source.text[start:end]`."""

    source: Source
    start: int
    end: int

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def line(self) -> int:
        return self.source.position(self.start).line

    def __str__(self) -> str:
        line, column = self.source.position(self.start)
        return f"{self.source.name}:{line}:{column}"
