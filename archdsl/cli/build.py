"""archdsl build: everything that a spec gives, in one folder, and a first run of its module."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from errno import EACCES
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.networks import approved, opened
from archdsl.cli.options import Inputs, Parameters, Preset, Spec, into_folder
from archdsl.cli.terminal import FINDINGS, colored, complain, note, put, step
from archdsl.diagnostics.escape import printable
from archdsl.files import write_atomically
from archdsl.network import Network

if TYPE_CHECKING:
    from archdsl.torch.trial import Trial

SIZES = (224, 256, 128, 512, 64, 96, 32, 320, 299, 600)
"""What is tried, in this order, for the sizes that a spec leaves open."""

IMAGE_CHANNELS = 3


def command(
    net: Spec,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FOLDER", help="Made where it is not there.", callback=into_folder)
    ],
    parameters: Parameters = None,
    inputs: Inputs = None,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Load the weights that the spec names, or begin at random.")
    ] = True,
    preset: Preset = None,
) -> None:
    """Do all of these into a folder, and run the module.

    Checks, prints the report, writes diagram, report and source, then runs the module forward and backward once: on
    the accelerator, or else on the CPU. For inference it runs forward only.
    """
    network = approved(_sized(net, parameters, inputs))
    _prepare(output)
    with step("report"):
        from archdsl.reports import as_json, html, table

        report = network.report()
    put(table.render(report, color=colored(sys.stdout)) + "\n")
    svg = _diagram(network)
    files = {
        "report.json": as_json.render(report),
        "report.html": html.render(report, svg=svg),
        "model.py": network.source(),
    }
    if svg is not None:
        files["diagram.svg"] = svg
    for name, content in files.items():
        write_atomically(output / name, content)
    put("".join(f"wrote {printable(str(output / name))}\n" for name in files))
    tried = _tried(network, weights, preset)
    shapes = ", ".join("x".join(map(str, shape)) for shape in tried.outputs)
    backward = "" if preset == "inference" else f"backward {tried.backward:.3f} s, "
    put(f"ran on {tried.device}, batch of {tried.batch}: forward {tried.forward:.3f} s, {backward}output {shapes}\n")
    for problem in tried.problems:
        complain(problem)
    raise typer.Exit(FINDINGS if tried.problems else 0)


def _sized(net: str, parameters: Sequence[str] | None, inputs: Sequence[str] | None) -> Network:
    """The network, with numbers for the sizes that it leaves open: the first that it checks clean with."""
    found = opened(net, parameters, inputs)
    if not any(isinstance(size, str) for each in found.graph.inputs for size in each.tensor.dims):
        return found
    for size in SIZES:
        shapes = []
        for each in found.graph.inputs:
            dims = list(each.tensor.dims)
            if each.tensor.kind == "map" and isinstance(dims[0], str):
                dims[0] = IMAGE_CHANNELS
            shapes.append(f"{each.name}={'x'.join(str(size if isinstance(d, str) else d) for d in dims)}")
        sized = opened(net, parameters, shapes)
        if sized.ok:
            note(f"the spec leaves sizes open; taken: {' '.join(f'--input {shape}' for shape in shapes)}")
            return sized
    return found.checked() and sized  # without its sizes it may be sound, and then the last findings say what is not


def _prepare(folder: Path) -> None:
    """Makes the folder, and sees that it can be written before any long work."""
    folder.mkdir(parents=True, exist_ok=True)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(EACCES, os.strerror(EACCES), str(folder))


def _diagram(network: Network) -> str | None:
    """The drawing; None of a network that is too large to draw."""
    from tempfile import TemporaryDirectory

    try:
        with step("diagram"), TemporaryDirectory() as folder:
            return network.draw(Path(folder) / "diagram.svg").read_text(encoding="utf-8")
    except ValueError as problem:
        note(f"no diagram: {problem}")
        return None


def _tried(network: Network, weights: bool, preset: str | None) -> Trial:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch's own making
            with step("loading torch"):
                from archdsl.torch.trial import best_device, trial
            with step("building the module"):
                module = network.compile(weights, preset=preset)
            device = best_device()
            training = preset != "inference"
            with step(f"one forward {'and one backward ' if training else ''}pass on {device.type}"):
                return trial(module, network.graph, device, training=training)
    except ModuleNotFoundError as problem:
        complain(f"the module was not run: {problem.name} is not installed")
    except (RuntimeError, MemoryError) as problem:  # out of memory is one of them
        complain(f"the module was not run: {str(problem).partition(chr(10))[0] or 'out of memory'}")
    raise typer.Exit(FINDINGS)
