"""Elements that hold others: blocks, groups with a name, shared modules."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl import limits
from archdsl.diagnostics.model import Label
from archdsl.elaborate.builder import NOTHING, Builder, Flow
from archdsl.elaborate.naming import Frame, refused_name
from archdsl.elaborate.replay import Replayer
from archdsl.elaborate.values import SILENT, BlockValue, Env, Partial, Shared
from archdsl.graph import Activation
from archdsl.layers.call import Call, Parameter
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.flow import Walker


class Modules:
    """Fills modules, and lets the walker walk through what stands in them."""

    def __init__(self, walker: Walker) -> None:
        self.walker = walker
        self.builder = walker.builder
        self.report = walker.builder.report
        self.replayer = Replayer(walker.builder)
        self.bare: dict[int, bool] = {}
        """Of blocks, by their identity: whether they are one named element."""
        self.calls: list[tree.Block | tree.Net] = []
        """The blocks being walked through, and the networks inside others, the outermost first."""

    # ------------------------------------------------------------ groups

    def group(self, element: tree.Element, flow: Flow, env: Env, label: str, numbered: bool) -> Flow:
        """A group with a name: a module that holds what stands in it."""
        builder = self.builder
        name = builder.take_name(label, label, element, env)
        outer, nodes, index = builder.frame, len(builder.nodes), len(builder.activations)
        path = outer.prefix + name
        activation = Activation(
            index=index,
            path=path,
            kind="group",
            definition=label,
            given=(),
            inputs=flow,
            outputs=(),
            numbered=numbered,
            parent=outer.activation,
            span=Span(env.module.source, element.start, element.end),
            reused=outer.reused,
        )
        builder.enter(activation, Frame(f"{path}.", index, numbered, outer.reused))
        flow = builder.leave(index, outer, self.walker.element(element, flow, env), nodes, name)
        builder.reached(index)
        return flow

    # ------------------------------------------------------------ blocks

    def block(
        self,
        block: BlockValue,
        call: tree.Call,
        flow: Flow,
        env: Env,
        label: str | None,
        numbered: bool,
        partial: Partial | None,
    ) -> Flow:
        """A block's call: its parameters, what it takes, and a walk through its body."""
        definition = block.definition
        word = definition.name.text
        builder = self.builder
        builder.step(call, env, 8 + len(block.parameters) + len(flow))
        if not self.may_enter(definition, word, call, env):
            return (NOTHING,)
        inner = Env(block.env.module, block.env)
        given = [(a, env) for a in call.arguments]
        if partial is not None:
            given = [(a, partial.env) for a in partial.arguments] + given
        written = self.walker.binder.parameters(word, block.parameters, definition.parameters, given, inner, call, env)
        outer = builder.frame
        if id(definition) not in self.bare:
            self.bare[id(definition)] = is_one_named_element(definition.body)
        transparent = label is None and not numbered and self.bare[id(definition)]
        name = "" if transparent else builder.take_name(label, word, call, env)
        if written is None or not self.takes(block, call, flow, inner, env):
            return (NOTHING,)
        nodes, index = len(builder.nodes), len(builder.activations)
        names = inner.names
        numbers = [(each, value) for each in block.parameters if isinstance(value := names[each], int | float)]
        path = outer.prefix.removesuffix(".") if transparent else outer.prefix + name
        activation = Activation(
            index,
            path,
            "block",
            word,
            written,
            flow,
            (),
            numbered,
            outer.activation,
            Span(env.source, call.start, call.end),
            outer.reused,
            transparent,
            definition.doc,
            tuple(numbers),
            block.takes if definition.takes else (),
        )
        ends_inside = builder.ends and any(end.startswith(f"{path}.") for end in builder.ends)
        key = None if transparent or ends_inside else self.replayer.key(block, inner, flow, numbered)
        recording = self.replayer.recordings.get(key)
        if recording is not None:
            result = self.replayer.replay(recording, activation, call, env)
            builder.reached(index)
            return result
        named, findings, reads = len(builder.named), len(builder.diagnostics), len(builder.size_reads)
        backbones = len(builder.backbones)
        frame = outer.inside(index) if transparent else Frame(f"{path}.", index, numbered, outer.reused)
        builder.enter(activation, frame)
        self.calls.append(definition)
        try:
            result = self.walker.body(definition.body, () if definition.takes else flow, inner)
        finally:
            self.calls.pop()
        if not result:
            help = "end the block with a line that gives a value"
            self.report("no-value", f"{word} gives nothing", call, env, help=help)
            result = (NOTHING,)
        if transparent:
            outer.next_number = frame.next_number
        result = builder.leave(index, outer, result, nodes, name)
        self.replayer.record(key, index, nodes, named, findings, reads, backbones, f"{path}.")
        builder.reached(index)
        return result

    def may_enter(
        self,
        definition: tree.Block | tree.Net,
        word: str,
        call: tree.Call,
        env: Env,
        root: tree.Net | None = None,
    ) -> bool:
        """Whether a block or a network may stand here: not inside itself, and not too deep."""
        if definition is root or (self.calls and any(outer is definition for outer in self.calls)):
            trail = " -> ".join([*([root.name.text] if root else []), *(d.name.text for d in self.calls), word])
            help = "a network has a fixed depth; repeat a block with x3"
            self.report("recursion", f"{word} contains itself: {trail}", call, env, help=help)
            return False
        if len(self.calls) > limits.NESTING // 2:
            message = f"blocks stand inside blocks more than {limits.NESTING // 2} deep"
            self.report("too-deep", message, call, env, help="let some of them stand one after the other")
            return False
        return True

    def takes(self, block: BlockValue, call: tree.Call, flow: Flow, inner: Env, env: Env) -> bool:
        """Names what flows into a block; False where it is not what the block takes."""
        names, word = block.takes, block.definition.name.text
        if not flow:
            self.walker.placer.no_value(call, env)
            return False
        if NOTHING in flow:
            return False
        if len(flow) != len(names):
            if block.definition.takes:
                what = f"takes {len(names)} values ({', '.join(names)})"
                value = self.walker.placer.some_value(env)
                branches = " | ".join(["id", *[value] * (len(names) - 1)])
                help = f"put as many branches before it, as `( {branches} ) -> {word}`"
            else:
                what = "takes one value"
                help = f"merge the branches before {word}: put `add ->` or `cat ->` before it"
            labels = self.walker.placer.givers(flow, env)
            self.report("wrong-inputs", f"{word} {what}, got {len(flow)}", call, env, labels=labels, help=help)
            return False
        inner.names.update(zip(names, flow, strict=True))
        return True

    # ------------------------------------------------------------ shared modules

    def share(self, statement: tree.Share, env: Env) -> None:
        name = statement.name.text
        reason = refused_name(name)
        if reason:
            message = f"a module cannot be called `{name}`: {reason}"
            self.report("reserved-name", message, statement.name, env)
            return
        before = self.builder.frame.take(name, Span(env.module.source, statement.name.start, statement.name.end))
        if before is not None or name in env.names:
            labels = [Label(before, "first here")] if before else []
            self.report("duplicate-name", f"`{name}` is already taken", statement.name, env, labels=labels)
            return
        element = statement.element
        while isinstance(element, tree.Checked):
            element = element.element
        if isinstance(element, tree.Named):
            message = f"this already has a name, `{name}`"
            self.report("duplicate-name", message, element.label, env, help="leave the `as` out")
            env.names[name] = SILENT
            return
        env.names[name] = Shared(statement, env, self.builder.frame)

    def shared(self, shared: Shared, call: tree.Call, flow: Flow, env: Env) -> Flow:
        """A use of a shared module: built as if for the first time, under the one path, and compared with the first."""
        name = shared.definition.name.text
        builder = self.builder
        outer, home = builder.frame, shared.frame
        if call.arguments:
            help = "its arguments stand where it is defined"
            self.report("extra-argument", f"`{name}` is a shared module and takes no arguments", call, env, help=help)
            return (NOTHING,)
        if outer.prefix != home.prefix:
            help = f"define `{name}` inside the named group that uses it"
            self.report("misplaced", f"`{name}` is shared in another module than this", call, env, help=help)
            return (NOTHING,)
        nodes = len(builder.nodes)
        builder.frame = Frame(home.prefix, outer.activation, False, outer.reused or shared.first is not None)
        try:
            result = self.walker.element(shared.definition.element, flow, shared.env, label=name)
        finally:
            builder.frame = outer
        if NOTHING in result:
            return result
        use = Use.of(builder, nodes, outer.activation)
        if shared.first is None:
            shared.first = use
        elif shared.first != use:
            self.mismatch(name, shared.first, use, call, env)
            return (NOTHING,)
        return result

    def mismatch(self, name: str, before: Use, now: Use, call: tree.Call, env: Env) -> None:
        notes: list[str] = []
        if before.weights != now.weights:
            then, here = before.weights, now.weights
            different = sorted(path for path in then.keys() | here.keys() if then.get(path) != here.get(path))
            notes = [
                f"{path}: {_weights(then.get(path))} before, {_weights(here.get(path))} here" for path in different
            ]
            message = f"`{name}` would need other weights here than where it is first used"
            help = "give both uses the same number of channels"
        elif before.modules != now.modules:
            then, here = before.modules, now.modules
            different = sorted(path for path in then.keys() | here.keys() if then.get(path) != here.get(path))
            notes = [f"{path}: {_module(then.get(path))} before, {_module(here.get(path))} here" for path in different]
            message = f"`{name}` would be another module here than where it is first used"
            help = "give both uses the same kind of value, with the same channels and number of axes"
        else:
            message = f"`{name}` would put its layers together in another way here than where it is first used"
            help = "give both uses as many values, of the same shapes"
        self.report("share-mismatch", message, call, env, notes=notes[:4], help=help)


def is_one_named_element(body: tree.Body) -> bool:
    """Whether a block is nothing but one element with a name of its own, if anything: such a block adds no module."""
    lines = [s for s in body.statements if not isinstance(s, tree.Let | tree.Default | tree.Expect)]
    if len(lines) != 1 or not isinstance(lines[0], tree.Line) or len(lines[0].chain.elements) != 1:
        return False
    element = lines[0].chain.elements[0]
    while isinstance(element, tree.Checked):
        element = element.element
    if isinstance(element, tree.Condition):
        return all(b is None or is_one_named_element(b) for b in (element.then, element.otherwise))
    return isinstance(element, tree.Named)


class Use(NamedTuple):
    """What two uses of a shared module must have in common, to be one module."""

    weights: dict[str, Any]
    """The parameters and buffers, by path."""
    modules: dict[str, str]
    """What each layer becomes in torch, by path."""
    wiring: tuple[tuple[Any, ...], ...]
    """What flows into each layer: what it stands behind inside, or None for a value from outside."""

    @classmethod
    def of(cls, builder: Builder, first: int, around: int) -> Use:
        """The use that begins with the node `first`, in the activation `around`."""
        nodes = builder.nodes[first:]
        weights, modules, wiring = {}, {}, []
        only = builder.applied[first] if len(nodes) == 1 else None
        alone = (  # no part of a module
            only is not None
            and not (only.layer.is_module or only.weights)
            and builder.nodes[first].activation == around
        )
        for node in nodes:
            applied = builder.applied[node.index]
            shapes = {**applied.weights, **node.layer.buffers(*applied.inputs)}
            weights[node.path] = (node.layer.word, shapes)
            lowered = node.layer.lower(*applied.inputs)
            if not alone:
                made = lowered.call if isinstance(lowered, Parameter) else lowered
                modules[node.path] = made.text() if isinstance(made, Call) else made.template
                wiring.append(
                    tuple((value.node - first, value.output) if value.node >= first else None for value in node.inputs)
                )
        return cls(weights, modules, tuple(wiring))


def _module(text: str | None) -> str:
    return "nothing" if text is None else text


def _weights(entry: Any) -> str:
    if entry is None:
        return "nothing"
    word, weights = entry
    shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in weights.items())
    return f"{word} with {shapes}" if shapes else word
