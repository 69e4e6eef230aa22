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
        *map(escaped, sizes(totals)),
    )
    table = ("| Layer | Output | Field | Parameters | | MACs | |", "|:--|--:|--:|--:|--:|--:|--:|", *map(_line, shown))
    blocks = (
        f"### {escaped(report.network)}",
        escaped(first_line(report.doc)),
        " → ".join(ends),
        " · ".join(counts),
        "\n".join(table),
        "<br>\n".join(f"<sub>{escaped(note)}</sub>" for note in footnotes(report, shown)),
    )
    return "\n\n".join(filter(None, blocks)) + "\n"


def _line(row: Row) -> str:
    name = f"{'&emsp;' * row.depth}{f'<b>{_code(row.label)}</b>' if row.module else _code(row.label)}"
    words = " ".join(filter(None, (name, _code(row.text), f"<i>{escaped(row.remark)}</i>" if row.remark else "")))
    shares = ("", "") if row.opened else (percent(row.parameter_share), percent(row.mac_share))
    cells = (
        *(words, escaped(shapes(row.output, row.outputs)), escaped(field(row.field, row.everywhere, row.output))),
        *(thousands(row.parameters), escaped(shares[0]), engineering(row.macs), escaped(shares[1])),
    )
    return f"| {' | '.join(cells)} |"


def escaped(text: str) -> str:
    return clean(text).translate(_ESCAPES)


def _code(text: str) -> str:
    """In `<code>`, not backticks: within it GitHub notifies nobody and sets no formula."""
    return f"<code>{escaped(text)}</code>" if text else ""
