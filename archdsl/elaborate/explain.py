"""Where a tensor's sizes come from: the arithmetic and the places that error messages show."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archdsl.graph import Node, Value
    from archdsl.layers.applied import Applied
    from archdsl.layers.tensor import Tensor

_AXES = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}


class Provenance:
    """Answers for the nodes made so far."""

    def __init__(self, nodes: Sequence[Node], applied: Sequence[Applied]) -> None:
        self.nodes = nodes
        self.applied = applied

    def tensor(self, value: Value) -> Tensor:
        return self.applied[value.node].outputs[value.output]

    def source(self, value: Value) -> Node:
        """The node that gave a value."""
        return self.nodes[value.node]

    def of_axis(self, value: Value, axis: int) -> str | None:
        """Which element gave an axis of a tensor its size, with the formula."""
        size = self.tensor(value).dims[axis]
        at = value
        while True:
            node = self.source(at)
            if not node.inputs:
                return f"{size} is the input's"
            before = self.tensor(node.inputs[0])
            here = self.tensor(at)
            if before.kind != here.kind or len(before.dims) != len(here.dims):
                return f"{size} comes from {self.place(node)}"
            if before.dims[axis] != here.dims[axis]:
                return f"{size} comes from {self.place(node)}{self.formula(node, axis)}"
            at = node.inputs[0]

    def of_space(self, value: Value) -> list[str]:
        """Which element gave a map its size, by its first axis that the network itself made."""
        tensor = self.tensor(value)
        for axis in range(1, len(tensor.dims)) if tensor.kind == "map" else ():
            note = self.of_axis(value, axis)
            if note is not None and not note.endswith("the input's"):
                return [note]
        return []

    def place(self, node: Node) -> str:
        line, column = node.span.source.position(node.span.start)
        return f"{node.layer.word} at {line}:{column}"

    def formula(self, node: Node, axis: int) -> str:
        inputs = [self.tensor(v) for v in node.inputs]
        x = inputs[0]
        if x.kind != "map" or axis == 0:
            return ""
        reach = self.applied[node.index].reach
        if reach.axes is None:
            return ""
        return f": {reach.axes[axis - 1].formula(x.space[axis - 1])}"

    def differences(self, values: Sequence[Value]) -> Iterator[str]:
        """For values that should have equal shapes: where the sizes that differ come from."""
        first = self.tensor(values[0])
        said: set[str] = set()
        for other in values[1:]:
            tensor = self.tensor(other)
            if tensor.kind != first.kind or len(tensor.dims) != len(first.dims):
                continue
            for axis, (a, b) in enumerate(zip(first.dims, tensor.dims, strict=True)):
                if a == b:
                    continue
                for value in (values[0], other):
                    note = self.of_axis(value, axis)
                    if note and note not in said and len(said) < 4:
                        said.add(note)
                        yield note


def matching_help(target: Tensor, other: Tensor) -> str | None:
    """The convolution that would give a branch the other's shape."""
    if target.kind != "map" or other.kind != "map" or target.rank != other.rank or not target.rank:
        return None
    sizes = (*target.dims, *other.dims)
    if not all(isinstance(size, int) and size > 0 for size in sizes):
        return None
    strides = set()
    for goal, have in zip(target.space, other.space, strict=True):
        assert isinstance(goal, int)
        assert isinstance(have, int)
        stride = max(1, round(have / goal))
        if (have - 1) // stride + 1 != goal:
            return None
        strides.add(stride)
    if len(strides) != 1:
        return None
    stride = strides.pop()
    return f"`conv {target.channels} k1{f' s{stride}' if stride != 1 else ''}`"
