"""A table for a pull request or a README."""

from __future__ import annotations

import string

from archdsl.reports.numbers import (
    clean,
    engineering,
    field,
    first_line,
    percent,
    port,
    shapes,
    sizes,
    thousands,
)
from archdsl.reports.rows import Row, footnotes, rows
from archdsl.reports.schema import Report

# What reads well and starts nothing inside a line of text; the rest is written as a character reference.
_PLAIN = "(),./;'=?% " + string.ascii_letters + string.digits
_ESCAPES = {number: f"&#{number};" for number in range(128) if chr(number) not in _PLAIN}


def render(report: Report, depth: int | None = None) -> str:
    """Heading, totals and the table of layers, in GitHub's Markdown; no text of a spec is read as markup."""
    shown = rows(report, depth)
    totals = report.totals
    batch = f" for {report.batch} samples" if report.batch != 1 else ""
    ends = (", ".join(_code(port(end)) for end in ports) for ports in (report.inputs, report.outputs))
    counts = (
        f"**{thousands(totals.parameters)}** parameters ({thousands(totals.trainable)} trainable)",
        f"{thousands(totals.buffers)} in buffers",
        f"**{engineering(totals.macs)}** MACs{batch}",
        f"{engineering(totals.flops)} FLOPs{batch}",
        *map(_text, sizes(totals)),
    )
    table = ("| Layer | Output | Field | Parameters | | MACs | |", "|:--|--:|--:|--:|--:|--:|--:|", *map(_line, shown))
    blocks = (
        f"### {_text(report.network)}",
        _text(first_line(report.doc)),
        " → ".join(ends),
        " · ".join(counts),
        "\n".join(table),
        "<br>\n".join(f"<sub>{_text(note)}</sub>" for note in footnotes(report, shown)),
    )
    return "\n\n".join(filter(None, blocks)) + "\n"


def _line(row: Row) -> str:
    name = f"{'&emsp;' * row.depth}{f'<b>{_code(row.label)}</b>' if row.module else _code(row.label)}"
    words = " ".join(filter(None, (name, _code(row.text), f"<i>{_text(row.remark)}</i>" if row.remark else "")))
    shares = ("", "") if row.opened else (percent(row.parameter_share), percent(row.mac_share))
    cells = (
        *(words, _text(shapes(row.output, row.outputs)), _text(field(row.field, row.everywhere))),
        *(thousands(row.parameters), _text(shares[0]), engineering(row.macs), _text(shares[1])),
    )
    return f"| {' | '.join(cells)} |"


def _text(text: str) -> str:
    return clean(text).translate(_ESCAPES)


def _code(text: str) -> str:
    """In `<code>`, not backticks: within it GitHub notifies nobody and sets no formula."""
    return f"<code>{_text(text)}</code>" if text else ""
