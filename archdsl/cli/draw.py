"""archdsl draw: the diagram of a network."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.field import At, place
from archdsl.cli.networks import sound
from archdsl.cli.options import Depth, Inputs, Parameters, Spec, choice, output_ending_in
from archdsl.cli.terminal import note, step
from archdsl.errors import ArchError

ENDINGS = (".svg", ".png", ".pdf", ".dot")
COLORINGS = ("kind", "parameters", "macs", "field")


def command(
    net: Spec,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help=", ".join(ENDINGS), callback=output_ending_in(*ENDINGS)),
    ],
    depth: Depth = None,
    color_by: Annotated[str, choice("--color-by", "What the colours show.", COLORINGS)] = "kind",
    field: Annotated[
        str | None, typer.Option("--field", metavar="LAYER", help="Draw the input, and what a unit of this layer sees.")
    ] = None,
    at: At = None,
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Draw a network into a file.

    Blocks are boxes, repeats are folded, shapes stand on the edges.
    """
    network = sound(net, parameters, inputs)
    with step(f"drawing {network.name}"):
        try:
            if field is not None:
                from archdsl.diagrams.region import draw_region

                draw_region(network, field, output, place(at))
            else:
                network.draw(output, depth=depth, color_by=color_by)
        except ValueError as problem:  # more boxes than anybody could read
            raise ArchError(str(problem)) from None
    note(f"wrote {output}")
