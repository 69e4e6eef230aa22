"""Findings for the tests of the renderers."""

from __future__ import annotations

from archdsl.diagnostics import Diagnostic, Fix, Label, error, warning
from archdsl.source import Source, Span

RESNET = Source(
    "resnet.arch",
    """block basic(c, s=1) {
  ( conv c k3 s=s p1 -> bn -> relu -> conv c k3 p1 -> bn
  | id
  ) -> add -> relu
}

net resnet {
  input 3x224x224
  conv 64 k7 s2 p3
  pool 3 s2 p1
  basic(64)
  (basic(128, s=2) -> basic(128)) as layer2[]
}
""",
)

DESIGN = """\
error[merge-shapes]: add needs equal shapes, got 128x28x28 and 64x56x56
  --> resnet.arch:4:8
   |
 2 |   ( conv c k3 s=s p1 -> bn -> relu -> conv c k3 p1 -> bn
   |                                                       -- this branch gives 128x28x28
 3 |   | id
   |     -- this branch gives 64x56x56
 4 |   ) -> add -> relu
   |        ^^^
   = 128 comes from conv at 2:5
   = 64 comes from conv at 9:3
   = 28 comes from conv at 2:5: floor((56 + 2*1 - 3) / 2) + 1 = 28
   = 56 comes from pool at 10:3: floor((112 + 2*1 - 3) / 2) + 1 = 56
   = in basic(128, s=2), written at resnet.arch:12:4, as layer2.0
   = help: give the second branch `conv 128 k1 s2`
"""
"""What is said of that spec, as the design of the language shows it."""


def at(source: Source, text: str, number: int = 0) -> Span:
    """The place where a text stands in a source, the first or a later one."""
    start = -1
    for _ in range(number + 1):
        start = source.text.index(text, start + 1)
    return Span(source, start, start + len(text))


def merge_shapes() -> Diagnostic:
    """The finding in that spec."""
    return error(
        "merge-shapes",
        "add needs equal shapes, got 128x28x28 and 64x56x56",
        at(RESNET, "add"),
        labels=[
            Label(at(RESNET, "bn", 1), "this branch gives 128x28x28"),
            Label(at(RESNET, "id"), "this branch gives 64x56x56"),
        ],
        notes=[
            "128 comes from conv at 2:5",
            "64 comes from conv at 9:3",
            "28 comes from conv at 2:5: floor((56 + 2*1 - 3) / 2) + 1 = 28",
            "56 comes from pool at 10:3: floor((112 + 2*1 - 3) / 2) + 1 = 56",
            "in basic(128, s=2), written at resnet.arch:12:4, as layer2.0",
        ],
        help="give the second branch `conv 128 k1 s2`",
    )


def of_many_files() -> Diagnostic:
    other = Source("parts/blocks.arch", "\n" * 99 + "block stem(c) {\n  conv c k3\n}\n")
    return warning(
        "unused-value",
        "nobody uses this value",
        at(RESNET, "conv 64 k7 s2 p3"),
        label="computed here",
        labels=[
            Label(at(other, "stem"), "where the block is"),
            Label(at(RESNET, "block basic"), "first"),
            Label(at(RESNET, "input"), "far below"),
            Label(at(RESNET, "basic(128"), "alone after a gap of two"),
        ],
        notes=["a note\nof two lines"],
        fix=Fix(at(RESNET, "conv 64 k7 s2 p3"), "conv 64 k7 s2 p3 as stem\n  stem"),
    )
