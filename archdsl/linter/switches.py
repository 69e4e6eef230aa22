"""Comments that switch rules off: `# lint: off bias-before-norm - as published`.

Behind an element the comment is about its line; on a line of its own about what stands below, be it a statement, a
block or a network; and as `# lint file: off ...` about the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple

from archdsl.diagnostics.model import nearest, warning
from archdsl.linter.model import Edit
from archdsl.linter.rules import SLUGS
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.diagnostics.model import Diagnostic
    from archdsl.source import Source
    from archdsl.syntax.parser import Parsed

FORM = "# lint: off RULE, RULE - reason"

_LINT = re.compile(r"#\s*lint\b(?P<file>\s+file)?\s*:(?P<body>.*)", re.DOTALL)
_OFF = re.compile(
    r"\s*off\s+(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+(?:-+|because\b)\s*(?P<reason>.*\S))?\s*", re.DOTALL
)


class Switch(NamedTuple):
    """A rule that a comment switches off, within a stretch of its source."""

    rule: str
    comment: Span
    kind: Literal["line", "below", "file"]
    start: int
    end: int
    definition: str | None = None
    """The network that it is about, if it stands above one: then about all that the network is made of."""

    def covers(self, span: Span) -> bool:
        return self.kind == "file" or self.start <= span.start < self.end


class Switches(NamedTuple):
    """The switches of a file, and what is wrong with those that cannot be understood."""

    known: tuple[Switch, ...]
    problems: tuple[Diagnostic, ...]


def read_switches(parsed: Parsed) -> Switches:
    """The switches in the comments of a file."""
    source = parsed.source
    known: list[Switch] = []
    problems: list[Diagnostic] = []
    stretches: dict[int, tuple[int, str | None]] | None = None
    for token in parsed.comments:
        found = _LINT.fullmatch(token.text)
        if found is None:
            continue
        span = Span(source, token.start, token.end)
        off = _OFF.fullmatch(found["body"])
        if off is None:
            message = "this comment switches nothing off"
            problems.append(warning("bad-switch", message, span, help=f"write it as `{FORM}`"))
            continue
        if stretches is None:
            stretches = dict(_stretches(parsed))
        place = _place(source, token.start, stretches, whole=found["file"] is not None)
        offset = token.start + found.start("body") + off.start("rules")
        for word in re.finditer(r"[\w-]+", off["rules"]):
            rule = word[0]
            if rule not in SLUGS:
                near = nearest(rule, SLUGS)
                at = Span(source, offset + word.start(), offset + word.end())
                help = f"did you mean `{near}`?" if near else "docs/lint.md lists the rules"
                problems.append(warning("bad-switch", f"there is no rule {rule}", at, help=help))
            elif all((other.rule, other.comment) != (rule, span) for other in known):
                known.append(Switch(rule, span, *place))
    return Switches(tuple(known), tuple(problems))


def _place(
    source: Source, start: int, stretches: dict[int, tuple[int, str | None]], whole: bool
) -> tuple[Literal["line", "below", "file"], int, int, str | None]:
    """What a comment is about."""
    if whole:
        return "file", 0, len(source.text), None
    number = source.position(start).line
    first = source.line_starts[number - 1]
    if source.text[first:start].strip():
        return "line", first, first + len(source.line(number)), None
    last = len(source.line_starts)
    number += 1
    while number < last and source.line(number).lstrip()[:1] in ("", "#"):
        number += 1
    if number > last:
        return "below", start, start, None
    line = source.line(number)
    first = source.line_starts[number - 1]
    begin = first + len(line) - len(line.lstrip())
    end, definition = stretches.get(begin, (0, None))
    return "below", begin, max(end, first + len(line)), definition


def _stretches(parsed: Parsed) -> Iterator[tuple[int, tuple[int, str | None]]]:
    """Where statements and definitions begin, where they end, and of a network its name."""
    for definition in parsed.file.definitions:
        body = getattr(definition, "body", None)
        for statement in body.statements if isinstance(body, tree.Body) else ():
            yield statement.start, (statement.end, None)
        is_net = isinstance(definition, tree.Net | tree.Variant)
        yield definition.start, (definition.end, definition.name.text if is_net else None)  # type: ignore[union-attr]


def removed(comment: Span, unused: frozenset[str], rules: tuple[str, ...]) -> Edit:
    """The edit by which a comment no longer names rules that it need not."""
    text = comment.source.text
    left = [rule for rule in rules if rule not in unused]
    if left:
        off = re.search(r"off\s+([\w-]+(?:\s*,\s*[\w-]+)*)", comment.text)
        assert off is not None
        return comment.start + off.start(1), comment.start + off.end(1), ", ".join(left)
    start = len(text[: comment.start].rstrip(" \t"))
    own_line = start == 0 or text[start - 1] == "\n"
    end = comment.end + 1 if own_line and text[comment.end : comment.end + 1] == "\n" else comment.end
    return start, end, ""


def lines_with(starts: list[int], switch: Switch) -> bool:
    """Whether one of some sorted offsets is what a switch is about."""
    at = bisect_left(starts, switch.start)
    return switch.kind == "file" or (at < len(starts) and starts[at] < switch.end)
