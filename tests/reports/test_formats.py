"""Each format holds the same facts, stays as it was, and lets no text of a spec act."""

from __future__ import annotations

import csv
import io
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
import samples

from archdsl.reports import FORMATS, html, renderer
from archdsl.reports.numbers import engineering, thousands
from archdsl.reports.rows import rows
from archdsl.reports.schema import FieldReport, Report
from archdsl.reports.schema_page import schema_page

ENDINGS = {"table": "txt", "json": "json", "csv": "csv", "markdown": "md", "html": "html", "latex": "tex"}


@pytest.mark.parametrize("sample", [samples.small_resnet, samples.siamese, samples.open_sizes, samples.hostile])
@pytest.mark.parametrize("name", FORMATS)
def test_golden(name: str, sample: Callable[[], Report], golden: Callable[[str, str], None]) -> None:
    options = {"width": 100} if name == "table" else {}
    golden(f"reports/{sample.__name__}.{ENDINGS[name]}", renderer(name)(sample(), **options))


def test_an_unknown_format_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ValueError, match=r"no report format 'pdf'; there are table, json, csv, markdown, html, latex"):
        renderer("pdf")


def test_rich_is_imported_only_to_draw_the_table() -> None:
    code = "import sys, archdsl.reports as r; [r.renderer(n) for n in r.FORMATS]; sys.exit('rich' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_json_gives_the_report_back() -> None:
    report = samples.hostile()
    assert Report.model_validate_json(renderer("json")(report)) == report


# The terminal


@pytest.mark.parametrize("width", [60, 80, 100, 140])
@pytest.mark.parametrize("sample", [samples.small_resnet, samples.siamese, samples.open_sizes, samples.hostile])
def test_the_table_keeps_to_its_width_and_breaks_no_number(sample: Callable[[], Report], width: int) -> None:
    report = sample()
    text = renderer("table")(report, width=width)
    assert max(map(len, text.splitlines())) <= width
    for row in rows(report):
        assert f" {thousands(row.parameters)} " in text
        assert re.search(rf" {re.escape(engineering(row.macs))}( |$)", text, re.MULTILINE)


def test_the_table_without_color_has_no_escapes_and_with_color_only_its_own() -> None:
    assert "\x1b" not in renderer("table")(samples.hostile(), width=100)
    colored = renderer("table")(samples.hostile(), width=100, color=True)
    assert "\x1b[1m" in colored
    assert "\x1b[31m" not in colored
    assert re.sub(r"\x1b\[[0-9;]*m", "", renderer("table")(samples.siamese(), width=100, color=True)).split() == (
        renderer("table")(samples.siamese(), width=100).split()
    )


def test_unknown_costs_are_marked() -> None:
    text = renderer("table")(samples.open_sizes(), width=100)
    assert re.search(r"conv1 .*\?$", text, re.MULTILINE)
    assert "FLOPs  ?" in text


def test_a_batch_is_named() -> None:
    report = samples.small_resnet().model_copy(update={"batch": 8})
    for name in ("table", "markdown", "html"):
        assert "for 8 samples" in renderer(name)(report)


# Formats that others read


def test_csv_cells_start_no_formula() -> None:
    table = list(csv.DictReader(io.StringIO(renderer("csv")(samples.hostile()))))
    assert [row["path"] for row in table] == ["block.conv1", "'=cmd()", "[1mm]"]
    assert table[1]["inputs"] == "'@SUM(A1)"
    assert not any(cell.startswith(tuple("=+-@")) for row in table for cell in row.values())


def test_csv_numbers_stay_numbers_below_zero() -> None:
    region = FieldReport(size=(3, 3), stride=(1, 1), padding=(-1, -1))
    one = replace(samples.layer("conv1", "conv 1 k3", (1, 8, 8)), field=region)
    (row,) = csv.DictReader(io.StringIO(renderer("csv")(samples.report("cropped", [one]))))
    assert row["field_padding"] == "-1"


def test_csv_leaves_what_is_not_known_empty() -> None:
    table = list(csv.DictReader(io.StringIO(renderer("csv")(samples.open_sizes()))))
    assert [row["macs"] for row in table] == ["", "0"]


def test_markdown_has_one_table_with_equal_rows_and_no_markup_of_the_spec() -> None:
    text = renderer("markdown")(samples.hostile())
    lines = [line for line in text.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in lines} == {8}
    body = re.sub(r"</?(code|b|i|sub|br)>|\*\*[^*]+\*\*|&#\d+;", "", text.split("\n\n", 1)[1])
    assert not set("<>`_*[]$\\{}@") & set(body)


class Page(HTMLParser):
    """The elements of a page; fails on one that is not closed in its order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)
        self.close()
        assert not self.opened

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in {"meta", "img"}:
            self.opened.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.opened.pop() == tag


HOSTILE_SVG = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


@pytest.mark.parametrize("sample", [samples.small_resnet, samples.hostile])
def test_html_is_well_formed_and_has_no_script_and_no_address(sample: Callable[[], Report]) -> None:
    text = html.render(sample(), svg=HOSTILE_SVG)
    page = Page(text)
    tags = {tag for tag, _ in page.seen}
    assert "script" not in tags
    assert {"details", "summary", "img"} <= tags
    assert not any(name.startswith("on") or name == "href" for _, attributes in page.seen for name in attributes)
    assert all((attributes.get("src") or "data:").startswith("data:") for _, attributes in page.seen)
    assert "url(" not in text
    assert "@import" not in text


def test_html_shows_every_layer_and_opens_down_to_the_depth() -> None:
    report = samples.small_resnet()
    for depth, opened in ((None, 0), (1, 2), (2, 6), (9, 7)):
        page = Page(html.render(report, depth))
        titles = [attributes.get("title") for tag, attributes in page.seen if tag == "span"]
        assert {one.path for one in report.layers} <= set(titles)
        assert sum(tag == "details" and "open" in attributes for tag, attributes in page.seen) == opened


def test_the_fragment_is_one_element() -> None:
    text = html.fragment(samples.hostile())
    assert text.startswith('<section class="archdsl">')
    assert text.endswith("</section>")
    Page(text)


def test_latex_has_only_its_own_commands() -> None:
    text = renderer("latex")(samples.hostile())
    commands = set(re.findall(r"\\([a-zA-Z]+|.)", text, re.DOTALL))
    assert "input" not in commands
    assert commands <= set("{}$#&%_\\") | {
        *("usepackage", "begin", "end", "centering", "caption", "label", "toprule", "midrule", "bottomrule", "quad"),
        *("textbackslash", "textless", "textgreater", "textbar", "textasciigrave", "textquotedbl", "times", "ldots"),
    }
    for line in text.splitlines():
        assert not line.endswith(r"\\") or len(re.findall(r"(?<!\\)&", line)) == 5
        assert not line.startswith(("[", "*"))


def test_the_documented_schema_is_the_schema(request: pytest.FixtureRequest) -> None:
    page = Path(__file__).parents[2] / "docs" / "report.md"
    if request.config.getoption("--update-golden"):
        page.write_bytes(schema_page().encode())
    assert page.read_bytes().decode() == schema_page()
