"""Memory over time, against what torch holds: every tensor of a run is tracked, and every one that autograd saves."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.cli.memory import size
from archdsl.errors import ArchError, SpecError
from archdsl.layers.tensor import Tensor
from archdsl.lowering.memory import OPTIMIZERS, inference, training
from archdsl.lowering.modules import planned
from archdsl.lowering.units import recomputed
from archdsl.network import Network
from archdsl.reports.memory import render
from tests.reports.tracker import Tracker, tensors

CONVOLUTIONAL = (
    "lenet5",
    "alexnet",
    "vgg11_bn",
    "resnet50",
    "densenet121",
    "googlenet_aux",
    "inception_v3",
    "mobilenet_v2",
    "efficientnet_b0",
    "shufflenet_v2_x1_0",
    "squeezenet1_1",
    "unet",
    "fcn_resnet50",
    "ssd300_vgg16",
    "r3d_18",
    "dcgan_generator",
)
"""Networks without attention, which torch computes otherwise on `meta` than on a device."""
BATCH = 3


def loaded(name: str) -> Network:
    network = archdsl.load(name)
    shapes = {port.name: port.tensor for port in network.graph.inputs}
    closed = {
        key: Tensor(x.kind, tuple(s if isinstance(s, int) else 64 for s in x.dims), x.vocabulary)
        for key, x in shapes.items()
    }
    return network if closed == shapes else network.at(closed).checked()


def inputs(network: Network, device: str) -> list[torch.Tensor]:
    return [
        torch.ones(BATCH, *map(int, port.tensor.dims), dtype=torch.int64 if port.tensor.vocabulary else None).to(device)
        for port in network.graph.inputs
    ]


def measured(network: Network, device: str, train: bool, checkpoint: bool = False) -> int:
    """The most that torch holds in one run, with the module itself and its input."""
    module, given = network.compile(checkpoint=checkpoint).to(device).train(train), inputs(network, device)
    for layer in module.modules():
        if isinstance(layer, nn.MultiheadAttention):
            layer.dropout = 0.0  # with it torch computes otherwise on a CPU than on a GPU
    with Tracker([*module.parameters(), *module.buffers(), *given]) as tracker, torch.set_grad_enabled(train):
        results = tensors(module(*given))
        if train:
            sum((result * 1).sum() for result in results).backward()  # type: ignore[union-attr]
    return tracker.peak


def peaks(network: Network, again: frozenset[str] = frozenset()) -> tuple[int, int]:
    """What we say of inference, and of training but for the optimizer."""
    plan = planned(network.graph)
    trained = training(plan, optimizer="sgd", device="cpu", recomputed=again)
    trained = trained._replace(moments=tuple(m for m in trained.moments if m.phase != "optimizer"))
    return inference(plan, device="cpu").peak(BATCH), trained.peak(BATCH)


@pytest.mark.parametrize("name", CONVOLUTIONAL)
def test_the_peak_is_what_torch_holds(name: str) -> None:
    """In training to 2%: torch adds two gradients in place, but not while it is tracked."""
    network = loaded(name)
    evaluated, trained = peaks(network)
    assert evaluated == pytest.approx(measured(network, "meta", train=False), rel=2e-4)
    assert trained == pytest.approx(measured(network, "meta", train=True), rel=0.02)


RECOMPUTED = ("resnet18", "resnet50", "densenet121", "efficientnet_b0", "mobilenet_v3_large", "unet", "convnext_tiny")


@pytest.mark.parametrize("name", RECOMPUTED)
def test_the_peak_where_blocks_are_computed_again(name: str) -> None:
    network = loaded(name)
    _, trained = peaks(network, recomputed(network.graph))
    assert trained == pytest.approx(measured(network, "meta", train=True, checkpoint=True), rel=0.02)


@pytest.mark.parametrize("name", ["vit_b_32", "swin_t", "swin_v2_t"])
def test_the_peak_with_attention(name: str) -> None:
    network = loaded(name)
    evaluated, trained = peaks(network)
    assert evaluated == pytest.approx(measured(network, "cpu", train=False), rel=0.01)
    assert trained == pytest.approx(measured(network, "cpu", train=True), rel=0.01)  # seconds each: so few of them


@pytest.mark.parametrize("name", [*CONVOLUTIONAL, "swin_t", "swin_v2_t", "maxvit_t", "convnext_tiny", "text_cnn"])
def test_what_waits_for_the_backward_pass_is_what_autograd_saves(name: str) -> None:
    compare_saved(loaded(name))


def compare_saved(network: Network, device: str = "meta") -> None:
    """To the byte, but for the statistics of a batch, which do not grow with it."""
    module, given = network.compile(weights=False).to(device).train(), inputs(network, device)
    own = {x.untyped_storage()._cdata for x in (*module.parameters(), *module.buffers())}
    saved: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> None:  # to hand on the tensor would make it hold itself, for ever
        storage = tensor.untyped_storage()
        if storage._cdata not in own:
            saved[storage._cdata] = storage

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda nothing: nothing):
        module(*given)
    graph = network.graph
    held, settled, _ = network.frozen
    kept = [(node.index, node.layer.keeps(*graph.inputs_of(node))) for node in graph.nodes if node.inputs]
    kept = [(at, each.frozen or each if at in held else each) for at, each in kept if at not in settled]
    statistics = sum(4 * each.statistics for _, each in kept)
    ours = sum(training(planned(graph), device="cpu").kept.values()) * BATCH + statistics
    assert ours == sum(storage.nbytes() for storage in saved.values())


FROZEN = ("resnet18", "densenet121", "efficientnet_b0", "convnext_tiny", "vit_b_32", "swin_t", "swin_v2_t", "maxvit_t")


def frozen(name: str, arguments: str) -> Network:
    """A network of which parts are frozen, behind a layer that trains: gradients flow through it all the same."""
    text = f"net outer {{\n  input 3x224x224\n  conv 3 k1\n  pretrained {name}({arguments}) as body\n  fc 10\n}}"
    return archdsl.parse(text, "outer").checked()


@pytest.mark.parametrize("arguments", ["freeze=yes", "bn=affine", "bn=frozen"])
@pytest.mark.parametrize("name", FROZEN)
def test_what_waits_where_parts_are_frozen_is_what_autograd_saves(name: str, arguments: str) -> None:
    compare_saved(frozen(name, arguments), "meta" if "swin" in name else "cpu")


def test_nothing_waits_in_front_of_what_trains() -> None:
    """Where no gradient flows, nothing is kept, and no memory is for gradients or an optimizer's state."""
    body = "pretrained resnet18(until=avgpool, freeze=yes) as body"
    net = archdsl.parse(f"net outer {{\n  input 3x224x224\n  {body}\n  flatten -> fc 10\n}}").checked()
    compare_saved(net, "cpu")
    report = net.memory(batch=4)
    assert report.saved == 4 * 512 * 4
    assert report.training.gradients <= 4 * 5130
    assert report.training.optimizer == 2 * 4 * 5130


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_holds_what_torchs_holds(name: str) -> None:
    """Its state, and what it needs for a moment: by torch's way for all parameters at once."""
    weights = [nn.Parameter(torch.ones(1000 + 10 * i)) for i in range(20)]
    made: Any = {
        "sgd": lambda: torch.optim.SGD(weights, 0.1, foreach=True),
        "momentum": lambda: torch.optim.SGD(weights, 0.1, momentum=0.9, foreach=True),
        "rmsprop": lambda: torch.optim.RMSprop(weights, 0.1, foreach=True),
        "adam": lambda: torch.optim.Adam(weights, 0.1, foreach=True),
        "adamw": lambda: torch.optim.AdamW(weights, 0.1, foreach=True),
    }[name]()
    for weight in weights:
        weight.grad = torch.ones_like(weight)
    made.step()
    numbers = sum(weight.numel() for weight in weights)
    state = [x for each in made.state.values() for x in each.values() if isinstance(x, torch.Tensor) and x.numel() > 1]
    assert sum(x.numel() for x in state) == OPTIMIZERS[name].state * numbers
    before = [*weights, *(weight.grad for weight in weights if weight.grad is not None), *tensors(made.state_dict())]
    with Tracker(before) as tracker:
        start = tracker.now
        made.step()
    assert (tracker.peak - start) // 4 == pytest.approx(OPTIMIZERS[name].scratch * numbers, abs=100)


SMALL = (
    "net n {{ input 3x{0}x{0}\n conv 8 k3 p1 -> bn -> relu -> (id | conv 8 k3 p1) -> add -> gap -> flatten -> fc 4 }}"
)


def test_the_largest_batch_fits_and_one_more_does_not() -> None:
    plan = planned(archdsl.parse(SMALL.format(32)).graph)
    blocks = planned(archdsl.load("resnet18").graph)
    again = recomputed(blocks.graph)
    for timeline in (inference(plan), training(plan), training(blocks, recomputed=again)):
        for budget in range(10_000, 3_000_000, 70_001):
            most = timeline.largest_batch(budget)
            assert most == 0 or timeline.peak(most) <= budget
            assert timeline.peak(most + 1) > budget


def test_by_hand() -> None:
    """conv: 3*8*9 + 8 = 224 numbers; relu overwrites what the convolution gives, and is what is kept."""
    network = archdsl.parse("net n { input 3x10x10\n conv 8 k3 p1 -> relu }")
    report = network.memory(batch=2, optimizer="adam")
    image, map_, weights = 2 * 300 * 4, 2 * 800 * 4, 224 * 4
    assert report.inference.peak == weights + image + map_
    assert report.saved == image + map_
    trained = report.training
    assert (trained.parameters, trained.optimizer, trained.buffers) == (weights, 2 * weights, 0)
    # On the way back: the result, its gradient and that before the relu; the image; then the weights' gradient.
    assert trained.peak == 3 * weights + image + 3 * map_
    assert (trained.phase, trained.layer) == ("backward", "relu1")
    half = network.memory(batch=2, optimizer="adam", dtype="bfloat16")
    assert 2 * half.training.peak == trained.peak


def test_a_map_kept_by_several_layers_is_held_once() -> None:
    plan = planned(archdsl.parse("net n { input 4x8x8\n conv 4 as c\n (c -> conv 4 | c -> conv 4) -> add }").graph)
    assert sum(training(plan).kept.values()) == 2 * 4 * 64 * 4  # the input, and c


def test_by_hand_where_a_block_is_computed_again() -> None:
    """Of the block, what flows in is kept; on the way back the first map of the two is there again, and the relu's."""
    body = "input 8x10x10\n conv 8 k3 p1 -> (b | id) -> add -> b"
    network = archdsl.parse(f"block b {{ conv 8 k3 p1 -> relu -> conv 8 k3 p1 }}\nnet n {{ {body} }}")
    map_ = 800 * 4
    report = network.memory(checkpoint=True)
    # The input of the first convolution, that of the first block, and that of the second.
    assert [(each.layer, each.bytes) for each in report.layers] == [("conv1", map_), ("b1", map_), ("b2", map_)]
    assert report.checkpoint
    assert network.memory().saved == report.saved + 2 * map_  # what a relu gives is a convolution's input
    assert "computed again" in render(report)


def test_without_blocks_there_is_nothing_to_compute_again() -> None:
    with pytest.raises(ArchError, match="none with at least two layers that multiply with a matrix"):
        archdsl.parse(SMALL.format(32)).memory(checkpoint=True)


def test_frozen_blocks_in_front_of_what_trains_keep_nothing() -> None:
    body = "pretrained resnet18(until=avgpool, freeze=yes) as body"
    net = archdsl.parse(f"net outer {{\n  input 3x64x64\n  {body}\n  flatten -> fc 10\n}}").checked()
    assert net.memory(batch=4, checkpoint=True).saved == 4 * 512 * 4


def test_what_only_training_needs_does_not_count_in_inference() -> None:
    plain = loaded("googlenet").memory()
    helped = loaded("googlenet_aux").memory()
    extra = helped.inference.parameters + helped.inference.buffers
    extra -= plain.inference.parameters + plain.inference.buffers
    assert extra > 0
    assert helped.inference.peak - extra == plain.inference.peak
    assert helped.saved > plain.saved


def test_a_budget_in_words() -> None:
    assert size("24GiB") == size("24 GiB") == size("24g") == 24 * 2**30
    assert size("24GB") == 24 * 10**9
    assert size("1.5M") == 3 * 2**19
    assert size("100") == size("100B") == 100


@pytest.mark.parametrize("text", ["", "GiB", "-1G", "1e9", "24 apples", "9" * 40, "1.2.3G"])
def test_what_is_no_budget(text: str) -> None:
    import typer

    with pytest.raises(typer.BadParameter):
        size(text)


def test_what_cannot_be_said_is_refused() -> None:
    network = archdsl.parse(SMALL.format(32))
    for wrong in ({"dtype": "float31"}, {"optimizer": "adamx"}, {"batch": 0}, {"batch": 10**9}):
        with pytest.raises(ArchError, match=r"choose from|a batch has"):
            network.memory(**wrong)  # type: ignore[arg-type]
    with pytest.raises(
        ArchError,
        match=re.escape(
            "the memory depends on H and W of image, 3xHxW, which are open; give a size: --input 3x224x224"
        ),
    ):
        archdsl.load("unet").memory()
    with pytest.raises(SpecError):
        archdsl.parse("net n { input 3x8x8\n conv 4 k99 }").memory()
