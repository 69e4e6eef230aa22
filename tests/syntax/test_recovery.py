"""Mistakes as people make them: each is reported once, at its place, with words that help; nothing else is."""

from __future__ import annotations

import pytest

from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse

from .corpora import INVALID

VALUE = "a value (a number, a name, a list or an expression)"
ELEMENT = "an element (a layer, a block, a value or `( )`)"

IN_A_BODY = [
    # line, column, message, a part of the help (or None)
    ("Conv 64", 3, "`Conv` begins with a capital letter", "`conv`"),
    ("conv 64 -> Relu", 14, "`Relu` begins with a capital letter", "`relu`"),
    ("conv 64, k3", 10, "`,` cannot follow `64`", "without commas"),
    ("conv 3 k=3,5", 13, "`,` cannot follow `3`", "conv(64, k=3)"),
    ("x = conv 3", 5, "`=` cannot follow a name here", "`let x = ...`"),
    ("conv 64 -> -> relu", 14, "`->` cannot follow `->`", "keep one `->`"),
    ("( conv | )", 10, "nothing stands behind this `|`", "`id`"),
    ("a | b", 5, "`|` cannot follow `a`", "( a | b )"),
    ("a -> [b, c]", 8, "`[` cannot follow `->`", "( a | b )"),
    ("conv -> (relu) (bn)", 18, "`(` cannot follow `)`", "put `->` before it"),
    ("conv 64 as layer1 k3", 21, "`k3` cannot follow `layer1`", "put `->` before it"),
    ("relu => bn", 8, "`=` cannot follow `relu`", "write `->`"),
    ("let = 3", 7, "`=` cannot follow `let`", "a name is expected"),
    ("let net = 3", 7, "`net` is a word of the language and cannot be a name", "call it `net_`"),
    ("let x2 = 3", 7, "`x2` means a repeat and cannot be a name", None),
    ("let a := 3", 9, "`:` cannot follow `a`", "`=` is expected"),
    ("let a = 1 +", 14, f"{VALUE} is missing after `+`", None),
    ("let a = b**2", 13, "`*` cannot follow `*`", "there is no power"),
    ("let a = 3 let b = 4", 13, "`let` cannot follow `3`", "begin a new line"),
    ("let v = [1 2]", 14, "`2` cannot follow `1`", "`]` or `,`"),
    ("relu as input", 11, "`input` is a word of the language and cannot be a name", "`input_`"),
    ("relu as", 10, "a name or a number is missing after `as`", None),
    ("relu as 3x3", 11, "`3x3` cannot follow `as`", "a name or a number"),
    ("relu :", 9, f"{VALUE} is missing after `:`", None),
    ("output", 9, "a name is missing after `output`", None),
    ("default conv", 15, f"{VALUE} is missing after `conv`", None),
    ("share a conv 3", 11, "`conv` cannot follow `a`", "`=` is expected"),
    ("for i 0..3 { relu }", 9, "`0` cannot follow `i`", "`in`"),
    ("for in 0..3 { relu }", 7, "a name is missing before `in`", None),
    ("for i in 0..3", 16, "`{` is missing after `3`", None),
    ("if a = 3 { conv }", 8, "`=` cannot follow `a`", "`==` compares"),
    ("if a conv 3", 8, "`conv` cannot follow `a`", "`{` is expected"),
    ("if not { relu }", 10, "`{` cannot follow `not`", VALUE),
    ("if a { relu } elif b { bn }", 17, "`elif` cannot follow `}`", "`else if`"),
    ("else { relu }", 3, "this `else` has no `if`", "follows the `}`"),
    ("repeat 3 { conv }", 12, "`{` cannot follow `3`", "( ... ) x3"),
    ("x2 conv 3", 3, "`x2` cannot begin a statement", "after what it repeats"),
    ("when a { b }", 3, "`when` cannot begin a statement", ELEMENT),
    ("input 3 32 32", 11, "`32` cannot follow `3`", "3x32x32"),
    ("input image: 3,32,32", 17, "`,` cannot follow `3`", "3x32x32"),
    ("conv(k: 3)", 9, "`:` cannot follow `k`", "named with `=`"),
    ("conv(64 k=3)", 11, "`k` cannot follow `64`", "`,`"),
    ("conv k=", 10, f"{VALUE} is missing after `=`", None),
    ('use a from "b.arch"', 3, "`use` cannot stand inside a body", "`}`"),
    ("block b { relu }", 3, "`block` cannot stand inside a body", "`}`"),
    ("(conv 3 | id", 3, "this `(` is never closed", "put a `)`"),
    ("conv(3, k=3", 7, "this `(` is never closed", "put a `)`"),
    ("conv 3)", 9, "nothing is open for this `)` to close", None),
    ("conv 64; relu", 10, "`;` means nothing here", "a new line"),
    ("conv 'same'", 8, "`'same'` means nothing here", "double quotes"),
    ('conv "same', 8, "this string is not closed on its line", '`"`'),
    ("conv 3x", 8, "`3x` is neither a number nor a name", None),
    ("conv → relu", 8, "`→` means nothing here", "`->`"),
    ("expect a && b", 12, "`&&` means nothing here", "`and`"),
]


@pytest.mark.parametrize(("line", "column", "message", "help"), IN_A_BODY, ids=[case[0] for case in IN_A_BODY])
def test_a_mistake_in_a_statement(line, column, message, help):
    text = f"net one {{\n  input 3x32x32\n  bn\n  {line}\n  relu\n}}\n\nnet two {{ input 3 }}\n"
    parsed = parse(Source("spec.arch", text))
    (found,) = parsed.diagnostics
    assert (found.span.source.position(found.span.start), found.message) == ((4, column), message)
    assert (help or "") in (found.help or "")
    one, two = parsed.file.definitions
    assert (one.name.text, two.name.text) == ("one", "two")
    assert isinstance(one.body.statements[0], tree.Input)


WHOLE_FILES = [
    ("net a {\n  input 3\n\nnet b {\n  input 3\n}\n", ["1:7 this `{` is never closed"]),
    ("net a {\n  input 3\n", ["1:7 this `{` is never closed"]),
    ("net a { input 3 }\n}\nnet b { input 3 }\n", ["2:1 nothing is open for this `}` to close"]),
    ("net a\n{\n  input 3\n}\n", ["1:6 `{` stands on a line of its own"]),
    ("net {\n  input 3\n}\n", ["1:5 `{` cannot follow `net`"]),
    ("net a(n {\n  input 3\n}\nnet b { input }\n", ["1:6 this `(` is never closed"]),
    ("block a(c: int) { relu }\n", ["1:10 `:` cannot follow `c`"]),
    ("block a takes { relu }\n", ["1:15 `{` cannot follow `takes`"]),
    ("conv 3 -> relu\nconv 4\nnet a { input 3 }\n", ["1:1 `conv` cannot begin a definition"]),
    ("import a\nnet a { input 3 }\n", ["1:1 `import` cannot begin a definition"]),
    ("use a\n", ["1:6 `,` or `from` is missing after `a`"]),
    ("use a", ["1:6 `,` or `from` is missing after `a`"]),
    ('use a, from "x"\n', ["1:8 a name is missing before `from`"]),
    ("use a from x\n", ["1:12 `x` cannot follow `from`"]),
    ("net a { input 3 } -> relu\n", ["1:19 `->` cannot follow `}`"]),
    ("net a {\n  conv 3 ->\n  ## why\n  relu\n}\n", ["3:3 a doc comment (`##`) cannot follow `->`"]),
    (
        "let a = \nnet b {\n  input 3 3\n  ( relu | )\n  conv(3) = 4\n  bn\n  if { }\n}\nlet net = 3\nuse c from 4\n",
        [
            f"1:8 {VALUE} is missing after `=`",
            "3:11 `3` cannot follow `3`",
            "4:10 nothing stands behind this `|`",
            "5:11 `=` cannot follow `)`",
            "7:6 `{` cannot follow `if`",
            "9:5 `net` is a word of the language and cannot be a name",
            "10:12 `4` cannot follow `from`",
        ],
    ),
    (
        "net a {\n  (relu\n  bn ) )\n}\nnet b {\n  conv [1, 2\n}\nnet c {\n  let = 3\n}\n",
        [
            "3:8 nothing is open for this `)` to close",
            "6:8 this `[` is never closed",
            "9:7 `=` cannot follow `let`",
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), WHOLE_FILES, ids=range(len(WHOLE_FILES)))
def test_every_mistake_of_a_file_is_reported_in_order(text, expected):
    found = [(d.span.source.position(d.span.start), d.message) for d in parse(Source("s", text)).diagnostics]
    assert [f"{line}:{column} {message}" for (line, column), message in found] == expected


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.name)
def test_the_invalid_files_say_where_they_are(path):
    """A comment `#! message` stands at the end of each line in which something is wrong."""
    text = path.read_text(encoding="utf-8")
    wanted = [(number, line.split("#! ")[1]) for number, line in enumerate(text.split("\n"), 1) if "#! " in line]
    assert [(d.span.line, d.message) for d in parse(Source(path.name, text)).diagnostics] == wanted


def test_what_is_right_beside_a_mistake_is_kept():
    parsed = parse(Source("s", "net a {\n  input 3x8x8\n  conv 3 = 4\n  relu as r\n}\nnet b = a(3)\n"))
    net, variant = parsed.file.definitions
    assert [type(s) for s in net.body.statements] == [tree.Input, tree.Mistake, tree.Line]
    assert isinstance(variant, tree.Variant)


def test_a_mistake_covers_the_statement_it_stands_for():
    text = "net a {\n  conv 3 -> (relu | bn) = 4\n}\n"
    (mistake,) = parse(Source("s", text)).file.definitions[0].body.statements
    assert text[mistake.start : mistake.end].rstrip() == "conv 3 -> (relu | bn) = 4"
