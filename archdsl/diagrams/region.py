"""A picture of the input with what one unit sees of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.diagrams.colors import DARK
from archdsl.diagrams.dot import FONT, GREY, LINE, escaped
from archdsl.diagrams.draw import write
from archdsl.errors import ArchError
from archdsl.reports.numbers import clean, percent
from archdsl.reports.units import layer_field

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.network import Network
    from archdsl.reports.units import AxisBox, LayerField

LONGEST = 5.0
"""Inches: the longer side of all that is drawn."""
THIN = 0.5
"""Inches: the height of an input with one axis."""
INPUT, FIELD, PADDING = "#E3EEF7", "#7CCDBB", "#F4B9A5"


def draw_region(network: Network, layer: str, path: str | Path, at: Sequence[int] | None = None) -> Path:
    """Draws the input, and on it what one unit of a layer sees; of three axes the last two.

    Raises:
        SpecError: where the network has errors.
        NotFoundError: where it has no such layer.
        ArchError: where the layer has no such unit, or it sees no place of the input.
        ValueError: for another ending of the file.
    """
    found = layer_field(network, layer, at)
    if found.unit is None:
        raise ArchError(f"{layer} has no place in the input that could be drawn; --input gives sizes that are open")
    return write("\n".join(_dot(found)) + "\n", path)


def _dot(found: LayerField) -> Iterator[str]:
    unit = found.unit
    assert unit is not None
    boxes = unit.boxes[-2:]
    is_line = len(boxes) == 1
    extents = [max(each.size, each.whole[1] + 1) - min(0, each.whole[0]) for each in boxes]
    scale = LONGEST / max(extents)
    title = f"{found.path} at {','.join(map(str, unit.at))}"
    text = f"sees {_size(boxes)} of {'x'.join(str(each.size) for each in boxes)}"
    text += f", {percent(unit.padding)} of it padding" if unit.padding > 0 else ""
    yield "graph field {"
    yield f'  graph [layout="neato", bgcolor="white", pad="0.3", labelloc="t", fontname="{FONT}", fontcolor="{DARK}",'
    yield f'    fontsize="12", label=<{_label(clean(title), text, found)}>]'
    yield f'  node [shape="box", fixedsize="true", label="", fontname="{FONT}", fontsize="9", fontcolor="{GREY}"]'
    whole = [each.whole for each in boxes]
    inside = [each.inside for each in boxes]
    yield _rectangle("padding", whole, PADDING, "filled,dashed", scale, is_line)
    yield _rectangle("input", [(0, each.size - 1) for each in boxes], INPUT, "filled", scale, is_line)
    known = [each for each in inside if each is not None]
    if len(known) == len(inside):
        yield _rectangle("field", known, FIELD, "filled", scale, is_line)
        for name, spot, tip in _corners(known):
            x, y = _point(spot, scale)
            yield f'  {name} [shape="none", width="0.1", height="0.1", pos="{x:.3f},{y:.3f}!", xlabel="{tip}"]'
    yield "}"


def _label(title: str, text: str, found: LayerField) -> str:
    """The title, and what the colours of that which is there stand for."""
    unit = found.unit
    assert unit is not None
    meant = [(INPUT, "input"), (FIELD, "what it sees of it")]
    meant += [(PADDING, "padding that it sees")] if unit.padding > 0 else []
    legend = "".join(
        f'<TD BGCOLOR="{fill}" WIDTH="16" HEIGHT="10" FIXEDSIZE="TRUE"></TD>'
        f'<TD ALIGN="LEFT"><FONT POINT-SIZE="9" COLOR="{GREY}">{words}  </FONT></TD>'
        for fill, words in meant
    )
    rows = [
        escaped(title),
        escaped(text),
        f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="1"><TR>{legend}</TR></TABLE>',
    ]
    cells = "".join([f"<TR><TD>{row}</TD></TR>" for row in rows])
    return f'<TABLE BORDER="0" CELLSPACING="1" CELLPADDING="2">{cells}</TABLE>'


def _size(boxes: Sequence[AxisBox]) -> str:
    return "x".join(str(each.whole[1] - each.whole[0] + 1) for each in boxes)


def _corners(boxes: Sequence[tuple[int, int]]) -> Iterator[tuple[str, tuple[float, float], str]]:
    (top, bottom), (left, right) = boxes if len(boxes) == 2 else ((0, 0), boxes[0])
    two = len(boxes) == 2
    yield "first", (left, top), f"{top},{left}" if two else str(left)
    yield "last", (right + 1, bottom + 1), f"{bottom},{right}" if two else str(right)


def _rectangle(name: str, boxes: Sequence[tuple[int, int]], fill: str, style: str, scale: float, is_line: bool) -> str:
    (top, bottom), (left, right) = boxes if not is_line else ((0, 0), boxes[0])
    width, height = (right - left + 1) * scale, THIN if is_line else (bottom - top + 1) * scale
    x, y = _point(((left + right + 1) / 2, (top + bottom + 1) / 2), scale)
    if is_line:
        y = 0.0
    return (
        f'  {name} [pos="{x:.3f},{y:.3f}!", width="{width:.4f}", height="{height:.4f}", '
        f'style="{style}", fillcolor="{fill}", color="{LINE}"]'
    )


def _point(spot: tuple[float, float], scale: float) -> tuple[float, float]:
    """Inches; rows count downwards."""
    return spot[0] * scale, -spot[1] * scale
