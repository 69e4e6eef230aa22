"""archdsl see: what a network learned, as a picture."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters, Spec, output_ending_in
from archdsl.cli.terminal import note, put, step
from archdsl.errors import ArchError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from archdsl.network import Network
    from archdsl.torch.seeing import Attribution, ClassMap, Features, Filters, Maximized, Seeing

METHODS = ("saliency", "smoothgrad", "input_x_gradient", "integrated_gradients", "occlusion")
"""What `--attribute` takes; a test compares them with those of archdsl.torch.seeing."""

FIRST = "first"
"""What `--filters` takes for the first convolution, if no layer is called so."""


def command(
    net: Spec,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="FILE", help=".png", callback=output_ending_in(".png"))
    ],
    image: Annotated[
        str | None, typer.Argument(metavar="[IMAGE]", help="What to look at; not for --filters and --maximize.")
    ] = None,
    features: Annotated[
        list[str] | None,
        typer.Option("--features", metavar="PATH", help="What flows there; can be given several times."),
    ] = None,
    gradcam: Annotated[
        str | None, typer.Option("--gradcam", metavar="PATH", help="Where it finds what speaks for a class.")
    ] = None,
    attribute: Annotated[
        str | None,
        typer.Option(
            "--attribute", metavar="METHOD", help=f"How much each pixel speaks for a class: {', '.join(METHODS)}."
        ),
    ] = None,
    filters: Annotated[
        str | None,
        typer.Option("--filters", metavar="PATH", help=f"A convolution's filters; {FIRST} is the first one."),
    ] = None,
    maximize: Annotated[
        str | None, typer.Option("--maximize", metavar="PATH:UNIT", help="An image that a unit (channel) answers to.")
    ] = None,
    target: Annotated[
        int | None, typer.Option("--target", min=0, metavar="N", help="The class, from 0; by default the best one.")
    ] = None,
    steps: Annotated[
        int | None, typer.Option("--steps", min=1, max=100_000, metavar="N", help="Of --maximize.")
    ] = None,
    seed: Annotated[
        int, typer.Option("--seed", min=0, max=2**63 - 1, metavar="N", help="Of --maximize and smoothgrad.")
    ] = 0,
    weights: Annotated[
        bool, typer.Option("--weights/--no-weights", help="Load the weights that the spec names, or begin at random.")
    ] = True,
    parameters: Parameters = None,
    inputs: Inputs = None,
) -> None:
    """Draw what a network learned.

    One of --features, --gradcam, --attribute, --filters and --maximize says what. PATH is a layer or a module as the
    report names it.
    """
    asked = {
        "--features": features,
        "--gradcam": gradcam,
        "--attribute": attribute,
        "--filters": filters,
        "--maximize": maximize,
    }
    chosen = [flag for flag, value in asked.items() if value]
    _check(chosen, list(asked), image, target, steps)
    unit = _unit(maximize) if maximize else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch's own making
        network = sound(net, parameters, inputs)
        _look(network, image, [*(features or ()), *([gradcam] if gradcam else ()), *([unit[0]] if unit else ())])
        see = network.see(_module(network, weights))
        with step(f"looking into {network.name}"):
            found = _seen(see, image, features, gradcam, attribute, filters, unit, target, steps, seed)
            found.save(output)
    put(_said(found))
    note(f"wrote {output}")


def _check(
    chosen: Sequence[str], flags: Sequence[str], image: str | None, target: int | None, steps: int | None
) -> None:
    """Refuses what does not go together.

    Raises:
        BadParameter: with the reason.
    """
    listed = f"{', '.join(flags[:-1])} or {flags[-1]}"
    if len(chosen) != 1:
        raise typer.BadParameter(f"{' and '.join(chosen) or 'nothing'} asked for; give one of {listed}")
    (flag,) = chosen
    if (image is None) != (flag in ("--filters", "--maximize")):
        raise typer.BadParameter(f"{flag} needs an image" if image is None else f"{flag} looks at no image")
    if target is not None and flag not in ("--gradcam", "--attribute"):
        raise typer.BadParameter(f"--target is for --gradcam and --attribute, not for {flag}")
    if steps is not None and flag != "--maximize":
        raise typer.BadParameter(f"--steps is for --maximize, not for {flag}")


def _unit(text: str) -> tuple[str, int]:
    path, _, number = text.rpartition(":")
    if not path or not number.isdecimal() or len(number) > 9:
        raise typer.BadParameter(f"{text!r} is no unit; write it like --maximize layer4:5")
    return path, int(number)


def _look(network: Network, image: str | None, paths: Sequence[str]) -> None:
    """Sees that the image and the places are there, before anything takes long.

    Raises:
        NotFoundError: where one is not.
    """
    if image is not None and not Path(image).is_file():
        raise NotFoundError(f"there is no image {image}")
    try:
        with step("loading torch"):
            from archdsl.torch.seeing.places import place
    except ModuleNotFoundError as problem:
        raise ArchError(f"looking into a network needs {problem.name}, which is not installed") from None
    for path in paths:
        place(network.graph, path)


def _module(network: Network, weights: bool) -> nn.Module:
    """The network's module, with the weights that there are for it."""
    with step("building the module"):
        model = network.filled() if weights else network.compile(weights=False)
    if not weights or not (network.is_saved or any(each.weights is not None for each in network.graph.backbones)):
        note(f"{network.name} begins at random here: nothing that is shown was learned")
    return model


def _seen(
    see: Seeing,
    image: str | None,
    features: Sequence[str] | None,
    gradcam: str | None,
    attribute: str | None,
    filters: str | None,
    unit: tuple[str, int] | None,
    target: int | None,
    steps: int | None,
    seed: int,
) -> Features | ClassMap | Attribution | Filters | Maximized:
    if unit is not None:
        return see.maximized(*unit, seed=seed) if steps is None else see.maximized(*unit, steps, seed)
    if filters:
        named = filters != FIRST or any(node.path == FIRST for node in see.network.graph.nodes)
        return see.filters(filters if named else None)
    assert image is not None
    if features:
        return see.features(image, *features)
    if gradcam:
        return see.gradcam(image, gradcam, target)
    assert attribute is not None
    return see.attribution(image, attribute, target, seed)


def _said(found: Features | ClassMap | Attribution | Filters | Maximized) -> str:
    """What there is to say beside the picture."""
    targets, scores = getattr(found, "targets", ()), getattr(found, "scores", ())
    return "".join(f"class {target}, score {score:.4g}\n" for target, score in zip(targets, scores, strict=True))
