"""Writes the pages of docs/ that are made from the code: `python docs/generate.py`. The gallery is drawn anew with
`python docs/generate.py --draw`, since what Graphviz gives depends on its version.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import archdsl
from archdsl.diagnostics import codes
from archdsl.layers import STANDARD
from archdsl.layers.page import page
from archdsl.reports.numbers import engineering, field, thousands
from archdsl.reports.overview import overview

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


def gallery() -> str:
    """Every network that ships: what it costs, where its spec is, and its picture."""
    every = [overview(archdsl.load(name)) for name in archdsl.shipped_networks()]
    lines = [
        "# The gallery",
        "",
        NOTE.format(source="the specs"),
        "",
        f"The {len(every)} networks that ship. `archdsl list` prints these figures and chooses by them, and",
        "`archdsl report` says more of one. MACs are for the input shown; the field is the local one of the",
        "last layer that has such, with its stride. `archdsl draw resnet50 -o net.svg` makes a picture.",
    ]
    for family, members in groupby(every, key=lambda each: each.family):
        lines += ["", f"## {family}", "", f"Spec: [{family}.arch](../specs/{family}.arch)", ""]
        lines += [
            "| network | | year | input | parameters | MACs | field |",
            "| :-- | :-- | --: | --: | --: | --: | --: |",
        ]
        for each in members:
            costs = f"{thousands(each.parameters)} | {engineering(each.macs)} | {field(each.field)}"
            picture = f"[{each.name}](gallery/{each.name}.svg)"
            lines.append(f"| {picture} | {each.title} | {each.year or ''} | {each.input} | {costs} |")
    lines += ["", "## Pictures", ""]
    for each in every:
        image = f'<img src="gallery/{each.name}.svg" alt="The diagram of {each.name}">'
        lines += [f"<details><summary>{each.name}</summary>", "", image, "", "</details>"]
    return "\n".join(lines) + "\n"


def draw() -> None:
    """The pictures of the gallery."""
    folder = DOCS / "gallery"
    folder.mkdir(exist_ok=True)
    for name in archdsl.shipped_networks():
        archdsl.load(name).draw(folder / f"{name}.svg")


PAGES = {"layers.md": layers, "errors.md": errors, "gallery.md": gallery}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
    if "--draw" in sys.argv:
        draw()
