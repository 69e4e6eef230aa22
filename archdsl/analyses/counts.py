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
    macs = [row.macs for row in rows]
    known = [count for count in macs if count is not None]
    return Counts(
        sum([row.parameters for row in rows]),
        sum([row.buffers for row in rows]),
        sum([row.integers for row in rows]),
        sum(known) if len(known) == len(rows) else None,
    )
