"""Memory over time: what the program holds at each step of inference and of training.

The program is run with sizes in the place of tensors. A tensor lives as long as a variable of a forward holds it, or
the backward pass still needs it. That is how torch counts references in eager mode; what a layer's kernels take for
themselves (cuDNN's workspaces), what the allocator rounds up, and the context of a device are not in the figures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from archdsl.analyses.training import frozen
from archdsl.graph import Value
from archdsl.layers.base import Kept, elements
from archdsl.lowering.forward import forward
from archdsl.lowering.modules import Run

if TYPE_CHECKING:
    from archdsl.graph import Node
    from archdsl.layers.tensor import Tensor
    from archdsl.lowering.modules import Plan

Device = Literal["cuda", "cpu"]

ITEM_BYTES: Final[Mapping[str, int]] = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}
"""The bytes of a number, by the type that the whole network has."""
_WHOLE = 8
"""The bytes of a whole number: ids, the places of maxima, counters."""


class Optimizer(NamedTuple):
    """What an optimizer of torch holds for each parameter, and needs for a moment while it steps, in numbers."""

    state: int
    scratch: int


OPTIMIZERS: Final[Mapping[str, Optimizer]] = {
    "sgd": Optimizer(0, 0),
    "momentum": Optimizer(1, 0),
    "rmsprop": Optimizer(1, 1),
    "adam": Optimizer(2, 1),
    "adamw": Optimizer(2, 1),
}
"""`torch.optim`, without weight decay by way of the gradient; the scratch is that of its `foreach` way."""

_KEEPS_LAYOUT = frozenset({"activation", "elementwise", "regularization", "merge"})
"""Families whose results lie in memory as their inputs do."""

Phase = Literal["forward", "backward", "optimizer"]


class Moment(NamedTuple):
    """What is held while one layer runs: bytes whatever the batch, and bytes for each sample.

    `saved` are those among the bytes of a sample that wait for the backward pass, and `gradients` the bytes of the
    gradients of parameters so far.
    """

    phase: Phase
    node: int
    """The layer's number; -1 for the optimizer."""
    fixed: int
    sample: int
    saved: int = 0
    gradients: int = 0


class Timeline(NamedTuple):
    """The moments of one run, and what is held all the time, in bytes."""

    moments: tuple[Moment, ...]
    parameters: int
    buffers: int
    state: int
    """What the optimizer holds."""
    inputs: int
    """The inputs of one sample."""
    kept: Mapping[int, int]
    """For each node the bytes for a sample that its backward pass needs and that were not held before."""
    again: Mapping[int, str]
    """The modules that are run again, by the first node in each: that counts what is kept for all of it."""

    def at(self, batch: int) -> Moment:
        """The moment at which most is held; the first of several."""
        return max(self.moments, key=lambda moment: moment.fixed + batch * moment.sample)

    def peak(self, batch: int) -> int:
        """The most that is held at once, in bytes."""
        return max(moment.fixed + batch * moment.sample for moment in self.moments)

    def largest_batch(self, budget: int) -> int:
        """How many samples fit into so many bytes; 0 where not one does."""
        return max(0, min((budget - m.fixed) // m.sample if m.sample else budget for m in self.moments))


def inference(plan: Plan, dtype: str = "float32", device: Device = "cuda") -> Timeline:
    """A run in evaluation without gradients: `model.eval()` under `torch.inference_mode()`."""
    return _Walk(plan, dtype, device, training=False).timeline(Optimizer(0, 0))


def training(
    plan: Plan,
    dtype: str = "float32",
    optimizer: str = "adamw",
    device: Device = "cuda",
    recomputed: frozenset[str] = frozenset(),
) -> Timeline:
    """A step of training, once the optimizer has its state: forward, backward, and the optimizer's own.

    Gradients are dropped between steps, as `zero_grad` does; the loss itself is not counted. Of the modules in
    `recomputed`, by their paths, only what flows in is kept, and the backward pass runs them again
    (`torch.utils.checkpoint`, the way that is not reentrant).
    """
    return _Walk(plan, dtype, device, training=True, recomputed=recomputed).timeline(OPTIMIZERS[optimizer])


class _Heap:
    """Pieces of memory, each held by so many; one that nobody holds is free."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.shared: list[int] = []
        self.holders: list[int] = []
        self.sample = 0
        """The bytes held for each sample, and those whatever the batch."""
        self.fixed = 0

    def new(self, sample: int, fixed: int = 0) -> int:
        self.sizes.append(sample)
        self.shared.append(fixed)
        self.holders.append(1)
        self.sample += sample
        self.fixed += fixed
        return len(self.sizes) - 1

    def hold(self, piece: int) -> int:
        self.holders[piece] += 1
        return piece

    def drop(self, piece: int) -> None:
        self.holders[piece] -= 1
        if not self.holders[piece]:
            self.sample -= self.sizes[piece]
            self.fixed -= self.shared[piece]


class _Facts(NamedTuple):
    """What a layer on its shapes comes to, in bytes: its inputs and results for one sample, parameters that train."""

    kept: Kept
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    parameters: int
    weights: bool
    """Whether it has any, such as train or not."""
    settled: bool
    """Whether its statistics are frozen."""


@dataclass(slots=True, eq=False)
class _Region:
    """A module that the backward pass runs again: what flowed into it, and the nodes that will ask for more."""

    run: Run
    pieces: list[int]
    asking: dict[int, None] = field(default_factory=dict)
    last: int = -1
    """The last node that asks; what stands behind it is not run again."""
    ran_again: bool = False


class _Walk:
    """Runs a plan with sizes."""

    def __init__(
        self, plan: Plan, dtype: str, device: Device, training: bool, recomputed: frozenset[str] = frozenset()
    ) -> None:
        self.plan = plan
        self.graph = plan.graph
        self.item = ITEM_BYTES[dtype]
        self.on_cpu = device == "cpu"
        self.training = training
        self.heap = _Heap()
        self.at: dict[Value, int] = {}
        """The piece in which each value lies."""
        self.trained: set[Value] = set()
        """The values that have a gradient."""
        self.channels_last: set[Value] = set()
        self.saved: dict[int, list[int]] = {}
        """For each node the pieces that its backward pass needs, in the order in which the nodes ran."""
        self.waiting: dict[int, int] = {}
        """How many backward passes still need each piece."""
        self.saved_bytes = 0
        self.kept: dict[int, int] = {}
        self.known: dict[tuple[int, bool, bool], _Facts] = {}
        self.frozen = frozen(plan.graph)
        self.moments: list[Moment] = []
        self.gradients = 0
        self.recomputed = recomputed
        self.regions: dict[int, _Region] = {}
        """For each node in a module that is run again, what is known of that."""
        self.region: _Region | None = None
        """The one that is running."""
        self.recomputing: dict[int, str] = {}
        self.has_all = False
        """Whether it has run again as far as is asked for."""
        self.parameters, self.trainable, self.buffers = self.weights()

    def weights(self) -> tuple[int, int, int]:
        """The bytes of the parameters, of those that train, and of the buffers; a shared module has them once."""
        parameters = trainable = buffers = 0
        for node, applied in zip(self.graph.nodes, self.graph.applied, strict=True):
            if not node.reused:
                counts = applied.counts
                parameters += counts.parameters
                trainable += counts.parameters * (node.index not in self.frozen.parameters)
                buffers += (counts.buffers - counts.integers) * self.item + counts.integers * _WHOLE
        return parameters * self.item, trainable * self.item, buffers

    def timeline(self, optimizer: Optimizer) -> Timeline:
        state = optimizer.state * self.trainable
        self.heap.fixed += self.parameters + self.buffers + state
        for port in self.graph.inputs:
            self.at[port.value] = self.heap.new(self.bytes(port.tensor))
        inputs = self.heap.sample
        results = self.run(self.plan.root)
        if self.training:
            self.backward()
            self.moment("optimizer", -1, fixed=optimizer.scratch * self.trainable)
        for piece in results:
            self.heap.drop(piece)
        return Timeline(tuple(self.moments), self.parameters, self.buffers, state, inputs, self.kept, self.recomputing)

    def moment(self, phase: Phase, node: int, fixed: int = 0, sample: int = 0) -> None:
        heap = self.heap
        self.moments.append(
            Moment(phase, node, heap.fixed + fixed, heap.sample + sample, self.saved_bytes, self.gradients)
        )

    def bytes(self, tensor: Tensor) -> int:
        """The bytes of one sample."""
        return elements(tensor) * (_WHOLE if tensor.kind == "ids" else self.item)

    # ------------------------------------------------------------ forward

    def run(self, run: Run) -> list[int]:
        """Runs a module's forward; its results are held for whoever called it."""
        return self.first_time(run) if self.training and run.path in self.recomputed else self.steps(run)

    def steps(self, run: Run) -> list[int]:
        written = forward(self.plan, run)
        heap = self.heap
        held: dict[Value, int] = {}
        for parameter, value in zip(run.parameters, run.inputs, strict=True):
            piece = self.at[value]
            self.enter(parameter, value)
            held[parameter] = heap.hold(piece)
        for step, dropped in zip(written.steps, written.dropped, strict=True):
            if self.has_all:
                break
            if isinstance(step, Run):
                if step.first in self.plan.late and not self.training:
                    continue
                results = dict(zip(step.outputs, self.run(step), strict=not self.has_all))
            elif step.index in self.plan.late and not self.training:
                continue
            else:
                results = self.node(step)
            held.update(results)
            for value in dropped:
                if value in held:
                    heap.drop(held.pop(value))
        given = [heap.hold(held[value]) for value in run.outputs if value in held]
        for piece in held.values():
            heap.drop(piece)
        return given

    def first_time(self, run: Run) -> list[int]:
        """Runs a module that will be run again: what flows in is kept, and nothing else."""
        before = self.saved_bytes
        self.region = region = _Region(run, [self.heap.hold(self.at[value]) for value in run.inputs])
        for piece in region.pieces:
            self.save(piece)
        self.kept[run.first] = self.saved_bytes - before
        results = self.steps(run)
        self.region = None
        if region.asking:
            self.recomputing[run.first] = run.path
            region.last = next(reversed(region.asking))
        else:  # nothing in it trains
            del self.kept[run.first]
            self.free(region.pieces)
        return results

    def again(self, region: _Region) -> None:
        """Runs a module again, for what its backward pass needs; its statistics are written beside the old ones."""
        first, last = region.run.first, region.run.stop
        norms = [each for each in self.graph.nodes[first:last] if each.layer.tracks and not self.facts(each).settled]
        counts = [self.graph.applied[each.index].counts for each in norms]
        beside = sum([each.buffers - each.integers for each in counts]) * self.item
        region.ran_again = True
        self.region = region
        self.heap.fixed += beside
        for piece in self.steps(region.run):
            self.heap.drop(piece)
        self.heap.fixed -= beside
        self.region, self.has_all = None, False

    def enter(self, parameter: Value, value: Value) -> None:
        """Inside, a value is known by the parameter that it is given as."""
        if parameter != value:
            self.at[parameter] = self.at[value]
            for known in (self.trained, self.channels_last):
                if value in known:
                    known.add(parameter)

    def node(self, node: Node) -> dict[Value, int]:
        """Runs one layer, and gives the piece of each result, held once."""
        heap, at = self.heap, self.at
        layer = node.layer
        lowering = self.plan.lowered[node.index]
        assert lowering is not None
        facts = self.facts(node)
        kept = facts.kept
        values = self.results(node)
        region = self.region
        if region is not None and region.ran_again and node.index == region.last:
            self.has_all = True
            if kept == Kept(kept.inputs, scratch=kept.scratch, frozen=kept.frozen) and not layer.wants_channels_last:
                needed = [at[node.inputs[number]] for number in kept.inputs]
                self.wait(node, needed)  # which torch puts down before the layer runs
                return {}
        idle = layer.trains_only and not self.training
        if layer.is_view or idle or lowering.overwrites:
            pieces = [heap.hold(at[node.inputs[0]]) for _ in values]
        else:
            pieces = [heap.new(size) for size in facts.outputs]
        at.update(zip(values, pieces, strict=True))
        first = node.inputs[0]
        lies = first in self.channels_last
        if layer.channels_last or (lies and layer.family in _KEEPS_LAYOUT):
            self.channels_last.update(values)
        copied = layer.wants_channels_last and not lies
        if self.training and lowering.overwrites and kept.inputs == (0,):
            copied |= not layer.differentiates_result
        copy = facts.inputs[0] if copied else 0
        if self.training and (facts.parameters or not self.trained.isdisjoint(node.inputs)):
            self.trained.update(values)
            # A copy of an input that nothing keeps is needed for the moment only.
            lasting = copy if kept.inputs else 0
            sample, fixed = self.further(kept, lasting)
            passing = kept.scratch * self.item + copy - lasting
            if region is not None and not region.ran_again:
                self.saved[node.index] = []
                self.regions[node.index] = region
                if kept.inputs or kept.output or sample or fixed or facts.weights:
                    region.asking[node.index] = None
                self.moment("forward", node.index, fixed, sample + passing)
            else:
                needed = [at[node.inputs[number]] for number in kept.inputs if not copied]
                needed += [pieces[0]] if kept.output else []
                further = [heap.new(sample, fixed)] if sample or fixed else []
                self.wait(node, needed, further)
                self.moment("forward" if region is None else "backward", node.index, sample=passing)
        elif idle:
            self.moment("forward", node.index)
        else:
            passing = kept.values + kept.scratch if kept.passing is None else kept.passing
            self.moment("forward", node.index, 0, copy + passing * self.item + kept.indices * _WHOLE)
        return dict(zip(values, pieces, strict=True))

    def facts(self, node: Node) -> _Facts:
        applied = self.graph.applied[node.index]
        held, settled = node.index in self.frozen.parameters, node.index in self.frozen.statistics
        found = self.known.get((id(applied), held, settled))
        if found is None:
            kept = node.layer.keeps(*applied.inputs)
            if held and kept.frozen is not None:
                kept = kept.frozen
            found = self.known[id(applied), held, settled] = _Facts(
                kept._replace(statistics=0) if settled else kept,
                tuple([self.bytes(tensor) for tensor in applied.inputs]),
                tuple([self.bytes(tensor) for tensor in applied.outputs]),
                0 if held else applied.counts.parameters * self.item,
                applied.counts.parameters > 0,
                settled,
            )
        return found

    def further(self, kept: Kept, copy: int) -> tuple[int, int]:
        """The bytes for a sample, and those whatever the batch, that a layer makes besides its result."""
        mask = kept.on_cpu * self.item if self.on_cpu else kept.mask
        return copy + kept.values * self.item + kept.indices * _WHOLE + mask, kept.statistics * self.item

    def wait(self, node: Node, needed: list[int], further: Sequence[int] = ()) -> None:
        """A layer's backward pass will need pieces that others hold, and further ones that it made itself."""
        before = self.saved_bytes
        self.saved[node.index] = [*(self.heap.hold(piece) for piece in needed), *further]
        for piece in self.saved[node.index]:
            self.save(piece)
        if self.region is None:
            self.kept[node.index] = self.saved_bytes - before

    def save(self, piece: int) -> None:
        """One more backward pass needs a piece."""
        if piece not in self.waiting:
            self.saved_bytes += self.heap.sizes[piece]
        self.waiting[piece] = self.waiting.get(piece, 0) + 1

    def forget(self, node: int) -> None:
        """A backward pass has run: what it alone needed is free."""
        self.free(self.saved.pop(node, []))
        region = self.regions.pop(node, None)
        if region is not None and node in region.asking:
            del region.asking[node]
            if not region.asking:
                self.free(region.pieces)

    def free(self, pieces: list[int]) -> None:
        """What waited for a backward pass waits no more."""
        for piece in pieces:
            self.waiting[piece] -= 1
            if not self.waiting[piece]:
                del self.waiting[piece]
                self.saved_bytes -= self.heap.sizes[piece]
            self.heap.drop(piece)

    # ------------------------------------------------------------ backward

    def backward(self) -> None:
        """The gradients, from the outputs to the parameters: a layer's runs once all those behind it have."""
        heap, graph = self.heap, self.graph
        arriving: dict[Value, int] = {}
        for output in graph.outputs:
            if output.value in self.trained:
                self.arrive(arriving, output.value, heap.new(self.bytes(graph.tensor(output.value))))
        seen: set[str] = set()
        for index in reversed(list(self.saved)):
            node, facts = graph.nodes[index], self.facts(graph.nodes[index])
            results = [value for value in self.results(node) if value in arriving]
            if not results:
                continue
            region = self.regions.get(index)
            if region is not None and not region.ran_again and index in region.asking:
                self.again(region)
            pieces = [arriving.pop(value) for value in results]
            leaving: list[tuple[Value, int]] = []
            passing = facts.kept.scratch * self.item
            for number, value in enumerate(node.inputs):
                if value in self.trained:
                    stretched = self.stretches(node, number)
                    if stretched and number == 0 and facts.kept.inputs and node.inputs[-1] in self.trained:
                        passing += facts.outputs[0]  # a product, to be summed up; torch begins with the second factor
                    passes = node.layer.shares_gradient and not stretched
                    leaving.append((value, heap.hold(pieces[0]) if passes else heap.new(facts.inputs[number])))
            again = node.path in seen  # a shared module's gradient is made anew, and added
            if facts.parameters and not again:
                seen.add(node.path)
                heap.fixed += facts.parameters
                self.gradients += facts.parameters
            self.moment("backward", index, facts.parameters if again else 0, passing)
            self.forget(index)
            for piece in pieces:
                heap.drop(piece)
            for value, piece in leaving:
                self.arrive(arriving, value, piece)
        for index in list(self.saved):
            self.forget(index)
        for piece in arriving.values():
            heap.drop(piece)

    def results(self, node: Node) -> list[Value]:
        return [Value(node.index, number) for number in range(len(self.graph.applied[node.index].outputs))]

    def stretches(self, node: Node, number: int) -> bool:
        """Whether a merge repeats an input: its gradient is then a sum, and memory of its own."""
        applied = self.graph.applied[node.index]
        merges = node.layer.family == "merge" and node.layer.word != "cat"
        return merges and applied.inputs[number] != applied.outputs[0]

    def arrive(self, arriving: dict[Value, int], value: Value, piece: int) -> None:
        """A gradient of a value: the first, or one to add to what is there."""
        heap = self.heap
        before = arriving.get(value)
        if before is None:
            arriving[value] = piece
        elif heap.holders[before] == 1:
            heap.drop(piece)  # added in place
        else:
            arriving[value] = heap.new(heap.sizes[piece])
            heap.drop(before)
            heap.drop(piece)
