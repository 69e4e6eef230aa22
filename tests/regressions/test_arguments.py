"""Arguments of variants and from outside, and values where numbers are meant."""

from __future__ import annotations

import pytest

import archdsl
from tests.language.specs import codes

PLAIN = "net plain(n, m=5) {\n  input 8\n  fc n -> fc m\n}\n"


def test_a_variant_with_an_argument_too_many_is_refused() -> None:
    assert codes(PLAIN + "net a = plain(1, 2, 3)\n") == ["extra-argument"]


def test_a_variant_of_a_variant_counts_places_from_the_first() -> None:
    net = archdsl.parse(PLAIN + "net a = plain(1, 2)\nnet b = a(7)\n")
    assert [layer.output for layer in net.report().layers] == [(7,), (2,)]


def test_an_argument_given_twice_to_a_variant_is_refused() -> None:
    assert codes(PLAIN + "net a = plain(1, n=2)\n") == ["extra-argument"]


@pytest.mark.parametrize("use", ["conv v[0]", "conv len(v)", "conv max(v)", "conv sum(v) + 2"])
def test_a_value_that_flows_is_no_list(use: str) -> None:
    assert codes(f"net a {{\n  input 3x8x8\n  relu as v\n  {use}\n}}\n") == ["bad-expression"]


def test_a_value_that_flows_is_compared_with_nothing() -> None:
    text = "net a {\n  input 3x8x8\n  relu as v\n  if v == [1, 0] { tanh }\n  conv 3\n}\n"
    assert codes(text) == ["bad-expression"]


def test_a_loop_over_a_value_that_flows_is_refused() -> None:
    assert codes("net a {\n  input 3x8x8\n  relu as v\n  for x in v { conv 3 }\n}\n") == ["bad-expression"]


@pytest.mark.parametrize(
    ("number", "code"),
    [(float("nan"), "bad-argument"), (float("inf"), "bad-argument"), (1e300, "too-many-layers")],
)
def test_a_number_that_is_none_is_a_finding(number: float, code: str) -> None:
    assert codes("net a(c=1) {\n  input 8\n  relu x(c)\n}\n", c=number) == [code]
    assert codes("net a(c=1) {\n  input [8, c]\n  relu\n}\n", c=number) == ["bad-argument"]
