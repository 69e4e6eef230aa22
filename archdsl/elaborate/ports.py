"""Where a network meets the outside: its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import count
from typing import TYPE_CHECKING

from archdsl import limits
from archdsl.diagnostics.model import Label, nearest
from archdsl.elaborate.builder import NOTHING, Builder, Flow
from archdsl.elaborate.naming import refused_name
from archdsl.elaborate.values import MISSING, OPEN, SILENT, Env, describe
from archdsl.graph import GraphInput, GraphOutput, Value
from archdsl.layers.applied import Applied
from archdsl.layers.source import Input
from archdsl.layers.tensor import Size, Tensor, agree
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.expressions import Expressions

_KINDS = {"map": "3x224x224", "tokens": "tokens 197x768", "ids": "ids 128 of 30000"}


class Ports:
    """Declares inputs and outputs. `shapes` replace those of the spec, by name ("" for the only input)."""

    def __init__(self, builder: Builder, expressions: Expressions, shapes: Mapping[str, Tensor]) -> None:
        self.builder = builder
        self.report = builder.report
        self.expressions = expressions
        self.shapes = dict(shapes)
        self.activation = self.calls = 0
        """In which module, and inside how many blocks, inputs and outputs may stand."""
        self.outputs = builder.outputs
        self.is_known = True
        """Whether all that it names as an output, but for those of training, is there."""
        self.is_as_written = True
        """Whether the shapes that the text writes are about the sizes that flow."""
        self.given_always = False
        """Whether the network names an output that is not for training only, be it a good one."""
        self.input_spans: dict[str, Span] = {}
        self.output_names: set[str] = set()

    def input(self, statement: tree.Input, env: Env) -> Value:
        name = statement.name.text if statement.name else "input"
        node = statement.name or statement
        before = self.input_spans.get(name)
        if before is not None:
            labels = [Label(before, "the first")]
            shape = env.source.text[statement.shape.start : statement.shape.end]
            help = f"name the inputs: `input left : {shape}`"
            message = f"there are two inputs called `{name}`"
            self.report("duplicate-name", message, node, env, labels=labels, help=help)
            return NOTHING
        reason = refused_name(name) if statement.name else None
        if reason:
            self.report("reserved-name", f"an input cannot be called `{name}`: {reason}", node, env)
        declared = self.declared(statement, env)
        value = NOTHING if declared is None else self.entering(statement, name, declared, env)
        if value == NOTHING:
            env.names[name] = NOTHING
            return NOTHING
        self.input_spans[name] = Span(env.module.source, statement.start, statement.end)
        if statement.name:
            env.names[name] = value
        return value

    def entering(self, statement: tree.Input, name: str, declared: Tensor, env: Env) -> Value:
        """The value of an input: a node of the graph."""
        builder = self.builder
        tensor = self.given(statement, name, declared, env)
        if tensor is None:
            return NOTHING
        span = Span(env.module.source, statement.start, statement.end)
        builder.frame.names.setdefault(name, span)
        (value,) = builder.add(name, Applied(Input(name=name, tensor=tensor), (), (tensor,)), (), span)
        builder.inputs.append(GraphInput(name, value, tensor, span, statement.doc))
        builder.name(0, value, name)
        return value

    @property
    def several(self) -> bool:
        """Whether nothing but inputs stands above, and more than one."""
        return len(self.builder.nodes) == len(self.builder.inputs) > 1

    # ------------------------------------------------------------ the shape in the spec

    def declared(self, statement: tree.Input, env: Env) -> Tensor | None:
        """The shape as the spec gives it; None where it is none, which is then reported."""
        shape = statement.shape
        value = self.expressions.shape(shape, env)
        if value is SILENT:
            return None
        sizes = value if type(value) is tuple else (value,)
        dims: list[Size] = []
        for size, symbol in zip(sizes, symbols_of(shape, len(sizes)), strict=True):
            if size is OPEN:
                dims.append(symbol or "?")
                continue
            is_whole = isinstance(size, int | float) and not isinstance(size, bool) and size == int(size)
            if not is_whole or not 1 <= size <= limits.SIZE:
                found = str(size) if is_whole else describe(size)
                message = f"the sizes of an input are whole numbers from 1 up, got {found}"
                self.report("bad-argument", message, shape, env)
                return None
            dims.append(int(size))
        return self.of_kind(statement, tuple(dims), env)

    def of_kind(self, statement: tree.Input, dims: tuple[Size, ...], env: Env) -> Tensor | None:
        kind = statement.kind.text if statement.kind else "map"
        if kind not in _KINDS:
            near = nearest(kind, _KINDS)
            examples = ", ".join(f"`{example}`" for example in _KINDS.values())
            help = f"did you mean `{near}`?" if near else f"write {examples} or `784`"
            assert statement.kind is not None
            self.report("bad-argument", f"there is no kind of input called `{kind}`", statement.kind, env, help=help)
            return None
        if statement.vocabulary is not None and kind != "ids":
            self.report("bad-argument", "only ids are `of` a vocabulary", statement.vocabulary, env)
            return None
        wanted = {"tokens": (2, 2), "ids": (1, 1), "map": (1, 4)}[kind]
        if not wanted[0] <= len(dims) <= wanted[1]:
            count = f"{wanted[0]} to {wanted[1]}" if kind == "map" else str(wanted[0])
            message = (
                f"{kind} take {count} sizes, got {len(dims)}"
                if kind != "map"
                else (f"a map has channels and one to three axes, got {len(dims)} sizes")
            )
            self.report("bad-argument", message, statement.shape, env, help=f"write `input {_KINDS[kind]}`")
            return None
        if kind == "ids":
            return self.ids(statement, dims, env)
        channels = dims[1] if kind == "tokens" else dims[0]
        if not isinstance(channels, int):
            help = "symbols stand for height, width and length: `3xHxW`"
            self.report("bad-argument", "the number of channels must be known", statement.shape, env, help=help)
            return None
        if kind == "tokens":
            return Tensor("tokens", dims)
        return Tensor("vector" if len(dims) == 1 else "map", dims)

    def ids(self, statement: tree.Input, dims: tuple[Size, ...], env: Env) -> Tensor | None:
        vocabulary = self.expressions.settled(statement.vocabulary, env) if statement.vocabulary else None
        if vocabulary is SILENT:
            return None
        named_of = statement.of is not None and statement.of.text == "of"
        if not named_of or not isinstance(vocabulary, int) or isinstance(vocabulary, bool) or vocabulary < 1:
            help = f"write `input {_KINDS['ids']}`"
            self.report("bad-argument", "ids need the size of their vocabulary", statement, env, help=help)
            return None
        return Tensor("ids", dims, vocabulary)

    # ------------------------------------------------------------ the shape from outside

    def given(self, statement: tree.Input, name: str, declared: Tensor, env: Env) -> Tensor | None:
        """The shape that counts: the one given from outside, if one is; its sizes settle the spec's symbols."""
        if name in self.shapes:
            given = self.shapes[name]
        elif "" in self.shapes and not self.builder.inputs:
            given = self.shapes[""]
        else:
            return declared
        if len(given.dims) != len(declared.dims):
            message = f"the shape given from outside, {given}, has another number of sizes than {declared} here"
            self.report("bad-argument", message, statement, env)
            return None
        if not self.settles(statement, given, env):
            return None
        return Tensor(declared.kind, given.dims, declared.vocabulary)

    def settles(self, statement: tree.Input, given: Tensor, env: Env) -> bool:
        """Lets the sizes of a shape settle the spec's symbols; False where they cannot, which is then reported."""
        for size, symbol in zip(given.dims, symbols_of(statement.shape, len(given.dims)), strict=True):
            if symbol is None:
                continue
            known = env.find(symbol)
            if known is not MISSING and known != size:
                message = f"{symbol} is {known} for an input above and {size} here"
                self.report("bad-argument", message, statement, env)
                return False
            env.names[symbol] = size
        return True

    # ------------------------------------------------------------ outputs

    def output(self, statement: tree.Output, env: Env) -> None:
        if statement.when is not None and statement.when.text != "training":
            message = f"an output can be there `when training`, not `when {statement.when.text}`"
            self.report("bad-argument", message, statement.when, env, help="write `when training`")
        self.given_always = self.given_always or statement.when is None
        for name in statement.names:
            value = self.value_named(name, env)
            if value is None or value == NOTHING:
                self.is_known = self.is_known and statement.when is not None
                continue
            if name.text in self.output_names:
                self.report("duplicate-name", f"`{name.text}` is already an output", name, env)
                continue
            self.output_names.add(name.text)
            span = Span(env.module.source, name.start, name.end)
            self.outputs.append(GraphOutput(name.text, value, statement.when is not None, span))

    def value_named(self, name: tree.Name, env: Env) -> Value | None:
        found = env.find(name.text)
        if type(found) is Value:
            return found
        if found is MISSING:
            near = nearest(name.text, [n for n in env.visible() if type(env.find(n)) is Value])
            labels = self.builder.default_named(name.text, env)
            help = f"did you mean `{near}`?" if near else "name a value with `as`"
            if labels:
                help = f"only what is named can be used again: `... as {name.text}`"
            self.report("unknown-name", f"no value is called `{name.text}`", name, env, labels=labels, help=help)
        elif found is not SILENT:
            message = f"`{name.text}` is {describe(found)}, not a value that flows"
            self.report("unknown-name", message, name, env, help="name a value with `as`")
        return None

    def last_values(self, flow: Flow) -> None:
        """Makes what flows at the end the outputs, of a network without `output`."""
        builder = self.builder
        taken = {builder.names[value] for value in flow if value in builder.names}
        free = (name for number in count(1) if (name := f"output{number}") not in taken)
        used: set[str] = set()
        for value in flow:
            name = builder.names.get(value, "output" if len(flow) == 1 else "")
            if not name or name in used:
                name = next(free)
            used.add(name)
            builder.outputs.append(GraphOutput(name, value, False, builder.nodes[value.node].span))


class Entrance(Ports):
    """The same for a network inside another: what flows into it stands for its inputs."""

    def __init__(
        self,
        builder: Builder,
        expressions: Expressions,
        flow: Flow,
        activation: int,
        calls: int,
        call: tree.Call,
        env: Env,
    ) -> None:
        super().__init__(builder, expressions, {})
        self.flow = flow
        self.activation = activation
        self.calls = calls
        self.place = call, env
        self.outputs = []
        self.first = len(builder.nodes)
        self.taken = 0

    def entering(self, statement: tree.Input, name: str, declared: Tensor, env: Env) -> Value:
        call, where = self.place
        word = call.name.text
        if self.taken == len(self.flow):
            message = f"{word} has more inputs than the {len(self.flow)} that flow into it"
            self.report("wrong-inputs", message, call, where, help="put a branch before it for each")
            return NOTHING
        value = self.flow[self.taken]
        self.taken += 1
        tensor = self.builder.tensor(value)
        if not tensor.known:
            return NOTHING
        if tensor.kind != declared.kind or tensor.rank != declared.rank:
            message = f"{word} takes {declared.described} like {declared}, got {tensor}, {tensor.described}"
            self.report("wrong-kind", message, call, where)
            return NOTHING
        if tensor.kind == "ids" and (tensor.vocabulary or 0) > (declared.vocabulary or 0):
            message = f"{word} knows {declared.vocabulary:,} ids, and those that flow are of {tensor.vocabulary:,}"
            self.report("wrong-kind", message, call, where)
            return NOTHING
        if not self.settles(statement, tensor, env):
            return NOTHING
        if not all(map(agree, declared.dims, tensor.dims)):
            self.is_as_written = False
        self.builder.frame.names.setdefault(name, Span(env.source, statement.start, statement.end))
        if statement.name:
            self.builder.name(self.activation, value, name)
        return value

    @property
    def several(self) -> bool:
        return len(self.builder.nodes) == self.first and self.taken > 1

    def leaving(self, flow: Flow) -> Flow:
        """What flows out of the network: its outputs but for those of training, or what flows at its end."""
        if not self.is_known:
            return (NOTHING,)
        return tuple([output.value for output in self.outputs if not output.training_only]) or flow


def symbols_of(shape: tree.Expression, count: int) -> list[str | None]:
    """The capital letters of a shape, at their places."""
    symbols: list[str | None] = []
    if isinstance(shape, tree.Size):
        symbols = [extent if isinstance(extent, str) else None for extent in shape.extents]
    elif isinstance(shape, tree.List):
        symbols = [item.text if isinstance(item, tree.Symbol) else None for item in shape.items]
    elif isinstance(shape, tree.Symbol):
        symbols = [shape.text]
    return (symbols + [None] * count)[:count]
