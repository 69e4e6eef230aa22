"""The files that every test of this folder runs over."""

from __future__ import annotations

from pathlib import Path

from archdsl.resources import specs_folder

CORPUS = Path(__file__).parent / "corpus"
VALID = sorted((CORPUS / "valid").glob("*.arch"))
INVALID = sorted((CORPUS / "invalid").glob("*.arch"))


def shipped() -> list[Path]:
    examples = Path(__file__).parents[2] / "examples"
    return sorted([*specs_folder().rglob("*.arch"), *examples.rglob("*.arch")])
