"""archdsl check: every finding of some specs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Annotated

import typer

from archdsl import limits, project
from archdsl.cli.networks import network
from archdsl.cli.options import Inputs, Parameters, choice
from archdsl.cli.paths import specs
from archdsl.cli.terminal import FINDINGS, put, show_findings
from archdsl.diagnostics.model import Diagnostic, error
from archdsl.errors import NotFoundError, SpecError
from archdsl.loading import buildable, chosen, locate
from archdsl.project import Module
from archdsl.source import Span

FORMATS = {"json": "as_json", "github": "github", "sarif": "sarif"}
"""The renderer of each format that is not for people."""


def command(
    targets: Annotated[
        list[str],
        typer.Argument(metavar="FILE[::NET]", help="Specs, folders of specs, networks of a spec, or shipped ones."),
    ],
    format: Annotated[str, choice("--format", "How findings are printed.", ("text", *FORMATS))] = "text",
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Find every mistake in specs.

    All networks of a file that need no arguments are checked. Warnings count as findings.
    """
    findings: list[Diagnostic] = []
    networks = 0
    for module, names in _modules(targets):
        findings += module.diagnostics
        networks += len(names)
        steps = 0
        for name in names:
            checked = network(module, name, parameters, inputs)
            findings += checked.diagnostics
            steps += checked.steps
            if steps > limits.STEPS and name != names[-1]:
                findings.append(_too_much(module, name))
                break
    ordered = _ordered(findings)
    if format != "text":
        put(import_module(f"archdsl.diagnostics.{FORMATS[format]}").render(ordered))
    elif ordered:
        show_findings(ordered, sys.stdout)
    else:
        put(f"no errors in {networks} network{'' if networks == 1 else 's'}\n")
    raise typer.Exit(FINDINGS if ordered else 0)


def _too_much(module: Module, name: str) -> Diagnostic:
    definition = module.definitions[name][0]
    span = Span(module.source, definition.start, definition.start)
    message = f"the networks up to {name} take more than {limits.STEPS:,} steps together; those below are not checked"
    return error("too-large", message, span, help="check them one by one: `archdsl check FILE::NET`, or split the file")


def _modules(targets: Sequence[str]) -> Iterator[tuple[Module, Sequence[str]]]:
    """The files that are meant, each opened once, and the networks to check in each."""
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
        if separator:
            module = module_of(path)
            try:
                yield module, (chosen(module, name),)
            except SpecError:  # so broken that the network is not found in it
                yield module, ()
        elif not os.path.exists(target) and not target.endswith(".arch") and os.path.basename(target) == target:
            module, name = locate(target)
            yield module, (name,)
        else:
            for spec in specs(target):
                module = module_of(spec)
                yield module, buildable(module)


def _ordered(findings: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Each finding once, also where a file was read for several others, in the order of the text of each file."""
    unique: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    files: dict[str, int] = {}
    for finding in findings:
        source, start, end = finding.span
        files.setdefault(source.name, len(files))
        unique.setdefault((source.name, start, end, finding.code, finding.message), finding)
    return [unique[key] for key in sorted(unique, key=lambda key: (files[key[0]], *key[1:3]))]
