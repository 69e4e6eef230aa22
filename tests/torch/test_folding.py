"""Norms and scales folded into the layers before them: what is folded, what is not, and that the network stays."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.lowering.folding import folded
from archdsl.network import Network
from tests.torch.small import distance, images, lived_in, small


def net(body: str, before: str = "", channels: str = "4x8x8") -> Network:
    found = archdsl.parse(f"{before}\nnet n {{\n  input {channels}\n  {body}\n}}\n", "n")
    assert found.diagnostics == ()
    return found


def pairs(network: Network) -> list[tuple[str, str]]:
    return [tuple(pair) for pair in folded(network.graph).pairs]


def check(network: Network, x: Tensor) -> nn.Module:
    """The folded module of a network, once it gives what the other does: to some roundings of float32."""
    module = lived_in(network.compile()).eval()
    found = network.compile(module, fold=True)
    with torch.no_grad():
        ours, theirs = found(x), module(x)
    ours, theirs = ([value] if isinstance(value, Tensor) else list(value) for value in (ours, theirs))
    assert len(ours) == len(theirs)
    for one, other in zip(ours, theirs, strict=True):
        if other is None:
            assert one is None
        else:
            assert distance(one, other) < 2e-5
    return found


# ---------------------------------------------------------------- what is folded


@pytest.mark.parametrize(
    ("body", "channels", "shape"),
    [
        ("conv 6 k3 -> bn", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 bias=no -> bn -> relu", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 groups=2 -> bn eps=0.01", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 p1 padding_mode=reflect -> bn", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 -> bn affine=no", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 -> bn", "4x9", (4, 9)),
        ("conv 6 k3 -> bn", "4x6x6x6", (4, 6, 6, 6)),
        ("upconv 6 k3 s2 -> bn", "4x8x8", (4, 8, 8)),
        ("upconv 6 k3 s2 bias=no -> bn", "4x8x8", (4, 8, 8)),
        ("pointwise 6 -> bn -> gelu", "4x8x8", (4, 8, 8)),
        ("fc 6 -> bn", "4", (4,)),
        ("fc 6 bias=no -> bn -> relu", "4", (4,)),
        ("conv 6 k3 init=kaiming -> bn", "4x8x8", (4, 8, 8)),
        ("(conv 6 k3 -> bn) as stem[] -> relu", "4x8x8", (4, 8, 8)),
        ("conv 6 k3 -> (bn) as norm[] -> relu", "4x8x8", (4, 8, 8)),
    ],
)
def test_the_layer_takes_the_norm_over(body: str, channels: str, shape: tuple[int, ...]) -> None:
    network = net(body, channels=channels)
    assert len(pairs(network)) == 1
    found = check(network, images(3, *shape))
    assert not [module for module in found.modules() if isinstance(module, nn.modules.batchnorm._NormBase)]


@pytest.mark.parametrize(
    ("body", "shape", "keys"),
    [
        ("pointwise 6 as f -> layer_scale as s -> gelu", (4, 8, 8), ["f.weight", "f.bias"]),
        ("conv 6 k3 bias=no as f -> layer_scale 0.5 as s", (4, 8, 8), ["f.weight"]),
        ("conv 6 k3 groups=2 as f -> layer_scale 0.5 as s", (4, 8, 8), ["f.weight", "f.bias"]),
        ("upconv 6 k3 s2 as f -> layer_scale 0.5 as s", (4, 8, 8), ["f.weight", "f.bias"]),
        ("fc 6 as f -> layer_scale 0.5 as s -> relu", (4,), ["f.weight", "f.bias"]),
        ("to_tokens -> fc 6 bias=no as f -> layer_scale 0.5 as s", (4, 8, 8), ["f.weight"]),
        ("conv 6 k3 bias=no as f -> bn as b -> layer_scale 0.5 as s", (4, 8, 8), ["f.weight", "f.bias"]),
        ("conv 6 k3 bias=no as f -> layer_scale 0.5 as s -> bn as b", (4, 8, 8), ["f.weight", "f.bias"]),
        ("(conv 6 k3 as f -> id) as a -> (layer_scale 0.5 as s) as b", (4, 8, 8), ["a.f.weight", "a.f.bias"]),
    ],
)
def test_the_layer_takes_the_scale_over(body: str, shape: tuple[int, ...], keys: list[str]) -> None:
    network = net(body, channels="x".join(map(str, shape)))
    assert list(check(network, images(3, *shape)).state_dict()) == keys


def test_a_scale_of_unequal_numbers_is_the_channels_own() -> None:
    network = net("conv 3 k1 as c -> layer_scale as s", channels="2x4x4")
    module = network.compile()
    with torch.no_grad():
        module.s.copy_(torch.tensor([1.0, -2.0, 0.25]).view(3, 1, 1))
    state = network.compile(module, fold=True).state_dict()
    assert torch.equal(state["c.weight"], module.c.weight * module.s.view(3, 1, 1, 1))
    assert torch.equal(state["c.bias"], module.c.bias * module.s.flatten())


def test_in_float16_a_scale_stays() -> None:
    network = net("conv 6 k3 as c -> bn as b -> layer_scale as s")
    assert list(network.compile(fold=True, dtype="float16").state_dict()) == ["s", "c.weight", "c.bias"]
    assert list(network.compile(fold=True, dtype="bfloat16").state_dict()) == ["c.weight", "c.bias"]


@pytest.mark.parametrize(
    "body",
    [
        "conv 4 k3 p1 as c -> layer_scale as s\n  s -> add c",
        "conv 4 k3 -> relu -> layer_scale",
        "upconv 4 k3 groups=2 -> layer_scale",
        "layer_scale -> conv 4 k3",
        "share s = layer_scale\n  conv 4 k3 -> s -> conv 4 k3 -> s",
    ],
)
def test_a_scale_stays_where_that_would_be_another_network(body: str) -> None:
    network = net(body)
    assert pairs(network) == []
    check(network, images(3, 4, 8, 8))


@pytest.mark.parametrize(
    "body",
    [
        "conv 6 k3 as c -> bn as b\n  c -> conv 6 k1 as d\n  b -> add d",
        "conv 6 k3 as c -> bn as b\n  output c, b",
        "conv 6 k3 -> bn track=no",
        "conv 6 k3 -> relu -> bn",
        "upconv 6 k3 groups=2 -> bn",
        "conv 6 k3 -> groupnorm 2",
        "bn -> conv 6 k3",
    ],
)
def test_it_does_not_where_that_would_be_another_network(body: str) -> None:
    network = net(body)
    assert pairs(network) == []
    check(network, images(3, 4, 8, 8))


def test_a_module_that_runs_twice_is_left_alone() -> None:
    network = net("share c = conv 4 k3 p1\n  share b = bn\n  c -> b -> relu -> c -> b")
    assert pairs(network) == []
    check(network, images(3, 4, 8, 8))


def test_a_frozen_norm_of_another_network_is_folded(tmp_path: Path) -> None:
    before = "net body {\n  input 3x16x16\n  conv 4 k3 as c -> bn as b -> relu -> conv 5 k3 as d -> bn as e\n}\n"
    network = net("body(freeze=[c, b], bn=frozen) as body", before, "3x16x16")
    assert pairs(network) == [("body.c", "body.b"), ("body.d", "body.e")]
    check(network, images(2, 3, 16, 16))


def test_outputs_when_training_are_still_there() -> None:
    network = net(
        "conv 6 k3 -> bn as a -> conv 5 k3 -> bn as b\n  a -> conv 2 -> bn as c\n  output b\n  output c when training"
    )
    found = check(network, images(3, 4, 8, 8))
    assert isinstance(found(images(3, 4, 8, 8)), Tensor)


@pytest.mark.parametrize(
    ("name", "size", "norms_left"),
    [
        ("resnet18", 64, 0),
        ("mobilenet_v3_small", 64, 0),
        ("shufflenet_v2_x0_5", 64, 0),
        ("googlenet", 64, 0),
        ("densenet121", 32, 62),  # those that stand before a convolution rather than behind it
        ("unet", 32, 0),
        ("convnext_tiny", 32, 0),
    ],
)
def test_networks_that_ship(name: str, size: int, norms_left: int) -> None:
    network = archdsl.load(name, input=f"3x{size}x{size}")
    found = check(network, images(2, 3, size, size))
    norms = [module for module in found.modules() if isinstance(module, nn.BatchNorm2d)]
    assert len(norms) == norms_left
    assert not [name for name, _ in found.named_parameters() if name.endswith("layer_scale")]


# ---------------------------------------------------------------- its numbers


def test_the_numbers_are_torchs_own_in_float64_rounded_once() -> None:
    network = net("conv 6 k3 as c -> bn as b")
    module = lived_in(network.compile()).eval()
    state = network.compile(module, fold=True).state_dict()
    expected = fuse_conv_bn_eval(module.c.double(), module.b.double())
    assert torch.equal(state["c.weight"], expected.weight.float())
    assert torch.equal(state["c.bias"], expected.bias.float())


def test_no_normalization_runs_any_more() -> None:
    seen: list[str] = []

    class Look(TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, arguments=(), options=None):  # type: ignore[no-untyped-def]
            seen.append(str(operator))
            return operator(*arguments, **(options or {}))

    network = small()
    for fold in (False, True):
        module = network.compile(fold=fold).eval()
        seen.clear()
        with Look(), torch.no_grad():
            module(images())
        assert any("batch_norm" in name for name in seen) is not fold


def test_all_other_tensors_keep_their_names() -> None:
    network = small()
    plain, found = (set(network.compile(fold=fold).state_dict()) for fold in (False, True))
    added = found - plain
    assert {re.sub(r"\.bias$", ".weight", key) for key in added} <= plain
    assert all(".bn" in key or key.startswith("bn") for key in plain - found)


# ---------------------------------------------------------------- the module


def test_a_folded_module_is_for_inference() -> None:
    found = small().compile(fold=True)
    assert not found.training
    assert not any(parameter.requires_grad for parameter in found.parameters())


def test_the_module_that_is_folded_stays_as_it_is() -> None:
    network = small()
    module = lived_in(network.compile())
    before = {key: value.clone() for key, value in module.state_dict().items()}
    found = network.compile(module, fold=True)
    for parameter in found.parameters():
        parameter.data.zero_()
    assert module.training
    assert all(parameter.requires_grad for parameter in module.parameters())
    assert all(torch.equal(value, module.state_dict()[key]) for key, value in before.items())


def test_its_source_can_be_read() -> None:
    text = small().source(fold=True)
    assert "BatchNorm" not in text
    assert "bias=False" not in text
    assert text != small().source()
    assert small().source(fold=False) == small().source()


def test_a_network_without_norms_may_be_folded_too() -> None:
    network = net("conv 6 k3 -> relu")
    module = network.compile()
    found = network.compile(module, fold=True)
    x = images(2, 4, 8, 8)
    assert torch.equal(found(x), module(x))
