"""The files and networks that `check` and `lint` are given, and how they show what they find."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from archdsl import limits, project
from archdsl.cli.paths import specs
from archdsl.cli.terminal import put, show_findings
from archdsl.diagnostics.model import Diagnostic, error
from archdsl.errors import NotFoundError, SpecError
from archdsl.loading import buildable, chosen, is_saved, locate
from archdsl.project import Module
from archdsl.source import Span

FORMATS = {"json": "as_json", "github": "github", "sarif": "sarif"}
"""The renderer of each format that is not for people."""

Targets = Annotated[
    list[str],
    typer.Argument(metavar="FILE[::NET]", help="Specs, folders of specs, networks of a spec, or shipped ones."),
]


def show_as(format: str, found: Sequence[Diagnostic]) -> None:
    """Writes findings in one of the formats, or as text."""
    if format in FORMATS:
        put(import_module(f"archdsl.diagnostics.{FORMATS[format]}").render(found))
    else:
        show_findings(found, sys.stdout)


class Target(NamedTuple):
    """A file that is meant, and the networks to look at."""

    module: Module
    names: Sequence[str]
    path: str | None
    """The file, if it was named as one or with its folder, so that all its networks are meant."""


def modules(targets: Sequence[str]) -> Iterator[Target]:
    """The files that are meant, each opened once, and the networks to look at in each."""
    opened: dict[str, Module] = {}

    def module_of(path: str) -> Module:
        if path not in opened:
            try:
                opened[path] = project.open_file(Path(path))
            except project.ReadError as problem:
                raise NotFoundError(str(problem)) from None
        return opened[path]

    for target in targets:
        path, separator, name = target.rpartition("::")
        if is_saved(target):
            module, name = locate(target)
            yield Target(module, (name,), None)
        elif separator:
            module = module_of(path)
            try:
                yield Target(module, (chosen(module, name),), None)
            except SpecError:  # so broken that the network is not found in it
                yield Target(module, (), None)
        elif not os.path.exists(target) and not target.endswith(".arch") and os.path.basename(target) == target:
            module, name = locate(target)
            yield Target(module, (name,), None)
        else:
            for spec in specs(target):
                module = module_of(spec)
                yield Target(module, buildable(module), spec)


def ordered(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each finding once, also where a file was read for several others, in the order of the text of each file."""
    unique: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    files: dict[str, int] = {}
    for finding in findings:
        source, start, end = finding.span
        files.setdefault(source.name, len(files))
        unique.setdefault((source.name, start, end, finding.code, finding.message), finding)
    return [unique[key] for key in sorted(unique, key=lambda key: (files[key[0]], *key[1:3]))]


def too_much(module: Module, name: str, command: str) -> Diagnostic:
    """That the networks of a file up to one take more work than there is for them together."""
    definition = module.definitions[name][0]
    span = Span(module.source, definition.start, definition.start)
    message = f"the networks up to {name} take more than {limits.STEPS:,} steps together; those below are not checked"
    help = f"check them one by one: `archdsl {command} FILE::NET`, or split the file"
    return error("too-large", message, span, help=help)
