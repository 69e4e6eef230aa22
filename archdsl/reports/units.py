"""The receptive field of a layer and of one of its units: what `archdsl field` prints and `net.field()` returns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archdsl.analyses.fields import CONSTANT
from archdsl.analyses.units import box, largest, padded, path_to, shifts, smallest, tiling
from archdsl.errors import ArchError, NotFoundError
from archdsl.graph import not_there
from archdsl.reports.build import dims_of, field_report
from archdsl.reports.numbers import axes as written
from archdsl.reports.numbers import clean, percent, shape
from archdsl.reports.schema import Extents, FieldReport

if TYPE_CHECKING:
    from archdsl.analyses.units import Steps
    from archdsl.graph import Node
    from archdsl.network import Network

SCHEMA_VERSION = "1.0"


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PathReport(_Model):
    """The path from the input with the smallest or the largest field along one axis."""

    size: int
    layers: tuple[str, ...]


class AxisBox(_Model):
    """What a unit sees along one axis: the first and the last position."""

    whole: tuple[int, int] = Field(description="borders not considered")
    inside: tuple[int, int] | None = Field(description="what of it is in the input")
    size: int = Field(description="the input's size")


class UnitReport(_Model):
    """One unit of the layer's output."""

    at: tuple[int, ...]
    boxes: tuple[AxisBox, ...]
    padding: float = Field(description="the share of its field that is padding")


class TileReport(_Model):
    """The context that tiles need along one axis, to join without a seam."""

    multiple: int = Field(description="tiles of the input begin at multiples of this")
    gives: int = Field(description="outputs for each such step")
    before: int = Field(description="inputs needed before a tile")
    after: int = Field(description="inputs needed after it")


class ShiftReport(_Model):
    """Two branches that meet before the layer and are centred on different places of the input."""

    at: str = Field(description="the layer where they meet")
    first: str
    second: str
    axis: int
    by: float = Field(description="how much further on the second looks, in positions of the input")


class LayerField(_Model):
    """The receptive field of one layer."""

    schema_version: str = SCHEMA_VERSION
    network: str
    path: str
    text: str
    output: Extents
    field: FieldReport | None = Field(description="the local field; null where position has no meaning")
    everywhere: str | None = Field(description="the layer by which the whole input has its say, if it has")
    smallest: tuple[PathReport, ...]
    largest: tuple[PathReport, ...]
    unit: UnitReport | None
    tiles: tuple[TileReport, ...]
    shifts: tuple[ShiftReport, ...] = Field(description="those among the layers that it depends on")


def layer_field(network: Network, path: str, at: Sequence[int] | None = None) -> LayerField:
    """The receptive field of a layer, or of what flows out of a module, and of a unit: by default that in the middle.

    Raises:
        SpecError: where the network has errors.
        NotFoundError: where it has no such layer.
        ArchError: where the layer has no such unit.
    """
    graph = network.checked().graph
    node = next((each for each in graph.nodes if each.path == path), None)
    if node is None:  # a module: what flows out of it
        module = next((each for each in graph.activations if path and each.path == path and each.outputs), None)
        node = graph.nodes[module.outputs[0].node] if module is not None else None
    if node is None:
        raise NotFoundError(not_there(graph, path))
    path = node.path
    field = network.fields[node.index]
    local = field.axes if field.axes and field != CONSTANT else ()
    least, most = smallest(graph, network.fields), largest(graph, network.fields)
    from archdsl.graph import Value

    tensor = graph.applied[node.index].outputs[0]
    above = _above(network, node)
    return LayerField(
        network=graph.name,
        path=path,
        text=graph.applied[node.index].text,
        output=dims_of(network, Value(node.index)),
        field=field_report(local) if local else None,
        everywhere=field.everywhere,
        smallest=tuple(_paths(network, node, least)) if local else (),
        largest=tuple(_paths(network, node, most)) if local else (),
        unit=_unit(network, node, tuple(at) if at is not None else None) if local or at is not None else None,
        tiles=tuple(
            TileReport(multiple=each.multiple, gives=each.gives, before=each.before, after=each.after)
            for each in map(tiling, local)
            if each is not None
        )
        if field.everywhere is None and tensor.kind == "map"
        else (),
        shifts=tuple(
            ShiftReport(
                at=graph.nodes[each.node].path,
                first=graph.nodes[each.first.node].path,
                second=graph.nodes[each.second.node].path,
                axis=each.axis,
                by=float(each.by),
            )
            for each in shifts(graph, network.fields)
            if each.node in above
        ),
    )


def _above(network: Network, node: Node) -> set[int]:
    """The nodes on which one depends, itself included."""
    found = {node.index}
    for each in reversed(network.graph.nodes[: node.index + 1]):
        if each.index in found:
            found.update(value.node for value in each.inputs)
    return found


def _paths(network: Network, node: Node, steps: tuple[Steps, ...]) -> Iterator[PathReport]:
    here = steps[node.index]
    for number, step in enumerate(here or ()):
        nodes = path_to(network.graph, steps, node.index, number)
        yield PathReport(size=step.axis.size, layers=tuple(network.graph.nodes[each].path for each in nodes))


def _unit(network: Network, node: Node, at: tuple[int, ...] | None) -> UnitReport | None:
    graph = network.graph
    axes, space = network.fields[node.index].axes or (), graph.applied[node.index].outputs[0].space
    inputs = [port.tensor.space for port in graph.inputs if port.tensor.rank == len(axes)]
    sizes = [size for size in (inputs[0] if len(set(inputs)) == 1 else ()) if isinstance(size, int)]
    whole = [size for size in space if isinstance(size, int)]
    if at is None and (len(sizes) != len(axes) or len(whole) != len(axes)):
        return None
    if len(sizes) != len(axes) or not axes:
        raise ArchError(f"{node.path} has no units with a place in the input; --input gives open sizes")
    at = at or tuple(size // 2 for size in whole)
    if len(at) != len(whole) or any(not 0 <= index < size for index, size in zip(at, whole, strict=False)):
        raise ArchError(f"{node.path} has no unit at {','.join(map(str, at))}: it gives {shape(tuple(whole))} of them")
    boxes = [box(axis, index, size) for axis, index, size in zip(axes, at, sizes, strict=True)]
    known = [each for each in boxes if each is not None]
    if len(known) < len(boxes):
        return None
    return UnitReport(
        at=at,
        boxes=tuple(AxisBox(whole=each.whole, inside=each.inside, size=each.size) for each in known),
        padding=padded(known),
    )


# ---------------------------------------------------------------- as text

_ENDS = 3


def render(found: LayerField) -> str:
    """The field for people."""
    lines = [f"{clean(found.path)}  {clean(found.text)}  gives {shape(found.output)}", ""]
    if found.field is None:
        why = (
            f"the whole input has its say, by {clean(found.everywhere)}"
            if found.everywhere
            else "no place in the input"
        )
        return lines[0] + f"\n\n  {why}\n"
    region = found.field
    lines.append(
        f"  field     {written(region.size)}, stride {written(region.stride)}, padding {written(region.padding)}"
    )
    if found.everywhere:
        lines.append(f"            besides, the whole input has its say, by {clean(found.everywhere)}")
    for name, reports in (("smallest", found.smallest), ("largest", found.largest)):
        sizes = written([each.size for each in reports])
        lines.append(f"  {name.ljust(8)}  {sizes}, by {_path(reports[0].layers)}" if reports else f"  {name}")
    if found.unit is not None:
        lines += ["", f"  the unit at {','.join(map(str, found.unit.at))} sees"]
        names = (
            ("depth", "rows", "columns")[3 - len(found.unit.boxes) :] if len(found.unit.boxes) > 1 else ("positions",)
        )
        for name, each in zip(names, found.unit.boxes, strict=True):
            inside = "nothing" if each.inside is None else f"{each.inside[0]} to {each.inside[1]}"
            beyond = (
                "" if each.inside == each.whole else f" of {each.size}; with padding {each.whole[0]} to {each.whole[1]}"
            )
            lines.append(f"    {name.ljust(9)}  {inside}{beyond}")
        lines.append(f"    padding    {percent(found.unit.padding) or '0%'} of its field")
    if found.tiles:
        lines += ["", "  tiles that join without a seam"]
        lines += [
            f"    begin at multiples of {tile.multiple}; they reach {tile.before} back and {tile.after} further on,"
            f" and overlap by {tile.before + tile.after}"
            for tile in dict.fromkeys(found.tiles)
        ]
    if found.shifts:
        lines += ["", "  branches that look at different places"]
        for shift in found.shifts:
            where = "further on than" if shift.by > 0 else "before"
            if shift.axis == found.shifts[0].axis:
                second, first = clean(shift.second), clean(shift.first)
                lines.append(f"    {clean(shift.at)}: {second} looks {abs(shift.by):g} {where} {first}")
    return "\n".join(lines) + "\n"


def _path(layers: Sequence[str]) -> str:
    shown = list(map(clean, layers))
    if len(shown) > 2 * _ENDS:
        shown = [*shown[:_ENDS], f"... {len(shown) - 2 * _ENDS} more ...", *shown[-_ENDS:]]
    return " -> ".join(shown)
