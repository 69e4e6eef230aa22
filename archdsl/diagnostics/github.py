"""Findings as GitHub workflow commands, which annotate the lines of a pull request.

Source of the form: "Workflow commands for GitHub Actions", and `escapeData` and `escapeProperty` of actions/toolkit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.diagnostics.escape import printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.diagnostics.model import Diagnostic


def render(diagnostics: Sequence[Diagnostic]) -> str:
    """One command a line. Columns count from 1; the end column is the one after the last."""
    return "".join(f"{_command(diagnostic)}\n" for diagnostic in diagnostics)


def _command(diagnostic: Diagnostic) -> str:
    source, start, end = diagnostic.span
    line, column = source.position(start)
    end_line, end_column = source.position(end)
    properties: dict[str, object] = {"file": source.name, "line": line, "endLine": end_line}
    if line == end_line:  # the runner drops columns of a place that spans lines, with a complaint
        properties |= {"col": column, "endColumn": end_column}
    properties["title"] = f"archdsl {diagnostic.code}"
    lines = [diagnostic.message + (f": {diagnostic.label}" if diagnostic.label else "")]
    lines += [f"{label.span}: {label.text}" for label in diagnostic.labels]
    lines += diagnostic.notes
    if diagnostic.help:
        lines.append(f"help: {diagnostic.help}")
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    return f"::{diagnostic.severity} {written}::" + "%0A".join(_data(printable(text)) for text in lines)


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    """Line ends keep the escapes that the runner undoes; other characters that do not print are written out."""
    return printable(_data(text).replace(":", "%3A").replace(",", "%2C"))
