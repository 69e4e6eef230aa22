"""Where a finding points when the mistake and what shows it are in two places, and when brackets are in the way."""

from __future__ import annotations

from pathlib import Path

import pytest

import archdsl
from tests.language.specs import place

WIDE = "net a(c=2) {\n  input 3x8x8\n  conv c k3 p1 -> relu\n  conv c*2 -> conv c\n}"


@pytest.mark.parametrize("value", ["banana", [1, 2], -3, 2.5])
def test_a_wrong_value_from_outside_is_reported_once_at_the_networks_name(value: object) -> None:
    (found,) = archdsl.parse(WIDE, c=value).diagnostics
    assert place(found) == "bad-argument 1:5 a"
    assert found.notes == ("it is given from outside",)
    assert [label.span.line for label in found.labels] == [3]


def test_a_wrong_argument_is_followed_through_the_calls_to_where_it_was_written() -> None:
    inner = "block inner(n) { conv n }\nblock outer(n, m=n) { inner(m) }\n"
    (found,) = archdsl.parse(f"{inner}net a {{\n  input 3x8x8\n  outer(yes)\n}}").diagnostics
    assert place(found) == "bad-argument 5:9 yes"


def test_a_wrong_argument_is_reported_for_each_call_that_gives_one() -> None:
    block = "block b(n) { conv n }\n"
    found = archdsl.parse(
        f"{block}net a {{\n  input i : 3x8x8\n  i -> b(0)\n  i -> b(4)\n  i -> b(yes)\n}}"
    ).diagnostics
    assert [place(each) for each in found] == ["bad-argument 4:10 0", "bad-argument 6:10 yes"]


@pytest.mark.parametrize(
    ("count", "shown"),
    [("(n - 1) * (n - 4)", "(n - 1) * (n - 4)"), ("((n - 4))", "((n - 4))"), ("-(n + 1)", "-(n + 1)")],
)
def test_the_place_of_an_expression_has_its_brackets(count: str, shown: str) -> None:
    (found,) = archdsl.parse(f"net a(n=2) {{\n  input 3x8x8\n  relu x({count})\n}}").diagnostics
    assert place(found) == f"bad-argument 3:10 {shown}"


def test_a_file_that_uses_itself_through_another_is_told_so_there(tmp_path: Path) -> None:
    (tmp_path / "main.arch").write_text('use b from "other.arch"\nblock c { relu }\nnet a { input 8\n b }')
    (tmp_path / "other.arch").write_text('use c from "main.arch"\nblock b { c }\n')
    (found,) = archdsl.load(tmp_path / "main.arch").diagnostics
    assert place(found) == 'circular-use 1:12 "main.arch"'
    assert "main.arch -> other.arch -> main.arch" in found.message


def test_a_name_that_a_file_does_not_define_is_not_missed_a_second_time(tmp_path: Path) -> None:
    (tmp_path / "main.arch").write_text('use basc from "resnet.arch"\nnet a { input 3x32x32\n basic(64) }')
    assert [each.code for each in archdsl.load(tmp_path / "main.arch").diagnostics] == ["unknown-name"]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("( conv 8 | split [1, 2]] ) -> cat", ["unopened 3:26 ]"]),
        ("( conv 3 | id ] -> add", ["unopened 3:17 ]"]),
        ("conv max(1, 2] -> relu", ["unopened 3:16 ]"]),
        ("conv [1, 2)[0] -> relu", ["unopened 3:13 )"]),
    ],
)
def test_a_bracket_of_the_wrong_kind_is_told_from_one_too_many(line: str, expected: list[str]) -> None:
    found = archdsl.parse(f"net a {{\n  input 3x8x8\n  {line}\n}}").diagnostics
    assert [place(each) for each in found] == expected


@pytest.mark.parametrize(
    ("lines", "help"),
    [
        ("( conv 8 k3 | conv 8 k1 ) -> cat", "write `p1` in the conv at 3:5, to keep 8x8"),
        ("( conv 8 k5 p1 | conv 8 k1 ) -> add", "write `p2` in the conv at 3:5, to keep 8x8"),
        ("( conv 8 k1 | pool 3 -> conv 8 k1 ) -> add", "write `s1 p1` in the pool at 3:17, to keep 8x8"),
        ("( conv 8 k3 s2 p1 | conv 8 k1 ) -> add", "a stride of 2 in the conv at 3:23 gives 4x4"),
        ("( conv 8 k3 s2 p1 | id ) -> add", "give the second branch `conv 8 k1 s2`"),
    ],
)
def test_a_merge_says_what_would_make_the_branches_fit(lines: str, help: str) -> None:
    (found,) = archdsl.parse(f"net a {{\n  input 3x8x8\n  {lines}\n}}").diagnostics
    assert found.help == help
