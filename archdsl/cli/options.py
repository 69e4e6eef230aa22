"""The arguments that several commands take, each declared once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from archdsl.diagnostics.model import nearest


def choice(flag: str, help: str, words: Sequence[str]) -> Any:
    """An option that takes one of some words, or is left out."""

    def chosen(value: str | None) -> str | None:
        if value is None or value in words:
            return value
        near = nearest(value, words)
        hint = f"did you mean {near}?" if near else f"choose from {', '.join(words)}"
        raise typer.BadParameter(f"there is no {value!r}; {hint}")

    return typer.Option(
        flag, metavar="|".join(words), help=help, callback=chosen, autocompletion=_completing(lambda: words)
    )


def _completing(words: Callable[[], Sequence[str]]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [word for word in words() if word.startswith(incomplete)]

    return complete


def _shipped() -> Sequence[str]:
    from archdsl.loading import shipped_networks

    return shipped_networks()


def output_ending_in(*endings: str) -> Callable[[Path], Path]:
    """Refuses a file's name with another ending, or in a folder that is not there, before any work is done."""

    def checked(path: Path) -> Path:
        if path.suffix.lower() not in endings:
            raise typer.BadParameter(f"{path} must end in {_listed(endings)}")
        return writable(path)

    return checked


def _listed(words: Sequence[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def writable(path: Path) -> Path:
    """Refuses a file that is a folder, or in a folder that is not there; `-` is standard output."""
    if path.is_dir():
        raise typer.BadParameter(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise typer.BadParameter(f"there is no folder {path.parent}")
    return path


def into_folder(path: Path) -> Path:
    """Refuses `-`, which is standard output to other commands and would be a folder of that name."""
    if str(path) == "-":
        raise typer.BadParameter("several files do not go to standard output; name a folder")
    return path


Spec = Annotated[
    str,
    typer.Argument(
        metavar="NET",
        help="A network that ships, a file with one network, file.arch::name, or weights with their network.",
        autocompletion=_completing(_shipped),
    ),
]
Parameters = Annotated[
    list[str] | None,
    typer.Option("-p", "--parameter", metavar="NAME=VALUE", help="A parameter of the network: -p classes=10."),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input", metavar="[NAME=]SHAPE", help="The shape of the input, 3x320x320; of one of several, rgb=3x224x224."
    ),
]
Stage = Annotated[
    str | None,
    typer.Option("--stage", metavar="STAGE", help="The stage of its recipe, by name or by number from 0 up."),
]
Depth = Annotated[int | None, typer.Option("--depth", min=0, metavar="N", help="How deep modules are opened.")]
Batch = Annotated[int, typer.Option("--batch", min=1, max=2**31, metavar="N", help="Samples to count for.")]
RULES = ("torchvision", "all", "macs")
"""The names of the counting rules; a test compares them with those of archdsl.analyses.cost."""
PRESETS = ("training", "inference")
"""The names of the presets; a test compares them with those of archdsl.lowering.modes."""
Preset = Annotated[
    str | None, choice("--preset", "Run the module as is right to train, or for inference: see docs/gpu.md.", PRESETS)
]
CountingRule = Annotated[str, choice("--rule", "What is counted as operations.", RULES)]
