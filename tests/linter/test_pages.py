"""Every rule has a page; its example gives exactly this finding, and its mended text none."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

import archdsl
from archdsl.diagnostics import codes
from archdsl.linter.config import read_config
from archdsl.linter.model import Rule
from archdsl.linter.rules import RULES, SLUGS
from archdsl.source import Source

from .helpers import found

OF_THE_CONFIGURATION = "bad-config"


def test_the_pages_are_those_of_the_rules() -> None:
    assert set(codes.lint_codes()) == {*SLUGS, OF_THE_CONFIGURATION}
    assert len(SLUGS) == len(set(SLUGS))
    assert not set(codes.lint_codes()) & set(codes.codes()), "a code means one thing"


@pytest.mark.parametrize("rule", codes.lint_codes())
def test_a_page_has_its_sections(rule: str) -> None:
    known = codes.find(rule)
    assert known is not None
    assert known.page.startswith(f"# {rule}\n")
    assert known.summary.endswith(".")
    assert "\n" not in known.summary
    assert tuple(known.sections) == codes.LINT_SECTIONS
    assert all(known.sections.values())
    assert max(map(len, known.page.splitlines())) <= 120


@pytest.mark.parametrize("rule", SLUGS)
def test_the_example_of_a_page_gives_exactly_its_finding(rule: str) -> None:
    known = codes.find(rule)
    assert known is not None
    network = archdsl.parse(known.example["example.arch"])
    assert not network.diagnostics
    findings = found(network)
    assert [finding.code for finding in findings] == [rule]
    assert all(finding.severity == "warning" and finding.help for finding in findings)


@pytest.mark.parametrize("rule", SLUGS)
def test_the_mended_text_of_a_page_gives_none(rule: str) -> None:
    known = codes.find(rule)
    assert known is not None
    network = archdsl.parse(known.mended["example.arch"])
    assert not network.diagnostics
    assert found(network) == []


@pytest.mark.parametrize("rule", RULES, ids=SLUGS)
def test_a_rule_with_a_fix_fixes_the_example_of_its_page(rule: Rule) -> None:
    known = codes.find(rule.slug)
    assert known is not None
    (finding,) = found(archdsl.parse(known.example["example.arch"]))
    assert (finding.fix is not None) is (rule.fix is not None)
    assert ("--fix" in known.page) is (rule.fix is not None)
    assert ("--unsafe-fixes" in known.page) is (rule.fix == "unsafe")


def test_the_page_of_the_configuration_has_a_table_that_is_wrong_and_one_that_is_right(tmp_path: Path) -> None:
    known = codes.find(OF_THE_CONFIGURATION)
    assert known is not None
    wrong, right = (
        known.sections[title].partition("```toml\n")[2].partition("```")[0] for title in ("Example", "Fixed")
    )
    for text, problems in ((wrong, [OF_THE_CONFIGURATION]), (right, [])):
        assert tomllib.loads(text)
        config = read_config(Source("pyproject.toml", text), tmp_path)
        assert config is not None
        assert [problem.code for problem in config.problems] == problems
