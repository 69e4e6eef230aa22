from __future__ import annotations

import os
import subprocess
import sys
import threading
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

import archdsl
from archdsl import limits
from archdsl.diagrams.colors import CHOICES, FAMILIES, SCALE, Paint, contrast, text_on
from archdsl.diagrams.dot import dot
from archdsl.diagrams.draw import draw, render, svg
from archdsl.diagrams.scene import Box, Cluster, scene
from archdsl.errors import ArchError
from archdsl.network import Network

from . import specs

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = [
    "<b>",
    '"',
    "\\",
    "a\nb",
    "\\N",
    "\\G\\l",
    "<<b>x</b>>",
    "&lt;",
    "&",
    "a:b",
    "]]>",
    "-->",
    "%s {}",
    "é×",
    "\x1b",
    "",
]


@pytest.fixture
def lenet() -> Network:
    return archdsl.parse(specs.LENET).checked()


def test_the_dot_of_lenet5(lenet: Network, golden: Callable[[str, str], None]) -> None:
    golden("diagrams/lenet5.dot", dot(scene(lenet)))


def test_the_dot_of_closed_modules_by_macs(golden: Callable[[str, str], None]) -> None:
    golden("diagrams/two_stream.dot", dot(scene(archdsl.parse(specs.TWO), 0), "macs"))


@pytest.mark.parametrize(
    ("ending", "magic"), [("svg", b"<?xml"), ("png", b"\x89PNG\r\n"), ("pdf", b"%PDF-"), ("dot", b"digraph")]
)
def test_a_file_holds_what_its_ending_says(lenet: Network, tmp_path: Path, ending: str, magic: bytes) -> None:
    path = lenet.draw(tmp_path / f"net.{ending}")
    assert path.read_bytes().startswith(magic)
    assert os.listdir(tmp_path) == [f"net.{ending}"]


def test_another_ending_names_the_known_ones(lenet: Network, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.svg, \.png, \.pdf, \.dot"):
        draw(lenet, tmp_path / "net.jpg")


def test_another_colouring_names_the_known_ones(lenet: Network, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="kind, parameters, macs, field"):
        draw(lenet, tmp_path / "net.dot", color_by="beauty")


def test_an_earlier_file_stays_whole_on_failure(
    lenet: Network, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.svg"
    path.write_text("before")

    def fail(*_: object) -> None:
        raise OSError(28, "no space")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="no space"):
        draw(lenet, path)
    assert path.read_text() == "before"
    assert os.listdir(tmp_path) == ["net.svg"]


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_new_file_has_ordinary_permissions_and_an_old_one_keeps_its_own(lenet: Network, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.touch()
    path = draw(lenet, tmp_path / "net.dot")
    assert path.stat().st_mode == plain.stat().st_mode
    path.chmod(0o640)
    assert draw(lenet, path).stat().st_mode & 0o777 == 0o640


def test_graphviz_errors_are_raised() -> None:
    with pytest.raises(ArchError, match="Graphviz"):
        render("digraph {", "svg")


@pytest.mark.parametrize("name", ["net.svg", "net.dot"])
def test_too_many_boxes_are_an_error(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = archdsl.load("resnet18")
    count = sum(1 for _ in scene(network, 9).boxes())
    monkeypatch.setattr(limits, "BOXES", count)
    draw(network, tmp_path / name, depth=9)
    monkeypatch.setattr(limits, "BOXES", count - 1)
    with pytest.raises(ValueError, match=f"{count} boxes at depth 9 are too many to draw: give a smaller depth"):
        draw(network, tmp_path / f"more_{name}", depth=9)
    monkeypatch.setattr(limits, "BOXES", 3)
    with pytest.raises(ValueError, match="blocks or named groups"):
        draw(network, tmp_path / f"more_{name}", depth=0)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def hostile(part: Box | Cluster, text: str) -> Box | Cluster:
    if isinstance(part, Cluster):
        inner = tuple(hostile(p, text) for p in part.parts)
        return replace(part, title=text, call=text, path=text, doc=text, note=text, parts=inner)
    return replace(part, title=text, lines=(text,), shape=text, path=text, doc=text, note=text)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_breaks_the_drawing_or_is_changed_by_it(text: str) -> None:
    whole = scene(archdsl.parse(specs.UNET), 1)
    edges = tuple(replace(edge, shape=text) for edge in whole.edges)
    parts = tuple(hostile(part, text) for part in whole.parts)
    image = ET.fromstring(render(dot(replace(whole, name=text, doc=text, parts=parts, edges=edges)), "svg"))
    written = ["".join(t.itertext()).replace("\u2060", "") for t in image.iter(f"{SVG}text")]
    seen = text.replace("\n", " ").replace("\x1b", "\\x1b")
    assert not seen or sum(line.strip(" \xa0") == seen for line in written) >= len(whole.edges)
    tips = [a.get("{http://www.w3.org/1999/xlink}title") for a in image.iter(f"{SVG}a")]
    assert not seen or any(tip and tip.replace("\u2060", "").startswith(seen) for tip in tips)


def test_documentation_and_names_of_a_spec_are_only_text() -> None:
    text = '## <script>alert("x")</script> \\N & <b>\n' + specs.LENET
    image = ET.fromstring(svg(archdsl.parse(text).checked()))
    assert not [*image.iter(f"{SVG}script")]
    assert '<script>alert("x")</script> \\N & <b>' in [
        "".join(t.itertext()).strip().replace("\u2060", "") for t in image.iter(f"{SVG}text")
    ]


def test_svg_for_a_page_has_no_prolog_and_no_ids(lenet: Network) -> None:
    text = svg(lenet)
    assert text.startswith("<svg ")
    assert text == svg(lenet)
    assert "<?xml" not in text
    assert "<!--" not in text
    root = ET.fromstring(text)
    assert not [e for e in root.iter() if e.get("id")]
    assert not [e for e in root.iter() if e.get("{http://www.w3.org/1999/xlink}href")]


@pytest.mark.parametrize("color_by", CHOICES)
def test_colours_have_a_legend(color_by: str) -> None:
    drawn = scene(archdsl.load("resnet50"))
    paint = Paint(drawn.boxes(), color_by)
    fills = {entry.fill for entry in paint.legend()}
    assert fills
    if color_by == "kind":
        assert {paint.fill(box) for box in drawn.boxes() if box.kind == "layers"} == fills
    else:
        assert {SCALE[0], SCALE[-1]} <= fills
        assert max((box for box in paint.boxes), key=lambda b: paint.measure(b) or 0) in [  # type: ignore[misc]
            box for box in paint.boxes if paint.fill(box) == SCALE[-1]
        ]


def test_a_cost_that_is_not_known_is_not_drawn_as_zero() -> None:
    paint = Paint(scene(archdsl.parse(specs.UNET)).boxes(), "macs")
    box = paint.boxes[0]
    assert (paint.fill(box), paint.number(box)) == ("#FFFFFF", "?")


def test_text_is_readable_on_every_colour() -> None:
    for fill in (*FAMILIES.values(), *(Paint._at(i / 100) for i in range(101))):
        assert contrast(fill, text_on(fill)) >= 3.8, fill


def test_the_wheel_and_the_system_draw_alike(lenet: Network, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    system = tmp_path / "dot"
    system.write_text(f"#!{sys.executable}\nimport sys; sys.stdin.read(); print('<svg from the system ' + sys.argv[1])")
    system.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert render(dot(scene(lenet)), "svg") == b"<svg from the system -Tsvg\n"
    system.write_text(f"#!{sys.executable}\nimport sys; sys.exit('Format: \"svg\" not recognized')")
    assert render(dot(scene(lenet)), "svg").startswith(b"<?xml")


def test_drawing_is_quiet_and_needs_no_torch(tmp_path: Path) -> None:
    code = "import sys, archdsl; archdsl.load('resnet18').draw('net.svg'); sys.exit('torch' in sys.modules)"
    root = Path(archdsl.__file__).parent.parent
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(root)}, capture_output=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_threads_may_draw_at_once(lenet: Network) -> None:
    results: list[str] = []
    threads = [threading.Thread(target=lambda: results.append(svg(lenet))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 3
    assert len({*results}) == 1
