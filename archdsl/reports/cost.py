"""What a forward pass costs, layer by layer: what `net.cost()` returns and `archdsl cost` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from archdsl.analyses.cost import RULES, Roof, Rule, Work, works
from archdsl.analyses.devices import DTYPES, Device, device
from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError
from archdsl.records import Record, record
from archdsl.reports.closed import check_sizes
from archdsl.reports.numbers import clean, duration, engineering, moved, percent, rate, ratio, thousands
from archdsl.reports.schema import Port, Report

if TYPE_CHECKING:
    from rich.padding import Padding

    from archdsl.network import Network
    from archdsl.reports.rows import Row
    from archdsl.reports.table import Column

SCHEMA_VERSION = "1.0"

Bound = Literal["compute", "memory"]

LEFT_OUT = (
    "each layer reads its inputs and weights and writes its results once, nothing fused; what a layer keeps inside, "
    "caches, launches and copies between layouts are left out"
)

_STRICT = ConfigDict(frozen=True, extra="forbid")


class _Model(BaseModel):
    model_config = _STRICT


@record
class LayerCost(Record):
    """One layer, in the order of the network."""

    path: Annotated[str, Field(description="the layer's path, as in the report")]
    layer: Annotated[str, Field(description="the layer's word in the language")]
    text: Annotated[str, Field(description="the layer with its arguments: conv 64 k7 s2 p3")]
    flops: Annotated[int | None, Field(description="operations for the batch; null where the layer does not say")]
    bytes: Annotated[int | None, Field(description="bytes read and written for the batch")]
    intensity: Annotated[float | None, Field(description="operations for each byte; null where nothing is moved")]
    seconds: Annotated[float | None, Field(description="the least time; null without a device")]
    bound: Annotated[Bound | None, Field(description="what takes it: compute or memory")]
    share: Annotated[float | None, Field(description="its part of the time of all layers")]
    reused: Annotated[bool, Field(description="a later use of a shared module")] = False
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


class DeviceReport(_Model):
    """The device of the estimate."""

    name: str
    title: str
    peak: float = Field(description="operations a second for the dtype, without sparsity")
    bandwidth: float = Field(description="bytes a second to and from memory")
    ridge: float = Field(description="the intensity from which on arithmetic is the limit, in operations for each byte")
    source: str = Field(description="where the numbers stand")
    url: str


class CostTotals(_Model):
    """Sums over the network."""

    layers: int
    flops: int | None
    bytes: int | None
    intensity: float | None
    seconds: float | None = Field(description="the sum of the layers' least times; null without a device")
    samples_per_second: float | None
    memory_share: float | None = Field(description="the part of the time that layers take whose limit is memory")


class Cost(_Model):
    """What one forward pass in evaluation costs."""

    schema_version: str = SCHEMA_VERSION
    network: str
    file: str
    batch: int = Field(description="samples that flops and bytes are for")
    dtype: str = Field(description="the type that is computed in and stored")
    rule: str = Field(description="the counting rule of flops: torchvision, all or macs")
    counts: str = Field(description="what the rule counts, in words")
    leaves_out: str = Field(LEFT_OUT, description="what bytes and times leave out, in words")
    inputs: tuple[Port, ...]
    device: DeviceReport | None
    totals: CostTotals
    layers: tuple[LayerCost, ...]


def rule_called(name: str) -> Rule:
    """A counting rule by its name.

    Raises:
        ArchError: where there is none.
    """
    return RULES[known(name, tuple(RULES), "counting rule")]


def known(word: str, words: Sequence[str], what: str) -> str:
    """The word, if it is one of these.

    Raises:
        ArchError: where it is not.
    """
    if word in words:
        return word
    near = nearest(word, words)
    raise ArchError(
        f"there is no {what} {word}; " + (f"did you mean {near}?" if near else f"there are {', '.join(words)}")
    )


def build_cost(network: Network, batch: int, dtype: str, given: str | Path | Device | None, rule: str) -> Cost:
    """The cost of a network without errors.

    Raises:
        ArchError: where a size is open, or there is no such rule, dtype or device.
    """
    chosen, size = rule_called(rule), DTYPES[known(dtype, tuple(DTYPES), "dtype")]
    if batch < 1:
        raise ArchError(f"a batch has at least 1 sample, got {batch}")
    machine = None if given is None else device(given)
    roof = None if machine is None else Roof(machine.rate(dtype), machine.bandwidth)
    graph = network.graph
    check_sizes(graph, "the cost")
    done = works(graph, chosen, batch, size)
    seconds = [roof.seconds(work) for work in done] if roof else [None] * len(done)
    whole = _sum(seconds) if roof else None
    layers = []
    for node, applied, work, time in zip(graph.nodes, graph.applied, done, seconds, strict=True):
        if not node.inputs:
            continue
        bound = roof.bound(work) if roof else None
        share = time / whole if time is not None and whole else None
        flops, moves = work
        made = LayerCost(
            node.path, node.layer.word, applied.text, flops, moves, work.intensity, time, bound, share, node.reused
        )
        layers.append(made)
    return Cost(
        network=graph.name,
        file=graph.span.source.name,
        batch=batch,
        dtype=dtype,
        rule=chosen.name,
        counts=chosen.text,
        inputs=tuple([Port(name=port.name, kind=port.tensor.kind, shape=port.tensor.dims) for port in graph.inputs]),
        device=None if machine is None or roof is None else _device(machine, roof),
        totals=_totals(layers, batch, whole),
        layers=tuple(layers),
    )


def _device(machine: Device, roof: Roof) -> DeviceReport:
    return DeviceReport(
        name=machine.name,
        title=machine.title or machine.name,
        peak=roof.peak,
        bandwidth=roof.bandwidth,
        ridge=roof.ridge,
        source=machine.source,
        url=machine.url,
    )


def _totals(layers: Sequence[LayerCost], batch: int, seconds: float | None) -> CostTotals:
    work = Work(_whole([layer.flops for layer in layers]), _whole([layer.bytes for layer in layers]))
    memory = sum([layer.seconds or 0.0 for layer in layers if layer.bound == "memory"])
    return CostTotals(
        layers=len(layers),
        flops=work.flops,
        bytes=work.bytes,
        intensity=work.intensity,
        seconds=seconds,
        samples_per_second=batch / seconds if seconds else None,
        memory_share=memory / seconds if seconds else None,
    )


def _whole(numbers: Sequence[int | None]) -> int | None:
    known_ones = [number for number in numbers if number is not None]
    return sum(known_ones) if len(known_ones) == len(numbers) else None


def _sum(numbers: Sequence[float | None]) -> float | None:
    known_ones = [number for number in numbers if number is not None]
    return sum(known_ones) if len(known_ones) == len(numbers) else None


# ---------------------------------------------------------------- as text


def render(cost: Cost, report: Report, depth: int | None = None, width: int | None = None, color: bool = False) -> str:
    """The layers as the tree of the network's report, with operations, bytes, intensity and, of a device, times."""
    import shutil

    from archdsl.reports.rows import rows
    from archdsl.reports.table import heading, laid_out, printed

    width = width or shutil.get_terminal_size((100, 24)).columns
    shown = rows(report, depth)
    columns = list(_columns(cost, shown))
    lines = (
        *printed(heading(report), width, color),
        *laid_out(shown, f"{cost.totals.layers} layers", columns, width, color),
        *printed(_feet(cost), width, color),
    )
    return "\n".join([line.rstrip() for line in lines]) + "\n"


def _columns(cost: Cost, shown: Sequence[Row]) -> Iterator[Column]:
    from archdsl.reports.table import DIM, Column

    held = [[cost.layers[number] for number in row.layers] for row in shown]
    works = [Work(_whole([each.flops for each in some]), _whole([each.bytes for each in some])) for some in held]
    styles = [DIM if row.opened else "" for row in shown]
    totals = cost.totals
    title = "MACs" if cost.rule == "macs" else "FLOPs"
    yield Column(title, engineering(totals.flops), [engineering(work.flops) for work in works], styles)
    yield Column("Bytes", moved(totals.bytes), [moved(work.bytes) for work in works], styles)
    yield Column(f"{title}/B", ratio(totals.intensity), [ratio(work.intensity) for work in works], styles)
    if cost.device is None:
        return
    times = [_sum([each.seconds for each in some]) for some in held]
    whole = totals.seconds
    shares = ["" if time is None or not whole else percent(time / whole) for time in times]
    yield Column("Time", duration(whole), [duration(time) for time in times], styles)
    yield Column("", "", shares, styles)
    yield Column("Bound by", "", [_bound(some) for some in held], styles, is_left=True)


def _bound(layers: Sequence[LayerCost]) -> str:
    """What limits them: one of the two, or the part of the time that is the memory's."""
    bounds = {layer.bound for layer in layers if layer.bound}
    if len(bounds) != 2:
        return "".join(bounds)
    memory = sum([layer.seconds or 0.0 for layer in layers if layer.bound == "memory"])
    return f"memory {percent(memory / sum([layer.seconds or 0.0 for layer in layers]))}"


def _feet(cost: Cost) -> Iterator[Padding]:
    from rich.text import Text

    from archdsl.reports.table import indented

    totals, machine = cost.totals, cost.device
    samples = f"{cost.batch} samples" if cost.batch != 1 else "1 sample"
    if machine is not None:
        limits = f"{rate(machine.peak)}FLOP/s {cost.dtype}, {rate(machine.bandwidth)}B/s"
        yield indented(Text.assemble(("Device  ", "dim"), f"{clean(machine.title)}: {limits}"))
        ridge = f"at {ratio(machine.ridge)} FLOPs/B; below it the memory is the limit"
        yield indented(Text.assemble(("Ridge   ", "dim"), ridge))
        if totals.seconds:
            per_second = thousands(round(totals.samples_per_second or 0))
            said = f"{duration(totals.seconds)} for {samples} at the roof: {per_second} samples/s"
            yield indented(Text.assemble(("Time    ", "dim"), said))
            of_memory = percent(totals.memory_share) or "none"
            yield indented(Text.assemble(("Memory  ", "dim"), f"limits layers that take {of_memory} of that time"))
    yield indented(Text())
    for note in _notes(cost, samples):
        yield indented(Text(note, "dim"))


def _notes(cost: Cost, samples: str) -> Iterator[str]:
    name = "MACs" if cost.rule == "macs" else "FLOPs"
    yield f"{name} are {cost.counts} (rule {cost.rule}), for {samples}"
    yield f"Bytes in {cost.dtype}: {cost.leaves_out}"
    if cost.device is not None and cost.device.source:
        yield f"Rates: {clean(cost.device.source)}, without sparsity"
    if cost.totals.flops is None:
        yield "? not known: the layer does not say what it computes"
