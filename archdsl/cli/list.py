"""archdsl list: the networks that ship."""

from __future__ import annotations

import json
import re
import shutil
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from archdsl.cli.options import choice
from archdsl.cli.terminal import put

if TYPE_CHECKING:
    from archdsl.reports.overview import Overview

_SORTS = ("family", "name", "params", "macs", "field", "year")


def _amount(text: str) -> float:
    """A number as specs write it: 25K, 5M, 4.1G."""
    from archdsl.syntax.tree_builder import decimal

    value = decimal(text) if re.fullmatch(r"[0-9]+(\.[0-9]+)?([eE][0-9]+)?[KMGT]?", text) else None
    if value is None:
        raise typer.BadParameter(f"{text!r} is no number; write 25000, 25K, 5M or 4.1G")
    return value


def command(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[WORD]...", help="Only those that have each word in name or title.")
    ] = None,
    max_params: Annotated[float | None, typer.Option(parser=_amount, metavar="5M", help="At most so many.")] = None,
    min_params: Annotated[float | None, typer.Option(parser=_amount, metavar="25K", help="At least so many.")] = None,
    max_macs: Annotated[float | None, typer.Option(parser=_amount, metavar="4.1G", help="At most so many.")] = None,
    min_macs: Annotated[float | None, typer.Option(parser=_amount, metavar="300M", help="At least so many.")] = None,
    min_field: Annotated[int | None, typer.Option(metavar="224", help="A receptive field of at least this.")] = None,
    since: Annotated[int | None, typer.Option(metavar="2019", help="Published in this year or later.")] = None,
    sort: Annotated[str, choice("--sort", "The order.", _SORTS)] = "family",
    format: Annotated[str, choice("--format", "How they are listed.", ("table", "json", "csv"))] = "table",
) -> None:
    """List the networks that ship, with what they cost."""
    bounds = {
        "parameters": (min_params, max_params),
        "macs": (min_macs, max_macs),
        "year": (since, None),
        "field": (min_field, None),
    }
    wanted = [each.lower() for each in words or ()]
    found = [
        each
        for each in _shipped()
        if all(word in f"{each.name} {each.family} {each.title}".lower() for word in wanted)
        and all(_within(_number(each, name), *ends) for name, ends in bounds.items())
    ]
    if sort != "family":
        by = {"params": "parameters"}.get(sort, sort)
        found.sort(key=lambda each: each.name if by == "name" else _number(each, by) or 0)
    put(_FORMATS[format](found))


def _shipped() -> list[Overview]:
    from archdsl.loading import load, shipped_networks
    from archdsl.reports.overview import overview

    return [overview(load(name)) for name in shipped_networks()]


def _number(each: Overview, name: str) -> float | None:
    """A network's number of that name; of its field the smallest axis."""
    if name == "field":
        return None if each.field is None else min(each.field.size)
    number: float | None = getattr(each, name)
    return number


def _within(number: float | None, least: float | None, most: float | None) -> bool:
    """Whether a number lies between bounds; one that is not known lies between none."""
    if least is None and most is None:
        return True
    return number is not None and (least is None or number >= least) and (most is None or number <= most)


_TITLES = ("network", "family", "params", "MACs", "field", "input", "year", "what it is")
_LEFT = {"network", "family", "what it is"}


def _cells(each: Overview) -> tuple[str, ...]:
    from archdsl.reports.numbers import engineering, field

    year = "" if each.year is None else str(each.year)
    costs = engineering(each.parameters), engineering(each.macs)
    return (each.name, each.family, *costs, field(each.field), each.input, year, each.title)


def _table(found: list[Overview]) -> str:
    if not found:
        return "no network that ships is like that\n"
    rows = [_TITLES, *map(_cells, found)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_TITLES))]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    lines = []
    for row in rows:
        padded = [
            cell.ljust(width) if title in _LEFT else cell.rjust(width)
            for cell, width, title in zip(row, widths, _TITLES, strict=True)
        ]
        lines.append("  ".join(padded).rstrip()[:room].rstrip())
    return "\n".join(lines) + "\n"


def _json(found: list[Overview]) -> str:
    return json.dumps([each.model_dump(mode="json") for each in found], indent=2) + "\n"


def _csv(found: list[Overview]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["name", "family", "parameters", "macs", "field", "stride", "input", "year", "title"])
    for each in found:
        field = [None, None] if each.field is None else [min(each.field.size), max(each.field.stride)]
        costs = [each.parameters, each.macs]
        writer.writerow([each.name, each.family, *costs, *field, each.input, each.year, each.title])
    return text.getvalue()


_FORMATS = {"table": _table, "json": _json, "csv": _csv}
