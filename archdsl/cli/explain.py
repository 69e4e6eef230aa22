"""archdsl explain: the page of an error code, a lint rule or a layer, or the derivation of a layer of a network."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from archdsl.cli.networks import sound
from archdsl.cli.options import Inputs, Parameters
from archdsl.cli.terminal import colored, put
from archdsl.diagnostics import codes
from archdsl.diagnostics.model import nearest
from archdsl.errors import NotFoundError
from archdsl.layers.catalog import STANDARD, installed
from archdsl.layers.page import page
from archdsl.project import shipped


def command(
    subject: Annotated[
        str,
        typer.Argument(
            metavar="CODE|LAYER|NET",
            help="The code of an error, merge-shapes, or of a lint rule, a layer, conv, or a network, resnet50.",
            autocompletion=lambda incomplete: [word for word in _subjects() if word.startswith(incomplete)],
        ),
    ],
    path: Annotated[
        str | None, typer.Argument(metavar="[PATH]", help="Of a network: the layer or module, layer2.0.conv2.")
    ] = None,
    inputs: Inputs = None,
    parameters: Parameters = None,
) -> None:
    """Explain a code, a rule, a layer, or a network.

    Of a network, the sizes, the receptive field, the parameters and the costs of one of its layers, each with its
    formula and numbers, and the lines of the spec that made it.
    """
    if path is not None:
        put(_shown(sound(subject, parameters, inputs).explain(path)))
        return
    text = codes.page(subject)
    if text is None:
        layer = STANDARD.find(subject) or installed().find(subject)
        if layer is None:
            near = nearest(subject, _subjects())
            hint = f"did you mean {near}?" if near else "codes stand in brackets after error, as error[merge-shapes]"
            if subject.endswith(".arch") or "::" in subject or subject in shipped():
                hint = f"of a network, name a layer as well: archdsl explain {subject} PATH"
            raise NotFoundError(f"there is no error code, no rule and no layer called {subject}; {hint}")
        text = page(layer)
    put(_shown(text))


def _subjects() -> tuple[str, ...]:
    return (*codes.codes(), *codes.lint_codes(), *STANDARD.words())


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
