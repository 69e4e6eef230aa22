"""Parameters, buffers and multiply-accumulates of a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.layers.applied import Counts

if TYPE_CHECKING:
    from archdsl.graph import Graph


def counts(graph: Graph) -> tuple[Counts, ...]:
    """The counts of every node, by its number; a later use of a shared module has its MACs only."""
    return tuple(
        [
            applied.counts._replace(parameters=0, buffers=0, integers=0) if node.reused else applied.counts
            for node, applied in zip(graph.nodes, graph.applied, strict=True)
        ]
    )


def total(rows: tuple[Counts, ...]) -> Counts:
    """The sums over a network; MACs are None where one layer's are."""
    parameters, buffers, integers, macs = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Counts(sum(parameters), sum(buffers), sum(integers), None if None in macs else sum(macs))
