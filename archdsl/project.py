"""Files and what they define: a spec, the files that it uses, and the specs that ship with the package.

A spec reads nothing but files of its own folder (and folders in it) and the shipped specs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path, PurePath, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from archdsl import limits
from archdsl.collector import make_room, paused
from archdsl.diagnostics.escape import printable, well_formed
from archdsl.diagnostics.model import Diagnostic, Label, error, nearest
from archdsl.resources import specs_folder
from archdsl.source import Source, Span
from archdsl.syntax import tree
from archdsl.syntax.parser import Parsed, parse

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archdsl.layers.tensor import Tensor

Definition: TypeAlias = tree.Net | tree.Variant | tree.Block | tree.Let


class Text(NamedTuple):
    """A file as it is carried inside another: its text, and which of those carried with it its `use`s mean."""

    name: str
    """The last part of its path."""
    text: str
    ships: bool
    """Whether it came with the package."""
    uses: Mapping[str, int]
    """For what a `use` writes, the number of the file that is meant."""


class Bundle(NamedTuple):
    """All files that a network is made of, the one that defines it first."""

    texts: Sequence[Text]
    pretrained: Mapping[str, int]
    """For networks that ship and that `pretrained` names without a `use`, the numbers of their files."""


class Saved(NamedTuple):
    """What a file of weights says of the network in it, besides its texts."""

    path: Path
    network: str
    arguments: Mapping[str, Any]
    inputs: Mapping[str, Tensor]


@dataclass(frozen=True, eq=False)
class Module:
    """A file's definitions by name, those that it uses from other files included, each with the file that wrote it."""

    parsed: Parsed
    definitions: Mapping[str, tuple[Definition, Module]]
    diagnostics: tuple[Diagnostic, ...]
    uses: tuple[Module, ...] = field(default=(), repr=False)
    unresolved: frozenset[str] = frozenset()
    """Names that a `use` asks for and does not get; that is reported, and what depends on them is not."""
    links: Mapping[str, Module] = field(default_factory=dict, repr=False)
    """For what a `use` writes, the file that it means."""
    path: Path | None = None
    """The file on disk; None of a text that is in none."""
    carried: Text | None = field(default=None, repr=False)
    """What it was carried as, of a text out of a file of weights."""
    saved: Saved | None = field(default=None, repr=False)
    """What was saved with it, of the first text of such a file."""

    @property
    def source(self) -> Source:
        return self.parsed.source

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks and variants that this file itself defines, in its order; of two with one name the first."""
        own = [d for d in self.parsed.file.definitions if isinstance(d, tree.Net | tree.Variant)]
        return tuple(d.name.text for d in own if self.definitions.get(d.name.text, (None,))[0] is d)


class ReadError(Exception):
    """A file that cannot be read, with the reason in words, and perhaps what was meant."""

    def __init__(self, message: str, help: str | None = None) -> None:
        super().__init__(message)
        self.help = help


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
        if path.stat().st_size > limits.FILE_BYTES:
            raise ReadError(f"cannot read {shown}: it is larger than {limits.FILE_BYTES:,} bytes")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ReadError(f"cannot read {shown}: it is not UTF-8 text (byte {problem.start})") from None
    except (OSError, ValueError) as problem:
        reason = problem.strerror if isinstance(problem, OSError) and problem.strerror else "its name is not valid"
        raise ReadError(f"cannot read {shown}: {reason.lower()}") from None
    return Source(shown, text, str(path.parent))


def open_source(source: Source) -> Module:
    """What a text defines, its imports included."""
    make_room()
    with paused():
        return _Opening().module(source, ())


def open_file(path: Path, name: str | None = None) -> Module:
    """What a file defines, its imports included.

    Raises:
        ReadError: where the file itself cannot be read; of an import that cannot, there is a diagnostic.
    """
    source = read(path, name)
    make_room()
    with paused():
        return _Opening().module(source, (path.resolve(),))


class _Opening:
    """Opens a file and those that it uses, each once."""

    def __init__(self) -> None:
        self.opened: dict[PurePath, Module] = {}
        self.located: dict[tuple[str, str | None], Path | ReadError | _OutsideError] = {}
        self.characters = 0

    def module(self, source: Source, trail: tuple[PurePath, ...]) -> Module:
        self.characters += len(source.text)
        parsed = parse(source)
        definitions: dict[str, tuple[Definition, Module]] = {}
        problems: list[Diagnostic] = list(parsed.diagnostics)
        uses: list[Module] = []
        links: dict[str, Module] = {}
        unresolved: set[str] = set()
        path = trail[-1] if trail and isinstance(trail[-1], Path) else None
        module = Module(parsed, definitions, (), (), path=path)
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
                if len(problems) >= limits.SHARED_PROBLEMS:
                    unresolved.update(name.text for name in definition.names)
                    continue
                used = self.used(definition, source, trail, problems)
                if used is None:
                    unresolved.update(name.text for name in definition.names)
                    continue
                uses.append(used)
                links[definition.path.value] = used
                for name in definition.names:
                    if name.text in used.definitions:
                        define(name, *used.definitions[name.text])
                    else:
                        unresolved.add(name.text)
                        if (near := nearest(name.text, used.definitions)) is not None:
                            unresolved.add(near)  # it is used by its right name
                        if name.text not in used.unresolved:
                            problems.append(_not_in(name, used, source))
            elif isinstance(definition, tree.Net | tree.Variant | tree.Block | tree.Let):
                define(definition.name, definition, module)
            elif isinstance(definition, tree.Mistake):
                unresolved.update(_meant_to_define(source.text[definition.start : definition.end]))
        unresolved -= definitions.keys()
        del problems[limits.SHARED_PROBLEMS :]
        object.__setattr__(module, "diagnostics", tuple(problems))
        object.__setattr__(module, "uses", tuple(uses))
        object.__setattr__(module, "unresolved", frozenset(unresolved))
        object.__setattr__(module, "links", links)
        return module

    def used(
        self, use: tree.Use, source: Source, trail: tuple[PurePath, ...], problems: list[Diagnostic]
    ) -> Module | None:
        span = Span(source, use.path.start, use.path.end)
        try:
            path = self.meant(use.path.value, source, trail)
            if trail and path == trail[-1]:
                help = "leave the `use` out: all that a file defines is known in it"
                problems.append(error("circular-use", "this file uses itself", span, help=help))
                return None
            if path in trail:
                names = " -> ".join(p.name for p in (*trail[trail.index(path) :], path))
                help = "move what both need into a third file"
                problems.append(error("circular-use", f"the files use each other: {names}", span, help=help))
                return None
            if path not in self.opened:
                if len(self.opened) + len(trail) >= limits.FILES:
                    raise ReadError(f"more than {limits.FILES} files are used")
                text = self.read(path, source)
                if self.characters + len(text.text) > limits.FILE_CHARACTERS:
                    raise ReadError(f"the files have more than {limits.FILE_CHARACTERS:,} characters together")
                self.opened[path] = self.module(text, (*trail, path))
            module = self.opened[path]
        except _OutsideError as problem:
            help = "files are used from the spec's own folder, or from the specs that ship"
            problems.append(error("outside-project", str(problem), span, help=help))
            return None
        except ReadError as problem:
            problems.append(error("missing-file", str(problem), span, help=problem.help))
            return None
        if any(d.is_error for d in module.diagnostics):
            known = set(map(id, problems))
            problems.extend(d for d in module.diagnostics if id(d) not in known)
        return module

    def meant(self, written: str, source: Source, trail: tuple[PurePath, ...]) -> PurePath:
        """What names the file that a `use` means, whatever it is called there."""
        return self.locate(written, source)

    def read(self, path: PurePath, source: Source) -> Source:
        """The text of a file that another uses."""
        return read(Path(path), _shown(Path(path), source))

    def locate(self, written: str, source: Source) -> Path:
        """The file that a `use` means, looked for once however often it is written."""
        key = (written, source.folder)
        if key not in self.located:
            try:
                self.located[key] = _locate(written, source)
            except (ReadError, _OutsideError) as problem:
                self.located[key] = problem
        found = self.located[key]
        if isinstance(found, Path):
            return found
        raise found.with_traceback(None)


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
    is_plain = re.fullmatch(r"\w+\.arch", relative.name) is not None
    deeper = (path for folder in folders for path in folder.glob(f"*/{relative.name}")) if is_plain else iter(())
    if (below := next(deeper, None)) is not None:
        near: str | None = f"{below.parent.name}/{below.name}"
    else:
        stems = [path.stem for folder in folders for path in folder.glob("*.arch")]
        stem = nearest(written.removesuffix(".arch"), stems)
        near = None if stem is None else f"{stem}.arch"
    message = f'there is no "{written}" beside this file or among the specs that ship'
    raise ReadError(message, f'did you mean "{near}"?' if near else None)


def _shown(path: Path, source: Source) -> str:
    """The name by which a used file is shown: beside the name of the file that uses it."""
    if source.folder is not None:
        try:
            inside = path.relative_to(Path(source.folder).resolve())
            return str(Path(source.name).parent / inside)
        except ValueError:
            pass
    return path.name


_HEAD = re.compile(r"(?:\s|##.*)*(use|net|block|let|def|class|from|import|function|module|model)\w*\b([^({=\"\n]*)")


def _meant_to_define(text: str) -> list[str]:
    """The names that a definition which cannot be read was to give, for all that its beginning says."""
    head = _HEAD.match(text)
    return re.findall(r"[a-z_]\w*", head[2]) if head else []


def _not_in(name: tree.Name, module: Module, source: Source) -> Diagnostic:
    near = nearest(name.text, module.definitions)
    help = f"did you mean `{near}`?" if near else f"it defines {', '.join(sorted(module.definitions)) or 'nothing'}"
    span = Span(source, name.start, name.end)
    return error("unknown-name", f"{module.source.name} defines no `{name.text}`", span, help=help)


# ---------------------------------------------------------------- files inside another


_PRETRAINED = re.compile(r"\bpretrained[\s(]+([a-z_]\w*)")


def bundle(module: Module) -> Bundle:
    """All files that a file needs, as data: itself, those it uses, and those of networks that it takes as they ship."""
    order: list[Module] = []
    numbers: dict[int, int] = {}
    pretrained: dict[str, int] = {}

    def number(each: Module) -> int:
        if id(each) not in numbers:
            numbers[id(each)] = len(order)
            order.append(each)
        return numbers[id(each)]

    number(module)
    for each in order:  # it grows meanwhile
        for used in each.links.values():
            number(used)
        for name in _PRETRAINED.findall(each.source.text):
            definition, owner = each.definitions.get(name, (None, None))
            if definition is None and name in shipped():
                pretrained[name] = number(open_shipped(shipped()[name]))
            elif owner is not None and each.carried is not None and name not in _own_names(each):
                pretrained[name] = number(owner)  # it was given to a text that was carried before
    texts = [
        Text(_name(each), each.source.text, is_shipped(each), {k: number(used) for k, used in each.links.items()})
        for each in order
    ]
    return Bundle(tuple(texts), pretrained)


def _own_names(module: Module) -> set[str]:
    """The names that the text of a file defines or uses."""
    written = module.parsed.file.definitions
    used = {name.text for each in written if isinstance(each, tree.Use) for name in each.names}
    return used | {
        each.name.text for each in written if isinstance(each, tree.Net | tree.Variant | tree.Block | tree.Let)
    }


def _name(module: Module) -> str:
    return module.carried.name if module.carried else Path(module.source.name).name


def is_shipped(module: Module) -> bool:
    """Whether a file comes with this package, and is not the reader's own."""
    if module.carried is not None:
        return module.carried.ships
    return module.path is not None and module.path.is_relative_to(specs_folder().resolve())


def open_bundle(bundle: Bundle, container: str) -> Module:
    """What the first text of a bundle defines. No file is opened, whatever the texts use.

    Their names are shown behind that of the file that carries them.
    """
    make_room()
    with paused():
        return _OpeningBundle(bundle, container).first()


class _OpeningBundle(_Opening):
    """Opens texts that are carried together; a number takes the place of a path."""

    def __init__(self, bundle: Bundle, container: str) -> None:
        super().__init__()
        self.bundle = bundle
        self.container = container

    def first(self) -> Module:
        module = self.module(self.source(0), (self.key(0),))
        for number in self.bundle.pretrained.values():
            if not 0 < number < len(self.bundle.texts):
                continue
            key = self.key(number)
            if key not in self.opened:
                self.opened[key] = self.module(self.source(number), (key,))
        given = {n: self.opened[self.key(i)] for n, i in self.bundle.pretrained.items() if self.key(i) in self.opened}
        for each in (module, *self.opened.values()):
            for name, owner in given.items():
                if name not in each.definitions and name in owner.definitions and each is not owner:
                    each.definitions[name] = owner.definitions[name]  # type: ignore[index]
        return module

    def key(self, number: int) -> PurePath:
        """What stands for a path; also for text that has the number of none."""
        known = 0 <= number < len(self.bundle.texts)
        return PurePosixPath(str(number), _safe(self.bundle.texts[number].name) if known else "?")

    def source(self, number: int) -> Source:
        text = self.bundle.texts[number]
        return Source(f"{printable(self.container)}/{_safe(text.name)}", well_formed(text.text))

    def module(self, source: Source, trail: tuple[PurePath, ...]) -> Module:
        module = super().module(source, trail)
        object.__setattr__(module, "carried", self.bundle.texts[int(trail[-1].parts[0])])
        return module

    def meant(self, written: str, source: Source, trail: tuple[PurePath, ...]) -> PurePath:
        number = self.bundle.texts[int(trail[-1].parts[0])].uses.get(written)
        if number is None or not 0 <= number < len(self.bundle.texts):
            raise ReadError(f'"{written}" is not among the texts in {printable(self.container)}')
        return self.key(number)

    def read(self, path: PurePath, source: Source) -> Source:
        return self.source(int(path.parts[0]))


def _safe(name: str) -> str:
    """A name out of a file that anybody may have written, as the last part of a path."""
    return printable(well_formed(name)).replace("\\", "/").rpartition("/")[2][: limits.NAME_CHARACTERS] or "spec.arch"


# ---------------------------------------------------------------- the specs that ship


@cache
def shipped() -> dict[str, Path]:
    """The networks that ship, by name, with their files; found without parsing whole files."""
    head = re.compile(r"^net\s+([a-z_]\w*)", re.MULTILINE)
    found: dict[str, Path] = {}
    for path in sorted(specs_folder().glob("*.arch")):
        for name in head.findall(path.read_text(encoding="utf-8")):
            found.setdefault(name, path)
    return found


@cache
def shipped_blocks(file: str) -> frozenset[str]:
    """The blocks of a shipped file, found without parsing it."""
    head = re.compile(r"^block\s+([a-z_]\w*)", re.MULTILINE)
    return frozenset(head.findall((specs_folder() / file).read_text(encoding="utf-8")))


def ships(name: str, module: Module) -> bool:
    """Whether what a file defines under a name is a network that ships."""
    path = shipped().get(name)
    if path is not None and module.carried is not None:
        return module.carried.ships and module.carried.name == path.name
    folder = module.source.folder
    if path is None or folder is None or path.name != Path(module.source.name).name:
        return False
    return Path(folder).resolve() == path.parent.resolve()


def opened_by_name(source: Source) -> Module | None:
    """The shipped file that a text is from, if it is from one."""
    if source.folder is None or Path(source.folder).resolve() != specs_folder().resolve():
        return None
    path = specs_folder() / source.name
    return open_shipped(path) if path in shipped().values() else None


@cache
def open_shipped(path: Path) -> Module:
    """A shipped file, opened once for a process."""
    return open_file(path, path.name)
