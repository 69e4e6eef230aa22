"""What to say about a token that does not fit: what was found, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple

from archdsl.syntax import foreign
from archdsl.syntax.tokens import Token, shown

_DEFINITION_WORDS = {"USE", "NET", "BLOCK"}
_STATEMENT_WORDS = _DEFINITION_WORDS | {"INPUT", "OUTPUT", "LET", "DEFAULT", "SHARE", "EXPECT", "PREPROCESS", "RECIPE"}
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
    "import": 'nothing needs an import; of another spec, write `use name from "file.arch"`',
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
    return foreign.small(text)


def describe(place: Place) -> tuple[str, str | None]:
    """The message and the help for a token that cannot stand where it does."""
    token, previous, kinds = place.token, place.previous, place.kinds
    found = _found(token)
    if ends_in_percent(place.begun) and token.type != "NUMBER":
        share = f"{float(place.begun[-2].text) / 100:g}"
        return (
            "`%` is the rest of a division, and nothing stands behind it",
            f"a part is written as one of 1: `{share}`",
        )
    if token.type == "CAPITAL" and token.text in "KMGT" and previous is not None and previous.type == "NUMBER":
        return (
            f"{found} cannot follow `{shown(previous.text)}`",
            f"a scale has no space before it: `{shown(previous.text)}{token.text}`",
        )
    if token.type == "CAPITAL" and token.text in foreign.MODULES and _is(place.following, "DOT"):
        return f"{found} begins with a capital letter", foreign.alone(token.text)
    if token.type == "CAPITAL":
        return f"{found} begins with a capital letter", _written_small(token.text)
    if token.type == "ELSE":
        return "this `else` has no `if`", "`else` follows the `}` of an `if`"
    if previous is not None and leads_nowhere(previous, token):
        empty, loose = "a branch that changes nothing is `id`", "leave it out, or put an element behind it"
        return f"nothing stands behind this `{shown(previous.text)}`", empty if previous.type == "BAR" else loose
    if previous is None or not kinds:
        return _at_the_beginning(place, found)
    if _begins_a_comment(place):
        return f"{found} begins no comment", "a comment begins with `#`"
    if token.type == "ARROW" and "NEWLINE" in place.expected and kinds[0] == "INPUT" and "RBRACE" not in kinds:
        return (
            f"{found} cannot follow an input",
            "an input stands on a line of its own and flows into the next: no `->`",
        )
    if token.type in ("NEWLINE", "$END"):
        if place.following is not None and place.following.type == "LBRACE":
            return "`{` stands on a line of its own", "put it at the end of the line above"
        return f"{_missing(place) or 'something'} is missing after `{shown(previous.text)}`", None
    if token.type in _WORDS and "NAME" in place.expected and "ARROW" not in place.expected:
        if _LINKS.get(token.type, "") in (None, *kinds):
            help = "leave the `->` out" if previous.type == "ARROW" else None
            return f"{_missing(place) or 'a name'} is missing before {found}", help
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


def leads_nowhere(previous: Token, token: Token) -> bool:
    """Whether a sign that joins two elements stands before what ends a body, a bracket or a branch."""
    ends = {"ARROW": ("RBRACE", "RPAR", "BAR", "$END"), "BAR": ("RBRACE", "RPAR", "$END")}
    return token.type in ends.get(previous.type, ())


def ends_in_percent(begun: Sequence[Token]) -> bool:
    """Whether what has been read so far ends in a number of percent: `dropout 50%`."""
    return (
        len(begun) > 1 and begun[-1].type == "PERCENT" and begun[-2].type == "NUMBER" and _is_percentage(begun[-2].text)
    )


def _is_percentage(text: str) -> bool:
    return text.replace(".", "", 1).isdigit() and 0 < float(text) <= 100


def _begins_a_comment(place: Place) -> bool:
    """Whether a sign was meant as the beginning of a comment, as other languages write it."""
    stars = place.token.type == "SLASH" and _is(place.following, "STAR")
    return stars or (place.token.type == "SLASHES" and not place.expected.isdisjoint({"NEWLINE", "ARROW"}))


def _near(word: str, known: Iterable[str]) -> str | None:
    """The word of the language that a misspelt one stands for; stricter than for names, since those come next."""
    from difflib import get_close_matches  # only a mistake needs it

    matches: list[str] = get_close_matches(word, sorted(known), n=1, cutoff=0.74)
    return matches[0] if matches else None


def _at_the_beginning(place: Place, found: str) -> tuple[str, str | None]:
    token = place.token
    if token.type == "SLASHES" or _begins_a_comment(place):
        return f"{found} begins no comment", "a comment begins with `#`"
    if "USE" in place.expected:
        help = "a file holds `net`, `block`, `use`, `let` and `default`"
        near = _near(token.text, ("net", "block", "use", "let", "default")) if token.type == "NAME" else None
        if near:
            return f"{found} cannot begin a definition", f"did you mean `{near}`?"
        return f"{found} cannot begin a definition", _FOREIGN_DEFINITIONS.get(token.text, help)
    if token.type in _DEFINITION_WORDS:
        return f"{found} cannot stand inside a body", "definitions stand side by side; close the one above with `}`"
    if token.type == "ARROW":
        return f"nothing stands before this {found}", "a chain begins with an element, not with `->`"
    if token.type in ("TIMES", "X"):
        return f"{found} cannot begin a statement", f"it stands after what it repeats: `(...) {shown(token.text)}`"
    if token.type == "LBRACE":
        return f"{found} cannot begin a statement", "a body follows `if`, `else` or `for`; branches are `( a | b )`"
    if token.type == "LSQB":
        return f"{found} cannot begin a statement", "branches stand in parentheses: `( a | b )`"
    if token.type == "AS":
        return f"{found} cannot begin a statement", "it stands behind what it names, on the same line: `... as name`"
    return f"{found} cannot begin a statement", f"{_ELEMENT} or a word like `let` is expected here"


def _advice(place: Place) -> str | None:
    """How to mend what people write who come from elsewhere, or who forget a sign."""
    token, kinds = place.token, place.kinds
    kind, before, first = token.type, kinds[-1], kinds[0]
    if kind == "DOC":
        return "`##` stands before a whole statement; here, write a comment with one `#`"
    if (kind == "EQUAL" and _is(place.following, "MORE")) or (kind == "MORE" and before == "EQUAL"):
        return "write `->`"
    if help := _advice_on_numbers(place):
        return help
    if kind == "EQUAL" and first == "NAME" and "ARROW" in kinds and _is(place.following, "NAME"):
        return f"a value is named behind it: `as {shown(place.following.text)}`"  # type: ignore[union-attr]  # it is one
    if kinds == ["SHARE", "NAME"] and kind != "NAME":
        return f"a shared module has a name: `share name = {shown(place.begun[-1].text)} ...`"
    if kind == "LPAR" and before == "FOR":
        return "the names stand without brackets: `for a, b in ...`"
    if kind == "COMMA" and "BAR" in place.expected and first == "LPAR":
        return "branches are separated by `|`"
    if kind == "COMMA" and first == "NAME" and _is(place.following, "NEWLINE"):
        return "leave the `,` out: a new line ends the statement"
    if (kind in ("ARROW", "MORE") and before == "MINUS") or (kind == "MORE" and "ARROW" in place.expected):
        return "an arrow is written `->`"
    if kind == "LPAR" and before == "CAPITAL" and kinds[-3:-1] == ["NAME", "DOT"]:
        return foreign.small(place.begun[-1].text)
    if kinds == ["NAME"] and kind in _MERGES and _is(place.following, "NAME"):
        one, other = shown(place.begun[-1].text), shown(place.following.text)  # type: ignore[union-attr]  # it is one
        return f"values are put together by a layer: `{one} -> {_MERGES[kind]} {other}`"
    if help := _advice_on_recipes(place):
        return help
    if kind == before == "ARROW":
        return "keep one `->`"
    if kind == before == "BAR":
        return "branches are separated by one `|`; in a condition, write `or`"
    if before == "AS" or (len(kinds) > 1 and kinds[-2] == "AS"):
        return _advice_on_names(place)
    if first == "NAME" and (near := _near(place.begun[0].text, map(str.lower, _STATEMENT_WORDS))):
        return f"did you mean `{near}`?"
    if kind == "NAME" and (near := _near(token.text, map(str.lower, place.expected & _WORDS))):
        return f"did you mean `{near}`?"
    if first == "USE" and kind == "NAME" and before == "FROM":
        whole = f"{token.text}.arch" if _is(place.following, "DOT") else "file.arch"
        return f'the file stands in quotes: `"{shown(whole)}"`'
    if first == "USE" and kind == "STAR":
        return 'name what is used: `use a, b from "file.arch"`'
    if kinds == ["NAME", "COLON", "NAME"]:
        return f"a name goes behind what it names: `{shown(place.begun[-1].text)} ... as {shown(place.begun[-3].text)}`"
    if before == "RPAR" and (help := _advice_on_repeats(place)):
        return help
    if kind == "STAR" and before == "STAR":
        return "there is no power; multiply"
    if kind == "EQUAL" and (first in ("IF", "EXPECT") or "IF" in kinds):
        return "`==` compares"
    if first == "INPUT" and kind == "AS" and _is(place.following, "NAME"):
        shape = shown("".join(token.text for token in place.begun[kinds.index("INPUT") + 1 :]))
        named = f"{shown(place.following.text)} : {shape}"  # type: ignore[union-attr]  # it is a name
        return f"the name of an input stands before its shape: `input {named}`"
    if first == "INPUT" and kind in ("COMMA", "NUMBER", "SIZE", "NAME") and before in ("NUMBER", "SIZE", "CAPITAL"):
        return "the sizes of a shape are joined by x, as in 3x32x32"
    is_in_call = place.inside("LPAR", "RPAR") and {"COMMA", "RPAR"} <= place.expected and "ARROW" not in place.expected
    if kind in ("NAME", "NUMBER", "SIZE") and is_in_call:
        return f"put a `,` between them: `{shown(place.begun[-1].text)}, {shown(token.text)}`"
    if kind == "COLON" and place.inside("LPAR", "RPAR"):
        name = shown(place.begun[-1].text)
        if first in _DEFINITION_WORDS:
            return f"a parameter has no type: `{name}`; its default is written `{name}=value`"
        return f"an argument is named with `=`: `{name}={shown(place.following.text) if place.following else 'value'}`"
    if kind == "COLON" and (first in _DEFINITION_WORDS or "IF" in kinds or "FOR" in kinds):
        return "a body stands in braces: `{ ... }`"
    if kind == "COMMA" and place.inside("LSQB", "RSQB") and "RSQB" in place.expected:
        return "put a `,` between the two lists"
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
    if kind == "IF" and "ARROW" in place.expected:
        return "put `->` before it; a condition is written `if c { a } else { b }`"
    if kind in ("NAME", "LPAR", "IF", "FOR", "IN") and "ARROW" in place.expected:
        return "put `->` before it, or begin a new line"
    if kind in _STATEMENT_WORDS or kind == "NAME":
        return "begin a new line before it"
    if kind == "ARROW":
        return "elements are put together in a line of their own, inside a `net` or a `block`"
    return "the statement could end here"


_MERGES = {"PLUS": "add", "STAR": "mul"}
"""The layer that does with values what a sign does with numbers."""


def _advice_on_recipes(place: Place) -> str | None:
    """How the lines of a recipe are written: there alone, no number and no arrow could follow what begins a line."""
    token, kinds = place.token, place.kinds
    if token.type == "NUMBER" and (kinds == ["NAME"] or kinds[0] == "RECIPE"):
        return f"what a part is given has a name: `lr={shown(token.text)}`"
    enclosed = place.inside("LPAR", "RPAR") or place.inside("LSQB", "RSQB")
    if kinds[0] not in ("NAME", "STRING", "RECIPE") or "ARROW" in place.expected or enclosed:
        return None
    if token.type == "COMMA" or (token.type == "NAME" and place.expected == {"EQUAL"}):
        return "each part stands on a line of its own"
    return None


def _advice_on_numbers(place: Place) -> str | None:
    """How numbers, ranges and sizes are written."""
    token, following, begun = place.token, place.following, place.begun
    kind, before = token.type, begun[-1]
    is_number = _is(following, "NUMBER")
    number = shown(following.text) if following is not None else ""
    if kind == "DOT" and before.type == "RANGE" and is_number:
        return f"a range has two dots: `{shown(begun[-2].text)}..{number}`"
    if kind == "DOT" and is_number:
        return f"a number begins with a digit: `0.{number}`"
    if kind == "COLON" and begun[0].type == "FOR" and before.type == "NUMBER" and is_number:
        return f"a range is written `{shown(before.text)}..{number}`"
    if kind == "COMMA" and before.text == "0" and is_number:
        return f"a number has a point: `0.{number}`"
    if kind == "NAME" and token.text == "x" and before.type == "NUMBER" and is_number:
        return f"the sizes of a shape are joined without spaces: `{shown(before.text)}x{number}`"
    if kind == "COMMA" and [t.type for t in begun[-3:]] == ["EQUAL", "LPAR", "NUMBER"] and is_number:
        return f"one number for each axis is written `{shown(before.text)}x{number}`"
    return None


def _advice_on_names(place: Place) -> str | None:
    """How a name behind `as` is mended."""
    token, following = place.token, place.following
    if token.type == "DOT" and _is(following, "NAME"):
        joined = f"{place.begun[-1].text}_{following.text}"  # type: ignore[union-attr]  # it is one
        return f"a name has letters, digits and _: `{shown(joined)}`"
    return "put `->` before it, or begin a new line" if "ARROW" in place.expected and token.type == "NAME" else None


def _advice_on_repeats(place: Place) -> str | None:
    """How a repeat is written, behind a bracket."""
    token, following = place.token, place.following
    if _calls(place.begun):
        operator = token.type in ("STAR", "SLASH", "SLASHES", "PERCENT", "PLUS", "MINUS")
        return (
            "what begins with a bracket goes inside those of the arguments: `conv((a + b) * 2)`" if operator else None
        )
    if token.type == "NUMBER":
        return f"a repeat is written with an x: `x{shown(token.text)}`"
    if token.type == "STAR" or (token.type == "NAME" and token.text == "x"):
        if _is(following, "NUMBER"):
            return f"a repeat is written `x{shown(following.text)}`"  # type: ignore[union-attr]  # it is one
        if _is(following, "NAME"):
            return f"a repeat is written `x({shown(following.text)})`"  # type: ignore[union-attr]
    return None


def _calls(begun: Sequence[Token]) -> bool:
    """Whether the bracket that has just been closed holds arguments."""
    depth = 0
    for at in range(len(begun) - 1, 0, -1):
        depth += (begun[at].type == "RPAR") - (begun[at].type == "LPAR")
        if depth == 0:
            return begun[at - 1].type == "NAME"
    return False


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
    if expected >= {"NAME", "NUMBER", "CAPITAL"}:
        return "a name or a number"
    if expected >= {"NAME", "LPAR"} and "ARROW" not in expected:
        return _ELEMENT
    wanted = [_SIGNS[kind] for kind in _SIGNS if kind in expected]
    wanted += [f"`{kind.lower()}`" for kind in sorted(expected & _WORDS)]
    if not 0 < len(wanted) <= 4 or "NEWLINE" in expected:
        return None
    return wanted[0] if len(wanted) == 1 else ", ".join(wanted[:-1]) + " or " + wanted[-1]
