"""The walk through a body: what flows from one element into the next."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.diagnostics.model import Label, nearest
from archdsl.elaborate import meant
from archdsl.elaborate.builder import NOTHING, Builder, Flow
from archdsl.elaborate.modules import Modules
from archdsl.elaborate.naming import refused_name
from archdsl.elaborate.networks import PRETRAINED, Networks, listed_parts
from archdsl.elaborate.origins import facts, rounded_down
from archdsl.elaborate.training import Training
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
    describe,
)
from archdsl.graph import Value, shown
from archdsl.layers.tensor import agree
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.binding import Binder
    from archdsl.elaborate.expressions import Expressions
    from archdsl.elaborate.files import Files
    from archdsl.elaborate.placing import Placer
    from archdsl.elaborate.ports import Ports
    from archdsl.layers.catalog import Catalog


_NAMING = re.compile(
    r"\b(?:let|share|as)\s+([a-z_]\w*)|^[ \t]*([a-z_]\w*)\s*:?=(?!=)|[^=]=\s*([a-z_]\w*)\s*$", re.MULTILINE
)
"""Where the text of a statement gives a name."""

_LABEL = re.compile(r"[0-9]+|[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
"""What can be the name of a module."""
_REFERABLE = re.compile(r"[a-z_][A-Za-z0-9_]*")
"""What of it can be the name of a value as well."""


class Walker:
    """Walks through statements and elements, and puts what it meets into the graph."""

    def __init__(
        self,
        builder: Builder,
        expressions: Expressions,
        binder: Binder,
        placer: Placer,
        ports: Ports,
        files: Files,
        catalog: Catalog,
    ) -> None:
        self.builder = builder
        self.report = builder.report
        self.expressions = expressions
        self.binder = binder
        self.placer = placer
        self.ports = ports
        self.files = files
        self.catalog = catalog
        self.modules = Modules(self)
        self.networks = Networks(self)
        self.training = Training(builder, expressions)
        expressions.parts = builder.parts
        self.expectations: list[tuple[tree.Expect, Env]] = []
        self.depth = 0

    # ------------------------------------------------------------ statements

    def body(self, body: tree.Body, flow: Flow, env: Env) -> Flow:
        self.builder.steps += len(body.statements)
        for statement in body.statements:
            if type(statement) is tree.Line:
                flow = self.chain(statement.chain, flow, env)
            else:
                flow = self.statement(statement, flow, env)
        return flow

    def statement(self, statement: tree.Statement, flow: Flow, env: Env) -> Flow:
        ports = self.ports
        at_top = self.builder.frame.activation == ports.activation and len(self.modules.calls) == ports.calls
        if isinstance(statement, tree.Mistake):
            self.builder.spend((statement.end - statement.start) >> 3, statement, env)
            self.mistake(statement, env)
            return (NOTHING,)
        if isinstance(statement, tree.Input | tree.Output) and not at_top:
            what = "an input" if isinstance(statement, tree.Input) else "an output"
            message = f"{what} belongs to a network, not to a block or a group"
            help = "leave it out: a block names its inputs after `takes`, and gives what flows at its end"
            self.report("misplaced", message, statement, env, help=help)
        elif isinstance(statement, tree.Input):
            self.builder.spend(len(flow) >> 2, statement, env)
            value = ports.input(statement, env)
            return (*flow, value) if ports.several else (value,)
        elif isinstance(statement, tree.Output):
            ports.output(statement, env)
        elif isinstance(statement, tree.Let):
            self.let(statement, env)
        elif isinstance(statement, tree.Default):
            self.builder.spend(16, statement, env)  # each layer's arguments are merged
            self.files.default(statement, env)
        elif isinstance(statement, tree.Share):
            self.modules.share(statement, env)
        elif isinstance(statement, tree.Expect):
            self.expect(statement, env)
        elif isinstance(statement, tree.Preprocess | tree.Recipe):
            if not at_top:
                word = "recipe" if isinstance(statement, tree.Recipe) else "preprocess"
                message = f"a `{word}` belongs to a network, not to a block or a group"
                self.report("misplaced", message, statement, env, help="move it to the network")
            elif not self.modules.calls:  # that of a network inside is about it alone
                self.training.said(statement, env)
        return flow

    def mistake(self, mistake: tree.Mistake, env: Env) -> None:
        """What could not be read may have been to give a name; of that name nothing more is said."""
        for match in _NAMING.finditer(env.source.text[mistake.start : mistake.end]):
            name = match[1] or match[2] or match[3]
            if env.find(name) is not MISSING:
                continue
            if match[0].startswith("as"):
                self.name_value(name, NOTHING, mistake, env)
            else:
                env.names[name] = SILENT

    def let(self, statement: tree.Let, env: Env) -> None:
        name = statement.name.text
        if name in env.names:
            message = f"`{name}` is already set here"
            help = "choose another name; a let does not change"
            self.report("duplicate-name", message, statement.name, env, help=help)
        else:
            env.names[name] = self.expressions.value(statement.value, env)

    def expect(self, statement: tree.Expect, env: Env) -> None:
        """A network's contracts wait for the analyses; a block's are about shapes and are decided here."""
        if not self.modules.calls:
            self.expectations.append((statement, env))
            return
        if isinstance(self.modules.calls[-1], tree.Net):
            return  # it is about the network as it stands alone
        if (whole := statement.at or statement.multiple) is not None:
            message = "a block's contract is a plain condition; `at` and `multiple_of` stand in a network's"
            self.report("misplaced", message, whole, env, help="move it to the network")
            return
        value = self.expressions.shape(statement.condition, env)
        if value is False:
            notes = self.sides(statement.condition, env)
            self.report("expectation", "this does not hold", statement.condition, env, notes=notes)
        elif value is not True and value is not SILENT and value is not OPEN:
            message = f"`expect` needs yes or no, got {describe(value)}"
            self.report("bad-expression", message, statement.condition, env)

    def sides(self, node: tree.Expression, env: Env) -> list[str]:
        """What the parts of a condition that are not plain numbers come to."""
        if isinstance(node, tree.Binary) and node.operator in ("and", "or"):
            return [*self.sides(node.left, env), *self.sides(node.right, env)]
        if isinstance(node, tree.Unary):
            return self.sides(node.operand, env)
        notes = []
        for part in (node.left, node.right) if isinstance(node, tree.Binary) else ():
            if not isinstance(part, tree.Number):
                text = env.module.source.text[part.start : part.end]
                value = self.expressions.value(part, env)
                notes.append(f"{text} = {value:,}" if isinstance(value, int) else f"{text} = {shown(value)}")
        return list(dict.fromkeys(notes))

    # ------------------------------------------------------------ elements

    def chain(self, chain: tree.Chain, flow: Flow, env: Env) -> Flow:
        self.builder.spend(len(chain.elements), chain, env)
        first = True
        for element in chain.elements:
            if type(element) is tree.Call:
                flow = self.call(element, flow, env, first)
            else:
                flow = self.element(element, flow, env, first)
            first = False
        return flow

    def element(
        self,
        element: tree.Element,
        flow: Flow,
        env: Env,
        first: bool = False,
        label: str | None = None,
        numbered: bool = False,
    ) -> Flow:
        """One element. `label` is the name that `as` gives it, `numbered` whether its children are numbered."""
        self.depth += 1
        try:
            if self.depth > limits.NESTING:
                message = f"blocks and brackets nest more than {limits.NESTING} deep"
                self.report("too-deep", message, element, env, help="move the inner part into a block, used beside")
                return (NOTHING,)
            if type(element) is tree.Call:
                return self.call(element, flow, env, first, label, numbered)
            if type(element) is tree.Named:
                return self.named(element, flow, env, first)
            if type(element) is tree.Checked:
                flow = self.element(element.element, flow, env, first, label, numbered)
                self.check(element, flow, env)
                return flow
            if type(element) is tree.Tap:
                return self.tap(element, env, first, label)
            if type(element) is tree.Mistake:
                return (NOTHING,)
            if label is not None:
                return self.modules.group(element, flow, env, label, numbered)
            return _PLAIN[type(element)](self, element, flow, env)
        finally:
            self.depth -= 1

    def group(self, group: tree.Group, flow: Flow, env: Env) -> Flow:
        """Branches over one value; where as many values flow as there are branches, one for each."""
        branches = group.branches
        if len(branches) == 1:
            return self.chain(branches[0], flow, env)
        results: list[Value] = []
        widths: list[int] = []
        apart = len(flow) == len(branches)
        for number, branch in enumerate(branches):
            if len(flow) > 1 and not apart and not self.begins_with_value(branch, env):
                message = f"{len(flow)} values flow into {len(branches)} branches"
                help = "merge them before, or give each its branch"
                self.report("wrong-inputs", message, branch, env, help=help)
                return (NOTHING,)
            given = self.chain(branch, (flow[number],) if apart else flow, env)
            results += given
            widths.append(len(given))
        flow = tuple(results)
        self.builder.spend(len(flow), group, env)

        def ends() -> list[Span]:
            last = [branch.elements[-1] for branch in branches]
            return [
                Span(env.source, end.start, end.end)
                for end, width in zip(last, widths, strict=True)
                for _ in range(width)
            ]

        self.builder.branches = (flow, ends)
        return flow

    def begins_with_value(self, branch: tree.Chain, env: Env) -> bool:
        first: tree.Element = branch.elements[0]
        while isinstance(first, tree.Named | tree.Checked):
            first = first.element
        if isinstance(first, tree.Tap):
            return True
        return isinstance(first, tree.Call) and not first.arguments and type(env.find(first.name.text)) is Value

    def repeat(self, repeat: tree.Repeat, flow: Flow, env: Env) -> Flow:
        count = self.expressions.settled(repeat.count, env)
        if count is SILENT:
            return (NOTHING,)
        if isinstance(count, bool) or not isinstance(count, int | float) or count != int(count) or count < 0:
            message = f"a repeat needs a whole number from 0 up, got {describe(count)}"
            notes, help = facts(repeat.count, env), rounded_down(repeat.count, env)
            self.report("bad-argument", message, repeat.count, env, notes=notes, help=help)
            return (NOTHING,)
        nodes, frame = self.builder.nodes, self.builder.frame
        for done in range(int(count)):
            self.builder.step(repeat, env, 2)
            had = len(nodes)
            before = flow, had, len(frame.names), frame.next_number
            flow = self.element(repeat.element, flow, env)
            made = len(nodes) - had
            total = had + made * (int(count) - done)
            if total > limits.LAYERS and made:
                message = f"{int(count):,} times {made} layers makes {total:,}, more than {limits.LAYERS:,}"
                self.builder.too_much(repeat, env, message)
            if NOTHING in flow or before == (flow, len(nodes), len(frame.names), frame.next_number):
                break  # an error, or nothing that another turn would change
        return flow

    def condition(self, condition: tree.Condition, flow: Flow, env: Env) -> Flow:
        test = self.expressions.settled(condition.test, env)
        if test is SILENT:
            return (NOTHING,)
        if not isinstance(test, bool):
            message = f"`if` needs yes or no, got {describe(test)}"
            text = env.source.text[condition.test.start : condition.test.end]
            help = f"compare it: `{text} > 0`" if isinstance(test, int | float) else "compare it: `n > 0`"
            self.report("bad-expression", message, condition.test, env, help=help)
            return (NOTHING,)
        body = condition.then if test else condition.otherwise
        return flow if body is None else self.body(body, flow, Env(env.module, env))

    def loop(self, loop: tree.Loop, flow: Flow, env: Env) -> Flow:
        rows = self.rows(loop, env)
        if rows is None:
            return (NOTHING,)
        names = [name.text for name in loop.names]
        for number, row in enumerate(rows):
            self.builder.step(loop, env, 4 + len(names))
            values = row if len(names) > 1 and type(row) is tuple else (row,)
            if len(values) != len(names):
                items = loop.rows.items if isinstance(loop.rows, tree.List) else ()
                at = items[number] if number < len(items) else loop.rows
                message = f"row {number + 1} has {len(values)} values for {len(names)} names ({', '.join(names)})"
                help = "give each row as many values as there are names"
                self.report("bad-expression", message, at, env, help=help)
                return (NOTHING,)
            inner = Env(env.module, env)
            inner.names.update(zip(names, values, strict=True))
            flow = self.body(loop.body, flow, inner)
        return flow

    def rows(self, loop: tree.Loop, env: Env) -> Any:
        """What a loop runs over: the rows of a table, the items of a list, the numbers of a range; or None."""
        first = self.expressions.settled(loop.rows, env)
        if loop.stop is None:
            if first is not SILENT and type(first) is not tuple:
                text = env.source.text[loop.rows.start : loop.rows.end]
                help = f"write a range `0..{text}`, a list, or a table `[[64, 2], [128, 3]]`"
                message = f"a loop runs over a list, got {describe(first)}"
                self.report("bad-expression", message, loop.rows, env, help=help)
                return None
            return None if first is SILENT else first
        stop = self.expressions.settled(loop.stop, env)
        for value, node in ((first, loop.rows), (stop, loop.stop)):
            if value is SILENT:
                return None
            if not isinstance(value, int) or isinstance(value, bool):
                message = f"a range runs between whole numbers, got {describe(value)}"
                self.report("bad-expression", message, node, env, help=rounded_down(node, env))
                return None
        if stop - first > limits.STEPS:
            message = f"this loop runs {stop - first:,} times, more than {limits.STEPS:,}"
            self.builder.too_much(loop, env, message)
        return range(first, stop)

    # ------------------------------------------------------------ names and checked shapes

    def named(self, named: tree.Named, flow: Flow, env: Env, first: bool) -> Flow:
        """X as name: the name of X's value and of its module."""
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
        index, path = len(self.builder.activations), self.builder.frame.prefix + label
        flow = self.element(named.element, flow, env, first, label, named.numbered)
        if NOTHING in flow:
            self.name_module(label, -1, env)
        elif len(self.builder.activations) > index and self.builder.activations[index].path == path:
            self.name_module(label, index, env)
        else:
            self.name_module(label, None, env)
        if _REFERABLE.fullmatch(label) and (len(flow) == 1 or NOTHING in flow):  # several values have no name
            self.name_value(label, flow[0] if len(flow) == 1 else NOTHING, named.label, env)
        return flow

    def name_module(self, label: str, index: int | None, env: Env) -> None:
        """Lets the rest of the block or the network use what comes out of the parts of a module.

        Its number is -1 after an error, and None where the name is given to a layer: it is no module's any more.
        """
        home = _home(env)
        if home.modules is None:
            home.modules = {}
        if index is not None:
            home.modules[label] = index
        else:
            home.modules.pop(label, None)

    def tap(self, tap: tree.Tap, env: Env, first: bool, label: str | None = None) -> Flow:
        """What comes out of a part of a named module, at the head of a line or a branch."""
        text = f"{tap.name.text}.{tap.path.text}"
        if not first:
            message = f"`{text}` is a value and cannot stand after `->`"
            help = f"begin a line with it, or merge it: `add {text}`, which is `( id | {text} ) -> add`"
            self.report("misplaced", message, tap, env, help=help)
            return (NOTHING,)
        flow = self.part(tap.name, tap.path.text, tap, env)
        if flow is None:
            return (NOTHING,)
        if label is not None:
            self.builder.take_name(label, text, tap, env, is_module=False)
        return flow

    def part(self, name: tree.Name, path: str, at: tree.Node, env: Env) -> Flow | None:
        """What comes out of a part of a named module; None where there is none, which is then reported."""
        index = env.module_named(name.text)
        if index is None:
            found = env.find(name.text)
            if found is SILENT or found == NOTHING:
                return None
            if found is MISSING:
                labels = self.builder.default_named(name.text, env)
                help = f"only what is named can be used again: `... as {name.text}`" if labels else None
                if path[0].isdigit() and self.catalog.find(name.text) is not None:
                    help = f"a number begins with a digit: `{name.text} 0.{path}`"
                help = help or meant.module_of_a_library(name.text)
                self.report(
                    "unknown-name", f"nothing here is called `{name.text}`", name, env, labels=labels, help=help
                )
            else:
                message = f"`{name.text}` is {describe(found)}, and no module with layers inside"
                self.report("unknown-name", message, name, env, help="name a network, a block or a group with `as`")
            return None
        if index < 0:
            return None
        known = self.builder.parts(index, at, env)
        flow = known.get(path)
        if flow is None:
            near = nearest(path, known)
            help = f"did you mean `{name.text}.{near}`?" if near else f"it has {listed_parts(known)}"
            self.report("unknown-name", f"`{name.text}` has no layer `{path}`", at, env, help=help)
        return flow

    def name_value(self, label: str, value: Value, at: tree.Node, env: Env) -> None:
        """Lets the rest of the block or the network use a value by its name, from inside a loop as well."""
        home = _home(env)
        before = home.names.get(label)
        if before is not None and type(before) is not Value:
            message = f"`{label}` is already {describe(before)} here"
            self.report("duplicate-name", message, at, env, help="choose another name")
            return
        home.names[label] = value  # in a loop the last one counts; in one module no name is given twice
        if value != NOTHING:
            self.builder.name(self.builder.frame.activation, value, label)

    def label(self, label: tree.Label, env: Env) -> str | None:
        """The text of a name, its computed parts worked out; None where it is none, which is then reported."""
        parts = []
        for part in label.parts:
            if isinstance(part, str):
                parts.append(part)
                continue
            value = self.expressions.settled(part, env)
            if value is SILENT:
                return None
            if isinstance(value, bool) or not isinstance(value, int | str) or (isinstance(value, int) and value < 0):
                message = f"a part of a name is a whole number or text, got {describe(value)}"
                self.report("bad-argument", message, part, env)
                return None
            parts.append(str(value))
        text = "".join(parts)
        self.builder.spend(len(text) >> 4, label, env)
        if not _LABEL.fullmatch(text) or len(text) > limits.NAME_CHARACTERS:
            help = "a name has letters, digits, _ and -, and does not begin with a digit unless it is a number"
            self.report("bad-argument", f"`{text[:40]}` cannot be a name", label, env, help=help)
            return None
        reason = refused_name(text)
        if reason:
            help = f"for instance `{text.strip('_') or 'layer'}1`"
            self.report("reserved-name", f"a module cannot be called `{text}`: {reason}", label, env, help=help)
            self.name_value(text, NOTHING, label, env)
            return None
        return text

    def check(self, checked: tree.Checked, flow: Flow, env: Env) -> None:
        """X : shape. In a network that stands in another, it is about the sizes that the network was written for."""
        if not self.ports.is_as_written:
            return
        wanted = self.expressions.shape(checked.shape, env)
        if wanted is SILENT or NOTHING in flow or not flow:
            return
        if len(flow) != 1:
            message = f"{len(flow)} values flow here, and one shape is written"
            self.report("shape-mismatch", message, checked.shape, env)
            return
        sizes = wanted if type(wanted) is tuple else (wanted,)
        tensor = self.builder.tensor(flow[0])
        pairs = list(zip(sizes, tensor.dims, strict=False))
        wrong = [axis for axis, (size, actual) in enumerate(pairs) if size is not OPEN and not agree(size, actual)]
        if not wrong and len(sizes) == len(tensor.dims):
            return
        provenance = self.placer.provenance
        notes = [provenance.of_axis(flow[0], axis) for axis in wrong] if len(sizes) == len(tensor.dims) else []
        written = env.module.source.text[checked.shape.start : checked.shape.end]
        giver = provenance.source(flow[0])
        labels = [Label(giver.span, f"{giver.layer.word} gives {tensor}")]
        known = [note for note in dict.fromkeys(notes) if note]
        if isinstance(checked.shape, tree.Binary):
            known.insert(0, f"{written} = {shown(wanted)}")
        message = f"expected {written}, got {tensor}"
        help = self.placer.doubtful_input(len(tensor.dims) - len(sizes))
        if help is None and len(wrong) == 2 and tensor.kind == "map" and len(sizes) == len(tensor.dims) == 3:
            a, b = wrong
            turned = a == 1 and sizes[a] == tensor.dims[b] and sizes[b] == tensor.dims[a]
            help = f"height stands before width: `{tensor}`" if turned else None
        self.report("shape-mismatch", message, checked.shape, env, labels=labels, notes=known, help=help)

    # ------------------------------------------------------------ calls

    def call(
        self,
        call: tree.Call,
        flow: Flow,
        env: Env,
        first: bool,
        label: str | None = None,
        numbered: bool = False,
    ) -> Flow:
        """A word: a layer, a block, a shared module or a value, and a parameter that is one of them."""
        name = call.name.text
        if call.arguments:
            self.builder.spend(len(call.arguments), call, env)
        found = env.find(name)
        partial: Partial | None = None
        if type(found) is Partial:
            partial, found = found, found.target
            self.builder.spend(8 + len(partial.arguments), call, env)
        kind = type(found)
        layer: Any
        if kind is LayerValue:
            layer = found.layer
        elif kind is BlockValue:
            return self.modules.block(found, call, flow, env, label, numbered, partial)
        elif kind is NetValue:
            return self.networks.element(found, call, flow, env, label, numbered, partial)
        elif kind is Shared:
            if label is not None:
                self.builder.frame.names.setdefault(label, self.builder.frame.names.get(name))  # type: ignore[arg-type]
            return self.modules.shared(found, call, flow, env)
        elif found is SILENT:
            return (NOTHING,)
        elif found is MISSING and name == PRETRAINED and self.catalog.find(name) is None:
            return self.networks.pretrained(call, flow, env, label, numbered)
        else:
            layer = self.catalog.find(name)
            if kind is Value and (layer is None or (first and not call.arguments)):
                return self.value(call, found, layer is not None, env, first, label)
            if layer is None:
                self.unknown(call, found, env)
                return (NOTHING,)
        if numbered:
            self.report("misplaced", f"{layer.word} has no children to number", call, env, help="leave the [] out")
        return self.placer.layer(layer, call, flow, env, label, partial)

    def value(self, call: tree.Call, value: Value, is_layer: bool, env: Env, first: bool, label: str | None) -> Flow:
        """A value's name at the head of a line or a branch: what follows goes on from there."""
        name = call.name.text
        if is_layer:
            message = f"`{name}` is a layer and the name of a value here"
            span = self.builder.nodes[value.node].span if value != NOTHING else None
            labels = [Label(span, "the value")] if span is not None and span.source is env.source else []
            help = f"rename the value: `{name}_out`"
            self.report("ambiguous-name", message, call, env, labels=labels, help=help)
            return (NOTHING,)
        if call.arguments:
            self.report("extra-argument", f"`{name}` is a value and takes no arguments", call, env)
            return (NOTHING,)
        if not first:
            message = f"`{name}` is a value and cannot stand after `->`"
            help = f"begin a line with it, or merge it: `add {name}`, which is `( id | {name} ) -> add`"
            self.report("misplaced", message, call, env, help=help)
            return (NOTHING,)
        if label is not None:
            self.builder.take_name(label, name, call, env, is_module=False)
        return (value,)

    def unknown(self, call: tree.Call, found: Any, env: Env) -> None:
        name = call.name
        if found is not MISSING:
            message = f"`{name.text}` is {describe(found)}, not a layer or a block"
            self.report("unknown-layer", message, name, env)
            return
        labels = self.builder.default_named(name.text, env)
        help = f"only what is named can be used again: `... as {name.text}`" if labels else self.meant(name, env)
        message = f"there is no layer, block or value `{name.text}`"
        self.report("unknown-layer", message, name, env, labels=labels, help=help)

    def meant(self, name: tree.Name, env: Env) -> str:
        return meant.element(name, env, self.catalog, lambda steps: self.builder.spend(steps, name, env))


def _home(env: Env) -> Env:
    """The names of the block or the network, from inside a loop or a condition."""
    while env.parent is not None and env.parent.parent is not None:
        env = env.parent
    return env


_PLAIN: dict[type, Callable[[Walker, Any, Flow, Env], Flow]] = {
    tree.Group: Walker.group,
    tree.Repeat: Walker.repeat,
    tree.Condition: Walker.condition,
    tree.Loop: Walker.loop,
}
"""How to walk through elements that hold others and have no name."""
