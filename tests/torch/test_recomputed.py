"""Blocks that the backward pass computes again: the same step with less kept, bit for bit."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ArchError
from archdsl.network import Network
from tests.torch.small import images, lived_in, small


def step(module: nn.Module, x: Tensor, times: int = 1) -> dict[str, Tensor]:
    """The gradients and the state after some steps forward and backward, with the same dropout each time."""
    torch.manual_seed(7)
    for _ in range(times):
        result = module(x)
        results = [result] if isinstance(result, Tensor) else [each for each in result if each is not None]
        sum(each.square().mean() for each in results).backward()  # type: ignore[union-attr]
    found = {f"gradient of {name}": p.grad for name, p in module.named_parameters() if p.grad is not None}
    return {**found, **{name: value.clone() for name, value in module.state_dict().items()}}


def same(ours: dict[str, Tensor], theirs: dict[str, Tensor]) -> None:
    assert list(ours) == list(theirs)
    for name, value in ours.items():
        assert torch.equal(value, theirs[name]), name


def kept(module: nn.Module, x: Tensor) -> int:
    """The bytes that autograd holds after a forward pass, each memory once."""
    held: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        held[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor.detach()  # itself, it would hold itself

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(x)
    del result
    return sum(held.values())


@pytest.mark.parametrize("how", [{}, {"dtype": "autocast"}, {"memory_format": "channels_last"}], ids=str)
def test_a_step_is_bit_equal_with_its_dropout_and_its_statistics(how: dict[str, Any]) -> None:
    plain = lived_in(small().compile())
    theirs, ours = small().compile(plain, **how), small().compile(plain, checkpoint=True, **how)
    same(step(ours, images(), times=3), step(theirs, images(), times=3))
    assert ours.unit1.bn1.num_batches_tracked == 3


@pytest.mark.parametrize(
    ("name", "size"), [("resnet18", 32), ("densenet121", 32), ("vit_b_16", 32), ("convnext_tiny", 32)]
)
def test_networks_that_ship(name: str, size: int) -> None:
    net = archdsl.load(name, input=f"3x{size}x{size}")
    plain = net.compile()
    x = images(2, 3, size, size)
    ours, theirs = step(net.compile(plain, checkpoint=True), x), step(plain, x)
    same(ours, theirs)


def test_less_is_kept() -> None:
    plain = small().compile()
    ours = kept(small().compile(plain, checkpoint=True), images())
    theirs = kept(plain, images())
    assert ours < theirs / 2


def test_a_norm_that_averages_all_batches_alike() -> None:
    """torch's `momentum=None` weighs by the number of batches, which must not rise when one runs again."""
    net = archdsl.parse(
        "block two(c) { conv c k3 p1 -> bn -> relu -> conv c k3 p1 -> instancenorm track=yes }\n"
        "net n {\n  input 3x8x8\n  two 4 -> two 4 -> gap -> flatten -> fc 2\n}",
        "n",
    )
    assert net.ok
    plain = net.compile()
    for norm in plain.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
    ours = net.compile(plain, checkpoint=True)
    for norm in ours.modules():
        if isinstance(norm, nn.BatchNorm2d):
            norm.momentum = None
    same(step(ours, images(4, 3, 8, 8), times=2), step(plain, images(4, 3, 8, 8), times=2))


def test_frozen_parts_stay_frozen() -> None:
    before = small().module.source.text
    net = archdsl.parse(
        f"{before}\nnet outer {{\n  input 3x16x16\n  small(freeze=[conv1, unit1], bn=affine) as body\n  relu\n}}",
        "outer",
    )
    assert net.diagnostics == ()
    assert net.units == ("body.unit1", "body.unit2", "body.unit3")
    plain = lived_in(net.compile())
    ours = net.compile(plain, checkpoint=True)
    statistics = ours.body.unit3.bn1.running_mean.clone()
    same(step(ours, images()), step(plain, images()))
    assert torch.equal(ours.body.unit3.bn1.running_mean, statistics)
    assert ours.body.unit1.conv1.weight.grad is None


def test_in_evaluation_and_without_gradients_nothing_is_different() -> None:
    plain = lived_in(small().compile())
    ours = small().compile(plain, checkpoint=True)
    same(step(ours.eval(), images()), step(plain.eval(), images()))
    with torch.no_grad():
        assert torch.equal(ours(images()), plain(images()))


def test_a_failing_backward_pass_leaves_the_statistics() -> None:
    module = small().compile(checkpoint=True)
    result = module(images())
    before = {name: value.clone() for name, value in module.state_dict().items()}

    def fail(module: nn.Module, inputs: Any) -> None:
        raise RuntimeError("on purpose")

    module.unit2.conv2.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="on purpose"):
        result.sum().backward()
    after = module.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(value, before[name]) for name, value in after.items())


def test_the_compiler_counts_a_batch_once_too() -> None:
    torch.compiler.reset()
    plain = small().compile()
    ours = small().compile(plain, checkpoint=True)
    ours.compile(fullgraph=True, backend="aot_eager")
    for module in (plain, ours):
        for each in module.modules():
            if isinstance(each, nn.Dropout):
                each.p = 0.0  # the compiler draws other random numbers
    theirs = step(plain, images())
    for name, value in step(ours, images()).items():
        assert torch.allclose(value, theirs[name], rtol=1e-4, atol=1e-6), name


def test_a_network_without_blocks_is_an_error_that_says_so() -> None:
    with pytest.raises(ArchError, match="n has none with at least two layers"):
        archdsl.parse("net n {\n  input 3x8x8\n  conv 4 -> relu -> conv 4\n}").compile(checkpoint=True)


def test_only_the_units_compute_again() -> None:
    text = small().source(checkpoint=True)
    assert text.count("    @recomputed\n") == 2  # the unit with a shortcut of its own, and that without
    assert "recomputed" not in small().source()


def test_a_unit_with_several_inputs_and_results() -> None:
    net = archdsl.parse(
        "block two(c) takes a, b {\n  ( a | b ) -> add -> conv c k3 p1 -> bn -> relu -> conv c k3 p1 as inner\n"
        "  inner -> relu as outer\n  ( inner | outer )\n}\n"
        "net n {\n  input 3x8x8\n  ( conv 4 | conv 4 ) -> two 4 -> two 4 -> cat -> conv 2 as r\n  r -> conv 3 as t\n"
        "  output r\n  output t when training\n}",
        "n",
    )
    assert net.diagnostics == ()
    assert net.units == ("two1", "two2")
    plain = net.compile(dtype="autocast")
    ours = net.compile(plain, dtype="autocast", checkpoint=True)
    same(step(ours, images(2, 3, 8, 8)), step(plain, images(2, 3, 8, 8)))
    torch.compiler.reset()
    ours.compile(fullgraph=True, backend="aot_eager")
    assert ours(images(2, 3, 8, 8))._fields == ("r", "t")
    assert ours.eval()(images(2, 3, 8, 8)).dtype == torch.float32


# ---------------------------------------------------------------- which they are


@pytest.mark.parametrize(
    ("name", "first", "count"),
    [
        ("resnet50", "layer1.0", 16),
        ("vit_b_16", "encoder.layers.encoder_layer_0", 12),
        ("convnext_tiny", "features.1.0", 18),
        ("efficientnet_b0", "features.1.0", 16),
        ("densenet121", "features.denseblock1.denselayer1", 58),
        ("swin_t", "features.1.0", 12),
        ("vgg11", None, 0),
    ],
)
def test_the_units_are_what_the_papers_count(name: str, first: str | None, count: int) -> None:
    units = archdsl.load(name).units
    assert len(units) == count
    assert first is None or units[0] == first


BLOCKS = """
block two(c) { conv c k3 p1 -> relu -> conv c k3 p1 }
block one(c) { conv c k3 p1 -> bn -> relu }
block stage(c) { conv c k1 -> two c -> two c }
block joined(c) { ( two c | two c ) -> add }
"""


def blocks(body: str) -> Network:
    found = archdsl.parse(f"{BLOCKS}\nnet n {{\n  input 3x8x8\n  {body}\n}}\n", "n")
    assert found.ok
    return found


@pytest.mark.parametrize(
    ("body", "units"),
    [
        ("two 4 -> two 4", ("two1", "two2")),
        ("one 4 -> one 4", ()),
        ("two 4", ("two1",)),
        ("stage 4 -> stage 4", ("stage1.two1", "stage1.two2", "stage2.two1", "stage2.two2")),
        ("joined 4 -> joined 4", ("joined1", "joined2")),
        ("joined 4", ("joined1.two1", "joined1.two2")),
        ("share again = two 3\n  again -> again -> two 3", ("two1",)),
        ("(two 4 -> two 4) as group[]", ("group.0", "group.1")),
    ],
)
def test_a_unit_is_a_block_and_no_stage_of_them(body: str, units: tuple[str, ...]) -> None:
    net = blocks(body)
    assert net.units == units
    modules = dict(net.compile().named_modules())
    assert set(units) <= set(modules)
