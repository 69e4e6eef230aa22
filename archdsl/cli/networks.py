"""From what stands on the command line to a Network."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from archdsl.cli.terminal import show_findings
from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError
from archdsl.layers.catalog import STANDARD
from archdsl.layers.tensor import Tensor
from archdsl.loading import check_inputs, locate, shapes
from archdsl.network import Network
from archdsl.project import Module
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse


def opened(spec: str, parameters: Sequence[str] | None, inputs: Sequence[str] | None) -> Network:
    """The network that NET, `-p` and `--input` mean; it may have errors.

    Raises:
        ArchError: where one of them means nothing.
        SpecError: where a file has errors that leave no network to choose.
    """
    module, name = locate(spec)
    return network(module, name, parameters, inputs)


def sound(spec: str, parameters: Sequence[str] | None, inputs: Sequence[str] | None) -> Network:
    """The same, without errors; its warnings have been shown.

    Raises:
        SpecError: where it has errors.
    """
    return approved(opened(spec, parameters, inputs))


def staged(found: Network, stage: str | None) -> Network:
    """The network in the stage of its recipe that `--stage` names.

    Raises:
        SpecError: where it has errors.
        NotFoundError: where it has no such stage.
    """
    if stage is None:
        return found
    return found.at_stage(int(stage) if stage.isascii() and stage.isdigit() and len(stage) < 10 else stage)


def approved(found: Network) -> Network:
    """The network, once it is seen to have no errors; its warnings are shown.

    Raises:
        SpecError: where it has errors.
    """
    show_findings(found.checked().diagnostics, sys.stderr)
    return found


def network(
    module: Module, name: str, parameters: Sequence[str] | None = None, inputs: Sequence[str] | None = None
) -> Network:
    """A network of a file, with parameters and shapes as `-p` and `--input` give them."""
    arguments, given = _arguments(parameters or (), module, name), _shapes(inputs or ())
    found = Network(module, name, STANDARD, arguments, given)
    if any(d.code in ("unknown-layer", "unknown-name") for d in found.diagnostics):
        from archdsl.layers.catalog import installed

        if len(installed().layers) > len(STANDARD.layers):  # packages are asked only where a layer is missing
            found = Network(module, name, installed(), arguments, given)
    check_inputs(found)
    return found


# ---------------------------------------------------------------- --input


def _shapes(inputs: Sequence[str]) -> dict[str, Tensor]:
    given: dict[str, str | int | tuple[int, ...] | list[int]] = {}
    for text in inputs:
        name, separator, shape = text.rpartition("=")
        if name in given or (separator and not name):
            raise ArchError(f"--input {text}: " + ("write it like rgb=3x224x224" if separator else "it is given twice"))
        given[name] = shape
    return shapes(given)


# ---------------------------------------------------------------- -p


def _arguments(parameters: Sequence[str], module: Module, name: str) -> dict[str, object]:
    known = _parameters(module, name)
    arguments: dict[str, object] = {}
    for text in parameters:
        parameter, separator, value = text.partition("=")
        parameter = parameter.strip()
        if not separator or not parameter:
            raise ArchError(f"-p {text}: write it like classes=10")
        if parameter in arguments:
            raise ArchError(f"-p {text}: {parameter} is given twice")
        if known is not None and parameter not in known:
            near = nearest(parameter, known)
            takes = f"did you mean {near}?" if near else f"it takes {', '.join(known) or 'none'}"
            raise ArchError(f"{name} has no parameter {parameter}; {takes}")
        arguments[parameter] = _value(text, value)
    return arguments


def _parameters(module: Module, name: str) -> list[str] | None:
    """The parameters of a network or of what it is a variant of; None where that is not known."""
    definition, owner = module.definitions[name]
    seen = set()
    while isinstance(definition, tree.Variant) and definition not in seen:
        seen.add(definition)
        definition, owner = owner.definitions.get(definition.base.text, (definition, owner))
    return [p.name.text for p in definition.parameters] if isinstance(definition, tree.Net) else None


def _value(text: str, value: str) -> object:
    """A value as the language writes it: 10, 0.5, yes, [2, 2], bottleneck, "text"."""
    parsed = parse(Source(f"-p {text}", f"let value = {value}\n"))
    match parsed.file.definitions:
        case [tree.Let(value=expression)] if not parsed.diagnostics:
            plain = _plain(expression)
        case _:
            plain = None
    if plain is None:
        raise ArchError(f'-p {text}: {value or "nothing"} is not a value; write 10, 0.5, yes, [2, 2], a name or "text"')
    return plain


def _plain(expression: tree.Expression) -> object:
    """A literal or a name as a Python value; None of what has to be worked out."""
    match expression:
        case tree.Number(value=value) | tree.String(value=value) | tree.Constant(value=value) | tree.Name(text=value):
            return value
        case tree.Unary(operator="-", operand=tree.Number(value=number)):
            return -number
        case tree.Size(extents=extents) if all(isinstance(extent, int) for extent in extents):
            return extents
        case tree.List(items=items):
            plain = [_plain(item) for item in items]
            return None if None in plain else plain
    return None
