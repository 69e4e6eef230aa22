"""The table in pyproject.toml."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl.linter.config import Config, config_of, read_config
from archdsl.linter.model import Options
from archdsl.linter.rules import DEFAULT, SLUGS
from archdsl.source import Source


def read(table: str, folder: Path = Path("/")) -> Config:
    config = read_config(
        Source("pyproject.toml", f"[project]\nname = 'ignore'\n\n[tool.archdsl.lint]\n{table}\n"), folder
    )
    assert config is not None
    return config


def test_an_empty_table_says_nothing() -> None:
    assert read("") == Config(folder=Path("/"))
    assert read("").select == DEFAULT


def test_rules_and_numbers_are_read() -> None:
    config = read(
        'select = ["all"]\nignore = ["small-field", "checkerboard"]\nchannel-multiple = 64\nflatten-share = 0.8\n'
        '[tool.archdsl.lint.per-file-ignores]\n"old/*.arch" = ["unused-taps"]'
    )
    assert config.problems == ()
    assert config.select == frozenset(SLUGS)
    assert config.ignore == {"small-field", "checkerboard"}
    assert config.options == Options(channel_multiple=64, flatten_share=0.8)
    assert config.per_file_ignores == {"old/*.arch": {"unused-taps"}}


@pytest.mark.parametrize(
    ("table", "message", "place", "help"),
    [
        ('ignore = ["smal-field"]', "there is no rule smal-field", "smal-field", "did you mean small-field?"),
        ('selct = ["small-field"]', "[tool.archdsl.lint] has no selct", "selct", "did you mean select?"),
        ("xyzzy = 1", "[tool.archdsl.lint] has no xyzzy", "xyzzy", None),
        (
            'ignore = "small-field"',
            'ignore must be a list of rules, ["bias-before-norm"]',
            "ignore",
            None,
        ),
        ("select = [1]", 'select must be a list of rules, ["bias-before-norm"]', "select", None),
        ("channel-multiple = 0", "channel-multiple must be a whole number of at least 1", "channel-multiple", None),
        ("channel-multiple = true", "channel-multiple must be a whole number of at least 1", "channel-multiple", None),
        ("flatten-share = 50", "flatten-share must be a number between 0 and 1", "flatten-share", None),
        ("flatten-share = nan", "flatten-share must be a number between 0 and 1", "flatten-share", None),
        (
            "per-file-ignores = 3",
            "per-file-ignores must be a table of patterns, each with its rules",
            "per-file-ignores",
            None,
        ),
        ('[tool.archdsl.lint.per-file-ignores]\n"a.arch" = ["x-y"]', "there is no rule x-y", "x-y", None),
    ],
)
def test_what_is_wrong_has_a_place_and_a_reason(table: str, message: str, place: str, help: str | None) -> None:
    (problem,) = read(table).problems
    assert (problem.code, problem.severity, problem.message) == ("bad-config", "error", message)
    assert problem.span.text == place
    assert problem.span.start > problem.span.source.text.index("[tool.archdsl.lint]")
    assert help in (None, problem.help)


@pytest.mark.parametrize(
    "text",
    ["[tool.archdsl.lint", "a = = 1", "\x00", "[a]\n[a]\n", 'x = "', "[" * 5000, "tool.archdsl.lint = 7", "é = 1"],
)
def test_garbage_is_one_finding(text: str) -> None:
    config = read_config(Source("pyproject.toml", text), Path("/"))
    assert config is not None
    assert [problem.code for problem in config.problems] == ["bad-config"]


@pytest.mark.parametrize(
    "text", ["", "[tool]\n", "[tool.archdsl]\n", "tool = 3\n", "[tool.ruff.lint]\n", "archdsl = 1"]
)
def test_a_file_without_the_table_is_none(text: str) -> None:
    assert read_config(Source("pyproject.toml", text), Path("/")) is None


def test_the_nearest_file_with_the_table_counts(tmp_path: Path) -> None:
    inner = tmp_path / "models" / "old"
    inner.mkdir(parents=True)
    (tmp_path / "pyproject.toml").write_text('[tool.archdsl.lint]\nignore = ["small-field"]\n')
    (tmp_path / "models" / "pyproject.toml").write_text("[tool.ruff]\n")
    source = Source(str(inner / "a.arch"), "", str(inner))
    assert config_of(source).ignore == {"small-field"}
    (inner / "pyproject.toml").write_text('[tool.archdsl.lint]\nignore = ["checkerboard"]\n')
    assert config_of(source).ignore == {"checkerboard"}
    (inner / "pyproject.toml").write_bytes(b"\xff\xfe\x00")
    assert "it is not UTF-8 text" in config_of(source).problems[0].message
    assert config_of(Source("<text>", "")) == Config()


@pytest.mark.parametrize(
    ("pattern", "ignores"),
    [
        ("old/*.arch", True),
        ("a.arch", True),
        ("*.arch", True),
        ("b.arch", False),
        ("new/*", False),
        ("../old/*", False),
    ],
)
def test_rules_are_ignored_in_files_by_a_pattern(tmp_path: Path, pattern: str, ignores: bool) -> None:
    (tmp_path / "old").mkdir()
    config = read(f'[tool.archdsl.lint.per-file-ignores]\n"{pattern}" = ["small-field"]', tmp_path)
    source = Source("a.arch", "", str(tmp_path / "old"))
    assert ("small-field" not in config.rules(source)) is ignores
    assert "checkerboard" in config.rules(source)


def test_what_is_asked_for_comes_before_the_file() -> None:
    config = read('select = ["small-field", "checkerboard"]\nignore = ["checkerboard"]')
    source = Source("a.arch", "")
    assert config.rules(source) == {"small-field"}
    assert config.with_rules(["checkerboard"]).rules(source) == {"checkerboard"}
    assert config.with_rules(["all"]).rules(source) == frozenset(SLUGS)
    assert config.with_rules([], ["small-field"]).rules(source) == frozenset()
    assert config.with_rules(["all"], ["small-field"]).rules(source) == frozenset(SLUGS) - {"small-field"}
    with pytest.raises(ValueError, match="there is no rule smal-field; did you mean small-field"):
        config.with_rules(["smal-field"])


TEXT = "net a {\n  input 3x9x9\n  conv 8 k3 p1 -> bn -> relu -> pool 2\n}\n"


def test_a_network_heeds_it(tmp_path: Path) -> None:
    (tmp_path / "a.arch").write_text(TEXT)
    network = archdsl.load(tmp_path / "a.arch")
    assert [each.code for each in network.lint()] == ["bias-before-norm", "dropped-pixels"]
    (tmp_path / "pyproject.toml").write_text('[tool.archdsl.lint]\nignore = ["dropped-pixels"]\n')
    assert [each.code for each in network.lint()] == ["bias-before-norm"]
    assert [each.code for each in network.lint(select=["dropped-pixels"])] == ["dropped-pixels"]
    assert network.lint(ignore=["bias-before-norm"]) == ()
    (tmp_path / "pyproject.toml").write_text("[tool.archdsl.lint]\nignore = 3\n")
    with pytest.raises(archdsl.SpecError, match="ignore must be a list"):
        network.lint()


def test_the_python_interface_raises_for_what_is_no_rule_and_for_errors() -> None:
    with pytest.raises(archdsl.ArchError, match="there is no rule bias; "):
        archdsl.parse(TEXT).lint(select=["bias"])
    with pytest.raises(archdsl.SpecError, match="window-too-large"):
        archdsl.parse("net a {\n  input 3x8x8\n  conv 8 k9\n}\n").lint()
