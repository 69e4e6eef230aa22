"""What pyproject.toml says of the linter, in the table [tool.archdsl.lint]."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, fields, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, error, nearest
from archdsl.linter.model import Options
from archdsl.linter.rules import DEFAULT, SLUGS
from archdsl.source import Source, Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

ALL = "all"
_OPTIONS = {each.name.replace("_", "-"): each.name for each in fields(Options)}
_KEYS = ("select", "ignore", "per-file-ignores", *_OPTIONS)


@dataclass(frozen=True, slots=True)
class Config:
    """Which rules look at which files, and the numbers that they go by."""

    select: frozenset[str] = DEFAULT
    ignore: frozenset[str] = frozenset()
    per_file_ignores: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Rules that are ignored in files, by a pattern of their paths from `folder` on."""
    folder: Path | None = None
    """Where pyproject.toml stands."""
    options: Options = field(default_factory=Options)
    problems: tuple[Diagnostic, ...] = ()
    """What is wrong with the table; then nothing should be looked at."""

    def rules(self, source: Source) -> frozenset[str]:
        """The rules that look at a file."""
        ignored = set(self.ignore)
        file = None if source.folder is None else Path(source.folder, Path(source.name).name)
        for pattern, rules in self.per_file_ignores.items():
            if file is not None and self._matches(file, pattern):
                ignored |= rules
        return self.select - ignored

    def _matches(self, file: Path, pattern: str) -> bool:
        try:
            inside = file.resolve().relative_to(self.folder or Path()).as_posix()
        except (OSError, ValueError):
            return False
        return fnmatch(inside, pattern) or fnmatch(file.name, pattern)

    def with_rules(self, select: Iterable[str] = (), ignore: Iterable[str] = ()) -> Config:
        """This configuration with the rules that are asked for instead, and without some more.

        Raises:
            ValueError: for what is no rule; the text says what was meant.
        """
        chosen, without = set(select), set(ignore)
        for word in sorted(chosen | without):
            if word not in SLUGS and word != ALL:
                raise ValueError(f"there is no rule {word}; {_meant(word)}")
        selected = (frozenset(SLUGS) if ALL in chosen else frozenset(chosen)) if chosen else self.select
        ignored = frozenset(SLUGS) if ALL in without else frozenset(without)
        kept = self.ignore - selected if chosen else self.ignore  # what is asked for by name is wanted
        return replace(self, select=selected, ignore=kept | ignored)


def _meant(word: str) -> str:
    near = nearest(word, SLUGS)
    return f"did you mean {near}?" if near else "docs/lint.md lists the rules"


def config_of(source: Source) -> Config:
    """The table of the nearest pyproject.toml that has one, in the folder of a file or one around it."""
    if source.folder is None:
        return Config()
    try:
        start = Path(source.folder).resolve()
    except OSError:
        return Config()
    for at in (start, *start.parents):
        path = at / "pyproject.toml"
        try:
            if not path.is_file():
                continue
            if path.stat().st_size > limits.FILE_BYTES:
                return _broken(Source(str(path), ""), 0, f"it is larger than {limits.FILE_BYTES:,} bytes")
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as problem:
            return _broken(Source(str(path), ""), 0, f"it is not UTF-8 text (byte {problem.start})")
        except OSError:  # one that we may not read is none of ours
            continue
        if (found := read_config(Source(str(path), text), at)) is not None:
            return found
    return Config()


def read_config(source: Source, folder: Path) -> Config | None:
    """The table of a pyproject.toml; None where it has none."""
    try:
        table: Any = tomllib.loads(source.text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        at = re.search(r" ?\(at line (\d+), column (\d+)\)$", str(problem))
        start = source.line_starts[int(at[1]) - 1] + int(at[2]) - 1 if at else len(source.text)
        reason = str(problem)[: at.start()] if at else str(problem)
        return _broken(source, min(start, len(source.text)), reason[:1].lower() + reason[1:])
    for name in ("tool", "archdsl", "lint"):
        if not isinstance(table, dict) or name not in table:
            return None
        table = table[name]
    return _Reading(source).config(table, folder)


def _broken(source: Source, at: int, reason: str) -> Config:
    message = f"cannot read {source.name}: {reason}"
    return Config(problems=(error("bad-config", message, Span(source, at, at)),))


class _Reading:
    """Reads a table, and keeps what is wrong with it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        head = re.search(r"^\s*\[\s*tool\s*\.\s*archdsl\b[^\n]*", source.text, re.MULTILINE)
        self.head = (head.start(), head.end()) if head else (0, 0)

    def config(self, table: object, folder: Path) -> Config:
        if not isinstance(table, dict):
            self.wrong("lint", "lint must be a table, [tool.archdsl.lint]")
            return Config(problems=tuple(self.problems))
        options = Options()
        for key, value in table.items():
            if key not in _KEYS:
                near = nearest(key, _KEYS)
                help = f"did you mean {near}?" if near else f"it takes {', '.join(_KEYS)}"
                self.wrong(key, f"[tool.archdsl.lint] has no {key}", help)
            elif key in _OPTIONS:
                options = self.option(key, value, options)
        select, ignore = self.rules(table, "select"), self.rules(table, "ignore")
        by_file = table.get("per-file-ignores", {})
        if not isinstance(by_file, dict):
            self.wrong("per-file-ignores", "per-file-ignores must be a table of patterns, each with its rules")
            by_file = {}
        return Config(
            DEFAULT if select is None else select,
            ignore or frozenset(),
            {pattern: self.rules(by_file, pattern) or frozenset() for pattern in by_file},
            folder,
            options,
            tuple(self.problems),
        )

    def option(self, key: str, value: object, options: Options) -> Options:
        name = _OPTIONS[key]
        is_share = isinstance(getattr(options, name), float)
        kinds = (int, float) if is_share else (int,)
        if not isinstance(value, kinds) or isinstance(value, bool) or not (0 <= value <= 1 if is_share else value >= 1):
            needed = "a number between 0 and 1" if is_share else "a whole number of at least 1"
            self.wrong(key, f"{key} must be {needed}")
            return options
        return replace(options, **{name: value})  # type: ignore[arg-type]  # as its kind has been seen to be

    def rules(self, table: Mapping[str, object], key: str) -> frozenset[str] | None:
        """The rules that a list names; None where there is no list."""
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(key, f'{key} must be a list of rules, ["bias-before-norm"]')
            return None
        for word in value:
            if word not in SLUGS and word != ALL:
                self.wrong(word, f"there is no rule {word}", _meant(word))
        return frozenset(SLUGS) if ALL in value else frozenset(value) & frozenset(SLUGS)

    def wrong(self, word: str, message: str, help: str | None = None) -> None:
        """A finding at a word of the table, or else at its head."""
        at = self.source.text.find(word, self.head[1])
        start, end = (at, at + len(word)) if word and at >= 0 else self.head
        self.problems.append(error("bad-config", message, Span(self.source, start, end), help=help))
