"""What a notebook shows of a network: its table and its diagram, or its errors."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archdsl.network import Network


def notebook(network: Network) -> str:
    """HTML that stands in a notebook's page: no scripts, every text escaped."""
    if not network.ok:
        from archdsl.diagnostics.text import render

        return f"<pre>{escape(render(network.diagnostics))}</pre>"
    from archdsl.reports.html import fragment

    return fragment(network.report()) + _diagram(network)


def _diagram(network: Network) -> str:
    """The diagram, folded below the table; left out where there is nothing that can lay it out."""
    from archdsl.diagrams.draw import svg
    from archdsl.errors import ArchError

    try:
        return f"<details open><summary>diagram</summary>{svg(network)}</details>"
    except (ArchError, ValueError):
        return ""
