"""The colours of a picture: by the kind of layer, or by what it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from archdsl.reports.numbers import engineering

if TYPE_CHECKING:
    from archdsl.diagrams.scene import Box

# Paul Tol's "light" scheme, made to fill cells with dark text for readers with any colour vision, here a little paler.
FAMILIES = {
    "convolution": "#A4C6E7",
    "linear": "#F4B9A5",
    "pooling": "#A3DDCB",
    "resampling": "#BFE9FF",
    "normalization": "#F5EAB5",
    "activation": "#FFCFD9",
    "attention": "#D5C2E8",
    "regularization": "#E8E8E8",
    "reshape": "#E8E8E8",
    "elementwise": "#DDE399",
    "module": "#FFFFFF",
}
OTHER = "#D9CFC3"
SCALE = ("#FFFBE6", "#CFEBC7", "#7CCDBB", "#41A3C4", "#2566A5", "#15306B")
DARK, WHITE = "#1F2933", "#FFFFFF"

MEASURES: dict[str, Callable[[Box], int | None]] = {
    "parameters": lambda box: box.cost.parameters,
    "macs": lambda box: box.cost.macs,
    "field": lambda box: (
        max((axis.size for axis in box.field.axes), default=None) if box.field and box.field.axes else None
    ),
}
"""What a box may be coloured by besides its kind; None where it is not known."""

CHOICES = ("kind", *MEASURES)


class Swatch(NamedTuple):
    """One entry of the legend."""

    fill: str
    text: str


class Paint:
    """The fill of each box, and the legend that explains it."""

    def __init__(self, boxes: Iterable[Box], color_by: str) -> None:
        if color_by not in CHOICES:
            raise ValueError(f"color_by must be one of {', '.join(CHOICES)}, got {color_by!r}")
        self.by, self.measure = color_by, MEASURES.get(color_by)
        self.boxes = [box for box in boxes if box.kind in ("layers", "module")]
        self.top = max((self.measure(box) or 0 for box in self.boxes), default=0) if self.measure else 0

    def fill(self, box: Box) -> str:
        if self.measure is None:
            return FAMILIES.get(box.family, OTHER)
        value = self.measure(box)
        return WHITE if value is None else self._at(value / self.top if self.top else 0)

    def merge(self, box: Box) -> str:
        """The fill of a circle in which branches meet."""
        return WHITE

    def number(self, box: Box) -> str:
        """What the colour stands for, to be written into the box."""
        if self.measure is None:
            return ""
        value = self.measure(box)
        if self.by != "field":
            return engineering(value) if value or value is None else ""
        everywhere = box.field is not None and box.field.everywhere
        return ("sees all" if everywhere else "") if value is None else f"field {value}"

    def legend(self) -> list[Swatch]:
        if self.measure is None:
            present = {box.family for box in self.boxes} - {"module"}
            known = [family for family in FAMILIES if family in present]
            return [Swatch(FAMILIES.get(f, OTHER), f) for f in (*known, *sorted(present - {*FAMILIES}))]
        steps = len(SCALE) - 1
        numbers = {round(self.top * i / steps): self._at(i / steps) for i in range(steps + 1)}
        write = str if self.by == "field" else engineering
        return [Swatch(color, "0" if not n else write(n)) for n, color in numbers.items()]

    @staticmethod
    def _at(share: float) -> str:
        position = share * (len(SCALE) - 1)
        low, high = [*pairwise(SCALE)][min(int(position), len(SCALE) - 2)]
        part = position - min(int(position), len(SCALE) - 2)
        mixed = (round(a + (b - a) * part) for a, b in zip(_rgb(low), _rgb(high), strict=True))
        return "#" + "".join(f"{channel:02X}" for channel in mixed)


def _rgb(color: str) -> tuple[int, ...]:
    return tuple(bytes.fromhex(color[1:]))


def luminance(color: str) -> float:
    """How light a colour is to the eye, from 0 to 1, as the W3C's contrast rule has it."""
    shares = (channel / 255 for channel in _rgb(color))
    linear = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def contrast(a: str, b: str) -> float:
    """The W3C's contrast of two colours, from 1 to 21."""
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def text_on(fill: str) -> str:
    """Dark or white, whichever is read more easily."""
    return max((DARK, WHITE), key=lambda color: contrast(color, fill))
