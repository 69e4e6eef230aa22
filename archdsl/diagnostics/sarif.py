"""Findings as SARIF 2.1.0, which code scanning services and editors read.

Source of the form: OASIS, Static Analysis Results Interchange Format 2.1.0; the numbers in comments are its sections.
"""

from __future__ import annotations

import json
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from archdsl.diagnostics import codes
from archdsl.diagnostics.escape import well_formed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.diagnostics.model import Diagnostic, Fix
    from archdsl.source import Source, Span

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """One SARIF log with one run, in ASCII."""
    rules = sorted({diagnostic.code for diagnostic in diagnostics})
    run = {
        "tool": {"driver": {"name": "archdsl", **_version(), "rules": [_rule(code) for code in rules]}},
        "columnKind": "utf16CodeUnits",
        "results": [_result(diagnostic, rules.index(diagnostic.code)) for diagnostic in diagnostics],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _version() -> dict[str, str]:
    try:
        return {"version": metadata.version("archdsl")}
    except metadata.PackageNotFoundError:  # a checkout on the path, not installed
        return {}


def _rule(code: str) -> dict[str, Any]:
    known = codes.find(code)
    if known is None:
        return {"id": code}
    return {
        "id": code,
        "shortDescription": {"text": known.summary},
        "help": {"text": known.page, "markdown": known.page},
    }


def _result(diagnostic: Diagnostic, rule: int) -> dict[str, Any]:
    lines = [diagnostic.message, *diagnostic.notes]
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    location = {"physicalLocation": _place(diagnostic.span)}
    if diagnostic.label:
        location["message"] = _message(diagnostic.label)
    result: dict[str, Any] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity,
        "message": _message("\n".join(lines)),
        "locations": [location],
    }
    if diagnostic.labels:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _place(label.span), "message": _message(label.text)}
            for number, label in enumerate(diagnostic.labels, 1)
        ]
    if diagnostic.fix is not None:
        result["fixes"] = [_fix(diagnostic.fix, diagnostic.help)]
    return result


def _message(text: str) -> dict[str, str]:
    """A plain text; a space keeps what a spec says from being read as a link, `[text](target)` (3.11.6)."""
    return {"text": well_formed(text).replace("](", "] (")}


def _fix(fix: Fix, help: str | None) -> dict[str, Any]:
    place = _place(fix.span)
    replacement = {"deletedRegion": place["region"], "insertedContent": {"text": well_formed(fix.text)}}
    change = {"artifactLocation": place["artifactLocation"], "replacements": [replacement]}
    return {"description": _message(help or f"write {fix.text}"), "artifactChanges": [change]}


def _place(span: Span) -> dict[str, Any]:
    (line, column), (end_line, end_column) = map(span.source.utf16_position, (span.start, span.end))
    region = {"startLine": line + 1, "startColumn": column + 1, "endLine": end_line + 1, "endColumn": end_column + 1}
    return {"artifactLocation": _artifact(span.source), "region": region}


def _artifact(source: Source) -> dict[str, str]:
    """Where a text is: an absolute path as a file URI, any other name relative to the root of the sources."""
    path = Path(source.name)
    if path.is_absolute():
        return {"uri": path.as_uri()}
    name = path.as_posix().encode("utf-8", "surrogateescape")  # a name from disk may hold undecodable bytes
    return {"uri": quote(name, safe="/"), "uriBaseId": "%SRCROOT%"}
