"""Two networks side by side, what changed in colour."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.diagrams.colors import Paint, Swatch
from archdsl.diagrams.dot import dot_of
from archdsl.diagrams.draw import write
from archdsl.diagrams.scene import scene
from archdsl.reports.difference import Change, difference

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


class ChangePaint(Paint):
    """Colours boxes by what became of their layers."""

    def __init__(self, boxes: Iterable[Box], changes: dict[int, Change], used: set[Change]) -> None:
        super().__init__(boxes, "kind")
        self.changes = changes
        self.used = used

    def fill(self, box: Box) -> str:
        kinds = {self.changes.get(node) for node in box.nodes}
        if kinds == {None}:
            return SAME
        if len(kinds) == 1 or "changed" in kinds:
            return FILLS["changed" if "changed" in kinds else min(kind for kind in kinds if kind)]
        return PARTLY

    def legend(self) -> list[Swatch]:
        kinds = [Swatch(fill, kind) for kind, fill in FILLS.items() if kind in self.used]
        return [*kinds, Swatch(PARTLY, "in part")]


def draw_changes(old: Network, new: Network, path: str | Path, depth: int | None = None) -> Path:
    """Draws both networks into one picture, side by side: .svg, .png, .pdf or .dot.

    Raises:
        SpecError: where one of them has errors.
        ValueError: for another ending, or more boxes than can be laid out.
    """
    found = difference(old, new)
    used = {each.change for each in found.layers}
    of_old = {each.old.path: each.change for each in found.layers if each.old}
    of_new = {each.new.path: each.change for each in found.layers if each.new}
    parts = []
    for network, changes in ((old, of_old), (new, of_new)):
        drawn = scene(network, depth)
        numbers = {node.index: changes[node.path] for node in network.graph.nodes if node.path in changes}
        parts.append((drawn, ChangePaint(drawn.boxes(), numbers, used)))
    return write(dot_of(parts), path)
