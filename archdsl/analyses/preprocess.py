"""The statement `preprocess`: its words, what each takes, and what it says as fields of a `Preprocessing`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, error, nearest
from archdsl.graph import shown

if TYPE_CHECKING:
    from archdsl.graph import Setting, Settings

FIELDS = {
    "resize": "resize_size",
    "crop": "crop_size",
    "mean": "mean",
    "std": "std",
    "interpolation": "interpolation",
    "antialias": "antialias",
}
"""The field of `Preprocessing` that each word sets."""
INTERPOLATIONS = ("bilinear", "bicubic", "nearest")
_LEAST = 1e-6
"""The least deviation; what is smaller is nothing in single precision, and torchvision refuses it when it runs."""


def stated(settings: Settings | None) -> dict[str, Any]:
    """What a statement says, by the fields of `Preprocessing`; what is wrong in it is left out."""
    if settings is None:
        return {}
    read = {each.name: _value(each) for each in settings.values if each.name in FIELDS}
    return {FIELDS[word]: value for word, value in read.items() if value is not None}


def slips(settings: Settings) -> Iterator[Diagnostic]:
    """Words that the statement does not have, and values that a word does not take."""
    for setting in settings.values:
        if setting.name not in FIELDS:
            near = nearest(setting.name, FIELDS)
            help = f"did you mean `{near}`?" if near else f"it takes {', '.join(FIELDS)}"
            yield error("unknown-option", f"preprocess has no `{setting.name}`", setting.span, help=help)
        elif _value(setting) is None:
            message = f"`{setting.name}` cannot be {shown(setting.value)}"
            yield error("bad-argument", message, setting.span, help=_help(setting))


def _value(setting: Setting) -> Any:
    """A word's value as its field takes it; None where the word cannot have it."""
    value = setting.value
    match setting.name:
        case "resize" | "crop":
            edges = value if type(value) is tuple else (value,)
            if not 1 <= len(edges) <= 2 or not all(type(edge) is int and edge > 0 for edge in edges):
                return None
            return edges if edges[0] * edges[-1] <= limits.PIXELS else None
        case "mean" | "std":
            numbers = value if type(value) is tuple else (value,)
            allowed = _is_mean if setting.name == "mean" else _is_deviation
            return tuple(map(float, numbers)) if numbers and all(map(allowed, numbers)) else None
        case "interpolation":
            return value if value in INTERPOLATIONS else None
        case _:
            return value if type(value) is bool else None


def _is_mean(value: object) -> bool:
    return type(value) in (int, float) and 0 <= value <= 1  # type: ignore[operator]


def _is_deviation(value: object) -> bool:
    return type(value) in (int, float) and _LEAST <= value <= 1  # type: ignore[operator]


def _help(setting: Setting) -> str:
    value = setting.value
    match setting.name:
        case "resize" | "crop":
            return (
                f"it takes pixels: `{setting.name}=224`, or height and width: `{setting.name}=[224, 320]`, "
                f"of up to {limits.PIXELS:,} pixels in all"
            )
        case "mean" | "std":
            numbers = value if type(value) is tuple else (value,)
            if numbers and all(type(n) in (int, float) and 0 <= n <= 255 for n in numbers) and max(numbers) > 1:
                parts = [f"{n / 255:.4g}" for n in numbers]
                written = parts[0] if type(value) is not tuple else f"[{', '.join(parts)}]"
                return f"pixels are scaled to 0..1 before: `{setting.name}={written}`"
            limit = "from 0 up to 1" if setting.name == "mean" else "above 0 and up to 1"
            return f"it takes a number {limit}, or one for each channel, of pixels scaled to 0..1"
        case "interpolation":
            near = nearest(str(value), INTERPOLATIONS)
            return f"did you mean `{near}`?" if near else f"it takes {', '.join(INTERPOLATIONS)}"
        case _:
            return "it takes yes or no"
