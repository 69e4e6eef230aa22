"""What to say about a token that does not fit: what was found, and what would mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.syntax.tokens import Token

_STATEMENT_WORDS = {"USE", "NET", "BLOCK", "INPUT", "OUTPUT", "LET", "DEFAULT", "SHARE", "EXPECT"}
_WORDS = _STATEMENT_WORDS | {"FROM", "TAKES", "WHEN", "IF", "ELSE", "FOR", "IN", "AS", "AND", "OR", "NOT", "YES", "NO"}
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


def describe(
    token: Token, previous: Token | None, begun: Sequence[Token], expected: set[str]
) -> tuple[str, str | None]:
    """The message and the help for a token that cannot stand where it does.

    `begun` are the tokens of the statement so far, `expected` the terminals that could stand here.
    """
    found = _found(token)
    kinds = [t.type for t in begun if t.type != "DOC"]
    if token.type == "CAPITAL":
        return f"{found} begins with a capital letter", f"names are written small: `{token.text.lower()}`"
    if token.type == "EQUAL" and kinds == ["NAME"]:
        name = begun[-1].text
        return f"{found} cannot follow a name here", f"`let {name} = ...` names a value, `... as {name}` names a layer"
    if token.type in _WORDS and "NAME" in expected and not _continues(expected):
        return f"{found} is a word of the language and cannot be a name", f"call it `{token.text}_` or another name"
    if token.type in ("NET", "BLOCK") and "RBRACE" in expected:
        return f"{found} cannot stand inside a body", "close the body above with `}`"
    if previous is None or not kinds:
        if expected >= {"NET", "BLOCK"}:
            return f"{found} cannot begin a definition", "a file holds `net`, `block`, `use`, `let` and `default`"
        return f"{found} cannot begin a statement", _needs(expected)
    if token.type == "TIMES" and "NAME" in expected:
        return f"{found} means a repeat and cannot be a name", "x followed by a number repeats what stands before it"
    return f"{found} cannot follow `{previous.text}`" if previous.text.strip() else f"{found} is unexpected", (
        _needs(expected)
    )


def _continues(expected: set[str]) -> bool:
    return "ARROW" in expected


def _found(token: Token) -> str:
    if token.type == "$END":
        return "the end of the text"
    if token.type == "NEWLINE":
        return "the end of the line"
    if token.type == "DOC":
        return "a doc comment (`##`)"
    text = token.text if len(token.text) <= 40 else token.text[:37] + "..."
    return f"`{text}`" if text else "the end of the bracket"


def _needs(expected: set[str]) -> str | None:
    """The few things that could stand here, where they are few."""
    if expected >= {"NAME", "NUMBER", "LSQB"} and "ARROW" not in expected:
        return "a value is missing: a number, a name, a list or an expression"
    if "LPAR" in expected and "NAME" in expected and "ARROW" not in expected:
        return "an element is missing: a layer, a block, a value or ( )"
    wanted = [_SIGNS[kind] for kind in _SIGNS if kind in expected]
    words = [f"`{kind.lower()}`" for kind in sorted(expected & _WORDS)]
    both = wanted + words
    if not both or len(both) > 6:
        return None
    listed = both[0] if len(both) == 1 else ", ".join(both[:-1]) + " or " + both[-1]
    return f"here could stand {listed}"
