"""Networks without mistakes, as hypothesis makes them: files of syntax trees with blocks, loops, names and the rest.

Sizes are carried along as sums of parameters (`2*c + in.c + 1`), so that a block fits wherever it is called. All names
of a file are different, apart from those of parameters.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from archdsl.syntax import tree

Draw = Any
Sum = tuple[tuple[str, int], ...]
"""Channels: how often each name is in them; the number is under the name "1"."""


def name(text: str) -> tree.Name:
    return tree.Name(0, 0, text)


def number(value: int | float) -> tree.Number:
    return tree.Number(0, 0, value)


def constant(value: bool) -> tree.Constant:
    return tree.Constant(0, 0, value)


def binary(left: Any, operator: str, right: Any) -> tree.Binary:
    return tree.Binary(0, 0, operator, left, right)


def given(value: Any, by: str | None = None) -> tree.Argument:
    return tree.Argument(0, 0, name(by) if by else None, value)


def call(word: str, *arguments: tree.Argument) -> tree.Call:
    return tree.Call(0, 0, name(word), arguments)


def chain(*elements: Any) -> tree.Chain:
    return tree.Chain(0, 0, elements)


def group(*branches: tree.Chain) -> tree.Group:
    return tree.Group(0, 0, branches)


def row(*elements: Any) -> tree.Group:
    return group(chain(*elements))


def body(*statements: Any) -> tree.Body:
    return tree.Body(0, 0, statements)


def line(*elements: Any, doc: str = "") -> tree.Line:
    return tree.Line(0, 0, chain(*elements), doc)


def named(element: Any, *label: Any, numbered: bool = False) -> tree.Named:
    return tree.Named(0, 0, element, tree.Label(0, 0, label), numbered)


def plus(*sums: Sum) -> Sum:
    total: dict[str, int] = {}
    for one in sums:
        for atom, times in one:
            total[atom] = total.get(atom, 0) + times
    return tuple(sorted(total.items()))


def whole(value: int) -> Sum:
    return (("1", value),)


def atom(text: str) -> Sum:
    return ((text, 1),)


ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "relu6", "hardswish")
DEFAULTS = (
    *(("conv", "bias", value) for value in (False, True)),
    *(("bn", "momentum", value) for value in (0.3, 0.2)),
    *(("dropout", "p", value) for value in (0.25, 0.4)),
    ("bn", "affine", False),
)
CHANNELS = st.integers(1, 6).map(whole)


@dataclass(frozen=True)
class Part:
    """A block that can be called."""

    name: str
    takes: int
    counts: bool
    activates: bool
    norms: bool
    kernel: bool


@dataclass(frozen=True)
class Scope:
    """What is known where an element is written."""

    channels: tuple[Sum, ...] = ()
    """Sums that look good here."""
    numbers: dict[str, Sum] = field(default_factory=dict)
    values: dict[str, Sum] = field(default_factory=dict)
    shared: dict[str, Sum] = field(default_factory=dict)
    counts: tuple[str, ...] = ()
    truths: tuple[str, ...] = ()
    activations: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    parts: tuple[Part, ...] = ()
    names: bool = True
    """Whether an element may have a name."""
    shares: bool = True
    """Whether shared modules may stand here."""
    halving: bool = True
    """Whether a map may be halved for a while."""
    axes: tuple[int, ...] = ()
    """The sizes of the axes, where they are known."""


class Maker:
    """Draws the parts of a file."""

    def __init__(self, draw: Draw) -> None:
        self.draw = draw
        self.made = 0

    def new(self, letter: str) -> str:
        self.made += 1
        return f"{letter}{self.made}_"

    def pick(self, *things: Any) -> Any:
        return self.draw(st.sampled_from(things))

    def chance(self, out_of: int) -> bool:
        return bool(self.draw(st.integers(0, out_of - 1)) == out_of - 1)

    # ------------------------------------------------------------ expressions

    def amount(self, of: Sum, scope: Scope) -> Any:
        """A sum as an expression."""
        known: list[Any] = [name(n) for n, value in scope.numbers.items() if value == of]
        known += [tree.Attribute(0, 0, name(v), "c") for v, value in scope.values.items() if value == of]
        if known and not self.chance(3):
            return self.pick(*known)
        terms = [self.term(text, times) for text, times in self.draw(st.permutations(of)) if times]
        result = terms[0]
        for term in terms[1:]:
            result = binary(result, "+", term)
        return result

    def term(self, text: str, times: int) -> Any:
        if text == "1":
            way = self.draw(st.integers(0, 11))
            if way == 0:
                return tree.Index(0, 0, tree.List(0, 0, (number(7), number(times))), number(1))
            if way == 1:
                return binary(number(times + 3), "-", number(3))
            if way == 2:
                return tree.Function(0, 0, name("max"), (given(number(times)), given(number(1))))
            if way == 3:
                part = tree.Slice(0, 0, tree.List(0, 0, (number(1), number(times), number(5))), number(1), number(2))
                return tree.Function(0, 0, name("sum"), (given(part),))
            return number(times)
        base, _, attribute = text.partition(".")
        value: Any = tree.Attribute(0, 0, name(base), attribute) if attribute else name(base)
        return value if times == 1 else binary(number(times), "*", value)

    def count(self, scope: Scope) -> Any:
        if scope.counts and self.chance(2):
            known = name(self.pick(*scope.counts))
            return binary(known, "+", number(1)) if self.chance(4) else known
        return number(self.draw(st.integers(0, 3)))

    def truth(self, scope: Scope) -> Any:
        way = self.draw(st.integers(0, 5))
        if way == 0:
            return constant(self.draw(st.booleans()))
        if way == 1 and scope.truths:
            return name(self.pick(*scope.truths))
        if way == 2:
            return tree.Unary(0, 0, "not", self.truth(scope))
        if way == 3:
            return binary(self.truth(scope), self.pick("and", "or"), self.truth(scope))
        sizes = st.sampled_from(scope.channels) | CHANNELS if scope.channels else CHANNELS
        left = self.amount(self.draw(sizes), scope)
        return binary(left, self.pick("==", "!=", "<", ">="), self.amount(self.draw(sizes), scope))

    # ------------------------------------------------------------ elements

    def other(self, scope: Scope) -> Sum:
        return self.draw(st.sampled_from(scope.channels) | CHANNELS if scope.channels else CHANNELS)

    def row(self, start: Sum, end: Sum, scope: Scope, depth: int) -> list[Any]:
        """Elements one after the other."""
        elements = []
        if self.chance(3):
            between = self.other(scope)
            elements.append(self.element(start, between, scope, depth))
            start = between
        return [*elements, self.element(start, end, scope, depth)]

    def element(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        """One element that makes a map with so many channels of another; the sizes of its axes stay."""
        named_by = self.draw(st.integers(0, 7)) if scope.names else 7
        if named_by > 2:
            made = self.bare(start, end, scope, depth)
        else:
            inside = replace(scope, shares=False)
            made = self.bare(start, end, inside, depth, named_by == 0)
            held = isinstance(made, tree.Group | tree.Repeat)
            label = self.new("v")
            made = named(made, label, numbered=held and named_by == 1)
            scope.values[label] = end
        if scope.axes and self.chance(9):
            sizes = (self.amount(end, scope), *map(number, scope.axes))
            made = tree.Checked(0, 0, made, tree.List(0, 0, sizes))
        return made

    def bare(self, start: Sum, end: Sum, scope: Scope, depth: int, holding: bool = False) -> Any:
        """An element without a name; `holding`, one that makes a module of others."""
        if depth == 0:
            return self.leaf(start, end, scope)
        ways: list[Any] = [self.group, self.branches, self.condition, self.loop, self.range]
        ways += [self.block] * 3 if scope.parts else []
        ways += [self.around] if scope.halving else []
        if start == end:
            ways += [self.repeat, self.gate]
        if holding:
            return self.group(start, end, scope, depth - 1)
        if self.chance(3):
            return self.leaf(start, end, scope)
        return self.pick(*ways)(start, end, scope, depth - 1)

    def leaf(self, start: Sum, end: Sum, scope: Scope) -> Any:
        if start != end or self.chance(3):
            return self.conv(end, scope)
        way = self.draw(st.integers(0, 7))
        if way == 0:
            return call("bn")
        if way == 1:
            return self.pick(call("dropout", given(number(0.5))), call("dropout"))
        if way == 2:
            return call("pool", given(name("k3")), given(name("s1")), given(number(1), "p"))
        if way == 3:
            known = [v for v, value in scope.values.items() if value == start and v not in ("in", "a", "b")]
            if known:
                return call(self.pick("add", "mul"), given(name(self.pick(*known))))
        if way == 4 and scope.shares:
            known = [s for s, value in scope.shared.items() if value == start]
            if known:
                return call(self.pick(*known))
        return call(self.pick(*ACTIVATIONS, *scope.activations, *scope.activations))

    def conv(self, end: Sum, scope: Scope) -> tree.Call:
        channels = self.amount(end, scope)
        arguments = [given(channels, self.pick(None, None, "channels"))]
        way = self.draw(st.integers(0, 4))
        if way == 0:
            arguments += [given(name("k3")), given(name("p1"))]
        elif way == 1:
            arguments += [given(number(3), "kernel"), given(number(2), "d"), given(name("p2"))]
        elif way == 2 and scope.kernels:
            kernel = name(self.pick(*scope.kernels))
            arguments += [given(kernel, "k"), given(binary(kernel, "//", number(2)), "p")]
        if self.chance(4):
            arguments.append(given(constant(self.draw(st.booleans())), "bias"))
        return call("conv", *arguments)

    def group(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        return row(*self.row(start, end, scope, depth))

    def branches(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        count = self.pick(2, 2, 3)
        if self.chance(3):
            parts = [self.other(scope) for _ in range(count)]
            branches = [chain(*self.row(start, part, scope, depth)) for part in parts]
            joined = plus(*parts)
            after = [] if joined == end else [self.conv(end, scope)]
            return row(group(*branches), call("cat"), *after)
        branches = [chain(*self.row(start, end, scope, depth)) for _ in range(count - 1)]
        known = [v for v, value in scope.values.items() if value == end]
        if start == end and self.chance(2):
            branches.append(chain(call("id")))
        elif known and self.chance(2):
            branches.append(chain(call(self.pick(*known)), *self.row(end, end, scope, 0)))
        else:
            branches.append(chain(*self.row(start, end, scope, depth)))
        return row(group(*branches), call(self.pick("add", "mul", "maximum", "mean")))

    def gate(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        gate = [call("gap"), call("conv", given(self.amount(end, scope))), call("sigmoid")]
        return row(group(chain(call("id")), chain(*gate)), call("mul"))

    def around(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        axes = tuple(size // 2 for size in scope.axes)
        inside = replace(scope, halving=False, values={}, names=False, shares=False, axes=axes)
        between = self.row(start, end, inside, depth)
        return row(call("pool", given(number(2))), *between, call("upsample", given(number(2))))

    def condition(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        inside = replace(scope, names=False)
        then = body(*[line(element) for element in self.row(start, end, inside, depth)])
        otherwise = None
        if start != end or self.chance(2):
            otherwise = body(line(*self.row(start, end, inside, depth)))
            if self.chance(4):
                after = tree.Condition(0, 0, self.truth(scope), otherwise, body(line(self.conv(end, scope))))
                otherwise = body(line(after))
        return tree.Condition(0, 0, self.truth(scope), then, otherwise)

    def repeat(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        inside = replace(scope, names=False)
        return tree.Repeat(0, 0, row(*self.row(start, end, inside, depth)), self.count(scope))

    def loop(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        channels, count = self.new("l"), self.new("n")
        rows = self.draw(st.lists(st.tuples(st.integers(1, 5), st.integers(0, 2)), min_size=1, max_size=3))
        inside = replace(
            scope,
            names=False,
            channels=(*scope.channels, atom(channels)),
            numbers={**scope.numbers, channels: atom(channels)},
            counts=(*scope.counts, count),
        )
        first: Any = call("conv", given(name(channels)))
        if scope.names and len(set(rows)) == len(rows):
            first = named(first, self.new("v"), name(channels), "_", name(count))
        lines = [line(first, *self.row(atom(channels), atom(channels), inside, depth))]
        table = tree.List(0, 0, tuple(tree.List(0, 0, tuple(map(number, one))) for one in rows))
        made = tree.Loop(0, 0, (name(channels), name(count)), table, None, body(*lines))
        return row(made, self.conv(end, scope))

    def range(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        index = self.new("i")
        first = self.pick(number(0), number(1), tree.Unary(0, 0, "-", number(1)))
        counts = (*scope.counts, index) if isinstance(first, tree.Number) else scope.counts
        step: Any = self.element(end, end, replace(scope, names=False, counts=counts), depth)
        if scope.names and isinstance(step, tree.Call) and isinstance(first, tree.Number) and self.chance(2):
            step = named(step, self.new("v"), name(index))
        loop = tree.Loop(0, 0, (name(index),), first, self.count(scope), body(line(step)))
        return loop if start == end else row(self.conv(end, scope), loop)

    def block(self, start: Sum, end: Sum, scope: Scope, depth: int) -> Any:
        part = self.pick(*scope.parts)
        used = self.used(part, end, scope)
        if part.takes == 1:
            return used
        first = chain(call("id")) if self.chance(3) else chain(*self.row(start, self.other(scope), scope, 0))
        branches = [first, *(chain(*self.row(start, self.other(scope), scope, 0)) for _ in range(part.takes - 1))]
        return row(group(*branches), used)

    def used(self, part: Part, end: Sum, scope: Scope) -> tree.Call:
        channels = self.amount(end, scope)
        arguments = [given(channels, self.pick(None, None, "c"))]
        if part.counts and self.chance(2):
            arguments.append(given(self.count(scope), "n"))
        if part.activates and self.chance(2):
            leaky = tree.Function(0, 0, name("leaky_relu"), (given(number(0.25)),))
            arguments.append(given(self.pick(leaky, *map(name, (*ACTIVATIONS, *scope.activations))), "act"))
        if part.norms and self.chance(2):
            arguments.append(given(self.truth(scope), "norm"))
        if part.kernel and self.chance(2):
            arguments.append(self.pick(given(name("k3")), given(number(1), "k"), given(number(5), "k")))
        return call(part.name, *arguments)

    # ------------------------------------------------------------ statements

    def statements(self, start: Sum, end: Sum, scope: Scope, top: bool) -> list[Any]:
        """The lines of a body, with what else may stand in it."""
        made: list[Any] = []
        if self.chance(5):
            made.append(self.default())
        for _ in range(self.draw(st.integers(0, 3))):
            way = self.draw(st.integers(0, 9))
            if way == 0:
                new, of = self.new("m"), plus(self.other(scope), whole(1))
                made.append(tree.Let(0, 0, name(new), self.amount(of, scope), self.doc()))
                scope.numbers[new] = of
            elif way == 1 and scope.shares:
                inside = replace(scope, names=False, shares=False)
                new, element = self.new("s"), self.bare(start, start, inside, 1)
                made += [tree.Share(0, 0, name(new), element, self.doc()), line(call(new))]
                scope.shared[new] = start
            elif way == 2:
                size = self.amount(start, scope)
                made.append(tree.Expect(0, 0, binary(size, ">=", number(1)), None, None, self.doc()))
            elif way == 3:
                made += self.detour(start, scope)
            else:
                after = self.other(scope)
                made.append(line(*self.row(start, after, scope, 2), doc=self.doc()))
                start = after
        made.append(line(*self.row(start, end, scope, 2), call("relu"), doc=self.doc()))
        return made

    def detour(self, start: Sum, scope: Scope) -> list[Any]:
        """Lines that begin with a value's name, and what brings them together."""
        first, second = self.new("v"), self.new("v")
        made = [
            line(named(self.conv(start, scope), first)),
            line(named(call(self.pick(*ACTIVATIONS)), second)),
            line(call(first), *self.row(start, start, replace(scope, names=False), 1)),
            line(call("add", given(name(second)))),
        ]
        scope.values[first] = scope.values[second] = start
        return made

    def default(self) -> tree.Default:
        word, option, value = self.pick(*DEFAULTS)
        literal: Any = constant(value) if isinstance(value, bool) else number(value)
        return tree.Default(0, 0, name(word), (given(literal, option),), self.doc())

    def doc(self) -> str:
        return self.pick("what it is for", "two\nlines") if self.chance(9) else ""

    # ------------------------------------------------------------ definitions

    def part(self, earlier: tuple[Part, ...], numbers: dict[str, Sum]) -> tuple[Part, tree.Block]:
        flags = [self.draw(st.booleans()) for _ in range(4)]
        part = Part(self.new("block"), 2 if self.chance(4) else 1, *flags)
        parameters = [tree.Parameter(0, 0, name("c"), None)]
        scope = Scope(numbers={"c": atom("c"), **numbers}, parts=earlier)
        if part.counts:
            parameters.append(tree.Parameter(0, 0, name("n"), number(self.draw(st.integers(0, 2)))))
            scope = replace(scope, counts=("n",))
        if part.activates:
            parameters.append(tree.Parameter(0, 0, name("act"), name(self.pick(*ACTIVATIONS))))
            scope = replace(scope, activations=("act",))
        if part.norms:
            parameters.append(tree.Parameter(0, 0, name("norm"), constant(self.draw(st.booleans()))))
            scope = replace(scope, truths=("norm",))
        if part.kernel:
            parameters.append(tree.Parameter(0, 0, name("k"), number(self.pick(1, 3))))
            scope = replace(scope, kernels=("k",))
        if part.takes == 1:
            scope = replace(scope, values={"in": atom("in.c")}, channels=(atom("c"), atom("in.c")))
            statements = self.statements(atom("in.c"), atom("c"), scope, top=False)
            if self.chance(4):
                statements += [line(call("in"), self.conv(atom("c"), scope)), line(call("relu"))]
                label = self.new("v")
                statements[-3] = line(*statements[-3].chain.elements[:-1], named(call("relu"), label))
                statements.append(line(call("add", given(name(label)))))
            takes: tuple[tree.Name, ...] = ()
        else:
            scope = replace(scope, values={"a": atom("a.c"), "b": atom("b.c")}, channels=(atom("c"), atom("a.c")))
            label = self.new("v")
            first = named(row(*self.row(atom("a.c"), atom("c"), scope, 1)), label)
            statements = [line(call("a"), first), line(call("b"), *self.row(atom("b.c"), atom("c"), scope, 1))]
            statements.append(line(call("add", given(name(label))), call("relu")))
            takes = (name("a"), name("b"))
        return part, tree.Block(0, 0, name(part.name), tuple(parameters), takes, body(*statements), self.doc())

    def net(self, label: str, parts: tuple[Part, ...], numbers: dict[str, Sum], ranks: tuple[int, ...]) -> tree.Net:
        c, n, start = self.draw(st.integers(1, 5)), self.draw(st.integers(0, 2)), self.draw(st.integers(1, 4))
        act, norm = self.pick(*ACTIVATIONS), self.draw(st.booleans())
        defaults = {"c": number(c), "n": number(n), "act": name(act), "norm": constant(norm)}
        parameters = tuple(tree.Parameter(0, 0, name(key), value) for key, value in defaults.items())
        scope = Scope(
            channels=(atom("c"), whole(start)),
            numbers={"c": atom("c"), **numbers},
            counts=("n",),
            truths=("norm",),
            activations=("act",),
            parts=parts,
            values={"image": whole(start)},
        )
        axes = (16,) * self.pick(*ranks)
        scope = replace(scope, axes=axes)
        sizes = tree.Size(0, 0, (start, *axes))
        statements: list[Any] = [tree.Input(0, 0, name("image"), None, sizes, None, None, self.doc())]
        end = self.other(scope)
        statements += self.statements(whole(start), end, scope, top=True)
        way = self.draw(st.integers(0, 2))
        if way == 0:
            statements.append(line(call("gap"), call("flatten"), call("fc", given(number(3)))))
        elif way == 1:
            label_of = self.new("v")
            statements.append(line(named(self.conv(end, scope), label_of)))
            statements.append(tree.Output(0, 0, (name(label_of),), None, self.doc()))
        return tree.Net(0, 0, name(label), parameters, body(*statements), self.doc())


@st.composite
def files(draw: Draw, ranks: tuple[int, ...] = (1, 2, 2, 3)) -> tree.File:
    """A file whose last definition is a network, `main`, in which there is nothing to find."""
    maker = Maker(draw)
    definitions: list[Any] = []
    numbers: dict[str, Sum] = {}
    parts: tuple[Part, ...] = ()
    for _ in range(draw(st.integers(0, 2))):
        if maker.chance(3):
            label, value = maker.new("m"), draw(st.integers(1, 6))
            definitions.append(tree.Let(0, 0, name(label), number(value), maker.doc()))
            numbers[label] = whole(value)
        if maker.chance(4):
            definitions.append(maker.default())
        part, block = maker.part(parts, numbers)
        definitions.append(block)
        parts = (*parts, part)
    definitions.append(maker.net("main", parts, numbers, ranks))
    return tree.File(0, 0, tuple(definitions))
