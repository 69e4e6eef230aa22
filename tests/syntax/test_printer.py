"""What is printed of a tree reads back as that tree."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree

from . import strategies
from .corpora import VALID, shipped


def reread(text):
    parsed = parse(Source("printed.arch", text))
    assert parsed.diagnostics == ()
    return parsed.file


@given(strategies.files)
@settings(max_examples=300, deadline=None)
def test_printed_trees_read_back_equal_and_print_the_same(file):
    text = print_tree(file)
    again = reread(text)
    assert again == file
    assert print_tree(again) == text


@pytest.mark.parametrize("path", [*VALID, *shipped()], ids=lambda path: path.name)
def test_files_print_and_read_back(path):
    file = reread(path.read_text(encoding="utf-8"))
    assert reread(print_tree(file)) == file


@pytest.mark.parametrize(
    "text",
    [
        "a or b and not c == d",
        "(a or b) and c",
        "a - (b - c)",
        "a - b - c",
        "-(a + b) * c",
        "not (a and b)",
        "(a < b) == c",
        "a < b and b < c",
        "-(not a)",
        "2 * (a // b) % c",
        "max(a, b)[0].c",
        "[1, [2, 3], k]",
        "5000000",
        "1e+20",
        "5e-324",
    ],
)
def test_parentheses_stand_only_where_precedence_needs_them(text):
    assert print_tree(reread(f"let v = {text}")) == f"let v = {text}\n"


@pytest.mark.parametrize(
    ("written", "printed"),
    [
        ("conv(64, k=3)", "conv 64 k=3"),
        ("conv 2*c k3", "conv(2 * c, k3)"),
        ("x (3)", "x 3"),
        ("x ((3))", "x 3"),
        ("add x (1)", "add(x (1))"),
        ("(relu) x(2)", "(relu) x2"),
        ("if a { b } else if c { d }", "if a {\n    b\n  } else if c {\n    d\n  }"),
        ("relu as b{i + 1}c[] : 3xH", "relu as b{i + 1}c[] : 3xH"),
    ],
)
def test_elements_print_plainly(written, printed):
    assert print_tree(reread(f"net n {{ {written} }}")) == f"net n {{\n  {printed}\n}}\n"


def test_a_mistake_has_no_text():
    with pytest.raises(ValueError, match="Mistake"):
        print_tree(tree.File(0, 0, (tree.Mistake(0, 0),)))
