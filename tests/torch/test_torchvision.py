"""The networks that ship in other sizes than published, and against ones written by hand.

tests/torchvision compares them with torchvision's own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from handwritten import LeNet5, UNet, simplecnn_a, simplecnn_b, simplecnn_c, simplecnn_d
from torch import nn

import archdsl


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
