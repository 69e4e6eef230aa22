"""The report as JSON, whole; docs/report.md describes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from archdsl.reports.schema import Report

if TYPE_CHECKING:
    from pydantic import BaseModel


def render(report: Report, depth: int | None = None) -> str:
    """All of the report; `depth` is for readers, and data is never cut."""
    return written(report)


def written(data: BaseModel) -> str:
    """Data as JSON, with what steers a terminal, reorders a line or is no character spelled out."""
    text = data.model_dump_json(indent=2)
    if not text.isascii() or "\x7f" in text:
        others = set("".join(re.findall(r"[^\n -~]+", text)))
        if odd := "".join([character for character in others if not character.isprintable()]):
            text = re.sub(f"[{re.escape(odd)}]", _escaped, text)  # inside strings, where a terminal might obey it
    return text + "\n"


def _escaped(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
