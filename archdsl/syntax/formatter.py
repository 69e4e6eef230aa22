"""The layout behind `archdsl fmt`: the same tokens and comments, with the spaces and the indentation of the language.

The line breaks of the writer stay. Columns that stand one below the other in adjacent lines (see alignment.py) are
aligned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.source import Source
from archdsl.syntax.alignment import align
from archdsl.syntax.layout import CLOSERS, COMMENTS, OPENERS, Line, Piece
from archdsl.syntax.parser import parse, read_tokens

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archdsl.syntax.tokens import Token

_ARITHMETIC = {"PLUS", "MINUS", "STAR", "SLASH", "SLASHES", "PERCENT"}
_VALUE_ENDS = {"NAME", "IN", "CAPITAL", "NUMBER", "SIZE", "STRING", "YES", "NO", "RPAR", "RSQB"}
_ELEMENT_BEGINS = {None, "NEWLINE", "DOC", "ARROW", "BAR", "GROUP", "LBRACE", "BINDS", "DEFAULT"}
_TIGHT = {"DOT", "RANGE", "EQUAL", "LABEL_OPENS", "LABEL_CLOSES"}
_TIGHT_BEFORE = _TIGHT | {"COMMA", "RPAR", "RSQB", "NUMBERED"}
_TIGHT_AFTER = _TIGHT | {"LPAR", "LSQB", "UNARY", "X", "NUMBERED"}


def format_text(source: Source) -> str | None:
    """The text in the layout of the language, or None where it has syntax errors."""
    if parse(source).diagnostics:
        return None
    read = read_tokens(source)
    _Roles(pieces := [Piece(token, token.text, token.type) for token in read.tokens]).assign()
    pieces = [piece for piece in pieces if piece.type != "NEWLINE"]
    pieces += [Piece(comment, _comment(comment), comment.type) for comment in read.comments]
    for piece in pieces:
        if piece.type == "DOC":
            piece.text = _comment(piece.token)
    lines = _lines(source.text, sorted(pieces, key=lambda piece: piece.token.start))
    for line in lines:
        for before, piece in zip(line.pieces, line.pieces[1:], strict=False):
            piece.gap = _gap(before, piece)
    _indent(lines)
    align(lines)
    return "".join(_texts(lines))


def _comment(token: Token) -> str:
    marks = "##" if token.type == "DOC" else "#"
    words = token.text[len(marks) :].rstrip()
    return marks + words if not words or words[0] in " !#" else f"{marks} {words.lstrip()}"


def _lines(text: str, pieces: Sequence[Piece]) -> list[Line]:
    lines: list[Line] = []
    line_start = end = 0
    for piece in pieces:
        breaks = text.count("\n", end, piece.token.start)
        if breaks:
            line_start = text.rfind("\n", end, piece.token.start) + 1
        if breaks or not lines:
            lines.append(Line([], blank_above=breaks > 1 and bool(lines)))
        piece.column = piece.token.start - line_start
        piece.spaced = piece.token.start > end
        lines[-1].pieces.append(piece)
        end = piece.token.end
    return lines


def _texts(lines: list[Line]) -> Iterator[str]:
    opened = True
    for line in lines:
        if line.blank_above and not opened and line.pieces[0].type not in CLOSERS:
            yield "\n"
        yield " " * line.indent
        for piece in line.pieces:
            yield " " * piece.gap
            yield piece.text
        yield "\n"
        opened = [piece.type for piece in line.pieces if piece.type not in COMMENTS][-1:] in ([o] for o in OPENERS)


# ---------------------------------------------------------------- spaces


class _Roles:
    """Tells apart what the same sign is used for; the rest of the formatter goes by the role."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.open: list[Piece] = []

    def assign(self) -> None:
        before: Piece | None = None
        binding = labelling = looping = False
        head: Piece | None = None
        for piece in self.pieces:
            kind, last = piece.type, before.role if before else None
            if kind == "NEWLINE":
                binding = labelling = looping = False
            elif kind in ("LET", "NET", "SHARE"):
                binding = True
            elif kind == "FOR":
                looping = True
            elif kind == "IN" and looping:
                piece.role, looping = "IN_ROWS", False
            elif kind == "AS":
                labelling = True
            elif kind == "EQUAL" and binding:
                piece.role, binding = "BINDS", False
            elif kind == "MINUS" and (last not in _VALUE_ENDS or before is head):
                piece.role = "UNARY"
            elif kind == "LPAR" and last in _ELEMENT_BEGINS:
                piece.role = "GROUP"
            elif kind == "BAR":
                self.open[-1].branches = True
            elif kind in ("NAME", "IN") and last in _ELEMENT_BEGINS:
                head = piece
            if labelling and kind != "AS":
                labelling = self.label(piece, last)
            if kind == "LPAR" or kind == "LBRACE":
                binding = False
            if kind in OPENERS:
                self.open.append(piece)
            elif kind in CLOSERS:
                opener = self.open.pop()
                opener.partner, piece.partner = piece, opener
                if opener.role == "LABEL_OPENS":
                    piece.role = "LABEL_CLOSES"
                    labelling = True
                elif opener.role == "NUMBERED":
                    piece.role = "NUMBERED"
            before = piece

    @staticmethod
    def label(piece: Piece, last: str | None) -> bool:
        """Gives its role to what follows `as`; whether the label may go on after it."""
        if piece.type == "LBRACE":
            piece.role = "LABEL_OPENS"
        elif piece.type == "LSQB":
            piece.role = "NUMBERED"
        elif piece.type in ("NAME", "NUMBER"):
            return True
        return False


def _gap(before: Piece, piece: Piece) -> int:
    """The spaces between two neighbours in a line."""
    if piece.type in COMMENTS:
        return 2
    opener = before if before.type == "LPAR" else piece.partner
    if opener is not None and opener.role == "GROUP" and (before is opener or piece.type == "RPAR"):
        return int(opener.branches and _airy(opener))
    if before.role == "LABEL_CLOSES" and piece.type == "NAME":
        return 0
    if piece.role in _TIGHT_BEFORE or before.role in _TIGHT_AFTER:
        return 0
    if piece.type == "LPAR" and (before.role == "IN" or (before.type == "NAME" and before.text != "x")):
        return 0
    if piece.type == "LSQB" and before.role in _VALUE_ENDS:
        return int(piece.spaced)  # an index, or a list that is an argument
    if piece.type == "RBRACE" and before is piece.partner:
        return 0
    for sign in (before, piece):
        if sign.role in _ARITHMETIC:
            return int(sign.loose)
    return 1
