"""The rows that a reader sees: the tree of modules, closed below a depth, with runs of equal siblings folded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, takewhile

from archdsl.collector import paused
from archdsl.records import Record, record
from archdsl.reports.numbers import MIXED, clean, field, thousands
from archdsl.reports.schema import Extents, FieldReport, LayerReport, Report


@record
class Row(Record):
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
    frozen: int
    """Those of the parameters that do not train."""
    macs: int | None
    parameter_share: float | None
    mac_share: float | None
    layers: range
    """The numbers of the layers that it stands for."""
    module: bool
    times: int
    opened: bool
    """Its parts follow as rows of their own, so that its numbers are a subtotal."""
    note: str

    @property
    def remark(self) -> str:
        """What a reader must know beside the numbers: `x5, like 0`, `frozen`."""
        held = "frozen" if self.frozen == self.parameters else f"{thousands(self.frozen)} frozen"
        return ", ".join(filter(None, (self.standing, held if self.frozen else "")))

    @property
    def standing(self) -> str:
        """What of it is about what the row stands for."""
        return ", ".join(filter(None, (f"x{self.times}" if self.times > 1 else "", self.note)))


def rows(report: Report, depth: int | None = None, *, fold: bool = True) -> tuple[Row, ...]:
    """The rows of a report in the network's order.

    A module deeper than `depth` is one row. With `fold`, the first of a run of equal siblings is shown as it is and the
    rest as one row. Rows that are not `opened` hold every layer exactly once, at any depth.
    """
    with paused():
        return tuple(_Unfolding(report, depth, fold).rows(_parts(report), 0))


def footnotes(report: Report, shown: Sequence[Row]) -> Iterator[str]:
    """What the numbers mean, and the marks among them."""
    yield f"MACs are {clean(report.rule)}"
    if causes := list(dict.fromkeys(clean(row.everywhere) for row in shown if row.everywhere)):
        others = " and others" if len(causes) > 1 else ""
        yield f"* and all: the whole input has its say, by {causes[0]}{others}"
    if any(field(row.field, row.everywhere, row.output) == MIXED for row in shown):
        yield f"{MIXED}: no one field, as what meets there is not in step along the input"
    for asked, letters in _sizes(report).items():
        yield f"{', '.join(letters)}: {clean(asked)}"
    if any(row.macs is None for row in shown):
        yield "? not known, where a size is open"


def _sizes(report: Report) -> dict[str, list[str]]:
    """What the network takes for its open sizes, with the letters for which that holds."""
    found: dict[str, list[str]] = {}
    for letter, asked in report.sizes.items():
        found.setdefault(asked, []).append(clean(letter))
    return found


@dataclass(slots=True, eq=False)
class _Part:
    """A layer, or one visit to a module, with the layers from `start` up to `stop`."""

    path: str
    label: str
    text: str
    note: str
    start: int
    stop: int
    children: list[_Part]
    likeness: int = 0
    """A number that siblings share which differ in nothing but their own name and place."""


@dataclass(slots=True, eq=False)
class _Module:
    """A module that holds layers, and the one around it."""

    path: str
    call: str
    parent: _Module | None


def _parts(report: Report) -> list[_Part]:
    layers = report.layers
    opened = [_Part("", "", "", "", 0, len(layers), [])]  # the network, and the modules around the layer at hand
    around: list[_Module] = []
    visited: set[str] = set()
    for number, (layer, innermost) in enumerate(zip(layers, _modules_around(report), strict=True)):
        if innermost is not (around[-1] if around else None):
            before, around = around, _chain(innermost)
            kept = 1 + sum(1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(before, around, strict=False)))
            for part in opened[kept:]:
                part.stop = number
            del opened[kept:]
            for module in around[kept - 1 :]:
                note = "shared" if layer.reused else "continued" if module.path in visited else ""
                visited.add(module.path)
                opened.append(_added(opened[-1], module.path, module.call, note, number, len(layers)))
        _added(opened[-1], layer.path, layer.text, "shared" if layer.reused else "", number, number + 1)
    _compare(opened[0], layers, {})
    return opened[0].children


def _added(parent: _Part, path: str, text: str, note: str, start: int, stop: int) -> _Part:
    label = clean(path.removeprefix(f"{parent.path}."))
    said = "" if label.rstrip("0123456789") == text else clean(text)
    parent.children.append(_Part(path, label, said, note, start, stop, []))
    return parent.children[-1]


def _modules_around(report: Report) -> list[_Module | None]:
    """For each layer the innermost module that holds it; in a report, a module stands before those in it."""
    innermost: list[_Module | None] = [None] * len(report.layers)
    for module in report.modules:
        if module.parent is not None and module.layers:
            call = module.call if module.kind == "block" else ""
            made = _Module(module.path, call, innermost[module.layers[0]])
            for number in module.layers:
                innermost[number] = made
    return innermost


def _chain(module: _Module | None) -> list[_Module]:
    """The modules around, outermost first."""
    chain = []
    while module is not None:
        chain.append(module)
        module = module.parent
    return chain[::-1]


def _compare(part: _Part, layers: Sequence[LayerReport], known: dict[object, int]) -> None:
    """Numbers a part and those in it by what they are like."""
    key: object
    if part.children:
        for child in part.children:
            _compare(child, layers, known)
        key = (part.text, tuple([(child.label, child.likeness) for child in part.children]))
    else:
        layer = layers[part.start]
        key = (part.text, layer.text, layer.output, layer.parameters, layer.macs, layer.frozen)
    part.likeness = known.setdefault(key, len(known))


class _Unfolding:
    def __init__(self, report: Report, depth: int | None, fold: bool) -> None:
        self.layers, self.depth, self.fold = report.layers, depth, fold
        # Sums over the layers before each.
        self.parameters = list(accumulate([layer.parameters for layer in report.layers], initial=0))
        frozen = [layer.parameters if layer.frozen else 0 for layer in report.layers]
        self.frozen = list(accumulate(frozen, initial=0))
        self.macs = list(accumulate([layer.macs or 0 for layer in report.layers], initial=0))
        self.unknown = list(accumulate([layer.macs is None for layer in report.layers], initial=0))

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

    def runs(self, parts: list[_Part]) -> Iterator[list[_Part]]:
        if not self.fold:
            return ([part] for part in parts)
        return (list(run) for _, run in groupby(parts, lambda part: (part.note, part.likeness)))

    def row(self, run: list[_Part], depth: int, *, opened: bool = False, note: str = "") -> Row:
        first, last = run[0], run[-1]
        start, stop = first.start, last.stop
        end = self.layers[stop - 1]
        parameters, all_parameters = self.parameters[stop] - self.parameters[start], self.parameters[-1]
        macs = None if self.unknown[stop] > self.unknown[start] else self.macs[stop] - self.macs[start]
        all_macs = None if self.unknown[-1] else self.macs[-1]
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
            frozen=self.frozen[stop] - self.frozen[start],
            macs=macs,
            parameter_share=parameters / all_parameters if all_parameters else None,
            mac_share=macs / all_macs if macs is not None and all_macs else None,
            layers=range(start, stop),
            module=bool(first.children),
            times=len(run),
            opened=opened,
            note=note or first.note,
        )
