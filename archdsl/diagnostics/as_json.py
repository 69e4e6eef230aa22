"""Findings as JSON, for programs.

The schema is versioned: a field may be added within a major version, none is renamed or removed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from archdsl.diagnostics import codes
from archdsl.diagnostics.escape import well_formed
from archdsl.diagnostics.model import Diagnostic, Severity
from archdsl.source import Source, Span

SCHEMA_VERSION = "1.0"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PositionRecord(_Record):
    """A point between two characters of a text."""

    line: int = Field(description="line, counted from 1")
    column: int = Field(description="column, counted from 1 in characters (Unicode code points)")
    offset: int = Field(description="characters before it in the text")


class PlaceRecord(_Record):
    """A stretch of a text; empty where start and end are equal."""

    file: str = Field(description="the name of the text, as given; lone surrogates written out")
    start: PositionRecord
    end: PositionRecord = Field(description="the position after the last character")


class LabelRecord(PlaceRecord):
    """A second place that explains the first."""

    text: str


class FixRecord(PlaceRecord):
    """An edit that mends the finding: what stands at the place becomes `text`."""

    text: str


class FindingRecord(PlaceRecord):
    """One finding."""

    code: str = Field(description="a readable slug")
    severity: Severity
    message: str = Field(description="what is wrong, in lower case, without a final period")
    label: str = Field(description="what to say at the place itself; may be empty")
    labels: tuple[LabelRecord, ...]
    notes: tuple[str, ...] = Field(description="the arithmetic, the trail through blocks, other facts")
    help: str | None = Field(description="how to mend it")
    fix: FixRecord | None
    page: str | None = Field(description="the command that explains the code; null where it has no page")


class FindingsRecord(_Record):
    """All findings of a run, in source order."""

    schema_version: str = SCHEMA_VERSION
    errors: int
    warnings: int
    findings: tuple[FindingRecord, ...]


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """One JSON object, in ASCII; its schema is `FindingsRecord.model_json_schema()`."""
    errors = sum(diagnostic.is_error for diagnostic in diagnostics)
    findings = tuple(map(_finding, diagnostics))
    record = FindingsRecord(errors=errors, warnings=len(findings) - errors, findings=findings)
    return json.dumps(record.model_dump(mode="json"), indent=2) + "\n"


def to_records(diagnostics: Sequence[Diagnostic]) -> list[dict[str, Any]]:
    """The findings as plain data: the `findings` of the JSON."""
    return [_finding(diagnostic).model_dump(mode="json") for diagnostic in diagnostics]


def _finding(diagnostic: Diagnostic) -> FindingRecord:
    known = codes.find(diagnostic.code) is not None
    fix = diagnostic.fix
    return FindingRecord(
        **_place(diagnostic.span),
        code=diagnostic.code,
        severity=diagnostic.severity,
        message=well_formed(diagnostic.message),
        label=well_formed(diagnostic.label),
        labels=tuple(LabelRecord(**_place(label.span), text=well_formed(label.text)) for label in diagnostic.labels),
        notes=tuple(map(well_formed, diagnostic.notes)),
        help=None if diagnostic.help is None else well_formed(diagnostic.help),
        fix=None if fix is None else FixRecord(**_place(fix.span), text=well_formed(fix.text)),
        page=f"archdsl explain {diagnostic.code}" if known else None,
    )


def _place(span: Span) -> dict[str, Any]:
    source = span.source
    return {
        "file": well_formed(source.name),
        "start": _position(source, span.start),
        "end": _position(source, span.end),
    }


def _position(source: Source, offset: int) -> PositionRecord:
    line, column = source.position(offset)
    return PositionRecord(line=line, column=column, offset=offset)
