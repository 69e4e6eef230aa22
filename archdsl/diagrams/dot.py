"""A scene as DOT, the language of Graphviz; the graphviz package writes it, quotes and escapes."""

from __future__ import annotations

import html
import re
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from archdsl.diagrams.colors import DARK, WHITE, Paint, text_on
from archdsl.diagrams.scene import Box, Cluster, Scene
from archdsl.reports.numbers import clean, engineering

if TYPE_CHECKING:
    import graphviz

FONT = "Helvetica,Arial,sans-serif"
INNER, GREY, LINE, SOFT = "#465160", "#66717F", "#8894A3", "#CBD3DC"
LEVELS = ("#F5F7F9", "#FFFFFF")
"""The ground of clusters, by level in turn."""
FROZEN = "frozen"
"""What stands at the outermost parts of which nothing trains."""
SIGNS = {"add": "+", "sub": "−", "mul": "×", "div": "÷", "maximum": "max", "minimum": "min"}
HALF = 66
"""The points beside the middle of a cluster that are left for its title."""
WIDTHS = dict.fromkeys("ijl,. :;|'", 0.32) | dict.fromkeys("()[]trf/-", 0.4) | dict.fromkeys("=+<>~wmMW", 0.9)
"""The letters that are not of the usual width, in sizes of the font."""
BOLD = 1.12
"""How much wider bold letters are."""
LONGEST = 56
"""Longer texts are cut."""

GRAPH = {
    "rankdir": "TB", "fontname": FONT, "fontsize": "11", "fontcolor": DARK, "labelloc": "t", "bgcolor": WHITE,
    "pad": "0.3", "nodesep": "0.5", "ranksep": "0.28", "margin": "0",
}  # fmt: skip
NODE = {
    "shape": "box", "style": "rounded,filled", "fontname": FONT, "fontsize": "11", "fontcolor": DARK, "color": LINE,
    "penwidth": "0.8", "margin": "0.14,0.07", "height": "0.3", "width": "1.6",
}  # fmt: skip
EDGE = {
    "fontname": FONT, "fontsize": "9", "fontcolor": GREY, "color": LINE, "penwidth": "0.9", "arrowsize": "0.55",
}  # fmt: skip


def dot(scene: Scene, color_by: str = "kind") -> str:
    """The DOT text of a scene, its boxes coloured by kind, parameters, macs or field.

    Raises:
        ValueError: for another way to colour.
    """
    return dot_of([(scene, Paint(scene.boxes(), color_by))])


def dot_of(scenes: Sequence[tuple[Scene, Paint]]) -> str:
    """The DOT text of a scene, or of several side by side under one legend, each with its colours."""
    import graphviz

    (scene, paint), *others = scenes
    label = {"label": _header([_legend_of(paint)] if others else [*_about(scene), _legend_of(paint)])}
    graph = graphviz.Digraph(re.sub(r"\W", "_", scene.name, flags=re.ASCII), graph_attr=GRAPH | label)
    graph.node_attr, graph.edge_attr = NODE, EDGE
    for number, (scene, paint) in enumerate(scenes):
        if not others:
            _fill(graph, scene, paint, "")
            continue
        with graph.subgraph(name=f"cluster_side_{number}") as side:
            side.attr(label=_header(_about(scene)), penwidth="0", margin="16")
            _fill(side, scene, paint, f"side_{number}_")
    return str(graph.source)


def _fill(graph: graphviz.Digraph, scene: Scene, paint: Paint, prefix: str) -> None:
    _draw(graph, scene.parts, paint, 0, prefix)
    for edge in scene.edges:
        more = {"label": f"<{_font(f' {edge.shape} ', GREY)}>"} if edge.shape else {}
        graph.edge(prefix + edge.source, prefix + edge.target, weight="8" if edge.main else "1", **more)


def _draw(
    graph: graphviz.Digraph,
    parts: tuple[Box | Cluster, ...],
    paint: Paint,
    level: int,
    prefix: str,
    frozen: bool = False,
) -> None:
    """Draws parts; those of a `frozen` module need not say that they are."""
    for part in parts:
        marks = [mark for mark in (part.note, FROZEN if part.cost.is_frozen and not frozen else "") if mark]
        if isinstance(part, Box):
            graph.node(prefix + part.id, **_box(part, paint, marks))
            continue
        with graph.subgraph(name=f"cluster_{prefix}{part.id}") as inner:
            inner.attr(
                label=f"<{_title(part, marks)}>", style="rounded,filled,dashed" if part.note else "rounded,filled",
                fillcolor=LEVELS[level % 2], color=LINE if part.note else SOFT, penwidth="0.9",
                labeljust="l", margin="18", tooltip=_plain(_told(part)),
            )  # fmt: skip
            _draw(inner, part.parts, paint, level + 1, prefix, frozen or part.cost.is_frozen)


def _title(cluster: Cluster, marks: list[str]) -> str:
    """Short lines in the left of two equal halves, so that what flows into the first box passes beside them."""
    is_large = _width(cluster.title, 10 * BOLD) <= HALF
    size = 10 if is_large else 8
    title = [cluster.title] if is_large else [*_wrapped(cluster.title, r"(?<=[._])", size * BOLD)]
    call = _wrapped(_cut(cluster.call), r"(?<=[(\[ ])|(?<==)(?=\")", 8)
    lines = [
        *(f'<FONT POINT-SIZE="{size}"><B>{escaped(line)}</B></FONT>' for line in title),
        *_times(cluster.repeat, 9),
        *(_font(line, GREY, 8) for line in (*call, *marks) if line),
    ]
    left = "".join([f'{line}<BR ALIGN="LEFT"/>' for line in lines])
    half = max(HALF, *(round(_width(line, size * BOLD)) for line in title))
    return (
        '<TABLE BORDER="0" CELLBORDER="0" CELLSPACING="0" CELLPADDING="0"><TR>'
        f'<TD ALIGN="LEFT" BALIGN="LEFT" WIDTH="{half}">{left}</TD><TD WIDTH="{half}"></TD></TR></TABLE>'
    )


def _wrapped(text: str, between: str, size: float) -> Iterator[str]:
    """A text in lines that have room beside the middle, broken at places that a pattern describes."""
    line = ""
    for part in re.split(between, text):
        if line and _width((line + part).rstrip(), size) > HALF:
            yield line.rstrip()
            line = ""
        line += part
    yield line.rstrip()


def _width(text: str, size: float) -> float:
    """About how many points wide a text is in the widest of the fonts."""
    return size * sum([WIDTHS.get(letter, 0.63) for letter in text])


def _box(box: Box, paint: Paint, marks: list[str]) -> dict[str, str]:
    tooltip = {"tooltip": _plain(_told(box))}
    if box.kind == "merge":
        sign = SIGNS.get(box.title, box.title)
        size = "0.27" if len(sign) == 1 else "0.36" if len(sign) <= 4 else "0.5"
        small = {} if len(sign) == 1 else {"fontsize": "8"}
        return tooltip | small | {
            "label": f"<{escaped(_cut(sign, 8))}>", "shape": "circle", "style": "filled", "fillcolor": paint.merge(box),
            "fixedsize": "true", "width": size, "height": size, "margin": "0",
        }  # fmt: skip
    if box.kind in ("input", "output"):
        fill = DARK if box.kind == "input" else WHITE
        label = f"<{escaped(box.title)}{_small([box.shape, box.note], '#C5CDD6' if fill == DARK else GREY)}>"
        style = "filled,dashed" if box.note else "filled"
        return tooltip | {
            "label": label, "shape": "oval", "style": style, "fillcolor": fill, "color": DARK,
            "fontcolor": text_on(fill), "margin": "0.08,0.03", "penwidth": "1.2", "width": "0.9",
        }  # fmt: skip
    fill = paint.fill(box)
    color = text_on(fill)
    below = [" · ".join(box.lines)] if box.kind == "layers" else [*box.lines, _totals(box) if not paint.measure else ""]
    below += [paint.number(box), *marks]
    title = f"<B>{escaped(box.title)}</B>" if box.kind == "module" else escaped(_cut(box.title))
    label = "  ".join([title, *_times(box.repeat)]) + _small(below, color if paint.measure else INNER)
    more: dict[str, str] = {"peripheries": "2"} if box.kind == "module" and box.repeat > 1 else {}
    more |= {"style": "rounded,filled,dashed"} if box.note else {}
    return tooltip | more | {"label": f"<{label}>", "fillcolor": fill, "fontcolor": color}


def _about(scene: Scene) -> Iterator[str]:
    cost = scene.cost
    yield f'<FONT POINT-SIZE="18"><B>{escaped(_cut(scene.name))}</B></FONT>'
    numbers = f"{engineering(cost.parameters)} parameters  ·  {engineering(cost.macs)} MACs"
    for line in (*textwrap.wrap(_cut(scene.doc, 130), 66), numbers):
        yield _font(line, GREY)


def _header(rows: Iterable[str]) -> str:
    cells = "".join([f"<TR><TD>{row}</TD></TR>" for row in rows if row])
    return f'<<TABLE BORDER="0" CELLSPACING="1" CELLPADDING="2">{cells or "<TR><TD></TD></TR>"}</TABLE>>'


def _legend_of(paint: Paint) -> str:
    rows = "".join(_legend(paint))
    return rows and f'<TABLE BORDER="0" CELLSPACING="4" CELLPADDING="1">{rows}</TABLE>'


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


def _times(repeat: int, size: int = 11) -> list[str]:
    return [f'<FONT POINT-SIZE="{size}"><B>×{repeat}</B></FONT>'] if repeat > 1 else []


def _small(lines: list[str], color: str) -> str:
    return "".join(f"<BR/>{_font(_cut(line), color)}" for line in lines if line)


def _font(text: str, color: str, size: int = 9) -> str:
    return f'<FONT POINT-SIZE="{size}" COLOR="{color}">{escaped(text)}</FONT>'


def _cut(text: str, length: int = LONGEST) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"


def escaped(text: str) -> str:
    """The text for a label in Graphviz's HTML."""
    return html.escape(_inert(text)).replace("\\", "&#92;")


def _plain(text: str) -> str:
    """The text for a quoted string, which reads entities and backslashes."""
    import graphviz

    return str(graphviz.escape(html.escape(_inert(text), quote=False)))


def _inert(text: str) -> str:
    """The text with `\\N` and its like split by an invisible joiner, as Graphviz expands them even from entities."""
    return re.sub(r"\\(?=[A-Za-z])", "\\\\\u2060", clean(text))
