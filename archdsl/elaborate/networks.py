"""Networks by name: what a variant stands for, and a network that stands as an element inside another."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from archdsl import limits
from archdsl.diagnostics.model import nearest
from archdsl.elaborate.builder import NOTHING, Flow, ReachedError
from archdsl.elaborate.cut import cut
from archdsl.elaborate.naming import Frame
from archdsl.elaborate.ports import Entrance
from archdsl.elaborate.values import MISSING, SILENT, Env, NetValue, Partial, describe
from archdsl.graph import Activation
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archdsl.elaborate.flow import Walker
    from archdsl.project import Definition, Module

Placed = tuple[tree.Argument, Env]
"""An argument, with the names of the place where it was written."""

UNTIL = "until"
"""What a network inside another takes besides its own parameters: the layer at which it ends."""
_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


class Resolved(NamedTuple):
    """What a network's name stands for."""

    definition: tree.Net
    owner: Module
    """The file that it is written in."""
    arguments: list[list[Placed]]
    """What the variants on the way give it; the innermost first."""
    trail: list[tuple[Span, str]]
    """Where each of the variants is defined, and what is said of it; the innermost first."""


class Networks:
    """Resolves variants, and lets a network stand where a block may."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.builder = walker.builder
        self.report = walker.builder.report
        self.root: tree.Net | None = None
        """The network that is written out."""

    # ------------------------------------------------------------ variants and arguments

    def resolved(self, found: tree.Net | tree.Variant, owner: Module) -> Resolved | None:
        """The network that a variant stands for, its file, and the arguments on the way; None after an error."""
        definition: Definition = found
        first = owner
        given: list[list[Placed]] = []
        seen: list[str] = []
        trail: list[tuple[Span, str]] = []
        env_of = self.walker.files.env
        while isinstance(definition, tree.Variant):
            env = env_of(owner)
            if definition.name.text in seen:
                message = f"{definition.name.text} is a variant of itself"
                help = "let one of them be a variant of a network"
                self.report("recursion", message, definition.name, env, help=help)
                return None
            seen.append(definition.name.text)
            if len(seen) > limits.NESTING:
                message = f"{found.name.text} is a variant of a variant, more than {limits.NESTING} deep"
                self.report("too-deep", message, found.name, env_of(first))
                return None
            given.insert(0, [(argument, env) for argument in definition.arguments])
            base = owner.definitions.get(definition.base.text)
            if base is None or not isinstance(base[0], tree.Net | tree.Variant):
                self.unknown_base(definition, owner, base is not None, env)
                return None
            text = owner.source.text[definition.base.start : definition.end]
            head = text[: definition.body.start - definition.base.start] if definition.body else text
            place = Span(owner.source, definition.name.start, definition.name.end)
            note = f"in {' '.join(head.split())}, which is {definition.name.text} at {place}"
            trail.insert(0, (Span(owner.source, definition.start, definition.end), note))
            definition, owner = base
        assert isinstance(definition, tree.Net)
        return Resolved(definition, owner, given, trail)

    def unknown_base(self, variant: tree.Variant, owner: Module, is_known: bool, env: Env) -> None:
        if variant.base.text in owner.unresolved:
            return
        nets = [name for name, (d, _) in owner.definitions.items() if isinstance(d, tree.Net | tree.Variant)]
        near = nearest(variant.base.text, nets)
        what = "is a block, not a network" if is_known else "is not a network here"
        help = f"did you mean `{near}`?" if near else None
        self.report("unknown-name", f"`{variant.base.text}` {what}", variant.base, env, help=help)

    @staticmethod
    def override(calls: list[list[Placed]], parameters: tuple[tree.Parameter, ...]) -> list[Placed]:
        """The arguments of several calls as one, by name: those of a variant, of its variant, and from outside.

        A later call replaces an earlier one's. What has no place, or is given twice in one call, stays: it is wrong.
        """
        by_name: dict[str, Placed] = {}
        rest: list[Placed] = []
        for arguments in calls:
            given: dict[str, Placed] = {}
            position = 0
            for argument, env in arguments:
                name = argument.name
                if name is None and position < len(parameters):
                    name = parameters[position].name
                    position += 1
                if name is None or name.text in given:
                    rest.append((argument, env))
                else:
                    named = tree.Argument(argument.start, argument.end, argument.name or name, argument.value)
                    given[name.text] = (named, env)
            by_name |= given
        return [*by_name.values(), *rest]

    # ------------------------------------------------------------ inside another

    def element(
        self,
        network: NetValue,
        call: tree.Call,
        flow: Flow,
        env: Env,
        label: str | None,
        numbered: bool,
        partial: Partial | None,
    ) -> Flow:
        """A network as an element: what flows takes the place of its inputs, and its outputs flow on.

        With `until` it ends at a layer or a module of that path, and what only later layers need is left out.
        """
        builder, modules, walker = self.builder, self.walker.modules, self.walker
        word = network.definition.name.text
        builder.step(call, env, 16 + len(flow))
        resolved = self.resolved(network.definition, network.module)
        if resolved is None or not modules.may_enter(resolved.definition, word, call, env, self.root):
            return (NOTHING,)
        definition, owner, written_in, _ = resolved
        arguments = [(a, env) for a in call.arguments]
        if partial is not None:
            arguments = [(a, partial.env) for a in partial.arguments] + arguments
        until, good = self.until(arguments)
        own = [(a, where) for a, where in arguments if a.name is None or a.name.text != UNTIL]
        inner = Env(owner, walker.files.env(owner))
        given = self.override([*written_in, own], definition.parameters)
        names = tuple([p.name.text for p in definition.parameters])
        written = walker.binder.parameters(word, names, definition.parameters, given, inner, call, env)
        if numbered:
            self.report("misplaced", f"{word} has names for its layers", call, env, help="leave the [] out")
        name = builder.take_name(label or self.free_name(word), word, call, env)
        inputs = [s for s in definition.body.statements if isinstance(s, tree.Input)]
        if written is None or not good or not self.takes(word, inputs, call, flow, env):
            return (NOTHING,)
        outer, ports = builder.frame, walker.ports
        nodes, index, path = len(builder.nodes), len(builder.activations), outer.prefix + name
        marks = (nodes, index, len(builder.named), len(builder.size_reads))
        takes = tuple([s.name.text if s.name else "input" for s in inputs]) if len(inputs) > 1 else ()
        activation = Activation(
            index=index,
            path=path,
            kind="block",
            definition=word,
            given=self.shown(written, own, until, definition),
            inputs=flow,
            outputs=(),
            numbered=False,
            parent=outer.activation,
            span=Span(env.source, call.start, call.end),
            reused=outer.reused,
            doc=network.definition.doc or definition.doc,
            takes=takes,
        )
        ends = f"{path}.{until}" if until is not None else None
        if ends is not None:
            builder.ends.add(ends)
        builder.enter(activation, Frame(f"{path}.", index, False, outer.reused))
        modules.calls.append(definition)
        entrance = walker.ports = Entrance(builder, walker.expressions, flow, index, len(modules.calls), call, env)
        errors = builder.errors
        try:
            result = entrance.leaving(walker.body(definition.body, (), inner))
        except ReachedError as reached:
            if reached.path != ends:
                raise
            result = reached.flow
            ends = None
        finally:
            modules.calls.pop()
            walker.ports = ports
            if until is not None:
                builder.ends.discard(f"{path}.{until}")
        if not result:
            self.report("no-value", f"{word} gives nothing", call, env, help="end it with a layer")
            result = (NOTHING,)
        result = builder.leave(index, outer, result, nodes, name)
        if ends is not None and until is not None:
            if builder.errors == errors and NOTHING not in result:
                self.never_reached(word, until, index, arguments)
            return (NOTHING,)
        if NOTHING in result or len(builder.activations) == index:
            return result
        if cut(builder, result, *marks):
            modules.replayer.forget(nodes)
            result = builder.activations[index].outputs
        return result

    def free_name(self, word: str) -> str:
        """The name of a network that is given none: its own, and with a number where that is taken."""
        taken = self.builder.frame.names
        name, number = word, 1
        while name in taken:
            number += 1
            name = f"{word}_{number}"
        return name

    def shown(
        self,
        written: tuple[tuple[str | None, object], ...],
        own: list[Placed],
        until: str | None,
        definition: tree.Net,
    ) -> tuple[tuple[str | None, object], ...]:
        """What a call itself gives, of all that the variants on the way give too."""
        names = {a.name.text for a, _ in self.override([own], definition.parameters) if a.name is not None}
        given = [(name, value) for name, value in written if name in names]
        return (*given, *([] if until is None else [(UNTIL, until)]))

    def until(self, arguments: list[Placed]) -> tuple[str | None, bool]:
        """The path at which a network is to end, if one is given, and whether what is given is one."""
        for argument, env in arguments:
            if argument.name is None or argument.name.text != UNTIL:
                continue
            value = argument.value
            text = env.source.text[value.start : value.end]
            if isinstance(value, tree.Name) and (found := env.find(value.text)) is not MISSING:
                if found is SILENT:
                    return None, False
                if isinstance(found, str):
                    text = found
            elif isinstance(value, tree.String):
                text = value.value
            if not _PATH.fullmatch(text) or len(text) > limits.NAME_CHARACTERS * 8:
                help = "write the path of a layer: `until=layer4`"
                message = f"`until` takes the path of a layer, got {describe(text)}"
                self.report("bad-argument", message, argument, env, help=help)
                return None, False
            return text, True
        return None, True

    def never_reached(self, word: str, until: str, index: int, arguments: list[Placed]) -> None:
        """Reports that a network has no layer of the path at which it is to end."""
        known = self.builder.parts(index)
        near = nearest(until, known)
        argument, env = next((a, e) for a, e in arguments if a.name is not None and a.name.text == UNTIL)
        help = f"did you mean `{near}`?" if near else f"it has {listed_parts(known)}"
        self.report("unknown-name", f"{word} has no layer `{until}`", argument.value, env, help=help)

    def takes(self, word: str, inputs: list[tree.Input], call: tree.Call, flow: Flow, env: Env) -> bool:
        """Whether as many values flow as the network has inputs."""
        placer = self.walker.placer
        if not flow:
            placer.no_value(call, env)
            return False
        if NOTHING in flow:
            return False
        if len(flow) != len(inputs):
            names = ", ".join(s.name.text if s.name else "input" for s in inputs)
            what = "takes one value" if len(inputs) == 1 else f"takes {len(inputs)} values ({names})"
            help = "merge the branches before it" if len(inputs) == 1 else "put a branch before it for each"
            labels = placer.givers(flow, env)
            self.report("wrong-inputs", f"{word} {what}, got {len(flow)}", call, env, labels=labels, help=help)
            return False
        return True


def listed_parts(known: Iterable[str]) -> str:
    """The outermost of some paths, the first of them."""
    top = list(dict.fromkeys(each.partition(".")[0] for each in known))
    return ", ".join(top[:12]) + (", ..." if len(top) > 12 else "")
