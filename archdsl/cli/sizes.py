"""archdsl sizes: which sizes of its inputs a network takes."""

from __future__ import annotations

from typing import Annotated

from archdsl.cli.networks import opened
from archdsl.cli.options import Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import put


def command(
    net: Spec,
    format: Annotated[str, choice("--format", "How they are printed.", ("text", "json"))] = "text",
    inputs: Inputs = None,
    parameters: Parameters = None,
) -> None:
    """Say which input sizes a network takes.

    The least and what they must be multiples of, the layer that asks for it, the output's size as a formula, and at the
    network's own size the border pixels that strides leave out.
    """
    from archdsl.reports.sizes import render

    report = opened(net, parameters, inputs).sizes()
    put(report.model_dump_json(indent=2) + "\n" if format == "json" else render(report))
