"""The page docs/torchvision.md: what was proven, and how long the specs are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import detectors
from lines import families
from proofs import CLASSIFIERS, COLUMNS, CONVOLUTIONAL, NAMES, SEGMENTERS, Row
from special import SPECIAL

PAGE = Path(__file__).parents[2] / "docs" / "torchvision.md"

HEAD = """\
# torchvision's networks

<!-- Written by tests/torchvision: run `python -m tests.torchvision --write`. -->

{count} networks of torchvision's ship as a spec and are compared with its own: {classifiers} of its
{all_classifiers} classifiers of images, {segmenters} of the {all_segmenters} networks that label pixels, and {videos}
of the {all_videos} classifiers of videos that are made of convolutions.

    python -m tests.torchvision                # all of them, and the table below
    python -m tests.torchvision resnet50       # one
    python -m tests.torchvision --write        # and keep the table here
    pytest tests/torchvision                   # the same proofs as tests

| column | what was compared |
| :-- | :-- |
| parameters, G MACs | `num_params` and `_ops` of every set of published weights, the latter to three places |
| keys | names, shapes and types of the whole `state_dict()`, in the same order but where it says: so many entries |
| bits | `load_state_dict(strict=True)` takes their state as it is, and in evaluation the results have equal bits |
| gradients | in training, with the same seed, results have equal bits, and gradients and statistics are the same |
| structure | a training step gives as many results and draws the same random numbers |
| operators | a training step, forward, backward and optimizer, runs the same operators one by one |

Gradients are `close` where a sum is taken in another order: the difference of a tensor is then within 1e-4 of
its length. As the same random numbers are drawn in the same order, each dropout and each stochastic depth is where
theirs is, with the same probability; as many results means the same auxiliary heads. Where the operators are `others`,
the reason stands below the table, and all operators that it does not concern are the same ones.

Weights are random and keep activations in range; the image is random and small, since what depends on its size is
counted, not run. What is special of a network is said in [special.py](../tests/torchvision/special.py); other forms of
a network that it names, with auxiliary heads or dropout, are proven as well.

## What was proven

"""

CALLS = """\
A forward in evaluation calls at most one function in a hundred more than theirs, Python's and C's together, which is
what a single small image costs most. Of these it calls up to a fifth more:
"""

DETECTORS = """\

## Detectors

{count} of torchvision's {all} networks that find things in images ship as well, up to the raw answers of their heads.
These are compared with what torchvision's own backbone and heads give, and so are the gradients of a loss of all of
them. Anchors, boxes, non-maximum suppression, the pooling of regions (RoI) and losses are outside; torchvision's lines
below have them.

Published weights have frozen batch normalizations, whose numbers are no parameters there and are added here;
multiply-accumulates are for {proposals:,} proposals, as published. `published` is a file with a state as torchvision
has it with published weights, which loads strictly; answers are `close` where they differ by less than 1e-5 of their
length. For this the `eps` of the normalizations is what torchvision sets with these weights: 0 for Faster R-CNN and
RetinaNet.

"""


def rows_of(text: str, columns: tuple[str, ...] = COLUMNS) -> dict[str, tuple[str, ...]]:
    """The rows of the table of a page that has these columns, by the name of the network."""
    found = {}
    for line in text.splitlines():
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        if name.startswith("`") and len(cells) == len(columns) - 1:
            found[name.strip("`")] = tuple(cells)
    return found


def table(columns: tuple[str, ...], rows: Mapping[str, tuple[str, ...]], names: Iterable[str]) -> list[str]:
    """The lines of a table of these networks."""
    lines = ["| " + " | ".join(columns) + " |", "| :-- |" + " --: |" * (len(columns) - 1)]
    return lines + [f"| `{name}` | {' | '.join(rows[name])} |" for name in names if name in rows]


def render(rows: Mapping[str, tuple[str, ...]], detected: Mapping[str, tuple[str, ...]] | None = None) -> str:
    """The page that has these rows, and these of detectors or those that it has."""
    detected = kept(detectors.COLUMNS) if detected is None else detected
    lines = table(COLUMNS, rows, NAMES)
    lines += ["", "Where the operators differ:", ""]
    reasons = {
        reason: ", ".join(
            dict.fromkeys(
                f"`{pattern}` {variant}".strip()
                for pattern, special in SPECIAL.items()
                for variant, case in {"": special.case, **special.variants}.items()
                if reason in case.reason.split("; ")
            )
        )
        for special in SPECIAL.values()
        for case in (special.case, *special.variants.values())
        for reason in case.reason.split("; ")
        if reason
    }
    lines += [f"- {reason} ({where})" for reason, where in reasons.items()]
    for pattern, special in SPECIAL.items():
        if special.order:
            lines += ["", f"The state of `{pattern}` stands in another order: {special.order}."]
    lines += ["", *CALLS.splitlines(), ""]
    more = {s.calls: [p for p, each in SPECIAL.items() if each.calls == s.calls] for s in SPECIAL.values() if s.calls}
    lines += [f"- {reason} ({', '.join(f'`{pattern}`' for pattern in where)})" for reason, where in more.items()]
    found = {"count": len(detected), "all": len(detectors.ALL), "proposals": detectors.PROPOSALS}
    lines += DETECTORS.format(**found).splitlines() + table(detectors.COLUMNS, detected, detectors.NAMES)
    lines += ["", "## How long the texts are", ""]
    lines += [
        "Lines without blanks, comments and docstrings; a spec's with those of what it uses of other specs. Of",
        "torchvision's the second number leaves out imports and what describes published weights.",
        "",
        "| spec | networks | lines | torchvision | lines | ratio | of what builds |",
        "| :-- | --: | --: | :-- | --: | --: | --: |",
    ]
    for each in families(NAMES + detectors.NAMES):
        lines.append(
            f"| [{each.spec}](../specs/{each.spec}) | {len(each.networks)} | {each.lines} | {', '.join(each.sources)} "
            f"| {each.theirs} ({each.layers}) | {each.lines / each.theirs:.2f} | {each.lines / each.layers:.2f} |"
        )
    kinds = {"classifiers": CLASSIFIERS, "segmenters": SEGMENTERS, "videos": CONVOLUTIONAL}
    proven = {kind: len(rows.keys() & set(names)) for kind, names in kinds.items()}
    every = {f"all_{kind}": len(names) for kind, names in kinds.items()}
    return HEAD.format(count=sum(proven.values()), **proven, **every) + "\n".join(lines) + "\n"


def kept(columns: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The rows that the page has in the table of these columns."""
    return rows_of(PAGE.read_text(encoding="utf-8"), columns) if PAGE.exists() else {}


def write(rows: Iterable[Row]) -> None:
    """Keeps these rows in the page, beside those that it has."""
    classified, detected = kept(COLUMNS), kept(detectors.COLUMNS)
    for row in rows:
        (detected if row.name in detectors.NAMES else classified)[row.name] = row.cells
    PAGE.write_text(render(classified, detected), encoding="utf-8")
