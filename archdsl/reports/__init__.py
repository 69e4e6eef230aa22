"""A report, rendered: one file a format, each a plain function from a `Report` to text."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

RENDERERS: dict[str, str] = {
    "table": "archdsl.reports.table",
    "json": "archdsl.reports.as_json",
    "csv": "archdsl.reports.as_csv",
    "markdown": "archdsl.reports.markdown",
    "html": "archdsl.reports.html",
    "latex": "archdsl.reports.latex",
}
"""The module of each format; its `render(report, depth=None)` gives the text."""

FORMATS = tuple(RENDERERS)


def renderer(name: str) -> Callable[..., str]:
    """The `render` of a format, imported when it is first asked for.

    Raises ValueError on a name that is not in `FORMATS`.
    """
    if name not in RENDERERS:
        raise ValueError(f"no report format {name!r}; there are {', '.join(FORMATS)}")
    return cast("Callable[..., str]", import_module(RENDERERS[name]).render)
