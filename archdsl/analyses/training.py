"""What of a network does not train: what the networks inside it freeze, and what the stage that it is in leaves out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.analyses.inside import Frozen, kept
from archdsl.analyses.stages import plan

if TYPE_CHECKING:
    from archdsl.graph import Graph


def frozen(graph: Graph) -> Frozen:
    """What does not train. Of a network with a recipe, any normalization may be told to keep its statistics."""
    if graph.recipe is None:
        return kept(graph)
    norms = frozenset([node.index for node in graph.nodes if node.layer.tracks])
    if graph.stage is None:
        return kept(graph)._replace(norms=norms)
    stage = plan(graph, graph.stage)
    return Frozen(stage.parameters, stage.statistics, norms)
