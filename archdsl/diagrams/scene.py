"""What a picture shows, before it is drawn: boxes, clusters and edges as plain data."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, takewhile
from typing import TYPE_CHECKING, Literal

from archdsl import limits
from archdsl.collector import paused
from archdsl.diagrams.parts import OUTSIDE, UNMARKED, Marks, Part, Parts
from archdsl.graph import Value
from archdsl.reports.build import dims_of
from archdsl.reports.numbers import UNKNOWN, clean, first_line
from archdsl.reports.numbers import shape as written

if TYPE_CHECKING:
    from archdsl.analyses.fields import Field
    from archdsl.graph import Activation, Node
    from archdsl.network import Network

SHORT = 36
"""A shape with formulas is shown if it has no more letters; else open sizes are `?`."""
READABLE = 60
"""Modules are opened by default as long as no more boxes than this come of it."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a box or a cluster stands for costs, every copy counted; macs are None where a size is open."""

    parameters: int
    macs: int | None
    trainable: int = 0
    """The parameters among them that train."""

    @property
    def is_frozen(self) -> bool:
        """Whether there is something to train, and none of it does."""
        return self.parameters > 0 and not self.trainable


@dataclass(frozen=True, slots=True)
class Box:
    """Layers that are drawn as one, or a module that is not opened."""

    id: str
    kind: Literal["input", "output", "layers", "merge", "module"]
    title: str
    lines: tuple[str, ...]
    family: str
    path: str
    shape: str
    """What comes out."""
    nodes: tuple[int, ...]
    """The numbers of the layers that it stands for, every copy's."""
    repeat: int
    """How many equal ones in a row it is drawn for; those of the modules around come on top."""
    cost: Cost
    field: Field | None = None
    note: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A module that is opened."""

    id: str
    title: str
    call: str
    path: str
    repeat: int
    parts: tuple[Box | Cluster, ...]
    cost: Cost
    note: str = ""
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    target: str
    shape: str
    """What flows, where that is news; else empty."""
    main: bool
    """Whether it is the way on, rather than one that skips something."""


@dataclass(frozen=True, slots=True)
class Scene:
    name: str
    doc: str
    parts: tuple[Box | Cluster, ...]
    edges: tuple[Edge, ...]
    cost: Cost
    depth: int

    def boxes(self) -> Iterator[Box]:
        """Every box, in the order of the network."""
        yield from _boxes(self.parts)


def _boxes(parts: Sequence[Box | Cluster]) -> Iterator[Box]:
    for part in parts:
        if isinstance(part, Box):
            yield part
        else:
            yield from _boxes(part.parts)


def scene(network: Network, depth: int | None = None, marks: Marks = UNMARKED) -> Scene:
    """The scene of a network, with modules opened down to `depth`; without one, as far as it stays readable.

    Where layers are marked, modules are opened for those that differ in it.

    Raises:
        ValueError: for a depth below 0, and for more boxes than Graphviz could lay out.
    """
    if depth is not None and depth < 0:
        raise ValueError(f"depth must be at least 0, got {depth}")
    with paused():
        parts = Parts(network.graph, marks)
        if depth is None:
            readable = takewhile(lambda deeper: _count(parts, deeper) <= READABLE, range(1, parts.nesting + 1))
            depth = max(readable, default=0)
        if (count := _count(parts, depth)) > limits.BOXES:
            less = "give a smaller depth" if depth else "put parts of it into blocks or named groups"
            raise ValueError(f"{count} boxes at depth {depth} are too many to draw: {less}")
        return _Building(network, parts, depth).scene()


def _count(parts: Parts, depth: int) -> int:
    """The boxes of the scene that opens modules down to a depth."""

    def inside(part: Part, level: int) -> int:
        runs = parts.runs(part)
        return sum(inside(run[0], level + 1) if parts.opens(run[0]) and level < depth else 1 for run in runs)

    return inside(parts.root, 0) + len(parts.graph.outputs)


_Trail = tuple[tuple[int, int], ...]
_Copies = list[tuple[Part, _Trail]]
"""Equal parts that are drawn as one; the trail says which copy of which run each is."""


class _Building:
    def __init__(self, network: Network, parts: Parts, depth: int) -> None:
        self.graph, self.parts, self.depth = network.graph, parts, depth
        self.network = network
        # Sums over the nodes before each.
        self.parameters = list(accumulate([count.parameters for count in network.counts], initial=0))
        held = network.frozen.parameters
        trainable = [0 if number in held else count.parameters for number, count in enumerate(network.counts)]
        self.trainable = list(accumulate(trainable, initial=0))
        self.macs = list(accumulate([count.macs or 0 for count in network.counts], initial=0))
        self.unknown = list(accumulate([count.macs is None for count in network.counts], initial=0))
        self.box_of: dict[int, Box] = {}
        self.trails: dict[int, _Trail] = {}
        self.inflows: dict[str, set[str]] = {}
        self.shapes: dict[Value, str] = {}
        self.ids: set[str] = set()
        self.run = 0

    def scene(self) -> Scene:
        root = self.parts.root
        parts = [*self.inside([(root, ())], 0)]
        outputs = {number: self.output(number) for number in range(len(self.graph.outputs))}
        return Scene(
            clean(self.graph.name),
            first_line(self.graph.doc),
            (*parts, *outputs.values()),
            tuple(self.edges(outputs)),
            self.cost([root]),
            self.depth,
        )

    def inside(self, copies: _Copies, level: int) -> Iterator[Box | Cluster]:
        first = 0
        for run in self.parts.runs(copies[0][0]):
            self.run += 1
            inner = [
                (part.parts[first + copy], (*trail, (self.run, copy)) if len(run) > 1 else trail)
                for part, trail in copies
                for copy in range(len(run))
            ]
            first += len(run)
            opened = self.parts.opens(run[0]) and level < self.depth
            yield self.cluster(inner, run, level) if opened else self.box(inner, run)

    def cluster(self, copies: _Copies, run: list[Part], level: int) -> Cluster:
        activation = run[0].activation
        assert activation is not None
        return Cluster(
            self.id(activation.path),
            _module_name(self.graph.activations, run),
            _call(activation),
            clean(activation.path),
            len(run),
            tuple(self.inside(copies, level + 1)),
            self.cost(part for part, _ in copies),
            "shared" if self.begins_again(activation) else "",
            first_line(activation.doc),
        )

    def box(self, copies: _Copies, run: list[Part]) -> Box:
        rows = [self.graph.nodes[n] for n in run[0].nodes]
        activation, head, last = run[0].activation, rows[0], copies[-1][0].nodes[-1]
        covered = tuple(n for part, _ in copies for n in part.nodes)
        if activation is not None:
            kind, family, title = "module", "module", _module_name(self.graph.activations, run)
            lines: tuple[str, ...] = (_call(activation),) if _call(activation) else ()
            path, reused, doc = activation.path, self.begins_again(activation), first_line(activation.doc)
            last = activation.outputs[0].node if len(copies) == 1 and activation.outputs else last
        else:
            kind, family = {"merge": "merge", "input": "input"}.get(head.layer.family, "layers"), head.layer.family
            title = clean(head.name) if kind == "input" else self.text(head)
            lines = tuple(map(self.text, rows[1:]))
            path, doc = head.path, ""
            reused = head.reused and not self.graph.activations[head.activation].reused
        result = Box(
            self.id(path),
            kind,  # type: ignore[arg-type]
            title,
            lines,
            family,
            clean(path if activation or len(rows) == 1 else f"{path} … {rows[-1].name}"),
            self.shape([Value(last, number) for number in range(len(self.graph.applied[last].outputs))]),
            covered,
            len(run),
            self.cost(part for part, _ in copies),
            self.network.fields[last],
            "shared" if reused else "",
            doc,
        )
        for part, trail in copies:
            for number in part.nodes:
                self.box_of[number], self.trails[number] = result, trail
        return result

    def text(self, node: Node) -> str:
        return clean(self.parts.marks.texts.get(node.index, self.graph.applied[node.index].text))

    def begins_again(self, activation: Activation) -> bool:
        """Whether it is a later use of a shared module, and not merely inside of one."""
        around = activation.parent
        return activation.reused and not (around is not None and self.graph.activations[around].reused)

    def output(self, number: int) -> Box:
        output = self.graph.outputs[number]
        shape, note = self.shape([output.value]), "when training" if output.training_only else ""
        name = clean(output.name)
        return Box(self.id(output.name), "output", name, (), "output", name, shape, (), 1, Cost(0, 0), None, note)

    def edges(self, outputs: dict[int, Box]) -> Iterator[Edge]:
        told: set[str] = set()
        fed: set[str] = set()
        drawn: set[tuple[str, str, str]] = set()
        flows = [(value, node.index) for node in self.graph.nodes for value in node.inputs]
        for value, target in [*flows, *((o.value, OUTSIDE - i) for i, o in enumerate(self.graph.outputs))]:
            a = self.box_of[value.node]
            b = self.box_of[target] if target > OUTSIDE else outputs[OUTSIDE - target]
            if a is b or (target > OUTSIDE and self.wraps(value.node, target)):
                continue
            shape = self.shape([value])
            if (a.id, b.id, shape) in drawn:
                continue
            drawn.add((a.id, b.id, shape))
            news = (
                a.kind != "input"
                and b.kind != "output"
                and shape not in self.taken(a)
                and f"{a.id} {shape}" not in told
            )
            told.add(f"{a.id} {shape}")
            yield Edge(a.id, b.id, shape if news else "", a.id not in told and b.id not in fed)
            told.add(a.id)
            fed.add(b.id)

    def wraps(self, a: int, b: int) -> bool:
        """Whether the edge leads from one copy of a run to the next, which are drawn as one."""
        for (run, copy), (other, later) in zip(self.trails[a], self.trails[b], strict=False):
            if run != other:
                return False
            if copy != later:
                return True
        return False

    def taken(self, box: Box) -> set[str]:
        """The shapes that flow into a box."""
        if box.id not in self.inflows:
            values = (v for n in box.nodes for v in self.graph.nodes[n].inputs if self.box_of[v.node] is not box)
            self.inflows[box.id] = {self.shape([value]) for value in values}
        return self.inflows[box.id]

    def shape(self, values: Sequence[Value]) -> str:
        """The sizes of values; those that follow from an open size as formulas, where these are short."""
        for value in values:
            if value not in self.shapes:
                plain = clean(str(self.graph.tensor(value)))
                known = written(dims_of(self.network, value)) if UNKNOWN in plain else plain
                self.shapes[value] = known if len(known) <= SHORT else plain
        return ", ".join([self.shapes[value] for value in values])

    def cost(self, parts: Iterable[Part]) -> Cost:
        parameters = trainable = macs = unknown = 0
        for part in parts:
            rows = (
                [(n, n + 1) for n in part.nodes] if part.activation is None else [(part.nodes[0], part.nodes[-1] + 1)]
            )
            for start, stop in rows:
                parameters += self.parameters[stop] - self.parameters[start]
                trainable += self.trainable[stop] - self.trainable[start]
                macs += self.macs[stop] - self.macs[start]
                unknown += self.unknown[stop] - self.unknown[start]
        return Cost(parameters, None if unknown else macs, trainable)

    def id(self, path: str) -> str:
        """A name in the DOT text: the path, of plain characters, each once."""
        plain = "".join(c if c.isascii() and (c.isalnum() or c in "._") else "_" for c in path) or "net"
        name, number = plain, 1
        while name in self.ids:
            number += 1
            name = f"{plain}/{number}"
        self.ids.add(name)
        return name


def _module_name(activations: Sequence[Activation], run: list[Part]) -> str:
    """The last part of the path, with the one before a number: `layer1.0`; of a run `layer1.1–2`."""
    names = [_last(part.activation.path) for part in (run[0], run[-1]) if part.activation]
    end = names[-1]
    return names[0] if len(run) == 1 else f"{names[0]}–{end[len(end.rstrip('0123456789')) :] or end}"


def _last(path: str) -> str:
    parts = path.split(".")
    keep = 1
    while keep < len(parts) and parts[-keep].isdigit():
        keep += 1
    return clean(".".join(parts[-keep:]))


def _call(activation: Activation) -> str:
    return clean(activation.call) if activation.kind == "block" else ""
