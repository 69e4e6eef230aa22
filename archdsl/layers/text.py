"""A layer as the language writes it, with the values of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from archdsl.layers.base import Layer

_UNSAID = frozenset({"bias", "init", "eps", "momentum", "affine", "track"})
"""Options that change no shape and say nothing of what the layer is for."""


def layer_text(layer: Layer, said: Collection[str] = ()) -> str:
    """The layer with what is not its default: `conv 128 k3 s2 p1`; less what would only fill the line.

    The arguments in `said` stand there in any case that has a word.
    """
    words = [layer.word]
    for name, argument in layer.signature().arguments.items():
        value = getattr(layer, name)
        is_default = not argument.required and value == argument.default
        if argument.reference or (name not in said and (name in _UNSAID or is_default)) or value is None:
            continue
        text = _value(value)
        if argument.positional:
            words.append(text)
        elif argument.letter and text[:1].isdigit() and "." not in text:
            words.append(f"{argument.letter}{text}")
        else:
            words.append(f"{argument.letter or name}={text}")
    return " ".join(words)


def differing(one: Layer, other: Layer) -> frozenset[str]:
    """The arguments in which two layers of one kind differ; none where they are of two kinds."""
    if one.word != other.word:
        return frozenset()
    arguments = one.signature().arguments.items()
    return frozenset(
        [name for name, each in arguments if not each.reference and getattr(one, name) != getattr(other, name)]
    )


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        parts = [_value(item) for item in value]
        return "x".join(parts) if all(part.isalnum() for part in parts) else f"[{', '.join(parts)}]"
    return str(value)
