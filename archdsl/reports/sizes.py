"""Which sizes of its inputs a network takes: what `net.sizes()` returns and `archdsl sizes` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archdsl import limits
from archdsl.analyses.formulas import described
from archdsl.analyses.laws import Law, UndecidedError
from archdsl.analyses.sizes import Axis, AxisSizes, Border, Budget, Demand, axes, borders, formulas, sizes
from archdsl.errors import SpecError
from archdsl.layers.tensor import AXIS_LETTERS, Tensor
from archdsl.reports.numbers import clean, shape

if TYPE_CHECKING:
    from archdsl.graph import Graph, Value
    from archdsl.layers.tensor import Size
    from archdsl.network import Network

SCHEMA_VERSION = "1.0"

TRIED = (224, 256, 512, 128, 64, 32, 299, 572, 1024, 96, 48, 28, 16, 8, 4, 2048, 4096, 16384)
"""Sizes at which a network is tried whose own sizes do not suit it, or are open."""


TRYING = limits.STEPS // 6
"""Once so many steps have been taken, no further sizes are tried; a layer counts as 10."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SizeSet(_Model):
    """Some sizes: `others`, and from `start` on all that leave one of `remainders` when divided by `period`."""

    text: str = Field(description="in words")
    smallest: int | None = Field(description="the least of them; null where there is none")
    start: int
    period: int
    remainders: tuple[int, ...]
    others: tuple[int, ...] = Field(description="those below start")

    def __contains__(self, size: object) -> bool:
        if not isinstance(size, int):
            return False
        return size in self.others or (size >= self.start and size % self.period in self.remainders)


class DemandReport(_Model):
    """A layer that refuses sizes."""

    path: str
    text: str = Field(description="the layer with its arguments")
    file: str
    line: int
    asks: str = Field(description="what it and all layers before it take")
    refuses: int = Field(description="the least size that it refuses, where all before it take it")
    reason: str = Field(description="what is wrong there")


class AxisReport(_Model):
    """One axis of the input that may be chosen."""

    name: str = Field(description="the letter of the input's shape; D, H and W, or L, where it is a number")
    size: int | str = Field(description="what it is in the spec, or was given")
    accepted: SizeSet | None = Field(description="the sizes that it may have; null where that is not decided")
    same_module: SizeSet | None = Field(
        description="those for which the same module, with its weights, serves; null where its own sizes do not suit it"
    )
    where: dict[str, int] = Field(description="the sizes of other axes for which alone this holds")
    module_where: dict[str, int] = Field(description="the same of `same_module`")
    demands: tuple[DemandReport, ...] = Field(description="the layers that refuse sizes, in the order of the network")
    undecided: str | None = Field(default=None, description="why nothing is decided")


class PortReport(_Model):
    """An input or an output, its sizes as formulas."""

    name: str
    shape: tuple[int | str, ...]


class BorderReport(_Model):
    """A layer whose stride leaves out the end of a map, at the network's own sizes."""

    path: str
    text: str
    axis: str
    size: int
    unseen: int


class SizesReport(_Model):
    """Which sizes of its inputs a network takes."""

    schema_version: str = SCHEMA_VERSION
    network: str
    inputs: tuple[PortReport, ...]
    axes: tuple[AxisReport, ...]
    outputs: tuple[PortReport, ...]
    borders: tuple[BorderReport, ...]
    at: tuple[PortReport, ...] = Field(description="the inputs for which this was worked out")


def build_sizes(network: Network) -> SizesReport:
    """The sizes of a network.

    Raises:
        SpecError: where it has errors at other sizes too.
    """
    sound, results = _decided(network)
    graph = sound.graph
    places = axes(graph)
    letters: dict[tuple[int, int], str] = {place: axis.name for axis in places for place in axis.places}
    own = {axis.name: axis.size for axis in axes(network.graph)}
    known = [each for each in results if isinstance(each, AxisSizes)]

    def port(name: str, value: Value, tensor: Tensor) -> PortReport:
        dims = formulas(known, value, tensor)
        return PortReport(name=name, shape=tuple(letters.get((value.node, i), size) for i, size in enumerate(dims)))

    reports = []
    for axis, result in zip(places, results, strict=True):
        size = own.get(axis.name, axis.size)
        if isinstance(result, AxisSizes):
            others = [other for other in known if other is not result]
            reports.append(_axis(graph, result, size, others, sound is network))
        else:
            reports.append(
                AxisReport(
                    name=axis.name,
                    size=size,
                    accepted=None,
                    same_module=None,
                    where={},
                    module_where={},
                    demands=(),
                    undecided=result,
                )
            )
    return SizesReport(
        network=graph.name,
        inputs=tuple(port(each.name, each.value, each.tensor) for each in graph.inputs),
        axes=tuple(reports),
        outputs=tuple(port(each.name, each.value, graph.tensor(each.value)) for each in graph.outputs),
        borders=tuple(_border(graph, each) for each in borders(network.graph)),
        at=tuple(PortReport(name=each.name, shape=each.tensor.dims) for each in graph.inputs),
    )


# ---------------------------------------------------------------- the network to ask


def _decided(network: Network) -> tuple[Network, list[AxisSizes | str]]:
    """The network at sizes that suit it, and what is known of each axis: its sizes, or why they are not decided."""
    best: tuple[Network, list[AxisSizes | str]] | None = None
    spent, budget = 0, Budget()
    for candidate in _candidates(network):
        if spent > TRYING:
            break
        spent += candidate.steps + 10 * len(candidate.graph.nodes)
        if not _is_whole(candidate):
            continue
        found = [_followed(candidate, axis, budget) for axis in axes(candidate.graph)]
        if best is None:
            best = candidate, found
        if not any(isinstance(each, str) for each in found):
            return candidate, found
        if budget.left < 0:
            break
    if best is None and _is_whole(network):
        best = network, [_followed(network, axis, budget) for axis in axes(network.graph)]
    if best is None:
        raise SpecError(network.diagnostics)
    return best


_PROMISES = frozenset({"shape-mismatch", "expectation"})
"""Errors that are about what a spec says of itself: the network stands all the same."""


def _is_whole(network: Network) -> bool:
    """Whether every layer takes what flows into it."""
    return not any(finding.is_error and finding.code not in _PROMISES for finding in network.diagnostics)


def _candidates(network: Network) -> Iterator[Network]:
    """The network as it is; where its sizes are open or do not suit, at some that often do, and then with open ones."""
    ports = network.graph.inputs
    if network.graph.is_closed:
        yield network
        if _is_whole(network):
            return
    for size in (*TRIED, None):
        yield network.at({port.name: _sized(port.tensor, size) for port in ports})


def _sized(tensor: Tensor, size: int | None) -> Tensor:
    """A tensor with all its spatial axes of one size; open ones for None."""
    space: tuple[Size, ...] = AXIS_LETTERS[tensor.rank] if size is None else (size,) * tensor.rank
    if tensor.kind == "map":
        return tensor.with_space(space)
    return tensor._replace(dims=(*space, *tensor.dims[tensor.rank :]))


def _followed(network: Network, axis: Axis, budget: Budget) -> AxisSizes | str:
    try:
        return sizes(network.graph, axis, budget)
    except UndecidedError as reason:
        return str(reason)


# ---------------------------------------------------------------- what is reported


def _axis(graph: Graph, result: AxisSizes, size: Size, others: Sequence[AxisSizes], is_own: bool) -> AxisReport:
    def bound(nodes: Sequence[int]) -> dict[str, int]:
        """The axes with which this one is bound together, as height and width are in a number of tokens."""
        return {
            other.axis.name: other.axis.size
            for other in others
            if isinstance(other.axis.size, int) and result.meets(other, graph, nodes)
        }

    return AxisReport(
        name=result.axis.name,
        size=size,
        accepted=_set(result.accepted),
        same_module=_set(result.same_module) if is_own else None,
        where=bound([demand.node for demand in result.demands]),
        module_where=bound(result.changing) if is_own else {},
        demands=tuple(_demand(graph, demand) for demand in result.demands),
    )


def _set(law: Law) -> SizeSet:
    taken = [n for n in range(1, law.end + 1) if law(n) == 0]
    return SizeSet(
        text=described(law),
        smallest=min(taken, default=None),
        start=law.start,
        period=law.period,
        remainders=tuple(sorted({n % law.period for n in taken if n >= law.start})),
        others=tuple(n for n in taken if n < law.start),
    )


def _demand(graph: Graph, demand: Demand) -> DemandReport:
    node = graph.nodes[demand.node]
    return DemandReport(
        path=node.path,
        text=graph.applied[demand.node].text,
        file=node.span.source.name,
        line=node.span.line,
        asks=described(demand.accepted),
        refuses=demand.refused,
        reason=demand.problem.message,
    )


def _border(graph: Graph, border: Border) -> BorderReport:
    node, tensor = graph.nodes[border.node], graph.applied[border.node].inputs[0]
    return BorderReport(
        path=node.path,
        text=graph.applied[border.node].text,
        axis=AXIS_LETTERS[tensor.rank][border.axis],
        size=border.size,
        unseen=border.unseen,
    )


# ---------------------------------------------------------------- as text


def render(report: SizesReport) -> str:
    """The sizes for people."""
    lines = [f"{clean(report.network)}: {', '.join(_port(each) for each in report.inputs)}", ""]
    if not report.axes:
        lines.append("  It takes vectors only, which have no axis whose size could be chosen.")
    alike: dict[object, list[AxisReport]] = {}
    for axis in report.axes:
        own = axis.size if isinstance(axis.size, int) else None
        demands = [(demand.path, demand.asks) for demand in axis.demands]
        alike.setdefault(repr((axis.accepted, axis.same_module, own, axis.undecided, demands)), []).append(axis)
    names = [", ".join(axis.name for axis in group) for group in alike.values()]
    width = max(map(len, names), default=0)
    for name, (axis, *_) in zip(names, alike.values(), strict=True):
        lines += [
            f"  {head.ljust(width)}  {line}"
            for head, line in zip(chain([name], repeat("")), _of_axis(axis), strict=False)
        ]
    lines += ["", f"  gives {', '.join(_port(each) for each in report.outputs)}"]
    if report.borders:
        lines += ["", "  Border positions that no window covers, at these sizes:"]
        lines += [f"    {each}" for each in _borders(report.borders)]
    return "\n".join(lines) + "\n"


def _port(port: PortReport) -> str:
    return f"{clean(port.name)} {shape(port.shape)}"


def _of_axis(axis: AxisReport) -> Iterator[str]:
    if axis.accepted is None:
        yield f"not decided: {clean(axis.undecided or '')}"
        return
    yield axis.accepted.text + _where(axis.where)
    if axis.same_module is not None and axis.same_module.text != axis.accepted.text:
        yield f"with the weights of {axis.size}: {axis.same_module.text}" + _where(axis.module_where)
    for demand in _decisive(axis):
        at = f"{clean(demand.file)}:{demand.line}"
        yield f"  {demand.asks}: {clean(demand.path)} ({clean(demand.text)}, {at})"
        yield f"    at {demand.refuses}, {clean(demand.reason)}"


def _where(others: dict[str, int]) -> str:
    return f", where {' and '.join(f'{name} is {size}' for name, size in others.items())}" if others else ""


def _decisive(axis: AxisReport) -> list[DemandReport]:
    """The demands that make the rule: those that ask for another divisor, and the last one that asks for more."""
    chosen: dict[str, DemandReport] = {}
    for demand in axis.demands:
        chosen["every" if demand.asks.startswith("every size") else demand.asks] = demand
    return list(chosen.values())


def _borders(borders: Sequence[BorderReport]) -> Iterator[str]:
    merged: dict[str, list[BorderReport]] = {}
    for each in borders:
        merged.setdefault(each.path, []).append(each)
    for path, found in merged.items():
        what = ", ".join(f"{each.unseen} of {each.size} along {each.axis}" for each in found)
        yield f"{clean(path)} ({clean(found[0].text)}): {what}"
