"""A scene as DOT, the language of Graphviz."""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import TYPE_CHECKING

from archdsl.diagrams.colors import DARK, WHITE, Paint, text_on
from archdsl.diagrams.scene import Box, Cluster, Scene
from archdsl.reports.numbers import clean, engineering

if TYPE_CHECKING:
    import graphviz

FONT = "Helvetica,Arial,sans-serif"
GREY, LINE, SOFT = "#66717F", "#8894A3", "#CBD3DC"
LEVELS = ("#F5F7F9", "#FFFFFF")
"""The ground of clusters, by level in turn."""
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "maximum": "max", "minimum": "min"}
LONGEST = 56
"""Longer texts are cut."""

GRAPH = {
    "rankdir": "TB", "fontname": FONT, "fontsize": "11", "fontcolor": DARK, "labelloc": "t", "bgcolor": WHITE, "pad": "0.3",
    "nodesep": "0.4", "ranksep": "0.28", "margin": "0",
}  # fmt: skip
NODE = {
    "shape": "box", "style": "rounded,filled", "fontname": FONT, "fontsize": "11", "fontcolor": DARK, "color": LINE,
    "penwidth": "0.8", "margin": "0.14,0.07", "height": "0.3", "width": "0.9",
}  # fmt: skip
EDGE = {
    "fontname": FONT, "fontsize": "9", "fontcolor": GREY, "color": LINE, "penwidth": "0.9", "arrowsize": "0.55",
}  # fmt: skip


def dot(scene: Scene, color_by: str = "kind") -> str:
    """The DOT text of a scene, its boxes coloured by kind, parameters, macs or field.

    Raises:
        ValueError: for another way to colour.
    """
    import graphviz

    paint = Paint(scene.boxes(), color_by)
    graph = graphviz.Digraph(_plain(scene.name), graph_attr=GRAPH | {"label": _header(scene, paint)})
    graph.node_attr, graph.edge_attr = NODE, EDGE
    _draw(graph, scene.parts, paint, 0)
    for edge in scene.edges:
        more = {"label": f"<{_font(f' {edge.shape} ')}>"} if edge.shape else {}
        graph.edge(f'{edge.source}', edge.target, weight="8" if edge.main else "1", **more)
    return graph.source


def _draw(graph: graphviz.Digraph, parts: tuple[Box | Cluster, ...], paint: Paint, level: int) -> None:
    for part in parts:
        if isinstance(part, Box):
            graph.node(part.id, **_box(part, paint))
            continue
        with graph.subgraph(name=f"cluster_{part.id}") as inner:
            inner.attr(
                label=f"<{_title(part)}>", style="rounded,filled", fillcolor=LEVELS[level % 2], color=SOFT, penwidth="0.9",
                labeljust="l", fontsize="11", margin="12", tooltip=_plain(_told(part)),
            )  # fmt: skip
            _draw(inner, part.parts, paint, level + 1)


def _title(cluster: Cluster) -> str:
    words = [f"<B>{_text(cluster.title)}</B>"]
    if cluster.call:
        words.append(_font(_cut(cluster.call), GREY))
    if cluster.note:
        words.append(_font(cluster.note, GREY))
    return "  ".join([*words, *_times(cluster.repeat)])


def _box(box: Box, paint: Paint) -> dict[str, str]:
    tooltip = {"tooltip": _plain(_told(box))}
    if box.kind == "merge":
        sign = SIGNS.get(box.title, box.title)
        small = {} if len(sign) == 1 else {"fontsize": "8"}
        return tooltip | small | {
            "label": f"<{_text(sign)}>", "shape": "circle", "style": "filled", "fillcolor": WHITE, "fixedsize": "true",
            "width": "0.27" if len(sign) == 1 else "0.36", "height": "0.27" if len(sign) == 1 else "0.36", "margin": "0",
        }  # fmt: skip
    if box.kind in ("input", "output"):
        fill = DARK if box.kind == "input" else WHITE
        label = f"<{_text(box.title)}{_small([box.shape, box.note], '#C5CDD6' if fill == DARK else GREY)}>"
        style = "filled,dashed" if box.note else "filled"
        return tooltip | {
            "label": label, "shape": "oval", "style": style, "fillcolor": fill, "color": DARK, "fontcolor": text_on(fill),
            "margin": "0.08,0.03", "penwidth": "1.2",
        }  # fmt: skip
    fill = paint.fill(box)
    color = text_on(fill)
    below = [" · ".join(box.lines)] if box.kind == "layers" else [*box.lines, _totals(box) if not paint.measure else ""]
    below += [paint.number(box), box.note]
    title = f"<B>{_text(box.title)}</B>" if box.kind == "module" else _text(_cut(box.title))
    label = "  ".join([title, *_times(box.repeat)]) + _small(below, GREY if color == DARK else "#E4EAF0")
    more = {"peripheries": "2"} if box.kind == "module" and box.repeat > 1 else {}
    style = "rounded,filled,dashed" if box.note or (paint.measure and not paint.number(box) and paint.by == "none") else ""
    return tooltip | more | ({"style": style} if style else {}) | {"label": f"<{label}>", "fillcolor": fill, "fontcolor": color}


def _header(scene: Scene, paint: Paint) -> str:
    cost = scene.cost
    numbers = f"{engineering(cost.parameters)} parameters  ·  {engineering(cost.macs)} MACs"
    rows = [f'<FONT POINT-SIZE="18"><B>{_text(scene.name)}</B></FONT>']
    rows += [_font(_cut(line, 90), GREY) for line in (scene.doc, numbers) if line]
    if legend := "".join(_legend(paint)):
        rows.append(f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="1">{legend}</TABLE>')
    cells = "".join(f"<TR><TD>{row}</TD></TR>" for row in rows)
    return f'<<TABLE BORDER="0" CELLSPACING="1" CELLPADDING="2">{cells}</TABLE>>'


def _legend(paint: Paint) -> Iterator[str]:
    swatches = paint.legend()
    per_row = 4 if paint.measure is None else len(swatches)
    for start in range(0, len(swatches), per_row or 1):
        yield "<TR>"
        for fill, text in swatches[start : start + per_row]:
            yield f'<TD BGCOLOR="{fill}" WIDTH="16" HEIGHT="10" FIXEDSIZE="TRUE"></TD>'
            yield f'<TD ALIGN="LEFT">{_font(text, GREY)}  </TD>'
        yield "</TR>"


def _told(part: Box | Cluster) -> str:
    """What a reader learns who points at it."""
    shape = part.shape if isinstance(part, Box) else ""
    cost = part.cost.parameters or part.cost.macs
    return " · ".join(filter(None, (part.path, shape, _totals(part) if cost else "", part.doc)))


def _totals(part: Box | Cluster) -> str:
    return f"{engineering(part.cost.parameters)} params · {engineering(part.cost.macs)} MACs"


def _times(repeat: int) -> list[str]:
    return [f"<B>×{repeat}</B>"] if repeat > 1 else []


def _small(lines: list[str], color: str) -> str:
    return "".join(f"<BR/>{_font(_cut(line), color)}" for line in lines if line)


def _font(text: str, color: str | None = None) -> str:
    return f'<FONT POINT-SIZE="9"{f" COLOR={chr(34)}{color}{chr(34)}" if color else ""}>{_text(text)}</FONT>'


def _cut(text: str, length: int = LONGEST) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _text(text: str) -> str:
    """The text for a label in Graphviz's HTML, which reads entities and, it too, backslashes."""
    return html.escape(clean(text)).replace("\\", "&#92;")


def _plain(text: str) -> str:
    """The text for a quoted string, which reads entities and backslashes as well."""
    import graphviz

    return str(graphviz.escape(html.escape(clean(text), quote=False)))
