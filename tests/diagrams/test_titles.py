"""Titles of modules in pictures: no line is drawn through them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

import archdsl
from archdsl.diagrams.dot import dot
from archdsl.diagrams.draw import render
from archdsl.diagrams.scene import scene

BACKBONE = """net f(classes=5) {{
  input 3x224x224
  pretrained resnet18({}until=layer4) as body
  gap -> flatten -> dropout 0.3 -> fc classes as head
}}
"""
LONG = 'weights="IMAGENET1K_V1", freeze=[conv1, bn1, layer1, layer2], '
Point = tuple[float, float]


def curve(points: list[list[float]]) -> Iterator[Point]:
    """Points along a spline of cubic curves."""
    for at in range(0, len(points) - 3, 3):
        a, b, c, d = points[at : at + 4]
        for step in range(41):
            t, u = step / 40, 1 - step / 40
            x, y = (u**3 * a[i] + 3 * u * u * t * b[i] + 3 * u * t * t * c[i] + t**3 * d[i] for i in (0, 1))
            yield x, y


def titles(cluster: dict[str, Any]) -> Iterator[tuple[str, float, float, float, float]]:
    """Each line of a title, and its box: left, bottom, right, top."""
    size = 10.0
    for step in cluster.get("_ldraw_", ()):
        if step["op"] == "F":
            size = step["size"]
        elif step["op"] == "T":
            x, y = step["pt"]
            left = x - step["width"] * {"l": 0, "c": 0.5, "r": 1}[step["align"]]
            yield step["text"], left, y - 0.2 * size, left + step["width"], y + 0.75 * size


def struck(network: archdsl.Network, depth: int | None = None) -> list[str]:
    """The lines of titles that an edge runs through."""
    picture = json.loads(render(dot(scene(network, depth)), "json"))
    clusters = [each for each in picture["objects"] if each["name"].startswith("cluster")]
    boxes = [box for cluster in clusters for box in titles(cluster)]
    assert boxes
    paths = [
        [*curve(step["points"])] for edge in picture["edges"] for step in edge["_draw_"] if step["op"] in ("b", "B")
    ]
    return [
        text
        for text, left, bottom, right, top in boxes
        if any(left - 1 < x < right + 1 and bottom < y < top for path in paths for x, y in path)
    ]


@pytest.mark.parametrize("more", ["", LONG])
@pytest.mark.parametrize("depth", [None, 1, 2])
def test_no_line_runs_through_the_title_of_a_backbone(more: str, depth: int | None) -> None:
    assert not struck(archdsl.parse(BACKBONE.format(more)), depth)


@pytest.mark.parametrize(("name", "depth"), [("resnet50", None), ("resnet50", 2), ("unet", None), ("mobilenet_v2", 2)])
def test_no_line_runs_through_the_titles_of_the_networks_that_ship(name: str, depth: int | None) -> None:
    """Of modules beside others, of repeated ones, with long names and long calls."""
    assert not struck(archdsl.load(name), depth)
