"""Whether the sizes that a network is said to take are those at which torch runs it."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from random import Random
from typing import Any, NamedTuple

import torch

import archdsl
from archdsl.analyses.laws import Law
from archdsl.analyses.sizes import AxisSizes
from archdsl.network import Network
from archdsl.reports.sizes import _decided
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree
from tests.differential.compare import FAILURES, NET, _backward, _evaluated
from tests.differential.generate import generate
from tests.differential.reference import Reference, TooLargeError

LARGEST = 400
"""The largest size that is tried."""
EACH = 4
"""At so many sizes each axis is tried."""


class Wrong(NamedTuple):
    """A size about which torch says something else."""

    seed: str
    kind: str
    details: str
    text: str


def run(seed: int, first: int, last: int) -> tuple[Counter[str], list[Wrong]]:
    """Judges the networks of a seed from a number up to another, each at some sizes."""
    torch.set_num_threads(1)
    counted: Counter[str] = Counter()
    found: list[Wrong] = []
    for number in range(first, last):
        random = Random(f"sizes/{seed}/{number}")
        file = without_promises(generate(random)) if number % 2 else hourglass(random)
        try:
            counts, wrong = judge(file, random)
        except Exception as problem:  # noqa: BLE001  # whatever it is, no spec may raise it
            counts, wrong = Counter(), [("crash", f"{type(problem).__name__}: {problem}")]
        counted += counts
        found += [Wrong(f"{seed}/{number}", *each, print_tree(file)) for each in wrong]
    return counted, found


def judge(file: tree.File, random: Random) -> tuple[Counter[str], list[tuple[str, str]]]:
    """Tries a network at sizes that it is said to take and at others; what was tried, and what was wrong."""
    counted: Counter[str] = Counter()
    wrong: list[tuple[str, str]] = []
    network = archdsl.parse(print_tree(file), NET)
    try:
        sound, results = _decided(network)
    except archdsl.SpecError:
        return Counter(broken=1), []
    own = _filled(sound, [result for result in results if isinstance(result, AxisSizes)])
    model = None
    for result in results:
        if not isinstance(result, AxisSizes):
            counted["reads sizes" if "asks for a size" in result else "undecided"] += 1
            continue
        for size in _tried(result, random):
            shapes = dict(own)
            for node, axis in result.axis.places:
                shapes[node] = (*shapes[node][:axis], size, *shapes[node][axis + 1 :])
            names = {port.name: shapes[port.value.node] for port in sound.graph.inputs}
            runs = _runs(file, names)
            if runs is None:
                counted["too large"] += 1
                continue
            accepted = result.accepted(size) == 0
            counted["accepted" if accepted else "refused"] += 1
            where = f"{result.axis.name} = {size} of {names}"
            if accepted != runs:
                wrong.append(("accepted" if accepted else "refused", f"{where}: torch says otherwise"))
            elif accepted and result.same_module(size) == 0:
                counted["the same module"] += 1
                model = model or sound.compile().double()
                if (problem := _serves(sound, model, result, size, list(names.values()))) is not None:
                    wrong.append(("module", f"{where}: {problem}"))
    return counted, wrong


def _filled(network: Network, results: list[AxisSizes]) -> dict[int, tuple[Any, ...]]:
    """The shapes of the inputs by their nodes, open sizes filled with what the network is said to take."""
    dims = {port.value.node: list(port.tensor.dims) for port in network.graph.inputs}
    for result in results:
        taken = next((n for n in range(1, LARGEST) if result.accepted(n) == 0), 8)
        for node, axis in result.axis.places:
            if isinstance(result.axis.size, str):
                dims[node][axis] = taken
    return {node: tuple(shape) for node, shape in dims.items()}


def _tried(result: AxisSizes, random: Random) -> list[int]:
    """Some sizes, those about which the answer changes before others."""
    end = min(LARGEST, result.accepted.end + 2 * result.accepted.period)
    turns = [n for n in range(1, end) if (result.accepted(n) is None) != (result.accepted(n + 1) is None)]
    near = [n + by for n in turns for by in (0, 1)]
    own = [size for size in (result.axis.size,) if isinstance(size, int)]
    candidates = near + [random.randint(1, end) for _ in range(EACH)] + [n + 1 for n in own]
    return random.sample(candidates, min(EACH, len(candidates)))


def _runs(file: tree.File, shapes: dict[str, tuple[Any, ...]]) -> bool | None:
    """Whether torch runs a network, forward and backward, on inputs of these shapes; None of one that is too large."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reference = Reference(with_shapes(file, shapes))
            reference.network(NET)
            _backward([reference.tensors[value.number] for _, value, _ in reference.outputs])
            _evaluated(reference, [reference.tensors[value.number] for _, value in reference.inputs])
        except TooLargeError:
            return None
        except FAILURES:
            return False
    return True


def _serves(
    network: Network, model: torch.nn.Module, result: AxisSizes, size: int, shapes: list[tuple[int, ...]]
) -> str | None:
    """What goes wrong where the module runs at another size than it was built for; None where nothing does."""
    graph = network.graph
    inputs = []
    for port, shape in zip(graph.inputs, shapes, strict=True):
        ids = port.tensor.kind == "ids"
        x = torch.randint(port.tensor.vocabulary or 1, (2, *shape)) if ids else torch.randn(2, *shape).double()
        inputs.append(x)
    try:
        with torch.no_grad():
            given = model.train()(*inputs)
    except Exception as problem:  # noqa: BLE001
        return f"the module fails: {problem}"
    outputs = (given,) if isinstance(given, torch.Tensor) else tuple(given)
    for port, tensor in zip(graph.outputs, outputs, strict=True):
        dims = result.shapes[port.value.node][port.value.output]
        wanted = [d(size) if isinstance(d, Law) else d for d in dims]
        pairs = zip(wanted, tensor.shape[1:], strict=True)
        if any(isinstance(a, int) and a != b for a, b in pairs):  # text stands for another axis that is open
            return f"{port.name} is {list(tensor.shape[1:])}, not {wanted}"
    return None


# ---------------------------------------------------------------- networks


def hourglass(random: Random) -> tree.File:
    """A network whose maps shrink and grow again, and meet on the way: what asks for multiples."""
    rank = random.choice((1, 1, 2))
    skips: list[str] = []
    lines = [f"input {'x'.join(map(str, (2, *(random.randint(20, 90) for _ in range(rank)))))}"]

    def shrink() -> str:
        kernel, stride = random.randint(1, 5), random.choice((1, 2, 2, 2, 3, 4))
        padding = random.randint(0, kernel // 2)
        ceil = random.choice(("", " ceil=yes"))
        return random.choice(
            (
                f"conv 2 k{kernel} s{stride} p{padding}",
                f"conv 2 k{kernel} s{stride} p{padding} d{random.randint(1, 2)}",
                f"pool {kernel} s{stride} p{padding}{ceil}",
                f"avgpool {kernel} s{stride} p{padding}{ceil}",
                f"crop {random.randint(1, 2)}",
                f"pad {random.randint(1, 3)}",
            )
        )

    def grow() -> str:
        stride = random.choice((2, 2, 3))
        return random.choice(
            (
                f"upconv 2 k{random.randint(stride, 4)} s{stride} p{random.randint(0, 1)}",
                f"upsample {stride}",
                f"upsample like={random.choice(skips)}" if skips else f"upsample {stride}",
                f"crop like={random.choice(skips)}" if skips else "relu",
            )
        )

    for number in range(random.randint(1, 4)):
        if random.random() < 0.7:
            lines.append(f"conv 2 k3 p{random.choice((1, 1, 0))} as e{number}")
            skips.append(f"e{number}")
        lines.append(shrink())
    if random.random() < 0.2:
        lines.append(f"adaptive_avgpool {random.randint(1, 6)}" if random.random() < 0.5 else "bn -> relu")
    for _ in range(random.randint(0, 3)):
        lines.append(grow())
        if skips and random.random() < 0.7:
            lines.append(random.choice(("cat {} -> conv 2 k3 p1", "add {}")).format(skips.pop()))
    if random.random() < 0.2:
        lines.append("flatten -> fc 3")
    return parse(Source("main.arch", f"net {NET} {{\n" + "\n".join(lines) + "\n}\n")).file


# ---------------------------------------------------------------- trees


def without_promises(node: Any) -> Any:
    """The tree without checked shapes and contracts: they are about the sizes that they were written for."""
    if isinstance(node, tree.Checked):
        return without_promises(node.element)
    if isinstance(node, tuple):
        return tuple(without_promises(item) for item in node if not isinstance(item, tree.Expect))
    if not isinstance(node, tree.Node):
        return node
    return replace(node, **{f: without_promises(getattr(node, f)) for f in type(node).__match_args__[2:]})


def with_shapes(file: tree.File, shapes: dict[str, tuple[Any, ...]]) -> tree.File:
    """The file with other shapes for the inputs of its network; of those that stand in it, flow what flows."""

    def changed(node: Any) -> Any:
        if isinstance(node, tree.Input):
            shape = shapes[node.name.text if node.name else "input"]
            literal = tree.List(0, 0, tuple(tree.Number(0, 0, size) for size in shape))
            return replace(node, shape=literal if len(shape) > 1 else literal.items[0])
        if isinstance(node, tuple):
            return tuple(changed(item) for item in node)
        if not isinstance(node, tree.Node):
            return node
        return replace(node, **{f: changed(getattr(node, f)) for f in type(node).__match_args__[2:]})

    known = {each.name.text: each for each in file.definitions if isinstance(each, tree.Net | tree.Variant)}
    own: Any = known[NET]
    while isinstance(own, tree.Variant):
        own = known[own.base.text]
    return replace(file, definitions=tuple(changed(each) if each is own else each for each in file.definitions))
