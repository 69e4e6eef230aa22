"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import re
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
    for layer in STANDARD.layers:
        rows = [row for row in table.splitlines() if f"`{layer.word}`" in row.partition("operations")[0]]
        assert rows, f"{layer.word} is not in the table of docs/counting.md"
        if layer.operations_per_value is not None:
            told = re.findall(r"\d+", rows[0].split("|")[2])
            assert told[0] == str(layer.operations_per_value), layer.word


def test_every_layer_and_every_code_can_be_linked_to() -> None:
    assert {layer.word for layer in STANDARD.layers} <= anchors(PAGES["layers.md"]())
    assert set(codes.codes()) <= anchors(PAGES["errors.md"]())
