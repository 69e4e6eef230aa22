"""The parts of a network as a reader groups them: modules, stacks (conv, bn, relu), runs of equal siblings."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from archdsl.analyses.training import frozen
from archdsl.graph import Value

if TYPE_CHECKING:
    from archdsl.graph import Activation, Graph, Node

FOLLOWERS = frozenset({"normalization", "activation", "regularization", "elementwise"})
"""The families that may stand in one box with the layer before them: one input, and the shape stays."""


@dataclass(frozen=True, slots=True)
class Marks:
    """What sets layers apart besides what they are, by their numbers: layers of several marks share no box."""

    of: Mapping[int, str]
    texts: Mapping[int, str]
    """Another text for some layers than the usual."""
    plain: frozenset[str | None]
    """The marks that are not worth opening a module for."""
    whole: frozenset[str]
    """Those of which a module is one box, if all its layers have it."""

    def opens(self, nodes: Iterable[int]) -> bool:
        """Whether a module of these layers is more than one box."""
        found = {self.of.get(node) for node in nodes}
        return not (found <= self.plain or (len(found) == 1 and found <= self.whole))


UNMARKED = Marks({}, {}, frozenset(), frozenset())

OUTSIDE = -1
"""The consumer of what leaves the network."""


@dataclass(slots=True, eq=False)
class Part:
    """A module with parts, or a stack: layers of which each takes what the one before gives, and nobody else does."""

    activation: Activation | None
    nodes: Sequence[int] = ()
    """The numbers of all nodes inside; those of a module follow one another."""
    parts: list[Part] = field(default_factory=list)


class Parts:
    """The tree of parts of a graph, and which siblings are equal.

    A block that has no module of its own leaves its layers to the module around it.
    """

    def __init__(self, graph: Graph, marks: Marks = UNMARKED) -> None:
        self.graph, self.marks = graph, marks
        self.consumers: dict[Value, list[int]] = {}
        self._first_read = [len(graph.nodes)] * len(graph.nodes)
        """For each node the earliest that it takes something from, and the last that takes something from it."""
        self._last_use = [-1] * len(graph.nodes)
        for node in graph.nodes:
            for value in node.inputs:
                self.consumers.setdefault(value, []).append(node.index)
                self._first_read[node.index] = min(self._first_read[node.index], value.node)
                self._last_use[value.node] = node.index
        for output in graph.outputs:
            self.consumers.setdefault(output.value, []).append(OUTSIDE)
            self._last_use[output.value.node] = len(graph.nodes)
        self._frozen = frozen(graph).parameters
        self._numbers: dict[object, int] = {}
        self._layers: dict[int, int] = {}
        self._signatures: dict[Part, int] = {}
        self._runs: dict[Part, list[list[Part]]] = {}
        self.root = self._tree()

    @property
    def nesting(self) -> int:
        """How deep modules stand in modules; 0 where the network has none."""

        def depth(part: Part) -> int:
            return max((1 + depth(inner) for inner in part.parts if inner.activation), default=0)

        return depth(self.root)

    def runs(self, part: Part) -> list[list[Part]]:
        """The parts of a module, equal ones that follow each other together."""
        if part not in self._runs:
            runs: list[list[Part]] = []
            for inner in part.parts:
                if runs and self._continues(runs[-1][-1], inner):
                    runs[-1].append(inner)
                else:
                    runs.append([inner])
            self._runs[part] = runs
        return self._runs[part]

    def opens(self, part: Part) -> bool:
        """Whether a part is a module that may be opened."""
        return part.activation is not None and (self.marks is UNMARKED or self.marks.opens(part.nodes))

    def _tree(self) -> Part:
        graph = self.graph
        root = Part(graph.activations[0] if graph.activations else None)
        modules = {0: root}
        stacks: dict[int, tuple[Part, list[int]]] = {}
        for node in graph.nodes:
            module = self._module(node.activation, modules)
            stack = self._stack_before(node, stacks, module)
            if stack is None:
                numbers: list[int] = []
                stack = Part(None, numbers), numbers
                module.parts.append(stack[0])
            stacks[node.index] = stack
            stack[1].append(node.index)
        for module in reversed(modules.values()):  # a module stands before those in it
            if module.parts:
                module.nodes = range(module.parts[0].nodes[0], max(part.nodes[-1] for part in module.parts) + 1)
        return root

    def _module(self, index: int, modules: dict[int, Part]) -> Part:
        """The module that an activation's layers stand in, with those around it."""
        waiting = []
        while index not in modules:
            activation = self.graph.activations[index]
            if not activation.transparent:
                waiting.append(activation)
            assert activation.parent is not None
            index = activation.parent
        module = modules[index]
        for activation in reversed(waiting):
            module.parts.append(Part(activation))
            module = modules[activation.index] = module.parts[-1]
        return module

    def _stack_before(
        self, node: Node, stacks: dict[int, tuple[Part, list[int]]], module: Part
    ) -> tuple[Part, list[int]] | None:
        """The stack that the layer goes on: it alone takes what the stack gives, in the same module."""
        if node.layer.family not in FOLLOWERS or len(node.inputs) != 1:
            return None
        (value,) = node.inputs
        stack = stacks[value.node]
        before = self.graph.nodes[value.node]
        if before.layer.family in ("merge", "input") or before.reused != node.reused:
            return None
        if self.marks.of.get(before.index) != self.marks.of.get(node.index):
            return None
        alone = self.consumers[value] == [node.index] and len(self.graph.applied[value.node].outputs) == 1
        return stack if alone and stack[0] in module.parts[-4:] else None

    # ------------------------------------------------------------ equal siblings

    def _continues(self, a: Part, b: Part) -> bool:
        """Whether `b` is `a` once more, fed by it and by nothing else, and `a` feeds nothing else."""
        if self._signature(a) != self._signature(b):
            return False
        given, further = self._leaving(a), self._leaving(b)
        if len(given) != 1 or given != self._entering(b) or len(further) != 1:
            return False
        (value,), (later,) = given, further
        return (
            a.nodes.index(value.node) == b.nodes.index(later.node)
            and value.output == later.output
            and set(self.consumers[value]).issubset(b.nodes)
        )

    def _entering(self, part: Part) -> list[Value]:
        """What a part takes from outside, each value once, in the order in which it does."""
        graph, first = self.graph, part.nodes[0]
        if part.activation is None:
            return list(dict.fromkeys(graph.nodes[first].inputs))
        takers = [n for n in part.nodes if self._first_read[n] < first]
        return list(dict.fromkeys(v for n in takers for v in graph.nodes[n].inputs if v.node < first))

    def _leaving(self, part: Part) -> list[Value]:
        """What of a part is taken outside."""
        last = part.nodes[-1]
        givers = [n for n in part.nodes if self._last_use[n] > last] if part.activation else [last]
        values = (Value(n, o) for n in givers for o in range(len(self.graph.applied[n].outputs)))
        return [v for v in values if any(c > last or c == OUTSIDE for c in self.consumers.get(v, ()))]

    def _signature(self, part: Part) -> int:
        """A number that parts share which differ in nothing but their name and place."""
        if part not in self._signatures:
            known = self._numbers
            self._signatures[part] = known.setdefault(self._likeness(part), len(known))
        return self._signatures[part]

    def _likeness(self, part: Part) -> tuple[object, ...]:
        first = part.nodes[0]
        outer: dict[Value, int] = {}
        if part.activation is None:
            nodes = [self.graph.nodes[n] for n in part.nodes]
            sources = tuple([outer.setdefault(value, len(outer)) for value in nodes[0].inputs])
            marks = self.marks.of
            layers = [(self._layer(n.index), n.reused, n.index in self._frozen, marks.get(n.index)) for n in nodes]
            return (tuple(layers), sources)
        wiring = []
        for inner in part.parts:
            flow = [
                (value.node - first, value.output) if value.node >= first else (-1, outer.setdefault(value, len(outer)))
                for value in self._entering(inner)
            ]
            wiring.append((self._signature(inner), inner.nodes[0] - first, tuple(flow)))
        activation = part.activation
        call = activation.call if activation.kind != "group" else ""
        return (activation.kind, call, activation.reused, tuple(wiring))

    def _layer(self, number: int) -> int:
        """A number that nodes share which are the same layer on the same shapes."""
        applied = self.graph.applied[number]
        if id(applied) not in self._layers:
            layer = self.graph.nodes[number].layer
            key = (type(layer), layer, applied.inputs, applied.outputs)
            self._layers[id(applied)] = self._numbers.setdefault(key, len(self._numbers))
        return self._layers[id(applied)]
