"""archdsl transfer: the weights of an earlier checkpoint, as far as they fit a network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, choice, output_ending_in
from archdsl.cli.terminal import colored, note, put, step


def command(
    net: Spec,
    checkpoint: Annotated[
        Path,
        typer.Argument(metavar="CHECKPOINT", help="safetensors, with or without its spec, or what torch.save wrote."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="FILE",
            help="Where the weights of NET go: .safetensors. Without it, the plan is printed.",
            callback=lambda path: path and output_ending_in(".safetensors")(path),
        ),
    ] = None,
    format: Annotated[str, choice("--format", "How the plan is printed.", ("table", "json"))] = "table",
    weights: Annotated[
        bool,
        typer.Option("--weights/--no-weights", help="What is new begins with the weights that the spec names, or not."),
    ] = True,
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Take the weights of an earlier checkpoint, also of another spec, by name and shape.

    Prints what is kept, adapted and new. Where the checkpoint carries its spec, layers that were only renamed are
    found.
    """
    network = sound(net, parameters, inputs)
    with step("building the module"):
        model = network.compile(weights)
    plan = network.transfer(model, checkpoint)
    from archdsl.reports import transfer

    put(transfer.render_json(plan) if format == "json" else transfer.render(plan, color=colored(sys.stdout)))
    if output is not None:
        network.save(model, output)
        note(f"wrote {output}")
