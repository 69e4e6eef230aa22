"""Text to syntax tree, with every mistake in the text put down and none stopping the reading."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, error, in_order
from archdsl.source import Source, Span
from archdsl.syntax import tree
from archdsl.syntax.expected import Place, describe, ends_in_percent, leads_nowhere
from archdsl.syntax.tables import load_tables
from archdsl.syntax.tokens import CLOSERS, OPENERS, Scanner, Token, Tokens, scanner, tokenize
from archdsl.syntax.tree_builder import TreeBuilder, too_deep

if TYPE_CHECKING:
    from collections.abc import Callable, KeysView

_BEGIN_DEFINITION = {"DOC", "USE", "NET", "BLOCK", "LET", "DEFAULT"}


@dataclass(frozen=True, eq=False)
class Parsed:
    """A source, its tree, its comments, and what was wrong with it."""

    source: Source
    file: tree.File
    comments: tuple[Token, ...]
    diagnostics: tuple[Diagnostic, ...]


def parse(source: Source, read: Tokens | None = None) -> Parsed:
    """Reads a spec. Never raises for what the text says: a part that cannot be read becomes a Mistake in the tree.

    `read` are its tokens, where they are known; the parser puts the end of the text behind them.
    """
    if len(source.text) > limits.FILE_CHARACTERS:
        message = f"the text has {len(source.text):,} characters, more than {limits.FILE_CHARACTERS:,}"
        problem = error("too-large", message, Span(source, 0, 0), help="split it into files and `use` them")
        return Parsed(source, tree.File(0, 0, ()), (), (problem,))
    read = read or read_tokens(source)
    reading = _Reading(source, read)
    file = reading.run()
    problems = reading.builder.problems
    if (read.depth + 1) * (reading.builder.longest + 4) > limits.TREE_DEPTH:
        file = too_deep(file, source, problems)
    return Parsed(source, file, tuple(read.comments), in_order([*read.problems, *reading.problems, *problems]))


def read_tokens(source: Source) -> Tokens:
    """The tokens and the comments of a source."""
    return tokenize(source, _automaton().scanner)


class _Reading:
    """One run of the LALR automaton over the tokens, with recovery."""

    def __init__(self, source: Source, read: Tokens) -> None:
        self.source = source
        self.read = read
        self.builder = TreeBuilder(source)
        self.problems: list[Diagnostic] = []
        self.found = sorted(problem.span.start for problem in read.problems)
        self.doubtful = _joined(read.doubtful)
        self.rows, self.gotos, _ = _automaton()
        self.states = [0]
        self.values: list[Any] = []

    def run(self) -> tree.File:
        tokens = self.read.tokens
        end = len(self.source.text)
        tokens.append(Token("$END", "", end, end))
        at = self.feed(tokens, 0)
        while at < len(tokens):
            at = self.feed(tokens, self.recover(tokens, at))
        file: tree.File = self.values[0]
        return file

    def feed(self, tokens: list[Token], at: int) -> int:
        """Feeds the tokens from `at` on; the index of the first that does not fit, or else their number."""
        rows, gotos, states, values, builder = self.rows, self.gotos, self.states, self.values, self.builder
        row = rows[states[-1]]
        count = len(tokens)
        while at < count:
            token = tokens[at]
            kind = token[0]
            while True:
                action = row.get(kind)
                if type(action) is int:
                    states.append(action)
                    values.append(token)
                    row = rows[action]
                    at += 1
                    break
                if action is None:
                    return at
                size, origin, make, spliced = action  # type: ignore[misc]  # it is no int
                if make is None:  # one child stands for itself
                    del states[-1]
                elif size == 1 and not spliced:
                    del states[-1]
                    values[-1] = make(builder, [values[-1]])
                else:
                    children = []
                    if size:
                        children = values[-size:]
                        del states[-size:], values[-size:]
                    if spliced:
                        children = _splice(children, spliced)
                    values.append(children if make is _together else make(builder, children))
                state = gotos[states[-1]][origin]
                states.append(state)
                row = rows[state]
        return at

    def recover(self, tokens: list[Token], at: int) -> int:
        """Puts down what is wrong at a token, replaces the statement by a mistake, and says where to read on.

        The automaton goes back to the last place where a statement or a definition could stand; the rest of the
        statement is skipped, its brackets with it.
        """
        rows, states, values = self.rows, self.states, self.values
        token = tokens[at]
        self.report(tokens, at, rows[states[-1]].keys())
        if token.type == "NEWLINE" and tokens[at + 1].type == "LBRACE" and "LBRACE" in rows[states[-1]]:
            return at + 1  # a body whose brace stands on the next line
        if "NEWLINE" in rows[states[-1]] and at and tokens[at - 1].type == "RBRACE":
            self.feed([Token("NEWLINE", "", token.start, token.start)], 0)  # what ends with a body is whole
        depth = 0
        start = token.start
        place = "USE" if token.type == "$END" else "MISTAKE"  # at the end of the text, only a definition will do
        while depth < 0 or "MISTAKE" not in rows[states[-1]] or place not in rows[states[-1]]:
            states.pop()
            value = values.pop()
            if type(value) is Token:
                depth += (value.type in OPENERS) - (value.type in CLOSERS)
            start = getattr(value, "start", start)
        defining = "USE" in rows[states[-1]]
        while (kind := tokens[at].type) != "$END":
            ends = depth <= 0 and (kind == "NEWLINE" or kind == "RBRACE")
            if ends and not (defining and tokens[at + 1].type not in _BEGIN_DEFINITION):
                break
            depth += (kind in OPENERS) - (kind in CLOSERS)
            at += 1
        stop = tokens[at].start
        self.feed([Token("MISTAKE", "", min(start, stop), stop)], 0)
        if tokens[at].type == "RBRACE" and "RBRACE" not in rows[states[-1]]:
            at += 1  # it closes nothing here
        return at

    def report(self, tokens: list[Token], at: int, expected: KeysView[str]) -> None:
        token = tokens[at]
        if self.is_doubtful(token) or len(self.problems) >= limits.PROBLEMS:
            return
        first = at
        while first > 0 and tokens[first - 1].type not in ("NEWLINE", "LBRACE"):
            first -= 1
        line_end = self.source.text.find("\n", token.end)
        line_end = len(self.source.text) if line_end < 0 else line_end
        reported = bisect_left(self.found, tokens[first].start)
        if reported < len(self.found) and self.found[reported] <= line_end:
            return  # a character that could not be read has been reported here
        previous = tokens[at - 1] if at > 0 else None
        following = tokens[at + 1] if at + 1 < len(tokens) else None
        is_percent = ends_in_percent(tokens[first:at])
        message, help = describe(Place(token, previous, following, tokens[first:at], expected))
        if previous is not None and (leads_nowhere(previous, token) or is_percent):
            span = Span(self.source, previous.start, previous.end)
        elif token.type in ("NEWLINE", "$END") and previous is not None:
            span = Span(self.source, previous.end, previous.end)
        else:
            span = Span(self.source, token.start, token.end)
        self.problems.append(error("syntax", message, span, help=help))

    def is_doubtful(self, token: Token) -> bool:
        """Whether a token stands in a bracket that is never closed, or is the bracket put in to close it."""
        at = bisect_right(self.doubtful, (token.start, len(self.source.text) + 1)) - 1
        inside = at >= 0 and token.start < self.doubtful[at][1]
        return inside or (token.text == "" and token.type in CLOSERS)


def _joined(stretches: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The stretches in order, those that overlap made one."""
    joined: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _splice(children: list[Any], at: tuple[int, ...]) -> list[Any]:
    """The children with those at the given places taken apart; a list at the first place is grown, not copied."""
    if at[0] == 0:
        whole: list[Any] = children[0]
        if len(at) == 1:
            whole += children[1:]
            return whole
        done = 1
    else:
        whole, done = [], 0
    for place in at[at[0] == 0 :]:
        whole += children[done:place]
        whole += children[place]
        done = place + 1
    whole += children[done:]
    return whole


# ---------------------------------------------------------------- the automaton


class _Reduction(NamedTuple):
    """A rule: how many values it takes, and what of the builder makes them one; without, a single one stays."""

    size: int
    origin: str
    make: Callable[[TreeBuilder, list[Any]], Any] | None
    spliced: tuple[int, ...]


class _Automaton(NamedTuple):
    rows: list[dict[str, int | _Reduction]]
    gotos: list[dict[str, int]]
    scanner: Scanner


@cache
def _automaton() -> _Automaton:
    tables = load_tables()
    reductions = []
    for origin, size, transparent, spliced in tables.reductions:
        make = _together if origin.startswith("_") else getattr(TreeBuilder, origin, None)
        assert make or (transparent and size == 1), origin
        reductions.append(_Reduction(size, origin, None if transparent and size == 1 else make, spliced))
    rows: list[dict[str, int | _Reduction]] = [
        {symbol: to if to >= 0 else reductions[~to] for symbol, to in row.items()} for row in tables.states
    ]
    rows[tables.end]["$END"] = tables.end
    return _Automaton(rows, tables.states, scanner(tables.terminals))


def _together(builder: TreeBuilder, children: list[Any]) -> list[Any]:
    return children
