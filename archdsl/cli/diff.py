"""archdsl diff: what changed between two networks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.networks import network
from archdsl.cli.options import Inputs, Parameters, choice, output_ending_in
from archdsl.cli.terminal import note, put, step
from archdsl.errors import ArchError

if TYPE_CHECKING:
    from archdsl.network import Network

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

    Layers added, removed, changed and renamed, the sums over both, and which tensors of a checkpoint can be kept. Of
    files with several networks, those of one name are compared.
    """
    from archdsl.cli import revisions
    from archdsl.reports.difference import difference, render, render_markdown

    if new is None and not old.partition("::")[0].endswith(".arch"):
        raise ArchError(f"{old} is no file that could be compared with git's HEAD; name another network as well")
    before, after = (f"HEAD:{old}", old) if new is None else (old, new)
    with revisions.opened(before) as was, revisions.opened(after) as now:
        (old_file, olds), (new_file, news) = was, now
        is_one = len(olds) == len(news) == 1
        pairs = [(olds[0], news[0])] if is_one else [(name, name) for name in olds if name in news]
        if output is not None and not is_one:
            raise ArchError(f"{before if len(olds) > 1 else after} has several networks; draw one: FILE::NET")
        found = []
        for old_name, new_name in pairs:
            ours = network(old_file, old_name, parameters, inputs).checked()
            theirs = network(new_file, new_name, parameters, inputs).checked()
            names = (before, after) if is_one else (_named(before, old_name), _named(after, new_name))
            found.append(difference(ours, theirs, *names))
            if output is not None:
                _draw(ours, theirs, output, names)
        gone = [_named(before, name) for name in olds if name not in news and not is_one]
        come = [_named(after, name) for name in news if name not in olds and not is_one]
    if format == "json":
        whole = found[0].model_dump(mode="json") if is_one else [each.model_dump(mode="json") for each in found]
        put(json.dumps(whole, indent=2) + "\n")
        return
    texts = [
        (render_markdown if format == "markdown" else render)(each) for each in found if is_one or not each.is_empty
    ]
    same = len(found) - len(texts)
    texts += [f"{mark} {name}\n" for mark, names in (("removed:", gone), ("added:", come)) for name in names]
    texts += [f"{same} network{'s' * (same > 1)} the same\n"] if same else []
    put("\n".join(texts))


def _named(spec: str, name: str) -> str:
    return spec if spec.endswith(f"::{name}") else f"{spec}::{name}"


def _draw(old: Network, new: Network, path: Path, names: tuple[str, str]) -> None:
    from archdsl.diagrams.changes import draw_changes

    with step("drawing both"):
        try:
            draw_changes(old, new, path, names=names)
        except ValueError as problem:  # more boxes than anybody could read
            raise ArchError(str(problem)) from None
    note(f"wrote {path}")
