"""The graph as the modules that it becomes: what each holds, what flows in and out, and in which order it runs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from archdsl.analyses.training import frozen
from archdsl.graph import Activation, Graph, Node, Value
from archdsl.layers.call import Call, Expression, Parameter
from archdsl.layers.source import Input
from archdsl.lowering.helpers import CHANNELS_LAST, KEPT

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(slots=True, eq=False)
class Run:
    """One run of a module: its steps in order, and the values that cross its border."""

    activation: Activation
    steps: list[Node | Run] = field(default_factory=list)
    inputs: list[Value] = field(default_factory=list)
    reads: list[tuple[int, int]] = field(default_factory=list)
    """For each input a place inside that reads it: a node's number, and the number of that node's input."""
    parameters: list[Value] = field(default_factory=list)
    """For each input the value that it is to the steps: itself, but where one use of several gives one value twice."""
    outputs: list[Value] = field(default_factory=list)
    first: int = 0
    """The number of its first node, and of the first node after it."""
    stop: int = 0

    @property
    def path(self) -> str:
        return self.activation.path

    @property
    def name(self) -> str:
        return self.activation.name


@dataclass(frozen=True, slots=True, eq=False)
class Uses:
    """Who consumes each value: how often, and the last node that does (beyond all nodes for an output)."""

    count: dict[Value, int]
    last: dict[Value, int]
    first_read: list[int]
    """For each node the first of those that it takes something from."""
    last_use: list[int]
    """For each node the last that takes something from it."""


def uses(graph: Graph) -> Uses:
    count: dict[Value, int] = {}
    last: dict[Value, int] = {}
    last_use = [-1] * len(graph.nodes)
    for node in graph.nodes:
        for value in node.inputs:
            count[value] = count.get(value, 0) + 1
            last[value] = last_use[value.node] = node.index
    for output in graph.outputs:
        count[output.value] = count.get(output.value, 0) + 1
        last[output.value] = last_use[output.value.node] = len(graph.nodes)
    first_read = [min([value.node for value in node.inputs], default=node.index) for node in graph.nodes]
    return Uses(count, last, first_read, last_use)


def runs(graph: Graph, used: Uses) -> Run:
    """The network's run, with the runs of its modules inside.

    A block without a module of its own is part of the one around it.
    """
    homes = _homes(graph)
    root = Run(graph.activations[0])
    made = {0: root}
    stack = [root]
    for node in graph.nodes:
        if isinstance(node.layer, Input):  # it stands in no module: those before it end here
            for finished in stack[1:]:
                finished.stop = node.index
            del stack[1:]
            continue
        if homes[node.activation] == stack[-1].activation.index:
            stack[-1].steps.append(node)
            continue
        chain = list(_chain(graph, homes, node.activation))
        depth = 1
        while depth < min(len(chain), len(stack)) and stack[depth].activation.index == chain[depth]:
            depth += 1
        for finished in stack[depth:]:
            finished.stop = node.index
        del stack[depth:]
        for index in chain[depth:]:
            run = Run(graph.activations[index], first=node.index)
            made[index] = run
            stack[-1].steps.append(run)
            stack.append(run)
        stack[-1].steps.append(node)
    for finished in stack:
        finished.stop = len(graph.nodes)
    root.inputs = root.parameters = [i.value for i in graph.inputs]
    root.outputs = [o.value for o in graph.outputs]
    shared: dict[str, list[Run]] = {}
    for index, run in made.items():
        if index:
            _borders(graph, run, used)
            shared.setdefault(run.path, []).append(run)
    for several in reversed(shared.values()):  # inner ones first
        if len(several) > 1:
            _agree(graph, several)
    return root


def _agree(graph: Graph, several: list[Run]) -> None:
    """All uses of a shared module run one forward: it takes and gives what any of them needs it to."""
    given = dict.fromkeys((value.node - run.first, value.output) for run in several for value in run.outputs)
    for run in several:
        run.outputs = [Value(run.first + node, output) for node, output in given]
    # Two places inside read one parameter only if they read one value in every use.
    places = [_places(graph, run) for run in several]
    reads = {place: tuple([use[place] for use in places]) for place in places[0]}
    taken = set(reads.values())
    own = [key for key in zip(*[run.activation.inputs for run in several], strict=False) if key in taken]
    keys = list(dict.fromkeys([*own, *reads.values()]))
    first_place = {key: place for place, key in reversed(reads.items())}
    at = [first_place[key] for key in keys]
    for number, run in enumerate(several):
        run.inputs = run.parameters = [key[number] for key in keys]
        run.reads = [(run.first + node, n) for node, n in at]
    first = several[0]
    if len(set(first.inputs)) < len(first.inputs):  # the forward is written for values that are all different
        names = {key: Value(-2 - number) for number, key in enumerate(keys)}
        first.parameters = list(names.values())
        inner = {(first.first + node, n): names[key] for (node, n), key in reads.items()}
        first.steps = [_reading(step, inner) for step in first.steps]


def _places(graph: Graph, run: Run) -> dict[tuple[int, int], Value]:
    """What each place inside reads from outside, by the node's number within the run and the input's."""
    return {
        (node.index - run.first, number): value
        for node in graph.nodes[run.first : run.stop]
        for number, value in enumerate(node.inputs)
        if value.node < run.first
    }


def _reading(step: Node | Run, reads: dict[tuple[int, int], Value]) -> Node | Run:
    """A step that reads the parameters of the run around it in the place of values from outside."""
    if isinstance(step, Node):
        inputs = [reads.get((step.index, n), value) for n, value in enumerate(step.inputs)]
        return step._replace(inputs=tuple(inputs))
    return replace(step, inputs=[reads.get(at, value) for at, value in zip(step.reads, step.inputs, strict=True)])


def names_inside(graph: Graph) -> dict[int, dict[Value, str]]:
    """The names that each module's own text gives to values, its block's `takes` included."""
    homes = _homes(graph)
    names: dict[int, dict[Value, str]] = {}
    for activation in graph.activations:
        names[activation.index] = dict(zip(activation.inputs, activation.takes, strict=False))
    for (activation_index, value), name in graph.local_names.items():
        if activation_index < len(homes):
            names[homes[activation_index]][value] = name
    return names


def _homes(graph: Graph) -> list[int]:
    """For each activation, the one whose module its elements belong to."""
    homes: list[int] = []
    for activation in graph.activations:
        assert activation.parent is not None or not activation.transparent
        homes.append(homes[activation.parent] if activation.transparent else activation.index)  # type: ignore[index]
    return homes


def _chain(graph: Graph, homes: list[int], activation: int) -> Iterator[int]:
    """The modules around, from the network inwards."""
    chain = []
    at: int | None = homes[activation]
    while at is not None:
        chain.append(at)
        parent = graph.activations[at].parent
        at = None if parent is None else homes[parent]
    return reversed(chain)


def _borders(graph: Graph, run: Run, used: Uses) -> None:
    """What a run takes from outside, its block's own inputs first, and what of it is used outside."""
    taken: dict[Value, tuple[int, int]] = {}
    for node in range(run.first, run.stop):
        if used.first_read[node] < run.first:
            for number, value in enumerate(graph.nodes[node].inputs):
                if value.node < run.first:
                    taken.setdefault(value, (node, number))
    own = [v for v in dict.fromkeys(run.activation.inputs) if v in taken]
    run.inputs = run.parameters = list(dict.fromkeys([*own, *taken]))
    run.reads = [taken[value] for value in run.inputs]
    given = {
        Value(node, number): None
        for node in range(run.first, run.stop)
        if used.last_use[node] >= run.stop
        for number in range(len(graph.applied[node].outputs))
        if used.last.get(Value(node, number), -1) >= run.stop
    }
    inside = [v for v in dict.fromkeys(run.activation.outputs) if run.first <= v.node < run.stop]
    run.outputs = list(dict.fromkeys([*(v for v in inside if v in given), *given]))
    if not run.outputs:  # nobody needs it: it gives what it gives, and those inside must give that to it
        run.outputs = inside or [Value(run.stop - 1)]
        for value in run.outputs:
            used.last[value] = max(used.last.get(value, -1), run.stop)
            used.last_use[value.node] = max(used.last_use[value.node], run.stop)


@dataclass(frozen=True, slots=True)
class Lowering:
    """What a node becomes: its constructor or its expression, and whether its first input may be overwritten."""

    call: Call | Expression | Parameter
    inplace: bool

    @property
    def overwrites(self) -> bool:
        """Whether the result takes the place of the first input, by a statement or in a module."""
        return self.inplace or (isinstance(self.call, Call) and ("inplace", True) in self.call.options)


def lowered(graph: Graph, used: Uses) -> list[Lowering | None]:
    """Every node's constructor or expression, by the node's number."""
    homes = _homes(graph)
    cache: dict[tuple[object, ...], Lowering] = {}
    result: list[Lowering | None] = []
    shared = {node.path for node in graph.nodes if node.reused}
    norms = frozen(graph).norms
    may = _overwriting(graph, homes, used)
    # A shared module overwrites in all of its uses or in none.
    kept = {node.path for node in graph.nodes if node.path in shared and not may[node.index]}
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            result.append(None)
            continue
        tensors = graph.inputs_of(node)
        inplace = may[node.index] and node.path not in kept
        giver = graph.nodes[node.inputs[0].node]
        last = giver.layer.channels_last and tensors[0].kind == "map" and node.path not in shared
        keeps = node.index in norms
        key = (id(node.layer), tensors, inplace, last, keeps)
        found = cache.get(key)
        if found is None:
            call = node.layer.lower(*tensors)
            if isinstance(call, Call) and last and call.constructor in CHANNELS_LAST:
                call = call.named(CHANNELS_LAST[call.constructor])
            if isinstance(call, Call) and keeps:
                call = call.named(KEPT[call.constructor])
            if inplace and isinstance(call, Call) and node.layer.works_in_place:
                options: dict[str, object] = {**dict(call.options), "inplace": True}
                call = Call(call.constructor, *call.arguments, initializers=call.initializers, **options)  # type: ignore[arg-type]
            found = cache[key] = Lowering(call, inplace and isinstance(call, Expression) and call.inplace is not None)
        result.append(found)
    return result


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """How a graph runs: the modules with their steps, what each node becomes, and what only training needs."""

    graph: Graph
    root: Run
    lowered: list[Lowering | None]
    names: dict[int, dict[Value, str]]
    """The names that each module's own text gives to values, by its activation's number."""
    late: frozenset[int]
    """The first nodes of the network's own steps that only training needs: they run last."""
    forwards: dict[int, Any] = field(default_factory=dict)
    """What has been worked out of the modules' forwards, by the activation's number."""


def planned(graph: Graph) -> Plan:
    """The plan of a network without errors."""
    used = uses(graph)
    root = runs(graph, used)
    late = _late(graph, root) if any(output.training_only for output in graph.outputs) else frozenset()
    return Plan(graph, root, lowered(graph, used), names_inside(graph), late)


def _late(graph: Graph, root: Run) -> frozenset[int]:
    """The first nodes of the steps without which evaluation does."""
    needed = graph.evaluated()
    read: set[int] = set()
    """The nodes from which a step takes something that evaluation runs, if only since it is a module."""
    late = []
    for step in reversed(root.steps):
        inside = range(step.first, step.stop) if isinstance(step, Run) else range(step.index, step.index + 1)
        if needed.isdisjoint(inside) and read.isdisjoint(inside):
            late.append(inside.start)
        else:
            read.update(value.node for value in step.inputs)
    return frozenset(late)


def _overwriting(graph: Graph, homes: list[int], used: Uses) -> list[bool]:
    """For each node whether nobody else needs what flows in first: no layer, no hook's module border, no backward pass.

    What works while training only hands on its own input in evaluation: then nobody else may need that either.
    """
    may: list[bool] = []
    free: list[bool] = []
    """For each node whether the next may overwrite what it gives."""
    for node in graph.nodes:
        if isinstance(node.layer, Input):
            may.append(False)
            free.append(False)
            continue
        value = node.inputs[0]
        home = homes[graph.nodes[value.node].activation]
        may.append(used.count[value] == 1 and home == homes[node.activation] and free[value.node])
        free.append(may[-1] if node.layer.trains_only else node.layer.rewritable)
    return may
