"""The formatter changes nothing but the layout, and what it has laid out it leaves alone."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl import limits
from archdsl.source import Source
from archdsl.syntax.formatter import format_text
from archdsl.syntax.layout import CLOSERS, OPENERS
from archdsl.syntax.parser import parse, read_tokens
from archdsl.syntax.printer import print_tree

from . import strategies
from .corpora import INVALID, VALID, shipped


def words(comment):
    return comment.text.lstrip("#").strip()


def places(parsed, text):
    """For each comment, which definition it stands in or before, and whether it has a line of its own."""
    found = []
    for comment in parsed.comments:
        begun = sum(definition.start < comment.start for definition in parsed.file.definitions)
        ended = sum(definition.end <= comment.start for definition in parsed.file.definitions)
        found.append((begun, ended, not text[: comment.start].rpartition("\n")[2].strip()))
    return found


def neighbours(source):
    """For each comment, how many words stand before it."""
    read = read_tokens(source)
    starts = [token.start for token in read.tokens if token.type != "NEWLINE"]
    return [sum(start < comment.start for start in starts) for comment in read.comments]


def formatted(text):
    """The formatted text, with the promises of the formatter checked."""
    result = format_text(Source("spec.arch", text))
    assert result is not None
    before, after = parse(Source("spec.arch", text)), parse(Source("spec.arch", result))
    assert after.diagnostics == ()
    assert after.file == before.file
    assert [words(c) for c in after.comments] == [words(c) for c in before.comments]
    assert places(after, result) == places(before, text)
    assert neighbours(Source("", result)) == neighbours(Source("", text))
    assert format_text(Source("spec.arch", result)) == result
    assert result == "" or (result.endswith("\n") and not result.endswith("\n\n"))
    assert "\n\n\n" not in result
    assert "\t" not in "".join(line[: len(line) - len(line.lstrip())] for line in result.split("\n"))
    return result


@pytest.mark.parametrize("path", [*VALID, *shipped()], ids=lambda path: path.name)
def test_files_keep_their_tree_and_comments(path):
    formatted(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.name)
def test_the_examples_of_the_language_are_laid_out_already(path):
    text = path.read_text(encoding="utf-8")
    assert formatted(text) == text


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_text_with_syntax_errors_is_not_formatted(path):
    assert format_text(Source(path.name, path.read_text(encoding="utf-8"))) is None


@st.composite
def messy(draw, files=None):
    """A printed tree, its spaces and line ends changed and comments put in where that keeps the tree."""
    text = print_tree(draw(strategies.files if files is None else files))
    parts, end, last, open = [], 0, "", []
    for token in read_tokens(Source("", text)).tokens:
        if token.type == "NEWLINE":
            continue
        gap = text[end : token.start]
        inside = bool(open) and open[-1] != "LBRACE"
        beside_a_dot = "DOT" in (last, token.type)  # a tap has no blanks
        if token.type in CLOSERS:
            open.pop()
        if "\n" in gap:
            ends = ["\n", "\n\n\n", "\r\n", " \n", " # why\n\n", "  #\n", "\n#why\n"]
            gap = draw(st.sampled_from(ends)) + " " * draw(st.integers(0, 5))
            if last == "DOC" or token.type == "DOC":
                gap = "\n"
        elif gap:
            gap = draw(st.sampled_from([" ", "  ", "\t", "     "]))
        elif last != "X" and not beside_a_dot:
            gap = draw(st.sampled_from(["", "", " "]))
        # Inside brackets, and next to a sign that a line goes on by, a line may end anywhere.
        signs = {"ARROW", "BAR"}
        may_end = (inside or last in signs or token.type in signs) and last != "X" and not beside_a_dot
        if may_end and not draw(st.integers(0, 11)):
            gap = draw(st.sampled_from(["\n", "\n\n", " # why\n", "\n# why\n  ", "#why\n # and\n\n", "\r\n"]))
        parts += [gap, token.text]
        if token.type in OPENERS:
            open.append(token.type)
        end, last = token.end, token.type
    return "".join([*parts, *draw(st.lists(st.sampled_from(["\n", "# why", "\n#why\n", " "]), max_size=2))])


@given(messy())
@settings(max_examples=200, deadline=None)
def test_any_layout_becomes_one_that_stays(text):
    formatted(text)


@pytest.mark.parametrize(
    "lines",
    [
        "(#x\na | b)",  # a comment is set off by spaces that were not there
        "(a | b#x\n)",
        "conv (a+#x\nb)",
        "a : 3 as c[]",  # a name behind a checked shape moves with it
        "a   : 3   as c[]",
        "a : 3 as c[]\n  longer : 3 as d[]\n  b as e : 3",
        "a : 3   -> b\n  longer : 3  -> b",
        "a as c   -> b\n  longer as c  -> b",
    ],
)
def test_what_was_not_stable_once(lines):
    formatted(f"net n {{\n  {lines}\n}}\n")


def test_a_file_without_any_layout_gets_one():
    assert formatted(
        "net   a( n ,k = 3 ){\n\n\ninput 3x8x8 #what comes in\n"
        "( conv n*2 k = 3->relu|id )->add\n\n\n\nfor i in [ 1,2 ]{fc i -1}\nlet m=-n+ 1\n \n}\n\n"
    ) == (
        "net a(n, k=3) {\n  input 3x8x8  # what comes in\n"
        "  ( conv n*2 k=3 -> relu | id ) -> add\n\n  for i in [1, 2] { fc i - 1 }\n  let m = -n + 1\n}\n"
    )


@pytest.mark.parametrize(
    ("written", "laid_out"),
    [
        ("conv -1", "conv -1"),
        ("conv in . c", "conv in.c"),
        ("x (3)", "x (3)"),
        ("(relu)x2", "(relu) x2"),
        ("relu x( n-1 )", "relu x(n-1)"),
        ("relu x( n -1 )", "relu x(n - 1)"),
        ("relu as a { i } b [ ]", "relu as a{i}b[]"),
        ("a  ->  b", "a -> b"),
        ("expect not(a)and b<=- 1", "expect not (a) and b <= -1"),
        ("output a,b when training", "output a, b when training"),
        ("(a|b)", "(a | b)"),
        ("( a|b)", "( a | b )"),
        ("( a )", "(a)"),
        ("for i in 0 .. n-1 {a}", "for i in 0..n-1 { a }"),
    ],
)
def test_spaces(written, laid_out):
    assert formatted(f"net n {{ {written} }}") == f"net n {{ {laid_out} }}\n"


def test_branches_stand_below_their_parenthesis():
    assert formatted("net n {\na -> (\nb\n->c\n|d\n) ->e\n(f\n| # why\ng\n)\nh\n->i\n}\n") == (
        "net n {\n  a -> (\n    b\n    -> c\n  | d\n  ) -> e\n  ( f\n  |  # why\n    g\n  )\n  h\n    -> i\n}\n"
    )


def test_columns_are_aligned_and_straight_ones_stay():
    assert formatted("net n {\na : 3 # x\nlonger : 64x3   # y\n\nb as c[]\nlonger as d[]  # z\n}\n") == (
        "net n {\n  a      : 3     # x\n  longer : 64x3  # y\n\n  b      as c[]\n  longer as d[]  # z\n}\n"
    )
    straight = "net n {\n  a       as b -> c\n  longer  as d\n  e -> f\n}\n"
    assert formatted(straight) == straight


def test_the_numbers_of_a_table_end_at_the_same_column():
    assert formatted('let t = [\n[1,16, relu, "a"],\n[10, -2,gelu6,"b"] , # last\n]\n') == (
        'let t = [\n  [ 1, 16, relu,  "a"],\n  [10, -2, gelu6, "b"],  # last\n]\n'
    )


def test_a_long_line_does_not_push_others_away():
    text = "let a = 1 # x\nlet b = [" + "1, " * 60 + "1] # y\n"
    assert formatted(text) == text.replace(" #", "  #")


def test_columns_are_adjacent_where_a_blank_line_is_taken_out():
    assert formatted("net n {\n( a\n| bb # x\n\n) # y\n}\n") == "net n {\n  ( a\n  | bb  # x\n  )     # y\n}\n"


def test_a_text_whose_layout_would_be_too_long_to_read_stays(monkeypatch):
    text = "net a{input 3x8x8\nrelu}\n"
    laid_out = format_text(Source("s", text))
    assert len(laid_out) > len(text)
    monkeypatch.setattr(limits, "FILE_CHARACTERS", len(text))
    assert format_text(Source("s", text)) == text
