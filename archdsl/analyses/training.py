"""What of a network trains: the parts that a spec freezes, and the statistics that stay as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from archdsl.graph import Graph


class Frozen(NamedTuple):
    """The numbers of nodes that are not trained, or not in full."""

    parameters: frozenset[int]
    """Those whose parameters stay as they are."""
    statistics: frozenset[int]
    """The normalizations that keep their running statistics, and use them while the rest trains."""


def frozen(graph: Graph) -> Frozen:
    """What the networks inside a network freeze.

    A part that is frozen keeps its statistics too: to train on with those of other images would change what it gives.
    """
    parameters: set[int] = set()
    statistics: set[int] = set()
    for backbone in graph.backbones:
        inside = f"{backbone.path}."
        for node in graph.nodes:
            if not node.path.startswith(inside):
                continue
            held = backbone.freezes(node.path)
            if (held or (backbone.norms == "frozen" and node.layer.tracks)) and graph.applied[node.index].weights:
                parameters.add(node.index)
            if node.layer.tracks and (held or backbone.norms != "train"):
                statistics.add(node.index)
    return Frozen(frozenset(parameters), frozenset(statistics))
