"""A table for a paper."""

from __future__ import annotations

import re

from archdsl.reports.numbers import clean, engineering, field, first_line, shapes, thousands
from archdsl.reports.rows import Row, rows
from archdsl.reports.schema import Report

_ESCAPES = str.maketrans(
    {char: f"\\{char}" for char in "{}$&#_%"}
    | {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "`": r"\textasciigrave{}"}
    | {"<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}", "…": r"\ldots{}"}
    # After the end of a row, a bracket or a star would be read as its argument.
    | {"[": "{[}", "*": "{*}"}
)


def render(report: Report, depth: int | None = None) -> str:
    """A floating table in the manner of booktabs; text of a spec is escaped, so that it starts no command."""
    totals = report.totals
    caption = ". ".join(filter(None, (clean(report.network), first_line(report.doc).rstrip("."))))
    lines = [
        r"% \usepackage[T1]{fontenc} \usepackage{booktabs}",
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{_text(caption)}. MACs are {_text(report.rule)}.}}",
        rf"\label{{tab:{re.sub('[^A-Za-z0-9]+', '-', report.network).strip('-')}}}",
        r"\begin{tabular}{@{}llrrrr@{}}",
        r"\toprule",
        r"Layer & & Output & Field & Parameters & MACs \\",
        r"\midrule",
        *map(_line, rows(report, depth)),
        r"\midrule",
        _row(("Total", "", "", "", thousands(totals.parameters), engineering(totals.macs))),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _line(row: Row) -> str:
    words = ", ".join(filter(None, (row.text, row.remark)))
    name = r"\quad " * row.depth + _text(row.label)
    facts = (_sizes(shapes(row.output, row.outputs)), _text(field(row.field, row.everywhere, row.output)))
    counts = ("", "") if row.opened else (thousands(row.parameters), engineering(row.macs))
    return _row((name, _text(words), *facts, *counts))


def _row(cells: tuple[str, ...]) -> str:
    return " & ".join(cells) + r" \\"


def _sizes(written: str) -> str:
    """64x56x56 with true signs of multiplication; any other text as it is."""
    if not re.fullmatch(r"[0-9]+(x[0-9]+)*", written):
        return _text(written)
    return "$" + written.replace("x", r"{\times}") + "$"


def _text(text: str) -> str:
    return clean(text).translate(_ESCAPES)
