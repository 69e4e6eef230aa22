"""The pages that are made from the code say what the code says."""

from __future__ import annotations

import runpy

import pytest

from archdsl.diagnostics import codes
from archdsl.layers import STANDARD

from .pages import ROOT, anchors

PAGES = runpy.run_path(str(ROOT / "docs" / "generate.py"))["PAGES"]


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_up_to_date(name: str) -> None:
    written = (ROOT / "docs" / name).read_text(encoding="utf-8")
    assert written == PAGES[name](), "run `python docs/generate.py`"


def test_every_layer_and_every_code_can_be_linked_to() -> None:
    assert {layer.word for layer in STANDARD.layers} <= anchors(PAGES["layers.md"]())
    assert set(codes.codes()) <= anchors(PAGES["errors.md"]())
