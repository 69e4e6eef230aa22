"""Biases before a normalisation, batch norms of nothing, dropout before batch norm: against torch."""

from __future__ import annotations

import pytest
import torch

from .helpers import finds, net, one

CODE = "bias-before-norm"

# ---------------------------------------------------------------- bias-before-norm

VOID = {
    "conv": ("conv 8 k3 -> bn -> relu", "3x9x9"),
    "signal": ("conv 8 k3 -> bn -> relu", "3x16"),
    "volume": ("conv 8 k3 -> bn -> relu", "3x5x5x5"),
    "grouped": ("conv 6 k3 g3 -> bn -> relu", "3x9x9"),
    "upconv": ("upconv 8 k4 s2 -> bn -> relu", "3x5x5"),
    "fc": ("fc 8 -> bn -> relu", "12"),
    "pointwise": ("pointwise 8 -> bn -> relu", "3x5x5"),
    "instance norm": ("conv 8 k3 -> instancenorm -> relu", "3x9x9"),
    "instance norm that tracks": ("conv 8 k3 -> instancenorm affine=yes track=yes -> relu", "3x9x9"),
    "groups of one": ("conv 8 k3 -> groupnorm 8 -> relu", "3x9x9"),
    "pooled": ("conv 8 k3 -> pool 3 s2 p1 -> bn -> relu", "3x9x9"),
    "mean": ("conv 8 k3 -> avgpool 2 -> bn -> relu", "3x9x9"),
    "mean without padding": ("conv 8 k3 -> avgpool 3 s2 p1 count_include_pad=no -> bn -> relu", "3x9x9"),
    "upsampled": ("conv 8 k3 -> upsample 2 mode=bilinear -> bn -> relu", "3x9x9"),
    "cropped": ("conv 8 k3 -> crop 1 -> bn -> relu", "3x9x9"),
    "two norms": ("conv 8 k3 as x -> bn -> relu as y\nx -> bn -> relu as z\n(y | z) -> add", "3x9x9"),
    "without statistics": ("conv 8 k3 -> bn track=no -> relu", "3x9x9"),
}
COUNTS = {
    "no bias": ("conv 8 k3 bias=no -> bn -> relu", "3x9x9"),
    "activation between": ("conv 8 k3 -> relu -> bn", "3x9x9"),
    "groups": ("conv 8 k3 -> groupnorm 4 -> relu", "3x9x9"),
    "layer norm": ("conv 8 k3 -> layernorm -> relu", "3x9x9"),
    "root mean square": ("conv 8 k3 -> rmsnorm -> relu", "3x9x9"),
    "mean with padding": ("conv 8 k3 -> avgpool 3 s2 p1 -> bn -> relu", "3x9x9"),
    "padded": ("conv 8 k3 -> pad 1 -> bn -> relu", "3x9x9"),
    "read by another": ("conv 8 k3 as x -> bn -> relu as y\n(x | y) -> add", "3x9x9"),
    "a result": ("conv 8 k3 as x -> bn -> relu as y\noutput x, y", "3x9x9"),
    "last": ("conv 8 k3", "3x9x9"),
}


@pytest.mark.parametrize("name", VOID)
def test_a_bias_that_a_norm_takes_away_is_found(name: str) -> None:
    assert finds(CODE, *VOID[name])


@pytest.mark.parametrize("name", COUNTS)
def test_a_bias_that_counts_is_not_found(name: str) -> None:
    assert not finds(CODE, *COUNTS[name])


def gradient_of_the_bias(body: str, shape: str) -> float:
    """The largest gradient of the first layer's bias in training, relative to that of its weights."""
    torch.manual_seed(0)
    module = net(body, shape).compile().double().train()
    x = torch.randn(4, *map(int, shape.split("x")), dtype=torch.float64)
    result = module(x)
    results = result if isinstance(result, tuple) else (result,)
    loss = sum((y * torch.randn_like(y)).sum() for y in results)
    assert isinstance(loss, torch.Tensor)
    loss.backward()
    bias = next(p for name, p in module.named_parameters() if name.endswith("bias"))
    weight = next(p for name, p in module.named_parameters() if name.endswith("weight"))
    assert bias.grad is not None
    assert weight.grad is not None
    return float(bias.grad.abs().max() / weight.grad.abs().max())


@pytest.mark.parametrize("name", VOID)
def test_a_bias_that_is_found_has_no_gradient(name: str) -> None:
    assert gradient_of_the_bias(*VOID[name]) < 1e-9


@pytest.mark.parametrize("name", [name for name in COUNTS if name != "no bias"])
def test_a_bias_that_is_not_found_has_one(name: str) -> None:
    assert gradient_of_the_bias(*COUNTS[name]) > 1e-4


@pytest.mark.parametrize("body", ["conv 8 k3{} -> bn -> relu", "conv 8 k3{} -> pool 2 -> bn -> relu"])
def test_without_it_a_network_computes_the_same_in_training(body: str) -> None:
    torch.manual_seed(0)
    one, other = (net(body.format(bias), "3x9x9").compile().double().train() for bias in ("", " bias=no"))
    weights = one.state_dict()
    other.load_state_dict({name: value for name, value in weights.items() if name in other.state_dict()})
    assert set(weights) - set(other.state_dict()) == {"conv1.bias"}
    x = torch.randn(2, 3, 9, 9, dtype=torch.float64)
    torch.testing.assert_close(one(x), other(x))


def test_a_trained_network_keeps_its_results_as_the_page_says() -> None:
    """The bias is subtracted from the running mean, and left out."""
    torch.manual_seed(0)
    one, other = (net(f"conv 8 k3{bias} -> bn -> relu", "3x9x9").compile().eval() for bias in ("", " bias=no"))
    weights = one.state_dict()
    weights["bn1.running_mean"] = torch.randn(8)
    one.load_state_dict(weights)
    bias = weights.pop("conv1.bias")
    weights["bn1.running_mean"] = weights["bn1.running_mean"] - bias
    other.load_state_dict(weights)
    x = torch.randn(2, 3, 9, 9)
    torch.testing.assert_close(one(x), other(x))


def test_a_shared_module_counts_with_all_its_uses() -> None:
    shared = "share e = conv 3 k3 p1\n"
    assert finds(CODE, shared + "e -> bn -> relu -> e -> bn -> relu")
    assert not finds(CODE, shared + "e -> bn -> relu -> e -> relu")


def test_a_block_has_one_finding_with_all_its_layers() -> None:
    finding = one(CODE, "part(4) x5", head="block part(c) { conv c k3 p1 -> bn -> relu }")
    assert finding.span.text == "conv c k3 p1"
    assert finding.notes[1:] == ("so in 5 layers: part1.conv1, part2.conv1, part3.conv1 and 2 more",)
    assert finding.fix is not None


def test_who_asks_for_sizes_alone_does_not_read_the_bias() -> None:
    assert finds(CODE, "conv 8 k3 as x -> bn -> relu -> pool 2 -> upsample like=x")


# ---------------------------------------------------------------- norm-of-one-position


def test_a_batch_norm_of_one_position_is_found_and_refused_by_torch() -> None:
    body = "gap -> conv 8 bias=no -> bn"
    assert finds("norm-of-one-position", body)
    with pytest.raises(ValueError, match="more than 1 value per channel"):
        net(body).compile().train()(torch.randn(1, 3, 32, 32))


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("conv 8 bias=no -> bn", "3x1x2"),
        ("gap -> conv 8 bias=no -> layernorm", "3x8x8"),
        ("fc 8 bias=no -> bn", "12"),
        ("conv 8 bias=no -> bn", "3xHxW"),
        ("gap -> conv 8 bias=no -> groupnorm 2", "3x8x8"),
    ],
)
def test_other_norms_are_not(body: str, input: str) -> None:
    assert not finds("norm-of-one-position", body, input)


# ---------------------------------------------------------------- dropout-before-norm


@pytest.mark.parametrize("word", ["dropout 0.5", "channel_dropout 0.1", "alpha_dropout 0.2"])
@pytest.mark.parametrize("between", ["", "conv 8 k3 bias=no -> ", "relu -> conv 8 -> relu -> pool 2 -> "])
def test_dropout_before_batch_norm_is_found_however_far(word: str, between: str) -> None:
    finding = one("dropout-before-norm", f"{word} -> {between}bn -> relu")
    assert "bn1" in finding.notes[1]


@pytest.mark.parametrize(
    "body",
    [
        "conv 8 bias=no -> bn -> relu -> dropout 0.5 -> conv 4",
        "dropout 0 -> conv 8 bias=no -> bn",
        "dropout 0.5 -> conv 8 bias=no -> bn track=no",
        "dropout 0.5 -> conv 8 -> layernorm",
        "(stochastic_depth 0.1 | id) -> add -> bn",
        "( conv 8 bias=no -> bn | conv 8 -> dropout 0.5 ) -> add",
    ],
)
def test_other_dropout_is_not(body: str) -> None:
    assert not finds("dropout-before-norm", body)


def test_dropout_makes_the_variance_of_training_larger() -> None:
    torch.manual_seed(0)
    module = net("dropout 0.5 -> bn", "3x64x64").compile()
    x = torch.randn(16, 3, 64, 64)
    for _ in range(100):
        module.train()(x)
    assert module.eval()(x).var() < 0.6, "it would be 1 without dropout"
