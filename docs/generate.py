"""Writes the pages of docs/ that are made from the code, layers.md and errors.md: `python docs/generate.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from archdsl.diagnostics import codes
from archdsl.layers import STANDARD
from archdsl.layers.page import page

DOCS = Path(__file__).parent
NOTE = "<!-- Written by docs/generate.py from {source}: change it there, then run `python docs/generate.py`. -->"


def layers() -> str:
    """Every layer by family, from the declarations."""
    count = len(STANDARD.layers)
    lines = [
        "# The layers",
        "",
        NOTE.format(source="the declarations in archdsl/layers"),
        "",
        f"All {count} layers, by family. `archdsl explain conv` prints the page of one. How arguments are written is",
        "said in the [reference of the language](../grammar/README.md#arguments); a layer of your own is added as",
        "[contributing](contributing.md#add-a-layer) says.",
        "",
    ]
    for family, members in STANDARD.families().items():
        lines.append(
            f"- [{family.capitalize()}](#{family}-layers): {', '.join(f'[{m.word}](#{m.word})' for m in members)}"
        )
    for family, members in STANDARD.families().items():
        lines += ["", f"## {family.capitalize()} layers"]
        for layer in members:
            lines += ["", *_lowered(page(layer), 2)]
    return "\n".join(lines) + "\n"


def errors() -> str:
    """Every error code, from its page."""
    known = [codes.CODES[code] for code in codes.codes()]
    lines = [
        "# The errors",
        "",
        NOTE.format(source="archdsl/diagnostics/pages"),
        "",
        f"All {len(known)} codes. `archdsl explain merge-shapes` prints the page of one. Each page has an example that",
        "gives exactly this code and a mended text that gives none; tests/diagnostics/test_pages.py runs both.",
        "",
    ]
    lines += [f"- [{code.code}](#{code.code}): {code.summary}" for code in known]
    for code in known:
        lines += ["", *_lowered(code.page, 1)]
    return "\n".join(lines) + "\n"


def _lowered(text: str, levels: int) -> Iterator[str]:
    """A page with its headings that many levels lower; what stands in fences stays as it is."""
    fenced = False
    for line in text.rstrip().splitlines():
        fenced ^= line.startswith("```")
        yield "#" * levels + line if line.startswith("#") and not fenced else line


PAGES = {"layers.md": layers, "errors.md": errors}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
