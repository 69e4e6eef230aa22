"""Random specs, as syntax trees: grown an element at a time, each tried in torch before it stays.

What torch refuses is thrown away, or is kept as the mistake of a broken network. So about half of the networks run, and
the others fail at one place deep inside a network that is otherwise whole.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod
from random import Random
from typing import Any, NamedTuple

from archdsl.layers import STANDARD, Argument, Catalog, Layer
from archdsl.syntax import tree

from .compare import NET
from .reference import FAILURES, Flow, Part, Ports, Reference, Shared, TooLargeError, Value

BREAK = 0.06
"""How often an element that fails is kept."""

SLIP = 0.45
"""How often something is changed in a network that runs, as by a slip of the pen. Some still run."""

INSIDE = 0.3
"""How many of the files have networks inside others, or use what comes out of the parts of a module."""

_SIZES = (1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16)
_CHANNELS = (1, 2, 3, 4, 6, 8, 12)
_ACTIVATIONS = ("relu", "gelu", "silu", "tanh", "sigmoid", "relu6", "elu", "hardswish")


def number(value: Any) -> tree.Number:
    return tree.Number(0, 0, value)


def name(text: str) -> tree.Name:
    return tree.Name(0, 0, text)


def argument(value: Any, by: str | None = None) -> tree.Argument:
    return tree.Argument(0, 0, name(by) if by else None, value)


def call(word: str, *arguments: tree.Argument) -> tree.Call:
    return tree.Call(0, 0, name(word), tuple(arguments))


def chain(*elements: Any) -> tree.Chain:
    return tree.Chain(0, 0, tuple(elements))


def group(*branches: tree.Chain) -> tree.Group:
    return tree.Group(0, 0, tuple(branches))


def line(*elements: Any) -> tree.Line:
    return tree.Line(0, 0, chain(*elements), "")


def body(*statements: Any) -> tree.Body:
    return tree.Body(0, 0, tuple(statements))


def labelled(element: Any, text: str, numbered: bool = False) -> tree.Named:
    return tree.Named(0, 0, element, tree.Label(0, 0, (text,)), numbered)


def attributes(path: str) -> Any:
    """A path as an expression."""
    first, *parts = path.split(".")
    found: Any = name(first)
    for part in parts:
        found = tree.Attribute(0, 0, found, part)
    return found


def literal(value: Any) -> Any:
    """A value as an expression."""
    if isinstance(value, bool):
        return tree.Constant(0, 0, value)
    if isinstance(value, int | float):
        return number(value) if value >= 0 else tree.Unary(0, 0, "-", number(-value))
    if isinstance(value, tuple | list):
        return tree.List(0, 0, tuple(literal(item) for item in value))
    return tree.String(0, 0, value)


def generate(random: Random, catalog: Catalog = STANDARD) -> tree.File:
    """A file with a network called `main`, which may or may not be one that runs."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of much that a random network has
        generator = _Generator(random, catalog)
        file = generator.file()
        return file if generator.broken or random.random() > SLIP else slip(random, file)


class Inner(NamedTuple):
    """A network that may stand in another."""

    name: str
    parameters: tuple[tree.Parameter, ...]
    takes: tuple[tuple[Any, int], ...]
    """The kind of each input, and how many sizes it has."""
    gives: int
    """How many values flow out of it."""
    paths: tuple[str, ...]
    """Where it may end."""


class _Generator:
    def __init__(self, random: Random, catalog: Catalog) -> None:
        self.random = random
        self.layers = [layer for layer in catalog.layers if layer.word != "id"]
        self.catalog = catalog
        self.definitions: list[Any] = []
        self.blocks: list[tree.Block] = []
        self.nets: list[Inner] = []
        self.inside = self.chance(INSIDE)
        self.broken = False
        self.labels = 0
        self.reference = Reference(tree.File(0, 0, ()), catalog)
        self.scope = self.reference.begin()
        self.flow: Flow = ()

    def chance(self, share: float) -> bool:
        return self.random.random() < share

    def pick(self, things: Sequence[Any]) -> Any:
        return self.random.choice(things)

    def label(self) -> str:
        if self.inside and self.scope.modules and self.chance(0.04):
            return str(self.pick(list(self.scope.modules)))
        self.labels += 1
        return f"{self.pick('abvw')}{self.pick(('', 'x', 'out_'))}{self.labels}"

    # ------------------------------------------------------------ the file

    def file(self) -> tree.File:
        makers: list[Callable[[], None]] = [self.block] * self.pick((0, 0, 1, 1, 2))
        if self.inside:
            makers += [self.net] * self.pick((0, 1, 1, 2))
            self.random.shuffle(makers)
        for make in makers:
            make()
        if self.chance(0.2) and not self.broken:
            self.add(self.default())
        self.restart()
        parameters = self.parameters()
        statements = self.inputs() + self.statements(self.random.randint(1 + 2 * self.inside, 6), top=True)
        definition = tree.Net(0, 0, name(NET), parameters, body(*statements), "")
        definitions = [*self.definitions, definition]
        if self.chance(0.15):
            definitions[-1] = tree.Net(0, 0, name("base"), parameters, body(*statements), "")
            given = tuple(
                argument(parameter.default, parameter.name.text) for parameter in parameters if self.chance(0.7)
            )
            definitions.append(tree.Variant(0, 0, name(NET), name("base"), given, None, ""))
        return tree.File(0, 0, tuple(definitions))

    def parameters(self) -> tuple[tree.Parameter, ...]:
        parameters = tuple(
            tree.Parameter(0, 0, name(letter), literal(self.pick((*_CHANNELS, 0.5, True))))
            for letter in self.pick(((), (), ("n0",), ("n0", "n1"), ("n0", "e")))
        )
        for parameter in parameters:
            self.scope.names[parameter.name.text] = self.reference.value(parameter.default, self.scope)
        return parameters

    def add(self, definition: Any) -> None:
        try:
            Reference(tree.File(0, 0, (*self.definitions, definition)), self.catalog)
        except FAILURES:
            return
        self.definitions.append(definition)

    def restart(self) -> None:
        """A fresh network below the definitions."""
        self.reference = Reference(tree.File(0, 0, tuple(self.definitions)), self.catalog)
        self.scope = self.reference.begin()
        self.flow = ()

    def inputs(self, letters: bool = False) -> list[Any]:
        count = self.pick((1, 1, 1, 1, 2, 2, 3))
        taken = [sizes - 1 for net in self.nets for kind, sizes in net.takes if kind == "map"]
        rank = self.pick(taken if taken and self.chance(0.8) else (1, 2, 2, 2, 3))
        shape = self.shape(rank)
        statements = []
        for index in range(count):
            if self.chance(0.3):
                shape = self.shape(rank)
            label = ("relu1", "conv1", "add1")[index] if self.inside and self.chance(0.06) else f"i{index}"
            statements.append(self.input(label if count > 1 or self.chance(0.4) else None, shape))
        flow: Flow = ()
        for statement in statements:
            flow = self.reference.statement(statement, flow, self.scope)
        self.flow = flow
        return self.lettered(statements) if letters else statements

    def lettered(self, statements: list[tree.Input]) -> list[tree.Input]:
        """Inputs with letters for some of their sizes, which what flows in settles."""
        known: dict[str, int] = {}
        found = []
        for statement in statements:
            shape = statement.shape
            if isinstance(shape, tree.Size) and statement.kind is None:
                letters = zip("HWD", shape.extents[1:], strict=False)
                sizes = [a if self.chance(0.5) and known.setdefault(a, int(b)) == b else b for a, b in letters]
                shape = tree.Size(0, 0, (shape.extents[0], *sizes))
            found.append(replace(statement, shape=shape))
        given = tuple(value for _, value in self.reference.inputs)
        self.reference.ports, self.flow = Ports(given=given), ()
        self.reference.frame.names.clear()
        for statement in found:
            self.flow = self.reference.statement(statement, self.flow, self.scope)
        self.reference.ports = Ports(inputs=self.reference.inputs)
        return found

    def shape(self, rank: int) -> list[int]:
        most = {1: 16, 2: 13, 3: 6}[rank]
        return [self.pick(_CHANNELS), *(self.pick([s for s in _SIZES if s <= most]) for _ in range(rank))]

    def input(self, label: str | None, shape: list[int]) -> tree.Input:
        kind = self.pick(("map",) * 8 + ("vector", "tokens", "ids"))
        sizes: Any = tree.Size(0, 0, tuple(shape))
        vocabulary = None
        if kind == "vector":
            sizes = number(self.pick(_SIZES))
        elif kind == "tokens":
            sizes = tree.Size(0, 0, (self.pick(_SIZES), self.pick(_CHANNELS)))
        elif kind == "ids":
            sizes, vocabulary = number(self.pick(_SIZES)), number(self.pick(_CHANNELS))
        written = name(kind) if kind in ("tokens", "ids") or (kind == "map" and self.chance(0.1)) else None
        of = name("of") if vocabulary else None
        return tree.Input(0, 0, name(label) if label else None, written, sizes, of, vocabulary, "")

    def block(self) -> None:
        """A block, grown over an input of its own, and kept whatever else it may be given."""
        self.restart()
        takes = self.pick((0, 0, 0, 2))
        values = []
        shape = self.shape(self.pick((1, 2, 2, 3)))
        for index in range(takes or 1):
            written = tree.Input(0, 0, name(f"t{index}"), None, tree.Size(0, 0, tuple(shape)), None, None, "")
            values += self.reference.statement(written, (), self.scope)
        self.reference.inputs.clear()
        parameters = []
        for index in range(self.pick((0, 1, 2))):
            default = self.pick((*(literal(c) for c in _CHANNELS), name(self.pick(_ACTIVATIONS)), literal(True)))
            parameters.append(tree.Parameter(0, 0, name(f"q{index}"), default))
            self.scope.names[f"q{index}"] = self.reference.value(default, self.scope)
        if takes:
            self.flow = ()
        else:
            self.flow = (values[0],)
            self.scope.names["in"] = values[0]
            del self.scope.names["t0"]
        self.reference.frame.names.clear()
        statements = self.statements(self.random.randint(1, 3), top=False)
        if not statements:
            return
        label = f"{self.pick(('unit', 'part', 'b'))}{len(self.blocks)}"
        taken = tuple(name(f"t{i}") for i in range(takes))
        made = tree.Block(0, 0, name(label), tuple(parameters), taken, body(*statements), "")
        self.definitions.append(made)
        self.blocks.append(made)

    def net(self) -> None:
        """A network for inside another, perhaps with a variant. What is wrong in it may stand behind its end."""
        was_broken = self.broken
        self.restart()
        parameters = self.parameters()
        inputs = self.inputs(letters=self.chance(0.4))
        takes = tuple((v.kind, len(self.sizes_of(v))) for _, v in self.reference.inputs)
        statements = self.statements(self.random.randint(1, 4), top=True)
        label = f"{self.pick(('inner', 'stem', 'trunk'))}{len(self.nets)}"
        self.definitions.append(tree.Net(0, 0, name(label), parameters, body(*inputs, *statements), ""))
        gives = len(self.flow)
        for statement in statements:
            if isinstance(statement, tree.Output) and statement.when is None:
                gives = len(statement.names)
        paths = tuple(dict.fromkeys(made.path for made in self.reference.made))
        made = Inner(label, parameters, takes, gives, paths)
        self.nets.append(made)
        if self.chance(0.3):
            variant = made._replace(name=f"{label}v")
            self.restart()
            given = self.given(parameters)
            self.definitions.append(tree.Variant(0, 0, name(variant.name), name(label), given, None, ""))
            self.nets.append(variant)
        self.broken = was_broken

    # ------------------------------------------------------------ statements

    def statements(self, count: int, top: bool) -> list[Any]:
        """Statements that run one after the other; what comes after a mistake is not tried."""
        kept: list[Any] = []
        for _ in range(count):
            for _ in range(12):
                statement = self.statement(top)
                if self.broken:
                    kept.append(statement)
                    break
                if self.tried(statement):
                    kept.append(statement)
                    break
                if self.chance(BREAK):
                    self.broken = True
                    kept.append(statement)
                    break
        if not any(isinstance(s, tree.Line) for s in kept):
            kept.append(line(call("relu")))
            if not self.broken:
                self.broken = not self.tried(kept[-1])
        if top and self.chance(0.25):
            known = [n for n, v in self.scope.names.items() if isinstance(v, Value)]
            if known:
                chosen = self.random.sample(known, min(len(known), self.pick((1, 1, 2, 3))))
                kept.append(tree.Output(0, 0, tuple(map(name, chosen)), None, ""))
                if self.chance(0.2):
                    kept.append(tree.Output(0, 0, (name(self.pick(known)),), name("training"), ""))
        return kept

    def tried(self, statement: Any) -> bool:
        """Runs a statement; where it fails, everything is as it was."""
        reference, scope, flow = self.reference, self.scope, self.flow
        frame, names, defaults = reference.frame, dict(scope.names), scope.defaults
        kept = frame.copy()
        counts = len(reference.tape), len(reference.tensors), len(reference.expectations), len(reference.made)
        modules, expressions, named = dict(reference.modules), dict(reference.expressions), dict(scope.modules)
        shared = {key: value.used for key, value in names.items() if isinstance(value, Shared)}
        try:
            self.flow = reference.statement(statement, flow, scope)
            if isinstance(statement, tree.Line) and not self.flow:
                raise ValueError
            return True
        except (*FAILURES, TooLargeError):
            reference.frame = frame
            frame.names, frame.counters, frame.next = kept.names, kept.counters, kept.next
            scope.names, scope.defaults = names, defaults
            del reference.tape[counts[0] :], reference.tensors[counts[1] :], reference.expectations[counts[2] :]
            del reference.made[counts[3] :]
            reference.modules, reference.expressions, scope.modules = modules, expressions, named
            reference.calls.clear()
            for key, used in shared.items():
                names[key].used = used
            self.flow = flow
            return False

    def statement(self, top: bool) -> Any:
        roll = self.random.random()
        if roll < 0.06:
            return tree.Let(0, 0, name(f"m{self.random.randrange(6)}"), self.integer(self.pick(_CHANNELS)), "")
        if roll < 0.10:
            return self.default()
        if roll < (0.18 if self.inside else 0.14):
            element = self.element(2)
            return tree.Share(0, 0, name(f"s{self.random.randrange(4)}"), element, "")
        if roll < (0.22 if self.inside else 0.18) and self.flow:
            return self.expectation()
        elements = [self.element(3) for _ in range(self.pick((1, 1, 2, 3)))]
        if self.nets and self.chance(0.35):
            elements = [self.network_call(), *elements[1:]]
        known = self.values()
        if self.taps() and self.chance(0.3):
            elements.insert(0, self.tap())
        elif known and self.chance(0.25 if self.flow else 0.9):
            elements.insert(0, call(self.pick(known)))
        if self.chance(0.06):
            elements[-1] = tree.Checked(0, 0, elements[-1], self.written_shape())
        return line(*elements)

    def values(self) -> list[str]:
        return [n for n, v in self.scope.names.items() if isinstance(v, Value)]

    def taps(self) -> list[str]:
        """The parts of modules that have names here."""
        if not self.inside:
            return []
        return [f"{label}.{path}" for label, parts in self.scope.modules.items() for path in parts]

    def tapped(self) -> str:
        """The path of a part, mostly one that is there."""
        path: str = self.pick(self.taps())
        return self.other(path) if self.chance(0.06) else path

    def other(self, path: str) -> str:
        """A path that may not be there."""
        parts = path.split(".")
        ways = [path + self.pick((".0", ".conv1")), ".".join((*parts[:-1], self.pick(("conv1", "relu1", "0"))))]
        if self.nets:
            ways.append(f"{parts[0]}.{self.pick(self.pick(self.nets).paths or ('relu1',))}")
        if len(parts) > 2:
            ways += [".".join(parts[:-1]), ".".join((parts[0], *parts[2:]))]
        found: str = self.pick(ways)
        return found

    def tap(self) -> Any:
        """What comes out of a part, at the head of a line or a branch."""
        label, _, path = self.tapped().partition(".")
        return tree.Tap(0, 0, name(label), tree.Path(0, 0, path))

    def reference_to(self) -> Any:
        """A value as an argument, if there is one."""
        if self.taps() and self.chance(0.7):
            return attributes(self.tapped())
        known = self.values()
        return name(self.pick(known)) if known else None

    def default(self) -> tree.Default:
        cls = self.pick(self.layers)
        options = [a for a in cls.signature().arguments.values() if not a.reference and not a.required]
        if not options:
            cls = self.catalog.find("conv")
            assert cls is not None
            options = [cls.signature().arguments["bias"]]
        chosen = self.pick(options)
        return tree.Default(0, 0, name(cls.word), (argument(self.for_argument(cls, chosen), chosen.name),), "")

    def expectation(self) -> tree.Expect:
        value = self.sizes_of(self.flow[0])
        expected = self.pick(value) if value else 1
        left = self.pick((tree.Attribute(0, 0, name("out"), "c"), name("params"), name("layers"), number(expected)))
        operator = self.pick((">=", "<=", ">", "==", "!="))
        return tree.Expect(
            0, 0, tree.Binary(0, 0, operator, left, number(self.pick((0, 1, expected, 10**6)))), None, None, ""
        )

    def sizes_of(self, value: Value) -> list[int]:
        return list(self.reference.tensors[value.number].shape[1:])

    def written_shape(self) -> Any:
        sizes = self.sizes_of(self.flow[0]) if self.flow else [1]
        if self.chance(0.3):
            sizes[self.random.randrange(len(sizes))] += 1
        return tree.Size(0, 0, tuple(sizes)) if len(sizes) > 1 else number(sizes[0])

    # ------------------------------------------------------------ elements

    def element(self, depth: int) -> Any:
        element = self.bare(depth)
        if isinstance(element, tree.Named):
            return element
        if self.chance(0.3 if self.inside and not isinstance(element, tree.Call) else 0.12):
            element = labelled(element, self.label(), self.chance(0.35) and not isinstance(element, tree.Call))
        return element

    def bare(self, depth: int) -> Any:
        roll = self.random.random()
        if depth > 0 and roll < 0.36:
            make: Callable[[int], Any] = self.pick(
                (self.branches, self.branches, self.gate, self.head, self.repeat, self.condition, self.loop, self.row)
            )
            return make(depth - 1)
        if self.nets and self.chance(0.2):
            return self.network_call()
        if self.taps() and self.chance(0.2):
            return call(self.pick(("add", "cat", "cat", "mul", "sub")), argument(attributes(self.tapped())))
        if roll < 0.46 and self.blocks:
            return self.block_call()
        shared = [n for n, v in self.scope.names.items() if isinstance(v, Shared)]
        if roll < (0.6 if self.inside else 0.52) and shared:
            return call(self.pick(shared))
        return self.fitting() if roll < 0.8 else self.layer()

    def row(self, depth: int) -> tree.Group:
        return group(chain(*[self.element(depth) for _ in range(self.pick((1, 2, 2)))]))

    def branches(self, depth: int) -> Any:
        def branch() -> tree.Chain:
            if self.chance(0.25):
                return chain(call("id"))
            known = self.values()
            if self.taps() and self.chance(0.2):
                return chain(self.tap(), *([self.keeping()] if self.chance(0.3) else []))
            if known and self.chance(0.15):
                return chain(call(self.pick(known)))
            return chain(
                *[self.element(depth) if self.chance(0.3) else self.keeping() for _ in range(self.pick((1, 2)))]
            )

        merge = call(self.pick(("add", "cat", "mul", "sub", "maximum", "mean", "div", "minimum")))
        some = group(*[branch() for _ in range(self.pick((2, 2, 2, 3)))])
        return group(chain(some, merge)) if self.chance(0.95) else some

    def gate(self, depth: int) -> tree.Group:
        inner = [call("gap"), call("conv", argument(self.integer(self.channels()))), call("sigmoid")]
        return group(chain(group(chain(call("id")), chain(*inner)), call("mul")))

    def head(self, depth: int) -> tree.Group:
        """From a map to a vector, as networks end."""
        pooled = [call("gap")] if self.chance(0.5) else []
        wide = call(
            "fc",
            argument(self.integer(self.channels())),
            *([argument(literal(False), "bias")] if self.chance(0.3) else []),
        )
        return group(chain(*pooled, call("flatten"), wide))

    def repeat(self, depth: int) -> tree.Repeat:
        inner = self.keeping() if self.chance(0.6) else self.element(depth)
        count = self.integer(self.pick((0, 1, 2, 2, 3)))
        return tree.Repeat(0, 0, inner, count)

    def condition(self, depth: int) -> tree.Condition:
        def part() -> tree.Body:
            return body(line(*[self.element(depth) for _ in range(self.pick((1, 1, 2)))]))

        known = [*self.values(), *(["in"] if "in" in self.scope.names else [])]
        left: Any = self.integer(self.channels())
        if known and self.chance(0.5):
            of = attributes(self.tapped()) if self.taps() and self.chance(0.4) else name(self.pick(known))
            left = tree.Attribute(0, 0, of, self.pick(("c", "h", "w", "l")))
        test: Any = tree.Binary(0, 0, self.pick(("==", "!=", "<", ">=")), left, number(self.channels()))
        if self.chance(0.2):
            test = self.pick(
                (
                    literal(self.chance(0.5)),
                    tree.Unary(0, 0, "not", test),
                    tree.Binary(0, 0, "and", test, literal(True)),
                )
            )
        return tree.Condition(0, 0, test, part(), part() if self.chance(0.5) else None)

    def loop(self, depth: int) -> tree.Loop:
        if self.chance(0.3):
            index = f"j{depth}"
            inner = self.keeping()
            if self.chance(0.4):
                inner = tree.Named(0, 0, inner, tree.Label(0, 0, (f"{self.label()}_", name(index))), False)
            return tree.Loop(0, 0, (name(index),), number(0), self.integer(self.pick((0, 1, 2, 3))), body(line(inner)))
        rows = [[self.pick(_CHANNELS), self.pick((1, 1, 2, 3))] for _ in range(self.pick((1, 2, 2, 3)))]
        if self.chance(0.04):
            rows[-1].pop()
        names = (name(f"c{depth}"), name(f"k{depth}"))
        inner = call("conv", argument(names[0]), argument(names[1], "k"), argument(number(1), "p"))
        more = [self.keeping()] if self.chance(0.5) else []
        return tree.Loop(0, 0, names, literal(rows), None, body(line(inner, *more)))

    def given(self, parameters: tuple[tree.Parameter, ...]) -> tuple[tree.Argument, ...]:
        """Arguments for some of the parameters of a block or a network."""
        given: list[tree.Argument] = []
        for parameter in parameters:
            if self.chance(0.4):
                value = self.pick(_CHANNELS) if isinstance(parameter.default, tree.Number) else None
                node = parameter.default if value is None else self.integer(value)
                by = parameter.name.text
                if len(by) == 1 and value is not None and self.chance(0.5):
                    given.append(argument(name(f"{by}{value}")))
                else:
                    given.append(argument(node, by if self.chance(0.6) or given else None))
        return tuple(given)

    def block_call(self) -> Any:
        definition = self.pick(self.blocks)
        element = call(definition.name.text, *self.given(definition.parameters))
        if definition.takes and self.chance(0.9):
            known = self.values()
            other = chain(call(self.pick(known))) if known and self.chance(0.5) else chain(self.keeping())
            return group(chain(group(chain(call("id")), other), element))
        return element

    def network_call(self) -> Any:
        """A network inside this one, mostly one that takes what flows, as far as one of its layers or all of it."""
        flows = self.flow and (self.flow[0].kind, len(self.sizes_of(self.flow[0])))
        suitable = [net for net in self.nets if net.takes[0] == flows]
        net = self.pick(suitable if suitable and self.chance(0.95) else self.nets)
        given = list(self.given(net.parameters))
        ends = net.paths and self.chance(0.6)
        if ends:
            for _ in range(1 if self.chance(0.98) else 2):
                given.insert(self.random.randint(0, len(given)) if self.chance(0.3) else 0, self.until(net))
        element: Any = call(net.name if self.chance(0.99) else NET, *given)
        if self.chance(0.65):
            element = labelled(element, self.label(), self.chance(0.02))
        count = len(net.takes) if self.chance(0.95) else self.pick((1, 2, 3))
        if count == 1 and (ends or net.gives == 1):
            return element
        before, after = [], []
        if count > 1:
            known = [n for n in self.values() if self.scope.names[n].kind == net.takes[0][0]]
            others = [chain(call(self.pick(known)) if known and self.chance(0.5) else call("id")) for _ in range(count)]
            before = [group(*others)]
        if not ends and net.gives > 1 and self.chance(0.8):
            after = [call(self.pick(("add", "cat", "cat", "mul")))]
        return group(chain(*before, element, *after))

    def until(self, net: Inner) -> tree.Argument:
        path = self.pick(net.paths)
        if self.chance(0.06):
            path = self.other(path)
        is_text = path[0].isdigit() or self.chance(0.3)
        return argument(tree.String(0, 0, path) if is_text else attributes(path), "until")

    # ------------------------------------------------------------ layers

    def channels(self) -> int:
        """The channels of what flows, or others."""
        if self.flow and self.chance(0.6):
            value = self.flow[0]
            sizes = self.sizes_of(value)
            return sizes[-1] if value.kind == "tokens" else sizes[0]
        found: int = self.pick(_CHANNELS)
        return found

    def keeping(self) -> tree.Call:
        """A layer that changes no shape, if it fits at all."""
        if self.chance(0.5):
            return self.activation()
        size = self.pick((1, 3, 3, 5))
        if self.chance(0.4):
            return self.pick((call("bn"), call("dropout", argument(number(0.5))), call("gn", argument(number(1)))))
        padding = argument(number(size // 2), "p") if self.chance(0.8) else argument(name("same"), "p")
        return call("conv", argument(self.integer(self.channels())), argument(number(size), "k"), padding)

    def activation(self) -> tree.Call:
        parts = [n for n, v in self.scope.names.items() if isinstance(v, Part) and isinstance(v.target, type)]
        return call(self.pick(parts)) if parts and self.chance(0.3) else call(self.pick(_ACTIVATIONS))

    def fitting(self) -> tree.Call:
        """A layer that takes what flows."""
        if not self.flow:
            return self.layer()
        kind = self.flow[0].kind
        rank = len(self.sizes_of(self.flow[0])) - 1
        suitable = [c for c in self.layers if kind in c.accepts and (kind != "map" or rank in c.ranks)]
        return self.layer(self.pick(suitable or self.layers))

    def layer(self, cls: type[Layer] | None = None) -> tree.Call:
        cls = cls or self.pick(self.layers)
        assert cls is not None
        if self.flow and self.chance(0.7):
            likely = self.likely(cls)
            if likely is not None:
                return likely
        signature = cls.signature()
        given = []
        by_place = True
        for declared in signature.arguments.values():
            if not declared.required and not self.chance(0.25 if len(signature.arguments) > 3 else 0.4):
                by_place = False
                continue
            if declared.required and self.chance(0.01):
                by_place = False
                continue
            if declared.reference:
                value: Any = self.reference_to() or number(1)
            else:
                value = self.for_argument(cls, declared)
            if declared.positional and by_place and not _is_call_like(value):
                given.append(argument(value))
            else:
                given.append(
                    argument(value, declared.letter if declared.letter and self.chance(0.5) else declared.name)
                )
        merges = cls.inputs[1] != 1
        if merges and self.chance(0.6):
            other = self.reference_to()
            given += [argument(other)] if other else []
        word = self.pick((cls.word, *cls.aliases))
        return call(word, *given)

    def likely(self, cls: type[Layer]) -> tree.Call | None:
        """Layers whose arguments hang together, with such as fit; chance alone would hardly find them."""
        sizes = self.sizes_of(self.flow[0])
        rank = max(1, len(sizes) - 1)
        other = self.reference_to()
        like = argument(other, "like") if other else None
        match cls.word:
            case "reshape":
                parts = _factors(self.random, prod(sizes), self.pick((1, 2, 3, 4)))
                return call("reshape", argument(tree.Size(0, 0, parts) if len(parts) > 1 else number(parts[0])))
            case "to_map":
                parts = _factors(self.random, sizes[0], self.pick((1, 2, 2, 3)))
                return call("to_map", argument(tree.Size(0, 0, parts) if len(parts) > 1 else number(parts[0])))
            case "upsample" | "crop":
                each = [self.pick((1, 2, 3)) for _ in range(rank)]
                sized: Any = number(each[0]) if rank == 1 or self.chance(0.5) else tree.Size(0, 0, tuple(each))
                if cls.word == "crop":
                    return call("crop", argument(sized) if like is None or self.chance(0.6) else like)
                first = self.pick((argument(sized, "factor"), argument(sized, "size"), like or argument(sized)))
                mode = {1: "linear", 2: self.pick(("bilinear", "bicubic")), 3: "trilinear"}[min(rank, 3)]
                more = [argument(name(mode), "mode")] if self.chance(0.5) else []
                if more and self.chance(0.5):
                    more.append(argument(literal(self.chance(0.5)), "align_corners"))
                return call(cls.word, first, *more)
        return None

    def for_argument(self, cls: type[Layer], declared: Argument) -> Any:
        """A value for an argument of a layer: mostly one that makes sense."""
        text = str(declared.type)
        if declared.words and (self.chance(0.7) or "int" not in text):
            word = self.pick(declared.words)
            return tree.String(0, 0, word) if word == "default" else name(word)
        if declared.name == "kernel" and self.chance(0.1):
            return number(self.pick((5, 7, 9, 11)))
        if declared.name == "groups" and self.flow:
            channels = self.channels()
            return number(self.pick([g for g in range(1, channels + 1) if channels % g == 0]))
        if declared.type is bool:
            return literal(self.chance(0.5))
        if "float" in text:
            return literal(self.pick((0.0, 0.1, 0.2, 0.5, 1.0, 1.5, 2.0, -0.5, 1e-5)))
        small = self.pick((1, 1, 1, 2, 2, 2, 3, 3, 4, 0)) if self.chance(0.97) else self.pick((-1, 0, 7, 2.5))
        if declared.name in ("channels", "features", "size", "width", "shape") and self.chance(0.8):
            small = self.channels()
        if "tuple" in text and self.chance(0.25):
            rank = max(1, len(self.sizes_of(self.flow[0])) - 1) if self.flow else 2
            rank = rank if self.chance(0.9) else self.pick((1, 2, 3))
            sizes = tuple(
                self.pick((0, 1, 1, 2, 3)) if declared.name == "padding" else self.pick((1, 1, 2, 3))
                for _ in range(rank)
            )
            if rank > 1 and self.chance(0.5):
                return tree.Size(0, 0, sizes)
            return literal(sizes)
        return self.integer(small) if isinstance(small, int) else literal(small)

    def integer(self, value: int) -> Any:
        """A whole number, written out or worked out."""
        known = [n for n, v in self.scope.names.items() if isinstance(v, int) and not isinstance(v, bool)]
        if known and self.chance(0.3):
            chosen = self.pick(known)
            rest = value - self.scope.names[chosen]
            written = tree.Symbol(0, 0, chosen) if chosen.isupper() else name(chosen)
            if rest == 0 or self.chance(0.3):
                return written
            return tree.Binary(0, 0, "+" if rest > 0 else "-", written, number(abs(rest)))
        if self.taps() and self.chance(0.08):
            return tree.Attribute(0, 0, attributes(self.tapped()), "c")
        if value > 1 and value % 2 == 0 and self.chance(0.1):
            return tree.Binary(0, 0, "*", number(2), number(value // 2))
        return literal(value)


def _is_call_like(value: Any) -> bool:
    """Whether a value cannot stand alone by its place."""
    return isinstance(value, tree.List)


def _factors(random: Random, whole: int, count: int) -> tuple[int, ...]:
    """Numbers whose product is the whole."""
    parts = []
    for _ in range(count - 1):
        part = random.choice([n for n in range(1, whole + 1) if whole % n == 0])
        parts.append(part)
        whole //= part
    return (*parts, whole)


def slip(random: Random, file: tree.File) -> tree.File:
    """The file with one number, word, element or argument changed."""
    kinds = tree.Number | tree.Chain | tree.Call | tree.Size | tree.Path | tree.Argument
    nodes = [node for node in _nodes(file) if isinstance(node, kinds)]
    for _ in range(20):
        node = random.choice(nodes)
        changed: Any = None
        match node:
            case tree.Number(value=value):
                changed = number(max(0, random.choice((value + 1, value - 1, 2 * value, value // 2))))
            case tree.Argument(name=tree.Name(text="until")):
                changed = argument(name(random.choice(("conv1", "relu1"))), "until")
            case tree.Path(text=text):
                changed = tree.Path(0, 0, text.rpartition(".")[0] or f"{text}.0")
            case tree.Size(extents=extents):
                at = random.choice([at for at, extent in enumerate(extents) if isinstance(extent, int)])
                size = max(0, int(extents[at]) + random.choice((-1, 1)))
                changed = tree.Size(0, 0, (*extents[:at], size, *extents[at + 1 :]))
            case tree.Chain(elements=elements) if len(elements) > 1:
                at = random.randrange(len(elements) - 1)
                swapped = (*elements[:at], elements[at + 1], elements[at], *elements[at + 2 :])
                changed = tree.Chain(0, 0, random.choice((swapped, elements[:at] + elements[at + 1 :])))
            case tree.Call(arguments=arguments) if arguments:
                at = random.randrange(len(arguments))
                changed = tree.Call(0, 0, node.name, arguments[:at] + arguments[at + 1 :])
        if changed is not None and changed != node:
            found: tree.File = _with(file, node, changed)
            return found
    return file


def _nodes(node: tree.Node) -> list[tree.Node]:
    found = [node]
    for field in type(node).__match_args__[2:]:
        value = getattr(node, field)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, tree.Node):
                found += _nodes(inner)
    return found


def _with(node: Any, old: tree.Node, new: tree.Node) -> Any:
    """The tree with one node replaced."""
    if node is old:
        return new
    if isinstance(node, tuple):
        return tuple(_with(item, old, new) for item in node)
    if not isinstance(node, tree.Node):
        return node
    return replace(node, **{f: _with(getattr(node, f), old, new) for f in type(node).__match_args__[2:]})
