"""The page of the JSON says what the JSON has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.reports.cost import Cost
from archdsl.reports.counting import RuleComparison
from archdsl.reports.schema_page import sections
from tests.docs.pages import ROOT

if TYPE_CHECKING:
    import pytest

PAGE = ROOT / "docs" / "cost.md"
MARK = "<!-- From here on written by tests/cost/test_schema.py: change archdsl/reports, run pytest --update-golden. -->"


def test_the_page_has_every_field(request: pytest.FixtureRequest) -> None:
    parts = (
        sections(Cost, ("CostTotals", "LayerCost", "DeviceReport", "Port")),
        sections(RuleComparison, ("RuleReport", "KindReport")),
    )
    before, mark, after = PAGE.read_text(encoding="utf-8").partition(MARK)
    written = "\n\n" + "\n".join(parts).replace("\n## ", "\n### ").replace("## Cost\n", "### Cost\n", 1)
    if request.config.getoption("--update-golden"):
        PAGE.write_text(before + MARK + written, encoding="utf-8")
    else:
        assert mark
        assert after == written
