"""archdsl report: shapes, receptive fields, parameters and costs of every layer."""

from __future__ import annotations

import sys
from typing import Annotated

from archdsl.cli.networks import sound, staged
from archdsl.cli.options import Batch, Depth, Inputs, Parameters, Spec, Stage, choice
from archdsl.cli.terminal import colored, put
from archdsl.reports import FORMATS, renderer


def command(
    net: Spec,
    format: Annotated[str, choice("--format", "How the report is printed.", FORMATS)] = "table",
    depth: Depth = None,
    inputs: Inputs = None,
    batch: Batch = 1,
    parameters: Parameters = None,
    stage: Stage = None,
) -> None:
    """Print sizes and costs of every layer.

    Shapes, receptive fields, parameters and multiply-accumulates; the table folds repeats.
    """
    report = staged(sound(net, parameters, inputs), stage).report(batch=batch)
    extra = {"color": colored(sys.stdout)} if format == "table" else {}
    put(renderer(format)(report, depth=depth, **extra))
