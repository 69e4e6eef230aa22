"""archdsl stages: what a recipe trains in each stage."""

from __future__ import annotations

from typing import Annotated

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import put


def command(
    net: Spec,
    format: Annotated[str, choice("--format", "How they are printed.", ("text", "json"))] = "text",
    inputs: Inputs = None,
    parameters: Parameters = None,
) -> None:
    """Say what trains in each stage of a recipe.

    The parts with their learning rates, how many parameters train, and what becomes of the batch norms.
    """
    from archdsl.reports.stages import build_stages, render

    report = build_stages(sound(net, parameters, inputs))
    put(report.model_dump_json(indent=2) + "\n" if format == "json" else render(report))
