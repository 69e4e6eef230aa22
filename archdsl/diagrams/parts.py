"""The parts of a network as a reader groups them: modules, stacks (conv, bn, relu), runs of equal siblings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archdsl.graph import Value

if TYPE_CHECKING:
    from archdsl.graph import Activation, Graph, Node

FOLLOWERS = frozenset({"normalization", "activation", "regularization", "elementwise"})
"""The families that may stand in one box with the layer before them: one input, and the shape stays."""

OUTSIDE = -1
"""The consumer of what leaves the network."""


@dataclass(eq=False)
class Part:
    """A module with parts, or a stack of layers."""

    activation: Activation | None
    nodes: list[int] = field(default_factory=list)
    """The numbers of all nodes inside, inner modules' included."""
    parts: list[Part] = field(default_factory=list)


class Parts:
    """The tree of parts of a graph, and which siblings are equal.

    A block that has no module of its own leaves its layers to the module around it.
    """

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.consumers: dict[Value, list[int]] = {}
        for node in graph.nodes:
            for value in node.inputs:
                self.consumers.setdefault(value, []).append(node.index)
        for output in graph.outputs:
            self.consumers.setdefault(output.value, []).append(OUTSIDE)
        self._numbers: dict[object, int] = {}
        self._signatures: dict[Part, int] = {}
        self.root = self._tree()

    @property
    def nesting(self) -> int:
        """How deep modules stand in modules; 0 where the network has none."""

        def depth(part: Part) -> int:
            return max((1 + depth(inner) for inner in part.parts if inner.activation), default=0)

        return depth(self.root)

    def runs(self, part: Part) -> Iterator[list[Part]]:
        """The parts of a module, equal ones that follow each other together."""
        run: list[Part] = []
        for inner in part.parts:
            if run and not self._continues(run[-1], inner):
                yield run
                run = []
            run.append(inner)
        if run:
            yield run

    def _tree(self) -> Part:
        graph = self.graph
        root = Part(graph.activations[0] if graph.activations else None)
        modules = {0: root}
        stacks: dict[int, Part] = {}
        for node in graph.nodes:
            trail = [a for a in graph.trail(node.activation) if not a.transparent and a.parent is not None]
            around = [root]
            for activation in reversed(trail):
                if activation.index not in modules:
                    modules[activation.index] = Part(activation)
                    around[-1].parts.append(modules[activation.index])
                around.append(modules[activation.index])
            stack = self._stack_before(node, stacks, around[-1])
            if stack is None:
                stack = Part(None)
                around[-1].parts.append(stack)
            stacks[node.index] = stack
            for part in (*around, stack):
                part.nodes.append(node.index)
        return root

    def _stack_before(self, node: Node, stacks: dict[int, Part], module: Part) -> Part | None:
        """The stack that the layer goes on: it alone takes what the stack gives, in the same module."""
        if node.layer.family not in FOLLOWERS or len(node.inputs) != 1:
            return None
        (value,) = node.inputs
        stack = stacks[value.node]
        before = self.graph.nodes[value.node]
        if before.layer.family in ("merge", "input") or before.reused != node.reused:
            return None
        alone = self.consumers[value] == [node.index] and len(self.graph.applied[value.node].outputs) == 1
        return stack if alone and stack in module.parts[-4:] else None

    # ------------------------------------------------------------ equal siblings

    def _continues(self, a: Part, b: Part) -> bool:
        """Whether `b` is `a` once more, fed by it and by nothing else, and `a` feeds nothing else."""
        if self._signature(a) != self._signature(b):
            return False
        given, taken, further = self._leaving(a), self._entering(b), self._leaving(b)
        if len(given) != 1 or given != taken or len(further) != 1:
            return False
        (value,), (later,) = given, further
        return (
            a.nodes.index(value.node) == b.nodes.index(later.node)
            and value.output == later.output
            and set(self.consumers[value]).issubset(b.nodes)
        )

    def _entering(self, part: Part) -> set[Value]:
        inside = set(part.nodes)
        return {v for n in part.nodes for v in self.graph.nodes[n].inputs if v.node not in inside}

    def _leaving(self, part: Part) -> set[Value]:
        inside = set(part.nodes)
        values = (Value(n, o) for n in part.nodes for o in range(len(self.graph.applied[n].outputs)))
        return {v for v in values if not inside.issuperset(self.consumers.get(v, ()))}

    def _signature(self, part: Part) -> int:
        """A number that parts share which differ in nothing but their name and place."""
        if part not in self._signatures:
            known = self._numbers
            self._signatures[part] = known.setdefault(self._likeness(part), len(known))
        return self._signatures[part]

    def _likeness(self, part: Part) -> tuple[object, ...]:
        graph, place = self.graph, {n: i for i, n in enumerate(part.nodes)}
        outer: dict[Value, int] = {}
        wiring = []
        for number in part.nodes:
            node = graph.nodes[number]
            sources = tuple(
                (place[v.node], v.output) if v.node in place else (-1, outer.setdefault(v, len(outer)))
                for v in node.inputs
            )
            wiring.append((type(node.layer), node.layer, node.reused, sources, graph.inputs_of(node)))
        activation = part.activation
        call = (activation.kind, activation.call, activation.reused) if activation else None
        if activation and activation.kind == "group":
            call = (activation.kind, "", activation.reused)
        return (
            call,
            tuple(map(self._signature, part.parts)),
            tuple(wiring),
            tuple(graph.applied[n].outputs for n in part.nodes),
        )
