"""Comments that switch rules off: what they are about, and what is wrong with them."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from archdsl.linter.lint import findings, fixed
from archdsl.linter.model import Options
from archdsl.syntax.formatter import format_text

from .helpers import ALL, found

BIASED = "conv 8 k3 p1 -> bn -> relu"
OFF = "# lint: off bias-before-norm"


def rules(text: str, name: str | None = None) -> list[str]:
    network = archdsl.parse(text, name)
    assert not network.diagnostics, network.diagnostics
    return [finding.code for finding in found(network)]


@pytest.mark.parametrize("reason", ["", " - as published", " because it is published so", " -- a, b - c", " - "])
@pytest.mark.parametrize("space", ["# lint: off ", "#lint:off ", "#  lint :   off  "])
def test_a_comment_behind_an_element_is_about_its_line(space: str, reason: str) -> None:
    text = f"net a {{\n  input 3x8x8\n  {BIASED}  {space}bias-before-norm{reason}\n  {BIASED}\n}}\n"
    (finding,) = found(archdsl.parse(text))
    assert (finding.code, finding.span.line) == ("bias-before-norm", 4)


def test_a_comment_on_its_own_line_is_about_the_statement_below() -> None:
    two = f"( {BIASED}\n  | {BIASED}\n  ) -> add"
    assert rules(f"net a {{\n  input 3x8x8\n  {OFF}\n\n  # and here it is\n  {two}\n}}\n") == []
    assert rules(f"net a {{\n  input 3x8x8\n  {OFF}\n  relu\n  {two}\n}}\n") == [
        "unused-switch",
        "bias-before-norm",
        "bias-before-norm",
    ]


def test_a_comment_amid_a_statement_is_about_the_line_below() -> None:
    text = f"net a {{\n  input 3x8x8\n  ( {BIASED}\n  {OFF}\n  | {BIASED}\n  ) -> add\n}}\n"
    assert [finding.span.line for finding in found(archdsl.parse(text))] == [3]


BLOCK = f"block part(c) {{\n  {BIASED}\n}}\n"
NETS = "net base(n) {\n  input 3x8x8\n  part(8) x(n)\n}\nnet one = base(1)\nnet two = base(2)\n"


@pytest.mark.parametrize("name", ["one", "two"])
@pytest.mark.parametrize(
    ("above", "silent"), [("block part", ("one", "two")), ("net base", ("one", "two")), ("net one", ("one",))]
)
def test_a_comment_above_a_definition_is_about_all_of_it(above: str, silent: tuple[str, ...], name: str) -> None:
    text = (BLOCK + NETS).replace(above, f"{OFF}\n## What it is.\n{above}", 1)
    assert rules(text, name) == ([] if name in silent else ["bias-before-norm"])


def test_a_comment_of_the_file_is_about_all_that_is_in_it() -> None:
    assert rules(f"# lint file: off bias-before-norm - because\n{BLOCK}{NETS}", "two") == []
    assert rules(f"{BLOCK}{NETS}# lint file: off bias-before-norm\n", "two") == []


def test_a_comment_in_a_file_that_is_used_is_heeded(tmp_path: Path) -> None:
    use = 'use part from "part.arch"\nnet a {\n  input 3x8x8\n  part(8)\n}\n'
    (tmp_path / "a.arch").write_text(use)
    for comment, silent in ((f"{OFF}\n", True), ("", False), ("# lint file: off bias-before-norm\n", True)):
        (tmp_path / "part.arch").write_text(comment + BLOCK)
        assert (found(archdsl.load(tmp_path / "a.arch")) == []) is silent
    (tmp_path / "part.arch").write_text(BLOCK)
    (tmp_path / "a.arch").write_text("# lint file: off bias-before-norm\n" + use)
    assert "bias-before-norm" in [each.code for each in found(archdsl.load(tmp_path / "a.arch"))], (
        "it is in no line of it"
    )
    (tmp_path / "a.arch").write_text(use.replace("net", f"{OFF}\nnet"))
    assert found(archdsl.load(tmp_path / "a.arch")) == []


def test_several_rules_are_separated_by_commas() -> None:
    line = "conv 8 k3 -> bn -> relu -> pool 4"
    text = f"net a {{\n  input 3x8x8\n  {line}  # lint: off bias-before-norm,dropped-pixels , unused-taps - why\n}}\n"
    (finding,) = found(archdsl.parse(text))
    assert finding.code == "unused-switch"
    assert finding.message == "nothing here is found by unused-taps"
    assert finding.fix is not None
    assert "off bias-before-norm, dropped-pixels - why\n" in fixed(text, [finding.fix])


# ---------------------------------------------------------------- what is wrong with them


@pytest.mark.parametrize(
    ("comment", "message", "help"),
    [
        ("# lint: off bias-befor-norm", "there is no rule bias-befor-norm", "did you mean `bias-before-norm`?"),
        ("# lint: off E501", "there is no rule E501", "docs/lint.md lists the rules"),
        ("# lint: off", "this comment switches nothing off", "write it as `# lint: off RULE, RULE - reason`"),
        ("# lint: on small-field", "this comment switches nothing off", None),
        ("# lint: off small-field as published", "this comment switches nothing off", None),
        ("# lint file: of small-field", "this comment switches nothing off", None),
        ("# lint:", "this comment switches nothing off", None),
    ],
)
def test_a_comment_that_means_nothing_is_found(comment: str, message: str, help: str | None) -> None:
    (finding,) = found(archdsl.parse(f"net a {{\n  input 3x8x8\n  conv 8 k3 -> relu  {comment}\n}}\n"))
    assert (finding.code, finding.message) == ("bad-switch", message)
    assert help in (None, finding.help)


@pytest.mark.parametrize("comment", ["# lint", "# a lint: off x", "# linted: yes", "# lint this off", "## lint: off x"])
def test_other_comments_are_not(comment: str) -> None:
    assert rules(f"net a {{\n  input 3x8x8\n  conv 8 k3 -> relu\n  {comment}\n  conv 8 k3 -> relu\n}}\n") == []


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (f"net a {{\n  input 3x8x8\n  conv 8 -> relu  {OFF}\n}}\n", "net a {\n  input 3x8x8\n  conv 8 -> relu\n}\n"),
        (f"net a {{\n  input 3x8x8\n  {OFF}\n  conv 8\n}}\n", "net a {\n  input 3x8x8\n  conv 8\n}\n"),
        (f"{OFF}\nnet a {{\n  input 3x8x8\n  conv 8\n}}\n", "net a {\n  input 3x8x8\n  conv 8\n}\n"),
    ],
)
def test_a_comment_that_silences_nothing_is_found_and_removed(text: str, left: str) -> None:
    (finding,) = found(archdsl.parse(text))
    assert finding.code == "unused-switch"
    assert finding.fix is not None
    assert fixed(text, [finding.fix]) == left


def test_it_is_looked_for_only_where_all_networks_are_looked_at_and_the_rule_is_on() -> None:
    network = archdsl.parse(f"net a {{\n  input 3x8x8\n  conv 8 -> relu  {OFF}\n}}\n")
    assert network.lint() == ()
    looked = network.looked_at(ALL - {"bias-before-norm"}, Options())
    assert findings([looked], [network.module.source.name]) == ()


def test_what_no_network_reaches_is_not_called_unused() -> None:
    assert rules(f"block other {{\n  conv 8 -> relu  {OFF}\n}}\nnet a {{\n  input 3x8x8\n  conv 8\n}}\n") == []


def test_the_formatter_keeps_them_in_their_place() -> None:
    text = (
        "# lint file: off small-field\n\n# lint: off unused-taps\n## Doc.\nnet a {\n  input 3x8x8\n"
        "  # lint: off checkerboard\n  conv 8 -> relu  # lint: off bias-before-norm - why\n}\n"
    )
    assert format_text(archdsl.parse(text).module.source) == text
