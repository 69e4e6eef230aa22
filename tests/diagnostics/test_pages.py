"""Every code has a page; its example triggers exactly that code and its mended text nothing."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archdsl
from archdsl import limits
from archdsl.diagnostics import Diagnostic, codes

TOO_LONG_TO_SHOW = {"too-large": " " * (limits.FILE_CHARACTERS + 1)}
AT_THE_EDGE = {"ambiguous-net"}
"""Codes of asking for one network, not of a text."""


@pytest.mark.parametrize("code", codes.codes())
def test_a_page_has_its_sections(code: str) -> None:
    known = codes.CODES[code]
    assert known.page.startswith(f"# {code}\n")
    assert known.summary.endswith(".")
    assert "\n" not in known.summary
    assert tuple(known.sections)[:3] == codes.SECTIONS
    assert set(known.sections) <= {*codes.SECTIONS, "Source"}
    assert all(known.sections.values())
    assert known.mended
    assert bool(known.example) is (code not in TOO_LONG_TO_SHOW)
    assert max(map(len, known.page.splitlines())) <= 120


def test_every_code_that_the_package_reports_has_a_page() -> None:
    reported = re.compile(r'\b(?:error|warning|Problem|problem|refuse|report)\(\s*"([a-z]+(?:-[a-z]+)*)"')
    package = Path(archdsl.__file__).parent
    found = {code for path in package.rglob("*.py") for code in reported.findall(path.read_text(encoding="utf-8"))}
    assert len(found) > 10, "the pattern finds the reports"
    assert found <= {*codes.codes(), *codes.lint_codes()}


@pytest.mark.parametrize("code", sorted(set(codes.codes()) - AT_THE_EDGE))
def test_the_example_of_a_page_triggers_exactly_its_code(code: str, tmp_path: Path) -> None:
    files = codes.CODES[code].example or {"example.arch": TOO_LONG_TO_SHOW[code]}
    assert {diagnostic.code for diagnostic in check(files, tmp_path)} == {code}


@pytest.mark.parametrize("code", codes.codes())
def test_the_mended_text_of_a_page_passes(code: str, tmp_path: Path) -> None:
    assert [str(diagnostic) for diagnostic in check(codes.CODES[code].mended, tmp_path)] == []


def check(files: dict[str, str], folder: Path) -> tuple[Diagnostic, ...]:
    """What is found in the first of the texts."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    first = next(iter(files))
    try:
        net = archdsl.parse(files[first]) if len(files) == 1 else archdsl.load(folder / first)
    except archdsl.SpecError as problem:  # what is wrong leaves no network to speak of
        return problem.diagnostics
    return net.diagnostics


@pytest.mark.parametrize("code", ["", "no-such-code", "../pages/syntax", "syntax.md", "/etc/passwd"])
def test_what_is_no_code_has_no_page(code: str) -> None:
    assert codes.page(code) is None
