"""Why two counting rules differ: what `net.explain_count()` returns and `archdsl explain-count` prints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archdsl.analyses.cost import BIASES, FIRST_TERMS, Part, Rule, kinds
from archdsl.reports.closed import check_sizes
from archdsl.reports.cost import rule_called
from archdsl.reports.numbers import clean, engineering, thousands

if TYPE_CHECKING:
    from archdsl.network import Network

SCHEMA_VERSION = "1.0"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class RuleReport(_Model):
    """A counting rule, and what it says of the network."""

    name: str
    counts: str = Field(description="what it counts, in words")
    flops: int | None = Field(description="null where a layer does not say what it computes")


class KindReport(_Model):
    """Operations of one kind."""

    kind: str
    layers: int = Field(description="how many layers have such operations; a shared one at each use")
    first: int = Field(description="what the first rule counts of them")
    second: int = Field(description="what the second rule counts of them")
    difference: int = Field(description="second less first; the sum of all is the difference of the two rules")
    why: str = Field(description="what these operations are, in words")


class RuleComparison(_Model):
    """Two counting rules on one network, and what their difference is made of."""

    schema_version: str = SCHEMA_VERSION
    network: str
    batch: int
    first: RuleReport
    second: RuleReport
    kinds: tuple[KindReport, ...] = Field(description="the kinds, those that make most of the difference first")
    silent: tuple[str, ...] = Field(description="words of layers that do not say what they compute: not counted here")
    macs: int = Field(description="multiply-accumulates, of which both rules know")


WHY: Mapping[str, str] = {
    "products of": "a product and its addition are one multiply-accumulate: 1 in macs, 2 in FLOPs",
    BIASES: "one addition for each value that a layer with a bias gives",
    FIRST_TERMS: "a sum of n products has n - 1 additions, and 2 MACs count n",
    "rest of": "softmax, scaling, biases, and a sum of n products has n - 1 additions",
    "normalization": "bn: a scale and a shift for each value; others: mean and variance besides",
    "activation": "the formula of each: relu 1, sigmoid 4, gelu 5 for each value; softmax 5n - 2 of n",
    "pooling": "n - 1 comparisons in a window of n; for a mean n - 1 additions and a division",
    "merge": "one operation for each value of add, mul and others; cat moves only",
    "elementwise": "one function or operation for each value",
    "resampling": "what mixes neighbours: 9 for each value of a bilinear one; nearest moves only",
    "parameter": "a sum or a product with learned numbers for each value",
}
"""What the kinds of operations are, by how their name begins."""


def build_comparison(network: Network, first: str, second: str, batch: int = 1) -> RuleComparison:
    """Two rules on a network without errors.

    Raises:
        ArchError: where there is no such rule, or a size is open.
    """
    one, two = rule_called(first), rule_called(second)
    graph = network.graph
    check_sizes(graph, "the cost")
    found: dict[str, list[Part]] = {}
    silent: dict[str, None] = {}
    for node, several in kinds(graph):
        if several is None:
            silent[node.layer.word] = None
        for part in several or ():
            found.setdefault(part.kind, []).append(part)
    rows = [row for kind, some in found.items() if (row := _kind(kind, some, one, two, batch)) is not None]
    rows.sort(key=lambda row: -abs(row.difference))

    def report(rule: Rule) -> RuleReport:
        counted = sum([part.counted(rule) for some in found.values() for part in some])
        unknown = bool(silent) and rule.everything
        return RuleReport(name=rule.name, counts=rule.text, flops=None if unknown else batch * counted)

    return RuleComparison(
        network=graph.name,
        batch=batch,
        first=report(one),
        second=report(two),
        kinds=tuple(rows),
        silent=tuple(silent),
        macs=batch * sum([part.macs for some in found.values() for part in some]),
    )


def _kind(kind: str, found: list[Part], one: Rule, two: Rule, batch: int) -> KindReport | None:
    first, second = (batch * sum([part.counted(rule) for part in found]) for rule in (one, two))
    if not first and not second:
        return None
    why = next((text for start, text in WHY.items() if kind.startswith(start)), "as the layer says")
    layers = sum([part.operations != 0 for part in found])
    return KindReport(kind=kind, layers=layers, first=first, second=second, difference=second - first, why=why)


# ---------------------------------------------------------------- as text

_WORDS = """\
What the words mean. A multiply-accumulate (MAC, mult-add) is one product and its addition. FLOPs are floating-point
operations, so that {macs} MACs are {twice} FLOPs. Papers and tools use both words for either number: "FLOPs" in the
papers of ResNet (3.8 billion for ResNet-50), MobileNet and EfficientNet are multiply-adds, GFLOPS in torchvision's
table of weights and "flops" of fvcore are MACs, and FlopCounterMode of torch counts two for each. Compare figures of
one rule only."""


def render(comparison: RuleComparison) -> str:
    """The comparison for people; every number is whole, so that the columns can be added."""
    one, two = comparison.first, comparison.second
    samples = f", {comparison.batch:,} samples" if comparison.batch != 1 else ""
    lines = [f"{clean(comparison.network)}{samples}", ""]
    width = max(len(one.name), len(two.name))
    for rule in (one, two):
        lines.append(f"  {rule.name.ljust(width)}  {_exactly(rule.flops)}: {rule.counts}")
    lines += ["", *_table(comparison), ""]
    if comparison.silent:
        lines += [f"Not counted, since these layers do not say what they compute: {', '.join(comparison.silent)}", ""]
    macs = comparison.macs
    lines.append(_WORDS.format(macs=engineering(macs), twice=engineering(2 * macs)))
    return "\n".join(lines) + "\n"


def _exactly(number: int | None) -> str:
    return thousands(number) if number else "0" if number == 0 else "?"


def _table(comparison: RuleComparison) -> Iterator[str]:
    one, two = comparison.first, comparison.second
    head = ("kind of operation", "layers", one.name, two.name, "difference")
    rows = [
        (clean(row.kind), f"{row.layers:,}", f"{row.first:,}", f"{row.second:,}", f"{row.difference:+,}")
        for row in comparison.kinds
    ]
    sums = [sum(column) for column in zip(*((r.first, r.second, r.difference) for r in comparison.kinds), strict=True)]
    first, second, difference = sums or (0, 0, 0)
    foot = ("together", "", f"{first:,}", f"{second:,}", f"{difference:+,}")
    widths = [max(map(len, column)) for column in zip(head, *rows, foot, strict=True)]

    def line(cells: tuple[str, ...]) -> str:
        name, *numbers = cells
        rest = "  ".join([cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True)])
        return f"  {name.ljust(widths[0])}  {rest}"

    yield line(head)
    for row, cells in zip(comparison.kinds, rows, strict=True):
        yield line(cells)
        if row.difference:
            yield f"    {row.why}"
    yield line(foot)
