"""What one forward pass in evaluation costs: operations by a rule, bytes moved, and the least time they take.

The time is that of the roofline model (Williams, Waterman and Patterson, "Roofline: an insightful visual performance
model for multicore architectures", Communications of the ACM, 2009).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archdsl.graph import Graph, Node
    from archdsl.layers.applied import Applied

WHOLE_BYTES = 8
"""The bytes of an id, and of a whole number in a buffer."""


class Rule(NamedTuple):
    """A way to count operations: so many for each multiply-accumulate, and whether everything else counts."""

    name: str
    text: str
    for_mac: int
    everything: bool = False


RULES: Mapping[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule("torchvision", "multiplications of convolutions, linear layers and matrix products, times 2", 2),
        Rule("all", "every arithmetic operation that depends on the input", 2, True),
        Rule("macs", "multiplications of convolutions, linear layers and matrix products, once", 1),
    )
}
"""The rules by name; docs/counting.md defines them."""


class Part(NamedTuple):
    """Operations of one kind in a layer: under `all`, and how many of them are multiply-accumulates."""

    kind: str
    operations: int
    macs: int = 0

    def counted(self, rule: Rule) -> int:
        """What the rule counts of them."""
        return self.operations if rule.everything else rule.for_mac * self.macs


BIASES, FIRST_TERMS = "biases", "first terms of sums"
"""What a family of these has besides products, as kinds of operations."""


def parts(applied: Applied) -> tuple[Part, ...] | None:
    """The operations of a layer by kind, for one sample; None where not all are known."""
    layer, inputs = applied.layer, applied.inputs
    macs, operations = layer.macs(*inputs), layer.operations(*inputs)
    if macs is None or operations is None:
        return None
    family = layer.family or layer.word
    if not macs:
        return (Part(family, operations),) if operations else ()
    products, rest = Part(f"products of {family} layers", 2 * macs, macs), operations - 2 * macs
    if family not in ("convolution", "linear"):
        return products, Part(f"rest of {family} layers", rest)
    biases = (applied.outputs[0].elements or 0) if "bias" in applied.weights else 0
    return products, Part(BIASES, biases), Part(FIRST_TERMS, rest - biases)


class Work(NamedTuple):
    """What a layer does for a batch; None where it is not known."""

    flops: int | None
    bytes: int | None

    @property
    def intensity(self) -> float | None:
        """Operations for each byte moved; None where nothing moves."""
        return self.flops / self.bytes if self.flops is not None and self.bytes else None


def works(graph: Graph, rule: Rule, batch: int, size: int) -> tuple[Work, ...]:
    """What each node does, by its number, in numbers of that many bytes.

    Heads that only training has do nothing in evaluation. A shared module works at each use.
    """
    needed = graph.evaluated()
    known: dict[int, Work] = {}
    result = []
    for node, applied in zip(graph.nodes, graph.applied, strict=True):
        if not node.inputs or node.index not in needed:
            result.append(_NOTHING)
            continue
        work = known.get(id(applied))
        if work is None:
            work = known[id(applied)] = _work(applied, rule, batch, size)
        result.append(work)
    return tuple(result)


_NOTHING = Work(0, 0)


def _work(applied: Applied, rule: Rule, batch: int, size: int) -> Work:
    layer, inputs = applied.layer, applied.inputs
    traffic = layer.traffic(*inputs)
    counted = layer.operations(*inputs) if rule.everything else layer.macs(*inputs)
    flops = None if counted is None else batch * counted * (1 if rule.everything else rule.for_mac)
    if traffic is None:
        return Work(flops, None)
    values = size * (batch * traffic.values + traffic.weights)
    return Work(flops, values + WHOLE_BYTES * (batch * traffic.ids + traffic.integers))


def kinds(graph: Graph) -> Iterator[tuple[Node, tuple[Part, ...] | None]]:
    """Each node that evaluation runs, with its operations by kind."""
    needed = graph.evaluated()
    known: dict[int, tuple[Part, ...] | None] = {}
    for node, applied in zip(graph.nodes, graph.applied, strict=True):
        if node.inputs and node.index in needed:
            if id(applied) not in known:
                known[id(applied)] = parts(applied)
            yield node, known[id(applied)]


Bound = Literal["compute", "memory"]


class Roof(NamedTuple):
    """The two limits of a device: operations a second, bytes a second."""

    peak: float
    bandwidth: float

    @property
    def ridge(self) -> float:
        """The intensity from which on the arithmetic is the limit, in operations for each byte."""
        return self.peak / self.bandwidth

    def seconds(self, work: Work) -> float | None:
        """The least time: of the arithmetic or of the memory, whichever is longer, as if each hid behind the other."""
        if work.flops is None or work.bytes is None:
            return None
        return max(work.flops / self.peak, work.bytes / self.bandwidth)

    def bound(self, work: Work) -> Bound | None:
        """Which of the two it is; None where nothing is done, or not all is known."""
        if not work.bytes or work.flops is None:
            return None
        return "compute" if work.flops / self.peak >= work.bytes / self.bandwidth else "memory"
