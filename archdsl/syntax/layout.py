"""Lines of text as the formatter moves them about: tokens and comments, and the spaces before each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archdsl.syntax.tokens import CLOSERS, OPENERS

if TYPE_CHECKING:
    from archdsl.syntax.tokens import Token

COMMENTS = {"COMMENT", "DOC"}


@dataclass(slots=True, eq=False)
class Piece:
    """A token or a comment. `role` is its type, or a narrower word for what it is used for."""

    token: Token
    type: str
    text: str
    role: str
    column: int = 0
    """Where it stands in the source."""
    spaced: bool = False
    """Whether space stands before it in the source."""
    spaced_after: bool = False
    """Whether space stands after it in the source."""
    gap: int = 0
    """The spaces before it, as it will be written."""
    branches: bool = False
    """Of an opening parenthesis: whether it holds branches."""
    partner: Piece | None = field(default=None, repr=False)
    """The bracket that closes or opens it."""
    closes_at: int = 0
    """Of an opening bracket: the indentation of a line that begins with what closes it, or with a branch."""
    inside: int = 0
    """Of an opening bracket: the indentation of the lines inside."""


@dataclass(slots=True, eq=False)
class Line:
    pieces: list[Piece]
    blank_above: bool
    indent: int = 0

    def start_of(self, at: int) -> int:
        """The column at which a piece will be written."""
        return self.indent + sum(piece.gap + len(piece.text) for piece in self.pieces[:at]) + self.pieces[at].gap

    def outside_brackets(self) -> list[int]:
        """The pieces that stand outside all brackets; none, where a bracket of the line is closed in another."""
        depth, found = 0, []
        for at, piece in enumerate(self.pieces):
            depth -= piece.type in CLOSERS
            if depth < 0:
                return []
            if depth == 0:
                found.append(at)
            depth += piece.type in OPENERS
        return found if depth == 0 else []
