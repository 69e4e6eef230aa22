"""archdsl compile: the Python source of a network's module."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, writable
from archdsl.cli.terminal import note, put
from archdsl.files import write_atomically


def command(
    net: Spec,
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="FILE", help="A file, or - for standard output.", callback=writable),
    ] = Path("-"),
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Write the torch module as Python source.

    What is written needs nothing but torch.
    """
    source = sound(net, parameters, inputs).source()
    if output == Path("-"):
        put(source)
    else:
        write_atomically(output, source)
        note(f"wrote {output}")
