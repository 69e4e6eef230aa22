"""The functions of expressions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any


def round_to(value: float, divisor: int) -> int:
    """The rounding of the MobileNet papers: to a multiple of the divisor, and never more than a tenth down.

    Source: `_make_divisible` in torchvision.models._utils, after tensorflow/models.
    """
    rounded = max(divisor, int(value + divisor / 2) // divisor * divisor)
    return rounded + divisor if rounded < 0.9 * value else rounded


def _round(value: float) -> int:
    """Half away from zero, as people round."""
    return math.floor(value + 0.5) if value >= 0 else -math.floor(-value + 0.5)


def _spread(function: Callable[[Any], Any]) -> Callable[..., Any]:
    """min(a, b) and min([a, b]) alike."""
    return lambda *values: function(values[0] if len(values) == 1 and isinstance(values[0], tuple) else values)


FUNCTIONS: dict[str, tuple[Callable[..., Any], int, int | None, str]] = {
    "min": (_spread(min), 1, None, "the least of its arguments, or of a list"),
    "max": (_spread(max), 1, None, "the greatest of its arguments, or of a list"),
    "sum": (_spread(sum), 1, None, "the sum of its arguments, or of a list"),
    "ceil": (math.ceil, 1, 1, "rounds up"),
    "floor": (math.floor, 1, 1, "rounds down"),
    "round": (_round, 1, 1, "rounds to the nearest whole number, halves away from zero"),
    "abs": (abs, 1, 1, "the size of a number, without its sign"),
    "len": (len, 1, 1, "how many values a list has"),
    "round_to": (round_to, 2, 2, "round_to(v, 8): the divisible rounding of the MobileNet papers"),
}
"""The functions of expressions: what they do, the least and greatest number of arguments, and a description."""
