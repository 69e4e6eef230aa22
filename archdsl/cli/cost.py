"""archdsl cost: operations, bytes moved and arithmetic intensity of every layer, and the least time on a device."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Batch, CountingRule, Depth, Inputs, Parameters, Spec, choice
from archdsl.cli.terminal import colored, put
from archdsl.errors import ArchError

DTYPES = ("float64", "float32", "tf32", "bfloat16", "float16", "float8", "int8")


def _list_devices(asked: bool) -> None:
    if asked:
        from archdsl.reports.devices import render

        put(render())
        raise typer.Exit


def _known_devices(incomplete: str) -> list[str]:
    from archdsl.analyses.devices import devices

    return [name for name in devices() if name.startswith(incomplete)]


def command(
    net: Spec,
    format: Annotated[str, choice("--format", "How it is printed.", ("text", "json"))] = "text",
    depth: Depth = None,
    inputs: Inputs = None,
    batch: Batch = 1,
    dtype: Annotated[str, choice("--dtype", "The type that is computed in and stored.", DTYPES)] = "float32",
    rule: CountingRule = "torchvision",
    device: Annotated[
        str | None,
        typer.Option(
            metavar="NAME", help="A device of the table, h200, or a file device.toml.", autocompletion=_known_devices
        ),
    ] = None,
    peak: Annotated[
        str | None, typer.Option(metavar="RATE", help="Of a device of your own, operations a second: 10T.")
    ] = None,
    bandwidth: Annotated[
        str | None, typer.Option(metavar="RATE", help="The same, bytes a second to and from its memory: 1T.")
    ] = None,
    devices: Annotated[
        bool,
        typer.Option("--devices", callback=_list_devices, is_eager=True, help="Print the table of devices and leave."),
    ] = False,
    parameters: Parameters = None,
) -> None:
    """Say what a forward pass costs.

    Operations by a named rule, bytes moved and arithmetic intensity of every layer; with a device the least time by the
    roofline model, and what limits each layer.
    """
    from archdsl.analyses import devices as known
    from archdsl.reports.as_json import written
    from archdsl.reports.cost import render

    machine: known.Device | str | None = device
    if peak is not None or bandwidth is not None:
        if device is not None or peak is None or bandwidth is None:
            raise ArchError("give --peak and --bandwidth together, or --device")
        facts = {"name": "given", "peak": {dtype: peak}, "bandwidth": bandwidth}
        machine = known.described(facts, "--peak, --bandwidth")
    network = sound(net, parameters, inputs)
    found = network.cost(batch=batch, dtype=dtype, device=machine, rule=rule)
    if format == "json":
        put(written(found))
    else:
        put(render(found, network.report(batch), depth=depth, color=colored(sys.stdout)))
