"""Networks by name: what a variant stands for, and a network that stands as an element inside another."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archdsl import limits, project
from archdsl import weights as published
from archdsl.diagnostics.model import nearest
from archdsl.elaborate.binding import COMPACT
from archdsl.elaborate.builder import NOTHING, Flow, ReachedError
from archdsl.elaborate.cut import cut
from archdsl.elaborate.naming import Frame
from archdsl.elaborate.ports import Entrance
from archdsl.elaborate.values import MISSING, SILENT, Env, NetValue, Partial, describe
from archdsl.graph import Activation, Backbone
from archdsl.layers.applied import Applied
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from archdsl.elaborate.flow import Walker
    from archdsl.project import Definition, Module

Placed = tuple[tree.Argument, Env]
"""An argument, with the names of the place where it was written."""

PRETRAINED = "pretrained"
"""The word before a network whose weights are published ones, or those of a file."""
FURTHER = ("until", "weights", "freeze", "bn")
"""What a network inside another takes besides its own parameters, unless one of these has the name."""
NORMS = ("train", "affine", "frozen")
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
    chain: list[tuple[str, Module]]
    """The variants and the network, each with its file, from the name that was asked for inwards."""


class Further(NamedTuple):
    """What a network inside another is given besides its parameters."""

    until: str | None = None
    weights: str | None = None
    frozen: tuple[str, ...] = ()
    norms: Literal["train", "affine", "frozen"] = "train"


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
        chain = [(found.name.text, owner)]
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
            chain.append((definition.name.text, owner))
        assert isinstance(definition, tree.Net)
        return Resolved(definition, owner, given, trail, chain)

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
                name, value = argument.name, argument.value
                if name is None and (compact := _compact(value, parameters, env)) is not None:
                    name, value = compact
                elif name is None:
                    while position < len(parameters) and parameters[position].name.text in given:
                        position += 1
                    if position < len(parameters):
                        name = parameters[position].name
                        position += 1
                if name is None or name.text in given:
                    rest.append((argument, env))
                else:
                    given[name.text] = (tree.Argument(argument.start, argument.end, name, value), env)
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
        pretrained: bool = False,
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
        definition, owner, written_in, _, chain = resolved
        arguments = [(a, env) for a in call.arguments]
        if partial is not None:
            arguments = [(a, partial.env) for a in partial.arguments] + arguments
        names = tuple([p.name.text for p in definition.parameters])
        further = {name: placed for name in FURTHER if name not in names and (placed := _named(arguments, name))}
        own = [placed for placed in arguments if all(placed is not each for each in further.values())]
        given_further = self.further(word, further, pretrained)
        inner = Env(owner, walker.files.env(owner))
        given = self.override([*written_in, own], definition.parameters)
        settled = {a.name.text for a, _ in self.override(written_in, definition.parameters) if a.name is not None}
        takes = tuple(dict.fromkeys([*(name for name in names if name not in settled), *FURTHER]))
        written = walker.binder.parameters(word, names, definition.parameters, given, inner, call, env, takes)
        if numbered:
            self.report("misplaced", f"{word} has names for its layers", call, env, help="leave the [] out")
        name = builder.take_name(label or self.free_name(word), word, call, env)
        inputs = [s for s in definition.body.statements if isinstance(s, tree.Input)]
        if written is None or given_further is None or not self.takes(word, inputs, call, flow, env):
            return (NOTHING,)
        outer, path = builder.frame, builder.frame.prefix + name
        nodes, index = len(builder.nodes), len(builder.activations)
        marks = (nodes, index, len(builder.named), len(builder.size_reads))
        errors, refusals = builder.errors, len(builder.refusals)
        takes = tuple([s.name.text if s.name else "input" for s in inputs]) if len(inputs) > 1 else ()
        activation = Activation(
            index=index,
            path=path,
            kind="block",
            definition=word,
            given=self.shown(written, own, given_further, definition),
            inputs=flow,
            outputs=(),
            numbered=False,
            parent=outer.activation,
            span=Span(env.source, call.start, call.end),
            reused=outer.reused,
            doc=network.definition.doc or definition.doc,
            takes=takes,
        )
        builder.enter(activation, Frame(f"{path}.", index, False, outer.reused))
        end = None if given_further.until is None else f"{path}.{given_further.until}"
        try:
            result, is_reached = self.walked(definition, inner, flow, end, call, env)
        except ReachedError as reached:  # the network around ends in this one
            if not outer.reused:
                end = reached.path.removeprefix(f"{path}.")
                self.backbone(given_further, chain, index, further, call, env, end)
            raise
        if not result:
            self.report("no-value", f"{word} gives nothing", call, env, help="end it with a layer")
            result = (NOTHING,)
        result = builder.leave(index, outer, result, nodes, name)
        if not is_reached:
            if builder.errors == errors and NOTHING not in result:
                self.no_layer(word, given_further.until or "", index, further["until"], None)
            return (NOTHING,)
        if NOTHING in result:
            return (NOTHING,)
        builder.pardon(refusals)
        if len(builder.activations) == index:
            outer.counters[word] = 0
            return result
        builder.spend(len(builder.nodes) - nodes + len(builder.backbones) + len(builder.known_parts), call, env)
        if cut(builder, result, *marks):
            builder.spend(len(modules.replayer.recordings), call, env)
            modules.replayer.forget(nodes)
        if len(builder.nodes) == nodes:  # what flows in flows out, and nothing is left
            builder.forget(index)
            outer.free(name)
            outer.counters[word] = 0
            return result
        if not outer.reused and not self.backbone(given_further, chain, index, further, call, env):
            return (NOTHING,)
        result = builder.activations[index].outputs
        builder.reached(index)
        if end in builder.ends:  # the network around is to end at the same layer
            raise ReachedError(str(end), result)
        return result

    def walked(
        self, definition: tree.Net, inner: Env, flow: Flow, end: str | None, call: tree.Call, env: Env
    ) -> tuple[Flow, bool]:
        """What flows out of a network, and whether it ended at a path, if it was to end at one."""
        builder, walker, calls = self.builder, self.walker, self.walker.modules.calls
        ports = walker.ports
        calls.append(definition)
        entrance = walker.ports = Entrance(
            builder, walker.expressions, flow, builder.frame.activation, len(calls), call, env
        )
        if end is not None:
            builder.ends[end] += 1
        try:
            return entrance.leaving(walker.body(definition.body, (), inner)), end is None
        except ReachedError as reached:
            if reached.path != end:
                raise
            return reached.flow, True
        finally:
            calls.pop()
            walker.ports = ports
            if end is not None:
                builder.ends[end] -= 1
                builder.ends += Counter()  # without those of which none is left

    def backbone(
        self,
        given: Further,
        chain: list[tuple[str, Module]],
        index: int,
        further: Mapping[str, Placed],
        call: tree.Call,
        env: Env,
        end: str | None = None,
    ) -> bool:
        """Puts down what is said of a network's weights; False after an error.

        `end` is where a network around it ends in it; what it freezes behind that is none of the network any more.
        """
        if not further and given.weights is None:
            return True
        builder, word = self.builder, chain[0][0]
        module = builder.activations[index]
        shipped = next((name for name, file in chain if project.ships(name, file)), None)
        known = builder.parts(index, call, env) if given.frozen else {}
        if end is not None:
            frozen = tuple([path for path in given.frozen if not path or path in known])
            given = given._replace(until=end, frozen=frozen)
        missing = [path for path in given.frozen if path and path not in known]
        for path in missing:
            self.no_layer(word, path, index, further["freeze"], given.until)
        argument, where = further.get("weights", (None, env))
        at = argument.value if argument is not None else call
        span = Span(where.source, at.start, at.end)
        known_as, ships = shipped or word, shipped is not None
        found = published.find(known_as, given.weights) if ships and given.weights else None
        if found is not None and found.eps is not None:
            if "bn" in further and given.norms == "train":
                message = f"the normalizations of {known_as} are frozen in the weights {found.name}, at an eps of 0"
                self.report("bad-argument", message, further["bn"][0], env, help="write `bn=frozen`, or leave it out")
                return False
            self.at_eps(index, found.eps)
            given = given._replace(norms="frozen" if given.norms == "train" else given.norms)
        said = Backbone(module.path, known_as, given.until, given.weights, given.frozen, given.norms, ships, span)
        if given.weights is not None or given.frozen or given.norms != "train":
            builder.backbones.insert(self.place(said), said)
        return not missing

    def at_eps(self, index: int, eps: float) -> None:
        """Gives the normalizations of a network, by its activation's number, the epsilon that its weights are for."""
        builder = self.builder
        first, path = builder.starts[index], builder.activations[index].path
        changed: dict[int, Applied] = {}
        self.walker.modules.replayer.forget(first)
        for node in builder.nodes[first:]:
            if node.layer.tracks and node.path.startswith(f"{path}."):
                applied = builder.applied[node.index]
                if id(applied) not in changed:
                    layer = node.layer.model_copy(update={"eps": eps})
                    changed[id(applied)] = Applied(layer, applied.inputs, applied.outputs)
                builder.applied[node.index] = changed[id(applied)]
                builder.nodes[node.index] = node._replace(layer=changed[id(applied)].layer)

    def place(self, said: Backbone) -> int:
        """Where it stands: before those inside it, behind all others."""
        inside = [n for n, each in enumerate(self.builder.backbones) if each.path.startswith(f"{said.path}.")]
        return min(inside, default=len(self.builder.backbones))

    def free_name(self, word: str) -> str | None:
        """The name of a network that is given none: its own, with a number where that is taken.

        None in a module whose children are numbered.
        """
        frame = self.builder.frame
        if frame.numbered:
            return None
        number = frame.counters.get(word, 0) + 1
        while (name := word if number == 1 else f"{word}_{number}") in frame.names:
            number += 1
        frame.counters[word] = number
        return name

    def shown(
        self,
        written: tuple[tuple[str | None, object], ...],
        own: list[Placed],
        further: Further,
        definition: tree.Net,
    ) -> tuple[tuple[str | None, object], ...]:
        """What a call itself gives, of all that the variants on the way give too."""
        names = {a.name.text for a, _ in self.override([own], definition.parameters) if a.name is not None}
        given = [(name, value) for name, value in written if name in names]
        return (*given, *([("weights", further.weights)] if further.weights else []), *_until(further.until))

    def pretrained(self, call: tree.Call, flow: Flow, env: Env, label: str | None, numbered: bool) -> Flow:
        """`pretrained resnet50(...)`: a network that ships or is known here, by default with its usual weights."""
        first, *more = call.arguments or (None,)
        if first is None or first.name is not None or not isinstance(first.value, tree.Name | tree.Function) or more:
            help = "write its arguments in brackets: `pretrained resnet50(until=layer4)`"
            self.report("bad-argument", "`pretrained` takes a network", call, env, help=help)
            return (NOTHING,)
        value = first.value
        name = value if isinstance(value, tree.Name) else value.name
        found = env.find(name.text)
        partial = None
        if isinstance(found, Partial):
            partial, found = found, found.target
        if found is MISSING and (path := project.shipped().get(name.text)) is not None:
            module = project.open_shipped(path)
            definition, owner = module.definitions[name.text]
            assert isinstance(definition, tree.Net | tree.Variant)
            found = NetValue(definition, owner)
        if not isinstance(found, NetValue):
            if found is not SILENT:
                self.no_network(name, found, env)
            return (NOTHING,)
        arguments = value.arguments if isinstance(value, tree.Function) else ()
        inner = tree.Call(call.start, call.end, name, arguments)
        return self.element(found, inner, flow, env, label, numbered, partial, pretrained=True)

    def no_network(self, name: tree.Name, found: Any, env: Env) -> None:
        """Reports what is no network, where one is needed."""
        known = {*project.shipped(), *(n for n in env.visible() if isinstance(env.find(n), NetValue))}
        self.builder.spend(len(known), name, env)
        near = nearest(name.text, known)
        help = f"did you mean `{near}`?" if near else "`archdsl list` shows those that ship"
        message = f"there is no network `{name.text}`"
        if found is not MISSING:
            message = f"`{name.text}` is {describe(found)}, not a network"
        self.report("unknown-name", message, name, env, help=help)

    def further(self, word: str, given: Mapping[str, Placed], pretrained: bool) -> Further | None:
        """What a network is given besides its parameters; None after an error."""
        until = self.paths("until", given.get("until"), several=False)
        frozen = self.paths("freeze", given.get("freeze"), several=True)
        weights: Any = "DEFAULT" if pretrained else None
        if (placed := given.get("weights")) is not None:
            argument, env = placed
            weights = self.walker.expressions.settled(argument.value, env)
            if weights is not SILENT and not isinstance(weights, str):
                message = f"`weights` takes a name in quotes, got {describe(weights)}"
                help = 'write `weights="DEFAULT"`, or a file as `weights="file:body.safetensors"`'
                self.report("bad-argument", message, argument, env, help=help)
                weights = SILENT
        norms: Any = "train"
        if (placed := given.get("bn")) is not None:
            argument, env = placed
            norms = self.text(argument.value, env)
            if norms is not SILENT and norms not in NORMS:
                near = nearest(str(norms), NORMS)
                help = f"did you mean `{near}`?" if near else "it takes train, affine or frozen"
                self.report("bad-argument", f"bn has no choice `{norms}`", argument.value, env, help=help)
                norms = SILENT
        if until is None or frozen is None or weights is SILENT or norms is SILENT:
            return None
        return Further(until[0] if until else None, weights, frozen, norms)

    def paths(self, name: str, placed: Placed | None, several: bool) -> tuple[str, ...] | None:
        """The paths that an argument gives, "" being all; None after an error."""
        if placed is None:
            return ()
        argument, env = placed
        value = argument.value
        if several and isinstance(value, tree.Constant):
            return ("",) if value.value else ()
        if several and isinstance(value, tree.Name) and type(found := env.find(value.text)) is bool:
            return ("",) if found else ()
        texts: Any = None
        if isinstance(value, tree.Name) and type(found := env.find(value.text)) is tuple:
            texts = found
        elif several and isinstance(value, tree.List):
            texts = tuple([self.text(item, env) for item in value.items])
        else:
            texts = (self.text(value, env),)
        for text in texts:
            if text is SILENT:
                return None
            if not isinstance(text, str) or not _PATH.fullmatch(text) or len(text) > 8 * limits.NAME_CHARACTERS:
                example = "a list of paths: `freeze=[conv1, layer1]`, or `yes`" if several else "`until=layer4`"
                message = f"`{name}` takes the path of a layer, got {describe(text)}"
                self.report("bad-argument", message, argument, env, help=f"write {example}")
                return None
        return tuple(texts)

    def text(self, value: tree.Expression, env: Env) -> Any:
        """A path or a word, which need not be in quotes; the text that a name in scope stands for."""
        if isinstance(value, tree.String):
            return value.value
        if isinstance(value, tree.Name) and (found := env.find(value.text)) is not MISSING:
            if found is SILENT or isinstance(found, str):
                return found
            if type(found) in (int, float, bool, tuple):
                return found  # that is no path, and is told
        return _written(value, env)

    def no_layer(self, word: str, path: str, index: int, placed: Placed, until: str | None) -> None:
        """Reports that a network, as far as it goes, has no layer of a path that an argument gives."""
        argument, env = placed
        known = self.builder.parts(index, argument, env) if index < len(self.builder.activations) else {}
        near = nearest(path, known)
        at: tree.Node = argument.value
        if isinstance(at, tree.List):
            at = next((item for item in at.items if self.text(item, env) == path), at)
        help = f"did you mean `{near}`?" if near else f"it has {listed_parts(known) or 'no layers'}"
        message = f"{word} has no layer `{path}`"
        if until is not None:
            message += f" up to `{until}`, where it ends"
            help += f"{'' if near else ';'} what stands behind `{until}` is left out"
        self.report("unknown-name", message, at, env, help=help)

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


def _compact(
    value: tree.Expression, parameters: tuple[tree.Parameter, ...], env: Env
) -> tuple[tree.Name, tree.Expression] | None:
    """c16: a parameter of one letter, then a number."""
    match = COMPACT.fullmatch(value.text) if isinstance(value, tree.Name) else None
    if match is None or env.find(match[0]) is not MISSING:
        return None
    for parameter in parameters:
        if parameter.name.text == match[1]:
            numbers = tuple(map(int, match[2].split("x")))
            at = (value.start, value.end)
            one = len(numbers) == 1
            return tree.Name(*at, match[1]), tree.Number(*at, numbers[0]) if one else tree.Size(*at, numbers)
    return None


def _written(value: tree.Expression, env: Env) -> str:
    """An expression as it is written; a path without the blanks that may stand beside its dots."""
    if isinstance(value, tree.Attribute):
        return f"{_written(value.base, env)}.{value.name}"
    return env.source.text[value.start : value.end]


def _until(path: str | None) -> list[tuple[str, object]]:
    return [] if path is None else [("until", path)]


def _named(arguments: list[Placed], name: str) -> Placed | None:
    """The argument of a name."""
    return next((each for each in arguments if each[0].name is not None and each[0].name.text == name), None)
