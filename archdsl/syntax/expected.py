"""What to say about a token that does not fit: what was found, and what would mend it."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import NamedTuple

from archdsl.syntax.tokens import Token, shown

_DEFINITION_WORDS = {"USE", "NET", "BLOCK"}
_STATEMENT_WORDS = _DEFINITION_WORDS | {"INPUT", "OUTPUT", "LET", "DEFAULT", "SHARE", "EXPECT"}
_WORDS = _STATEMENT_WORDS | {"FROM", "TAKES", "WHEN", "IF", "ELSE", "FOR", "IN", "AS", "AND", "OR", "NOT", "YES", "NO"}
_LINKS = {"IN": "FOR", "FROM": "USE", "TAKES": "BLOCK", "AS": None, "AND": None, "OR": None}
_SIGNS = {
    "ARROW": "`->`",
    "BAR": "`|`",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "LSQB": "`[`",
    "RSQB": "`]`",
    "LBRACE": "`{`",
    "RBRACE": "`}`",
    "COMMA": "`,`",
    "COLON": "`:`",
    "EQUAL": "`=`",
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a string",
}
_VALUE = "a value (a number, a name, a list or an expression)"
_ELEMENT = "an element (a layer, a block, a value or `( )`)"

_FOREIGN_DEFINITIONS = {
    "import": 'write `use name from "file.arch"`',
    "from": 'write `use name from "file.arch"`',
    "def": "a reusable part is a `block`, a network is a `net`",
    "class": "a reusable part is a `block`, a network is a `net`",
    "layer": "a reusable part is a `block`, a network is a `net`",
    "model": "a network is a `net`",
}


class Place(NamedTuple):
    """Where reading stopped: the token that does not fit, its neighbours, the statement so far, and what would fit."""

    token: Token
    previous: Token | None
    following: Token | None
    begun: Sequence[Token]
    expected: Set[str]

    @property
    def kinds(self) -> list[str]:
        return [token.type for token in self.begun if token.type != "DOC"]

    def inside(self, opener: str, closer: str) -> bool:
        """Whether the statement so far has left such a bracket open."""
        return self.kinds.count(opener) > self.kinds.count(closer)


def _written_small(text: str) -> str:
    """What a word with a capital was most likely meant to be."""
    if text in ("True", "False"):
        return f"write `{'yes' if text == 'True' else 'no'}`"
    small = text.lower()
    if small[-2:] in ("1d", "2d", "3d") and len(small) > 2:
        return f"names are written small, and the rank follows the map: `{shown(small[:-2])}`"
    return f"names are written small: `{shown(small)}`"


def describe(place: Place) -> tuple[str, str | None]:
    """The message and the help for a token that cannot stand where it does."""
    token, previous, kinds = place.token, place.previous, place.kinds
    found = _found(token)
    if token.type == "CAPITAL":
        return f"{found} begins with a capital letter", _written_small(token.text)
    if token.type == "ELSE":
        return "this `else` has no `if`", "`else` follows the `}` of an `if`"
    if previous is None or not kinds:
        return _at_the_beginning(place, found)
    if token.type in ("NEWLINE", "$END"):
        if place.following is not None and place.following.type == "LBRACE":
            return "`{` stands on a line of its own", "put it at the end of the line above"
        return f"{_missing(place) or 'something'} is missing after `{shown(previous.text)}`", None
    if token.type in _WORDS and "NAME" in place.expected and "ARROW" not in place.expected:
        if _LINKS.get(token.type, "") in (None, *kinds):
            return f"{_missing(place) or 'a name'} is missing before {found}", None
        name = f"{token.text}_"
        return f"{found} is a word of the language and cannot be a name", f"call it `{name}` or another name"
    if token.type == "TIMES" and "NAME" in place.expected:
        return f"{found} means a repeat and cannot be a name", "x and a number repeat what stands before them"
    if token.type == "EQUAL" and kinds == ["NAME"] and not _is(place.following, "MORE"):
        name = shown(place.begun[-1].text)
        return f"{found} cannot follow a name here", f"`let {name} = ...` names a value, `... as {name}` names a layer"
    missing = _missing(place)
    help = _advice(place) or (f"{missing} is expected here" if missing else None)
    return f"{found} cannot follow `{shown(previous.text)}`", help


def _at_the_beginning(place: Place, found: str) -> tuple[str, str | None]:
    token = place.token
    if "USE" in place.expected:
        help = "a file holds `net`, `block`, `use`, `let` and `default`"
        return f"{found} cannot begin a definition", _FOREIGN_DEFINITIONS.get(token.text, help)
    if token.type in _DEFINITION_WORDS:
        return f"{found} cannot stand inside a body", "definitions stand side by side; close the one above with `}`"
    if token.type == "ARROW":
        return f"nothing stands before this {found}", "a chain begins with an element, not with `->`"
    if token.type in ("TIMES", "X"):
        return f"{found} cannot begin a statement", f"it stands after what it repeats: `(...) {shown(token.text)}`"
    if token.type == "LBRACE":
        return f"{found} cannot begin a statement", "a body follows `if`, `else` or `for`"
    return f"{found} cannot begin a statement", f"{_ELEMENT} or a word like `let` is expected here"


def _advice(place: Place) -> str | None:
    """How to mend what people write who come from elsewhere, or who forget a sign."""
    token, kinds = place.token, place.kinds
    kind, before, first = token.type, kinds[-1], kinds[0]
    if kind == "DOC":
        return "`##` stands before a whole statement; here, write a comment with one `#`"
    if kind == "EQUAL" and _is(place.following, "MORE"):
        return "write `->`"
    if kind == "STAR" and before == "STAR":
        return "there is no power; multiply"
    if kind == "EQUAL" and (first in ("IF", "EXPECT") or "IF" in kinds):
        return "`==` compares"
    if first == "INPUT" and kind in ("COMMA", "NUMBER", "SIZE", "NAME") and before in ("NUMBER", "SIZE", "CAPITAL"):
        return "the sizes of a shape are joined by x, as in 3x32x32"
    if kind == "COLON" and place.inside("LPAR", "RPAR"):
        defining = first in _DEFINITION_WORDS
        return "a default is written `name=value`" if defining else "an argument is named with `=`"
    if kind == "COMMA" and first in ("NAME", "DEFAULT") and not place.inside("LPAR", "RPAR"):
        return "arguments stand side by side without commas, or with commas in parentheses: `conv(64, k=3)`"
    if kind == "LBRACE" and "ARROW" in place.expected:
        repeats = place.begun[0].text in ("repeat", "while", "loop", "times")
        return "a repeat is written `( ... ) x3`" if repeats else "a body follows `if`, `else` or `for`"
    if kind == "BAR" and not place.inside("LPAR", "RPAR"):
        return "branches stand in parentheses: `( a | b )`"
    if kind == "LSQB" and before in ("ARROW", "BAR"):
        return "branches are written `( a | b )`"
    if kind == "NAME" and token.text in ("elif", "elsif", "elseif"):
        return "write `else if`"
    if "NEWLINE" not in place.expected:
        return None
    if kind in ("NAME", "LPAR", "IF", "FOR", "IN") and "ARROW" in place.expected:
        return "put `->` before it, or begin a new line"
    if kind in _STATEMENT_WORDS or kind == "NAME":
        return "begin a new line before it"
    if kind == "ARROW":
        return "elements are put together in a line of their own, inside a `net` or a `block`"
    return "the statement could end here"


def _is(token: Token | None, kind: str) -> bool:
    return token is not None and token.type == kind


def _found(token: Token) -> str:
    if token.type == "$END":
        return "the end of the text"
    if token.type == "NEWLINE":
        return "the end of the line"
    if token.type == "DOC":
        return "a doc comment (`##`)"
    return f"`{shown(token.text)}`" if token.text else "the end of the bracket"


def _missing(place: Place) -> str | None:
    """What could stand here, where it is one thing or a few."""
    expected = place.expected
    if expected >= {"NAME", "NUMBER", "LSQB"} and "ARROW" not in expected:
        return _VALUE
    if expected >= {"NAME", "LPAR"} and "ARROW" not in expected:
        return _ELEMENT
    wanted = [_SIGNS[kind] for kind in _SIGNS if kind in expected]
    wanted += [f"`{kind.lower()}`" for kind in sorted(expected & _WORDS)]
    if not 0 < len(wanted) <= 4 or "NEWLINE" in expected:
        return None
    return wanted[0] if len(wanted) == 1 else ", ".join(wanted[:-1]) + " or " + wanted[-1]
