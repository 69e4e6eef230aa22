"""Modules written for use elsewhere, each compared with the module before its file takes its place."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, TypeAlias

import torch
from torch import nn
from torch.export import Dim, ExportedProgram

from archdsl.analyses.flexible import Flexible, flexible
from archdsl.diagnostics.escape import printable
from archdsl.errors import ArchError
from archdsl.torch.saving import check, own_state

if TYPE_CHECKING:
    from archdsl.analyses.sizes import AxisSizes
    from archdsl.graph import Graph
    from archdsl.layers.tensor import Tensor
    from archdsl.lowering.program import Program

FORMATS = ("onnx", "pt2", "aoti", "hub")

TOLERANCE = {torch.float32: 1e-3, torch.float64: 1e-3}
"""How far an output may be from the module's, as a part of the largest value; other types are coarser."""
COARSE = 5e-2

_SAMPLE = 2
_BATCHES = (1, 3)
"""With these batches is compared what takes any; the example for the exporter is of 2."""
_NEAR = 32
"""The sizes of the example are about so large."""

Runner: TypeAlias = Callable[[Sequence[torch.Tensor]], Sequence[torch.Tensor]]


class Check(NamedTuple):
    """What was written, run beside the module."""

    inputs: tuple[tuple[int, ...], ...]
    """The shapes that went in, with the batch."""
    difference: float
    """The greatest one between two values."""
    largest: float
    """The greatest absolute value that the module gave."""


class Exported(NamedTuple):
    """What was written."""

    path: Path
    format: str
    inputs: tuple[tuple[str, tuple[int | str, ...]], ...]
    """Names and shapes, with the batch; what stays open has a name."""
    outputs: tuple[str, ...]
    sizes: tuple[tuple[str, str], ...]
    """For what stays open, which sizes it takes, in words."""
    checks: tuple[Check, ...]


class Network(Protocol):
    """What is asked of a network here."""

    @property
    def graph(self) -> Graph: ...
    @property
    def program(self) -> Program: ...
    @property
    def open_axes(self) -> tuple[AxisSizes, ...]: ...


class Job(NamedTuple):
    """What the writer of a format is given."""

    network: Network
    model: nn.Module
    """In evaluation; with several outputs it gives a tuple of those that are not only for training."""
    path: Path
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    carried: str
    card: Callable[[], str]
    program: Callable[[], ExportedProgram]
    """The module as `torch.export` has it."""
    names: Callable[[ExportedProgram], dict[str, str]]
    """What the sizes that stay open are called in it, and here."""


def export(
    network: Network,
    model: nn.Module,
    path: Path,
    format: str | None,
    batch: int | None,
    carried: str,
    card: Callable[[], str],
) -> Exported:
    """Writes a module in a format, and compares what was written with it. Earlier files stay where that fails.

    Raises:
        ArchError: where the format is not known, its library is missing, the network cannot be written in it, or what
            was written gives something else.
        WeightsError: where the module is not of the network.
    """
    chosen = format or format_of(path)
    if chosen not in FORMATS:
        raise ArchError(f"there is no format {chosen!r}; choose from {', '.join(FORMATS)}")
    if batch is not None and batch < 1:
        raise ArchError(f"a batch has at least one sample, not {batch}")
    write = _writer(chosen)
    model = getattr(model, "_orig_mod", model)
    check(network.program, own_state(model), "the module", "in the module")
    graph = network.graph
    dynamic = _Dynamic(graph, flexible(graph, network.open_axes), batch)
    outputs = tuple(output.name for output in graph.outputs if not output.training_only)
    with evaluated(model, len(outputs)), torch.no_grad():
        made: list[ExportedProgram] = []

        def program() -> ExportedProgram:
            made.append(dynamic.program(model))
            return made[0]

        names = tuple(port.name for port in graph.inputs)
        job = Job(network, model, path, names, outputs, carried, card, program, dynamic.symbols)
        checks: list[Check] = []

        def compare(run: Runner) -> None:
            checks.extend(_compared(model, run, inputs) for inputs in dynamic.trials(model))

        write(job, compare)
    shapes = dynamic.described() if made else tuple((p.name, ("batch", *p.tensor.dims)) for p in graph.inputs)
    return Exported(path, chosen, shapes, outputs, dynamic.words if made else (), tuple(checks))


def format_of(path: Path) -> str:
    """The format that the name of a file means.

    Raises:
        ArchError: where its ending means none.
    """
    name = path.name.lower()
    for ending, format in ((".onnx", "onnx"), (".aoti.pt2", "aoti"), (".pt2", "pt2")):
        if name.endswith(ending):
            return format
    if not path.suffix or path.is_dir():
        return "hub"
    raise ArchError(
        f"{printable(path.name)} means no format: end it in .onnx, .pt2 or .aoti.pt2, name a folder, or give the format"
    )


def _writer(format: str) -> Callable[[Job, Callable[[Runner], None]], None]:
    """The function that writes a format. It hands what it wrote, ready to run, to the comparison.

    Raises:
        ArchError: where its library is missing.
    """
    if format == "onnx":
        from archdsl.torch.onnx_files import write
    elif format == "pt2":
        from archdsl.torch.packages import write_program as write
    elif format == "aoti":
        from archdsl.torch.packages import write_compiled as write
    else:
        from archdsl.torch.hub import write
    return write


@contextmanager
def evaluated(model: nn.Module, outputs: int) -> Iterator[None]:
    """The module in evaluation, and giving a plain tuple of the outputs that there are then; afterwards as it was."""
    modes = {module: module.training for module in model.modules()}
    forward = model.forward

    @wraps(forward)
    def plain(*inputs: torch.Tensor) -> Any:
        return tuple(forward(*inputs))[:outputs]

    try:
        model.eval()
        if outputs > 1:
            model.forward = plain
        yield
    finally:
        model.__dict__.pop("forward", None)
        for module, mode in modes.items():
            module.training = mode


# ---------------------------------------------------------------- open sizes


class _Dynamic:
    """Which sizes of the inputs stay open, examples for them, and what torch makes of that."""

    def __init__(self, graph: Graph, axes: tuple[Flexible, ...], batch: int | None) -> None:
        self.graph = graph
        self.axes = axes
        self.batch = batch
        self.words: tuple[tuple[str, str], ...] = ()
        decided = {place for axis in axes for place in axis.places}
        for number, port in enumerate(graph.inputs):
            for dim, size in enumerate(port.tensor.dims):
                if isinstance(size, str) and (number, dim) not in decided:
                    example = "x".join("224" if isinstance(each, str) else str(each) for each in port.tensor.dims)
                    raise ArchError(
                        f"which sizes {size} of {port.name} may have is not decided, so that it cannot stay open; "
                        f"give one: --input {port.name}={example}"
                    )

    def program(self, model: nn.Module) -> ExportedProgram:
        """The module as torch sees it, with its open sizes.

        First it is told which sizes there are. Where it proves only some of them, it says itself which.
        """
        example = self.example(model)
        try:
            found = _exported(model, example, self.shapes(exact=True))
            self.words = tuple((axis.name, axis.described) for axis in self.axes)
        except Exception as problem:  # noqa: BLE001  # of many kinds, and all mean that torch cannot
            found = self.fallback(model, example, problem)
        if self.batch is None:
            self.words = (("batch", "from 1"), *self.words)
        return found

    def fallback(self, model: nn.Module, example: tuple[torch.Tensor, ...], problem: Exception) -> ExportedProgram:
        found = None
        if self.axes or self.batch is None:
            try:
                found = _exported(model, example, self.shapes(exact=False))
            except Exception as second:  # noqa: BLE001  # as above
                problem = second
        if found is None or not self.stays_open(found):
            sizes = ["--batch 1"] if self.batch is None else []
            sizes += ["--input with numbers"] if self.axes else []
            help = f"; with fixed sizes it may: {' and '.join(sizes)}" if sizes else ""
            raise ArchError(f"torch cannot export {self.graph.name}: {reason_of(problem)}{help}") from problem
        self.words = tuple((axis.name, "as torch checks when it runs") for axis in self.axes)
        return found

    def stays_open(self, program: ExportedProgram) -> bool:
        """Whether no size that was to stay open has become a number."""
        shapes = _input_shapes(program)
        batch_open = self.batch is not None or all(_is_open(shape[0]) for shape in shapes)
        return batch_open and all(
            _is_open(shapes[number][dim + 1]) for axis in self.axes for number, dim in axis.places
        )

    def shapes(self, exact: bool) -> tuple[dict[int, Any], ...]:
        """For each input, its open dimensions as torch is told them."""
        shapes: list[dict[int, Any]] = [{} for _ in self.graph.inputs]
        if self.batch is None:
            batch = Dim("batch", min=1)
            for shape in shapes:
                shape[0] = batch
        for axis in self.axes:
            dim: Any = Dim.AUTO
            if exact and axis.step == 1:
                dim = Dim(axis.name, min=axis.least)
            elif exact:
                dim = axis.step * Dim(f"_{axis.name}", min=axis.least // axis.step) + axis.rest
                dim = dim if axis.rest else axis.step * Dim(f"_{axis.name}", min=axis.least // axis.step)
            for number, place in axis.places:
                shapes[number][place + 1] = dim
        return tuple(shapes)

    # ------------------------------------------------------------ examples

    def example(self, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """Inputs for the exporter; axes of one rule have different sizes, since equal ones might mean something."""
        sizes = {axis.name: axis.sizes(number + 2, _NEAR)[-1] for number, axis in enumerate(self.axes)}
        return self.inputs(model, self.batch or _SAMPLE, sizes, 0)

    def trials(self, model: nn.Module) -> Iterator[tuple[torch.Tensor, ...]]:
        """Inputs to compare with: two batches and two sizes, where they may be any."""
        batches = _BATCHES if self.batch is None else (self.batch,) * (2 if self.axes else 1)
        for turn, batch in enumerate(batches):
            sizes = {axis.name: axis.sizes(number + 2 * turn + 1)[-1] for number, axis in enumerate(self.axes)}
            yield self.inputs(model, batch, sizes, turn + 1)

    def inputs(self, model: nn.Module, batch: int, sizes: dict[str, int], seed: int) -> tuple[torch.Tensor, ...]:
        generator = torch.Generator().manual_seed(seed)
        first = next((p for p in model.parameters() if p.is_floating_point()), torch.zeros(()))
        places = {place: sizes[axis.name] for axis in self.axes for place in axis.places}
        made = []
        for number, port in enumerate(self.graph.inputs):
            dims = [places.get((number, dim), size) for dim, size in enumerate(port.tensor.dims)]
            made.append(_random(port.tensor, (batch, *dims), generator, first.dtype).to(first.device))  # type: ignore[arg-type]
        return tuple(made)

    # ------------------------------------------------------------ names

    def described(self) -> tuple[tuple[str, tuple[int | str, ...]], ...]:
        """The inputs with their shapes, the open sizes by name."""
        batch = "batch" if self.batch is None else self.batch
        return tuple((port.name, (batch, *port.tensor.dims)) for port in self.graph.inputs)

    def symbols(self, program: ExportedProgram) -> dict[str, str]:
        """What torch calls the sizes that stay open, and what they are called here."""
        shapes = _input_shapes(program)
        named = {str(shapes[0][0]): "batch"} if self.batch is None else {}
        for axis in self.axes:
            number, dim = axis.places[0]
            (symbol,) = shapes[number][dim + 1].node.expr.free_symbols  # type: ignore[union-attr]
            named[str(symbol)] = axis.name if axis.step == 1 else axis.name.lower()
        return named


def _exported(model: nn.Module, example: tuple[torch.Tensor, ...], shapes: Any) -> ExportedProgram:
    with quiet():
        return torch.export.export(model, example, dynamic_shapes=shapes)


def _is_open(size: int | torch.SymInt) -> bool:
    """Whether a size is no number, nor a symbol that stands for one alone."""
    return isinstance(size, torch.SymInt) and bool(size.node.expr.free_symbols)


def _input_shapes(program: ExportedProgram) -> list[Sequence[int | torch.SymInt]]:
    names = set(program.graph_signature.user_inputs)
    nodes = (node for node in program.graph.nodes if node.op == "placeholder" and node.name in names)
    return [tuple(node.meta["val"].shape) for node in nodes]


def _random(tensor: Tensor, shape: tuple[int, ...], generator: torch.Generator, dtype: torch.dtype) -> torch.Tensor:
    if tensor.kind == "ids":
        return torch.randint(tensor.vocabulary or 1, shape, generator=generator)
    return torch.randn(shape, generator=generator).to(dtype)


# ---------------------------------------------------------------- comparing


def _compared(model: nn.Module, run: Runner, inputs: tuple[torch.Tensor, ...]) -> Check:
    """One run of what was written beside one of the module.

    Raises:
        ArchError: where it fails, or gives something else.
    """
    shapes = tuple(tuple(each.shape) for each in inputs)
    shown = ", ".join("x".join(map(str, shape)) for shape in shapes)
    try:
        result = model(*inputs)
    except (RuntimeError, ValueError) as problem:
        raise ArchError(f"the module itself does not run on {shown}: {reason_of(problem)}") from problem
    expected = [result] if isinstance(result, torch.Tensor) else list(result)
    try:
        with quiet():
            got = list(run(inputs))
    except Exception as problem:  # of whatever kind the runtime raises
        raise ArchError(
            f"what was written does not run on {shown}: {reason_of(problem)}; nothing is kept of it"
        ) from problem
    if [tuple(each.shape) for each in got] != [tuple(each.shape) for each in expected]:
        raise ArchError(f"what was written gives other shapes than the module on {shown}; nothing is kept of it")
    difference = largest = 0.0
    for ours, theirs in zip(expected, got, strict=True):
        a, b = ours.detach().cpu().double(), theirs.detach().cpu().double()
        if not a.numel():
            continue
        apart = (a - b).abs()
        apart[(a == b) | (a.isnan() & b.isnan())] = 0  # infinite in both, too
        worst, scale = (
            float(apart.nan_to_num(nan=float("inf")).max()),
            float(a.nan_to_num(posinf=0, neginf=0).abs().max()),
        )
        difference, largest = max(difference, worst), max(largest, scale)
        if worst > TOLERANCE.get(ours.dtype, COARSE) * scale:
            raise ArchError(
                f"what was written gives other values than the module on {shown}: they differ by {worst:.3g}, "
                f"where the largest is {scale:.3g}; nothing is kept of it"
            )
    return Check(shapes, difference, largest)


def reason_of(problem: BaseException) -> str:
    """The first line of what a library says."""
    lines = [line.strip() for line in str(problem).splitlines() if line.strip()]
    return printable(lines[0] if lines else type(problem).__name__)[:300]


@contextmanager
def quiet() -> Iterator[None]:
    """Without the warnings and the log of torch's exporters, which are about their own insides."""
    import logging

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = logging.root.manager.disable
        logging.disable(logging.ERROR)
        try:
            yield
        finally:
            logging.disable(before)
