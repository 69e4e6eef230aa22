"""Comments that switch rules off: `# lint: off bias-before-norm - as published`.

Behind an element the comment is about its line; on a line of its own about what stands below, be it a statement, a
block or a network; and as `# lint file: off ...` about the whole file.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from archdsl.diagnostics.model import nearest, warning
from archdsl.linter.model import Edit
from archdsl.linter.rules import SLUGS
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.diagnostics.model import Diagnostic
    from archdsl.syntax.parser import Parsed

FORM = "# lint: off RULE, RULE - reason"

_LINT = re.compile(r"#\s*lint\b(?P<file>\s+file)?\s*:(?P<body>.*)", re.DOTALL)
_OFF = re.compile(r"\s*off\s+(?P<rules>[\w-]+(?:\s*,\s*[\w-]+)*)(?:\s+(?:-|because\b).*)?\s*", re.DOTALL)


Kind: TypeAlias = Literal["line", "below", "file"]


class Switch(NamedTuple):
    """A rule that a comment switches off, within a stretch of its source."""

    rule: str
    comment: Span
    kind: Kind
    start: int
    end: int
    definition: str | None = None
    """The network that it is about, if it stands above one: then about all that the network is made of."""


class Switches(NamedTuple):
    """The switches of a file, and what is wrong with those that cannot be understood."""

    known: tuple[Switch, ...]
    problems: tuple[Diagnostic, ...]


def read_switches(parsed: Parsed) -> Switches:
    """The switches in the comments of a file."""
    source = parsed.source
    known: list[Switch] = []
    problems: list[Diagnostic] = []
    reading: _Below | None = None
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
        reading = reading or _Below(parsed)
        place = reading.place(token.start, whole=found["file"] is not None)
        offset = token.start + found.start("body") + off.start("rules")
        rules: list[str] = []
        for word in re.finditer(r"[\w-]+", off["rules"]):
            rule = word[0]
            if rule in SLUGS:
                rules.append(rule)
                continue
            near = nearest(rule, SLUGS)
            at = Span(source, offset + word.start(), offset + word.end())
            help = f"did you mean `{near}`?" if near else "docs/lint.md lists the rules"
            problems.append(warning("bad-switch", f"there is no rule {rule}", at, help=help))
        known += [Switch(rule, span, *place) for rule in dict.fromkeys(rules)]
    return Switches(tuple(known), tuple(problems))


class Index:
    """The switches of a file, found by the rule and the place."""

    def __init__(self, switches: Switches) -> None:
        self.switches = switches
        self._files: dict[str, list[Switch]] = {}
        self._networks: dict[tuple[str, int], list[Switch]] = {}
        self._alike: dict[tuple[str, int, int], list[Switch]] = {}
        self._lines: dict[tuple[str, int], list[tuple[str, int, int]]] = {}
        for switch in switches.known:
            if switch.kind == "file":
                self._files.setdefault(switch.rule, []).append(switch)
                continue
            if switch.definition is not None:
                self._networks.setdefault((switch.rule, switch.start), []).append(switch)
            self._alike.setdefault((switch.rule, switch.start, switch.end), []).append(switch)
        for key, (first, *_) in self._alike.items():
            source = first.comment.source
            lines = range(source.position(first.start).line, source.position(max(first.start, first.end - 1)).line + 1)
            for number in lines:  # statements, blocks and networks nest no deeper than that
                self._lines.setdefault((first.rule, number), []).append(key)

    def of_network(self, rule: str, start: int) -> list[Switch]:
        """Those above the definition that begins there."""
        return self._networks.get((rule, start), [])

    def at(self, rule: str, span: Span) -> list[Switch]:
        """Those that are about an element."""
        found = list(self._files.get(rule, ()))
        if self._lines:
            for key in self._lines.get((rule, span.line), ()):
                if key[1] <= span.start < key[2]:
                    found += self._alike[key]
        return found


class _Below:
    """What stands in the line of a comment, or else below it."""

    def __init__(self, parsed: Parsed) -> None:
        self.source = parsed.source
        self.stretches = dict(_stretches(parsed))
        lines = len(self.source.line_starts)
        self.written = [0] * (lines + 1)
        """For each line the next below it that has more than a comment; 0 where there is none."""
        for number in range(lines - 1, 0, -1):
            is_code = self.source.line(number + 1).lstrip()[:1] not in ("", "#")
            self.written[number] = number + 1 if is_code else self.written[number + 1]

    def place(self, start: int, whole: bool) -> tuple[Kind, int, int, str | None]:
        """What a comment is about: kind, start and end of the stretch, and of a network its name."""
        source = self.source
        if whole:
            return "file", 0, len(source.text), None
        number = source.position(start).line
        first = source.line_starts[number - 1]
        if source.text[first:start].strip():
            return "line", first, first + len(source.line(number)), None
        below = self.written[number]
        if not below:
            return "below", start, start, None
        line = source.line(below)
        first = source.line_starts[below - 1]
        begin = first + len(line) - len(line.lstrip())
        end, definition = self.stretches.get(begin, (0, None))
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
    start = comment.start
    while start > 0 and text[start - 1] in " \t":
        start -= 1
    own_line = start == 0 or text[start - 1] == "\n"
    end = comment.end + 1 if own_line and text[comment.end : comment.end + 1] == "\n" else comment.end
    return start, end, ""


def lines_with(starts: list[int], switch: Switch) -> bool:
    """Whether one of some sorted offsets is what a switch is about."""
    at = bisect_left(starts, switch.start)
    return switch.kind == "file" or (at < len(starts) and starts[at] < switch.end)
