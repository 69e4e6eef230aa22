"""A block called again with the same arguments, on the same shapes, is the same subgraph at another place.

So it is copied rather than walked through: a network of many equal blocks costs little more than one of each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl import limits
from archdsl.elaborate.builder import NOTHING, Builder, Flow, new
from archdsl.elaborate.values import BlockValue, LayerValue
from archdsl.graph import Activation, Node, SizeRead, Value

if TYPE_CHECKING:
    from archdsl.elaborate.values import Env
    from archdsl.syntax import tree


class Recording(NamedTuple):
    """Where a block's call stands in the graph: ranges of nodes, of activations and of named values."""

    nodes: range
    activations: range
    names: range
    size_reads: range
    prefix: str
    inputs: Flow
    outputs: Flow
    steps: int
    """What it takes to copy it, besides its layers: the values that flow into and out of those."""


class Replayer:
    """Remembers the calls of blocks by what they depend on: the block, its arguments, the shapes that flow in."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.recordings: dict[Any, Recording] = {}

    def key(self, block: BlockValue, inner: Env, flow: Flow, numbered: bool) -> Any:
        """What the call depends on; None where it reaches for values of its own caller, or cannot be compared."""
        if self.builder.frame.reused or NOTHING in flow:
            return None
        parts: list[Any] = [id(block.definition), id(block.env), numbered]
        for name in block.parameters:
            value: Any = inner.names[name]
            if type(value) is int:
                pass
            elif isinstance(value, LayerValue):
                value = value.layer
            elif isinstance(value, BlockValue):
                value = (id(value.definition), id(value.env))
            elif not isinstance(value, int | float | str):
                return None
            parts += (value, type(value))
        parts += [self.builder.tensor(value) for value in flow]
        order = {value: number for number, value in enumerate(dict.fromkeys(flow))}
        return (*parts, *(order[value] for value in flow))  # the same value twice is not two

    def record(
        self, key: Any, activation: int, nodes: int, names: int, findings: int, reads: int, backbones: int, prefix: str
    ) -> None:
        """Remembers a call that has just been walked through, if nothing was found wrong in it."""
        builder = self.builder
        if key is None or len(builder.diagnostics) != findings or activation >= len(builder.activations):
            return
        if len(builder.backbones) != backbones:
            return  # what is said of their weights is said for each
        made = builder.activations[activation]
        if len(builder.nodes) == nodes or any(
            NOTHING in a.inputs + a.outputs for a in builder.activations[activation:]
        ):
            return  # what is wrong may have been reported before, by another call
        self.recordings[key] = Recording(
            range(nodes, len(builder.nodes)),
            range(activation, len(builder.activations)),
            range(names, len(builder.named)),
            range(reads, len(builder.size_reads)),
            prefix,
            made.inputs,
            made.outputs,
            sum([len(node.inputs) + len(builder.applied[node.index].outputs) - 2 for node in builder.nodes[nodes:]]),
        )

    def forget(self, first: int) -> None:
        """Forgets what was recorded from a node on, since the graph was changed there."""
        self.recordings = {key: known for key, known in self.recordings.items() if known.nodes.start < first}

    def replay(self, recording: Recording, head: Activation, call: tree.Call, env: Env) -> Flow:
        """Copies a recorded call under another path; `head` is its activation there."""
        builder = self.builder
        nodes, activations = builder.nodes, builder.activations
        if len(nodes) + len(recording.nodes) > limits.LAYERS:
            builder.too_much(call, env, f"the network has more than {limits.LAYERS:,} layers")
        if recording.steps > 0:
            builder.spend(recording.steps, call, env)
        by = len(nodes) - recording.nodes.start
        by_activation = head.index - recording.activations.start
        first = recording.nodes.start
        outside = dict(zip(recording.inputs, head.inputs, strict=True))
        prefix, cut = f"{head.path}.", len(recording.prefix)

        def moved(values: Flow) -> Flow:
            if len(values) == 1:
                value = values[0]
                return (new(Value, (value[0] + by, value[1])) if value[0] >= first else outside[value],)
            return tuple(
                [new(Value, (value[0] + by, value[1])) if value[0] >= first else outside[value] for value in values]
            )

        for number, path, layer, inputs, span, activation, reused in nodes[first : recording.nodes.stop]:
            place = (number + by, prefix + path[cut:], layer, moved(inputs), span, activation + by_activation, reused)
            nodes.append(new(Node, place))
        builder.applied += builder.applied[first : recording.nodes.stop]
        activations.append(head.giving(moved(recording.outputs)))
        begun = builder.starts[recording.activations.start : recording.activations.stop]
        builder.starts += [start + by for start in begun]
        for inner in activations[recording.activations.start + 1 : recording.activations.stop]:
            assert inner.parent is not None
            activations.append(
                inner._replace(
                    index=inner.index + by_activation,
                    path=prefix + inner.path[cut:] if len(inner.path) >= cut else head.path,
                    parent=inner.parent + by_activation,
                    inputs=moved(inner.inputs),
                    outputs=moved(inner.outputs),
                )
            )
        for home, value, label in builder.named[recording.names.start : recording.names.stop]:
            builder.name(home + by_activation, moved((value,))[0], label)
        for read in builder.size_reads[recording.size_reads.start : recording.size_reads.stop]:
            at = None if read.value is None else moved((read.value,))[0]
            builder.size_reads.append(SizeRead(at, read.axis, read.span))
        return activations[head.index].outputs
