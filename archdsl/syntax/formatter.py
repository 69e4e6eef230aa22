"""The layout behind `archdsl fmt`: the same tokens and comments, with the spaces and the indentation of the language.

The line breaks of the writer stay. Columns that stand one below the other in adjacent lines (see alignment.py) are
aligned.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl import limits
from archdsl.collector import make_room, paused
from archdsl.source import Source
from archdsl.syntax.alignment import align
from archdsl.syntax.layout import COMMENTS, Line, Piece
from archdsl.syntax.parser import parse, read_tokens
from archdsl.syntax.tokens import CLOSERS, OPENERS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archdsl.syntax.tokens import Token

_ARITHMETIC = {"PLUS", "MINUS", "STAR", "SLASH", "SLASHES", "PERCENT"}
_VALUE_ENDS = {"NAME", "IN", "CAPITAL", "NUMBER", "SIZE", "STRING", "YES", "NO", "RPAR", "RSQB"}
_ELEMENT_BEGINS = {None, "NEWLINE", "DOC", "ARROW", "BAR", "GROUP", "LBRACE", "SHARES", "DEFAULT"}
_WORDS = {"USE", "NET", "BLOCK", "TAKES", "WHEN", "LET", "DEFAULT", "SHARE", "EXPECT", "PREPROCESS", "RECIPE"}
_LABEL_WORDS = {"NAME", "NUMBER", "CAPITAL", "MINUS"} | _WORDS
_TIGHT = {"DOT", "RANGE", "EQUAL", "LABEL_OPENS", "LABEL_DASH"}
_TIGHT_BEFORE = _TIGHT | {"COMMA", "RPAR", "RSQB", "NUMBERED", "LABEL_CLOSES"}
_TIGHT_AFTER = _TIGHT | {"LPAR", "LSQB", "UNARY", "X"}


def format_text(source: Source) -> str | None:
    """The text in the layout of the language, or None where it has syntax errors."""
    if len(source.text) > limits.FILE_CHARACTERS:
        return None
    make_room()
    with paused():
        return _formatted(source)


def _formatted(source: Source) -> str | None:
    read = read_tokens(source)
    if parse(source, read).diagnostics:
        return None
    _Roles(pieces := [Piece(token, token.type, token.text, token.type) for token in read.tokens[:-1]]).assign()
    pieces = [piece for piece in pieces if piece.type != "NEWLINE"]
    pieces += [Piece(comment, comment.type, _comment(comment), comment.type) for comment in read.comments]
    for piece in pieces:
        if piece.type == "DOC":
            piece.text = _comment(piece.token)
    lines = _lines(source.text, sorted(pieces, key=lambda piece: piece.token.start))
    for line in lines:
        for before, piece in zip(line.pieces, line.pieces[1:], strict=False):
            piece.gap = _gap(before, piece)
    _drop_blanks(lines)
    _indent(lines)
    align(lines)
    text = "".join(_texts(lines))
    for piece in pieces:
        piece.partner = None  # brackets that know each other would stay in memory
    return text if len(text) <= limits.FILE_CHARACTERS else source.text  # else nobody could read it again


def _comment(token: Token) -> str:
    marks = "##" if token.type == "DOC" else "#"
    words = token.text[len(marks) :].rstrip()
    return marks + words if not words or words[0] in " !#" else f"{marks} {words.lstrip()}"


def _lines(text: str, pieces: Sequence[Piece]) -> list[Line]:
    lines: list[Line] = []
    line_start = end = 0
    previous = pieces[0] if pieces else None
    for piece in pieces:
        assert previous is not None
        breaks = text.count("\n", end, piece.token.start)
        if breaks:
            line_start = text.rfind("\n", end, piece.token.start) + 1
        if breaks or not lines:
            lines.append(Line([], blank_above=breaks > 1 and bool(lines)))
        piece.column = piece.token.start - line_start
        piece.spaced = piece.token.start > end or piece.type in COMMENTS  # a comment will be set off
        previous.spaced_after = piece.spaced
        lines[-1].pieces.append(piece)
        previous, end = piece, piece.token.end
    return lines


def _drop_blanks(lines: list[Line]) -> None:
    """No blank line stays below an opening bracket or above a closing one."""
    opened = True
    for line in lines:
        if opened or line.pieces[0].type in CLOSERS:
            line.blank_above = False
        opened = [piece.type for piece in line.pieces if piece.type not in COMMENTS][-1:] in ([o] for o in OPENERS)


def _texts(lines: list[Line]) -> Iterator[str]:
    for line in lines:
        if line.blank_above:
            yield "\n"
        yield " " * line.indent
        for piece in line.pieces:
            yield " " * piece.gap
            yield piece.text
        yield "\n"


# ---------------------------------------------------------------- spaces


class _Roles:
    """Tells apart what the same sign is used for; the rest of the formatter goes by the role."""

    def __init__(self, pieces: list[Piece]) -> None:
        self.pieces = pieces
        self.open: list[Piece] = []

    def assign(self) -> None:
        before: Piece | None = None
        binding: str | None = None
        labelling = looping = False
        head: Piece | None = None
        for piece in self.pieces:
            kind, last = piece.type, before.role if before else None
            if labelling and kind in _LABEL_WORDS:
                piece.role = "LABEL_DASH" if kind == "MINUS" else "NAME"
                before = piece
                continue
            if kind == "NEWLINE":
                binding, labelling, looping = None, False, False
            elif kind in ("LET", "NET", "SHARE"):
                binding = "SHARES" if kind == "SHARE" else "BINDS"
            elif kind == "FOR":
                looping = True
            elif kind == "IN" and looping:
                piece.role, looping = "IN_ROWS", False
            elif kind == "AS":
                labelling = True
            elif kind == "EQUAL" and binding:
                piece.role, binding = binding, None
            elif kind == "MINUS" and (last not in _VALUE_ENDS or before is head):
                piece.role = "UNARY"
            elif kind == "LPAR" and last in _ELEMENT_BEGINS:
                piece.role = "GROUP"
            elif kind == "BAR":
                self.open[-1].branches = True
            elif kind in ("NAME", "IN") and last in _ELEMENT_BEGINS:
                head = piece
            if labelling and kind != "AS":
                self.label(piece)
                labelling = False
            if kind == "LPAR" or kind == "LBRACE":
                binding = None
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
    def label(piece: Piece) -> None:
        """Gives its role to a bracket that follows `as` and words."""
        if piece.type == "LBRACE":
            piece.role = "LABEL_OPENS"
        elif piece.type == "LSQB":
            piece.role = "NUMBERED"


def _gap(before: Piece, piece: Piece) -> int:
    """The spaces between two neighbours in a line."""
    if piece.type in COMMENTS:
        return 2
    opener = before if before.type == "LPAR" else piece.partner
    if opener is not None and opener.role == "GROUP" and (before is opener or piece.type == "RPAR"):
        closer = opener.partner
        return int(opener.branches and (opener.spaced_after or (closer is not None and closer.spaced)))
    if before.role == "AS":
        return 1
    if before.role == "LABEL_CLOSES" and piece.type in _LABEL_WORDS:
        return 0
    if {before.type, piece.type} == {"DOT", "NUMBER"}:
        return int(piece.spaced)  # 1 .2 is no 1.2
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
            return int(sign.spaced or sign.spaced_after)
    return 1


# ---------------------------------------------------------------- indentation


def _indent(lines: list[Line]) -> None:
    """Two spaces for each bracket that is open; branches stand below the parenthesis that opens their group."""
    open: list[Piece] = []
    comments: list[Line] = []
    last = ""
    for line in lines:
        first = line.pieces[0]
        inside = open[-1].inside if open else 0
        if first.type in COMMENTS and len(line.pieces) == 1:
            line.indent = inside
            comments.append(line)
            continue
        if first.type in CLOSERS:
            count = next((i for i, piece in enumerate(line.pieces) if piece.type not in CLOSERS), len(line.pieces))
            line.indent = open[-count].closes_at
        elif first.type == "BAR":
            line.indent = open[-1].closes_at
        else:
            goes_on = first.type == "ARROW" or last == "ARROW"
            line.indent = inside + (2 if goes_on and open and open[-1].role == "LBRACE" else 0)
        if first.type == "ARROW":
            for comment in comments:
                comment.indent = line.indent
        comments = []
        last = _open_and_close(line, open) or last


def _open_and_close(line: Line, open: list[Piece]) -> str:
    """Follows the brackets of a line, and gives its last sign."""
    signs = [piece for piece in line.pieces if piece.type not in COMMENTS]
    column = line.indent
    for piece in line.pieces:
        column += piece.gap
        if piece.type in OPENERS:
            hangs = piece.role == "GROUP" and piece is not signs[-1]
            in_group = bool(open) and open[-1].role == "GROUP"
            piece.closes_at = column if hangs else open[-1].inside if in_group else line.indent
            piece.inside = piece.closes_at + 2
            open.append(piece)
        elif piece.type in CLOSERS:
            open.pop()
        column += len(piece.text)
    return signs[-1].type if signs else ""
