"""The page that documents the JSON and the CSV, written from the schema itself."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from archdsl.reports.as_csv import COLUMNS
from archdsl.reports.schema import SCHEMA_VERSION, Report

if TYPE_CHECKING:
    from pydantic import BaseModel

_ORDER = ("Port", "Totals", "LayerReport", "FieldReport", "ModuleReport")


_HEAD = f"""\
# The report

<!-- Written by archdsl/reports/schema_page.py: change schema.py, then run pytest --update-golden. -->

`archdsl report --format json` prints, and `net.report().model_dump_json()` gives, one object of the form below.
`Report.model_json_schema()` says the same as a JSON Schema.

## Versions

This is version {SCHEMA_VERSION}, and each report says its own in `schema_version`. Within a major version fields are
added, never renamed, removed or given another meaning: read the fields that you know and leave the others be.
What is not known is `null`, never 0.
"""

_CSV = """\
## CSV

`--format csv` gives a header and a row for each layer. What is not known is an empty cell. A text that a spreadsheet
would run as a formula (it begins with `=`, `+`, `-` or `@`) has an apostrophe before it.
"""


def schema_page() -> str:
    """The text of docs/report.md."""
    columns = _table(("column", "meaning"), ((f"`{column}`", meaning) for column, meaning in COLUMNS.items()))
    return "\n".join((_HEAD, sections(Report, _ORDER), _CSV, columns))


def sections(model: type[BaseModel], order: Iterable[str]) -> str:
    """A section for a model and for each of those that its fields are of."""
    schema = model.model_json_schema()
    named = {model.__name__: schema} | {name: schema["$defs"][name] for name in order}
    return "\n".join([_section(name, part) for name, part in named.items()])


def _section(name: str, schema: dict[str, Any]) -> str:
    about = schema["description"].split("\n\n")[0].replace("\n", " ")
    fields = schema["properties"].items()
    lines = ((f"`{field}`", _type(facts), facts.get("description", "")) for field, facts in fields)
    return f"## {name}\n\n{about}\n\n{_table(('field', 'type', 'meaning'), lines)}"


def _table(titles: tuple[str, ...], lines: Iterable[tuple[str, ...]]) -> str:
    written = (titles, (":--",) * len(titles), *lines)
    return "".join(f"| {' | '.join(cells)} |\n" for cells in written)


def _type(schema: dict[str, Any]) -> str:
    """A JSON Schema's type in words: list of integer or string."""
    if options := schema.get("anyOf"):
        return " or ".join(map(_type, options))
    if reference := schema.get("$ref"):
        name = reference.rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if names := schema.get("enum"):
        return " or ".join(f"`{name}`" for name in names)
    if schema["type"] == "array":
        return f"list of {_type(schema['items'])}"
    if schema["type"] == "object":
        return f"object of {_type(schema['additionalProperties'])}"
    return str(schema["type"])
