"""The network as a graph: frozen nodes, and the modules that hold them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archdsl.diagnostics.model import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archdsl.layers.applied import Applied
    from archdsl.layers.base import Layer
    from archdsl.layers.tensor import Tensor
    from archdsl.source import Span


class Value(NamedTuple):
    """One result of one node: `graph.nodes[node]`, its output number `output`."""

    node: int
    output: int = 0


class Node(NamedTuple):
    """A layer at its place in a network.

    `path` is its module's path in `named_modules()`, and its name in every report. A shared module's later uses
    have the path of the first and `reused` set. `activation` is the number of the activation that it runs in.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index, which nobody asks of a node
    path: str
    layer: Layer
    inputs: tuple[Value, ...]
    span: Span
    activation: int
    reused: bool = False

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


class Activation(NamedTuple):
    """One run of a module that holds others: the network itself, a block's call, a named group.

    A shared module is activated once for each use, under one path. A block that is nothing but one named element has no
    module of its own (`transparent`): its path is that of the module around it.
    """

    index: int  # type: ignore[assignment]  # hides tuple.index
    path: str
    kind: Literal["net", "block", "group"]
    definition: str
    """The name of the net or the block; of a group, the name that `as` gave it."""
    given: tuple[tuple[str | None, object], ...]
    """The arguments of the call, by place (None) or by name."""
    inputs: tuple[Value, ...]
    """What flows in, in the order of the block's `takes`."""
    outputs: tuple[Value, ...]
    """What flows out."""
    numbered: bool
    parent: int | None
    span: Span
    reused: bool = False
    transparent: bool = False
    doc: str = ""
    parameters: tuple[tuple[str, object], ...] = ()
    """The numbers among the block's parameters, defaults included: names for what differs between its instances."""
    takes: tuple[str, ...] = ()
    """The names that the block gives to what flows in, where it takes several values."""

    def giving(self, outputs: tuple[Value, ...]) -> Activation:
        """This activation, now that it is known what flows out."""
        return tuple.__new__(Activation, (*self[:6], outputs, *self[7:]))

    @property
    def call(self) -> str:
        """The block with its arguments, as a reader would write it: `basic(128, s=2)`; what is long is cut off."""
        if not self.given:
            return self.definition
        parts = (_brief(value) if name is None else f"{name}={_brief(value)}" for name, value in self.given)
        return f"{self.definition}({', '.join(parts)})"

    @property
    def name(self) -> str:
        """The last part of the path."""
        return self.path.rpartition(".")[2]


_ROOM = 80
"""About how long the text of an argument may be, in the text of a call."""


def _brief(value: object, room: int = _ROOM) -> str:
    """A value as the language writes it, for reading: fractions to four digits, and what is long cut off."""
    if isinstance(value, tuple):
        text = ""
        for item in value:
            if len(text) > room:
                return f"[{text}, ...]"
            text += (", " if text else "") + _brief(item, room - len(text))
        return f"[{text}]"
    if isinstance(value, str):
        return shown(value if len(value) <= room else f"{value[:room]}...")
    return shown(float(f"{value:.4g}") if isinstance(value, float) else value)


def shown(value: object) -> str:
    """A value as the language writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, Value):
        return "a value"
    if isinstance(value, tuple):
        return f"[{', '.join(map(shown, value))}]"
    return str(value)


class GraphInput(NamedTuple):
    name: str
    value: Value
    tensor: Tensor
    span: Span
    doc: str = ""


class SizeRead(NamedTuple):
    """A size for which the spec asks, as in `if in.h > 7`: were it another, the network might be another.

    `value` is None where the letter of an input's shape was read.
    """

    value: Value | None
    axis: int
    span: Span


class GraphOutput(NamedTuple):
    name: str
    value: Value
    training_only: bool
    span: Span


class Backbone(NamedTuple):
    """What is said of the weights of a network that stands in another: where they are from, which of them train."""

    path: str
    """Of its module."""
    network: str
    """The name by which the network's weights are known: of a variant of one that ships, that one's."""
    until: str | None
    """The layer at which it ends, by its path inside."""
    weights: str | None
    """The name of published weights, or `file:` and a path; None where they begin at random."""
    frozen: tuple[str, ...]
    """The paths inside of what does not train; "" is all of it."""
    norms: Literal["train", "affine", "frozen"]
    """What of the normalizations by running statistics trains: all, scales and shifts, nothing."""
    ships: bool
    """Whether it is a network that ships, or a variant of one."""
    span: Span
    """Where the weights are named, or else the network."""

    def freezes(self, path: str) -> bool:
        """Whether what stands at a path of the whole network is in a part that does not train."""
        return any(_is_in(path, f"{self.path}.{part}" if part else self.path) for part in self.frozen)


class Setting(NamedTuple):
    """A word with a value, as `lr=1e-3`: a number, yes or no, a text, or several."""

    name: str
    value: object
    span: Span


class Settings(NamedTuple):
    """What a statement sets, each word once, in its order."""

    values: tuple[Setting, ...]
    span: Span

    def find(self, name: str) -> Setting | None:
        return next((each for each in self.values if each.name == name), None)

    def get(self, name: str, default: object = None) -> Any:
        found = self.find(name)
        return default if found is None else found.value


class Part(NamedTuple):
    """What a stage says of a layer or a module, by its path; "" is the whole network."""

    path: str
    settings: Settings
    span: Span


class Stage(NamedTuple):
    """A stage of training: the parts that train in it."""

    name: str
    doc: str
    settings: Settings
    parts: tuple[Part, ...]
    span: Span


class Recipe(NamedTuple):
    """The stages of training, the first one first."""

    stages: tuple[Stage, ...]
    span: Span


def _is_in(path: str, module: str) -> bool:
    return path == module or path.startswith(f"{module}.")


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    """A network, written out: every repeat, loop, condition and block is gone, every layer has a path and a place.

    Nodes stand in an order in which each follows its inputs; an input of the network is a node as well.
    """

    name: str
    doc: str
    span: Span
    inputs: tuple[GraphInput, ...]
    outputs: tuple[GraphOutput, ...]
    nodes: tuple[Node, ...]
    activations: tuple[Activation, ...]
    applied: tuple[Applied, ...]
    """Each node's layer on the shapes that flow into it, by the node's number."""
    names: Mapping[Value, str]
    """The name that `as` or `input` gave to a value, where it has one."""
    local_names: Mapping[tuple[int, Value], str]
    """The same for each activation: a block's result may have one name inside and another outside."""
    size_reads: tuple[SizeRead, ...] = ()
    """The sizes for which the spec asks, but for channels of maps and tokens."""
    backbones: tuple[Backbone, ...] = ()
    """The networks inside that have weights of their own, or of which not all trains; the outer ones first."""
    preprocess: Settings | None = None
    """What the spec says of the images that flow in."""
    recipe: Recipe | None = None
    """The stages in which the spec wants it trained."""
    stage: int | None = None
    """The number of the stage that it is in; None before the first."""

    @property
    def is_closed(self) -> bool:
        """Whether every size of the inputs is a number."""
        return all(isinstance(size, int) for port in self.inputs for size in port.tensor.dims)

    def tensor(self, value: Value) -> Tensor:
        return self.applied[value.node].outputs[value.output]

    def outputs_of(self, node: Node) -> tuple[Tensor, ...]:
        """What a node gives."""
        return self.applied[node.index].outputs

    def inputs_of(self, node: Node) -> tuple[Tensor, ...]:
        """What flows into a node."""
        return self.applied[node.index].inputs

    def evaluated(self) -> frozenset[int]:
        """The numbers of the nodes that evaluation needs: all but those of outputs `when training`."""
        if not any(output.training_only for output in self.outputs):
            return frozenset(range(len(self.nodes)))
        needed: set[int] = set()
        waiting = [output.value.node for output in self.outputs if not output.training_only]
        while waiting:
            index = waiting.pop()
            if index not in needed:
                needed.add(index)
                waiting.extend([value.node for value in self.nodes[index].inputs])
        return frozenset(needed)

    def trail(self, activation: int) -> Iterator[Activation]:
        """The blocks around, the innermost first."""
        at: int | None = activation
        while at is not None:
            yield self.activations[at]
            at = self.activations[at].parent


def not_there(graph: Graph, path: str) -> str:
    """What to say of a path at which a network has nothing: what may have been meant."""
    known = [node.path for node in graph.nodes if node.inputs] + [each.path for each in graph.activations if each.path]
    near = nearest(path, known)
    inside = next((each for each in known if each.endswith(f".{path}")), None)
    hint = near or inside
    meant = f"did you mean {hint}?" if hint else "its report shows the paths"
    return f"{graph.name} has nothing at {path}; {meant}"
