"""archdsl field: what a layer, and a unit of it, sees of the input."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import put


def place(text: str | None) -> tuple[int, ...] | None:
    """A place as it stands on the command line: 3,5."""
    if text is None:
        return None
    if not re.fullmatch(r"[0-9]{1,15}(,[0-9]{1,15}){0,2}", text):
        raise typer.BadParameter(f"{text!r} is no place; write it like 3,5")
    return tuple(map(int, text.split(",")))


At = Annotated[
    str | None,
    typer.Option("--at", metavar="3,5", help="The unit: its place in the layer's output; the middle by default."),
]


def command(
    net: Spec,
    layer: Annotated[str, typer.Argument(metavar="LAYER", help="The layer's path, layer2.0.conv2.")],
    at: At = None,
    format: Annotated[str, choice("--format", "How it is printed.", ("text", "json"))] = "text",
    inputs: Inputs = None,
    parameters: Parameters = None,
) -> None:
    """Say what a layer sees of the input.

    Its receptive field, the paths with the smallest and the largest, the box that one unit sees and how much of it is
    padding, how tiles must overlap, and branches that look at different places.
    """
    from archdsl.reports.units import render

    found = sound(net, parameters, inputs).field(layer, place(at))
    put(found.model_dump_json(indent=2) + "\n" if format == "json" else render(found))
