"""The language, run eagerly: a walk over the tree that calls torch at each layer and infers nothing.

It follows grammar/README.md. From the layers it takes what is declared for the text (words, arguments, the kinds they
take) and the constructor in torch; whether that accepts what flows in, torch alone decides.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import torch
from pydantic import ValidationError
from torch import nn

from archdsl.elaborate.naming import refused_name
from archdsl.layers import STANDARD, Call, Catalog, Layer, Tensor
from archdsl.layers.call import Parameter
from archdsl.lowering.helpers import HELPERS
from archdsl.syntax import tree
from archdsl.torch.vision import import_torchvision

BATCH = 2
MOST_VALUES = 200_000
"""Beyond so many values a tensor is no longer small; the network is not judged."""

_MAX_POOLS = (nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d)

SCOPE: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
for _source in HELPERS.values():
    exec(_source, SCOPE)

_COMPACT = re.compile(r"([a-z])([0-9]+(?:x[0-9]+)*)")


class RefusedError(Exception):
    """What a rule of the language or torch itself does not allow."""


class MismatchError(RefusedError):
    """A shared module would be another one at a later use."""


class UnknownError(Exception):
    """An expression asks for what a layer would give that does not take what flows."""


FAILURES = (
    RefusedError,
    RuntimeError,
    ValueError,
    TypeError,
    IndexError,
    ZeroDivisionError,
    OverflowError,
    AssertionError,
)
"""What torch, Python and the reference raise for a network that cannot be."""


class TooLargeError(Exception):
    """Nothing is wrong, but it is not small."""


class ReachedError(Exception):
    """A network has come to where it is to end."""

    def __init__(self, end: End, flow: Flow) -> None:
        super().__init__(end.path)
        self.end = end
        self.flow = flow


class Value(NamedTuple):
    """A tensor that flows, by its number on the tape, with the kind that the language gives it."""

    number: int
    kind: Any
    vocabulary: int | None = None


NOTHING = Value(-1, None)
"""What a layer gives that does not take what flows, in a network inside another: nothing may come of it."""

UNKNOWN = object()
"""The value of an expression that asks for it."""


class Held(nn.Module):
    """A parameter that its layer's module holds itself, and what is done with it."""

    def __init__(self, lowered: Parameter) -> None:
        super().__init__()
        self.parameter = eval(lowered.call.text(), SCOPE)
        self.use = eval(f"lambda x, parameter: {lowered.using('parameter').text(['x'])}", SCOPE)

    def forward(self, x: torch.Tensor) -> Any:
        return self.use(x, self.parameter)


def state_of(path: str, module: nn.Module) -> dict[str, torch.Tensor]:
    """What a module adds to the network's `state_dict()`."""
    if isinstance(module, Held):
        return {path: module.parameter.detach()}
    return {f"{path}.{name}": value for name, value in module.state_dict().items()}


@dataclass(frozen=True)
class Op:
    """A layer that was run."""

    path: str
    layer: Layer
    tensors: tuple[Tensor, ...]
    run: Callable[..., Any]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    kinds: tuple[Any, ...]


@dataclass(frozen=True, eq=False)
class Made:
    """A layer or a module that was run: what came out of it, and the layers that it is."""

    path: str
    flow: Flow
    ops: tuple[Op, ...]
    is_module: bool = False


@dataclass(frozen=True, eq=False)
class End:
    """A path at which a network inside another ends."""

    path: str


@dataclass(eq=False)
class Ports:
    """The inputs and outputs of a network: where they may stand, and for a network inside another what flows in."""

    path: str = ""
    depth: int = 0
    given: Flow | None = None
    first: int = 0
    """How many layers had been run before it."""
    is_as_written: bool = True
    """Whether the sizes that flow in are those that the text has."""
    inputs: list[tuple[str, Value]] = field(default_factory=list)
    outputs: list[tuple[str, Value, bool]] = field(default_factory=list)


@dataclass(eq=False)
class Frame:
    """A module being filled."""

    path: str
    numbered: bool = False
    reused: bool = False
    names: set[str] = field(default_factory=set)
    counters: dict[str, int] = field(default_factory=dict)
    next: int = 0
    bare: bool = False
    """Whether it is there for a shared element, and is no module."""

    def take(self, name: str) -> None:
        if name in self.names:
            raise RefusedError(f"{name} is taken")
        self.names.add(name)
        self.next += self.numbered

    def default(self, word: str, is_module: bool) -> str:
        if self.numbered and is_module:
            while str(self.next) in self.names:
                self.next += 1
            name = str(self.next)
            self.next += 1
        else:
            count = self.counters.get(word, 0) + 1
            while f"{word}{count}" in self.names:
                count += 1
            self.counters[word] = count
            name = f"{word}{count}"
        self.names.add(name)
        return name

    def copy(self) -> Frame:
        return replace(self, names=set(self.names), counters=dict(self.counters))


@dataclass(eq=False)
class Scope:
    """Names that are known in a body."""

    parent: Scope | None = None
    names: dict[str, Any] = field(default_factory=dict)
    defaults: dict[str, dict[str, tuple[tree.Argument, Scope]]] = field(default_factory=dict)
    home: Scope | None = None
    """Where values named in this body are known: the block's or the network's own."""
    modules: dict[str, Any] = field(default_factory=dict)
    """For each module that `as` has named, what comes out of the layers and modules inside it, by path."""

    def inside(self) -> Scope:
        return Scope(self, {}, self.defaults, self.home)

    def find(self, name: str) -> Any:
        at: Scope | None = self
        while at is not None:
            if name in at.names:
                return at.names[name]
            at = at.parent
        return None

    def parts(self, name: str) -> Any:
        """What comes out of the parts of a named module, by path; None where the name is not one's."""
        at: Scope | None = self
        while at is not None:
            if name in at.modules or name in at.names:
                return at.modules.get(name)
            at = at.parent
        return None


@dataclass(frozen=True)
class Part:
    """A layer, a block or a network as a value, perhaps with arguments."""

    target: Any
    arguments: tuple[tuple[tree.Argument, Scope], ...] = ()


@dataclass(eq=False)
class Shared:
    statement: tree.Share
    scope: Scope
    frame: Frame
    used: bool = False


Flow = tuple[Value, ...]


class Reference:
    """One network, run while it is read."""

    def __init__(self, file: tree.File, catalog: Catalog = STANDARD) -> None:
        self.catalog = catalog
        self.tape: list[Op] = []
        self.tensors: list[torch.Tensor] = []
        self.modules: dict[str, tuple[str, Any]] = {}
        self.expressions: dict[str, tuple[str, int]] = {}
        self.made: list[Made] = []
        self.ports = Ports()
        self.ends: list[End] = []
        self.refusals = 0
        """How many layers have not taken what flows, in networks inside this one."""
        self.expectations: list[tuple[tree.Expect, Scope]] = []
        self.frame = Frame("")
        self.root: tree.Net | None = None
        self.calls: list[tree.Block | tree.Net] = []
        """The blocks that are being run, and the networks inside others."""
        self.file = Scope()
        self.file.home = self.file
        self.definitions: dict[str, Any] = {}
        for definition in file.definitions:
            if isinstance(definition, tree.Default):
                continue
            name = definition.name.text
            if name in self.definitions:
                raise RefusedError(f"{name} is defined twice")
            self.definitions[name] = definition
            if not isinstance(definition, tree.Let):
                self.file.names[name] = Part(definition)
        for definition in file.definitions:
            if isinstance(definition, tree.Default):
                self.default(definition, self.file)
            elif isinstance(definition, tree.Let):
                self.file.names[definition.name.text] = self.value(definition.value, self.file)

    @property
    def inputs(self) -> list[tuple[str, Value]]:
        return self.ports.inputs

    @property
    def outputs(self) -> list[tuple[str, Value, bool]]:
        return self.ports.outputs

    # ------------------------------------------------------------ networks

    def network(self, name: str) -> None:
        """Runs a network of the file, all of it."""
        net, given, expectations = self.resolved(self.defined(name))
        self.root = net
        scope = self.begin()
        self.parameters(net.parameters, given, scope)
        flow = self.body(net.body, (), scope)
        self.end(flow, expectations, scope)

    def resolved(
        self, net: tree.Net | tree.Variant
    ) -> tuple[tree.Net, list[tuple[tree.Argument, Scope]], list[tree.Expect]]:
        """The network that a variant is of, what the variants on the way give it, and what they promise."""
        given: list[tuple[tree.Argument, Scope]] = []
        expectations: list[Any] = []
        names = [p.name.text for p in self.base(net).parameters]
        while isinstance(net, tree.Variant):
            own = self.by_name([(argument, self.file) for argument in net.arguments], names)
            given = self.overridden(own, given)
            if net.body:
                expectations += net.body.statements
            net = self.defined(net.base.text)
        return net, given, expectations

    def base(self, net: Any) -> tree.Net:
        seen = []
        while isinstance(net, tree.Variant):
            if net in seen:
                raise RefusedError("a variant of itself")
            seen.append(net)
            net = self.defined(net.base.text)
        found: tree.Net = net
        return found

    def defined(self, name: str) -> Any:
        found = self.definitions.get(name)
        if not isinstance(found, tree.Net | tree.Variant):
            raise RefusedError(f"no network {name}")
        return found

    def by_name(
        self, arguments: Sequence[tuple[tree.Argument, Scope]], names: list[str]
    ) -> list[tuple[tree.Argument, Scope]]:
        """Arguments with the names of their places."""
        named: dict[str, tuple[tree.Argument, Scope]] = {}
        for argument, scope in arguments:
            value = argument.value
            if argument.name is not None:
                name = argument.name.text
            else:
                match = _compact(value)
                if match and match[0] in names and scope.find(argument.value.text) is None:
                    name, number = match
                    value = _literal(number)
                else:
                    free = [each for each in names if each not in named]
                    if not free:
                        raise RefusedError("too many arguments")
                    name = free[0]
            if name in named:
                raise RefusedError("an argument is given twice")
            named[name] = tree.Argument(0, 0, tree.Name(0, 0, name), value), scope
        return list(named.values())

    @staticmethod
    def overridden(
        own: list[tuple[tree.Argument, Scope]], outer: list[tuple[tree.Argument, Scope]]
    ) -> list[tuple[tree.Argument, Scope]]:
        """The arguments of a call and those of a call around it, which count for more."""
        return list(({a.name.text: (a, s) for a, s in (*own, *outer) if a.name}).values())

    def begin(self) -> Scope:
        scope = Scope(self.file, {}, self.file.defaults)
        scope.home = scope
        return scope

    def end(self, flow: Flow, promised: Sequence[tree.Expect] = (), scope: Scope | None = None) -> None:
        """What the network gives, and whether it keeps what it promises."""
        if not self.outputs:
            if not flow:
                raise RefusedError("nothing comes out")
            self.outputs.extend(("", value, False) for value in flow)
        elif all(training for _, _, training in self.outputs):
            raise RefusedError("nothing comes out but in training")
        if not self.tape:
            raise RefusedError("there is no layer")
        pairs = [*self.expectations, *((statement, scope or self.file) for statement in promised)]
        for statement, where in pairs:
            inner = where.inside()
            inner.names = {k: v for k, v in self.facts().items() if where.find(k) is None}
            if self.value(statement.condition, inner) is not True:
                raise RefusedError("an expectation does not hold")

    def facts(self) -> dict[str, Any]:
        modules = {id(m): m for _, m in self.modules.values() if isinstance(m, nn.Module)}
        return {
            "params": sum(p.numel() for m in modules.values() for p in m.parameters()),
            "layers": len(self.tape),
            "out": self.outputs[0][1],
        }

    # ------------------------------------------------------------ statements

    def body(self, body: tree.Body, flow: Flow, scope: Scope) -> Flow:
        for statement in body.statements:
            flow = self.statement(statement, flow, scope)
        return flow

    def statement(self, statement: tree.Statement, flow: Flow, scope: Scope) -> Flow:
        match statement:
            case tree.Line():
                return self.chain(statement.chain, flow, scope)
            case tree.Input():
                self.at_top()
                value = self.input(statement, scope)
                alone = len(self.tape) == self.ports.first and len(self.inputs) > 1
                return (*flow, value) if alone else (value,)
            case tree.Output():
                self.at_top()
                for name in statement.names:
                    value = scope.find(name.text)
                    value = NOTHING if value is UNKNOWN else value
                    if not isinstance(value, Value) or name.text in [n for n, _, _ in self.outputs]:
                        raise RefusedError(f"{name.text} cannot be an output")
                    self.outputs.append((name.text, value, statement.when is not None))
            case tree.Let():
                if scope.names.get(statement.name.text) is not None:
                    raise RefusedError(f"{statement.name.text} is set twice")
                scope.names[statement.name.text] = self.known(statement.value, scope)
            case tree.Default():
                self.default(statement, scope)
            case tree.Share():
                name = statement.name.text
                if name in scope.names or refused_name(name) or isinstance(statement.element, tree.Named):
                    raise RefusedError(f"{name} cannot be shared")
                self.frame.take(name)
                scope.names[name] = Shared(statement, scope, self.frame)
            case tree.Expect():
                if not self.calls:
                    self.expectations.append((statement, scope))
                elif isinstance(self.calls[-1], tree.Net):
                    pass  # it is about that network alone
                elif self.known(statement.condition, scope) not in (True, UNKNOWN):
                    raise RefusedError("an expectation does not hold")
            case _:
                raise AssertionError(statement)
        return flow

    def at_top(self) -> None:
        if (self.frame.path, len(self.calls)) != (self.ports.path, self.ports.depth):
            raise RefusedError("an input or an output in a block or a group")

    def default(self, statement: tree.Default, scope: Scope) -> None:
        cls = self.catalog.find(statement.layer.text)
        if cls is None:
            raise RefusedError(f"no layer {statement.layer.text}")
        given, extra = self.sorted(cls, [(a, scope) for a in statement.arguments], scope)
        if extra:
            raise RefusedError("too many arguments")
        for name, (argument, _) in given.items():
            node, words = argument.value, cls.signature().arguments[name].words
            is_word = isinstance(node, tree.Name) and scope.find(node.text) is None
            if words and is_word and node.text not in words:
                raise RefusedError(f"{name} has no choice {node.text}")
        scope.defaults = {**scope.defaults, cls.word: {**scope.defaults.get(cls.word, {}), **given}}

    def input(self, statement: tree.Input, scope: Scope) -> Value:
        name = statement.name.text if statement.name else "input"
        if name in [n for n, _ in self.inputs] or (statement.name and refused_name(name)):
            raise RefusedError(f"{name} is no name for an input")
        sizes = self.extents(statement.shape, scope)
        if not all(size is None or (_whole(size) and size >= 1) for _, size in sizes):
            raise RefusedError("sizes are whole numbers from 1 up")
        kind = statement.kind.text if statement.kind else "map"
        least, most = {"map": (1, 4), "tokens": (2, 2), "ids": (1, 1)}.get(kind, (1, 0))
        vocabulary = self.value(statement.vocabulary, scope) if statement.vocabulary else None
        is_vocabulary = type(vocabulary) is int and vocabulary >= 1
        if not least <= len(sizes) <= most or is_vocabulary is not (kind == "ids"):
            raise RefusedError("no such input")
        if kind != "ids" and sizes[kind == "tokens"][1] is None:
            raise RefusedError("channels are known")
        if kind == "map" and len(sizes) == 1:
            kind = "vector"
        if self.ports.given is None:
            value = self.made_up(kind, [size for _, size in sizes], vocabulary)
        else:
            value = self.given(kind, sizes, vocabulary, scope)
        self.inputs.append((name, value))
        self.frame.names.add(name)
        if statement.name:
            scope.names[name] = value
        return value

    def extents(self, node: Any, scope: Scope) -> list[tuple[str | None, Any]]:
        """The sizes that are written for an input: letters, and what is known of each."""

        def extent(item: Any) -> tuple[str | None, Any]:
            letter = item if isinstance(item, str) else item.text if isinstance(item, tree.Symbol) else None
            if letter is not None:
                return letter, scope.find(letter)
            return None, self.value(item, scope) if isinstance(item, tree.Node) else item

        match node:
            case tree.Size():
                return [extent(item) for item in node.extents]
            case tree.List():
                return [extent(item) for item in node.items]
            case tree.Symbol():
                return [extent(node)]
        shape = self.value(node, scope)
        return [(None, size) for size in (shape if isinstance(shape, tuple) else (shape,))]

    def made_up(self, kind: str, sizes: list[Any], vocabulary: Any) -> Value:
        """An input of the network that is run."""
        if None in sizes:
            raise RefusedError("a size is open")
        if kind == "ids":
            x: torch.Tensor = torch.randint(0, vocabulary, (BATCH, *map(int, sizes)))
        else:
            # Torch 2.13 crashes in the backward pass of a GroupNorm on channels-last memory that needs no gradient.
            x = torch.randn(BATCH, *map(int, sizes), dtype=torch.float64, requires_grad=True)
        return Value(self.push(x), kind, vocabulary)

    def given(self, kind: str, sizes: list[tuple[str | None, Any]], vocabulary: Any, scope: Scope) -> Value:
        """What flows into a network inside another: of the kind that is written, with as many sizes."""
        assert self.ports.given is not None
        if len(self.inputs) == len(self.ports.given):
            raise RefusedError("more inputs than values that flow in")
        value = self.ports.given[len(self.inputs)]
        shape = self.tensors[value.number].shape[1:]
        if (value.kind, len(shape)) != (kind, len(sizes)):
            raise RefusedError(f"{kind} is taken, and {value.kind} flows in")
        if kind == "ids" and value.vocabulary is not None and value.vocabulary > vocabulary:
            raise RefusedError("ids that it does not know")
        for (letter, written), size in zip(sizes, shape, strict=True):
            self.ports.is_as_written = self.ports.is_as_written and written in (None, size)
            if letter is not None:
                if scope.find(letter) not in (None, size):
                    raise RefusedError(f"{letter} is two sizes")
                scope.names[letter] = size
        return value

    # ------------------------------------------------------------ elements

    def chain(self, chain: tree.Chain, flow: Flow, scope: Scope) -> Flow:
        for place, element in enumerate(chain.elements):
            flow = self.element(element, flow, scope, place == 0)
        return flow

    def element(
        self,
        element: Any,
        flow: Flow,
        scope: Scope,
        first: bool = False,
        label: str | None = None,
        numbered: bool = False,
    ) -> Flow:
        match element:
            case tree.Call():
                return self.call(element, flow, scope, first, label, numbered)
            case tree.Checked():
                flow = self.element(element.element, flow, scope, first, label, numbered)
                self.check(element, flow, scope)
                return flow
            case tree.Named():
                return self.named(element, flow, scope, first)
            case tree.Tap():
                if not first:
                    raise RefusedError(f"{element.path.text} stands after an arrow")
                parts = scope.parts(element.name.text)
                if parts is UNKNOWN or (parts is None and scope.find(element.name.text) in (NOTHING, UNKNOWN)):
                    return (NOTHING,)
                tapped: Flow | None = (parts or {}).get(element.path.text)
                if tapped is None:
                    raise RefusedError(f"{element.path.text} is no part")
                if label is not None:
                    self.frame.take(label)
                return tapped
        if label is not None:
            with_name = Frame(self.child(label), numbered, self.frame.reused)
            self.frame.take(label)
            return self.within(with_name, label, lambda: self.element(element, flow, scope))
        match element:
            case tree.Group():
                return self.group(element, flow, scope)
            case tree.Repeat():
                count = self.known(element.count, scope)
                if count is UNKNOWN:
                    return (NOTHING,)
                if not _whole(count) or count < 0:
                    raise RefusedError("a repeat needs a whole number")
                for _ in range(int(count)):
                    flow = self.element(element.element, flow, scope)
                    if NOTHING in flow:
                        break
                return flow
            case tree.Condition():
                test = self.known(element.test, scope)
                if test is UNKNOWN:
                    return (NOTHING,)
                if not isinstance(test, bool):
                    raise RefusedError("a condition is yes or no")
                body = element.then if test else element.otherwise
                return flow if body is None else self.body(body, flow, scope.inside())
            case tree.Loop():
                return self.loop(element, flow, scope)
        raise AssertionError(element)

    def group(self, group: tree.Group, flow: Flow, scope: Scope) -> Flow:
        branches = group.branches
        if len(branches) == 1:
            return self.chain(branches[0], flow, scope)
        apart = len(flow) == len(branches)
        results: list[Value] = []
        for number, branch in enumerate(branches):
            if len(flow) > 1 and not apart and not self.starts_with_a_value(branch, scope):
                raise RefusedError("several values flow into other branches")
            results += self.chain(branch, (flow[number],) if apart else flow, scope)
        return tuple(results)

    @staticmethod
    def starts_with_a_value(branch: tree.Chain, scope: Scope) -> bool:
        first: Any = branch.elements[0]
        while isinstance(first, tree.Named | tree.Checked):
            first = first.element
        if isinstance(first, tree.Tap):
            return True
        is_name = isinstance(first, tree.Call) and not first.arguments
        return is_name and isinstance(scope.find(first.name.text), Value)

    def loop(self, loop: tree.Loop, flow: Flow, scope: Scope) -> Flow:
        rows = self.known(loop.rows, scope)
        if rows is UNKNOWN:
            return (NOTHING,)
        if loop.stop is not None:
            stop = self.known(loop.stop, scope)
            if stop is UNKNOWN:
                return (NOTHING,)
            if type(rows) is not int or type(stop) is not int:  # yes is none
                raise RefusedError("a range runs between whole numbers")
            rows = tuple(range(rows, stop))
        if not isinstance(rows, tuple):
            raise RefusedError("a loop runs over a list")
        names = [name.text for name in loop.names]
        for row in rows:
            values = row if len(names) > 1 and isinstance(row, tuple) else (row,)
            if len(values) != len(names):
                raise RefusedError("a row of another length")
            inner = scope.inside()
            inner.names = dict(zip(names, values, strict=True))
            flow = self.body(loop.body, flow, inner)
        return flow

    def named(self, named: tree.Named, flow: Flow, scope: Scope, first: bool) -> Flow:
        label = ""
        for part in named.label.parts:
            value = part if isinstance(part, str) else self.known(part, scope)
            if value is UNKNOWN:
                self.element(named.element, flow, scope, first)
                return (NOTHING,)
            if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
                raise RefusedError("no part of a name")
            label += str(value)
        if refused_name(label) or (label[0].isdigit() and not label.isdigit()):
            raise RefusedError(f"{label} is no name")
        inner = named.element
        while isinstance(inner, tree.Checked):
            inner = inner.element
        if isinstance(inner, tree.Named):
            raise RefusedError("two names")
        path, before = self.child(label), len(self.made)
        flow = self.element(named.element, flow, scope, first, label, named.numbered)
        home = scope.home
        assert home is not None
        home.modules.pop(label, None)
        made = self.made[before:]
        if NOTHING in flow:
            home.modules[label] = UNKNOWN
        elif any(each.is_module and each.path == path for each in made):
            inside = [each for each in reversed(made) if each.path.startswith(f"{path}.")]
            home.modules[label] = {each.path[len(path) + 1 :]: each.flow for each in inside}
        if not label.isdigit():
            if not isinstance(home.names.get(label), Value | None):
                raise RefusedError(f"{label} is no value here")
            home.names[label] = NOTHING if NOTHING in flow else flow[0] if len(flow) == 1 else None
        return flow

    def check(self, checked: tree.Checked, flow: Flow, scope: Scope) -> None:
        if not self.ports.is_as_written:
            return
        wanted = self.known(checked.shape, scope)
        if wanted is UNKNOWN or NOTHING in flow:
            return
        sizes = wanted if isinstance(wanted, tuple) else (wanted,)
        if len(flow) != 1 or sizes != tuple(self.tensors[flow[0].number].shape[1:]):
            raise RefusedError("another shape")

    # ------------------------------------------------------------ calls

    def call(self, call: tree.Call, flow: Flow, scope: Scope, first: bool, label: str | None, numbered: bool) -> Flow:
        name = call.name.text
        found = scope.find(name)
        layer = self.catalog.find(name)
        arguments = [(a, scope) for a in call.arguments]
        if isinstance(found, Part):
            arguments = [*found.arguments, *arguments]
            if isinstance(found.target, tree.Block):
                return self.block(found.target, arguments, flow, label, numbered)
            if isinstance(found.target, tree.Net | tree.Variant):
                if numbered:
                    raise RefusedError("a network has names for its layers")
                return self.inside(found.target, arguments, flow, label)
            layer = found.target
        elif isinstance(found, Shared):
            if label is not None:
                self.frame.names.add(label)
            return self.shared(found, call, flow)
        elif isinstance(found, Value) and (layer is None or (first and not arguments)):
            if layer is not None or arguments or not first:
                raise RefusedError(f"{name} is a value")
            if label is not None:
                self.frame.take(label)
            return (found,)
        if found is UNKNOWN:
            return (NOTHING,)
        if layer is None or numbered:
            raise RefusedError(f"{name} is no layer")
        return self.layer(layer, arguments, flow, scope, label)

    def block(
        self,
        definition: tree.Block,
        arguments: list[tuple[tree.Argument, Scope]],
        flow: Flow,
        label: str | None,
        numbered: bool,
    ) -> Flow:
        if any(definition is outer for outer in self.calls):
            raise RefusedError("recursion")
        inner = Scope(self.file, {}, self.file.defaults)
        inner.home = inner
        self.parameters(definition.parameters, arguments, inner)
        names = [take.text for take in definition.takes] or ["in"]
        bare = label is None and not numbered and _bare(definition.body)
        if flow and NOTHING not in flow and len(names) != len(flow):
            raise RefusedError("another number of values")
        if not flow or NOTHING in flow:
            if not bare:
                self.named_as(label, definition.name.text)
            return self.refused(RefusedError("nothing flows in")) if not flow else (NOTHING,)
        inner.names |= dict(zip(names, flow, strict=True))

        def walk() -> Flow:
            self.calls.append(definition)
            result = self.body(definition.body, () if definition.takes else flow, inner)
            self.calls.pop()
            if not result:
                raise RefusedError("the block gives nothing")
            return result

        if bare:
            return walk()
        label = self.named_as(label, definition.name.text)
        return self.within(Frame(self.child(label), numbered, self.frame.reused), label, walk)

    def named_as(self, label: str | None, word: str, is_module: bool = True) -> str:
        """The name of an element: the one that it is given, or the next by default."""
        if label is None:
            return self.frame.default(word, is_module)
        self.frame.take(label)
        return label

    def refused(self, problem: BaseException) -> Flow:
        """What comes of a layer that does not take what flows: in a network inside another it may not be needed."""
        if self.ports.given is None:
            raise problem
        self.refusals += 1
        return (NOTHING,)

    def inside(
        self,
        network: tree.Net | tree.Variant,
        arguments: list[tuple[tree.Argument, Scope]],
        flow: Flow,
        label: str | None,
    ) -> Flow:
        """A network inside another: it runs on what flows in, as far as it is to, and what it did in vain is undone."""
        definition, given, _ = self.resolved(network)
        if definition is self.root or any(definition is outer for outer in self.calls):
            raise RefusedError("recursion")
        ends = [_path(a.value, s) for a, s in arguments if a.name and a.name.text == "until"]
        if len(ends) > 1:
            raise RefusedError("two ends")
        count = sum(isinstance(statement, tree.Input) for statement in definition.body.statements)
        if flow and NOTHING not in flow and len(flow) != count:
            raise RefusedError("another number of values")
        own = [(a, s) for a, s in arguments if a.name is None or a.name.text != "until"]
        named = self.by_name(own, [p.name.text for p in definition.parameters])
        scope = self.begin()
        self.parameters(definition.parameters, self.overridden(given, named), scope)
        if label is None and self.frame.numbered:
            label = self.frame.default(network.name.text, True)
        else:
            word, number = network.name.text, 1
            while label is None and (word if number == 1 else f"{word}_{number}") in self.frame.names:
                number += 1
            label = label or (word if number == 1 else f"{word}_{number}")
            self.frame.take(label)
        if not flow or NOTHING in flow:
            return self.refused(RefusedError("nothing flows in")) if not flow else (NOTHING,)
        path = self.child(label)
        refusals = self.refusals
        outer, depth = self.ports, len(self.calls)
        before = len(self.tape), len(self.tensors), len(self.made)
        own_ends = [End(f"{path}.{end}") for end in ends]

        def walk() -> Flow:
            self.calls.append(definition)
            self.ports = Ports(path, len(self.calls), flow, len(self.tape))
            self.ends += own_ends
            try:
                result = self.body(definition.body, (), scope)
                if ends and self.refusals == refusals:
                    raise RefusedError(f"{ends[0]} is not in it")
                result = tuple(value for _, value, training in self.outputs if not training) or result
                result = (NOTHING,) if ends else result
            except ReachedError as reached:
                if reached.end not in own_ends:
                    raise
                result = reached.flow
            finally:
                self.ports = outer
                del self.calls[depth:]
                self.ends = [end for end in self.ends if end not in own_ends]
            if not result:
                raise RefusedError("the network gives nothing")
            if NOTHING in result:
                if outer.given is None:
                    raise RefusedError("what it gives is refused inside it")
                return (NOTHING,)
            self.refusals = refusals
            self.undo(result, *before)
            return result

        return self.within(Frame(path, False, self.frame.reused), label, walk)

    def undo(self, results: Flow, ops: int, tensors: int, made: int) -> None:
        """Takes back what has been run from a layer on and does not lead to the results."""
        needed = {value.number for value in results}
        kept = []
        for op in reversed(self.tape[ops:]):
            if needed.intersection(op.outputs):
                needed.update(op.inputs)
                kept.append(op)
        self.tape[ops:] = reversed(kept)
        there = {number for op in kept for number in op.outputs}
        left = set(map(id, kept))
        made_before, self.made = self.made[made:], self.made[:made]
        for each in made_before:
            flow = tuple(value for value in each.flow if value.number < tensors or value.number in there)
            inside = tuple(op for op in each.ops if id(op) in left)
            if flow and inside and NOTHING not in flow:
                self.made.append(replace(each, flow=flow, ops=inside))
        paths = {op.path for op in self.tape}
        self.modules = {path: module for path, module in self.modules.items() if path in paths}
        self.expressions = {path: text for path, text in self.expressions.items() if path in paths}

    def within(self, frame: Frame, name: str, walk: Callable[[], Flow]) -> Flow:
        outer, ops = self.frame, len(self.tape)
        self.frame = frame
        try:
            flow = walk()
        except ReachedError as reached:  # as much as there is of it ends there
            self.made.append(Made(frame.path, reached.flow, tuple(self.tape[ops:]), True))
            raise
        finally:
            self.frame = outer
        if len(self.tape) == ops:  # it holds nothing, and so is no module
            outer.names.discard(name)
            outer.next -= outer.numbered and name.isdigit()
        else:
            self.reached(Made(frame.path, flow, tuple(self.tape[ops:]), True))
        return flow

    def reached(self, made: Made) -> None:
        """Puts down a layer or a module, and ends the network that is to end there."""
        self.made.append(made)
        for end in self.ends:
            if end.path == made.path and NOTHING not in made.flow:
                raise ReachedError(end, made.flow)

    def child(self, name: str) -> str:
        return f"{self.frame.path}.{name}" if self.frame.path else name

    def parameters(
        self, parameters: Sequence[tree.Parameter], given: list[tuple[tree.Argument, Scope]], inner: Scope
    ) -> None:
        names = [p.name.text for p in parameters]
        for argument, scope in given:
            if argument.name is not None:
                name, value = argument.name.text, self.known(argument.value, scope)
            else:
                match = _compact(argument.value)
                if match and match[0] in names and scope.find(argument.value.text) is None:
                    name, value = match
                else:
                    free = [n for n in names if n not in inner.names]
                    if not free:
                        raise RefusedError("too many arguments")
                    name, value = free[0], self.known(argument.value, scope)
            if name not in names or name in inner.names:
                raise RefusedError(f"no parameter {name}, or given twice")
            inner.names[name] = value
        for parameter in parameters:
            if parameter.name.text not in inner.names:
                if parameter.default is None:
                    raise RefusedError(f"{parameter.name.text} is missing")
                inner.names[parameter.name.text] = self.known(parameter.default, inner)

    def shared(self, shared: Shared, call: tree.Call, flow: Flow) -> Flow:
        if call.arguments or self.frame.path != shared.frame.path:
            raise RefusedError("a shared module in another place, or with arguments")
        outer = self.frame
        self.frame = Frame(outer.path, False, shared.used, bare=True)
        flow = self.element(shared.statement.element, flow, shared.scope, label=shared.statement.name.text)
        self.frame = outer
        shared.used = shared.used or NOTHING not in flow
        return flow

    # ------------------------------------------------------------ layers

    def sorted(
        self, cls: type[Layer], given: list[tuple[tree.Argument, Scope]], scope: Scope
    ) -> tuple[dict[str, tuple[tree.Argument, Scope]], list[tuple[tree.Argument, Scope]]]:
        """Arguments by the field that they are for, and those without one."""
        signature = cls.signature()
        fields: dict[str, tuple[tree.Argument, Scope]] = {}
        extra = []
        for argument, where in given:
            if argument.name is not None:
                found = signature.find(argument.name.text)
                if found is None:
                    raise RefusedError(f"{cls.word} has no {argument.name.text}")
                name = found.name
            elif (match := _compact(argument.value)) and match[0] in signature.letters:
                name = signature.letters[match[0]].name
                argument = tree.Argument(0, 0, None, _literal(match[1]))
            else:
                free = [a.name for a in signature.positional if a.name not in fields]
                if not free:
                    extra.append((argument, where))
                    continue
                name = free[0]
            if name in fields:
                raise RefusedError(f"{name} is given twice")
            fields[name] = (argument, where)
        return fields, extra

    def layer(
        self,
        cls: type[Layer],
        given: list[tuple[tree.Argument, Scope]],
        flow: Flow,
        scope: Scope,
        label: str | None,
    ) -> Flow:
        fields, extra = self.sorted(cls, given, scope)
        fields = {**scope.defaults.get(cls.word, {}), **fields}
        try:
            values, referred = self.arguments(cls, fields, extra)
        except UnknownError:
            if cls.word != "id" or label is not None:
                self.named_as(label, cls.word, cls.is_module)
            return (NOTHING,)
        if cls.word == "id":
            if label is not None:
                self.frame.take(label)
            return flow
        inputs = (*flow, *referred)
        merges = cls.inputs[1] != 1
        count = len(inputs) if merges else len(flow)
        name = self.named_as(label, cls.word, cls.is_module and not referred)
        try:
            layer, is_valid = cls.model_validate(values), True
        except ValidationError:
            layer, is_valid = cls.model_construct(**values), False  # let torch say whether it is wrong
        if NOTHING in inputs and is_valid:
            return (NOTHING,)
        path = self.child(name)
        known = path in self.modules, path in self.expressions
        try:
            if NOTHING in inputs or count < cls.inputs[0] or (cls.inputs[1] is not None and count > cls.inputs[1]):
                raise RefusedError(f"{cls.word} takes another number of values")
            return self.apply(cls, layer, inputs, path)
        except MismatchError:
            raise
        except FAILURES as problem:
            if not is_valid:
                raise
            for was, made in zip(known, (self.modules, self.expressions), strict=True):
                if not was:
                    made.pop(path, None)
            return self.refused(problem)

    def arguments(
        self,
        cls: type[Layer],
        fields: dict[str, tuple[tree.Argument, Scope]],
        extra: list[tuple[tree.Argument, Scope]],
    ) -> tuple[dict[str, Any], list[Value]]:
        """What a layer's fields are given, and the values among its arguments."""
        signature = cls.signature()
        values: dict[str, Any] = {}
        referred: list[Value] = []
        for name, (argument, where) in fields.items():
            declared = signature.arguments[name]
            node = argument.value
            if isinstance(node, tree.Name) and node.text in declared.words:
                value: Any = node.text
            else:
                value = self.value(node, where)
            if declared.reference:
                if not isinstance(value, Value):
                    raise RefusedError(f"{name} is no value")
                referred.append(value)
                value = True
            elif isinstance(value, Value | Part):
                raise RefusedError(f"{name} is no number")
            values[name] = value
        for argument, where in extra:
            value = self.value(argument.value, where)
            if not isinstance(value, Value) or cls.inputs[1] == 1:
                raise RefusedError("too many arguments")
            referred.append(value)
        missing = [a.name for a in signature.arguments.values() if a.required and a.name not in values]
        if missing:
            raise RefusedError(f"{missing} is missing")
        return values, referred

    def apply(self, cls: type[Layer], layer: Any, inputs: Flow, path: str) -> Flow:
        """Runs a layer, as torch does."""
        tensors = tuple(
            Tensor(v.kind, tuple(self.tensors[v.number].shape[1:]), v.vocabulary if v.kind == "ids" else None)
            for v in inputs
        )
        for tensor in tensors:
            if tensor.kind not in cls.accepts or (tensor.kind == "map" and tensor.rank not in cls.ranks):
                raise RefusedError(f"{cls.word} takes another kind than {tensor.kind}")
        if _too_large(layer, tensors):
            raise TooLargeError
        lowered = layer.lower(*tensors)
        xs = [self.tensors[value.number] for value in inputs]
        if isinstance(lowered, Call | Parameter):
            text = lowered.text() if isinstance(lowered, Call) else lowered.call.text()
            known = self.modules.get(path)
            if known is not None and known[0] != text:
                raise MismatchError("a shared module would be another one here")
            run: Any = known[1] if known else eval(text, SCOPE) if isinstance(lowered, Call) else Held(lowered)
            if isinstance(run, nn.Module) and not known:
                run.double().train()
            self.modules[path] = (text, run)
        else:
            names = [f"x{i}" for i in range(len(xs))]
            run = eval(f"lambda {', '.join(names)}: {lowered.text(names)}", SCOPE)
            said = (lowered.template, len(xs))
            same = self.expressions.get(path, said) == said
            if self.frame.reused and not self.frame.bare and not same:
                raise MismatchError("a shared module would do something else here")
            self.expressions[path] = said
        result = run(*xs)
        results = tuple(result) if isinstance(result, tuple | list) else (result,)
        for x in results:
            if 0 in x.shape or x.shape[0] != BATCH:
                raise RefusedError("nothing is left of it, or samples are mixed")
            if x.numel() > MOST_VALUES:
                raise TooLargeError
        if isinstance(run, _MAX_POOLS) and run(torch.zeros_like(xs[0])).isneginf().any():
            raise RefusedError("a window sees nothing but padding")  # and torch's backward pass then writes anywhere
        if not _meant(layer, tensors, results):
            raise RefusedError("torch makes something else of it than what is written")
        numbers = tuple(self.push(x) for x in results)
        declared: Any = layer.output(*tensors)
        kinds = tuple(t.kind for t in ((declared,) if isinstance(declared, Tensor) else declared))
        self.tape.append(Op(path, layer, tensors, run, tuple(v.number for v in inputs), numbers, kinds))
        flow = tuple(Value(number, kind) for number, kind in zip(numbers, kinds, strict=True))
        self.reached(Made(path, flow, (self.tape[-1],)))
        return flow

    def push(self, x: torch.Tensor) -> int:
        self.tensors.append(x)
        return len(self.tensors) - 1

    # ------------------------------------------------------------ expressions

    def known(self, node: Any, scope: Scope) -> Any:
        """The value of an expression; UNKNOWN where it asks for what is not there."""
        try:
            return self.value(node, scope)
        except UnknownError:
            return UNKNOWN

    def value(self, node: Any, scope: Scope) -> Any:
        match node:
            case tree.Number() | tree.String() | tree.Constant():
                return node.value
            case tree.Name():
                found = scope.find(node.text)
                if found is None:
                    layer = self.catalog.find(node.text)
                    if layer is None:
                        raise RefusedError(f"unknown {node.text}")
                    return Part(layer)
                if found is UNKNOWN:
                    raise UnknownError
                return found
            case tree.Symbol() | tree.Size():
                sizes = tuple(size for _, size in self.extents(node, scope))
                if None in sizes:
                    raise RefusedError("a size is open")
                return sizes if isinstance(node, tree.Size) else sizes[0]
            case tree.List():
                return tuple(self.value(item, scope) for item in node.items)
            case tree.Attribute():
                return self.attribute(node, scope)
            case tree.Index():
                base, index = self.value(node.base, scope), self.value(node.index, scope)
                if not isinstance(base, tuple) or not _whole(index):
                    raise RefusedError("no element")
                return base[int(index)]
            case tree.Slice():
                base = self.value(node.base, scope)
                first = 0 if node.first is None else self.value(node.first, scope)
                if not isinstance(base, tuple) or not _whole(first):
                    raise RefusedError("no part")
                stop = len(base) if node.stop is None else self.value(node.stop, scope)
                if not _whole(stop) or first < 0 or stop < first or stop > len(base):
                    raise RefusedError("no part")
                return tuple(base[number] for number in range(int(first), int(stop)))
            case tree.Function():
                return self.function(node, scope)
            case tree.Unary():
                operand = self.value(node.operand, scope)
                if node.operator == "not":
                    return not _checked(operand, bool)
                return -_number(operand)
            case tree.Binary():
                return self.binary(node, scope)
        raise AssertionError(node)

    def attribute(self, node: tree.Attribute, scope: Scope) -> Any:
        first, _, path = (_text(node) or "").partition(".")
        parts = scope.parts(first) if node.name not in _SIZES else None
        if parts is UNKNOWN:
            raise UnknownError
        if parts is not None:
            tapped = parts.get(path, ())
            if len(tapped) != 1:
                raise RefusedError(f"{path} is no part, or gives several values")
            return tapped[0]
        base = self.value(node.base, scope)
        if not isinstance(base, Value):
            raise RefusedError("only a value has sizes")
        if base == NOTHING:
            raise UnknownError
        sizes = tuple(self.tensors[base.number].shape[1:])
        channel = -1 if base.kind == "tokens" else 0
        spaces = {"map": sizes[1:], "tokens": sizes[:1], "ids": sizes[:1]}.get(base.kind, ())
        known = {"shape": sizes, "c": sizes[channel]}
        if base.kind == "ids":
            known["c"] = sizes[0]
        if len(spaces) == 1:
            known["l"] = spaces[0]
        if base.kind == "map":
            known |= dict(zip("whd", reversed(spaces), strict=False))
        if node.name not in known:
            raise RefusedError(f"no .{node.name}")
        return known[node.name]

    def function(self, node: tree.Function, scope: Scope) -> Any:
        name = node.name.text
        bound = scope.find(name)
        if bound is None and name not in _FUNCTIONS:
            layer = self.catalog.find(name)
            if layer is None:
                raise RefusedError(f"unknown {name}")
            bound = Part(layer)
        if bound is not None:
            if not isinstance(bound, Part):
                raise RefusedError(f"{name} cannot be called")
            return Part(bound.target, (*bound.arguments, *((a, scope) for a in node.arguments)))
        values = [self.value(argument.value, scope) for argument in node.arguments]
        return _FUNCTIONS[name](*values)

    def binary(self, node: tree.Binary, scope: Scope) -> Any:
        left = self.value(node.left, scope)
        if node.operator in ("and", "or"):
            if _checked(left, bool) is (node.operator == "or"):
                return left
            return _checked(self.value(node.right, scope), bool)
        right = self.value(node.right, scope)
        if isinstance(left, Value | Part) or isinstance(right, Value | Part):
            raise RefusedError("no number")
        if node.operator in ("==", "!="):
            return (left == right) is (node.operator == "==")
        if node.operator == "+" and isinstance(left, tuple) and isinstance(right, tuple):
            return left + right
        a, b = _number(left), _number(right)
        return {
            "+": lambda: a + b,
            "-": lambda: a - b,
            "*": lambda: a * b,
            "/": lambda: a / b,
            "//": lambda: a // b,
            "%": lambda: a % b,
            "<": lambda: a < b,
            "<=": lambda: a <= b,
            ">": lambda: a > b,
            ">=": lambda: a >= b,
        }[node.operator]()


_SIZES = ("shape", "c", "h", "w", "d", "l")


def _path(node: Any, scope: Scope) -> str:
    """Where a network is to end: text, or a name for one, or a path as it stands there."""
    match node:
        case tree.String():
            return str(node.value)
        case tree.Name() if isinstance(found := scope.find(node.text), str):
            return found
    text = _text(node)
    if text is None:
        raise RefusedError("no path")
    return text


def _text(node: Any) -> str | None:
    """A path that is written as an expression."""
    match node:
        case tree.Name() | tree.Symbol():
            text: str = node.text
            return text
        case tree.Number():
            return str(node.value)
        case tree.Attribute():
            base = _text(node.base)
            return None if base is None else f"{base}.{node.name}"
    return None


def _literal(value: Any) -> Any:
    return tree.Size(0, 0, value) if isinstance(value, tuple) else tree.Number(0, 0, value)


def _too_large(layer: Any, tensors: tuple[Tensor, ...]) -> bool:
    """Whether the layer says that it makes more than can be tried; what it says wrongly is found where it is tried."""
    try:
        declared = layer.output(*tensors)
        outputs = (declared,) if isinstance(declared, Tensor) else declared
        sizes = [*(x.elements or 0 for x in outputs), *map(math.prod, layer.weights(*tensors).values())]
    except (ArithmeticError, AssertionError, AttributeError, IndexError, TypeError, ValueError):
        return False  # it does not go together, as torch will say
    return max(sizes, default=0) > MOST_VALUES


def _meant(layer: Any, tensors: tuple[Tensor, ...], results: tuple[torch.Tensor, ...]) -> bool:
    """Whether torch did what is written; the language has some rules that torch would pass over."""
    first, result = tensors[0], tuple(results[0].shape[1:])
    for declared in layer.signature().arguments.values():  # a size gives each axis its own number
        value = getattr(layer, declared.name)
        per_axis = isinstance(value, tuple) and _is_per_axis(layer, declared.name)
        if first.kind == "map" and per_axis and len(value) != first.rank:
            return False
    match layer.word:
        case "conv":
            return layer.padding == "same" or min(_each(layer.padding, 1)) >= 0
        case "reshape":
            return bool(result == layer.size)
        case "to_map":
            return layer.size is None or result[1:] == _each(layer.size, len(result) - 1)
        case "crop":
            if (layer.amounts is None) is not layer.like:
                return False
            if any(amount < 0 for amount in _each(layer.amounts or 0, 1)):
                return False
            return result[1:] == tensors[1].dims[1:] if layer.like else True
        case "pad":
            amounts = layer.amounts if isinstance(layer.amounts, tuple) else (layer.amounts,)
            return (layer.mode == "zeros" or not layer.value) and min(amounts) >= 0
        case "upsample":
            ways = [layer.factor is not None, layer.size is not None, layer.like]
            return ways.count(True) == 1 and all(factor == int(factor) for factor in _each(layer.factor or 1, 1))
        case "window_attention":
            return _whole(layer.shift) and 0 <= layer.shift < layer.window and (layer.window > 1 or not layer.cosine)
        case "position_encoding":
            return layer.temperature > 0
        case "prelu":
            return not (layer.per_channel and first.kind == "tokens")
    if layer.family == "merge":
        return len({(t.kind, t.rank) for t in tensors}) == 1
    return True


_PER_AXIS = ("kernel", "stride", "padding", "output_padding", "dilation", "size", "factor")


def _is_per_axis(layer: Any, name: str) -> bool:
    return name in _PER_AXIS and layer.family in ("convolution", "pooling", "resampling")


def _each(value: Any, count: int) -> tuple[int, ...]:
    return value if isinstance(value, tuple) else (value,) * count


def _spread(function: Callable[[Any], Any]) -> Callable[..., Any]:
    return lambda *values: function(values[0] if len(values) == 1 and isinstance(values[0], tuple) else values)


def _round_to(value: Any, divisor: Any) -> Any:
    if divisor != int(divisor) or divisor < 1:
        raise RefusedError("no divisor")
    return import_torchvision().models._utils._make_divisible(value, int(divisor))


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": _spread(min),
    "max": _spread(max),
    "sum": _spread(sum),
    "ceil": math.ceil,
    "floor": math.floor,
    "round": lambda v: math.floor(v + 0.5) if v >= 0 else -math.floor(-v + 0.5),
    "abs": abs,
    "len": len,
    "round_to": _round_to,
}


def _compact(node: Any) -> tuple[str, Any] | None:
    match = _COMPACT.fullmatch(node.text) if isinstance(node, tree.Name) else None
    if match is None:
        return None
    numbers = tuple(map(int, match[2].split("x")))
    return match[1], numbers[0] if len(numbers) == 1 else numbers


def _whole(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value == int(value)


def _number(value: Any) -> Any:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise RefusedError("no number")
    return value


def _checked(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
        raise RefusedError(f"no {kind.__name__}")
    return value


def _bare(body: tree.Body) -> bool:
    """Whether a body is nothing but one element with a name, or a condition whose bodies are that."""
    lines = [s for s in body.statements if not isinstance(s, tree.Let | tree.Default | tree.Expect)]
    if len(lines) != 1 or not isinstance(lines[0], tree.Line) or len(lines[0].chain.elements) != 1:
        return False
    element: Any = lines[0].chain.elements[0]
    while isinstance(element, tree.Checked):
        element = element.element
    if isinstance(element, tree.Condition):
        return all(b is None or _bare(b) for b in (element.then, element.otherwise))
    return isinstance(element, tree.Named)
