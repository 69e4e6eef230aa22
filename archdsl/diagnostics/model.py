"""What a finding is: a code, a message, the place, what else to look at, and help."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from archdsl import limits

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archdsl.source import Span

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Label:
    """A second place that explains the first."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """An edit that mends the finding: `span` is replaced by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `code` is a readable slug that `archdsl explain` knows. `message` says what, in lower case and without a final
    period; `label` stands under the place itself; only `help` says how to mend it. `notes` carry the arithmetic, the
    trail through blocks and repeats, and other facts.
    """

    code: str
    message: str
    span: Span
    severity: Severity = "error"
    label: str = ""
    labels: tuple[Label, ...] = ()
    notes: tuple[str, ...] = ()
    help: str | None = None
    fix: Fix | None = None

    def until(self, end: int) -> Diagnostic:
        """The same finding with its place reaching to another offset."""
        return replace(self, span=self.span._replace(end=end))

    @property
    def is_error(self) -> bool:
        return self.severity == "error"

    def __str__(self) -> str:
        return f"{self.span}: {self.severity}[{self.code}]: {self.message}"


def error(
    code: str,
    message: str,
    span: Span,
    *,
    label: str = "",
    labels: Iterable[Label] = (),
    notes: Iterable[str] = (),
    help: str | None = None,
    fix: Fix | None = None,
) -> Diagnostic:
    """A finding that refuses the spec: built, it would fail."""
    return Diagnostic(
        code, _cut(message), span, "error", label, tuple(labels), _all_cut(notes), help and _cut(help), fix
    )


def warning(
    code: str,
    message: str,
    span: Span,
    *,
    label: str = "",
    labels: Iterable[Label] = (),
    notes: Iterable[str] = (),
    help: str | None = None,
    fix: Fix | None = None,
) -> Diagnostic:
    """A finding about a spec that runs but hardly as meant."""
    return Diagnostic(
        code, _cut(message), span, "warning", label, tuple(labels), _all_cut(notes), help and _cut(help), fix
    )


def _cut(text: str) -> str:
    """The text, or its beginning: a name or a list in it may be as long as a file."""
    return text if len(text) <= limits.MESSAGE_CHARACTERS else f"{text[: limits.MESSAGE_CHARACTERS]}…"


def _all_cut(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple([_cut(text) for text in texts])


def in_order(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Each finding once, in the order of the sources' text; sources stay in the order in which they came up."""
    sources: dict[int, int] = {}
    unique: dict[tuple[object, ...], Diagnostic] = {}
    for diagnostic in diagnostics:
        sources.setdefault(id(diagnostic.span.source), len(sources))
        span = diagnostic.span
        unique.setdefault((diagnostic.code, id(span.source), span.start, span.end, diagnostic.message), diagnostic)

    def place(diagnostic: Diagnostic) -> tuple[int, int, int]:
        return (sources[id(diagnostic.span.source)], diagnostic.span.start, diagnostic.span.end)

    return tuple(sorted(unique.values(), key=place))


def _alike(word: str, known: Iterable[str]) -> list[str]:
    """The names that are compared with a misspelt one: those of about its length, and not endlessly many."""
    if len(word) > limits.NAME_CHARACTERS:
        return []
    length = len(word)
    candidates = {name for name in known if length // 3 <= len(name) <= 3 * length}
    if len(candidates) > limits.SUGGESTIONS:
        candidates = {name for name in candidates if name[:1] == word[:1] and abs(len(name) - length) <= 1}
    return sorted(candidates)[: limits.SUGGESTIONS]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that a misspelt one most likely stands for, or None."""
    candidates = _alike(word, known)
    from difflib import get_close_matches  # only a mistake needs it

    matches = get_close_matches(word, candidates, n=1, cutoff=0.6)
    if not matches:
        matches = get_close_matches(word.lower(), candidates, n=1, cutoff=0.6)
    return matches[0] if matches else None
