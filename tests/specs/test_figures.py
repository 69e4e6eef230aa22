"""The networks that torchvision does not have: their parameters against sums over the layers of the paper."""

from __future__ import annotations

from itertools import pairwise

import pytest

import archdsl


def conv(before: int, after: int, taps: int, bias: bool = True) -> int:
    return before * after * taps + after * bias


def fc(before: int, after: int) -> int:
    return before * after + after


def norm(*channels: int) -> int:
    return 2 * sum(channels)


def chain(widths: list[int], taps: int, bias: bool = False) -> int:
    """Convolutions one after the other."""
    return sum(conv(a, b, taps, bias) for a, b in pairwise(widths))


def separable(widths: list[int]) -> int:
    """For each step a 3x3 convolution of each channel, one of 1x1, and a normalization behind both."""
    return sum(9 * a + a * b + norm(a, b) for a, b in pairwise(widths))


def inverted(before: int, wide: int, after: int, taps: int) -> int:
    """An inverted residual, its widening left out where there is none."""
    widening = conv(before, wide, 1, bias=False) + norm(wide) if wide != before else 0
    return widening + taps * wide + norm(wide) + conv(wide, after, 1, bias=False) + norm(after)


def stages(rows: list[tuple[int, int, int, int]]) -> int:
    """Inverted residuals from 32 channels on: for each row the factor between, the window, the channels, how many."""
    total, before = 0, 32
    for factor, taps, after, count in rows:
        for _ in range(count):
            total += inverted(before, factor * before, after, taps)
            before = after
    return total


def gates(depths: list[int]) -> int:
    """Two dense layers in each bottleneck, with a sixteenth of its channels between them."""
    return sum(n * (fc(c, c // 16) + fc(c // 16, c)) for n, c in zip(depths, (256, 512, 1024, 2048), strict=True))


UNET = [64, 128, 256, 512, 1024]


def unet(before: int, norms: int) -> int:
    """Two 3x3 convolutions at each width on the way down; on the way up a 2x2 that doubles the size, then two again."""
    down = sum(chain([a, b, b], 9, bias=True) for a, b in pairwise([before, *UNET]))
    up = sum(conv(a, b, 4) + chain([a, b, b], 9, bias=True) for a, b in pairwise(UNET[::-1]))
    return down + up + conv(64, 2, 1) + norms


RESNETS = {50: ([3, 4, 6, 3], 25_557_032), 101: ([3, 4, 23, 3], 44_549_160), 152: ([3, 8, 36, 3], 60_192_808)}
"""The parameters are torchvision's."""
DARKNET = [3, 16, 32, 64, 128, 256, 512, 1024, 1024]
MOBILE = [32, 64, 128, 128, 256, 256, 512, 512, 512, 512, 512, 512, 1024, 1024]

LITE = [(1, 9, 16, 1), (6, 9, 24, 2), (6, 25, 40, 2), (6, 9, 80, 3), (6, 25, 112, 3), (6, 25, 192, 4), (6, 9, 320, 1)]

DETR = 41_302_368
"""What DETR's own code prints as its number of parameters when it trains: of those that it trains."""
NOT_TRAINED = 9_408 + 64 * 64 + 3 * (9 * 64 * 64 + 64 * 256) + 64 * 256 + 2 * 256 * 64 + 53_120
"""There: the first convolution and stage, and all of the 53 normalizations, whose statistics are frozen."""

SUMS = {
    "efficientnet_lite0": conv(3, 32, 9, bias=False) + norm(32)
    + stages(LITE)
    + conv(320, 1280, 1, bias=False) + norm(1280) + fc(1280, 1000),
    "nin": conv(3, 192, 25) + conv(192, 160, 1) + conv(160, 96, 1)
    + conv(96, 192, 25) + 2 * conv(192, 192, 1)
    + conv(192, 192, 9) + conv(192, 192, 1) + conv(192, 10, 1),
    "all_cnn_c": chain([3, 96, 96, 96, 192, 192, 192, 192], 9, bias=True) + conv(192, 192, 1) + conv(192, 10, 1),
    "mobilenet_v1": conv(3, 32, 9, bias=False) + norm(32) + separable(MOBILE) + fc(1024, 1000),
    **{f"se_resnet{depth}": whole + gates(depths) for depth, (depths, whole) in RESNETS.items()},
    "dcgan_generator": chain([100, 512, 256, 128, 64, 3], 16) + norm(512, 256, 128, 64),
    "dcgan_discriminator": chain([3, 64, 128, 256, 512, 1], 16) + norm(128, 256, 512),
    "autoencoder": chain([1, 16, 32], 9, True) + conv(32, 8, 49) + conv(8, 32, 49) + chain([32, 16, 1], 9, True),
    "text_cnn": 20_000 * 300 + sum(conv(300, 100, k) for k in (3, 4, 5)) + fc(300, 2),
    "m5": conv(1, 128, 80) + chain([128, 128, 256, 512], 3, bias=True) + norm(128, 128, 256, 512) + fc(512, 10),
    "vggish": chain([1, 64, 128, 256, 256, 512, 512], 9, bias=True)
    + fc(512 * 6 * 4, 4096) + fc(4096, 4096) + fc(4096, 128),
    "deeplabv3plus_resnet101": 44_549_160 - fc(2048, 1000)
    + conv(2048, 256, 1, bias=False) + 3 * conv(2048, 256, 9, bias=False) + conv(2048, 256, 1, bias=False)
    + conv(1280, 256, 1, bias=False) + conv(256, 48, 1, bias=False) + chain([304, 256, 256], 9)
    + norm(*[256] * 8, 48) + conv(256, 21, 1),
    "unet": unet(3, norm(*UNET, *UNET[-2::-1], *UNET, *UNET[-2::-1])),
    "unet_valid": unet(1, 0),
    "detr_resnet50": DETR + NOT_TRAINED,
    "tiny_yolo_v2": chain(DARKNET, 9) + norm(*DARKNET[1:]) + conv(1024, 125, 1),
}  # fmt: skip


@pytest.mark.parametrize("name", SUMS)
def test_parameters_are_those_of_the_layers(name: str) -> None:
    assert archdsl.load(name).totals.parameters == SUMS[name]


@pytest.mark.parametrize("name", [name for name in SUMS if not name.startswith(("se_", "efficientnet"))])
def test_a_spec_says_its_parameters_and_where_the_figure_is_from(name: str) -> None:
    """Those two families say it of all their networks together."""
    assert f"{SUMS[name]:,} parameters" in archdsl.load(name).report().doc


def test_mobilenet_has_the_multiplications_of_its_paper() -> None:
    """Table 4 of the paper: 569 million, and 4.2 million parameters; at half the width 149 and 1.3."""
    whole, half = archdsl.load("mobilenet_v1").totals, archdsl.load("mobilenet_v1", width=0.5).totals
    assert (round((whole.macs or 0) / 1e6), round(whole.parameters / 1e6, 1)) == (569, 4.2)
    assert (round((half.macs or 0) / 1e6), round(half.parameters / 1e6, 1)) == (149, 1.3)


def test_the_other_networks_run() -> None:
    """Forward and backward, where they are small enough for a test."""
    import torch

    for name in ("nin", "all_cnn_c", "dcgan_generator", "dcgan_discriminator", "autoencoder", "m5", "text_cnn"):
        network = archdsl.load(name)
        model = network.compile()
        shape = network.report().inputs[0].shape
        given = torch.randint(0, 9, (2, *shape)) if name == "text_cnn" else torch.rand(2, *shape)  # type: ignore[arg-type]
        result = model(given)
        result.sum().backward()
        assert tuple(result.shape[1:]) == network.report().outputs[0].shape
        assert all(p.grad is not None for p in model.parameters())
