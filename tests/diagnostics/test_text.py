from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest

from archdsl.diagnostics import Diagnostic, Fix, Label, error
from archdsl.diagnostics.text import render, summary
from archdsl.source import Source, Span

from .findings import DESIGN, RESNET, at, merge_shapes, of_many_files

Golden = Callable[[str, str], None]


def problem(text: str, start: int, end: int, name: str = "a.arch") -> Diagnostic:
    return error("syntax", "m", Span(Source(name, text), start, end))


def marked(text: str, start: int, end: int, width: int = 120) -> list[str]:
    """The lines from the source on, without the gutter."""
    return [line.partition(" | ")[2] for line in render([problem(text, start, end)], width=width).splitlines()[3:]]


def test_the_example_of_the_design_is_shown_as_the_design_shows_it() -> None:
    assert render([merge_shapes()]) == DESIGN


def test_findings_stand_apart_by_an_empty_line() -> None:
    assert render([merge_shapes(), merge_shapes()]) == DESIGN + "\n" + DESIGN
    assert render([]) == ""


def test_many_files(golden: Golden) -> None:
    golden("diagnostics/many_files.txt", render([of_many_files()]))


def test_color(golden: Golden) -> None:
    golden("diagnostics/color.txt", render([merge_shapes(), of_many_files()], color=True))


def test_a_fix_that_the_help_already_says_is_not_shown() -> None:
    place = at(RESNET, "pool")
    said = error("unknown-layer", "m", place, help="did you mean `avgpool`?", fix=Fix(place, "avgpool"))
    partly = error("unknown-layer", "m", place, help="did you mean `avgpool`?", fix=Fix(place, "pool"))
    assert "fix" not in render([said])
    assert "   = fix:\n 10 +   pool 3 s2 p1" in render([partly]).replace("    =", "   =")


def test_a_span_over_lines_is_underlined_to_the_end_of_its_first() -> None:
    assert marked("abc def\nghi\n", 4, 11) == ["abc def", "    ^^^"]


@pytest.mark.parametrize("text", ["abc", "abc\n", "abc\r\n"])
def test_an_empty_span_at_the_end_of_a_line_is_one_caret(text: str) -> None:
    assert marked(text, 3, 3) == ["abc", "   ^"]


def test_an_empty_text_has_a_place() -> None:
    assert render([problem("", 0, 0)]) == "error[syntax]: m\n  --> a.arch:1:1\n   |\n 1 |\n   | ^\n"


def test_the_place_after_the_last_newline() -> None:
    assert marked("abc\n", 4, 4) == ["", "^"]


def test_tabs_are_expanded_to_stops() -> None:
    assert marked("a\tb\tcd", 4, 6) == ["a   b   cd", "        ^^"]


def test_wide_characters_take_two_cells_and_combining_ones_none() -> None:
    assert marked("漢字 e\u0301x", 5, 6) == ["漢字 e\u0301x", "      ^"]
    assert marked("漢字", 1, 2) == ["漢字", "  ^^"]
    assert marked("🜁🎈b", 2, 3)[1].count("^") == 1


def test_a_long_line_is_cut_around_the_place() -> None:
    text = "a" * 500 + "XYZ" + "b" * 500
    line, underline = marked(text, 500, 503, width=60)
    assert line.startswith("…a")
    assert line.endswith("b…")
    assert len(line) <= 60
    assert underline.index("^") == line.index("X")
    assert underline.strip() == "^^^"


def test_places_far_apart_on_a_long_line_are_shown_as_pieces() -> None:
    source = Source("a.arch", "first " + "x " * 500 + "last")
    finding = error("syntax", "m", at(source, "last"), labels=[Label(at(source, "first"), "here")])
    lines = render([finding], width=60).splitlines()[3:]
    assert [line[:5] for line in lines] == [" 1 | ", "   | ", " 1 | ", "   | "]
    assert lines[1] == "   | ----- here"
    assert lines[2].index("last") == lines[3].index("^^^^")


def test_a_line_of_megabytes_is_shown_at_once() -> None:
    line, underline = marked("x" * 16_000_000, 8_000_000, 16_000_000)
    assert len(line) <= 120
    assert len(underline) <= 120


def test_marks_side_by_side_share_a_row_until_one_has_text() -> None:
    source = Source("a.arch", "aa bb cc")
    finding = error(
        "syntax", "m", at(source, "aa"), labels=[Label(at(source, "bb"), "b"), Label(at(source, "cc"), "c")]
    )
    assert [line[5:] for line in render([finding]).splitlines()[3:]] == ["aa bb cc", "^^ -- b", "      -- c"]


HOSTILE = "\x1b[31m\x07\x00\u202e\u2066\x9b\u2028\ud800"


def test_nothing_from_a_spec_reaches_the_terminal_raw() -> None:
    source = Source(f"a{HOSTILE}\n.arch", f"x {HOSTILE} y\n")
    whole = Span(source, 0, len(source.text))
    other = Span(Source(f"b{HOSTILE}", HOSTILE), 0, 1)
    finding = error(
        "syntax",
        f"m\n{HOSTILE}",
        whole,
        label=HOSTILE,
        labels=[Label(whole, f"\n{HOSTILE}"), Label(other, HOSTILE)],
        notes=[HOSTILE],
        help=HOSTILE,
        fix=Fix(whole, f"{HOSTILE}2"),
    )
    shown = render([finding]) + summary([finding])
    assert all(character.isprintable() for character in shown.replace("\n", ""))
    assert r"a\x1b[31m\x07\x00\u202e\u2066\x9b\u2028\ud800\n.arch:1:1" in shown


def test_carets_stand_under_what_an_escape_takes() -> None:
    assert marked("a\x1bb", 2, 3) == [r"a\x1bb", "     ^"]
    assert marked("a\x1bb", 1, 2) == [r"a\x1bb", " ^^^^"]


def test_summary() -> None:
    warned = of_many_files()
    elsewhere = problem("x", 0, 1, "b.arch")
    assert summary([merge_shapes(), merge_shapes(), warned]) == "2 errors, 1 warning in resnet.arch"
    assert summary([warned]) == "1 warning in resnet.arch"
    assert summary([warned, elsewhere]) == "1 error, 1 warning in 2 files"
    assert summary([]) == "no errors"


def test_the_text_renderer_starts_without_rich() -> None:
    code = "import sys, archdsl.diagnostics.text; print(sorted({'rich', 'torch'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
