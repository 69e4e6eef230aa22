"""Where a tensor's sizes come from: the arithmetic and the places that error messages show."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.layers.geometry import Window

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archdsl.graph import Node, Value
    from archdsl.layers.applied import Applied
    from archdsl.layers.tensor import Tensor


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

    def maker(self, value: Value, axis: int) -> Node | None:
        """The node that gave an axis its size; None where that is the input's, or not a matter of windows."""
        at = value
        while True:
            node = self.source(at)
            if not node.inputs:
                return None
            before, here = self.tensor(node.inputs[0]), self.tensor(at)
            if before.kind != here.kind or len(before.dims) != len(here.dims):
                return None
            if before.dims[axis] != here.dims[axis]:
                return node
            at = node.inputs[0]

    def window(self, target: Tensor, value: Value, of_space: bool) -> tuple[Node, Window, Tensor] | None:
        """The one layer that made a map of another size than a target's, with its window, the same for all axes."""
        tensor = self.tensor(value)
        if tensor.kind != "map" or target.kind != "map" or tensor.rank != target.rank:
            return None
        if not of_space and tensor.channels != target.channels:
            return None
        nodes = {self.maker(value, a) for a in range(1, len(tensor.dims)) if tensor.dims[a] != target.dims[a]}
        node = nodes.pop() if len(nodes) == 1 else None
        windows = None if node is None else self.applied[node.index].reach.axes
        if node is None or not windows or len(set(windows)) != 1 or not isinstance(windows[0], Window):
            return None
        return node, windows[0], self.tensor(node.inputs[0])

    def keeping(self, target: Tensor, value: Value, of_space: bool) -> str | None:
        """The padding, or the stride of a pooling, with which a layer would have kept the size that a merge needs."""
        found = self.window(target, value, of_space)
        if found is None or found[2].space != target.space:
            return None
        node, window, before = found
        stride = getattr(node.layer, "stride", 1)
        if window.extent % 2 == 0 or stride not in (None, 1) or not hasattr(node.layer, "padding"):
            return None
        half = window.extent // 2
        words = ["s1"] if stride is None and window.stride != 1 else []
        words += [f"p{half}"] if (window.before, window.after) != (half, half) else []
        if not words:
            return None
        return f"write `{' '.join(words)}` in the {self.place(node)}, to keep {'x'.join(map(str, before.space))}"

    def halving(self, target: Tensor, value: Value, of_space: bool) -> str | None:
        """The stride with which a convolution would give the size that a merge needs."""
        found = self.window(target, value, of_space) or self.projection(target, value, of_space)
        if found is None or found[2].rank != target.rank:
            return None
        node, window, before = found
        sizes = list(zip(before.space, target.space, strict=True))
        if window.stride != 1 or not all(isinstance(a, int) and isinstance(b, int) and a > b for a, b in sizes):
            return None
        stride = round(sizes[0][0] / sizes[0][1])  # type: ignore[operator]  # both are numbers
        if stride < 2 or any(window._replace(stride=stride).output(a) != b for a, b in sizes):
            return None
        return f"a stride of {stride} in the {self.place(node)} gives {'x'.join(str(b) for _, b in sizes)}"

    def projection(self, target: Tensor, value: Value, of_space: bool) -> tuple[Node, Window, Tensor] | None:
        """The convolution of a branch that keeps the size of what it is given, where that is what is wrong."""
        at, tensor = value, self.tensor(value)
        if tensor.kind != "map" or tensor.rank != target.rank or (not of_space and tensor.channels != target.channels):
            return None
        while (node := self.source(at)).inputs and len(node.inputs) == 1:
            windows = self.applied[node.index].reach.axes
            if node.layer.family == "convolution":
                window = windows[0] if windows else Window()
                same = isinstance(window, Window) and (windows is None or len(set(windows)) == 1)
                return (node, window, self.tensor(node.inputs[0])) if same else None  # type: ignore[return-value]
            at = node.inputs[0]
        return None

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
                product = f": {' * '.join(map(str, before.dims))} = {size}" if node.layer.word == "flatten" else ""
                return f"{size} comes from {self.place(node)}{product}"
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

    def differences(self, values: Sequence[Value], of_space: bool = False) -> Iterator[str]:
        """For values that should have equal shapes, or equal but for the channels: where other sizes come from."""
        first = self.tensor(values[0])
        said: set[str] = set()
        for other in values[1:]:
            tensor = self.tensor(other)
            if tensor.kind != first.kind or len(tensor.dims) != len(first.dims):
                continue
            for axis, (a, b) in enumerate(zip(first.dims, tensor.dims, strict=True)):
                if a == b or (of_space and axis == (1 if first.kind == "tokens" else 0)):
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
