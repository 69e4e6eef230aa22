"""No text makes the reader fail, or take long: it gives a tree or says what is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archdsl import limits
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.formatter import format_text
from archdsl.syntax.parser import parse
from tests.work import calls

from .corpora import VALID, shipped

N = 30_000
TEXTS = [path.read_text(encoding="utf-8") for path in [*VALID, *shipped()]]
CHARACTERS = st.sampled_from("()[]{}|->:=,.x3aN \n\t\r\"'#;\0\ud800é") | st.characters()


def read(text):
    """Parses, and works on the tree as later phases do."""
    parsed = parse(Source("spec.arch", text))
    assert parsed.file == parsed.file
    hash(parsed.file)
    repr(parsed.file)
    for diagnostic in parsed.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text)
        assert diagnostic.message
        assert diagnostic.message.isprintable()
        assert diagnostic.help is None or diagnostic.help.isprintable()
    return parsed


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_an_edit_of_one_character_gives_a_tree_or_diagnostics(data):
    text = data.draw(st.sampled_from(TEXTS))
    at = data.draw(st.integers(0, len(text) - 1))
    kept = data.draw(st.sampled_from([0, 1]))
    edited = text[:at] + data.draw(st.just("") | CHARACTERS) + text[at + kept :]
    parsed = read(edited)
    formatted = format_text(Source("spec.arch", edited))
    if parsed.diagnostics:
        assert formatted is None
    else:
        assert formatted is not None
        assert parse(Source("spec.arch", formatted)).file == parsed.file
        assert format_text(Source("spec.arch", formatted)) == formatted


@given(st.lists(CHARACTERS | st.sampled_from(["net n {", " -> ", "if ", "else ", " as ", "let ", "block "])))
@settings(max_examples=200, deadline=None)
def test_any_text_gives_a_tree_or_diagnostics(parts):
    read("".join(parts))


@given(st.lists(st.sampled_from(sorted({word for text in TEXTS for word in text.split(" ")})), max_size=40))
@settings(max_examples=300, deadline=None)
def test_any_row_of_words_gives_a_tree_or_diagnostics(words):
    read(" ".join(words))


def let(value):
    return f"let v = {value}\n"


def body(line):
    return f"net n {{\n  input 3\n  {line}\n}}\n"


BOMBS = {
    "parentheses": ("(" * 1_000_000, "too-deep"),
    "closing": (")" * 1_000_000, "unopened"),
    "closing, apart": (") " * N, "unopened"),
    "brackets": (let("[" * N), "too-deep"),
    "braces": (body("{" * N), "too-deep"),
    "repeats": (body("relu" + " x2" * N), "too-deep"),
    "names": (body("relu" + " as a" * N), "too-deep"),
    "checks": (body("relu" + " : 3" * N), "too-deep"),
    "negations": (let("-" * N + "1"), "too-deep"),
    "nots": (let("not " * N + "yes"), "too-deep"),
    "a sum": (let("1" + "+1" * N), "too-deep"),
    "attributes": (let("a" + ".b" * N), "too-deep"),
    "indices": (let("a" + "[0]" * N), "too-deep"),
    "else if": (body("if a { b } " + "else if a { b } " * N), "too-deep"),
    "brackets and attributes": (let("a[" * 99 + "b" + ("]" + ".c" * 90) * 99), "too-deep"),
    "parentheses and sums": (let("(" * 99 + "1" + ("+1" * 90 + ")") * 99), "too-deep"),
    "groups and labels": (body("(" * 90 + "a" + (" as b" * 90 + ")") * 90), "too-deep"),
    "unclosed nets": ("net n {\n" * N, "unclosed"),
    "not a number": ("\0" * 1_000_000, "stray-character"),
    "strays": ("; \n" * N, "stray-character"),
    "quotes": ('"\n' * N, "stray-character"),
    "surrogates": ("\ud800" * 1000, "stray-character"),
    "a long size": (let("1x" * N + "3_"), "stray-character"),
    "digits": (let("1" * 1_000_000), "bad-number"),
    "decimals": (let("1." + "1" * 1_000_000), "bad-number"),
    "a scaled number": (let("1" + "0" * 21 + "T"), "bad-number"),
    "an exponent": (let("1e99999999999999999999"), "bad-number"),
    "extents": (let("1" * N + "x3"), "bad-number"),
    "errors": (body("conv 3 3) = 4\n" * N), "unopened"),
    "arrows": (body("-> " * N), "syntax"),
    "carriage returns": (body("relu").replace("\n", "\r"), "stray-character"),
    "a comment and a carriage return": ("# why\rnet n { input 3 }", "stray-character"),
    "too much": (" " * (limits.FILE_CHARACTERS + 1), "too-large"),
}


@pytest.mark.parametrize(("text", "code"), BOMBS.values(), ids=BOMBS)
def test_bombs_are_refused_quickly(text, code):
    diagnostics = read(text).diagnostics
    assert diagnostics
    assert diagnostics[0].code == code
    assert len(diagnostics) <= 2 * limits.PROBLEMS + 2


HARMLESS = {
    "nothing": "",
    "CRLF": body("relu # why").replace("\n", "\r\n"),
    "a byte order mark": "\ufeff" + body("relu"),
    "tabs": body("\trelu\t->\trelu"),
    "a long name": let("a" * 1_000_000),
    "a tiny number": let("1e-99999999999999999999999"),
    "documentation": "## a\n" * N + "## " + "x" * 100_000,
    "a chain": body("relu" + " -> relu" * N),
    "arguments": body("conv" + " 1" * N),
    "definitions": let("1") * N,
    "nested groups": body("(" * 60 + "relu" + ")" * 60),
    "a label": body("relu as a" + "{i}" * N),
}


@pytest.mark.parametrize("text", HARMLESS.values(), ids=HARMLESS)
def test_what_is_merely_long_is_read(text):
    assert read(text).diagnostics == ()


def test_no_tree_nests_deeper_than_the_limit():
    for depth in range(40, limits.NESTING + 1):
        parsed = parse(Source("s", body("(" * depth + "relu" + ")" * depth)))
        assert height(parsed.file) <= limits.TREE_DEPTH + 1
        assert (depth <= 90) <= (parsed.diagnostics == ())


def height(node):
    children = [getattr(node, name) for name in node.__match_args__[2:]]
    children = [c for child in children for c in (child if isinstance(child, tuple) else [child])]
    return 1 + max((height(child) for child in children if isinstance(child, tree.Node)), default=0)


def test_line_ends_and_marks_do_not_change_the_tree():
    plain = parse(Source("s", body("relu # why"))).file
    assert parse(Source("s", HARMLESS["CRLF"])).file == plain
    assert parse(Source("s", HARMLESS["a byte order mark"])).file == plain


@pytest.mark.parametrize("rows", ["  [1, 20, 3], # a\n", "  max(1, 2),\n", "\n", "  # why\n"])
def test_formatting_takes_work_in_proportion(rows):
    def work(count):
        source = Source("s", "let t = [\n" + rows * count + "]\n")
        assert format_text(source) is not None
        return calls(lambda: format_text(source))

    assert work(2000) < 5 * work(500)
