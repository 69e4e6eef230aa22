"""What the pages for readers show is true: specs check, Python runs, commands print what is shown, links lead on.

The blocks of a page are taken in order and share one folder. A block ```arch name.arch is written to that file; one
with the word `error` must have an error, any other no finding at all.
"""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.cli.app import app
from archdsl.diagnostics.text import render

from .pages import OF_THE_CODES, PAGES, ROOT, anchors, blocks, links, matches

IDS = [path.relative_to(ROOT).as_posix() for path in PAGES]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_the_blocks_of_a_page_are_true(path: Path, folder: Path) -> None:
    for block in blocks(path.read_text(encoding="utf-8")):
        place = f"{path.relative_to(ROOT)}:{block.line}"
        if block.language == "arch" and path != OF_THE_CODES:
            name = next((word for word in block.words if word.endswith(".arch")), "block.arch")
            (folder / name).write_text(block.text, encoding="utf-8")
            check(folder / name, "error" in block.words, place)
        elif block.language == "python":
            exec(compile(block.text, place, "exec"), {"__name__": "page"})
        elif block.language == "console":
            for command, shown in commands(block.text):
                real = run(command)
                assert matches(shown, real), f"{place}: $ {command} prints\n{real}"


def check(path: Path, has_errors: bool, place: str) -> None:
    """Looks at every network of a spec, or at the file alone where it has none."""
    try:
        found = [finding for net in archdsl.networks(path) for finding in net.diagnostics]
    except archdsl.SpecError as problem:
        found = list(problem.diagnostics)
    except archdsl.NotFoundError:
        found = []
    if has_errors:
        assert any(finding.is_error for finding in found), f"{place} has no error"
    else:
        assert not found, f"{place}\n{render(tuple(found))}"


def commands(text: str) -> list[tuple[str, str]]:
    """The commands of a console, each with what it prints."""
    parts = re.split(r"^\$ ", text, flags=re.MULTILINE)
    assert not parts[0].strip(), "a console begins with a command"
    return [(command, shown) for command, _, shown in (part.partition("\n") for part in parts[1:])]


def run(command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "archdsl"
    result = CliRunner().invoke(app, arguments, prog_name="archdsl")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return str(result.output)


@pytest.mark.parametrize("path", PAGES, ids=IDS)
def test_the_links_of_a_page_lead_somewhere(path: Path) -> None:
    for target in links(path.read_text(encoding="utf-8")):
        name, _, anchor = target.partition("#")
        file = (path.parent / name).resolve() if name else path
        assert file.is_relative_to(ROOT), target
        assert file.exists(), f"{path.name} links to {target}"
        if anchor:
            assert anchor in anchors(file.read_text(encoding="utf-8")), f"{path.name} links to {target}"


def test_the_setup_is_in_the_readme() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "pip install . -c constraints.txt && archdsl build resnet50 -o out\n" in text
    assert 'pip install -e ".[dev]" -c constraints.txt && pytest -n 2\n' in text


@pytest.mark.parametrize(
    ("shown", "real", "same"),
    [
        ("a\nb\n", "a\nb\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\n", "a\n", True),
        ("a\n", "a\nb\n", False),
        ("a  \n", "a\n\n", True),
        ("a.c\n", "abc\n", False),
    ],
)
def test_outputs_are_compared_line_by_line(shown: str, real: str, same: bool) -> None:
    assert matches(shown, real) is same
