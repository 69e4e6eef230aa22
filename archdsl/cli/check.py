"""archdsl check: every finding of some specs."""

from __future__ import annotations

from typing import Annotated

import typer

from archdsl import limits
from archdsl.cli.networks import network
from archdsl.cli.options import Inputs, Parameters, choice
from archdsl.cli.targets import FORMATS, Targets, modules, ordered, show_as, too_much
from archdsl.cli.terminal import FINDINGS, put
from archdsl.diagnostics.model import Diagnostic


def command(
    targets: Targets,
    format: Annotated[str, choice("--format", "How findings are printed.", ("text", *FORMATS))] = "text",
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Find every mistake in specs.

    All networks of a file that need no arguments are checked. Warnings count as findings.
    """
    findings: list[Diagnostic] = []
    networks = 0
    for module, names, _ in modules(targets):
        findings += module.diagnostics
        networks += len(names)
        steps = 0
        for name in names:
            checked = network(module, name, parameters, inputs)
            findings += checked.diagnostics
            steps += checked.steps
            if steps > limits.STEPS and name != names[-1]:
                findings.append(too_much(module, name, "check"))
                break
    found = ordered(findings)
    if format != "text" or found:
        show_as(format, found)
    elif networks:
        put(f"no errors in {networks} network{'' if networks == 1 else 's'}\n")
    else:
        put("no errors, and no network: what a `block` holds is checked where a network uses it\n")
    raise typer.Exit(FINDINGS if found else 0)
