"""Two networks side by side, what changed in colour."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.diagrams.colors import Paint, Swatch
from archdsl.diagrams.dot import dot_of
from archdsl.diagrams.draw import write
from archdsl.diagrams.parts import Marks
from archdsl.diagrams.scene import scene
from archdsl.reports.difference import Change, difference
from archdsl.reports.numbers import clean

if TYPE_CHECKING:
    from archdsl.diagrams.scene import Box
    from archdsl.network import Network

SAME, PARTLY = "#FFFFFF", "#E9E4F5"
FILLS: dict[Change, str] = {
    "added": "#A3DDCB",
    "removed": "#F4B9A5",
    "changed": "#F5D76E",
    "renamed": "#A4C6E7",
    "affected": "#FBF3D0",
}
"""The fill of a box all of whose layers became this; one in which only some did has another."""
LEGEND: dict[str, str] = {fill: name for name, fill in FILLS.items()} | {PARTLY: "changed in part"}


class ChangePaint(Paint):
    """Colours boxes by what became of their layers."""

    def __init__(self, boxes: Iterable[Box], changes: Mapping[int, str], used: set[str]) -> None:
        super().__init__(boxes, "kind")
        self.changes = changes
        self.used = used
        """The fills of all that is drawn, on either side."""
        used.update(map(self.fill, [box for box in boxes if box.nodes]))

    def fill(self, box: Box) -> str:
        kinds = {self.changes.get(node) for node in box.nodes}
        if kinds == {None, "affected"}:
            return FILLS["affected"]
        if len(kinds) > 1:
            return PARTLY
        (kind,) = kinds
        return SAME if kind is None else FILLS[kind]  # type: ignore[index]

    def merge(self, box: Box) -> str:
        return self.fill(box)

    def legend(self) -> list[Swatch]:
        return [Swatch(fill, name) for fill, name in LEGEND.items() if fill in self.used]


def draw_changes(
    old: Network,
    new: Network,
    path: str | Path,
    depth: int | None = None,
    names: tuple[str, str] = ("", ""),
) -> Path:
    """Draws both networks into one picture, side by side: .svg, .png, .pdf or .dot.

    Over each stands whether it is the old one or the new one, with its name out of `names`. Modules in which nothing
    changed are one box each.

    Raises:
        SpecError: where one of them has errors.
        ValueError: for another ending, or more boxes than can be laid out.
    """
    found = difference(old, new, *names)
    changes = found.layers
    used: set[str] = set()
    parts = []
    for network, title, states in (
        (old, f"old: {found.old}", {each.old.path: (each.change, each.old.text) for each in changes if each.old}),
        (new, f"new: {found.new}", {each.new.path: (each.change, each.new.text) for each in changes if each.new}),
    ):
        known = {node.index: states[node.path] for node in network.graph.nodes if node.path in states}
        kinds: dict[int, str] = {number: kind for number, (kind, _) in known.items()}
        texts = {number: text for number, (_, text) in known.items()}
        marks = Marks(kinds, texts, frozenset([None, "affected"]), frozenset(["added", "removed", "renamed"]))
        drawn = replace(scene(network, depth, marks), name=clean(title))
        parts.append((drawn, ChangePaint([*drawn.boxes()], kinds, used)))
    return write(dot_of(parts), path)
