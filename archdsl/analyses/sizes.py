"""Which sizes of its inputs a network takes: exactly, for every size at once, and what comes out of each.

An axis of the input is followed through the network as a function (`laws`): every layer is asked by its own `check` and
`output`, at as many sizes as its rule needs to show, and where branches meet, at all sizes until which of them is
greater has settled. So a layer says nothing about sizes that its declaration does not say anyway.

A network is taken as it is written out at one size: where the spec asks for a size that follows from the axis
(`if in.h > 7`), another may give another network, and nothing is decided. What a spec promises of shapes (`: 64x7x7`,
`expect`) is about the sizes that it was written for, and does not count here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from math import lcm, prod
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from archdsl import limits
from archdsl.analyses.formulas import formula
from archdsl.analyses.laws import (
    IDENTITY,
    PERIOD,
    TABLE,
    Law,
    UndecidedError,
    after,
    constant,
    fitted,
    repeating,
    settled,
    shortest,
    tabulated,
)
from archdsl.layers.base import Layer, Problem
from archdsl.layers.geometry import Window
from archdsl.layers.tensor import ANY, AXIS_LETTERS, Size, Tensor

if TYPE_CHECKING:
    from archdsl.graph import Graph, Node, Value
    from archdsl.layers.applied import Applied

Dims: TypeAlias = "tuple[Law | Size, ...]"
"""The sizes of a tensor as functions of the axis, or as they are."""
_Dims: TypeAlias = "Sequence[Dims]"
_Answer: TypeAlias = "tuple[Tensor, ...] | Problem | None"

SAMPLE = 16
"""At so many sizes a layer is asked first."""
NEAR = 64
"""So far around the size at hand every size is looked at, where it is asked whether a layer is the same module."""
LARGEST = 1 << 14
"""At so many at the most."""
ASKED = 8
"""What a question to a layer takes, in steps for each of its inputs; to look at one of them is a step."""
FEW = 4
"""A layer that is the same module at so many sizes is so at all of their kind: small, large, in the same order."""


class Axis(NamedTuple):
    """A size that may be chosen: one letter of the inputs' shapes, or one axis of an input whose size is a number."""

    name: str
    places: tuple[tuple[int, int], ...]
    """The nodes of the inputs that have it, with the number of the dimension."""
    size: Size
    """What it is in the network at hand."""


class Demand(NamedTuple):
    """A layer that refuses sizes which all before it take."""

    node: int
    accepted: Law
    """What it and all before it take: 0, or None where one does not."""
    refused: int
    """A size that it refuses and all before it take: the last before the least that it takes, or else the first."""
    problem: Problem


class AxisSizes(NamedTuple):
    """What is known of one axis of the input, the others being as they are in the network at hand."""

    axis: Axis
    accepted: Law
    """0 for each size that the network takes, None for the others."""
    demands: tuple[Demand, ...]
    """The layers that refuse a size, in the order of the network."""
    shapes: tuple[tuple[Dims, ...], ...]
    """For each node and each of its results, its sizes as functions of this axis, or as they are."""
    same_module: Law
    """0 for each size at which the layers are the same modules, with weights of the same shapes."""
    changing: tuple[int, ...]
    """The nodes that are not the same module at every size."""

    def meets(self, other: AxisSizes, graph: Graph, nodes: Sequence[int]) -> bool:
        """Whether one of these nodes is given a size that follows from both axes, as the number of tokens of a map."""
        return any(
            isinstance(a, Law) and isinstance(b, Law)
            for node in nodes
            for value in graph.nodes[node].inputs
            for a, b in zip(self.shapes[value.node][value.output], other.shapes[value.node][value.output], strict=False)
        )


def axes(graph: Graph) -> tuple[Axis, ...]:
    """The sizes that may be chosen. Inputs of equal sizes are taken to change together."""
    found: dict[str, list[tuple[int, int]]] = {}
    names: dict[tuple[Any, ...], str] = {}
    for port in graph.inputs:
        tensor = port.tensor
        if tensor.kind == "vector":
            continue
        first = 1 if tensor.kind == "map" else 0
        for number, (letter, size) in enumerate(zip(AXIS_LETTERS[tensor.rank], tensor.space, strict=True)):
            symbol = size if isinstance(size, str) and size != "?" else None
            key = (symbol,) if symbol else (letter, tensor.rank, size)
            if key not in names:
                name = symbol or letter
                names[key] = name if name not in found else f"{port.name}.{name}"
                found[names[key]] = []
            found[names[key]].append((port.value.node, first + number))
    return tuple(
        Axis(name, tuple(places), graph.applied[places[0][0]].outputs[0].dims[places[0][1]])
        for name, places in found.items()
    )


class Budget:
    """How much work may still be done, for all axes of a network together."""

    def __init__(self, steps: int | None = None) -> None:
        self.left = limits.SIZES if steps is None else steps
        self.known: dict[Any, tuple[Layer, _Step]] = {}
        """What layers do to an axis, for another axis of the same size: most treat height and width alike."""

    def spend(self, steps: int) -> None:
        """Counts steps of the work.

        Raises:
            UndecidedError: where there are too many.
        """
        self.left -= steps
        if self.left < 0:
            raise UndecidedError(f"that takes more than {limits.SIZES:,} steps")


def sizes(graph: Graph, axis: Axis, budget: Budget | None = None) -> AxisSizes:
    """Which sizes of one axis a network takes, the others being as they are.

    Raises:
        UndecidedError: where that follows no rule that is short enough, or takes more work than there may be.
    """
    return _Following(graph, axis, budget or Budget()).run()


class _Step(NamedTuple):
    """What a layer does to the axis."""

    outputs: tuple[Dims, ...]
    accepted: Law | None
    """0 for each size that it takes; None where it takes all."""
    same: Law | None = None
    """0 for each size at which it is the same module; None where it always is."""


class _Following:
    """Follows one axis through a network."""

    def __init__(self, graph: Graph, axis: Axis, budget: Budget) -> None:
        self.graph = graph
        self.axis = axis
        self.budget = budget
        self.shapes: list[tuple[Dims, ...]] = []
        self.accepted = self.same = constant(0)
        self.demands: list[Demand] = []
        self.changing: list[int] = []
        self.steps: dict[Any, _Step] = {}
        self.answers: dict[tuple[int, tuple[Tensor, ...]], tuple[Tensor, ...] | Problem] = {}
        self.modules: dict[tuple[int, tuple[Tensor, ...]], Any] = {}

    def run(self) -> AxisSizes:
        self.follow()
        for value, axis, span in self.graph.size_reads:
            if value is None or isinstance(self.shapes[value.node][value.output][axis], Law):
                raise UndecidedError(f"the spec asks for a size itself, at {span}: another may give another network")
        same = _both(self.same, self.accepted)
        return AxisSizes(self.axis, self.accepted, tuple(self.demands), tuple(self.shapes), same, tuple(self.changing))

    def follow(self) -> None:
        """Goes through the network, each node after those that flow into it."""
        for node, applied in zip(self.graph.nodes, self.graph.applied, strict=True):
            if not node.inputs:
                self.shapes.append((self.of_input(node, applied),))
                continue
            self.budget.spend(len(node.inputs))
            inputs = tuple([self.shapes[value.node][value.output] for value in node.inputs])
            varying = list(dict.fromkeys(d for dims in inputs for d in dims if isinstance(d, Law)))
            if not varying and inputs == tuple([tensor.dims for tensor in applied.inputs]):
                self.shapes.append(tuple([tensor.dims for tensor in applied.outputs]))
                continue
            key = (id(applied.layer), applied.inputs, inputs)
            step = self.steps.get(key)
            if step is None:
                self.budget.spend(sum(law.end for law in varying))
                step = self.steps[key] = self.shared(applied, inputs, varying)
            self.shapes.append(step.outputs or _nothing(applied))
            if step.accepted is not None:
                self.refuse(node, applied, inputs, step.accepted)
            if step.same is not None:
                self.same = _both(self.same, step.same)
                self.changing.append(node.index)

    def shared(self, applied: Applied, inputs: _Dims, varying: list[Law]) -> _Step:
        """What a layer does to the axis; or did to another one, with the map on its side."""
        layer, known = applied.layer, self.budget.known
        about = (id(layer), applied.inputs, self.axis.size)
        if all(len(set(tensor.space)) == 1 and tensor.rank == 2 for tensor in applied.inputs) and layer.is_isotropic:
            turned = known.get((*about, tuple([(dims[0], dims[2], dims[1]) for dims in inputs])))
            if turned is not None:
                step = turned[1]
                return step._replace(outputs=tuple([(d[0], d[2], d[1]) if len(d) == 3 else d for d in step.outputs]))
        step = self.step(applied, inputs, varying)
        known[*about, tuple(inputs)] = (layer, step)  # the layer, so that nothing else gets its identity
        return step

    def of_input(self, node: Node, applied: Applied) -> Dims:
        dims: list[Law | Size] = list(applied.outputs[0].dims)
        for at, number in self.axis.places:
            if at == node.index:
                dims[number] = IDENTITY
        return tuple(dims)

    def refuse(self, node: Node, applied: Applied, inputs: _Dims, accepted: Law) -> None:
        """Puts down what a layer refuses of the sizes that all before it take."""
        both = _both(self.accepted, accepted)
        if both == self.accepted:
            return
        end = max(both.start, self.accepted.start) + lcm(both.period, self.accepted.period)
        lost = [n for n in range(1, end) if self.accepted(n) == 0 and both(n) is None]
        least = next((n for n in range(1, end) if both(n) == 0), 0)
        refused = max((n for n in lost if n < least), default=lost[0])
        problem = self.answer(applied, inputs, refused)
        if not isinstance(problem, Problem):
            raise UndecidedError(f"{applied.layer.word} follows no rule that shows")  # it takes what its rule refuses
        self.accepted = both
        self.demands.append(Demand(node.index, both, refused, problem))

    def step(self, applied: Applied, inputs: _Dims, varying: list[Law]) -> _Step:
        """The same for a layer on inputs of such sizes, wherever it stands."""
        layer = applied.layer
        if layer.family == "reshape" and applied.reach.everywhere and any(isinstance(d, str) for d in chain(*inputs)):
            raise UndecidedError(f"{layer.word} needs all sizes, and another one is open")
        step = self.through(applied, inputs, varying)
        return step._replace(same=self.sameness(applied, inputs, varying, step.accepted))

    def through(self, applied: Applied, inputs: _Dims, varying: list[Law]) -> _Step:
        """The sizes behind a layer, and what it refuses."""
        layer = applied.layer
        if type(layer).check is Layer.check and type(layer).output is Layer.output:
            return _Step((inputs[0],), None)  # it takes any size, and keeps it
        if len(varying) > 1:
            return self.jointly(applied, inputs, varying)
        law = varying[0] if varying else constant(0)  # it may have become one number that was open
        if law.advance == 0:  # it takes few values, and they are all that matter
            rows = [self.answer(applied, inputs, n) for n in range(1, law.end + 1)]
            return _ruled(rows, lambda values: shortest(law.start, law.period, 0, values))
        own = self.own(applied, inputs, law)
        outputs = tuple(tuple(after(d, law) if isinstance(d, Law) else d for d in dims) for dims in own.outputs)
        return _Step(outputs, None if own.accepted is None else after(own.accepted, law))

    def own(self, applied: Applied, inputs: _Dims, law: Law) -> _Step:
        """What a layer makes of the one size that varies, as a function of that size."""
        alone = tuple(tuple(IDENTITY if d == law else d for d in dims) for dims in inputs)
        numbers = _numbers(applied, inputs)
        probes = {number + by for number in numbers for by in (0, 1)} | {997, 1024}
        count = SAMPLE
        while count <= LARGEST:
            rows = [self.answer(applied, alone, m) for m in range(1, count + 1)]
            with suppress(UndecidedError):
                found = _ruled(rows, fitted)
                if all(_agrees(found, self.answer(applied, alone, m), m) for m in probes if m > count):
                    return found
            count *= 2
        raise UndecidedError(f"{applied.layer.word} follows no rule that shows in sizes up to {LARGEST:,}")

    def jointly(self, applied: Applied, inputs: _Dims, varying: list[Law]) -> _Step:
        """What a layer makes of several sizes that vary each in its way, as branches of different strides do."""
        start, period = settled(varying, [1, *_beside(inputs)])
        for turns in range(1, 1 + PERIOD // period):
            if start + 3 * turns * period > TABLE:
                break
            rows = [self.answer(applied, inputs, n) for n in range(1, start + 3 * turns * period)]
            with suppress(UndecidedError):
                return _ruled(rows, partial(repeating, start, turns * period))
        raise UndecidedError(f"{applied.layer.word} follows no rule on sizes that differ")

    def answer(self, applied: Applied, inputs: _Dims, n: int) -> _Answer:
        """What a layer makes of its inputs at one size, the first thing that is wrong with them, or None where there is
        nothing to ask.
        """
        self.budget.spend(len(inputs))
        tensors = _at(applied, inputs, n)
        return None if tensors is None else self.ask(applied.layer, tensors)

    def ask(self, layer: Layer, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...] | Problem:
        key = (id(layer), tensors)
        found = self.answers.get(key)
        if found is None:
            self.budget.spend(ASKED * len(tensors))
            problem = next(iter(layer.check(*tensors)), None)
            output = None if problem else layer.output(*tensors)
            found = problem or ((output,) if isinstance(output, Tensor) else output)
            assert found is not None
            self.answers[key] = found
        return found

    # ------------------------------------------------------------ the same module

    def sameness(self, applied: Applied, inputs: _Dims, varying: list[Law], accepted: Law | None) -> Law | None:
        """0 where a layer is the same module as in the network at hand; None where it always is."""
        size = self.axis.size
        if not isinstance(size, int):
            return None
        here = self.made(applied, inputs, size, accepted)
        numbers = [value for law in varying if (value := law(size)) is not None]
        start, period = settled(varying or [constant(0)], numbers)
        alone, turn = settled(varying or [constant(0)])
        first, last = range(1, alone + turn), range(max(start, alone + turn), start + 2 * period)
        near = range(max(alone + turn, size - NEAR), min(start, size + NEAR))
        laws = varying if accepted is None else [*varying, accepted]

        def taken(some: range) -> Iterator[int]:
            return (n for n in some if None not in [law(n) for law in laws])

        def different(some: range, law: Law) -> Iterator[int]:
            """Sizes at which different ones flow in: a few, or where there are only so many, all."""
            seen: set[int | None] = {None}
            most = 1 + (len(some) if law.advance == 0 else FEW)
            for n in some:
                if (given := law(n)) not in seen and (accepted is None or accepted(n) is not None):
                    seen.add(given)
                    yield n
                    if len(seen) == most:
                        return

        if len(varying) < 2:
            law = varying[0] if varying else constant(0)
            asked = chain(*(different(some, law) for some in (first, near, last)))
        else:  # where branches meet, which is greater may matter
            alike: dict[object, list[int]] = {}
            for n in chain(*map(taken, (first, near, last))):
                alike.setdefault(_order([law(n) for law in varying], numbers), []).append(n)
            asked = chain(*((*some[:FEW], *some[-FEW:]) for some in alike.values()))

        def is_same(n: int) -> bool:
            return self.made(applied, inputs, n, accepted) in (None, here)

        if all(map(is_same, asked)):
            return None
        start += period
        return tabulated(lambda n: 0 if is_same(n) else None, start, period, 0)

    def made(self, applied: Applied, inputs: _Dims, n: int, accepted: Law | None) -> Any:
        """What a layer is in torch at one size, with its weights; None where it takes no such size."""
        layer, tensors = applied.layer, _at(applied, inputs, n)
        if tensors is None or (accepted is not None and accepted(n) is None):
            return None
        key = (id(layer), tensors)
        found = self.modules.get(key)
        if found is None:
            self.budget.spend(ASKED * len(tensors))
            found = (dict(layer.weights(*tensors)), dict(layer.buffers(*tensors)), layer.lower(*tensors))
            self.modules[key] = found
        return found


def _at(applied: Applied, inputs: _Dims, n: int) -> tuple[Tensor, ...] | None:
    """What flows into a layer where the axis is `n`; None where that is nothing."""
    tensors = []
    for tensor, dims in zip(applied.inputs, inputs, strict=True):
        here = tuple([n if d is IDENTITY else d(n) if isinstance(d, Law) else d for d in dims])
        if None in here:
            return None
        tensors.append(Tensor(tensor.kind, here, tensor.vocabulary))  # type: ignore[arg-type]  # none is None
    return tuple(tensors)


def _order(sizes: list[int | None], numbers: list[int]) -> object:
    """Which of some sizes are equal, less and greater, among them and to numbers."""
    known = [size for size in sizes if size is not None]
    return tuple([(a > b) - (a < b) for i, a in enumerate(known) for b in (*known[i + 1 :], *numbers)])


def _beside(inputs: _Dims) -> Iterator[int]:
    """The numbers with which sizes that vary are compared, where several values meet."""
    is_even = len({len(dims) for dims in inputs}) == 1
    for sizes in zip(*inputs, strict=True) if is_even else [tuple(chain(*inputs))]:
        if any(isinstance(size, Law) for size in sizes):
            yield from (size for size in sizes if isinstance(size, int))


def _numbers(applied: Applied, inputs: _Dims) -> set[int]:
    """The numbers that a layer may compare a size with: its own, their products, and the sizes that it has here."""
    numbers = {d for dims in (*inputs, *(tensor.dims for tensor in applied.inputs)) for d in dims if isinstance(d, int)}
    for value in dict(applied.layer).values():
        whole = [v for v in (value if isinstance(value, tuple) else (value,)) if type(v) is int]
        numbers.update(whole, map(abs, whole), [abs(prod(whole))])
    for geometry in applied.reach.axes or ():
        if isinstance(geometry, Window):
            numbers |= {geometry.extent, geometry.extent - geometry.before - geometry.after}
    return {number for number in numbers if number > 0}


def _ruled(rows: Sequence[_Answer], rule: Callable[[list[int | None]], Law | None]) -> _Step:
    """The answers of a layer at 1, 2, ... as functions.

    Raises:
        UndecidedError: where one of them follows no rule.
    """
    taken = [row for row in rows if isinstance(row, tuple)]
    accepted = None
    if len(taken) < len(rows):
        accepted = _follow(rule, [0 if isinstance(row, tuple) else None for row in rows])
    outputs: list[Dims] = []
    for number, tensor in enumerate(taken[0] if taken else ()):
        dims: list[Law | Size] = []
        for axis, size in enumerate(tensor.dims):
            here = [row[number].dims[axis] if isinstance(row, tuple) else None for row in rows]
            if all(d in (None, size) for d in here):
                dims.append(size)
                continue
            known = [d for d in here if not isinstance(d, str)]
            if len(known) < len(here):
                raise UndecidedError("it has sizes that are not known")
            dims.append(_follow(rule, known))
        outputs.append(tuple(dims))
    return _Step(tuple(outputs), accepted)


def _nothing(applied: Applied) -> tuple[Dims, ...]:
    """What comes out of a layer that takes no size at all."""
    return tuple((constant(None),) * len(tensor.dims) for tensor in applied.outputs)


def _follow(rule: Callable[[list[int | None]], Law | None], values: list[int | None]) -> Law:
    law = rule(values)
    if law is None:
        raise UndecidedError("it follows no rule")
    return law


def _agrees(found: _Step, answer: _Answer, m: int) -> bool:
    """Whether functions say of one size what the layer says."""
    if not isinstance(answer, tuple):
        return found.accepted is not None and found.accepted(m) is None
    dims = [d(m) if isinstance(d, Law) else d for dims in found.outputs for d in dims]
    return (found.accepted is None or found.accepted(m) == 0) and dims == [d for tensor in answer for d in tensor.dims]


def _both(a: Law, b: Law) -> Law:
    """0 where both are."""
    if a == b or b == constant(0):
        return a
    start, period = settled((a, b))
    return tabulated(lambda n: None if a(n) is None else b(n), start, period, 0)


def open_axes(graph: Graph) -> tuple[AxisSizes, ...]:
    """What is known of the axes whose sizes the network at hand leaves open; of one that is not decided, nothing."""
    found, budget = [], Budget()
    for axis in axes(graph):
        if isinstance(axis.size, str):
            with suppress(UndecidedError):
                found.append(sizes(graph, axis, budget))
    return tuple(found)


def formulas(results: Sequence[AxisSizes], value: Value, tensor: Tensor) -> tuple[Size, ...]:
    """The sizes of a value, each as a formula of the axis that it follows from; `?` where it is of several."""
    dims = list(tensor.dims)
    for number, size in enumerate(tensor.dims):
        found = [each.shapes[value.node][value.output][number] for each in results]
        of = [(law, each) for law, each in zip(found, results, strict=True) if isinstance(law, Law)]
        if len(of) == 1:
            dims[number] = formula(of[0][0], of[0][1].accepted, of[0][1].axis.name) or ANY
        elif of:
            dims[number] = ANY
        else:
            known = [other for other in found if isinstance(other, int)]
            dims[number] = known[0] if known else size  # it may be one number at every size that is taken
    return tuple(dims)


# ---------------------------------------------------------------- borders


class Border(NamedTuple):
    """The last positions of an axis that no window of a layer covers."""

    node: int
    axis: int
    """Of the spatial axes, the first being 0."""
    size: int
    unseen: int


def borders(graph: Graph) -> tuple[Border, ...]:
    """Where strides leave out the end of a map, at the sizes of the network at hand.

    Of windows that stand apart, with a stride larger than what they cover, the gap behind the last is not counted.
    """
    found: list[Border] = []
    known: dict[int, list[tuple[int, int, int]]] = {}
    for node, applied in zip(graph.nodes, graph.applied, strict=True):
        if id(applied) not in known:
            known[id(applied)] = list(_unseen(applied))
        found += [Border(node.index, *each) for each in known[id(applied)]]
    return tuple(found)


def _unseen(applied: Applied) -> Iterator[tuple[int, int, int]]:
    if not applied.inputs:
        return
    for axis, (window, size) in enumerate(zip(applied.reach.axes or (), applied.inputs[0].space, strict=False)):
        if not isinstance(window, Window) or window.stride == 1 or not isinstance(size, int):
            continue
        count = window.output(size)
        assert isinstance(count, int)
        covered = (count - 1) * window.stride - window.before + max(window.extent, window.stride)
        if covered < size:
            yield axis, size, size - covered
