"""From a path of the report to the values of the graph, and from what flows there to places in the input."""

from __future__ import annotations

import re
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archdsl.errors import ArchError, NotFoundError
from archdsl.graph import Value, not_there

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from archdsl.graph import Graph
    from archdsl.layers.tensor import Kind


class Place(NamedTuple):
    """A value of the network by the path that a user gave."""

    path: str
    value: Value
    number: int
    """Which of the values at that path it is, from 1, and how many there are."""
    of: int
    kind: Kind
    grid: tuple[int, ...] | None
    """How its positions lie in the input; None where they have no place there."""

    @property
    def name(self) -> str:
        """The path, and which of several values it is."""
        return self.path if self.of == 1 or "@" in self.path else f"{self.path} ({self.number} of {self.of})"


def place(graph: Graph, path: str) -> Place:
    """The value at a path: what a layer or a module gives.

    A module that is used several times, or gives several values, has as many: `head@2` is the second.

    Raises:
        NotFoundError: where the network has nothing there.
    """
    found = list(_values(graph, path))
    number = 1
    if not found and (match := re.fullmatch(r"(.+)@([0-9]{1,9})", path)):
        found, number = list(_values(graph, match[1])), int(match[2])
        if found and not 1 <= number <= len(found):
            several = f"{len(found)} values" if len(found) > 1 else "one value"
            raise NotFoundError(f"{graph.name} has {several} at {match[1]}, and no {path}")
    if not found:
        raise NotFoundError(not_there(graph, path))
    value = found[number - 1]
    return Place(path, value, number, len(found), graph.tensor(value).kind, grid(graph, value))


def _values(graph: Graph, path: str) -> Iterator[Value]:
    """What the layers at a path give, or else the modules there, in the order in which they run."""
    nodes = [node for node in graph.nodes if node.path == path and node.inputs]
    for node in nodes:
        yield from (Value(node.index, number) for number in range(len(graph.outputs_of(node))))
    for module in graph.activations if not nodes else ():
        if path and module.path == path and module.kind != "net" and not module.transparent:
            yield from module.outputs


def grid(graph: Graph, value: Value) -> tuple[int, ...] | None:
    """How the positions of a value lie in the input.

    Those of a map lie as they stand. Tokens lie as the map that they were made from: the last one on the way to them,
    by the first input of each layer, if they are as many as its positions and the class tokens put before them. A
    vector has no positions, nor have learned queries.
    """
    tensor = graph.tensor(value)
    if tensor.kind == "map":
        return _numbers(tensor.space)
    if tensor.kind != "tokens":
        return None
    before = 0
    node = graph.nodes[value.node]
    while node.inputs and node.layer.word != "queries":
        before += node.layer.word == "class_token"
        source = graph.tensor(node.inputs[0])
        if source.kind == "map":
            space = _numbers(source.space)
            return space if space and prod(space) + before == tensor.space[0] else None
        node = graph.nodes[node.inputs[0].node]
    return None


def _numbers(sizes: tuple[int | str, ...]) -> tuple[int, ...] | None:
    found = tuple(size for size in sizes if isinstance(size, int))
    return found if len(found) == len(sizes) else None


def as_maps(values: Tensor, at: Place) -> Tensor:
    """Values with their channels first and then as they lie in the input: N x C x space.

    Tokens that stand before those with a place (class tokens) are left out.
    """
    assert at.grid is not None
    if at.kind == "map":
        return values
    channels = values.transpose(1, 2)[:, :, -prod(at.grid) :]
    return channels.reshape(*channels.shape[:2], *at.grid)


def with_places(graph: Graph, path: str) -> Place:
    """The value at a path, whose positions have a place in the input.

    Raises:
        NotFoundError: where the network has nothing there.
        ArchError: where its positions have no place, or there is but one.
    """
    found = place(graph, path)
    if found.grid is None or prod(found.grid) == 1:
        last = last_map(graph, found.value)
        hint = f"; the last one before it that has several is {last}" if last else ""
        raise ArchError(f"{path} gives {graph.tensor(found.value)}: {_why(found)}{hint}")
    return found


def _why(at: Place) -> str:
    if at.grid is not None:
        return "that is one position only"
    return "its tokens have no place in the input" if at.kind == "tokens" else "it has no positions"


def last_map(graph: Graph, before: Value) -> str | None:
    """The path of the last layer with several positions on the way to a value."""
    needed = {before.node}
    for node in reversed(graph.nodes[: before.node + 1]):
        if node.index in needed:
            needed.update(value.node for value in node.inputs)
            lies = grid(graph, Value(node.index)) if node.inputs else None
            if lies is not None and prod(lies) > 1:
                return node.path
    return None
