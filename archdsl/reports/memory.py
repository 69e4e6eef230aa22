"""Memory over time: what `archdsl memory` prints and `net.memory()` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from archdsl import limits
from archdsl.errors import ArchError
from archdsl.lowering.memory import ITEM_BYTES, OPTIMIZERS, inference, training
from archdsl.lowering.modules import planned
from archdsl.lowering.units import recomputed
from archdsl.records import Record, record
from archdsl.reports.closed import check_sizes
from archdsl.reports.numbers import binary_bytes, clean, percent

if TYPE_CHECKING:
    from archdsl.graph import Graph
    from archdsl.lowering.memory import Moment, Timeline
    from archdsl.network import Network

SCHEMA_VERSION = "1.1"


_STRICT = ConfigDict(frozen=True, extra="forbid")


class _Model(BaseModel):
    model_config = _STRICT


@record
class MomentReport(Record):
    """What is held while one layer runs, in bytes."""

    phase: Literal["forward", "backward", "optimizer"]
    layer: Annotated[str, Field(description="the layer's path; empty for the optimizer's step")]
    bytes: int
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


class RunMemory(_Model):
    """One run over time, in bytes for the whole batch."""

    peak: int
    phase: Literal["forward", "backward", "optimizer"] = Field(description="when the peak is")
    layer: str = Field(description="the layer that runs at the peak; empty for the optimizer's step")
    parameters: int
    buffers: int
    gradients: int = Field(description="of parameters, at the peak")
    optimizer: int = Field(description="what the optimizer holds")
    saved: int = Field(description="activations that wait for the backward pass, at the peak")
    working: int = Field(description="the rest at the peak: inputs, what layers pass on, and what they need to run")
    fits: int | None = Field(None, description="the largest batch that the budget holds; null without a budget")
    moments: tuple[MomentReport, ...]


@record
class KeptLayer(Record):
    """What one layer adds to the activations that wait for the backward pass, in bytes for the whole batch."""

    layer: Annotated[str, Field(description="its path, or that of a module that is computed again")]
    bytes: int
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


class MemoryReport(_Model):
    """What inference and a step of training hold in memory."""

    schema_version: str = SCHEMA_VERSION
    network: str
    batch: int
    dtype: str
    optimizer_name: str
    device: Literal["cuda", "cpu"] = Field(description="whose kernels are asked for what they keep")
    budget: int | None = Field(None, description="bytes")
    checkpoint: bool = Field(False, description="whether the backward pass computes blocks again, and keeps less")
    inference: RunMemory
    training: RunMemory
    saved: int = Field(description="all that waits for the backward pass once the forward pass is done, in bytes")
    layers: tuple[KeptLayer, ...]


def build_memory(
    network: Network,
    batch: int = 1,
    dtype: str = "float32",
    optimizer: str = "adamw",
    device: Literal["cuda", "cpu"] = "cuda",
    budget: int | None = None,
    checkpoint: bool = False,
) -> MemoryReport:
    """What inference and a step of training hold in memory, over time.

    Raises:
        SpecError: where the network has errors.
        ArchError: where sizes are open, a word or a number is none of those there are, or no block can be run again.
    """
    for name, value, known in (("dtype", dtype, ITEM_BYTES), ("optimizer", optimizer, OPTIMIZERS)):
        if value not in known:
            raise ArchError(f"there is no {name} {value!r}; choose from {', '.join(known)}")
    if not 1 <= batch <= limits.BATCH:
        raise ArchError(f"a batch has 1 to {limits.BATCH:,} samples, got {batch}")
    graph = network.checked().graph
    check_sizes(graph, "the memory")
    plan = planned(graph)
    evaluated = inference(plan, dtype, device)
    trained = training(plan, dtype, optimizer, device, recomputed(graph) if checkpoint else frozenset())
    paths = {**{node.index: node.path for node in graph.nodes}, **trained.again}
    layers = [KeptLayer(paths[at], each * batch) for at, each in trained.kept.items() if each]
    return MemoryReport(
        network=network.name,
        batch=batch,
        dtype=dtype,
        optimizer_name=optimizer,
        device=device,
        budget=budget,
        checkpoint=checkpoint,
        inference=_run(graph, evaluated, batch, budget),
        training=_run(graph, trained, batch, budget),
        saved=sum(layer.bytes for layer in layers),
        layers=tuple(layers),
    )


def _run(graph: Graph, timeline: Timeline, batch: int, budget: int | None) -> RunMemory:
    most = timeline.at(batch)
    peak = most.fixed + batch * most.sample
    constant = timeline.parameters + timeline.buffers + timeline.state
    return RunMemory(
        peak=peak,
        phase=most.phase,
        layer=_path(graph, most),
        parameters=timeline.parameters,
        buffers=timeline.buffers,
        gradients=most.gradients,
        optimizer=timeline.state,
        saved=most.saved * batch,
        working=peak - constant - most.gradients - most.saved * batch,
        fits=None if budget is None else min(timeline.largest_batch(budget), limits.BATCH),
        moments=tuple(
            [
                MomentReport(moment.phase, _path(graph, moment), moment.fixed + batch * moment.sample)
                for moment in timeline.moments
            ]
        ),
    )


def _path(graph: Graph, moment: Moment) -> str:
    return graph.nodes[moment.node].path if moment.node >= 0 else ""


# ---------------------------------------------------------------- text

_CHART_WIDTH, _CHART_HEIGHT = 72, 8
_EIGHTHS = " ▁▂▃▄▅▆▇█"
_MOST_LAYERS = 8


def render(report: MemoryReport) -> str:
    """The report as text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: MemoryReport) -> Iterator[str]:
    samples = "1 sample" if report.batch == 1 else f"{report.batch:,} samples"
    again = ", blocks computed again" if report.checkpoint else ""
    yield f"{clean(report.network)}  {samples}, {report.dtype}, {report.optimizer_name}{again}"
    yield ""
    yield from _table(report)
    yield ""
    yield "a step of training, over time"
    yield ""
    yield from _chart(report.training)
    yield ""
    yield from _largest(report)
    if report.budget is not None:
        evaluated, trained = (_batch(run) for run in (report.inference, report.training))
        yield ""
        yield f"{binary_bytes(report.budget)} hold {evaluated} in inference, {trained} in training"
    yield ""
    yield "Not counted: the device's context (some 300 to 600 MiB on a GPU), what kernels take for"
    yield "themselves, what the allocator rounds up, and the loss."


def _batch(run: RunMemory) -> str:
    if not run.fits:
        return "not one sample"
    return "1 sample" if run.fits == 1 else f"a batch of {run.fits:,}"


def _table(report: MemoryReport) -> Iterator[str]:
    runs = (report.inference, report.training)
    rows = [
        ("parameters", [run.parameters for run in runs]),
        ("buffers", [run.buffers for run in runs]),
        ("optimizer's state", [run.optimizer for run in runs]),
        ("gradients of parameters", [run.gradients for run in runs]),
        ("kept for the backward pass", [run.saved for run in runs]),
        ("inputs and work", [run.working for run in runs]),
        ("peak", [run.peak for run in runs]),
    ]
    wide = max(len(name) for name, _ in rows)
    yield f"  {'':{wide}}  {'inference':>12}  {'training':>12}"
    for name, numbers in rows:
        written = [binary_bytes(number) if number else "-" for number in numbers]
        yield f"  {name:{wide}}  {written[0]:>12}  {written[1]:>12}"
    for word, run in (("inference", report.inference), ("training", report.training)):
        yield f"  {word} has its peak {_when(run)}"


def _when(run: RunMemory) -> str:
    if not run.layer:
        return "while the optimizer steps"
    return f"at {clean(run.layer)}" + (", on the way back" if run.phase == "backward" else "")


def _chart(run: RunMemory) -> Iterator[str]:
    """The height of each column is the most that is held in its part of the run."""
    moments = [moment.bytes for moment in run.moments]
    columns = _columns(moments, _CHART_WIDTH)
    scale = max(columns) or 1
    heights = [round(8 * _CHART_HEIGHT * column / scale) for column in columns]
    for row in reversed(range(_CHART_HEIGHT)):
        bar = "".join(_EIGHTHS[min(max(height - 8 * row, 0), 8)] for height in heights)
        label = binary_bytes(scale) if row == _CHART_HEIGHT - 1 else ""
        yield f"  {label:>9} {bar}".rstrip()
    forward = sum(moment.phase == "forward" for moment in run.moments)
    turn = round(forward * len(columns) / len(moments))
    names = f"{'forward':<{turn}}backward" if turn >= len("forward ") else "forward, backward"
    yield f"  {'':>9} {names}"


def _columns(numbers: Sequence[int], most: int) -> list[int]:
    """At most so many columns, each the largest of its share of the numbers."""
    count = min(most, len(numbers))
    bounds = [index * len(numbers) // count for index in range(count + 1)]
    return [max(numbers[low:high]) for low, high in pairwise(bounds)]


def _largest(report: MemoryReport) -> Iterator[str]:
    ordered = sorted(report.layers, key=lambda layer: -layer.bytes)[:_MOST_LAYERS]
    if not ordered:
        yield "nothing is kept for the backward pass"
        return
    yield f"kept for the backward pass: {binary_bytes(report.saved)}, most of it by"
    wide = max(len(clean(layer.layer)) for layer in ordered)
    for layer in ordered:
        share = percent(layer.bytes / report.saved)
        yield f"  {clean(layer.layer):{wide}}  {binary_bytes(layer.bytes):>9}  {share:>5}"
