"""The graph in the making, and the findings about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NoReturn

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, Label, error, warning
from archdsl.elaborate.naming import Frame
from archdsl.elaborate.values import Env
from archdsl.graph import Activation, Backbone, GraphInput, GraphOutput, Node, Recipe, Settings, SizeRead, Value
from archdsl.layers.applied import Applied
from archdsl.layers.tensor import UNKNOWN, Tensor
from archdsl.source import Span
from archdsl.syntax import tree

NOTHING = Value(-1)
"""Stands where an error, already reported, keeps a value from being known."""

new = tuple.__new__
"""Makes a named tuple of its fields, without the call between; for what is made by the thousand."""

Flow = tuple[Value, ...]
"""What flows from one element to the next: one value, or several after branches."""


class TooMuchError(Exception):
    """The network has grown beyond the limits; that has been reported."""


class ReachedError(Exception):
    """What stands at a path at which a network is to end is there."""

    def __init__(self, path: str, flow: Flow) -> None:
        super().__init__(path)
        self.path = path
        self.flow = flow


class Builder:
    """Collects nodes, modules and findings."""

    def __init__(self) -> None:
        self.nodes: list[Node] = []
        self.applied: list[Applied] = []
        self.activations: list[Activation] = []
        self.starts: list[int] = []
        """For each activation how many nodes there were before it."""
        self.known_parts: dict[int, dict[str, Flow]] = {}
        self.names: dict[Value, str] = {}
        self.local_names: dict[tuple[int, Value], str] = {}
        self.named: list[tuple[int, Value, str]] = []
        """Every naming of a value, in turn: the activation, the value, the name."""
        self.size_reads: list[SizeRead] = []
        self.backbones: list[Backbone] = []
        self.preprocess: Settings | None = None
        self.recipe: Recipe | None = None
        self.inputs: list[GraphInput] = []
        self.outputs: list[GraphOutput] = []
        self.diagnostics: list[Diagnostic] = []
        self.refusals: list[Diagnostic] = []
        """Those of them that say that a layer cannot take what flows."""
        self.reported: set[tuple[str, int, int, int]] = set()
        self.frame = Frame("", 0, False)
        self.ends: Counter[str] = Counter()
        """The paths at which networks inside this one end, and how many do."""
        self.variants: list[tuple[Span, str]] = []
        """For a variant, where it is defined and what it is a variant of, and so on; the innermost first."""
        self.steps = 0
        self.errors = self.met_again = 0
        self.branches: tuple[Flow, Callable[[], list[Span]]] = ((), list)
        """The results of the last branches, and where each branch ends in the text."""

    def tensor(self, value: Value) -> Tensor:
        """The shape of a value; UNKNOWN after an error."""
        return UNKNOWN if value.node < 0 else self.applied[value.node].outputs[value.output]

    def add(self, name: str, applied: Applied, inputs: Flow, span: Span) -> Flow:
        """Puts a layer into the graph, in the module being filled; returns its results."""
        index = len(self.nodes)
        frame = self.frame
        path = frame.prefix + name
        self.nodes.append(new(Node, (index, path, applied.layer, inputs, span, frame.activation, frame.reused)))
        self.applied.append(applied)
        if len(applied.outputs) == 1:
            flow: Flow = (new(Value, (index, 0)),)
        else:
            flow = tuple([Value(index, number) for number in range(len(applied.outputs))])
        if self.ends and path in self.ends:
            raise ReachedError(path, flow)
        return flow

    def name(self, activation: int, value: Value, label: str) -> None:
        """Gives a value a name, in the text of one activation."""
        self.names.setdefault(value, label)
        self.local_names[activation, value] = label
        self.named.append((activation, value, label))

    # ------------------------------------------------------------ modules

    def enter(self, activation: Activation, frame: Frame) -> None:
        """Begins to fill a module."""
        self.activations.append(activation)
        self.starts.append(len(self.nodes))
        self.frame = frame

    def leave(self, index: int, outer: Frame, flow: Flow, nodes: int, name: str) -> Flow:
        """Ends a module. One that holds nothing is no module: its name is free again."""
        self.frame = outer
        if len(self.nodes) == nodes and len(self.activations) == index + 1:
            self.forget(index)
            outer.free(name)
            return flow
        self.activations[index] = self.activations[index].giving(flow)
        return flow

    def reached(self, index: int) -> None:
        """Ends the network inside this one that is to end at a module.

        Raises:
            ReachedError: where one is.
        """
        if not self.ends or index >= len(self.activations):
            return
        module = self.activations[index]
        if module.path in self.ends and not module.transparent and NOTHING not in module.outputs:
            raise ReachedError(module.path, module.outputs)

    def forget(self, index: int) -> None:
        """Takes back the activations from a number on."""
        del self.activations[index:], self.starts[index:]

    def parts(self, index: int, at: tree.Node, env: Env) -> dict[str, Flow]:
        """What comes out of each layer and each module inside a finished activation, by the path from there."""
        known = self.known_parts.get(index)
        if known is not None:
            return known
        cut = len(self.activations[index].path) + 1
        found: dict[str, Flow] = {}
        last = index  # of those inside: one is written out after the other
        while last + 1 < len(self.activations) and (self.activations[last + 1].parent or 0) >= index:
            last += 1
        number = self.starts[index]
        while number < len(self.nodes) and index <= self.nodes[number].activation <= last:
            outputs = tuple([Value(number, output) for output in range(len(self.applied[number].outputs))])
            found.setdefault(self.nodes[number].path[cut:], outputs)
            number += 1
        for module in self.activations[index + 1 : last + 1]:
            if not module.transparent and module.outputs:
                found.setdefault(module.path[cut:], module.outputs)
        self.spend(len(found), at, env)
        self.known_parts[index] = found
        return found

    def take_name(self, label: str | None, word: str, at: tree.Node, env: Env, is_module: bool = True) -> str:
        """The name for an element in the module being filled: the one it was given, or the next default."""
        span = new(Span, (env.source, at.start, at.end))
        if label is None:
            return self.frame.default_name(word, span, is_module)
        before = self.frame.take(label, span)
        around = self.activations[self.frame.activation] if self.activations else None
        if before == span and around is not None and around.transparent:
            message = f"`{label}` is named in each use of {around.definition}, and there is more than one here"
            help = f"name each use of it, as in `{around.call} as {label}2`"
            self.report("duplicate-name", message, at, env, help=help)
        elif before == span:
            help = "an element in a repeat has no name of its own: name the repeat, or use a loop with `as name{i}`"
            self.report("duplicate-name", f"`{label}` is named once in each turn of a repeat", at, env, help=help)
        elif before is not None:
            labels = [Label(before, "taken here")]
            help = f"choose another name, as `{label}_2`, or `share` one module to use it twice"
            message = f"`{label}` is already the name of an element here"
            self.report("duplicate-name", message, at, env, labels=labels, help=help)
        return label

    def default_named(self, name: str, env: Env) -> list[Label]:
        """A label at the element that has a name by default, which is not known as a value's."""
        span = self.frame.names.get(name)
        return (
            [Label(span, f"it is called {name} by default")] if span is not None and span.source is env.source else []
        )

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
            self.met_again += 1
            if self.met_again > limits.REPEATED_PROBLEMS and self.errors:
                raise TooMuchError
            return
        self.reported.add(key)
        if warn and len(self.diagnostics) >= limits.PROBLEMS:
            return
        make = warning if warn else error
        notes = [*notes, *self.trail(span)]
        if not any(span.source is at.source and at.start <= span.start < at.end for at, _ in self.variants):
            notes += [note for _, note in self.variants]
        self.diagnostics.append(make(code, message, span, label=label, labels=labels, notes=notes, help=help))
        self.errors += not warn
        if self.errors >= limits.PROBLEMS:
            raise TooMuchError

    def refuse(
        self,
        code: str,
        message: str,
        node: tree.Node,
        env: Env,
        *,
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
    ) -> None:
        """Puts down that a layer cannot take what flows; what follows from it is not known, and the rest is sound."""
        before = len(self.diagnostics)
        self.report(code, message, node, env, labels=labels, notes=notes, help=help)
        self.refusals += self.diagnostics[before:]

    def pardon(self, first: int) -> None:
        """Takes back refusals, from a number on: what was refused turned out not to be needed."""
        for refusal in self.refusals[first:]:
            self.diagnostics.remove(refusal)
            self.reported.discard((refusal.code, id(refusal.span.source), refusal.span.start, refusal.span.end))
            self.errors -= 1
        del self.refusals[first:]

    def warn_at(self, span: Span, code: str, message: str, help: str, labels: Sequence[Label] = ()) -> None:
        """Puts down a warning about a place that is known as a span, once."""
        key = (code, id(span.source), span.start, span.end)
        if key not in self.reported and len(self.diagnostics) < limits.PROBLEMS:
            self.reported.add(key)
            self.diagnostics.append(warning(code, message, span, labels=labels, help=help))

    def trail(self, place: Span) -> list[str]:
        """The calls of blocks that led to a place, the innermost first."""
        notes = []
        at: int | None = self.frame.activation
        while at is not None and at < len(self.activations):
            activation = self.activations[at]
            if activation.kind == "block" and activation.span != place:
                named = "" if activation.transparent else f", as {activation.path}"
                notes.append(f"in {activation.call}, written at {activation.span}{named}")
            at = activation.parent
        if len(notes) > 8:
            notes[4:-4] = [f"... and {len(notes) - 8} more blocks around"]
        return notes

    def too_much(self, node: tree.Node, env: Env, message: str) -> NoReturn:
        """Gives up on a network that would exhaust the machine."""
        self.report("too-many-layers", message, node, env, help="a smaller repeat, or a block used less often")
        raise TooMuchError

    def spend(self, steps: int, node: tree.Node, env: Env) -> None:
        """Counts steps of the work: none of it may be without them, or a short text could take for ever."""
        self.steps += steps
        if self.steps > limits.STEPS:
            self.too_much(node, env, f"the network takes more than {limits.STEPS:,} steps to write out")

    def step(self, node: tree.Node, env: Env, steps: int) -> None:
        """Counts one turn of a repeat, a loop or a block."""
        self.spend(steps, node, env)
        if len(self.nodes) > limits.LAYERS:
            self.too_much(node, env, f"the network has more than {limits.LAYERS:,} layers")
