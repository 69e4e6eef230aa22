"""A row for each layer, for spreadsheets and data frames."""

from __future__ import annotations

import csv
import io

from archdsl.reports.numbers import axes, clean, shape
from archdsl.reports.schema import LayerReport, Report

COLUMNS = {
    "path": "the module's path in named_modules()",
    "layer": "the layer's word in the language",
    "text": "the layer with its arguments",
    "inputs": "the paths of what flows in, separated by spaces",
    "output": "the sizes that come out, 64x56x56",
    "parameters": "learned numbers; 0 for a later use of a shared module",
    "buffers": "numbers in state_dict() that are not learned",
    "macs": "multiply-accumulates for the batch of the report (one sample, unless asked); empty where not known",
    "field": "the receptive field, one number where all axes agree",
    "field_stride": "step in the input from one output to the next",
    "field_padding": "how far the first field reaches before the input",
    "everywhere": "the layer by which the whole input has its say, if it has",
    "frozen": "yes where its parameters do not train",
    "reused": "yes for a later use of a shared module",
    "file": "file of the spec",
    "line": "line of the spec",
}
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")


def render(report: Report, depth: int | None = None) -> str:
    """A header and a row for each layer; `depth` is for readers, and data is never cut."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS)
    table.writerows([_safe(cell) for cell in _cells(layer)] for layer in report.layers)
    return text.getvalue()


def _cells(layer: LayerReport) -> list[str | int | float | None]:
    region = layer.field
    flags = ["yes" if flag else "no" for flag in (layer.frozen, layer.reused)]
    field = (_axes(region.size), _axes(region.stride), _axes(region.padding)) if region else (None, None, None)
    return [
        *(layer.path, layer.layer, layer.text, " ".join(layer.inputs), shape(layer.output)),
        *(layer.parameters, layer.buffers, layer.macs, *field),
        *(layer.everywhere, *flags, layer.file, layer.line),
    ]


def _axes(numbers: tuple[int | float, ...]) -> str | int | float:
    return numbers[0] if len(set(numbers)) == 1 else axes(numbers)


def _safe(cell: str | int | float | None) -> str | int | float | None:
    """A text that a spreadsheet would run as a formula gets an apostrophe before it; numbers stay numbers."""
    if not isinstance(cell, str):
        return cell
    return f"'{clean(cell)}" if cell.lstrip().startswith(_FORMULA) else clean(cell)
