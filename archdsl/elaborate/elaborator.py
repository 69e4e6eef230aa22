"""Syntax tree to graph: names, defaults, blocks, repeats and conditions are worked out, and every shape is checked.

Sizes are inferred as the graph grows, since a condition may ask for them (`if in.c != c`). The work is divided: `files`
has the names of a file, `ports` the inputs and outputs, `flow` walks through bodies, `modules` fills blocks and groups,
`binding` sorts arguments, `expressions` evaluates, `placing` checks a layer at its place, and `builder` collects.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, Label
from archdsl.elaborate.binding import Binder
from archdsl.elaborate.builder import NOTHING, Builder, TooMuchError
from archdsl.elaborate.expressions import Expressions
from archdsl.elaborate.files import Files
from archdsl.elaborate.flow import Walker
from archdsl.elaborate.placing import Placer
from archdsl.elaborate.ports import Ports
from archdsl.elaborate.values import MISSING, Env
from archdsl.errors import ArchError
from archdsl.graph import Activation, Graph
from archdsl.layers.applied import MEMORY
from archdsl.layers.source import Input
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.networks import Placed
    from archdsl.layers.catalog import Catalog
    from archdsl.layers.tensor import Tensor
    from archdsl.project import Module


_BITS = (10**limits.NUMBER_CHARACTERS).bit_length()


@dataclass(frozen=True, eq=False)
class Elaboration:
    """The graph, what was wrong, and what the network expects of itself (decided when the analyses are there)."""

    graph: Graph
    diagnostics: tuple[Diagnostic, ...]
    expectations: tuple[tuple[tree.Expect, Env], ...]
    walker: Walker
    """For evaluating the expectations in the network's own names."""


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
    MEMORY.trim()
    return _Elaborator(module, catalog, inputs or {}).network(name, arguments or {})


class _Elaborator:
    def __init__(self, module: Module, catalog: Catalog, shapes: Mapping[str, Tensor]) -> None:
        self.module = module
        self.catalog = catalog
        self.builder = Builder()
        expressions = Expressions(
            catalog, self.builder.report, self.builder.tensor, self.builder.spend, self.builder.size_reads
        )
        self.binder = Binder(expressions)
        self.files = Files(self.builder, expressions, self.binder, catalog)
        self.ports = Ports(self.builder, expressions, shapes)
        placer = Placer(self.builder, self.binder)
        self.walker = Walker(self.builder, expressions, self.binder, placer, self.ports, self.files, catalog)

    def network(self, name: str, arguments: Mapping[str, object]) -> Elaboration:
        builder = self.builder
        found, _ = self.module.definitions[name]
        assert isinstance(found, tree.Net | tree.Variant)
        span = Span(self.module.source, found.name.start, found.name.end)
        builder.starts.append(0)
        builder.activations.append(
            Activation(
                index=0,
                path="",
                kind="net",
                definition=name,
                given=(),
                inputs=(),
                outputs=(),
                numbered=False,
                parent=None,
                span=span,
                doc=found.doc,
            )
        )
        try:
            self.filled(found, name, arguments)
        except TooMuchError:
            builder.outputs.clear()
        if builder.outputs and not any(d.is_error for d in builder.diagnostics):
            self.unused()
        return Elaboration(
            self.graph(found, span), tuple(builder.diagnostics), tuple(self.walker.expectations), self.walker
        )

    def filled(self, found: tree.Net | tree.Variant, name: str, arguments: Mapping[str, object]) -> None:
        """Writes the network out."""
        networks = self.walker.networks
        resolved = networks.resolved(found, self.module)
        if resolved is not None:
            definition, owner, written_in, self.builder.variants, _ = resolved
            networks.root = definition
            env = Env(owner, self.files.env(owner))
            given = networks.override([*written_in, self.outside(arguments, found.name)], definition.parameters)
            file = self.files.env(self.module)
            names = tuple([p.name.text for p in definition.parameters])
            written = self.binder.parameters(name, names, definition.parameters, given, env, found.name, file)
            if written is not None:
                self.body(definition, env, found.name)
                if isinstance(found, tree.Variant) and found.body is not None:
                    self.promises(found.body, env, as_written=not arguments and not self.ports.shapes)

    def body(self, definition: tree.Net, env: Env, name: tree.Name) -> None:
        builder = self.builder
        flow = self.walker.body(definition.body, (), env)
        made = any(not isinstance(node.layer, Input) for node in builder.nodes)
        if not made and NOTHING not in flow and not builder.diagnostics:
            help = "write a layer after the input: `conv 64 k3`" if builder.inputs else "begin with `input 3x224x224`"
            last = [Label(each.span, "nothing stands behind it") for each in builder.inputs[-1:]]
            env = self.files.env(self.module)
            builder.report("empty-net", f"{name.text} has no layers", name, env, labels=labels_in(env, last), help=help)
        elif not builder.outputs and NOTHING not in flow:
            self.ports.last_values(flow)
        elif builder.outputs and not self.ports.given_always:
            message = f"{name.text} has outputs only `when training`"
            help = "name what it gives otherwise: `output logits`"
            env = self.files.env(self.module)
            labels = labels_in(env, [Label(each.span, "only when training") for each in builder.outputs])
            builder.report("no-output", message, name, env, labels=labels, help=help)
        outputs = tuple(output.value for output in builder.outputs)
        builder.activations[0] = builder.activations[0].giving(outputs)

    def promises(self, body: tree.Body, env: Env, as_written: bool) -> None:
        """What a variant expects of itself. It counts for the variant as it is written, not with other arguments."""
        for statement in body.statements:
            if isinstance(statement, tree.Expect):
                if as_written:
                    self.walker.expectations.append((statement, Env(self.module, env)))
            elif isinstance(statement, tree.Preprocess | tree.Recipe):
                self.walker.training.said(statement, Env(self.module, env), again=True)
            elif not isinstance(statement, tree.Mistake):
                help = "parameters are given in the brackets; what else differs is another network"
                self.builder.report(
                    "misplaced",
                    "a variant's body holds `expect`, `recipe` and `preprocess` only",
                    statement,
                    self.files.env(self.module),
                    help=help,
                )

    # ------------------------------------------------------------ arguments

    def outside(self, arguments: Mapping[str, object], at: tree.Name) -> list[Placed]:
        """Arguments from outside the spec, as if they stood at the network's name."""
        env = self.files.env(self.module)
        start, end = at.start, at.end

        def literal(value: object) -> tree.Expression:
            if isinstance(value, bool):
                return tree.Constant(start, end, value)
            if isinstance(value, int) and value.bit_length() > _BITS:
                raise ArchError(f"{at.text} is given a number of more than {limits.NUMBER_CHARACTERS} digits")
            if isinstance(value, int) or (isinstance(value, float) and isfinite(value)):
                return tree.Number(start, end, value)
            if isinstance(value, list | tuple):
                return tree.List(start, end, tuple(literal(item) for item in value))
            text = str(value)
            is_name = env.find(text) is not MISSING or self.catalog.find(text) is not None
            return tree.Name(start, end, text) if is_name else tree.String(start, end, text)

        return [
            (tree.Argument(start, end, tree.Name(start, end, name), literal(value)), env)
            for name, value in arguments.items()
        ]

    # ------------------------------------------------------------ the end

    def graph(self, found: tree.Net | tree.Variant, span: Span) -> Graph:
        builder = self.builder
        return Graph(
            found.name.text,
            self.doc(found),
            span,
            tuple(builder.inputs),
            tuple(builder.outputs),
            tuple(builder.nodes),
            tuple(builder.activations),
            tuple(builder.applied),
            builder.names,
            builder.local_names,
            tuple(builder.size_reads),
            tuple(builder.backbones),
            builder.preprocess,
            builder.recipe,
        )

    def doc(self, found: Any) -> str:
        """A variant without a doc comment of its own has its base's."""
        owner = self.module
        for _ in range(limits.NESTING):
            if not isinstance(found, tree.Variant) or found.doc:
                break
            found, owner = owner.definitions.get(found.base.text, (None, owner))
        return found.doc if isinstance(found, tree.Net | tree.Variant) else ""

    def unused(self) -> None:
        """Warns of what no output needs."""
        builder = self.builder
        needed = bytearray(len(builder.nodes))
        consumed = bytearray(len(builder.nodes))
        for output in builder.outputs:
            needed[output.value.node] = 1
        for node in reversed(builder.nodes):  # each follows its inputs
            for value in node.inputs:
                consumed[value[0]] = 1
                if needed[node[0]]:
                    needed[value[0]] = 1
        if all(needed):
            return
        for node in builder.nodes:
            if not needed[node.index] and not consumed[node.index]:
                what = f"the input {node.path}" if isinstance(node.layer, Input) else f"what {node.layer.word} gives"
                help = "name it in `output`, merge it, or delete it"
                outputs = [Label(each.span, "an output") for each in builder.outputs if self.ports.output_names]
                labels = [label for label in outputs if label.span.source is node.span.source][:4]
                builder.warn_at(node.span, "unused-value", f"nothing uses {what}", help, labels)


def labels_in(env: Env, labels: list[Label]) -> list[Label]:
    """The labels that stand in the text of a place."""
    return [label for label in labels if label.span.source is env.source]
