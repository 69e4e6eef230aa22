"""The networks that ship against those that others wrote: torchvision's own, and ones written by hand."""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from handwritten import LeNet5, UNet, simplecnn_a, simplecnn_b, simplecnn_c, simplecnn_d
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.torch.vision import import_torchvision

import_torchvision()

from torchvision import models  # noqa: E402

RESNETS = ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152")
AFTER_RESNET = ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "wide_resnet50_2", "wide_resnet101_2")
VGGS = tuple(f"vgg{depth}{norm}" for depth in (11, 13, 16, 19) for norm in ("", "_bn"))
NETS = ("alexnet", *VGGS, *RESNETS, *AFTER_RESNET)

each_net = pytest.mark.parametrize("name", NETS)


@pytest.fixture(autouse=True)
def _one_model_at_a_time() -> Iterator[None]:
    yield
    gc.collect()


def theirs(name: str) -> nn.Module:
    """torchvision's network in eval mode, with weights and statistics that keep activations in range."""
    with torch.device("meta"):
        model = models.get_model(name, weights=None)
    model.to_empty(device="cpu")
    torch.manual_seed(0)
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif tensor.ndim == 1:
            tensor.uniform_(0.2, 1.0) if key.endswith("weight") else tensor.uniform_(-0.1, 0.1)
        else:
            bound = math.sqrt(6 / tensor[0].numel())
            tensor.uniform_(-bound, bound)
    return model.eval()


def ours(name: str, **arguments: Any) -> nn.Module:
    """The spec's network, on the meta device: the weights come from theirs."""
    with torch.device("meta"):
        return archdsl.load(name, **arguments).compile()


def test_every_shipped_network_that_torchvision_has_is_compared_here() -> None:
    assert set(archdsl.shipped_networks()) & set(models.list_models(module=models)) == set(NETS)


@each_net
def test_parameters_and_multiplications_are_those_of_the_published_weights(name: str) -> None:
    totals = archdsl.load(name).report().totals
    for weights in models.get_model_weights(name):
        assert totals.parameters == weights.meta["num_params"]
        assert totals.macs is not None
        assert round(totals.macs / 1e9, 3) == weights.meta["_ops"]


@each_net
def test_their_weights_load_as_they_are_and_give_the_same_bits(name: str) -> None:
    """At 64x64, since only the counts depend on the size: both pool adaptively before the dense layers."""
    reference = theirs(name)
    model = ours(name).eval()
    assert list(model.state_dict()) == list(reference.state_dict())
    model.load_state_dict(reference.state_dict(), strict=True, assign=True)
    image = torch.rand(2, 3, 64, 64)
    with torch.inference_mode():
        expected, given = reference(image), model(image)
    assert expected.isfinite().all()
    assert expected.std() > 1e-3
    assert torch.equal(given, expected)


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "alexnet"])
def test_a_training_step_gives_the_same_gradients_and_statistics(name: str) -> None:
    reference = theirs(name).train()
    model = archdsl.load(name).compile()
    model.load_state_dict(reference.state_dict(), strict=True)
    image, label = torch.rand(2, 3, 64, 64), torch.tensor([3, 900])
    results = []
    for each in (reference, model):
        torch.manual_seed(1)  # the same dropout
        loss = nn.functional.cross_entropy(each.train()(image), label)
        loss.backward()
        results.append(loss)
    assert torch.equal(*results)
    gradients = {key: p.grad for key, p in reference.named_parameters()}
    for key, parameter in model.named_parameters():
        torch.testing.assert_close(parameter.grad, gradients[key], rtol=1e-5, atol=1e-7, msg=key)
    buffers = dict(reference.named_buffers())
    for key, buffer in model.named_buffers():
        torch.testing.assert_close(buffer, buffers[key], msg=key)


class Recorded(TorchDispatchMode):
    """Every operator that runs, with the shapes, strides and numbers that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[object] = []

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        self.operators.append((operator, described(arguments), [(key, described(options[key])) for key in options]))
        return operator(*arguments, **options)


def described(given: Any) -> object:
    if isinstance(given, torch.Tensor):
        return given.shape, given.stride(), given.dtype
    if isinstance(given, list | tuple):
        return tuple(map(described, given))
    return given if isinstance(given, int | float | str | None) else type(given)


@each_net
def test_a_training_step_runs_the_same_operators_one_by_one(name: str) -> None:
    """Forward, backward and the optimizer: so a step takes what theirs takes."""
    runs = []
    with torch.device("meta"):
        for model in (models.get_model(name, weights=None), ours(name)):
            optimizer = torch.optim.SGD(model.train().parameters(), lr=0.1, momentum=0.9)
            image, label = torch.empty(2, 3, 64, 64), torch.empty(2, dtype=torch.long)
            with Recorded() as run:
                nn.functional.cross_entropy(model(image), label).backward()
                optimizer.step()
            runs.append(run.operators)
    reference, given = runs
    assert len(given) > 3 * len(list(model.parameters()))
    assert given == reference


@pytest.mark.parametrize("name", ["resnet18", "wide_resnet50_2", "vgg16_bn"])
def test_another_number_of_classes_changes_the_last_layer_alone(name: str) -> None:
    few, many = (archdsl.load(name, classes=n).report() for n in (10, 1000))
    changed = [a.path for a, b in zip(few.layers, many.layers, strict=True) if a.parameters != b.parameters]
    assert changed == [few.layers[-1].path]


def test_resnet50_with_ten_classes_has_the_parameters_of_the_documents() -> None:
    report = archdsl.load("resnet50", classes=10).report()
    assert report.totals.parameters == 23_528_522
    assert report.layers[-1].parameters == 20_490


# ---------------------------------------------------------------- written by hand


def conv(before: int, after: int, kernel: int) -> int:
    return after * (before * kernel**2 + 1)


def dense(before: int, after: int) -> int:
    return after * (before + 1)


def unet_parameters(channels: int, width: int, classes: int, norm: bool) -> int:
    """Each level's two convolutions down and up, the transposed convolutions, and the mask."""
    widths = [width * 2**level for level in range(5)]
    doubles = [*zip([channels, *widths], widths, strict=False), *((2 * w, w) for w in widths[:4])]
    per_channel = 4 if norm else 0  # scale and shift, twice
    convolutions = sum(conv(a, b, 3) + conv(b, b, 3) + per_channel * b for a, b in doubles)
    return convolutions + sum(conv(2 * w, w, 2) for w in widths[:4]) + conv(width, classes, 1)


STAGES = conv(3, 32, 3) + conv(32, 64, 3)
HANDWRITTEN: dict[str, tuple[dict[str, Any], Callable[[], nn.Module], tuple[int, ...], int]] = {
    "lenet5": (
        {},
        LeNet5,
        (1, 32, 32),
        conv(1, 6, 5) + conv(6, 16, 5) + conv(16, 120, 5) + dense(120, 84) + dense(84, 10),
    ),
    "simplecnn_a": (
        {},
        simplecnn_a,
        (3, 32, 32),
        STAGES + conv(64, 128, 3) + 2 * (32 + 64 + 128) + dense(128, 10),
    ),
    "simplecnn_b": (
        {},
        simplecnn_b,
        (3, 32, 32),
        STAGES + conv(64, 128, 3) + 2 * (32 + 64 + 128) + dense(2048, 256) + dense(256, 10),
    ),
    "simplecnn_c": (
        {},
        simplecnn_c,
        (3, 32, 32),
        STAGES + conv(64, 128, 3) + dense(2048, 256) + dense(256, 10),
    ),
    "simplecnn_d": ({}, simplecnn_d, (3, 32, 32), STAGES + dense(4096, 256) + dense(256, 10)),
    "unet": ({"c": 8}, lambda: UNet(3, 2, 8, padded=True), (3, 48, 80), unet_parameters(3, 8, 2, norm=True)),
    "unet_valid": ({"c": 4}, lambda: UNet(1, 2, 4, padded=False), (1, 572, 572), unet_parameters(1, 4, 2, norm=False)),
}


@pytest.mark.parametrize("name", HANDWRITTEN)
def test_a_network_equals_one_that_is_written_by_hand(name: str) -> None:
    arguments, write, shape, parameters = HANDWRITTEN[name]
    net = archdsl.load(name, **arguments)
    torch.manual_seed(0)
    reference, model = write(), net.compile()
    assert net.report().totals.parameters == parameters == sum(p.numel() for p in reference.parameters())

    # Both register what they hold in the order in which it runs, so that the names pair up.
    weights = reference.state_dict()
    renamed = dict(zip(model.state_dict(), weights.values(), strict=True))
    model.load_state_dict(renamed, strict=True)
    image = torch.rand(2, *shape)
    for mode in (True, False):  # train first, so that the statistics of batch normalization are not the fresh ones
        results = []
        for each in (reference, model):
            torch.manual_seed(1)
            results.append(each.train(mode)(image))
        assert torch.equal(*results)
    if name == "unet_valid":
        assert results[1].shape[2:] == (388, 388)


def test_full_size_unets_have_the_parameters_of_the_formula() -> None:
    assert archdsl.load("unet").report().totals.parameters == unet_parameters(3, 64, 2, norm=True)
    assert archdsl.load("unet_valid").report().totals.parameters == unet_parameters(1, 64, 2, norm=False) == 31_030_658
