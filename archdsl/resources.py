"""The files that ship with the package: the grammar and the specs.

In a checkout they stand at the top of the repository; the wheel carries them inside the package.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

_PACKAGE = Path(__file__).parent


@cache
def folder(name: str) -> Path:
    """The folder of that name inside the installed package, or else at the top of the checkout."""
    inside = _PACKAGE / name
    return inside if inside.is_dir() else _PACKAGE.parent / name


def grammar_text() -> str:
    return (folder("grammar") / "archdsl.lark").read_text(encoding="utf-8")


def tables_path() -> Path:
    return _PACKAGE / "syntax" / "tables.json"


def specs_folder() -> Path:
    return folder("specs")
