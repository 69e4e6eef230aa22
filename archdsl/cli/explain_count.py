"""archdsl explain-count: why two counting rules give different numbers for one network."""

from __future__ import annotations

from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import RULES, Batch, Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import put
from archdsl.errors import ArchError


def command(
    net: Spec,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="|".join(RULES), help="The two rules: --rule macs --rule all; torchvision and all by default."
        ),
    ] = None,
    format: Annotated[str, choice("--format", "How it is printed.", ("text", "json"))] = "text",
    inputs: Inputs = None,
    batch: Batch = 1,
    parameters: Parameters = None,
) -> None:
    """Say why two counting rules differ.

    Which kinds of operations one counts and the other does not, with numbers that add up to the difference, and what
    FLOPs and MACs mean in papers and tools.
    """
    from archdsl.reports.as_json import written
    from archdsl.reports.counting import render

    rules = rule or ["torchvision", "all"]
    if len(rules) == 1:
        rules = [rules[0], "torchvision" if rules[0] == "all" else "all"]
    if len(rules) != 2:
        raise ArchError("give two rules: --rule macs --rule all")
    found = sound(net, parameters, inputs).explain_count(rules[0], rules[1], batch)
    put(written(found) if format == "json" else render(found))
