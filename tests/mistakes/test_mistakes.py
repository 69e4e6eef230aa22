"""Mistakes as real people make them: what `archdsl check` prints of each, and that what it says mends it.

`NAME.arch` is the broken spec, `NAME.txt` what is printed of it, and `NAME.fixed.arch` the spec once the help has been
followed. `pytest tests/mistakes --update-golden` rewrites the printed texts; read what changes as a stranger would.
"""

from __future__ import annotations

import re
from difflib import SequenceMatcher
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl import project
from archdsl.cli.app import app
from archdsl.diagnostics import Diagnostic, codes

HERE = Path(__file__).parent
CASES = sorted(path.name.removesuffix(".fixed.arch") for path in HERE.glob("*.fixed.arch"))

NOT_OF_A_TEXT = {
    "ambiguous-net": "it is about asking for one network of a file",
    "too-large": "it takes a file of more characters or words than the limits allow",
}
"""Codes that no spec of a few lines can have."""

SEVERAL = {"several_mistakes": 3, "semicolons": 2, "use_all": 2}
"""Specs with more than one mistake, and the errors that they have; of `use *` nobody knows what it was to give."""

PATTERNS = {
    "commas_between_arguments": "the help shows the form of the arguments with an example",
    "bracket_in_an_argument": "the help shows where the brackets go with an example",
    "conv_after_flatten": "the sizes of `reshape CxHxW` are the author's to know",
    "python_import": "the help says that the line is needless, and what another spec would need",
    "repeat_in_front": "the dots stand for what is repeated",
    "repeat_word": "the dots stand for what is repeated",
    "bar_without_brackets": "`a` and `b` stand for the branches",
    "name_before_its_layer": "the dots stand for the layer's arguments",
    "python_assignment": "the dots stand for the value or the layer",
    "python_constant": "the dots stand for the value or the layer",
    "python_colon": "the dots stand for the body",
    "python_return": "the line is needless here",
    "use_all": "`a` and `b` stand for what is used",
    "arrow_before_as": "the arrow is needless",
    "comma_at_the_end": "the comma is needless",
    "as_on_its_own_line": "the dots stand for the layer",
    "branches_in_braces": "`a` and `b` stand for the branches",
    "branches_in_square_brackets": "`a` and `b` stand for the branches",
    "kernel_in_the_layers_name": "the dots stand for the layer's arguments",
    "loop_names_in_brackets": "the names and the dots stand for what is there",
    "shape_with_spaces": "the first two sizes are shown",
    "shared_without_a_name": "the dots stand for the layer's arguments",
    "default_name_as_a_value": "the dots stand for the arguments of the layer",
    "python_from_import": "the name and the file are the author's to know",
    "block_input_in_a_network": "`in` and `takes` are said to belong to blocks",
    "file_of_itself": "the line is needless",
    "input_in_a_block": "the line is needless",
    "instancenorm_of_one_position": "of the two ways, the other is followed",
    "name_in_a_repeat": "of the two ways, the other is followed",
    "unet_with_odd_size": "of the two ways, the other is followed",
    "unused_input": "of the three ways, another is followed",
}
"""Cases whose help shows a form instead of the code itself, with the reason."""


def findings(path: Path) -> list[Diagnostic]:
    """What is found in a spec, each finding once."""
    module = project.open_file(path, path.name)
    found = list(module.diagnostics)
    for net in archdsl.networks(path):
        found += net.diagnostics
    unique = {(d.code, d.span.start, d.span.end, d.message): d for d in found}
    return sorted(unique.values(), key=lambda d: (d.span.start, d.span.end))


def printed(name: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """What `archdsl check` prints of a file, without colour."""
    monkeypatch.chdir(HERE)
    result = CliRunner().invoke(app, ["check", name])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.stdout


def pointed_at(finding: Diagnostic) -> set[int]:
    """The lines that a finding points at: its place, its labels, and the places in its notes and its help."""
    lines: set[int] = set()
    for span in (finding.span, *(label.span for label in finding.labels)):
        end = span.source.position(max(span.start, span.end - 1)).line
        lines.update(range(span.line, end + 1))
    for text in (finding.message, *finding.notes, finding.help or ""):
        lines.update(int(line) for line in re.findall(r"(\d+):\d+\b", text))
        lines.update(int(line) for line in re.findall(r"\bline (\d+)", text))
    return lines


def changed(broken: str, fixed: str) -> list[set[int]]:
    """For each change from one text to the other, the lines of the first that it replaces or stands between."""
    before, after = broken.splitlines(), fixed.splitlines()
    changes: list[set[int]] = []
    for kind, start, end, _, _ in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "insert":
            changes.append({start, start + 1})
        elif kind != "equal":
            changes.extend({line} for line in range(start + 1, end + 1) if before[line - 1].strip())
    return changes


@pytest.mark.parametrize("name", CASES)
def test_what_is_printed_is_the_golden_text(
    name: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    text = printed(f"{name}.arch", monkeypatch)
    path = HERE / f"{name}.txt"
    if request.config.getoption("--update-golden"):
        path.write_bytes(text.encode())
    assert text == path.read_bytes().decode()
    assert "Traceback" not in text
    assert "\x1b" not in text
    shown = re.findall(r"^(?:error|warning)\[([a-z-]+)\]: (.*)$", text, re.MULTILINE)
    assert sorted(shown) == sorted((d.code, d.message) for d in findings(HERE / f"{name}.arch"))
    assert shown


@pytest.mark.parametrize("name", CASES)
def test_the_mended_spec_is_clean(name: str) -> None:
    assert [str(finding) for finding in findings(HERE / f"{name}.fixed.arch")] == []


@pytest.mark.parametrize("name", CASES)
def test_the_message_points_where_the_mistake_is(name: str) -> None:
    broken, fixed = HERE / f"{name}.arch", HERE / f"{name}.fixed.arch"
    pointed = set().union(*map(pointed_at, findings(broken)))
    near = {line + step for line in pointed for step in (-1, 0, 1)}
    changes = changed(broken.read_text(encoding="utf-8"), fixed.read_text(encoding="utf-8"))
    assert changes
    assert [lines for lines in changes if not lines & near] == []


@pytest.mark.parametrize("name", CASES)
def test_the_help_works_when_it_is_followed(name: str) -> None:
    fixed = (HERE / f"{name}.fixed.arch").read_text(encoding="utf-8")
    helps = [re.findall(r"`([^`]+)`", finding.help or "") for finding in findings(HERE / f"{name}.arch")]
    missed = [choices for choices in helps if choices and not any(followed(code, fixed) for code in choices)]
    assert bool(missed) == (name in PATTERNS), missed


def followed(code: str, fixed: str) -> bool:
    """Whether a text contains a code as it is, not as a part of a longer word."""
    before, behind = (r"(?<!\w)" if code[0].isalnum() else "", r"(?!\w)" if code[-1].isalnum() else "")
    return re.search(before + re.escape(code) + behind, fixed) is not None


@pytest.mark.parametrize("name", CASES)
def test_one_mistake_is_one_error(name: str) -> None:
    errors = [str(finding) for finding in findings(HERE / f"{name}.arch") if finding.is_error]
    if name in SEVERAL:
        assert len(errors) == SEVERAL[name], errors
    else:
        assert len(errors) <= 1, errors  # none, where it is a warning


def test_the_exceptions_are_cases() -> None:
    assert SEVERAL.keys() | PATTERNS.keys() <= set(CASES)


def test_there_are_many_cases_with_all_their_files() -> None:
    assert len(CASES) >= 100
    specs = {path.name for path in HERE.glob("*.arch")}
    assert specs == {f"{name}{ending}" for name in CASES for ending in (".arch", ".fixed.arch")}
    assert {path.stem for path in HERE.glob("*.txt")} == set(CASES)
    for name in CASES:
        assert 3 <= len((HERE / f"{name}.arch").read_text(encoding="utf-8").splitlines()) <= 25, name


def test_every_code_that_a_short_spec_can_have_is_covered() -> None:
    covered = {code for name in CASES for code in re.findall(r"^\w+\[([a-z-]+)\]", golden(name), re.MULTILINE)}
    assert covered == set(codes.codes()) - NOT_OF_A_TEXT.keys()


def golden(name: str) -> str:
    return (HERE / f"{name}.txt").read_text(encoding="utf-8")
