"""The networks inside a network: which layers stand in them, and what they keep as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.graph import Backbone, Graph, Node


class Frozen(NamedTuple):
    """The numbers of nodes that are not trained, or not in full."""

    parameters: frozenset[int] = frozenset()
    """Those whose parameters stay as they are."""
    statistics: frozenset[int] = frozenset()
    """The normalizations that keep their running statistics, and use them while the rest trains."""
    norms: frozenset[int] = frozenset()
    """All normalizations by running statistics of the networks that are frozen in part."""


def kept(graph: Graph) -> Frozen:
    """What the networks inside a network freeze by themselves, in any stage.

    A part that is frozen keeps its statistics too: to train on with those of other images would change what it gives.
    """
    if not graph.backbones:
        return Frozen()
    known = {backbone.path: backbone for backbone in graph.backbones}
    parameters: set[int] = set()
    statistics: set[int] = set()
    norms: set[int] = set()
    for node in graph.nodes:
        tracks = node.layer.tracks
        for backbone in around(node, known):
            held = backbone.freezes(node.path)
            if (held or (backbone.norms == "frozen" and tracks)) and graph.applied[node.index].weights:
                parameters.add(node.index)
            if tracks and (held or backbone.norms != "train"):
                statistics.add(node.index)
            if tracks and (backbone.frozen or backbone.norms != "train"):
                norms.add(node.index)
    return Frozen(frozenset(parameters), frozenset(statistics), frozenset(norms))


def around(node: Node, known: dict[str, Backbone]) -> Iterator[Backbone]:
    """The networks, by the paths of their modules, in which a node stands; the innermost first."""
    path = node.path
    while path := path.rpartition(".")[0]:
        if path in known:
            yield known[path]


def inside(graph: Graph) -> dict[str, list[Node]]:
    """For each of the networks inside, by the path of its module, its nodes; shared ones once."""
    known = {backbone.path: backbone for backbone in graph.backbones}
    found: dict[str, list[Node]] = {path: [] for path in known}
    for node in graph.nodes:
        if not node.reused:
            for backbone in around(node, known):
                found[backbone.path].append(node)
    return found
