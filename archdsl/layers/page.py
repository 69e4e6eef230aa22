"""A layer's page for readers, in Markdown, made from its declaration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import cleandoc
from typing import get_args, get_origin

from archdsl.layers.base import Argument, Layer
from archdsl.layers.tensor import Kind, Tensor

_INPUTS: dict[Kind, str] = {
    "map": "16x32x32",
    "tokens": "tokens 64x16",
    "vector": "784",
    "ids": "ids 128 of 30000",
}
"""What the example of a layer begins with, by the kind that it takes first."""

_VALUES = {
    "count": "100",
    "channels": "32",
    "features": "10",
    "kernel": "3",
    "size": "3",
    "groups": "4",
    "factor": "2",
    "parts": "2",
    "amounts": "1",
    "p": "0.2",
    "threshold": "0.1",
    "value": "0",
    "heads": "4",
    "index": "0",
}
"""What the example gives for an argument that has to be given."""

_CALLS = {
    "reshape": "reshape 64x16x16",
    "upsample": "upsample 2",
    "crop": "crop 1",
    "to_map": "to_map 8x8",
    "lrn": "lrn 5",
    "partition_attention": "partition_attention 4 w8",
    "id": "( conv 16 k3 p1 | id ) -> add",
}
"""Examples of calls, where the arguments that have to be given do not make a good one."""


def page(layer: type[Layer]) -> str:
    """What the layer means, its arguments, what it takes, and an example that checks clean."""
    return "\n".join(_lines(layer))


def example(layer: type[Layer]) -> str:
    """A spec with a network that uses the layer."""
    call = _call(layer)
    if layer.inputs[0] > 1:
        call = f"( conv 16 k3 p1 | id ) -> {call}"
    kind = next(kind for kind in _INPUTS if kind in layer.accepts)
    return f"net example {{\n  input {_INPUTS[kind]}\n  {call}\n}}\n"


def _lines(layer: type[Layer]) -> Iterator[str]:
    yield from (f"# {layer.word}", "", cleandoc(layer.__doc__ or ""), "")
    if layer.torch_name:
        yield f"- In torch: {_torch(layer.torch_name)}"
    if layer.aliases:
        yield f"- Also written: {', '.join(f'`{alias}`' for alias in layer.aliases)}"
    yield from (f"- Family: {layer.family}", f"- Takes {_takes(layer)}")
    for kind, element in layer.conversions.items():
        if kind not in layer.accepts:
            yield f"- For {Tensor(kind).described}, put `{element}` before it"
    yield from ("", "## Arguments", "")
    arguments = layer.signature().arguments.values()
    if arguments:
        yield from ("| argument | letter | value | default | meaning |", "|---|---|---|---|---|")
        yield from map(_row, arguments)
        placed = [f"`{argument.name}`" for argument in arguments if argument.positional]
        if placed:
            yield from ("", f"By place: {', '.join(placed)}.")
    else:
        yield "None."
    yield from ("", "## Example", "", "```arch", example(layer).rstrip(), "```", "")


def _row(argument: Argument) -> str:
    letter = f"`{argument.letter}`" if argument.letter else ""
    if argument.required:
        default = "must be given"
    else:
        default = "" if argument.default is None or argument.reference else f"`{_default(argument)}`"
    cells = (f"`{argument.name}`", letter, _value(argument), default, argument.doc)
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def _default(argument: Argument) -> str:
    if isinstance(argument.default, bool):
        return "yes" if argument.default else "no"
    return str(argument.default)


def _value(argument: Argument) -> str:
    """The values that an argument takes, in words."""
    if argument.reference:
        return "the name of a value"
    types = {part for part in _types(argument.type) if not isinstance(part, str)}
    words = [f"`{word}`" for word in argument.words]
    if bool in types:
        words = ["`yes`", "`no`"]
    elif float in types:
        words.insert(0, "a number")
    elif tuple in types:
        words.insert(0, "a whole number, or several (`1x7`)")
    elif int in types:
        words.insert(0, "a whole number")
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _types(annotation: object) -> Iterator[object]:
    """The plain types that an annotation is made of."""
    yield get_origin(annotation) or annotation
    for part in get_args(annotation):
        yield from _types(part)


def _takes(layer: type[Layer]) -> str:
    kinds = [Tensor(kind).described for kind in layer.accepts]
    if layer.ranks != (1, 2, 3):
        kinds = [kind + (f" with {_axes(layer.ranks)}" if kind.startswith("a map") else "") for kind in kinds]
    low, high = layer.inputs
    several = {(1, 1): "", (2, None): "two or more of: ", (2, 2): "two of: "}.get((low, high), f"{low} or more of: ")
    return several + (kinds[0] if len(kinds) == 1 else f"{', '.join(kinds[:-1])} or {kinds[-1]}")


def _axes(ranks: tuple[int, ...]) -> str:
    counts = " or ".join(("one", "two", "three")[rank - 1] for rank in ranks)
    return f"{counts} spatial {'axis' if ranks == (1,) else 'axes'}"


def _torch(text: str) -> str:
    """The names in torch as code, and the words around them as they are."""
    return re.sub(r"\b(?:torch(?:vision)?\.[\w.]*\w|[A-Z]\w*[a-z]\w*)", r"`\g<0>`", text)


def _call(layer: type[Layer]) -> str:
    if layer.word in _CALLS:
        return _CALLS[layer.word]
    required = [argument for argument in layer.signature().arguments.values() if argument.required]
    parts = [f"{argument.letter or ''}{_VALUES[argument.name]}" for argument in required if argument.positional]
    parts += [f"{argument.name}={_VALUES[argument.name]}" for argument in required if not argument.positional]
    letters = layer.signature().letters
    if "k" in letters and not letters["k"].required:
        parts.append("k3")
    return " ".join((layer.word, *parts))
