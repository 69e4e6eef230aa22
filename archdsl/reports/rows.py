"""The rows that a reader sees: the tree of modules, closed below a depth, with runs of equal siblings folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from archdsl.reports.numbers import clean
from archdsl.reports.schema import Extents, FieldReport, ModuleReport, Report


@dataclass(frozen=True)
class Row:
    """A layer, a module, or a run of equal siblings; the numbers are sums over all that it stands for."""

    depth: int
    """0 for what stands in the network itself, one more inside each module."""
    label: str
    """The path within the module around it; of a run, the first and the last: `1 … 5`."""
    path: str
    text: str
    """The layer, or the block's call, with its arguments; empty where the label says as much, as `relu1` does."""
    output: Extents
    outputs: tuple[Extents, ...]
    field: FieldReport | None
    everywhere: str | None
    """The layer by which the whole input has its say in the output, if it has."""
    parameters: int
    macs: int | None
    parameter_share: float | None
    mac_share: float | None
    layers: tuple[int, ...]
    """The numbers of the layers that it stands for."""
    module: bool
    times: int
    opened: bool
    """Its parts follow as rows of their own, so that its numbers are a subtotal."""
    note: str

    @property
    def remark(self) -> str:
        """What a reader must know beside the numbers: `x5, like 0`."""
        return ", ".join(filter(None, (f"x{self.times}" if self.times > 1 else "", self.note)))


def rows(report: Report, depth: int | None = None, *, fold: bool = True) -> tuple[Row, ...]:
    """The rows of a report in the network's order.

    A module deeper than `depth` is one row. With `fold`, the first of a run of equal siblings is shown as it is and the
    rest as one row. Rows that are not `opened` hold every layer exactly once, at any depth.
    """
    return tuple(_Unfolding(report, depth, fold).rows(_parts(report), 0))


def footnotes(report: Report, shown: Sequence[Row]) -> Iterator[str]:
    """What the numbers mean, and the marks among them."""
    yield f"MACs are {clean(report.rule)}"
    if causes := list(dict.fromkeys(clean(row.everywhere) for row in shown if row.everywhere)):
        others = " and others" if len(causes) > 1 else ""
        yield f"* and all: the whole input has its say, by {causes[0]}{others}"
    if any(row.macs is None for row in shown):
        yield "? not known, where a size is open"


@dataclass
class _Part:
    """A layer, or the layers of one visit to a module."""

    path: str
    label: str
    text: str
    note: str
    numbers: list[int]
    children: list[_Part]


def _parts(report: Report) -> list[_Part]:
    opened = [_Part("", "", "", "", [], [])]  # the network, and the modules around the layer at hand
    visited: set[str] = set()
    for number, (layer, around) in enumerate(zip(report.layers, _modules_around(report), strict=True)):
        kept = 1
        for part, module in zip(opened[1:], around, strict=False):
            if part.path != module.path or _starts_again(report, part, module, number):
                break
            kept += 1
        del opened[kept:]
        for module in around[kept - 1 :]:
            note = "shared" if layer.reused else "continued" if module.path in visited else ""
            visited.add(module.path)
            opened.append(_added(opened[-1], module.path, module.call if module.kind == "block" else "", note))
        _added(opened[-1], layer.path, layer.text, "shared" if layer.reused else "").numbers.append(number)
        for part in opened:
            part.numbers.append(number)
    return opened[0].children


def _added(parent: _Part, path: str, text: str, note: str) -> _Part:
    label = clean(path.removeprefix(f"{parent.path}."))
    said = "" if label.rstrip("0123456789") == text else clean(text)
    parent.children.append(_Part(path, label, said, note, [], []))
    return parent.children[-1]


def _modules_around(report: Report) -> list[list[ModuleReport]]:
    """For each layer the modules that hold it, outermost first, without the network."""
    holding: list[dict[str, ModuleReport]] = [{} for _ in report.layers]
    for module in report.modules:
        for number in module.layers if module.parent is not None else ():
            holding[number].setdefault(module.path, module)
    return [max((_chain(module, held) for module in held.values()), key=len, default=[]) for held in holding]


def _chain(module: ModuleReport, held: dict[str, ModuleReport]) -> list[ModuleReport]:
    chain = {module.path: module}
    while module.parent in held and module.parent not in chain:
        module = held[module.parent]
        chain[module.path] = module
    return [*chain.values()][::-1]


def _starts_again(report: Report, part: _Part, module: ModuleReport, number: int) -> bool:
    """Whether a shared module, used just before, is used once more from this layer on."""
    layers = report.layers
    if not layers[number].reused or layers[number].path != layers[part.numbers[0]].path:
        return False
    return all(layers[other].reused for other in module.layers if other >= number)


@dataclass
class _Unfolding:
    report: Report
    depth: int | None
    fold: bool

    def __post_init__(self) -> None:
        everything = range(len(self.report.layers))
        self.all_parameters = self.parameters(everything)
        self.all_macs = self.macs(everything)

    def parameters(self, numbers: Sequence[int]) -> int:
        return sum(self.report.layers[number].parameters for number in numbers)

    def macs(self, numbers: Sequence[int]) -> int | None:
        known = [self.report.layers[number].macs for number in numbers]
        return None if None in known else sum(macs for macs in known if macs is not None)

    def rows(self, parts: list[_Part], depth: int) -> Iterator[Row]:
        for run in self.runs(parts):
            first = run[0]
            if first.children and (self.depth is None or depth < self.depth):
                yield self.row([first], depth, opened=True)
                yield from self.rows(first.children, depth + 1)
                if rest := run[1:]:
                    yield self.row(rest, depth, note=f"like {first.label}")
            else:
                yield self.row(run, depth)

    def runs(self, parts: list[_Part]) -> list[list[_Part]]:
        if not self.fold:
            return [[part] for part in parts]
        return [list(run) for _, run in groupby(parts, self.likeness)]

    def likeness(self, part: _Part) -> tuple[object, ...]:
        """Equal for siblings that differ in nothing but their own name and place."""
        layers = [self.report.layers[number] for number in part.numbers]
        inner = tuple(self.inner_names(part))
        return (
            part.text,
            part.note,
            inner,
            tuple((layer.text, layer.output, layer.parameters, layer.macs) for layer in layers),
        )

    def inner_names(self, part: _Part) -> Iterator[tuple[str, str]]:
        for child in part.children:
            yield child.label, child.text
            yield from self.inner_names(child)

    def row(self, run: list[_Part], depth: int, *, opened: bool = False, note: str = "") -> Row:
        first, last = run[0], run[-1]
        numbers = tuple(number for part in run for number in part.numbers)
        end = self.report.layers[numbers[-1]]
        parameters, macs = self.parameters(numbers), self.macs(numbers)
        until = f" … {last.label}" if last.label != first.label else ""
        return Row(
            depth=depth,
            label=first.label + until,
            path=clean(first.path) + until,
            text=first.text,
            output=end.output,
            outputs=end.outputs,
            field=end.field,
            everywhere=end.everywhere,
            parameters=parameters,
            macs=macs,
            parameter_share=parameters / self.all_parameters if self.all_parameters else None,
            mac_share=macs / self.all_macs if macs is not None and self.all_macs else None,
            layers=numbers,
            module=bool(first.children),
            times=len(run),
            opened=opened,
            note=note or first.note,
        )
