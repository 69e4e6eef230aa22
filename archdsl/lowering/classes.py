"""One class for all modules that are alike: what differs between them becomes arguments of its constructor.

Every module is a tree of constructors with literals in it, its slots. Modules with the same forward and the same
constructors are of one class. A slot that is the same in all of them stays a literal; slots that always agree are one
parameter, named after the block's own parameter where that agrees too, or a multiple of one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, TypeAlias

from archdsl.graph import Node, Value
from archdsl.layers.call import Call, Literal, Parameter, literal
from archdsl.lowering.forward import Forward, forward
from archdsl.lowering.helpers import HELPERS
from archdsl.lowering.modules import Plan, Run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.source import Span


@dataclass(frozen=True, slots=True)
class Made:
    """A constructor call: a layer of torch, a helper, or one of the generated classes."""

    call: Call
    span: Span


@dataclass(frozen=True, slots=True, eq=False)
class Sequence:
    """Modules one after the other, numbered: nn.Sequential."""

    items: tuple[Tree, ...]
    span: Span


@dataclass(slots=True, eq=False)
class Instance:
    """A module of a generated class, with what it is made of."""

    run: Run
    kind: Class
    children: list[tuple[str, Tree]]
    span: Span
    place: int
    """Its number among the class's instances."""


Tree: TypeAlias = "Made | Sequence | Instance"


@dataclass(slots=True, eq=False)
class Class:
    """A class to be generated. `fixed` and `parameters` are known once all its instances are."""

    number: int
    definition: str
    forward: Forward
    instances: list[Instance] = field(default_factory=list)
    name: str = ""
    slots: list[str] = field(default_factory=list)
    """For each slot its source text: a literal, a parameter, or a multiple of one."""
    parameters: list[str] = field(default_factory=list)
    values: list[list[Any]] = field(default_factory=list)
    """For each parameter its value in each instance."""
    recomputed: bool = False
    """Whether what its forward makes is computed again for the backward pass."""
    is_sequential: bool = False
    """Whether it is an nn.Sequential with a name: its modules have no names but numbers, and run in their order."""


class Classes:
    """The classes of a network, the inner ones first; the last is the network's own."""

    def __init__(self, plan: Plan, recomputed: frozenset[str] = frozenset()) -> None:
        self.plan = plan
        self.recomputed = recomputed
        self.graph = plan.graph
        self.lowered = plan.lowered
        self.classes: list[Class] = []
        self.by_key: dict[object, Class] = {}
        self.texts: dict[object, int] = {}
        self.forwards: dict[object, int] = {}
        """For each shape of a run the number of its forward's text."""
        self.root = self.instance(plan.root)
        for kind in self.classes:
            _abstract(kind)
        _name(self.classes)

    # ------------------------------------------------------------ gathering

    def instance(self, run: Run) -> Instance:
        children: list[tuple[str, Tree]] = []
        seen: set[str] = set()
        for step in run.steps:
            if step.name in seen:  # a later use of a shared module
                continue
            child = self.child(step)
            if child is not None:
                seen.add(step.name)
                children.append((step.name, child))
        shape = self.shape(run)
        body = None if shape in self.forwards else forward(self.plan, run)
        if body is not None:
            self.forwards[shape] = self.texts.setdefault(body.key, len(self.texts))
        definition = run.activation.definition
        if run.activation.kind == "group":  # `stage1`, `stage2` may be alike: their numbers do not count
            definition = definition.rstrip("-0123456789") or definition
        held = tuple([(name, self.key(tree)) for name, tree in children])
        recomputed = run.path in self.recomputed
        key = (definition, run.activation.kind, self.forwards[shape], held, recomputed)
        kind = self.by_key.get(key)
        if kind is None:
            body = body or forward(self.plan, run)
            chained = self.is_chain(run) and not any(name.isidentifier() for name, _ in children)
            kind = Class(len(self.classes), definition, body, recomputed=recomputed)
            kind.is_sequential = chained and run is not self.plan.root
            self.by_key[key] = kind
            self.classes.append(kind)
        made = Instance(run, kind, children, run.activation.span, len(kind.instances))
        kind.instances.append(made)
        return made

    def shape(self, run: Run) -> object:
        """All that the text of a run's forward depends on; most runs are like one before."""
        taken = {value: -1 - number for number, value in enumerate(run.parameters)}
        first = run.first

        def place(value: Value) -> object:
            return taken[value] if value in taken else (value.node - first, value.output)

        def what(step: Node | Run) -> object:
            if isinstance(step, Run):
                return tuple(map(place, step.outputs))
            lowering = self.lowered[step.index]
            assert lowering is not None
            call = lowering.call.expression if isinstance(lowering.call, Parameter) else lowering.call
            how = None if isinstance(call, Call) else (call, lowering.inplace)
            return (step.index - first, len(self.graph.applied[step.index].outputs), type(step.layer), how)

        return (
            len(taken),
            tuple([(step.name, what(step), tuple(map(place, step.inputs))) for step in run.steps]),
            tuple(map(place, run.outputs)),
            tuple([(place(value), name) for value, name in self.plan.names[run.activation.index].items()]),
            run.activation.index == 0,
        )

    def child(self, step: Node | Run) -> Tree | None:
        if isinstance(step, Node):
            lowering = self.lowered[step.index]
            assert lowering is not None
            call = lowering.call.call if isinstance(lowering.call, Parameter) else lowering.call
            return Made(call, step.span) if isinstance(call, Call) else None
        if self.is_sequence(step):
            items = [self.child(inner) for inner in step.steps]
            return Sequence(tuple(item for item in items if item is not None), step.activation.span)
        return self.instance(step)

    def is_held(self, node: Node) -> bool:
        """Whether a layer becomes a module or a parameter."""
        lowering = self.lowered[node.index]
        return lowering is not None and isinstance(lowering.call, Call | Parameter)

    def is_sequence(self, run: Run) -> bool:
        """Whether a group is a plain nn.Sequential."""
        if run.activation.kind != "group" or not run.activation.numbered:
            return False
        return self.is_chain(run) and all(step.name == str(number) for number, step in enumerate(run.steps))

    def is_chain(self, run: Run) -> bool:
        """Whether each step is a module of its own on the result of the one before."""
        if len(run.inputs) != 1 or len({step.name for step in run.steps}) < len(run.steps):
            return False
        value = run.parameters[0]
        for step in run.steps:
            if list(step.inputs) != [value]:
                return False
            if isinstance(step, Node):
                lowering = self.lowered[step.index]
                if lowering is None or not isinstance(lowering.call, Call) or len(self.graph.outputs_of(step)) != 1:
                    return False
                value = type(value)(step.index)
            elif len(step.outputs) == 1:
                value = step.outputs[0]
            else:
                return False
        return run.outputs == [value]

    def key(self, tree: Tree) -> object:
        """The shape of a constructor tree: all but its slots."""
        if isinstance(tree, Instance):
            return tree.kind.number
        if isinstance(tree, Sequence):
            return tuple(self.key(item) for item in tree.items)
        call = tree.call
        options = tuple(name for name, _ in options_of(call))
        return (call.constructor, len(call.arguments), options, call.initializers)


# ---------------------------------------------------------------- what differs


def slots(tree: Tree, name: str) -> Iterator[tuple[str, Any]]:
    """The literals of a constructor tree in order, each with a name."""
    if isinstance(tree, Sequence):
        for number, item in enumerate(tree.items):
            yield from slots(item, f"{name}_{number}")
    elif isinstance(tree, Instance):
        place = tree.place
        for parameter, values in zip(tree.kind.parameters, tree.kind.values, strict=True):
            yield f"{name}.{parameter}", values[place]
    else:
        names = _POSITIONAL.get(tree.call.constructor.rstrip("123d"), ())
        for number, value in enumerate(tree.call.arguments):
            yield f"{name}.{names[number] if number < len(names) else f'value{number}'}", value
        for option, value in options_of(tree.call):
            yield f"{name}.{option}", value


def options_of(call: Call) -> list[tuple[str, Literal]]:
    """The options of a constructor, those at torch's default included where layers of a kind often differ in them."""
    defaults = DEFAULTS.get(call.constructor.rstrip("123d"))
    return list(call.options) if defaults is None else list({**defaults, **dict(call.options)}.items())


DEFAULTS: dict[str, dict[str, Literal]] = {
    "nn.Conv": {"stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "nn.ConvTranspose": {"stride": 1, "padding": 0, "output_padding": 0, "dilation": 1, "groups": 1, "bias": True},
    "nn.MaxPool": {"stride": None, "padding": 0},
    "nn.AvgPool": {"stride": None, "padding": 0},
    "nn.Linear": {"bias": True},
}
"""Torch's defaults of options in which the instances of one block differ; printed where a value is another."""


def _abstract(kind: Class) -> None:
    """Finds the parameters of a class; those of the classes inside it are known."""
    columns: list[list[Any]] = []
    names: list[str] = []
    for row, instance in enumerate(kind.instances):
        here = [slot for name, tree in instance.children for slot in slots(tree, name)]
        if row == 0:
            names = [name for name, _ in here]
            columns = [[] for _ in here]
        for column, (_, value) in zip(columns, here, strict=True):
            column.append(value)
    own = _own_parameters(kind)
    found: dict[object, str] = {}
    for name, column in zip(names, columns, strict=True):
        exact = _exact(column)
        if all(one == exact[0] for one in exact):
            kind.slots.append(literal(column[0]))
            continue
        if exact not in found:
            found[exact] = _multiple(column, kind) or _parameter(kind, name, column, own)
        kind.slots.append(found[exact])


def _exact(column: list[Any]) -> tuple[Any, ...]:
    """Values that are told apart as Python source tells them apart: True is not 1."""
    return tuple((type(value).__name__, value) for value in column)


def _own_parameters(kind: Class) -> dict[object, str]:
    """The block's parameters that are numbers in every instance, by their values."""
    rows = [dict(instance.run.activation.parameters) for instance in kind.instances]
    return {
        _exact([row[name] for row in rows]): name
        for name in reversed(list(rows[0]))
        if all(name in row for row in rows) and name not in _RESERVED and not iskeyword(name)
    }


def _parameter(kind: Class, slot: str, column: list[Any], own: dict[object, str]) -> str:
    child, _, plain = slot.rpartition(".")
    name = own.get(_exact(column), plain)
    if name in kind.parameters or (name != plain and plain == "in_channels"):
        name = plain if plain not in kind.parameters else f"{child}_{plain}"
    if name[0].isdigit():
        name = f"_{name}"
    name = name.replace(".", "_").replace("-", "_")
    number = 2
    while name in kind.parameters:
        name = f"{name.rstrip('0123456789_')}_{number}"
        number += 1
    kind.parameters.append(name)
    kind.values.append(column)
    return name


def _multiple(column: list[Any], kind: Class) -> str | None:
    """A slot that is always the same multiple, or part, of a parameter."""
    if not all(type(value) is int and value > 0 for value in column):
        return None
    for name, values in zip(kind.parameters, kind.values, strict=True):
        if not all(type(value) is int and value > 0 for value in values):
            continue
        if column[0] % values[0] == 0 and column[0] > values[0]:
            factor = column[0] // values[0]
            if all(a == factor * b for a, b in zip(column, values, strict=True)):
                return f"{factor} * {name}"
        if values[0] % column[0] == 0 and values[0] > column[0]:
            factor = values[0] // column[0]
            if all(a * factor == b for a, b in zip(column, values, strict=True)):
                return f"{name} // {factor}"
    return None


_RESERVED = frozenset({"self", "nn", "torch", "super", *HELPERS})

_CHANNELS = ("in_channels", "out_channels", "kernel_size")
_POSITIONAL = {
    "nn.Conv": _CHANNELS,
    "nn.ConvTranspose": _CHANNELS,
    "nn.Linear": ("in_features", "out_features"),
    "nn.BatchNorm": ("num_features",),
    "KeptBatchNorm": ("num_features",),
    "KeptInstanceNorm": ("num_features",),
    "nn.InstanceNorm": ("num_features",),
    "nn.GroupNorm": ("num_groups", "num_channels"),
    "nn.LayerNorm": ("normalized_shape",),
    "nn.Dropout": ("p",),
    "nn.MaxPool": ("kernel_size", "stride"),
    "nn.AvgPool": ("kernel_size", "stride"),
    "nn.Embedding": ("num_embeddings", "embedding_dim"),
    "ChannelLayerNorm": ("normalized_shape",),
    "StochasticDepth": ("p",),
    "ChannelLinear": ("in_features", "out_features"),
    "SelfAttention": ("features", "heads"),
    "CrossAttention": ("features", "heads"),
    "WindowAttention": ("features", "heads", "window", "shift"),
    "CosineWindowAttention": ("features", "heads", "window", "shift"),
    "PartitionAttention": ("features", "heads", "window"),
    "filled": ("features",),
}
"""Torch's names of the positional arguments, for the parameters of the generated classes."""


# ---------------------------------------------------------------- names of classes


def _name(classes: list[Class]) -> None:
    """A class is named after its block; where one block makes several, after what only some of them hold."""
    taken = set(_TAKEN)
    root = classes[-1]
    root.name = _free(_camel(root.definition), taken)
    taken.add(outputs_class(root.name))
    groups: dict[str, list[Class]] = {}
    for kind in classes[:-1]:
        groups.setdefault(_camel(kind.definition), []).append(kind)
    for base, kinds in groups.items():
        usual = max(kinds, key=lambda kind: len(kind.instances))
        usual.name = _free(base, taken)
        held = {name for name, _ in usual.instances[0].children}
        for kind in kinds:
            if kind is not usual:
                more = [_camel(name) for name, _ in kind.instances[0].children if name not in held]
                kind.name = _free(base + (more[0] if len(more) == 1 else ""), taken)


def outputs_class(name: str) -> str:
    """The named tuple that a network of several outputs returns."""
    return f"{name}Output"


def _camel(name: str) -> str:
    camel = "".join(part[:1].upper() + part[1:] for part in name.replace("-", "_").split("_"))
    return camel if camel[:1].isalpha() else f"Module{camel}"


def _free(name: str, taken: set[str]) -> str:
    number = 2
    free = name
    while free in taken:
        free = f"{name}{number}"
        number += 1
    taken.add(free)
    return free


_TAKEN = frozenset({"Tensor", "NamedTuple", "F", "None", "True", "False", *HELPERS})
