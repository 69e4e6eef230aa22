"""The pages for readers, as blocks of code and links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = [
    ROOT / "README.md",
    ROOT / "CHANGELOG.md",
    ROOT / "grammar" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
OF_THE_CODES = ROOT / "docs" / "errors.md"
"""Its examples are those of the pages of the codes; tests/diagnostics/test_pages.py runs them."""

_FENCE = re.compile(r"^```(?P<info>[^\n`]*)\n(?P<text>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"(?<!!)\[[^\]\n]*\]\((?P<target>[^)\s]+)\)")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, the words behind it, its text, and where that begins."""

    language: str
    words: tuple[str, ...]
    text: str
    line: int


def blocks(text: str) -> list[Block]:
    found = []
    for match in _FENCE.finditer(text):
        language, *words = match["info"].split() or [""]
        found.append(Block(language, tuple(words), match["text"], text.count("\n", 0, match.start()) + 2))
    return found


def links(text: str) -> list[str]:
    """What a page links to inside the project."""
    targets = (match["target"] for match in _LINK.finditer(_FENCE.sub("", text)))
    return [target for target in targets if not re.match(r"[a-z]+:", target)]


def anchors(text: str) -> set[str]:
    """The headings of a page, as links name them; a heading that comes again is numbered."""
    found: set[str] = set()
    for heading in re.findall(r"^#+ (.*)$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        number = 0
        while (name := f"{plain}-{number}" if number else plain) in found:
            number += 1
        found.add(name)
    return found


def matches(shown: str, real: str) -> bool:
    """Whether a shown output is the real one; a line of three dots stands for any lines."""
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + r"\n" for line in shown.splitlines()
    )
    plain = "".join(line.rstrip() + "\n" for line in real.rstrip().splitlines())
    return re.fullmatch(pattern, plain) is not None
