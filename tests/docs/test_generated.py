"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import runpy

import pytest

import archdsl
from archdsl.diagnostics import codes
from archdsl.layers import STANDARD
from archdsl.reports.numbers import engineering

from .pages import ROOT, anchors

PAGES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python docs/generate.py`"


def test_the_gallery_has_a_picture_of_every_network() -> None:
    """What Graphviz draws depends on its version; `python docs/generate.py --draw` draws them anew."""
    pictures = {path.stem: path for path in (ROOT / "docs" / "gallery").glob("*.svg")}
    assert set(pictures) == set(archdsl.shipped_networks())
    for name, path in pictures.items():
        said = path.read_text(encoding="utf-8").replace("&#160;", " ")
        assert f">{name}<" in said
        assert engineering(archdsl.load(name).totals.parameters) in said


def test_every_layer_is_in_the_table_of_operations() -> None:
    text = (ROOT / "docs" / "counting.md").read_text(encoding="utf-8")
    table = text.partition("| layer | operations")[2].partition("\n\n")[0]
    missing = [layer.word for layer in STANDARD.layers if f"`{layer.word}`" not in table]
    assert not missing


def test_every_layer_and_every_code_can_be_linked_to() -> None:
    assert {layer.word for layer in STANDARD.layers} <= anchors(PAGES["layers.md"]())
    assert set(codes.codes()) <= anchors(PAGES["errors.md"]())
