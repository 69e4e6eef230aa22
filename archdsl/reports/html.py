"""A page that needs nothing but itself, and its fragment for notebooks."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from html import escape
from importlib.resources import files

from archdsl.reports.numbers import clean, engineering, field, first_line, port, shapes, sizes, thousands
from archdsl.reports.rows import Row, footnotes, rows
from archdsl.reports.schema import Port, Report

# No script runs and nothing is fetched, whatever a spec or a drawing holds.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def render(report: Report, depth: int | None = None, svg: str | None = None) -> str:
    """A page with the totals and the tree of modules; `svg` is a diagram to show above the tree.

    All layers are on the page; modules down to `depth` are open at first, by default none.
    """
    return "\n".join(
        (
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{_text(report.network)}</title>",
            f"<style>{_style('page.css')}</style></head>",
            f"<body>{_fragment(report, depth, svg)}</body></html>\n",
        )
    )


def fragment(report: Report, depth: int | None = None) -> str:
    """The same within one element, for `_repr_html_`; it takes font and colours from what is around it."""
    return _fragment(report, depth, None)


def _fragment(report: Report, depth: int | None, svg: str | None) -> str:
    return "\n".join(
        (
            f'<section class="archdsl"><style>{_style("report.css")}</style>',
            *_heading(report),
            *_tiles(report),
            *(_diagram(svg, report.network) if svg else ()),
            *_tree(rows(report, fold=False), depth or 0),
            "<footer>",
            *(f"<p>{_text(note)}</p>" for note in footnotes(report, rows(report))),
            "</footer></section>",
        )
    )


def _style(name: str) -> str:
    return files("archdsl.reports").joinpath(name).read_text(encoding="utf-8")


def _heading(report: Report) -> Iterator[str]:
    yield f'<header><h1>{_text(report.network)}</h1><p class="file">{_text(report.file)}</p>'
    if doc := first_line(report.doc):
        yield f'<p class="doc">{_text(doc)}</p>'
    if more := report.doc.strip().partition("\n")[2].strip():
        yield "".join(f"<p>{_text(paragraph)}</p>" for paragraph in more.split("\n\n"))
    yield f'<p class="ends">{_ports(report.inputs)}<span> → </span>{_ports(report.outputs)}</p></header>'


def _ports(ends: tuple[Port, ...]) -> str:
    return ", ".join(f"<code>{_text(port(end))}</code>" for end in ends)


def _tiles(report: Report) -> Iterator[str]:
    totals = report.totals
    trainable = "all trainable" if totals.trainable == totals.parameters else f"{thousands(totals.trainable)} trainable"
    size, *others = sizes(totals) or ["?"]
    number, _, dtype = size.rpartition(" ")
    batch = f"for {report.batch} samples" if report.batch != 1 else "for one sample"
    yield "<dl>"
    for name, value, beside in (
        ("Parameters", engineering(totals.parameters), f"{thousands(totals.parameters)}, {trainable}"),
        ("MACs", engineering(totals.macs), batch),
        ("FLOPs", engineering(totals.flops), batch),
        ("Size", number, " · ".join((dtype, *others))),
        ("Layers", thousands(totals.layers), f"{thousands(totals.buffers)} numbers in buffers"),
    ):
        yield f"<div><dt>{name}</dt><dd><b>{_text(value)}</b><small>{_text(beside)}</small></dd></div>"
    yield "</dl>"


def _diagram(svg: str, name: str) -> Iterator[str]:
    # As an image, a drawing can neither run a script nor restyle the page.
    data = base64.b64encode(svg.encode()).decode()
    yield f'<figure><img alt="diagram of {_text(name)}" src="data:image/svg+xml;base64,{data}"></figure>'


def _tree(shown: tuple[Row, ...], depth: int) -> Iterator[str]:
    titles = ("Layer", "Output", "Field", "Parameters", "MACs")
    yield '<div class="tree"><div class="row head">' + "".join(f"<span>{title}</span>" for title in titles) + "</div>"
    opened = 0
    for row in shown:
        yield "</details>" * (opened - row.depth)
        opened = row.depth + row.module
        cells = _cells(row)
        if row.module:
            yield f'<details{" open" if row.depth < depth else ""}><summary class="row">{cells}</summary>'
        else:
            yield f'<div class="row">{cells}</div>'
    yield "</details>" * opened + "</div>"


def _cells(row: Row) -> str:
    label = f"<b>{_text(row.label)}</b>" if row.module else _text(row.label)
    words = "".join(f"<{tag}>{_text(text)}</{tag}>" for tag, text in (("code", row.text), ("em", row.remark)) if text)
    return (
        f'<span style="--depth:{row.depth}" title="{_text(row.path)}">{label} {words}</span>'
        f"<span>{_text(shapes(row.output, row.outputs))}</span>"
        f"<span>{_text(field(row.field, row.everywhere, row.output))}</span>"
        f"<span>{thousands(row.parameters)}{_bar(row.parameter_share)}</span>"
        f'<span title="{thousands(row.macs)}">{engineering(row.macs)}{_bar(row.mac_share)}</span>'
    )


def _bar(share: float | None) -> str:
    return f'<i title="{share:.1%}"><i style="width:{share:.2%}"></i></i>' if share else "<i></i>"


def _text(text: str) -> str:
    return escape(clean(text))
