"""archdsl explain: the page of an error code or of a layer."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from archdsl.cli.terminal import colored, put
from archdsl.diagnostics import codes
from archdsl.diagnostics.model import nearest
from archdsl.errors import NotFoundError
from archdsl.layers.catalog import STANDARD, installed
from archdsl.layers.page import page


def command(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CODE_OR_LAYER",
            help="The code of an error, merge-shapes, or a layer, conv.",
            autocompletion=lambda incomplete: [word for word in _subjects() if word.startswith(incomplete)],
        ),
    ],
) -> None:
    """Explain an error code or a layer."""
    text = codes.page(subject)
    if text is None:
        layer = STANDARD.find(subject) or installed().find(subject)
        if layer is None:
            near = nearest(subject, _subjects())
            hint = f"did you mean {near}?" if near else "codes stand in brackets after error, as error[merge-shapes]"
            raise NotFoundError(f"there is no error code and no layer called {subject}; {hint}")
        text = page(layer)
    put(_shown(text))


def _subjects() -> tuple[str, ...]:
    return (*codes.codes(), *STANDARD.words())


def _shown(text: str) -> str:
    """The page laid out where there are colours to do it with; otherwise Markdown as it is."""
    if not colored(sys.stdout):
        return text
    from rich.console import Console
    from rich.markdown import Markdown

    console = Console(force_terminal=True)
    with console.capture() as captured:
        console.print(Markdown(text))
    return captured.get()
