"""What a file's text gives to all that is written in it: its names and its defaults."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.diagnostics.model import nearest
from archdsl.elaborate.values import SILENT, BlockValue, Env, NetValue
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.binding import Binder
    from archdsl.elaborate.builder import Builder
    from archdsl.elaborate.expressions import Expressions
    from archdsl.layers.catalog import Catalog
    from archdsl.project import Module


class Files:
    """The environments of the files in play, each made when it is first needed."""

    def __init__(self, builder: Builder, expressions: Expressions, binder: Binder, catalog: Catalog) -> None:
        self.report = builder.report
        self.expressions = expressions
        self.binder = binder
        self.catalog = catalog
        self.known: dict[int, Env] = {}

    def env(self, module: Module) -> Env:
        """The names that a file defines or uses."""
        env = self.known.get(id(module))
        if env is not None:
            return env
        env = self.known[id(module)] = Env(module)
        env.names.update(dict.fromkeys(module.unresolved, SILENT))
        for name, (definition, owner) in module.definitions.items():
            if isinstance(definition, tree.Block):
                env.names[name] = BlockValue(definition, env if owner is module else self.env(owner))
            elif isinstance(definition, tree.Net | tree.Variant):
                env.names[name] = NetValue(definition, owner)
            elif owner is not module:
                env.names[name] = self.env(owner).names.get(name, SILENT)
        for written in module.parsed.file.definitions:
            if isinstance(written, tree.Let):
                if module.definitions[written.name.text][0] is written:  # a second of the name has been reported
                    env.names[written.name.text] = self.expressions.value(written.value, env)
            elif isinstance(written, tree.Default):
                self.default(written, env)
        return env

    def place_of(self, network: NetValue, env: Env) -> Span | None:
        """Where the name of a network stands, if it is in the same file."""
        name = network.definition.name
        found = env.module.definitions.get(name.text)
        same = found is not None and found[0] is network.definition and found[1] is env.module
        return Span(env.source, name.start, name.end) if same else None

    def default(self, statement: tree.Default, env: Env) -> None:
        """Lets layers that are written in this file, or below in this body, take further arguments."""
        layer = self.catalog.find(statement.layer.text)
        if layer is None:
            near = nearest(statement.layer.text, self.catalog.words())
            help = f"did you mean `{near}`?" if near else "`default` takes a layer's word"
            message = f"there is no layer `{statement.layer.text}`"
            self.report("unknown-layer", message, statement.layer, env, help=help)
            return
        given = self.binder.defaults(layer, statement.arguments, env)
        if given is not None:
            env.defaults = {**env.defaults, layer: {**env.defaults.get(layer, {}), **given}}
