"""The table of codes: one page a code in `pages/`, read when somebody asks."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

PAGES = Path(__file__).parent / "pages"

SECTIONS = ("What it means", "Example", "How to mend it")
"""What every page has; a section `Source` says where the rule comes from, where it comes from somewhere."""

_FENCE = re.compile(r"^```arch(?: +(?P<file>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True)
class Code:
    """A code and what its page says.

    `example` triggers exactly this code and `mended` nothing: texts by file name, the first of them the one to check.
    """

    code: str
    summary: str
    page: str
    sections: dict[str, str]
    example: dict[str, str]
    mended: dict[str, str]


def codes() -> tuple[str, ...]:
    """Every code that has a page, in alphabetical order."""
    return _names()


def page(code: str) -> str | None:
    """The page of a code, in Markdown."""
    known = find(code)
    return None if known is None else known.page


@cache
def find(code: str) -> Code | None:
    """What is known of a code."""
    if code not in _names():  # a name that somebody types must not become a path
        return None
    text = (PAGES / f"{code}.md").read_text(encoding="utf-8")
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {title.strip(): body.strip() for title, _, body in (part.partition("\n") for part in parts)}
    summary = head.partition("\n")[2].strip()
    examples = (_files(sections.get(title, "")) for title in ("Example", "How to mend it"))
    return Code(code, summary, text, sections, *examples)


@cache
def _names() -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in PAGES.glob("*.md")))


def _files(section: str) -> dict[str, str]:
    return {match["file"] or "example.arch": match["text"] for match in _FENCE.finditer(section)}


@cache
def _table() -> dict[str, Code]:
    return {code: known for code in _names() if (known := find(code)) is not None}


if TYPE_CHECKING:
    CODES: dict[str, Code]


def __getattr__(name: str) -> Any:
    if name == "CODES":
        return _table()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
