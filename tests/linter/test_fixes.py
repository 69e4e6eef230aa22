"""What `--fix` writes: the finding is gone, the rest is as it was, and nothing is left to fix."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

import archdsl
from archdsl.diagnostics import Fix
from archdsl.linter.lint import findings, fixable, fixed
from archdsl.linter.model import Options
from archdsl.linter.rules import RULES
from archdsl.source import Source, Span
from archdsl.syntax.formatter import format_text

from .helpers import ALL, found


def mended(text: str, unsafe: bool = False) -> str:
    network = archdsl.parse(text)
    assert not network.diagnostics, network.diagnostics
    return fixed(text, fixable(found(network), unsafe))


def spec(body: str, head: str = "") -> str:
    return f"{head}net a {{\n  input 3x9x9\n  {body}\n}}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("conv 8 k3 -> bn -> relu", "conv 8 k3 bias=no -> bn -> relu"),
        ("conv(8, k=3) -> bn -> relu", "conv(8, k=3, bias=no) -> bn -> relu"),
        ("conv(8) -> bn -> relu", "conv(8, bias=no) -> bn -> relu"),
        ("conv (4 + 4) k3 -> bn -> relu", "conv (4 + 4) k3 bias=no -> bn -> relu"),
        ("conv 8 k=(1 + 2) -> bn -> relu", "conv 8 k=(1 + 2) bias=no -> bn -> relu"),
        ("conv 8 k3 bias=yes -> bn -> relu", "conv 8 k3 bias=no -> bn -> relu"),
        ("conv(8, bias=yes, k=3) -> bn -> relu", "conv(8, bias=no, k=3) -> bn -> relu"),
        ("(conv 8 k3 -> bn -> relu) x2", "(conv 8 k3 bias=no -> bn -> relu) x2"),
        ("conv 8 k3 as c : 8x7x7 -> bn -> relu", "conv 8 k3 bias=no as c : 8x7x7 -> bn -> relu"),
        ("deconv 8 k4 s2 -> bn -> relu", "deconv 8 k4 s2 bias=no -> bn -> relu"),
        ("flatten -> linear 8 -> bn -> relu", "flatten -> linear 8 bias=no -> bn -> relu"),
        ("let b = yes\n  conv 8 k3 bias=b -> bn -> relu", None),
    ],
)
def test_a_bias_is_written_out_however_the_element_is_written(before: str, after: str | None) -> None:
    assert mended(spec(before)) == spec(after or before)


@pytest.mark.parametrize(
    "text",
    [
        spec("(part(8) -> relu) x3", "block part(c) { conv c k3 p1 -> bn }\n"),
        spec("conv 8 k3 -> bn -> relu -> pool 2 -> conv 8 -> bn -> relu"),
        spec("conv 8 k3 -> bn -> relu", "default conv bias=yes\n"),
        spec("share e = conv 3 k3 p1\n  e -> bn -> relu -> e -> bn -> relu"),
    ],
)
def test_a_fixed_network_is_the_same_but_for_the_bias(text: str) -> None:
    before, after = archdsl.parse(text), archdsl.parse(new := mended(text))
    assert not after.diagnostics
    assert not [each for each in found(after) if each.code == "bias-before-norm"]
    assert mended(new) == new
    assert format_text(Source("a", new)) == new
    gone = {f"{name}.bias" for name in ("conv1", "conv2", "e", "part1.conv1", "part2.conv1", "part3.conv1")}
    old_state, new_state = before.compile().state_dict(), after.compile().state_dict()
    assert set(old_state) - set(new_state) <= gone
    assert set(old_state) > set(new_state)
    assert [each.outputs for each in before.graph.applied] == [each.outputs for each in after.graph.applied]


def test_an_element_that_is_right_elsewhere_is_left_alone() -> None:
    head = "block part(c, norm) {\n  conv c k3 p1 -> if norm { bn } -> relu\n}\n"
    assert mended(spec("part(8, yes) -> part(8, yes)", head)) != spec("part(8, yes) -> part(8, yes)", head)
    assert mended(spec("part(8, yes) -> part(8, no)", head)) == spec("part(8, yes) -> part(8, no)", head)


def test_another_network_of_the_file_has_a_say() -> None:
    text = (
        "block part(norm) {\n  conv 8 k3 p1 -> if norm { bn } -> relu\n}\n"
        "net a {\n  input 3x8x8\n  part(yes)\n}\nnet b {\n  input 3x8x8\n  part(no)\n}\n"
    )
    both = [archdsl.parse(text, name).looked_at(ALL, Options()) for name in ("a", "b")]
    assert fixable(findings(both[:1])) != []
    (finding,) = findings(both)
    assert finding.fix is None
    assert finding.notes[-1] == "in the network a"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("gap -> flatten -> fc 8 -> softmax", "gap -> flatten -> fc 8"),
        ("conv 8 k9\n  -> softmax  # chances", "conv 8 k9  # chances"),
        ("conv 8 k9 -> softmax as p", None),
        ("conv 8 k9 -> softmax : 8x1x1", None),
        ("conv 8 k9\n  softmax", None),
        ("conv 8 k9 -> softmax -> flatten", "conv 8 k9 -> flatten"),
    ],
)
def test_a_softmax_is_taken_out_where_nothing_hangs_on_it(before: str, after: str | None) -> None:
    assert mended(spec(before), unsafe=True) == spec(after or before)
    assert mended(spec(before)) == spec(before), "it is another network"


def test_only_safe_fixes_are_made_unasked() -> None:
    text = "net a {\n  input 32x32x3\n  conv 8 k3 p1 -> bn -> relu -> softmax\n}\n"
    assert mended(text) == text.replace("p1", "p1 bias=no")
    assert mended(text, unsafe=True) == (
        text.replace("p1", "p1 bias=no").replace("32x32x3", "3x32x32").replace(" -> softmax", "")
    )
    assert {rule.fix for rule in RULES} == {None, "safe", "unsafe"}


@given(
    st.text("abc\n", max_size=12),
    st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12), st.text("xy", max_size=3))),
)
def test_edits_that_meet_do_not_mix(text: str, edits: list[tuple[int, int, str]]) -> None:
    source = Source("a", text)
    fixes = [Fix(Span(source, *sorted((min(a, len(text)), min(b, len(text))))), new) for a, b, new in edits]
    made, at = "", 0
    for start, end, new in sorted({(*fix.span[1:], fix.text) for fix in fixes}):
        if start >= at:
            made, at = made + text[at:start] + new, end
    assert fixed(text, fixes) == made + text[at:]
