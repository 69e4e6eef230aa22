"""The body of a `forward`: which variable holds what, line by line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from heapq import heapify, heappop, heappush
from keyword import iskeyword
from typing import TYPE_CHECKING

from archdsl.graph import Graph, Node, Value
from archdsl.layers.call import Expression, Parameter
from archdsl.layers.tensor import Tensor
from archdsl.lowering.modules import Lowering, Plan, Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archdsl.source import Span

_USED_BY_GENERATED_CODE = frozenset({"self", "torch", "nn", "getattr"})


@dataclass(frozen=True, slots=True)
class Line:
    """A statement of a forward, and the place in the spec that it comes from."""

    text: str
    span: Span
    training_only: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    parameters: tuple[str, ...]
    lines: tuple[Line, ...]
    results: tuple[str, ...]
    steps: tuple[Node | Run, ...]
    """What runs, in the order of the lines."""
    dropped: tuple[tuple[Value, ...], ...]
    """For each step the values that no variable holds any more once it has run."""

    @property
    def key(self) -> tuple[object, ...]:
        """What must be equal for two modules to be of one class."""
        return (self.parameters, tuple(line.text for line in self.lines), self.results)


def forward(plan: Plan, run: Run) -> Forward:
    """The forward of a run."""
    index = run.activation.index
    found: Forward | None = plan.forwards.get(index)
    if found is None:
        late = plan.late if index == 0 else frozenset()
        found = plan.forwards[index] = _Writer(plan.graph, run, plan.lowered, plan.names[index], late).write()
    return found


class _Writer:
    def __init__(
        self,
        graph: Graph,
        run: Run,
        lowered: list[Lowering | None],
        names: Mapping[Value, str],
        late: frozenset[int],
    ) -> None:
        self.graph = graph
        self.names = names
        self.run = run
        self.lowered = lowered
        self.late = late
        self.steps = sorted(run.steps, key=self.is_late)  # stable: the others keep their order
        self.last_use: dict[Value, int] = {}
        for number, step in enumerate(self.steps):
            for value in step.inputs:
                self.last_use[value] = number
        for value in run.outputs:
            self.last_use[value] = len(self.steps)
        self.holds: dict[Value, str] = {}
        self.contents: dict[str, Value] = {}
        self.dropped: list[list[Value]] = [[] for _ in self.steps]
        self.named = self.own_names()
        self.own = frozenset(self.named.values())
        self.free: list[int] = []
        self.made = 0
        self.wrapping: dict[type, bool] = {}

    def is_late(self, step: Node | Run) -> bool:
        return (step.index if isinstance(step, Node) else step.first) in self.late

    def own_names(self) -> dict[Value, str]:
        """Variables named as the spec names the value, where it is needed beyond the next step."""
        names: dict[Value, str] = {}
        taken: set[str] = set()
        given = [(value, -1) for value in self.run.parameters]
        given += [(value, number) for number, step in enumerate(self.steps) for value in self.results(step)]
        several = len(self.run.parameters) > 1
        for value, number in given:
            name = self.names.get(value)
            is_input = number < 0 and several
            if name is None or name == "input" or name.isdigit() or name in taken or _GENERIC.fullmatch(name):
                continue
            if not is_input and self.last_use.get(value, 0) <= number + 1:
                continue
            if name in _USED_BY_GENERATED_CODE or iskeyword(name):
                name = f"{name}_"
                if name in taken:
                    continue
            names[value] = name
            taken.add(name)
        return names

    def results(self, step: Node | Run) -> list[Value]:
        if isinstance(step, Run):
            return step.outputs
        return [Value(step.index, number) for number in range(len(self.graph.applied[step.index].outputs))]

    def write(self) -> Forward:
        parameters = [self.fresh(value) for value in self.run.parameters]
        for value, name in zip(self.run.parameters, parameters, strict=True):
            self.hold(value, name, 0)
        lines = [line for number, step in enumerate(self.steps) for line in self.step(number, step)]
        results = tuple(self.holds[value] for value in self.run.outputs)
        return Forward(tuple(parameters), tuple(lines), results, tuple(self.steps), tuple(map(tuple, self.dropped)))

    def step(self, number: int, step: Node | Run) -> Iterator[Line]:
        arguments = [self.holds[value] for value in step.inputs]
        ending = [v for v in dict.fromkeys(step.inputs) if self.last_use[v] == number]
        span = step.span if isinstance(step, Node) else step.activation.span
        late = self.is_late(step)
        results = self.results(step)
        lowering = self.lowered[step.index] if isinstance(step, Node) else None
        if lowering is not None and isinstance(lowering.call, Parameter):
            lowering = Lowering(lowering.call.using(attribute(step.name)), False)
        if lowering is not None and lowering.inplace and isinstance(lowering.call, Expression):
            yield Line(lowering.call.inplace_text(arguments), span, late)
            name = arguments[0]
            self.release(ending, keep=name)
            self.hold(results[0], name, number)
            return
        if lowering is not None and isinstance(lowering.call, Expression):
            right = lowering.call.text(arguments)
        else:
            right = f"{attribute(step.name)}({', '.join(arguments)})"
        self.release(ending)
        targets = []
        for value in results:
            if value not in self.last_use and len(results) > 1:
                targets.append("_")
                self.hold(value, "_", number)
                continue
            name = self.target(value, ending)
            self.hold(value, name, number)
            targets.append(name)
        self.release([value for value in results if value not in self.last_use and value in self.holds])
        left = ", ".join(targets) + ("," if len(targets) == 1 and self.gives_tuple(step) else "")
        yield Line(f"{left} = {right}", span, late)

    def gives_tuple(self, step: Node | Run) -> bool:
        """Whether a single result comes wrapped, as torch.split gives it; a kind of layer always does or never."""
        if isinstance(step, Run):
            return False
        kind = type(step.layer)
        if kind not in self.wrapping:
            self.wrapping[kind] = not isinstance(step.layer.output(*self.graph.inputs_of(step)), Tensor)
        return self.wrapping[kind]

    def target(self, value: Value, ending: list[Value]) -> str:
        """The variable for a result: its own name, that of an input that ends here, or the next free one."""
        if value in self.named:
            return self.named[value]
        for input_ in ending:
            number = _number(self.holds[input_])
            if number in self.free:
                self.free.remove(number)
                heapify(self.free)
                return self.holds[input_]
        return self.fresh(value)

    def fresh(self, value: Value) -> str:
        if value in self.named:
            return self.named[value]
        if self.free:
            return _generic(heappop(self.free))
        self.made += 1
        return _generic(self.made - 1)

    def hold(self, value: Value, name: str, number: int) -> None:
        """A variable holds a value from a step on, and what it held before no more."""
        self.holds[value] = name
        if (before := self.contents.get(name)) is not None:
            self.dropped[number].append(before)
        self.contents[name] = value

    def release(self, values: list[Value], keep: str | None = None) -> None:
        for value in values:
            name = self.holds[value]
            number = _number(name)
            if name != keep and number is not None and name not in self.own:
                heappush(self.free, number)


_GENERIC = re.compile(r"[xyz]|x[0-9]+")


def _generic(number: int) -> str:
    """The generic variables: x, y, z, x3, x4 ..."""
    return "xyz"[number] if number < 3 else f"x{number}"


def _number(name: str) -> int | None:
    if name in ("x", "y", "z"):
        return "xyz".index(name)
    return int(name[1:]) if _GENERIC.fullmatch(name) else None


def attribute(name: str) -> str:
    """How a forward reaches a submodule or a parameter of its module."""
    return f"self.{name}" if name.isidentifier() else f'getattr(self, "{name}")'
