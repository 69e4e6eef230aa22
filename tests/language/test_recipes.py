"""`recipe` and `preprocess`: how they are read, what is refused, and what stays as it is."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.source import Source
from archdsl.syntax.formatter import format_text
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree

NET = """
net n(rate=0.1) {{
  input 3x8x8
  (conv 4 k3 -> bn -> relu) as stem
  gap -> flatten -> fc 2 as head
  {0}
}}
"""


def found(statement: str) -> list[tuple[str, str]]:
    net = archdsl.parse(NET.format(statement))
    return [(finding.code, finding.span.text) for finding in net.diagnostics if finding.is_error]


@pytest.mark.parametrize(
    "statement",
    [
        "recipe { a { head lr=1 } }",
        "recipe { a epochs=3 bn=frozen lr=rate { head } }",
        "recipe { a { all lr=rate / 10 weight_decay=0 layer_decay=1 } }",
        'recipe { a lr=1 { "stem.conv1"\nstem.bn1 freeze=yes } }',
        "preprocess resize=256 mean=[0.5, 0.5, 0.5] interpolation=bicubic",
    ],
)
def test_what_is_right_has_no_errors(statement: str) -> None:
    assert found(statement) == []


@pytest.mark.parametrize(
    ("statement", "code", "at"),
    [
        ("recipe {}", "empty-stage", "recipe {}"),
        ("recipe { a {} }", "empty-stage", "a"),
        ("recipe { a { head freeze=yes } }", "empty-stage", "a"),
        ("recipe { a { stem lr=1\nstem.conv1 freeze=yes\nstem.bn1 freeze=yes } }", "empty-stage", "a"),
        ("recipe { a { stem.relu1 lr=1 } }", "empty-stage", "stem.relu1"),
        ("recipe { a bn=frozen { stem.bn1 lr=1 } }", "empty-stage", "stem.bn1"),
        ("recipe { a { haed lr=1 } }", "unknown-name", "haed"),
        ("recipe { a { head } }", "missing-argument", "head"),
        ("recipe { a { head lr=0 } }", "bad-argument", "lr=0"),
        ("recipe { a { head lr=-1 } }", "bad-argument", "lr=-1"),
        ("recipe { a { head lr=yes } }", "bad-argument", "lr=yes"),
        ("recipe { a { head lr=fast } }", "bad-argument", "lr=fast"),
        ("recipe { a { head lr=relu } }", "bad-argument", "lr=relu"),
        ("recipe { a { head lr=1 weight_decay=-1 } }", "bad-argument", "weight_decay=-1"),
        ("recipe { a { all lr=1 layer_decay=2 } }", "bad-argument", "layer_decay=2"),
        ("recipe { a { all lr=1 freeze=1 } }", "bad-argument", "freeze=1"),
        ("recipe { a epochs=0 { all lr=1 } }", "bad-argument", "epochs=0"),
        ("recipe { a epochs=1.5 { all lr=1 } }", "bad-argument", "epochs=1.5"),
        ("recipe { a bn=freezed { all lr=1 } }", "bad-argument", "bn=freezed"),
        ("recipe { a epoch=3 { all lr=1 } }", "unknown-option", "epoch=3"),
        ("recipe { a { all lr=1 epochs=2 } }", "unknown-option", "epochs=2"),
        ("recipe { a { all lr=1 lr=2 } }", "duplicate-name", "lr=2"),
        ("recipe { a { all lr=1\nall lr=2 } }", "duplicate-name", "all"),
        ("recipe { a { all lr=1 }\na { all lr=2 } }", "duplicate-name", "a"),
        ("recipe { a { all lr=1 } }\nrecipe { b { all lr=1 } }", "duplicate-name", "recipe { b { all lr=1 } }"),
        ("recipe { a { all lr=missing + 1 } }", "unknown-name", "missing"),
        ("recipe { a { -> } }", "syntax", "->"),
        ("preprocess", "syntax", "}"),
        ("preprocess resize=[[1, 2], 3]", "bad-argument", "[[1, 2], 3]"),
    ],
)
def test_what_is_wrong_is_told_at_its_place(statement: str, code: str, at: str) -> None:
    assert found(statement) == [(code, at)]


def test_they_belong_to_a_network() -> None:
    for statement in ("recipe { a { all lr=1 } }", "preprocess resize=8"):
        text = f"block b {{\n {statement}\n relu\n}}\nnet n {{\n input 3x8x8\n b\n}}"
        assert [finding.code for finding in archdsl.parse(text).diagnostics] == ["misplaced"]


def test_of_a_network_inside_they_are_about_it_alone() -> None:
    text = NET.format("recipe { a { head lr=1 } }\npreprocess resize=8")
    net = archdsl.parse(text + "net outer {\n input 3x8x8\n n as body\n}", "outer")
    assert net.ok
    assert net.graph.recipe is None
    assert net.graph.preprocess is None


def test_a_part_that_a_network_inside_freezes_cannot_train() -> None:
    text = NET.format("") + "net outer {\n input 3x8x8\n n(freeze=[stem]) as body\n recipe { a { body.stem lr=1 } }\n}"
    (finding,) = archdsl.parse(text, "outer").diagnostics
    assert (finding.code, finding.span.text) == ("empty-stage", "body.stem")
    assert "frozen in every stage" in finding.message


def test_a_layer_called_all_is_meant_by_it() -> None:
    text = "net n {\n input 4\n fc 4 as all\n fc 2 as head\n recipe { a { all lr=1 } }\n}"
    (group,) = archdsl.parse(text).stages[0].groups
    assert len(group.nodes) == 1


def test_the_formatter_and_the_printer_keep_them() -> None:
    text = """net n {
  input 3x8x8
  preprocess   mean = [0.5,0.5] resize=9
  conv 4 as low-1  # named
  ## How it trains.
  recipe {
    ## First.
    a   epochs = 3 { "low-1" lr=-1*2   # slow
      x lr = 2 }
    b { "for.x3" }
  }
}
"""
    tree = parse(Source("a.arch", text)).file
    formatted = format_text(Source("a.arch", text))
    assert formatted is not None
    assert parse(Source("a.arch", formatted)).file == tree
    assert format_text(Source("a.arch", formatted)) == formatted
    assert "preprocess mean=[0.5, 0.5] resize=9" in formatted
    assert parse(Source("a.arch", print_tree(tree))).file == tree


def test_their_words_are_names_of_modules_all_the_same() -> None:
    net = archdsl.parse("net n {\n input 4\n fc 4 as recipe\n fc 2 as preprocess\n}")
    assert [layer.path for layer in net.report().layers] == ["recipe", "preprocess"]


def test_stages_of_many_layers_are_too_many() -> None:
    stages = "\n".join(f"s{number} {{ all lr=1 }}" for number in range(1000))
    text = f"net n {{\n input 4\n relu x5000\n fc 2\n recipe {{\n{stages}\n}}\n}}"
    assert [finding.code for finding in archdsl.parse(text).diagnostics] == ["too-large"]
