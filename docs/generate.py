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
from archdsl.linter.rules import BY_SLUG
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


LINT = """\
`archdsl lint` finds what runs but hardly as meant, or hardly as well as it could: a bias that the next layer takes
away, pixels that no window sees, layers that cannot gain by their kernels. `archdsl check` says what is wrong; the
linter says what a reviewer would ask about. It goes by the graph and its numbers, not by the text, and each finding
shows them.

```arch mnist.arch
net mnist {
  input 1x28x28
  conv 8 k3 p1 -> bn -> relu -> pool 3
  flatten -> fc 10
}
```

```console
$ archdsl lint mnist.arch
warning[bias-before-norm]: the bias of conv is taken away again by batch norm
  --> mnist.arch:3:3
   |
 3 |   conv 8 k3 p1 -> bn -> relu -> pool 3
   |   ^^^^^^^^^^^^
   = bn1 subtracts each channel's mean, and with it the 8 numbers of the bias: (x + b) - mean(x + b) = x - mean(x)
   = help: write `bias=no`: 8 parameters less, and the same function

warning[dropped-pixels]: pool leaves out the last 1 of 28 positions along height and width
...
3 warnings in mnist.arch
1 of them can be fixed with --fix
```

A place in the text has one finding of a rule, however many layers and networks it becomes; the numbers are those of
the first. What is found in a network that ships and stands in yours is told at your line that brings it in, with a note
of where it is written. Where a size is open, rules that need it say nothing; `--input` gives it one. Exit codes are
those of `check`: 0 clean, 1 findings, 2 wrong usage, which a broken configuration is. `--format json`, `github` and
`sarif` are for programs, and in Python it is `net.lint()`. The specs that ship are clean, or say in a comment why not.

## Fixes

`--fix` writes what has a safe fix into the files: the network computes and learns the same as before. What gives
another network needs `--unsafe-fixes` beside it. Even a safe fix may change which tensors a checkpoint has, and the
rule's page says so; `archdsl diff` shows it. An element that several layers come of is edited only where all of them
have the finding, in all networks of its file; networks of other files that use it are not asked. A file is not
written if a network in it had an error then, as one that promises its number of parameters.

## Switching rules off

A comment behind an element is about the elements that begin in its line:

```arch
net published {
  input 3x32x32
  conv 16 k3 p1 -> bn -> relu  # lint: off bias-before-norm - so in the weights that are loaded
}
```

On a line of its own it is about what stands below: a statement, a block, or a network with all that it is made of
and, where the network has variants, with these. At any place of a file, `# lint file: off` is about the whole file.
Several rules are separated by commas. The reason stands behind ` - ` or `because`; it is for the reader.

```arch
# lint file: off bias-before-norm - so in the weights that are loaded

# lint: off small-field, checkerboard because both are what this network is to show
net shown {
  input 3x32x32
  conv 16 k3 s2 p1 -> bn -> relu -> upconv 8 k3 s2 -> relu -> gap -> flatten -> fc 10
}
```

A rule that there is not is a finding, [bad-switch](#bad-switch), and so is a comment that silences nothing,
[unused-switch](#unused-switch). To tell that, whole files are needed: look at files together with those that use
their blocks, as `archdsl lint specs`.

## In pyproject.toml

The nearest pyproject.toml that has this table, in the spec's folder or one around it:

```toml
[tool.archdsl.lint]
select = ["bias-before-norm", "dropped-pixels"]   # these instead of the usual ones; "all" for all
ignore = ["small-field"]                          # all but these
channel-multiple = 8                              # for tensor-core-channels
depthwise-channels = 16                           # for narrow-depthwise
flatten-share = 0.5                               # for heavy-flatten

[tool.archdsl.lint.per-file-ignores]
"specs/old_*.arch" = ["heavy-flatten"]            # by the path from pyproject.toml on, or by the file's name
```

On the command line, `--select` and `--ignore` take rules with commas between them. `--select` comes before what the
file says, `--ignore` is added to it.
"""


def lint() -> str:
    """Every rule of the linter, from its page."""
    known = [code for each in codes.lint_codes() if (code := codes.find(each)) is not None]
    lines = ["# The linter", "", NOTE.format(source="archdsl/linter/pages, and its beginning from itself"), ""]
    lines += [LINT, "## The rules", ""]
    lines += ["`archdsl explain bias-before-norm` prints the page of one.", ""]
    for code in known:
        fix = FIXES.get(BY_SLUG[code.code].fix if code.code in BY_SLUG else None, "")
        lines.append(f"- [{code.code}](#{code.code}): {code.summary}{fix}")
    for code in known:
        lines += ["", *_lowered(code.page, 2)]
    return "\n".join(lines) + "\n"


FIXES = {"safe": " *Has a safe fix.*", "unsafe": " *Has an unsafe fix.*"}


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


PAGES = {"layers.md": layers, "errors.md": errors, "lint.md": lint, "gallery.md": gallery}

if __name__ == "__main__":
    for name, write in PAGES.items():
        (DOCS / name).write_text(write(), encoding="utf-8")
    if "--draw" in sys.argv:
        draw()
