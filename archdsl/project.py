"""Files and what they define: a spec, the files that it uses, and the specs that ship with the package.

A spec reads nothing but files of its own folder (and folders in it) and the shipped specs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from archdsl import limits
from archdsl.collector import paused
from archdsl.diagnostics.escape import printable
from archdsl.diagnostics.model import Diagnostic, Label, error, nearest
from archdsl.resources import specs_folder
from archdsl.source import Source, Span
from archdsl.syntax import tree
from archdsl.syntax.parser import Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

Definition: TypeAlias = tree.Net | tree.Variant | tree.Block | tree.Let


@dataclass(frozen=True, eq=False)
class Module:
    """A file's definitions by name, those that it uses from other files included, each with the file that wrote it."""

    parsed: Parsed
    definitions: Mapping[str, tuple[Definition, Module]]
    diagnostics: tuple[Diagnostic, ...]
    uses: tuple[Module, ...] = field(default=(), repr=False)
    unresolved: frozenset[str] = frozenset()
    """Names that a `use` asks for and does not get; that is reported, and what depends on them is not."""

    @property
    def source(self) -> Source:
        return self.parsed.source

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks and variants that this file itself defines, in its order."""
        own = self.parsed.file.definitions
        return tuple(d.name.text for d in own if isinstance(d, tree.Net | tree.Variant))


class ReadError(Exception):
    """A file that cannot be read, with the reason in words."""


def read(path: Path, name: str | None = None) -> Source:
    """A file's text as a source.

    Raises:
        ReadError: where there is no such file, it is no text, too large, or may not be read.
    """
    shown = printable(name or str(path))
    try:
        if not path.is_file():
            reason = "it is a folder" if path.is_dir() else "there is no such file"
            raise ReadError(f"cannot read {shown}: {reason}")
        if path.stat().st_size > 4 * limits.FILE_CHARACTERS:
            raise ReadError(f"cannot read {shown}: it is larger than {4 * limits.FILE_CHARACTERS:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ReadError(f"cannot read {shown}: it is not UTF-8 text (byte {problem.start})") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "its name is not valid"
        raise ReadError(f"cannot read {shown}: {reason.lower()}") from None
    return Source(shown, text, str(path.parent))


def open_source(source: Source) -> Module:
    """What a text defines, its imports included."""
    with paused():
        return _Opening().module(source, ())


def open_file(path: Path, name: str | None = None) -> Module:
    """What a file defines, its imports included.

    Raises:
        ReadError: where the file itself cannot be read; of an import that cannot, there is a diagnostic.
    """
    return open_source(read(path, name))


class _Opening:
    """Opens a file and those that it uses, each once."""

    def __init__(self) -> None:
        self.opened: dict[Path, Module] = {}

    def module(self, source: Source, trail: tuple[Path, ...]) -> Module:
        parsed = parse(source)
        definitions: dict[str, tuple[Definition, Module]] = {}
        problems: list[Diagnostic] = list(parsed.diagnostics)
        uses: list[Module] = []
        unresolved: set[str] = set()
        module = Module(parsed, definitions, (), ())
        places: dict[str, Span] = {}

        def define(name: tree.Name, definition: Definition, owner: Module) -> None:
            span = Span(source, name.start, name.end)
            if name.text in places:
                before = Label(places[name.text], "first defined here")
                problems.append(
                    error("duplicate-name", f"`{name.text}` is defined twice", span, labels=[before], help="rename one")
                )
                return
            places[name.text] = span
            definitions[name.text] = (definition, owner)

        for definition in parsed.file.definitions:
            if isinstance(definition, tree.Use):
                used = self.used(definition, source, trail, problems)
                if used is None:
                    unresolved.update(name.text for name in definition.names)
                    continue
                uses.append(used)
                for name in definition.names:
                    if name.text in used.definitions:
                        define(name, *used.definitions[name.text])
                    else:
                        unresolved.add(name.text)
                        if name.text not in used.unresolved:
                            problems.append(_not_in(name, used, source))
            elif isinstance(definition, tree.Net | tree.Variant | tree.Block | tree.Let):
                define(definition.name, definition, module)
        object.__setattr__(module, "diagnostics", tuple(problems))
        object.__setattr__(module, "uses", tuple(uses))
        object.__setattr__(module, "unresolved", frozenset(unresolved))
        return module

    def used(self, use: tree.Use, source: Source, trail: tuple[Path, ...], problems: list[Diagnostic]) -> Module | None:
        span = Span(source, use.path.start, use.path.end)
        try:
            path = _locate(use.path.value, source)
            if path in trail:
                names = " -> ".join(p.name for p in (*trail[trail.index(path) :], path))
                help = "move what both need into a third file"
                problems.append(error("circular-use", f"the files use each other: {names}", span, help=help))
                return None
            if path not in self.opened:
                module = self.module(read(path, _shown(path, source)), (*trail, path))
                self.opened[path] = module
            module = self.opened[path]
        except _OutsideError as problem:
            help = "files are used from the spec's own folder, or from the specs that ship"
            problems.append(error("outside-project", str(problem), span, help=help))
            return None
        except ReadError as problem:
            problems.append(error("missing-file", str(problem), span))
            return None
        if any(d.is_error for d in module.diagnostics):
            problems.extend(d for d in module.diagnostics if d not in problems)
        return module


class _OutsideError(Exception):
    pass


def _locate(written: str, source: Source) -> Path:
    """The file that a `use` means: one in the spec's folder, or else one that ships."""
    relative = Path(written)
    if not written or "\0" in written or relative.is_absolute() or ".." in relative.parts or "\\" in written:
        raise _OutsideError(f'"{written}" is not a path inside the project')
    folders = [specs_folder()] if source.folder is None else [Path(source.folder), specs_folder()]
    for folder in folders:
        path = folder / relative
        try:
            if path.exists():
                resolved = path.resolve()
                if not resolved.is_relative_to(folder.resolve()):
                    raise _OutsideError(f'"{written}" leads outside the project')
                return resolved
        except OSError:
            break
    known = [path.name for folder in folders for path in folder.glob("*.arch")]
    near = nearest(written, known)
    raise ReadError(
        f'there is no "{written}" beside this file or among the specs that ship'
        + (f'; did you mean "{near}"?' if near else "")
    )


def _shown(path: Path, source: Source) -> str:
    """The name by which a used file is shown: beside the name of the file that uses it."""
    if source.folder is not None:
        try:
            inside = path.relative_to(Path(source.folder).resolve())
            return str(Path(source.name).parent / inside)
        except ValueError:
            pass
    return path.name


def _not_in(name: tree.Name, module: Module, source: Source) -> Diagnostic:
    near = nearest(name.text, module.definitions)
    help = f"did you mean `{near}`?" if near else f"it defines {', '.join(sorted(module.definitions)) or 'nothing'}"
    span = Span(source, name.start, name.end)
    return error("unknown-name", f"{module.source.name} defines no `{name.text}`", span, help=help)


# ---------------------------------------------------------------- the specs that ship


@cache
def shipped() -> dict[str, Path]:
    """The networks that ship, by name, with their files; found without parsing whole files."""
    import re

    head = re.compile(r"^net\s+([a-z_]\w*)", re.MULTILINE)
    found: dict[str, Path] = {}
    for path in sorted(specs_folder().glob("*.arch")):
        for name in head.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, path)
    return found


@cache
def open_shipped(path: Path) -> Module:
    """A shipped file, opened once for a process."""
    return open_file(path, path.name)
