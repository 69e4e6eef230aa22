"""The report as JSON, whole; docs/report.md describes it."""

from __future__ import annotations

from archdsl.reports.schema import Report


def render(report: Report, depth: int | None = None) -> str:
    """All of the report; `depth` is for readers, and data is never cut."""
    return report.model_dump_json(indent=2) + "\n"
