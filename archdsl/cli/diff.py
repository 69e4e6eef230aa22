"""archdsl diff: what changed between two networks."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli import revisions
from archdsl.cli.networks import network
from archdsl.cli.options import Inputs, Parameters, choice, output_ending_in
from archdsl.cli.terminal import note, put, step
from archdsl.errors import ArchError

ENDINGS = (".svg", ".png", ".pdf", ".dot")


def command(
    old: Annotated[
        str,
        typer.Argument(metavar="OLD", help="A network, as elsewhere, or a file of a git revision, HEAD~1:a.arch::net."),
    ],
    new: Annotated[
        str | None, typer.Argument(metavar="[NEW]", help="Another; without it, OLD is compared with git's HEAD.")
    ] = None,
    format: Annotated[str, choice("--format", "How it is printed.", ("text", "markdown", "json"))] = "text",
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Draws both as well, what changed in colour: .svg, .png, .pdf, .dot.",
            callback=lambda path: path and output_ending_in(*ENDINGS)(path),
        ),
    ] = None,
    inputs: Inputs = None,
    parameters: Parameters = None,
) -> None:
    """Say what changed between two networks.

    Layers added, removed, changed and renamed, the sums over both, and which tensors of a checkpoint can be kept.
    """
    from archdsl.reports.difference import difference, render, render_markdown

    if new is None and not old.partition("::")[0].endswith(".arch"):
        raise ArchError(f"{old} is no file that could be compared with git's HEAD; name another network as well")
    before, after = (f"HEAD:{old}", old) if new is None else (old, new)
    with revisions.located(before) as was, revisions.located(after) as now:
        ours, theirs = (network(*each, parameters, inputs).checked() for each in (was, now))
        found = difference(ours, theirs, before, after)
        if output is not None:
            from archdsl.diagrams.changes import draw_changes

            with step("drawing both"):
                try:
                    draw_changes(ours, theirs, output)
                except ValueError as problem:  # more boxes than anybody could read
                    raise ArchError(str(problem)) from None
            note(f"wrote {output}")
    if format == "json":
        put(found.model_dump_json(indent=2) + "\n")
    else:
        put((render_markdown if format == "markdown" else render)(found))
