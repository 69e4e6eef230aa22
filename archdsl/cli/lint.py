"""archdsl lint: what runs but hardly as meant, or hardly as well as it could."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from archdsl import limits
from archdsl.cli.networks import network
from archdsl.cli.options import Inputs, Parameters, choice
from archdsl.cli.targets import FORMATS, Targets, modules, ordered, show_as, too_much
from archdsl.cli.terminal import FINDINGS, USAGE, note, put, show_findings
from archdsl.diagnostics.codes import lint_codes
from archdsl.diagnostics.model import Diagnostic, Fix
from archdsl.errors import ArchError

if TYPE_CHECKING:
    from archdsl.linter.config import Config
    from archdsl.project import Module

ROUNDS = 10
"""So often a file is looked at anew after fixes, which may make room for others."""


def _rules(flag: str, help: str) -> object:
    return typer.Option(flag, metavar="RULE,...", help=help, autocompletion=_completed)


def _completed(incomplete: str) -> list[str]:
    return [rule for rule in ("all", *lint_codes()) if rule.startswith(incomplete)]


def command(
    targets: Targets,
    fix: Annotated[bool, typer.Option("--fix", help="Mend in the files what has a safe fix.")] = False,
    unsafe_fixes: Annotated[
        bool, typer.Option("--unsafe-fixes", help="With --fix: also where the network is another one afterwards.")
    ] = False,
    select: Annotated[list[str] | None, _rules("--select", "The rules to ask, instead of the configured ones.")] = None,
    ignore: Annotated[list[str] | None, _rules("--ignore", "Rules to leave out.")] = None,
    format: Annotated[str, choice("--format", "How findings are printed.", ("text", *FORMATS))] = "text",
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Find what runs, but hardly as meant or as well as it could.

    `archdsl explain RULE` has a page of each rule. Rules are switched off in pyproject.toml, or by comments.
    """
    if unsafe_fixes and not fix:
        raise ArchError("--unsafe-fixes goes with --fix")
    if fix and (parameters or inputs or not all(map(_is_file, targets))):
        raise ArchError("--fix goes with whole files, not with FILE::NET, shipped networks, -p or --input")
    configured = _configured(_words(select), _words(ignore))
    done = _run(targets, configured, parameters, inputs)
    if fix:
        for _ in range(ROUNDS):
            if not _mended(done, unsafe_fixes):
                break
            done = _run(targets, configured, parameters, inputs)
    if format != "text" or done.found:
        show_as(format, done.found)
    else:
        put(f"no findings in {done.networks} network{'' if done.networks == 1 else 's'}\n")
    if format == "text" and not fix:
        _hint(done.found)
    raise typer.Exit(FINDINGS if done.found else 0)


class _Run(NamedTuple):
    """What came of looking at all targets."""

    found: list[Diagnostic]
    networks: int
    files: dict[str, tuple[Module, str]]
    """The files all of whose networks were looked at as they stand, with their paths, by the names of their sources."""


def _run(
    targets: Sequence[str],
    configured: Callable[[Module], Config],
    parameters: Sequence[str] | None,
    inputs: Sequence[str] | None,
) -> _Run:
    from archdsl.linter.lint import findings, misunderstood

    errors: list[Diagnostic] = []
    looked = []
    whole: dict[str, tuple[Module, str]] = {}
    networks = 0
    for module, names, path in modules(targets):
        config = configured(module)
        rules = config.rules(module.source)
        errors += [each for each in module.diagnostics if each.is_error]
        is_whole = not parameters and not inputs
        networks += len(names)
        steps = 0
        for name in names:
            found = network(module, name, parameters, inputs)
            if found.ok:
                looked.append(found.looked_at(rules, config.options))
            else:
                errors += [each for each in found.diagnostics if each.is_error]
                is_whole = False
            steps += found.steps
            if steps > limits.STEPS and name != names[-1]:
                errors.append(too_much(module, name, "lint"))
                is_whole = False
                break
        if not names and "bad-switch" in rules:
            errors += misunderstood(module)
        if is_whole and path is not None:
            whole[module.source.name] = (module, path)
    return _Run(ordered([*errors, *findings(looked, whole)]), networks, whole)


def _is_file(target: str) -> bool:
    return os.path.exists(target) or (target.endswith(".arch") and "::" not in target)


def _words(given: Iterable[str] | None) -> list[str]:
    return [word.strip() for text in given or () for word in text.split(",") if word.strip()]


def _configured(select: Sequence[str], ignore: Sequence[str]) -> Callable[[Module], Config]:
    """The configuration for a file, with what the command line says; read once for each folder."""
    from archdsl.linter.config import config_of

    known: dict[str | None, Config] = {}

    def of(module: Module) -> Config:
        folder = module.source.folder
        if folder not in known:
            config = config_of(module.source)
            if config.problems:
                show_findings(config.problems, sys.stderr)
                raise typer.Exit(USAGE)
            try:
                known[folder] = config.with_rules(select, ignore)
            except ValueError as problem:
                raise ArchError(str(problem)) from None
        return known[folder]

    return of


# ---------------------------------------------------------------- fixes


def _mended(done: _Run, unsafe: bool) -> bool:
    """Writes what can be mended; whether anything was."""
    from archdsl.linter.lint import fixable

    by_file: dict[str, list[Fix]] = {}
    for each in fixable(done.found, unsafe):
        by_file.setdefault(each.span.source.name, []).append(each)
    written = [_write(*done.files[name], fixes) for name, fixes in by_file.items() if name in done.files]
    return True in written


def _write(module: Module, path: str, fixes: Sequence[Fix]) -> bool:
    """Mends a file, if its networks are without errors then: one may promise a number of parameters."""
    from archdsl import project
    from archdsl.files import write_atomically
    from archdsl.linter.lint import fixed
    from archdsl.loading import buildable
    from archdsl.source import Source

    source = module.source
    text = fixed(source.text, fixes)
    tried = project.open_source(Source(source.name, text, source.folder))
    broken = [name for name in buildable(tried) if not network(tried, name).ok]
    if broken or text == source.text:
        note(f"{source.name} is not fixed: {', '.join(broken)} would have errors then")
        return False
    write_atomically(path, text)
    note(f"fixed {len(fixes)} finding{'' if len(fixes) == 1 else 's'} in {source.name}")
    return True


def _hint(found: Sequence[Diagnostic]) -> None:
    """How many findings a fix is known for."""
    from archdsl.linter.lint import fixable

    safe, every = len(fixable(found)), len(fixable(found, unsafe=True))
    if every:
        more = f", {every - safe} more with --unsafe-fixes" if every > safe else ""
        note(f"{safe} of them can be fixed with --fix{more}")
