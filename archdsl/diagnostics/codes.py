"""The table of codes: one page a code in `pages/`, read when somebody asks; those of the linter in its own folder."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

PAGES = Path(__file__).parent / "pages"
LINT_PAGES = Path(__file__).parent.parent / "linter" / "pages"

SECTIONS = ("What it means", "Example", "How to mend it")
"""What every page has; a section `Source` says where the rule comes from, where it comes from somewhere."""
LINT_SECTIONS = ("What it finds", "Why", "Example", "Fixed", "Source")
"""What the page of a rule of the linter has."""

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
    """Every code of an error that has a page, in alphabetical order."""
    return _names(PAGES)


def lint_codes() -> tuple[str, ...]:
    """Every rule of the linter that has a page, in alphabetical order."""
    return _names(LINT_PAGES)


def page(code: str) -> str | None:
    """The page of a code, in Markdown."""
    known = find(code)
    return None if known is None else known.page


@cache
def find(code: str) -> Code | None:
    """What is known of a code."""
    folder = next((each for each in (PAGES, LINT_PAGES) if code in _names(each)), None)
    if folder is None:  # a name that somebody types must not become a path
        return None
    text = (folder / f"{code}.md").read_text(encoding="utf-8")
    head, *parts = re.split(r"^## ", text, flags=re.MULTILINE)
    sections = {title.strip(): body.strip() for title, _, body in (part.partition("\n") for part in parts)}
    summary = head.partition("\n")[2].strip()
    mended = "Fixed" if folder == LINT_PAGES else "How to mend it"
    examples = (_files(sections.get(title, "")) for title in ("Example", mended))
    return Code(code, summary, text, sections, *examples)


@cache
def _names(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.stem for path in folder.glob("*.md")))


def _files(section: str) -> dict[str, str]:
    return {match["file"] or "example.arch": match["text"] for match in _FENCE.finditer(section)}


@cache
def _table() -> dict[str, Code]:
    return {code: known for code in codes() if (known := find(code)) is not None}


if TYPE_CHECKING:
    CODES: dict[str, Code]


def __getattr__(name: str) -> Any:
    if name == "CODES":
        return _table()
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
