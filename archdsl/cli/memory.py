"""archdsl memory: what a network holds in memory, in inference and in training."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from archdsl.cli.networks import sound, staged
from archdsl.cli.options import Inputs, Parameters, Spec, Stage, choice
from archdsl.cli.terminal import put

_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3, "T": 1024**4}


def size(text: str) -> int:
    """Bytes as people write them: 24GiB, 24G, 24GB (of 1000), 800 MiB."""
    match = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,6})?) ?([KMGT]?)(iB|B)?", text.strip(), re.IGNORECASE)
    if match is None:
        raise typer.BadParameter(f"{text!r} is no size in memory; write it like 24GiB")
    number, prefix, unit = match.groups()
    factor = _UNITS[prefix.upper()]
    if prefix and unit and unit.upper() == "B":
        factor = 1000 ** list(_UNITS).index(prefix.upper())
    return int(float(number) * factor)


def command(
    net: Spec,
    batch: Annotated[int, typer.Option("--batch", min=1, metavar="N", help="Samples in a batch.")] = 1,
    dtype: Annotated[
        str, choice("--dtype", "The type of all numbers.", ("float32", "bfloat16", "float16", "float64"))
    ] = "float32",
    optimizer: Annotated[
        str, choice("--optimizer", "What trains it.", ("sgd", "momentum", "rmsprop", "adam", "adamw"))
    ] = "adamw",
    fits: Annotated[
        str | None, typer.Option("--fits", metavar="24GiB", help="Say also which batch so much memory holds.")
    ] = None,
    checkpoint: Annotated[
        bool, typer.Option("--checkpoint", help="Blocks are computed again in the backward pass, and keep less.")
    ] = False,
    device: Annotated[str, choice("--device", "Whose kernels run it.", ("cuda", "cpu"))] = "cuda",
    format: Annotated[str, choice("--format", "How it is printed.", ("text", "json"))] = "text",
    inputs: Inputs = None,
    parameters: Parameters = None,
    stage: Stage = None,
) -> None:
    """Say what a network holds in memory over time.

    In inference and in a step of training: parameters, gradients, the optimizer's state, what waits for the backward
    pass, the layer at the peak, and the largest batch that fits.
    """
    budget = None if fits is None else size(fits)
    from archdsl.reports.memory import render

    network = staged(sound(net, parameters, inputs), stage)
    found = network.memory(batch, dtype, optimizer, device, budget, checkpoint)  # type: ignore[arg-type]
    put(found.model_dump_json(indent=2) + "\n" if format == "json" else render(found))
