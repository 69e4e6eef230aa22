"""The report as JSON, whole; docs/report.md describes it."""

from __future__ import annotations

import re

from archdsl.reports.schema import Report


def render(report: Report, depth: int | None = None) -> str:
    """All of the report; `depth` is for readers, and data is never cut."""
    text = report.model_dump_json(indent=2)
    if not text.replace("\n", "").isprintable():  # inside strings, where a terminal might obey it
        text = re.sub(r"[^\n -~]", _escaped, text)
    return text + "\n"


def _escaped(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2))
