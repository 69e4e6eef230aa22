"""Linear layers in a row, and softmax at the end."""

from __future__ import annotations

import pytest
import torch

from .helpers import finds, net, one

CODE = "linear-after-linear"

ONE_WOULD_DO = [
    ("conv 8 k3 p1 -> conv 8 k3 p1", "3x8x8"),
    ("conv 8 k3 p1 bias=no -> bn -> conv 8 k3 p1", "3x8x8"),
    ("conv 8 k3 p1 -> avgpool 2 -> dropout 0.5 -> conv 4", "3x8x8"),
    ("conv 8 k3 p1 -> flatten -> fc 10", "3x8x8"),
    ("conv 16 -> gap -> flatten -> fc 10", "3x8x8"),
    ("fc 64 -> dropout 0.5 -> fc 10", "32"),
    ("fc 64 -> fc 10", "7x32"),
    ("upconv 8 k2 s2 -> conv 8 k3 p1", "8x4x4"),
    ("pointwise 8 -> conv 8 k3", "3x8x8"),
    ("conv 8 k3x1 -> conv 8 k3x1", "3x8x8"),
    ("conv 8 k3 -> conv 8 k1x3", "3x8x8"),
]
OTHERWISE = [
    ("conv 8 k3 p1 -> relu -> conv 8 k3 p1", "3x8x8"),
    ("conv 8 k3 p1 -> pool 2 -> conv 8 k3 p1", "3x8x8"),  # a maximum is not linear
    ("conv 8 k3 p1 -> layernorm -> conv 8", "3x8x8"),
    ("conv 8 k3 p1 -> groupnorm 2 -> conv 8", "3x8x8"),
    ("conv 8 k3 p1 g8 -> conv 16", "8x8x8"),  # separable
    ("conv 16 -> conv 16 k3 p1 g16", "8x8x8"),
    ("conv 4 -> conv 16", "8x8x8"),  # a bottleneck
    ("fc 8 -> fc 64", "64"),
    ("conv 8 k1x7 p0x3 -> conv 8 k7x1 p3x0", "8x8x8"),  # one kernel, in two
    ("conv 8 k3 p1 as x -> conv 8 k3 p1 as y\n(x | y) -> add", "3x8x8"),
    ("conv 8 k3 p1 as x -> conv 8 k3 p1 as y\noutput x, y", "3x8x8"),
    ("( conv 8 k3 p1 | conv 8 ) -> add -> conv 8", "3x8x8"),
    ("conv 8 k3 p1", "3x8x8"),
    ("conv 8 k8 s8 -> to_tokens -> class_token -> positions -> fc 8", "3x32x32"),
    ("conv 8 -> to_tokens -> attention 2 -> fc 8", "3x8x8"),
]


@pytest.mark.parametrize(("body", "input"), ONE_WOULD_DO)
def test_layers_that_one_would_replace_are_found(body: str, input: str) -> None:
    if input == "7x32":
        input = "tokens 7x32"
    finding = one(CODE, body, input)
    assert len(finding.labels) == 1


@pytest.mark.parametrize(("body", "input"), OTHERWISE)
def test_others_are_not(body: str, input: str) -> None:
    assert not finds(CODE, body, input)


@pytest.mark.parametrize(("body", "input"), [case for case in ONE_WOULD_DO if case[1] != "7x32"])
def test_what_is_found_is_linear(body: str, input: str) -> None:
    """In evaluation: f(x + y) + f(0) = f(x) + f(y)."""
    torch.manual_seed(0)
    module = net(body, input).compile().double().eval()
    x, y = torch.randn(2, 1, *map(int, input.split("x")), dtype=torch.float64)
    torch.testing.assert_close(module(x + y) + module(torch.zeros_like(x)), module(x) + module(y))


def test_a_repeat_of_one_layer_names_it_once() -> None:
    finding = one(CODE, "(conv 8 k3 p1) x3")
    assert finding.labels == ()
    assert finding.notes[-1] == "so in 2 layers: conv2, conv3"


# ---------------------------------------------------------------- softmax-output


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("fc 10 -> softmax", "32"),
        ("conv 10 -> softmax", "3x8x8"),
        ("conv 10 -> gap -> softmax -> flatten", "3x8x8"),
        ("fc 10 -> softmin", "32"),
        ("fc 10 as a -> softmax as b\noutput a, b", "32"),
        ("fc 10 -> softmax as side\nside -> fc 10 as main\noutput main\noutput side when training", "32"),
    ],
)
def test_a_softmax_that_is_a_result_is_found(body: str, input: str) -> None:
    assert finds("softmax-output", body, input)


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("fc 10 -> log_softmax", "32"),
        ("fc 10 -> sigmoid", "32"),
        ("fc 8 -> softmax -> fc 10", "32"),
        ("( conv 8 -> softmax | conv 8 ) -> mul", "3x8x8"),
    ],
)
def test_other_ends_are_not(body: str, input: str) -> None:
    assert not finds("softmax-output", body, input)


def test_with_a_softmax_the_loss_stays_away_from_zero() -> None:
    """The reason of the rule: even a network that is quite sure of the right class of ten has a loss of 1.46."""
    sure = torch.nn.functional.one_hot(torch.tensor([3]), 10).float()
    loss = torch.nn.CrossEntropyLoss()
    assert loss(sure, torch.tensor([3])) > 1.4
    assert loss(100 * sure, torch.tensor([3])) < 1e-6
