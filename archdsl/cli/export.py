"""archdsl export: a module written for use elsewhere, and compared with what was written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import put, step

if TYPE_CHECKING:
    from torch import nn

    from archdsl.network import Network

FORMATS = ("onnx", "pt2", "aoti", "hub")
"""The formats; a test compares them with those of archdsl.torch.exporting."""


def command(
    net: Spec,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PATH", help="net.onnx, net.pt2, net.aoti.pt2, or a folder.")
    ],
    format: Annotated[
        str | None, choice("--format", "What is written; without it, what the name's ending says.", FORMATS)
    ] = None,
    weights: Annotated[
        Path | None,
        typer.Option(
            "--weights",
            metavar="FILE",
            help="The weights: safetensors, or a state_dict() that torch saved.",
            exists=True,
        ),
    ] = None,
    no_weights: Annotated[
        bool, typer.Option("--no-weights", help="Begin at random, also where the spec names weights.")
    ] = False,
    batch: Annotated[
        int | None, typer.Option("--batch", min=1, max=2**20, metavar="N", help="Fix the batch; it stays open without.")
    ] = None,
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Write a network for use elsewhere: ONNX, torch.export, AOTInductor, or a folder for the Hugging Face Hub.

    The batch and the sizes that the spec leaves open stay open. What was written is run and compared with the module
    before it takes its place.
    """
    if weights is not None and no_weights:
        raise typer.BadParameter("--weights and --no-weights exclude each other")
    if format != "hub" and output.suffix and not output.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {output.parent}")
    network = sound(net, parameters, inputs)
    with step("loading torch"):
        from archdsl.reports.exported import render
        from archdsl.torch.exporting import format_of

        chosen = format or format_of(output)
    with step("building the module"):
        model = _module(network, weights, no_weights)
    with step(f"writing and comparing {chosen}"):
        done = network.export(output, model, format=chosen, batch=batch)
    put(render(done))


def _module(network: Network, weights: Path | None, no_weights: bool) -> nn.Module:
    return network.compile(weights=False) if no_weights else network.filled(weights)
