"""Syntax tree to graph: names, defaults, blocks, repeats and conditions are worked out, and every shape is checked.

Sizes are inferred as the graph grows, since a condition may ask for them (`if in.c != c`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, Label, error, nearest, warning
from archdsl.elaborate.binding import Binder, Given
from archdsl.elaborate.explain import Provenance, matching_help
from archdsl.elaborate.expressions import Expressions, describe
from archdsl.elaborate.naming import Frame, refused_name
from archdsl.elaborate.values import (
    MISSING,
    OPEN,
    SILENT,
    BlockValue,
    Env,
    LayerValue,
    NetValue,
    Partial,
    Shared,
)
from archdsl.graph import Activation, Graph, GraphInput, GraphOutput, Node, Value
from archdsl.layers.base import Layer, Problem
from archdsl.layers.source import Input
from archdsl.layers.tensor import UNKNOWN, Tensor, agree
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.layers.catalog import Catalog
    from archdsl.project import Module

NOTHING = Value(-1)
"""Stands where an error, already reported, keeps a value from being known."""

Flow = tuple[Value, ...]


@dataclass(frozen=True, eq=False)
class Elaboration:
    """The graph, what was wrong, and what the network expects of itself (checked when the analyses are there)."""

    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    expectations: tuple[tuple[tree.Expect, Env], ...]
    parameters: Mapping[str, object]
    report: Elaborator
    """For evaluating expectations in the network's own names."""


class _TooMuch(Exception):
    """The network has grown beyond the limits; it has been reported."""


def elaborate(
    module: Module,
    name: str,
    catalog: Catalog,
    arguments: Mapping[str, object] | None = None,
    inputs: Mapping[str, Tensor] | None = None,
) -> Elaboration:
    """Builds a network of a file.

    `arguments` are parameters of the network; `inputs` replace the shapes of its inputs, by name (or by "" for the only
    one). Never raises for what the spec says.
    """
    return Elaborator(module, catalog, inputs or {}).network(name, arguments or {})


class Elaborator:
    """One network in the making."""

    def __init__(self, module: Module, catalog: Catalog, input_shapes: Mapping[str, Tensor]) -> None:
        self.module = module
        self.catalog = catalog
        self.input_shapes = input_shapes
        self.nodes: list[Node] = []
        self.tensors: list[tuple[Tensor, ...]] = []
        self.activations: list[Activation | None] = []
        self.names: dict[Value, str] = {}
        self.local_names: dict[tuple[int, Value], str] = {}
        self.inputs: list[GraphInput] = []
        self.outputs: list[GraphOutput] = []
        self.diagnostics: list[Diagnostic] = []
        self.reported: set[tuple[str, int, int, int]] = set()
        self.expectations: list[tuple[tree.Expect, Env]] = []
        self.expressions = Expressions(catalog, self.report, self.tensor)
        self.binder = Binder(self.expressions)
        self.provenance = Provenance(self.nodes, self.tensors)
        self.files: dict[int, Env] = {}
        self.calls: list[tree.Block] = []
        self.frame = Frame("", 0, False)
        self.depth = 0
        self.steps = 0
        self.inferred: dict[tuple[int, tuple[Tensor, ...]], tuple[Tensor, ...]] = {}

    # ------------------------------------------------------------ findings

    def report(
        self,
        code: str,
        message: str,
        node: tree.Node,
        env: Env,
        *,
        label: str = "",
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
        warn: bool = False,
    ) -> None:
        """Puts down a finding, once for each place in the text, with the trail of blocks that led there."""
        span = Span(env.module.source, node.start, node.end)
        key = (code, id(span.source), span.start, span.end)
        if key in self.reported:
            return
        self.reported.add(key)
        make = warning if warn else error
        notes = [*notes, *self.trail()]
        self.diagnostics.append(make(code, message, span, label=label, labels=labels, notes=notes, help=help))

    def trail(self) -> list[str]:
        notes = []
        at: int | None = self.frame.activation
        while at is not None and at < len(self.activations):
            activation = self.activations[at]
            assert activation is not None
            if activation.kind == "block":
                named = "" if activation.transparent else f", as {activation.path}"
                notes.append(f"in {activation.call}, written at {activation.span}{named}")
            at = activation.parent
        if len(notes) > 8:
            notes[4:-4] = [f"... and {len(notes) - 8} more blocks around"]
        return notes

    def too_much(self, node: tree.Node, env: Env, message: str) -> NoReturn:
        self.report("too-many-layers", message, node, env, help="a smaller repeat, or a block used less often")
        raise _TooMuch

    # ------------------------------------------------------------ the network

    def network(self, name: str, arguments: Mapping[str, object]) -> Elaboration:
        found, owner = self.module.definitions[name]
        given: list[Given] = []
        chain: list[str] = []
        definition = found
        while isinstance(definition, tree.Variant):
            env = self.file(owner)
            if definition.name.text in chain:
                self.report("recursion", f"{definition.name.text} is a variant of itself", definition.name, env)
                return self.finish(definition, {})
            chain.append(definition.name.text)
            # The outermost variant's arguments count most, so they come first and a later one does not replace them.
            given = self.overridden(given, [(argument, env) for argument in definition.arguments])
            base = owner.definitions.get(definition.base.text)
            if base is None or not isinstance(base[0], tree.Net | tree.Variant):
                nets = [n for n, (d, _) in owner.definitions.items() if isinstance(d, tree.Net | tree.Variant)]
                near = nearest(definition.base.text, nets)
                what = "is a block, not a network" if base else "is not a network here"
                help = f"did you mean `{near}`?" if near else None
                self.report("unknown-name", f"`{definition.base.text}` {what}", definition.base, env, help=help)
                return self.finish(found, {})  # type: ignore[arg-type]
            definition, owner = base
        assert isinstance(definition, tree.Net)
        assert isinstance(found, tree.Net | tree.Variant)
        file = self.file(owner)
        env = Env(owner, file)
        if arguments:
            given = self.overridden(self.outside(arguments), given, definition.parameters)
        self.activations.append(
            Activation(0, "", "net", name, (), (), (), False, None, self.span(found.name, self.module))
        )
        at = found.name
        written = self.binder.parameters(name, definition.parameters, given, env, at, self.file(self.module))
        parameters = {p.name.text: env.names.get(p.name.text) for p in definition.parameters}
        if written is not None:
            try:
                self.body_of_network(definition, env, found)
            except _TooMuch:
                pass
        return self.finish(found, parameters)

    def overridden(
        self, first: list[Given], then: list[Given], parameters: tuple[tree.Parameter, ...] = ()
    ) -> list[Given]:
        """The arguments of `then`, less those that `first` names; then those of `first`."""
        named = {argument.name.text for argument, _ in first if argument.name}
        kept = []
        for place, (argument, env) in enumerate(then):
            name = argument.name.text if argument.name else None
            if name is None and place < len(parameters):
                name = parameters[place].name.text
                if named:
                    argument = tree.Argument(argument.start, argument.end, parameters[place].name, argument.value)
            if name is None or name not in named:
                kept.append((argument, env))
        return kept + first

    def outside(self, arguments: Mapping[str, object]) -> list[Given]:
        """Arguments from outside the spec, as if they stood at its end."""
        env = self.file(self.module)
        end = len(self.module.source.text)
        given = []
        for name, value in arguments.items():
            literal: tree.Expression
            if isinstance(value, bool):
                literal = tree.Constant(end, end, value)
            elif isinstance(value, int | float):
                literal = tree.Number(end, end, value)
            elif isinstance(value, tree.Node):
                literal = value  # type: ignore[assignment]
            elif isinstance(value, list | tuple):
                items = tuple(tree.Number(end, end, item) for item in value)
                literal = tree.List(end, end, items)
            else:
                text = str(value)
                is_name = env.find(text) is not MISSING or self.catalog.find(text) is not None
                literal = tree.Name(end, end, text) if is_name else tree.String(end, end, text)
            given.append((tree.Argument(end, end, tree.Name(end, end, name), literal), env))
        return given

    def body_of_network(self, definition: tree.Net, env: Env, found: tree.Net | tree.Variant) -> None:
        flow = self.body(definition.body, (), env)
        file = self.file(self.module)
        if self.outputs:
            self.set_activation(0, outputs=tuple(output.value for output in self.outputs))
            return
        made = any(not isinstance(node.layer, Input) for node in self.nodes)
        if not made and NOTHING not in flow and not self.diagnostics:
            help = "write a layer after the input: `conv 64 k3 p1`" if self.inputs else "begin with `input 3x224x224`"
            self.report("empty-net", f"{found.name.text} has no layers", found.name, file, help=help)
        elif NOTHING not in flow:
            for number, value in enumerate(flow):
                name = self.names.get(value, "output" if len(flow) == 1 else f"output{number + 1}")
                self.outputs.append(GraphOutput(name, value, False, self.nodes[value.node].span))
            self.set_activation(0, outputs=flow)

    def finish(self, definition: tree.Net | tree.Variant, parameters: Mapping[str, object]) -> Elaboration:
        if not self.activations:
            span = self.span(definition.name, self.module)
            self.activations.append(
                Activation(0, "", "net", definition.name.text, (), (), (), False, None, span)
            )
        if not any(d.is_error for d in self.diagnostics):
            self.unused()
        graph = Graph(
            definition.name.text,
            definition.doc or self.base_doc(definition),
            self.span(definition.name, self.module),
            tuple(self.inputs),
            tuple(self.outputs),
            tuple(self.nodes),
            tuple(a for a in self.activations if a is not None),
            tuple(self.tensors),
            self.names,
            self.local_names,
        )
        return Elaboration(graph, tuple(self.diagnostics), tuple(self.expectations), parameters, self)

    def base_doc(self, definition: tree.Net | tree.Variant) -> str:
        """A variant without a doc comment of its own has its base's."""
        at: Any = definition
        owner = self.module
        seen = 0
        while isinstance(at, tree.Variant) and not at.doc and seen < limits.NESTING:
            seen += 1
            at, owner = owner.definitions.get(at.base.text, (None, owner))
        return at.doc if isinstance(at, tree.Net | tree.Variant) else ""

    def unused(self) -> None:
        """Warns of what no output needs."""
        needed: set[int] = set()
        waiting = [output.value.node for output in self.outputs]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend(value.node for value in self.nodes[index].inputs)
        consumed = {value.node for node in self.nodes for value in node.inputs}
        for node in self.nodes:
            if node.index in needed or node.index in consumed:
                continue
            what = f"the input {node.path}" if isinstance(node.layer, Input) else f"what {node.layer.word} gives"
            span = node.span
            key = ("unused-value", id(span.source), span.start, span.end)
            if key not in self.reported:
                self.reported.add(key)
                help = "name it in `output`, merge it, or delete it"
                self.diagnostics.append(warning("unused-value", f"nothing uses {what}", span, help=help))

    # ------------------------------------------------------------ files and environments

    def file(self, module: Module) -> Env:
        """The names that a file defines; its lets and defaults are evaluated when first asked for."""
        env = self.files.get(id(module))
        if env is not None:
            return env
        env = Env(module)
        self.files[id(module)] = env
        env.names.update(dict.fromkeys(module.unresolved, SILENT))
        for name, (definition, owner) in module.definitions.items():
            if isinstance(definition, tree.Block):
                home = env if owner is module else self.file(owner)
                env.names[name] = BlockValue(definition, home)
            elif isinstance(definition, tree.Net | tree.Variant):
                env.names[name] = NetValue(definition)
            elif owner is not module:
                env.names[name] = self.file(owner).names.get(name, SILENT)
        for definition in module.parsed.file.definitions:
            if isinstance(definition, tree.Let) and module.definitions[definition.name.text][0] is definition:
                env.names[definition.name.text] = self.expressions.value(definition.value, env)
            elif isinstance(definition, tree.Default):
                self.default(definition, env)
        return env

    def default(self, statement: tree.Default, env: Env) -> None:
        layer = self.catalog.find(statement.layer.text)
        if layer is None:
            near = nearest(statement.layer.text, self.catalog.words())
            help = f"did you mean `{near}`?" if near else None
            self.report("unknown-layer", f"there is no layer `{statement.layer.text}`", statement.layer, env, help=help)
            return
        signature = layer.signature()
        good = self.binder.collect(layer, signature, [(a, env) for a in statement.arguments], {}, {}, [])
        if good:
            before = env.defaults.get(layer, ())
            env.defaults = {**env.defaults, layer: (*before, *((a, env) for a in statement.arguments))}

    def span(self, node: tree.Node, module: Module) -> Span:
        return Span(module.source, node.start, node.end)

    def tensor(self, value: Value) -> Tensor:
        return UNKNOWN if value.node < 0 else self.tensors[value.node][value.output]

    # ------------------------------------------------------------ bodies and statements

    def body(self, body: tree.Body, flow: Flow, env: Env) -> Flow:
        for statement in body.statements:
            if type(statement) is tree.Line:
                flow = self.chain(statement.chain, flow, env)
            else:
                flow = self.statement(statement, flow, env)
        return flow

    def statement(self, statement: tree.Statement, flow: Flow, env: Env) -> Flow:
        if isinstance(statement, tree.Mistake):
            return (NOTHING,)
        if isinstance(statement, tree.Input):
            return self.input(statement, flow, env)
        if isinstance(statement, tree.Output):
            self.output(statement, env)
        elif isinstance(statement, tree.Let):
            if statement.name.text in env.names:
                help = "choose another name; a let does not change"
                self.report("duplicate-name", f"`{statement.name.text}` is already set here", statement.name, env, help=help)
            else:
                env.names[statement.name.text] = self.expressions.value(statement.value, env)
        elif isinstance(statement, tree.Default):
            self.default(statement, env)
        elif isinstance(statement, tree.Share):
            self.share(statement, env)
        elif isinstance(statement, tree.Expect):
            self.expect(statement, env)
        return flow

    def input(self, statement: tree.Input, flow: Flow, env: Env) -> Flow:
        if self.frame.activation != 0 or self.calls:
            message = "an input belongs to a network, not to a block or a group"
            self.report("misplaced", message, statement, env, help="a block names its inputs after `takes`")
            return flow
        name = statement.name.text if statement.name else "input"
        node = statement.name or statement
        before = [i for i in self.inputs if i.name == name]
        if before:
            labels = [Label(before[0].span, "the first")]
            help = "name the inputs: `input left : 3x224x224`"
            self.report("duplicate-name", f"there are two inputs called `{name}`", node, env, labels=labels, help=help)
            return (NOTHING,)
        reason = refused_name(name) if statement.name else None
        if reason:
            self.report("reserved-name", f"an input cannot be called `{name}`: {reason}", node, env)
        tensor = self.input_tensor(statement, name, env)
        if tensor is None:
            env.names[name] = NOTHING
            return (NOTHING,)
        span = self.span(statement, env.module)
        value = Value(len(self.nodes))
        self.nodes.append(Node(value.node, name, Input(name=name, tensor=tensor), (), span, 0))
        self.tensors.append((tensor,))
        self.inputs.append(GraphInput(name, value, tensor, span, statement.doc))
        self.frame.names.setdefault(name, span)
        self.names[value] = name
        self.local_names[0, value] = name
        if statement.name:
            env.names[name] = value
        return (*flow, value) if self.inputs[:-1] and len(self.nodes) == len(self.inputs) else (value,)

    def input_tensor(self, statement: tree.Input, name: str, env: Env) -> Tensor | None:
        declared = self.expressions.value(statement.shape, env)
        if declared is SILENT:
            return None
        sizes = declared if isinstance(declared, tuple) else (declared,)
        symbols: list[str | None] = [None] * len(sizes)
        if isinstance(statement.shape, tree.Size):
            symbols = [e if isinstance(e, str) else None for e in statement.shape.extents]
        elif isinstance(statement.shape, tree.List):
            symbols = [i.text if isinstance(i, tree.Symbol) else None for i in statement.shape.items]
            symbols += [None] * (len(sizes) - len(symbols))
        elif isinstance(statement.shape, tree.Symbol):
            symbols = [statement.shape.text]
        dims: list[int | str] = []
        for size, symbol in zip(sizes, symbols, strict=False):
            if size is OPEN:
                dims.append(symbol or "?")
                continue
            whole = isinstance(size, int | float) and not isinstance(size, bool) and size == int(size)
            if not whole or not 1 <= size <= limits.SIZE:
                shown = describe(size) if not whole else str(size)
                message = f"the sizes of an input are whole numbers from 1 up, got {shown}"
                self.report("bad-argument", message, statement.shape, env)
                return None
            dims.append(int(size))
        tensor = self.kind_of_input(statement, tuple(dims), env)
        given = self.input_shapes.get(name, self.input_shapes.get("") if len(self.input_shapes) == 1 else None)
        if tensor is None or given is None or (name != "input" and name not in self.input_shapes and self.inputs):
            return tensor
        if len(given.dims) != len(tensor.dims):
            message = f"the shape given from outside, {given}, has {len(given.dims)} sizes, and this input {len(dims)}"
            self.report("bad-argument", message, statement, env)
            return None
        for size, symbol in zip(given.dims, symbols, strict=False):
            if symbol is not None and isinstance(size, int):
                known = env.find(symbol)
                if known is not MISSING and known != size:
                    message = f"{symbol} is {known} for an input above and {size} here"
                    self.report("shape-mismatch", message, statement, env)
                    return None
                env.names[symbol] = size
        return Tensor(tensor.kind, given.dims, tensor.vocabulary)

    def kind_of_input(self, statement: tree.Input, dims: tuple[int | str, ...], env: Env) -> Tensor | None:
        kind = statement.kind.text if statement.kind else None
        if kind not in (None, "tokens", "ids", "map"):
            assert statement.kind
            near = nearest(kind or "", ["tokens", "ids", "map"])
            help = f"did you mean `{near}`?" if near else "an input is a map `3x224x224`, `tokens 197x768`, `ids 128 of 30000` or a vector `784`"
            self.report("bad-argument", f"there is no kind of input called `{kind}`", statement.kind, env, help=help)
            return None
        expected = {"tokens": 2, "ids": 1}.get(kind or "")
        if expected is not None and len(dims) != expected:
            example = "tokens 197x768" if kind == "tokens" else "ids 128 of 30000"
            self.report("bad-argument", f"{kind} take {expected} sizes, got {len(dims)}", statement.shape, env, help=f"write `input {example}`")
            return None
        if kind == "ids":
            vocabulary = self.expressions.settled(statement.vocabulary, env) if statement.vocabulary else None
            if vocabulary is SILENT:
                return None
            if statement.of is None or statement.of.text != "of" or not isinstance(vocabulary, int) or vocabulary < 1:
                self.report("bad-argument", "ids need the size of their vocabulary", statement, env, help="write `input ids 128 of 30000`")
                return None
            return Tensor("ids", dims, vocabulary)
        if statement.vocabulary is not None:
            self.report("bad-argument", "only ids are `of` a vocabulary", statement.vocabulary, env)
            return None
        if len(dims) > 4:
            self.report("bad-argument", f"a map has channels and one to three axes, got {len(dims)} sizes", statement.shape, env)
            return None
        if (kind == "tokens" and isinstance(dims[1], str)) or (kind != "tokens" and isinstance(dims[0], str)):
            help = "symbols stand for height, width and length: `3xHxW`"
            self.report("bad-argument", "the number of channels must be known", statement.shape, env, help=help)
            return None
        if kind == "tokens":
            return Tensor("tokens", dims)
        return Tensor("vector" if len(dims) == 1 else "map", dims)

    def output(self, statement: tree.Output, env: Env) -> None:
        if self.frame.activation != 0 or self.calls:
            message = "`output` belongs to a network; a block gives what flows out at its end"
            self.report("misplaced", message, statement, env)
            return
        if statement.when is not None and statement.when.text != "training":
            self.report("bad-argument", f"an output can be there `when training`, not `when {statement.when.text}`", statement.when, env)
        for name in statement.names:
            value = self.value_named(name, env)
            if value is None:
                continue
            if any(output.name == name.text for output in self.outputs):
                self.report("duplicate-name", f"`{name.text}` is already an output", name, env)
                continue
            if value is not NOTHING:
                training = statement.when is not None
                self.outputs.append(GraphOutput(name.text, value, training, self.span(name, env.module)))

    def value_named(self, name: tree.Name, env: Env) -> Value | None:
        found = env.find(name.text)
        if isinstance(found, Value):
            return found
        if found is MISSING:
            values = [n for n in env.visible() if isinstance(env.find(n), Value)]
            near = nearest(name.text, values)
            help = f"did you mean `{near}`?" if near else "name a value with `as`"
            self.report("unknown-name", f"no value is called `{name.text}`", name, env, help=help)
        elif found is not SILENT:
            self.report("unknown-name", f"`{name.text}` is {describe(found)}, not a value that flows", name, env)
        return None

    def share(self, statement: tree.Share, env: Env) -> None:
        name = statement.name.text
        reason = refused_name(name)
        if reason:
            self.report("reserved-name", f"a module cannot be called `{name}`: {reason}", statement.name, env)
            return
        span = self.span(statement.name, env.module)
        before = self.frame.take(name, span)
        if before is not None or name in env.names:
            labels = [Label(before, "first here")] if before else []
            self.report("duplicate-name", f"`{name}` is already taken", statement.name, env, labels=labels)
            return
        env.names[name] = Shared(statement, env, self.frame)

    def expect(self, statement: tree.Expect, env: Env) -> None:
        """A network's contracts wait for the analyses; a block's are about shapes and are decided here."""
        if not self.calls:
            self.expectations.append((statement, env))
            return
        value = self.expressions.value(statement.condition, env)
        if value is False:
            self.report("expectation", "this does not hold", statement.condition, env, notes=self.sides(statement.condition, env))
        elif value is not True and value is not SILENT and value is not OPEN:
            self.report("bad-expression", f"`expect` needs yes or no, got {describe(value)}", statement.condition, env)

    def sides(self, node: tree.Expression, env: Env) -> list[str]:
        """What the parts of a condition that are not plain numbers come to."""
        if isinstance(node, tree.Binary) and node.operator in ("and", "or"):
            return [*self.sides(node.left, env), *self.sides(node.right, env)]
        if isinstance(node, tree.Unary):
            return self.sides(node.operand, env)
        parts = [node.left, node.right] if isinstance(node, tree.Binary) else []
        notes = []
        for part in parts:
            if not isinstance(part, tree.Number):
                text = env.module.source.text[part.start : part.end]
                value = self.expressions.value(part, env)
                notes.append(f"{text} = {value:,}" if isinstance(value, int) else f"{text} = {value}")
        return notes

    # ------------------------------------------------------------ the flow

    def chain(self, chain: tree.Chain, flow: Flow, env: Env) -> Flow:
        first = True
        for element in chain.elements:
            flow = self.element(element, flow, env, first)
            first = False
        return flow

    def element(self, element: tree.Element, flow: Flow, env: Env, first: bool = False, label: str | None = None, numbered: bool = False) -> Flow:
        self.steps += 1
        if self.steps > limits.STEPS:
            self.too_much(element, env, f"the network takes more than {limits.STEPS:,} steps to write out")
        self.depth += 1
        if self.depth > limits.NESTING:
            self.depth -= 1
            self.report("too-deep", f"blocks and brackets nest more than {limits.NESTING} deep", element, env)
            return (NOTHING,)
        try:
            kind = type(element)
            if kind is tree.Call:
                return self.call(element, flow, env, first, label, numbered)  # type: ignore[arg-type]
            if kind is tree.Named:
                return self.named(element, flow, env, first)  # type: ignore[arg-type]
            if kind is tree.Checked:
                return self.checked(element, flow, env, first, label, numbered)  # type: ignore[arg-type]
            if kind is tree.Mistake:
                return (NOTHING,)
            if label is not None:
                return self.module_of(element, flow, env, label, numbered)
            if kind is tree.Group:
                return self.group(element, flow, env)  # type: ignore[arg-type]
            if kind is tree.Repeat:
                return self.repeat(element, flow, env)  # type: ignore[arg-type]
            if kind is tree.Condition:
                return self.condition(element, flow, env)  # type: ignore[arg-type]
            return self.loop(element, flow, env)  # type: ignore[arg-type]
        finally:
            self.depth -= 1

    def group(self, group: tree.Group, flow: Flow, env: Env) -> Flow:
        branches = group.branches
        if len(branches) == 1:
            return self.chain(branches[0], flow, env)
        results: list[Value] = []
        apart = len(flow) == len(branches)  # as many values as branches: one each
        for number, branch in enumerate(branches):
            if len(flow) > 1 and not apart and not self.begins_with_value(branch, env):
                message = f"{len(flow)} values flow into {len(branches)} branches"
                self.report("wrong-inputs", message, branch, env, help="merge them before, or give each its branch")
                results.append(NOTHING)
                continue
            results.extend(self.chain(branch, (flow[number],) if apart else flow, env))
        return tuple(results)

    def begins_with_value(self, branch: tree.Chain, env: Env) -> bool:
        first = branch.elements[0]
        while isinstance(first, tree.Named | tree.Checked):
            first = first.element
        return isinstance(first, tree.Call) and not first.arguments and isinstance(env.find(first.name.text), Value)

    def repeat(self, repeat: tree.Repeat, flow: Flow, env: Env) -> Flow:
        count = self.count(repeat.count, env)
        if count is None:
            return (NOTHING,)
        for done in range(count):
            before, nodes = flow, len(self.nodes)
            flow = self.element(repeat.element, flow, env)
            made = len(self.nodes) - nodes
            if made and nodes + made * (count - done) > limits.LAYERS:
                total = nodes + made * (count - done)
                self.too_much(repeat, env, f"{count:,} times {made} layers makes {total:,}, more than {limits.LAYERS:,}")
            if flow == before and not made:
                break  # nothing happens, however often
            if flow == (NOTHING,):
                break
        return flow

    def count(self, node: tree.Expression, env: Env) -> int | None:
        count = self.expressions.settled(node, env)
        if count is SILENT:
            return None
        if isinstance(count, bool) or not isinstance(count, int | float) or count != int(count) or count < 0:
            message = f"a repeat needs a whole number from 0 up, got {describe(count)}"
            self.report("bad-argument", message, node, env)
            return None
        return int(count)

    def condition(self, condition: tree.Condition, flow: Flow, env: Env) -> Flow:
        test = self.expressions.settled(condition.test, env)
        if test is SILENT:
            return (NOTHING,)
        if not isinstance(test, bool):
            message = f"`if` needs yes or no, got {describe(test)}"
            self.report("bad-expression", message, condition.test, env, help="compare it: `n > 0`")
            return (NOTHING,)
        body = condition.then if test else condition.otherwise
        return flow if body is None else self.body(body, flow, Env(env.module, env))

    def loop(self, loop: tree.Loop, flow: Flow, env: Env) -> Flow:
        first = self.expressions.settled(loop.rows, env)
        if loop.stop is not None:
            stop = self.expressions.settled(loop.stop, env)
            if first is SILENT or stop is SILENT:
                return (NOTHING,)
            for value, node in ((first, loop.rows), (stop, loop.stop)):
                if not isinstance(value, int) or isinstance(value, bool):
                    self.report("bad-expression", f"a range runs between whole numbers, got {describe(value)}", node, env)
                    return (NOTHING,)
            if stop - first > limits.LAYERS:
                self.too_much(loop, env, f"this loop runs {stop - first:,} times, more than {limits.LAYERS:,}")
            rows: Sequence[Any] = range(first, stop)
        else:
            if first is SILENT:
                return (NOTHING,)
            if not isinstance(first, tuple):
                help = "write a table `[[64, 2], [128, 3]]`, a list, or a range `0..n`"
                self.report("bad-expression", f"a loop runs over a list, got {describe(first)}", loop.rows, env, help=help)
                return (NOTHING,)
            rows = first
        names = [name.text for name in loop.names]
        for number, row in enumerate(rows):
            values = row if len(names) > 1 and isinstance(row, tuple) else (row,)
            if len(values) != len(names):
                at = loop.rows
                if isinstance(loop.rows, tree.List) and number < len(loop.rows.items):
                    at = loop.rows.items[number]
                message = f"row {number + 1} has {len(values)} values for {len(names)} names ({', '.join(names)})"
                self.report("bad-expression", message, at, env)
                return (NOTHING,)
            inner = Env(env.module, env)
            inner.names.update(zip(names, values, strict=True))
            flow = self.body(loop.body, flow, inner)
            if len(self.nodes) > limits.LAYERS:
                self.too_much(loop, env, f"the network has more than {limits.LAYERS:,} layers")
        return flow

    # ------------------------------------------------------------ names and checked shapes

    def named(self, named: tree.Named, flow: Flow, env: Env, first: bool) -> Flow:
        label = self.label(named.label, env)
        if label is None:
            self.element(named.element, flow, env, first)
            return (NOTHING,)
        inner: tree.Element = named.element
        while isinstance(inner, tree.Checked):
            inner = inner.element
        if isinstance(inner, tree.Named):
            self.report("duplicate-name", "this already has a name", named.label, env, help="keep one `as`")
            return self.element(named.element, flow, env, first)
        flow = self.element(named.element, flow, env, first, label, named.numbered)
        if len(flow) == 1:
            self.name_value(label, flow[0], named.label, env)
        elif not label.isdigit():
            env_of_values(env).names[label] = SILENT
        return flow

    def name_value(self, label: str, value: Value, at: tree.Node, env: Env) -> None:
        """Lets the rest of the body use the value by its name."""
        if label.isdigit():
            return
        home = env_of_values(env)
        if isinstance(home.names.get(label), Value) and home.names[label] != value and value is not NOTHING:
            self.report("duplicate-name", f"another value here is already called `{label}`", at, env, help="choose another name")
            return
        if label in home.names and not isinstance(home.names[label], Value):
            message = f"`{label}` is already {describe(home.names[label])} here"
            self.report("duplicate-name", message, at, env, help="choose another name")
            return
        home.names[label] = value
        if value is not NOTHING:
            self.names.setdefault(value, label)
            self.local_names[self.frame.activation, value] = label

    def label(self, label: tree.Label, env: Env) -> str | None:
        parts = []
        for part in label.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            value = self.expressions.settled(part, env)
            if value is SILENT:
                return None
            if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
                self.report("bad-argument", f"a part of a name is a whole number or text, got {describe(value)}", part, env)
                return None
            parts.append(str(value))
        text = "".join(parts)
        plain = text.isascii() and text.replace("_", "a").isalnum() and len(text) <= 100
        if not plain or (text[0].isdigit() and not text.isdigit()):
            help = "a name has letters, digits and _, and does not begin with a digit unless it is a number"
            self.report("bad-argument", f"`{text[:40]}` cannot be a name", label, env, help=help)
            return None
        reason = refused_name(text)
        if reason:
            help = f"for instance `{text.strip('_') or 'layer'}1`"
            self.report("reserved-name", f"a module cannot be called `{text}`: {reason}", label, env, help=help)
            return None
        return text

    def take_name(self, label: str | None, word: str, at: tree.Node, env: Env, is_module: bool = True) -> str:
        """The name for an element in the module being filled: the one it was given, or the next default."""
        span = self.span(at, env.module)
        if label is None:
            return self.frame.default_name(word, span, is_module)
        before = self.frame.take(label, span)
        if before is not None:
            labels = [Label(before, "taken here")]
            help = "choose another name, or `share` one module to use it twice"
            self.report("duplicate-name", f"`{label}` is already the name of an element here", at, env, labels=labels, help=help)
        return label

    def checked(self, checked: tree.Checked, flow: Flow, env: Env, first: bool, label: str | None, numbered: bool) -> Flow:
        flow = self.element(checked.element, flow, env, first, label, numbered)
        wanted = self.expressions.value(checked.shape, env)
        if wanted is SILENT or NOTHING in flow:
            return flow
        if len(flow) != 1:
            self.report("shape-mismatch", f"{len(flow)} values flow here, and one shape is written", checked.shape, env)
            return flow
        sizes = wanted if isinstance(wanted, tuple) else (wanted,)
        tensor = self.tensor(flow[0])
        fits = len(sizes) == len(tensor.dims) and all(
            size is OPEN or agree(size, actual) for size, actual in zip(sizes, tensor.dims, strict=True)
        )
        if not fits:
            written = env.module.source.text[checked.shape.start : checked.shape.end]
            notes = []
            if len(sizes) == len(tensor.dims):
                for axis, (size, actual) in enumerate(zip(sizes, tensor.dims, strict=True)):
                    if size is not OPEN and not agree(size, actual):
                        notes.append(self.provenance.of_axis(flow[0], axis) or "")
            message = f"expected {written}, got {tensor}"
            word = self.provenance.source(flow[0]).layer.word
            label_ = [Label(self.provenance.source(flow[0]).span, f"{word} gives {tensor}")]
            self.report("shape-mismatch", message, checked.shape, env, labels=label_, notes=[n for n in notes if n])
        return flow

    # ------------------------------------------------------------ calls

    def call(self, call: tree.Call, flow: Flow, env: Env, first: bool, label: str | None, numbered: bool) -> Flow:
        name = call.name.text
        found = env.find(name)
        if found is MISSING:
            layer = self.catalog.find(name)
            if layer is None:
                self.unknown_element(call, env)
                return (NOTHING,)
            return self.layer(layer, [(a, env) for a in call.arguments], call, flow, env, label, numbered)
        if type(found) is Value:
            layer = self.catalog.find(name)
            if layer is not None and (call.arguments or not first):
                return self.layer(layer, [(a, env) for a in call.arguments], call, flow, env, label, numbered)
            if layer is not None:
                message = f"`{name}` is a layer and the name of a value here"
                self.report("ambiguous-name", message, call, env, help=f"rename the value: `... as {name}_out`")
                return (NOTHING,)
            return self.use_value(call, found, flow, env, first)
        given = [(a, env) for a in call.arguments]
        if type(found) is Partial:
            given = [(a, found.env) for a in found.arguments] + given
            found = found.target
        if type(found) is LayerValue:
            return self.layer(found.layer, given, call, flow, env, label, numbered)
        if type(found) is BlockValue:
            return self.block(found, given, call, flow, env, label, numbered)
        if type(found) is Shared:
            return self.shared(found, call, flow, env)
        if found is not SILENT:
            what = describe(found)
            layer = self.catalog.find(name)
            if layer is not None:
                return self.layer(layer, given, call, flow, env, label, numbered)
            help = "a network cannot stand inside another; make its body a block" if type(found) is NetValue else None
            self.report("unknown-layer", f"`{name}` is {what}, not a layer or a block", call.name, env, help=help)
        return (NOTHING,)

    def unknown_element(self, call: tree.Call, env: Env) -> None:
        name = call.name
        if name.text == "in":
            help: str | None = "`in` is the input of a block without `takes`"
        else:
            usable = {n for n in env.visible() if not isinstance(env.find(n), int | float | str | tuple)}
            near = nearest(name.text, usable | set(self.catalog.words()))
            help = f"did you mean `{near}`?" if near else "`archdsl list --layers` shows all layers"
        self.report("unknown-layer", f"there is no layer, block or value `{name.text}`", name, env, help=help)

    def use_value(self, call: tree.Call, value: Value, flow: Flow, env: Env, first: bool) -> Flow:
        if call.arguments:
            self.report("extra-argument", f"`{call.name.text}` is a value and takes no arguments", call, env)
            return (NOTHING,)
        if not first:
            message = f"`{call.name.text}` is a value and cannot stand after `->`"
            help = f"begin a line with it, or merge it: `( id | {call.name.text} ) -> add`"
            self.report("misplaced", message, call, env, help=help)
            return (NOTHING,)
        return (value,)

    def layer(
        self,
        cls: type[Layer],
        given: list[Given],
        call: tree.Call,
        flow: Flow,
        env: Env,
        label: str | None,
        numbered: bool,
    ) -> Flow:
        """Puts a layer into the graph."""
        bound = self.binder.layer(cls, given, list(env.defaults.get(cls, ())), call, env)  # type: ignore[arg-type]
        if numbered:
            self.report("misplaced", f"{cls.word} has no children to number", call, env, help="leave the [] out")
        if cls.word == "id":
            return flow if bound is not None else (NOTHING,)
        path_name = self.take_name(label, cls.word, call, env, cls.is_module)
        if bound is None:
            return (NOTHING,)
        layer, references = bound
        inputs = flow + references
        if not inputs:
            self.no_value(call, env)
            return (NOTHING,)
        if NOTHING in inputs:
            return (NOTHING,)
        tensors = tuple([self.tensors[v.node][v.output] for v in inputs])
        key = (id(layer), tensors)
        outputs = self.inferred.get(key)
        if outputs is None:
            outputs = self.infer(layer, tensors, len(flow), inputs, call, given, env)
            if outputs is None:
                return (NOTHING,)
            self.inferred[key] = outputs
        index = len(self.nodes)
        if index >= limits.LAYERS:
            self.too_much(call, env, f"the network has more than {limits.LAYERS:,} layers")
        frame = self.frame
        span = Span(env.module.source, call.start, call.end)
        self.nodes.append(Node(index, frame.prefix + path_name, layer, inputs, span, frame.activation, frame.reused))
        self.tensors.append(outputs)
        return tuple([Value(index, number) for number in range(len(outputs))])

    def no_value(self, call: tree.Call, env: Env) -> None:
        if not self.inputs:
            help = "write an input first: `input 3x224x224`"
            self.report("no-input", f"nothing flows into {call.name.text}: the network has no input", call, env, help=help)
        else:
            names = ", ".join(i.name for i in self.inputs)
            help = f"begin the line with a value: {names}"
            self.report("no-value", f"nothing flows into {call.name.text}", call, env, help=help)

    def infer(
        self,
        layer: Layer,
        tensors: tuple[Tensor, ...],
        flowing: int,
        inputs: Flow,
        call: tree.Call,
        given: list[Given],
        env: Env,
    ) -> tuple[Tensor, ...] | None:
        """Checks what flows into a layer and says what comes out; None where it cannot, which is then reported."""
        cls = type(layer)
        least, most = cls.inputs
        references = sum(a.reference and getattr(layer, a.name) for a in cls.signature().arguments.values())
        count = len(tensors) - references
        if count < least or (most is not None and count > most):
            self.wrong_inputs(cls, count, inputs, call, env)
            return None
        for number, tensor in enumerate(tensors):
            if tensor.kind not in cls.accepts:
                element = cls.conversions.get(tensor.kind)
                help = f"put `{element}` before it" if element else None
                message = f"{cls.word} takes {_kinds(cls.accepts)}, got {tensor}, {tensor.described}"
                self.report("wrong-kind", message, call, env, labels=self.givers(inputs, call, env), help=help)
                return None
            if tensor.kind == "map" and tensor.rank not in cls.ranks:
                ranks = " or ".join(map(str, cls.ranks))
                message = f"{cls.word} takes maps with {ranks} spatial axes, got {tensor} with {tensor.rank}"
                self.report("wrong-rank", message, call, env, labels=self.givers(inputs, call, env))
                return None
            del number
        problems = list(layer.check(*tensors))
        if problems:
            for problem in problems:
                self.layer_problem(layer, problem, inputs, call, given, env)
            return None
        output = layer.output(*tensors)
        return (output,) if isinstance(output, Tensor) else output

    def wrong_inputs(self, cls: type[Layer], count: int, inputs: Flow, call: tree.Call, env: Env) -> None:
        least, most = cls.inputs
        if most == 1:
            message = f"{cls.word} takes one input, got {count}"
            help = "merge the branches first with add, cat, mul or another merging element"
        elif count < least:
            message = f"{cls.word} merges at least {least} values, got {count}"
            help = f"name another value, `{cls.word} e1`, or put branches before it: `( a | b ) -> {cls.word}`"
        else:
            message, help = f"{cls.word} takes {least} values, got {count}", None
        self.report("wrong-inputs", message, call, env, labels=self.givers(inputs, call, env), help=help)

    def layer_problem(
        self, layer: Layer, problem: Problem, inputs: Flow, call: tree.Call, given: list[Given], env: Env
    ) -> None:
        at: tree.Node = call
        where = env
        if problem.parameter is not None:
            found = self.argument_of(type(layer), problem.parameter, given)
            if found is not None and found[1].module is env.module:
                at, where = found
        notes = list(problem.notes)
        help = problem.help
        if problem.code == "merge-shapes":
            at, where = call, env
            notes += self.provenance.differences(inputs)
            help = help or self.merge_help(inputs)
        elif len(inputs) == 1 and self.tensor(inputs[0]).kind == "map" and problem.notes:
            for axis in range(1, len(self.tensor(inputs[0]).dims)):
                note = self.provenance.of_axis(inputs[0], axis)
                if note and note not in notes and not note.endswith("the input's"):
                    notes.append(note)
                    break
        labels = self.givers(inputs, call, env)
        self.report(problem.code, problem.message, at, where, labels=labels, notes=notes, help=help)

    def merge_help(self, inputs: Flow) -> str | None:
        tensors = [self.tensor(value) for value in inputs]
        for target, other, which in ((0, 1, "second"), (1, 0, "first")):
            help = matching_help(tensors[target], tensors[other])
            if help is not None and tensors[target] != tensors[other]:
                plain = len(self.nodes[inputs[other].node].inputs) == 0 or inputs[other].node < inputs[target].node
                if plain or target == 1:
                    return f"give the {which} branch {help}"
        return None

    def argument_of(self, cls: type[Layer], parameter: str, given: list[Given]) -> Given | None:
        """The argument that set a parameter of a layer, as it stands in the text."""
        signature = cls.signature()
        position = 0
        for argument, env in given:
            if argument.name is not None:
                field = signature.find(argument.name.text)
                name = field.name if field else None
            else:
                compacted = self.binder.compacted(signature, argument.value)
                if compacted is not None:
                    name = compacted[0].name
                else:
                    name = signature.positional[position].name if position < len(signature.positional) else None
                    position += 1
            if name == parameter:
                return argument, env
        return None

    def givers(self, inputs: Flow, call: tree.Call, env: Env) -> list[Label]:
        """Labels at the elements whose results flow in."""
        labels = []
        for value in inputs:
            node = self.nodes[value.node]
            if node.span.source is env.module.source and len(labels) < 8:
                which = "this branch gives" if len(inputs) > 1 else "this gives"
                labels.append(Label(node.span, f"{which} {self.tensor(value)}"))
        return labels

    # ------------------------------------------------------------ modules

    def module_of(self, element: tree.Element, flow: Flow, env: Env, label: str, numbered: bool) -> Flow:
        """A group with a name: a module that holds what stands in it."""
        name = self.take_name(label, label, element, env)
        outer = self.frame
        nodes = len(self.nodes)
        index = self.enter(outer.prefix + name, "group", label, (), flow, numbered, self.span(element, env.module))
        flow = self.element(element, flow, env)
        return self.leave(index, outer, flow, nodes, name)

    def block(
        self,
        value: BlockValue,
        given: list[Given],
        call: tree.Call,
        flow: Flow,
        env: Env,
        label: str | None,
        numbered: bool,
    ) -> Flow:
        definition = value.definition
        word = definition.name.text
        inner = Env(value.env.module, value.env)
        written = self.binder.parameters(word, definition.parameters, given, inner, call, env)
        if definition in self.calls and any(d is definition for d in self.calls):
            names = " -> ".join([*(d.name.text for d in self.calls), word])
            self.report("recursion", f"{word} contains itself: {names}", call, env, help="a network has a fixed depth; repeat a block with x3")
            return (NOTHING,)
        transparent = label is None and not numbered and _is_one_named_element(definition.body)
        outer = self.frame
        nodes = len(self.nodes)
        span = Span(env.module.source, call.start, call.end)
        name = "" if transparent else self.take_name(label, word, call, env)
        if written is None:
            return (NOTHING,)
        takes = definition.takes
        if not flow and not self.nodes:
            self.no_value(call, env)
            return (NOTHING,)
        wanted = len(takes) if takes else 1
        if len(flow) != wanted and NOTHING not in flow:
            what = f"takes {wanted} values ({', '.join(t.text for t in takes)})" if takes else "takes one value"
            if not flow:
                self.no_value(call, env)
            else:
                help = f"merge the branches before {word}" if wanted == 1 else f"put branches before it: `( {' | '.join(t.text for t in takes)} ) -> {word}`"
                self.report("wrong-inputs", f"{word} {what}, got {len(flow)}", call, env, help=help)
            return (NOTHING,)
        if NOTHING in flow:
            flow = (NOTHING,) * wanted
        for take, item in zip(takes, flow, strict=False):
            inner.names[take.text] = item
        if not takes:
            inner.names["in"] = flow[0]
        path = outer.prefix.removesuffix(".") if transparent else outer.prefix + name
        if transparent:
            index = len(self.activations)
            self.activations.append(
                Activation(index, path, "block", word, written, flow, (), numbered, outer.activation, span, outer.reused, True, definition.doc)
            )
            frame = Frame(outer.prefix, index, outer.numbered, outer.reused)
            frame.next_number = outer.next_number
            frame.names, frame.counters = outer.names, outer.counters
            self.frame = frame
        else:
            numbers = tuple((p.name.text, inner.names[p.name.text]) for p in definition.parameters)
            numbers = tuple((n, v) for n, v in numbers if isinstance(v, int | float))
            names = tuple(take.text for take in takes)
            index = self.enter(path, "block", word, written, flow, numbered, span, definition.doc, numbers, names)
        self.calls.append(definition)
        try:
            result = self.body(definition.body, flow if not takes else (), inner)
        finally:
            self.calls.pop()
        if not result:
            self.report("no-value", f"{word} gives nothing", call, env, help="end the block with what it gives")
            result = (NOTHING,)
        if transparent:
            outer.next_number = self.frame.next_number if outer.numbered else outer.next_number
        return self.leave(index, outer, result, nodes, name)

    def enter(
        self,
        path: str,
        kind: Any,
        definition: str,
        given: tuple[tuple[str | None, object], ...],
        inputs: Flow,
        numbered: bool,
        span: Span,
        doc: str = "",
        parameters: tuple[tuple[str, object], ...] = (),
        takes: tuple[str, ...] = (),
    ) -> int:
        index = len(self.activations)
        outer = self.frame
        self.activations.append(
            Activation(
                index, path, kind, definition, given, inputs, (), numbered, outer.activation, span, outer.reused, False, doc,
                parameters, takes,
            )
        )
        self.frame = Frame(path + ".", index, numbered, outer.reused)
        return index

    def leave(self, index: int, outer: Frame, flow: Flow, nodes: int, name: str) -> Flow:
        self.frame = outer
        if len(self.nodes) == nodes and len(self.activations) == index + 1:
            self.activations.pop()  # nothing in it: there is no such module
            if name in outer.names:
                del outer.names[name]
                if outer.numbered and name.isdigit():
                    outer.next_number -= 1
            return flow
        self.set_activation(index, outputs=flow)
        return flow

    def set_activation(self, index: int, outputs: Flow) -> None:
        activation = self.activations[index]
        assert activation is not None
        self.activations[index] = activation._replace(outputs=outputs)

    def shared(self, shared: Shared, call: tree.Call, flow: Flow, env: Env) -> Flow:
        """A use of a shared module: built as if for the first time, under the one path, and compared with the first."""
        name = shared.definition.name.text
        if call.arguments:
            self.report("extra-argument", f"`{name}` is a shared module and takes no arguments", call, env, help="its arguments stand where it is defined")
            return (NOTHING,)
        outer = self.frame
        home: Frame = shared.frame
        if outer.prefix != home.prefix:
            message = f"`{name}` is shared in another module than this"
            self.report("misplaced", message, call, env, help=f"define `{name}` inside the named group that uses it")
            return (NOTHING,)
        frame = Frame(home.prefix, outer.activation, False, shared.weights is not None)
        self.frame = frame
        nodes = len(self.nodes)
        try:
            element = shared.definition.element
            result = self.element(element, flow, shared.env, False, name)
        finally:
            self.frame = outer
        if NOTHING in result:
            return result
        weights = {}
        for node in self.nodes[nodes:]:
            inputs = [self.tensor(value) for value in node.inputs]
            weights[node.path] = (node.layer.word, node.layer.weights(*inputs))
        if shared.weights is None:
            shared.weights = weights
        elif shared.weights != weights:
            notes = []
            for path in shared.weights.keys() | weights.keys():
                if shared.weights.get(path) != weights.get(path):
                    before, now = shared.weights.get(path), weights.get(path)
                    notes.append(f"{path}: {_weights(before)} before, {_weights(now)} here")
            message = f"`{name}` would need other weights here than where it is first used"
            self.report("share-mismatch", message, call, env, notes=sorted(notes)[:4], help="give both uses the same number of channels")
            return (NOTHING,)
        return result


def env_of_values(env: Env) -> Env:
    """The body in which a value named inside a loop or a condition is known: the block's or the network's own."""
    while env.parent is not None and env.parent.parent is not None:
        env = env.parent
    return env


def _is_one_named_element(body: tree.Body) -> bool:
    """Whether a block is nothing but one element with a name of its own, if anything: such a block adds no module."""
    lines = [s for s in body.statements if not isinstance(s, tree.Let | tree.Default | tree.Expect)]
    if len(lines) != 1 or not isinstance(lines[0], tree.Line) or len(lines[0].chain.elements) != 1:
        return False
    element = lines[0].chain.elements[0]
    while isinstance(element, tree.Checked):
        element = element.element
    if isinstance(element, tree.Named):
        return True
    if not isinstance(element, tree.Condition):
        return False
    return all(b is None or _is_one_named_element(b) for b in (element.then, element.otherwise))


def _kinds(kinds: tuple[str, ...]) -> str:
    return " or ".join(Tensor(kind).described for kind in kinds)  # type: ignore[arg-type]


def _weights(entry: Any) -> str:
    if entry is None:
        return "nothing"
    word, weights = entry
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in weights.items())
    return f"{word} with {shapes}" if shapes else word
