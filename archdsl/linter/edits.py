"""Edits of a spec's text: one argument of one element."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.linter.model import Edit
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse

if TYPE_CHECKING:
    from archdsl.source import Span

_HEAD = "block a() {\n"


def with_argument(span: Span, words: tuple[str, ...], name: str, value: str) -> Edit | None:
    """The edit by which an element has that argument; None where it is not written as one of the words, or has a value
    for it that is no plain yes, no or number.
    """
    call = _call(span.text)
    if call is None or call.name.text not in words:
        return None
    start = span.start - len(_HEAD)
    for argument in call.arguments:
        if argument.name is not None and argument.name.text == name:
            if isinstance(argument.value, tree.Constant | tree.Number):
                return start + argument.value.start, start + argument.value.end, value
            return None
    if span.text[len(call.name.text) :].startswith("("):  # conv(64, k=3)
        inside = span.text[len(call.name.text) + 1 : -1].strip()
        comma = "" if not inside or inside.endswith(",") else ", "
        return span.end - 1, span.end - 1, f"{comma}{name}={value}"
    return span.end, span.end, f" {name}={value}"


def _call(text: str) -> tree.Call | None:
    """The element that a text is."""
    parsed = parse(Source("", f"{_HEAD}{text}\n}}\n"))
    if parsed.diagnostics or not isinstance(block := parsed.file.definitions[0], tree.Block):
        return None
    statements = block.body.statements
    line = statements[0] if len(statements) == 1 else None
    if not isinstance(line, tree.Line) or len(line.chain.elements) != 1:
        return None
    element = line.chain.elements[0]
    return element if isinstance(element, tree.Call) else None


def without(span: Span) -> Edit | None:
    """The edit that takes an element out of its chain, where it stands as `-> element` and nothing hangs on it."""
    text = span.source.text
    arrow = start_of_blank(text, span.start) - 2
    after = text[span.end : span.end + 80].lstrip()
    if text[max(arrow, 0) : arrow + 2] != "->" or after.startswith(("as ", ":", "x", "(")):
        return None
    return start_of_blank(text, arrow), span.end, ""


def start_of_blank(text: str, end: int) -> int:
    """Where the blank begins that ends at an offset."""
    while end > 0 and text[end - 1].isspace():
        end -= 1
    return end
