"""A layer as the language writes it, with the values of its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.layers.base import Layer

_UNSAID = frozenset({"bias", "init", "eps", "momentum", "affine", "track"})
"""Options that change no shape and say nothing of what the layer is for."""


def layer_text(layer: Layer) -> str:
    """The layer with what is not its default: `conv 128 k3 s2 p1`; less what would only fill the line."""
    words = [layer.word]
    for name, argument in layer.signature().arguments.items():
        value = getattr(layer, name)
        if argument.reference or name in _UNSAID or (not argument.required and value == argument.default):
            continue
        text = _value(value)
        if argument.positional:
            words.append(text)
        elif argument.letter and text[:1].isdigit() and "." not in text:
            words.append(f"{argument.letter}{text}")
        else:
            words.append(f"{argument.letter or name}={text}")
    return " ".join(words)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        parts = [_value(item) for item in value]
        return "x".join(parts) if all(part.isalnum() for part in parts) else f"[{', '.join(parts)}]"
    return str(value)
