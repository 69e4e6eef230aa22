"""DETR against its transformer written out: section A.3 of the paper, with what torch itself has of it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import archdsl

STATE = dict[str, Tensor]


def attend(state: STATE, name: str, heads: int, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Attention of several heads, of one image: tokens first, then features."""
    weights, biases = (state[f"{name}.in_proj_{kind}"].chunk(3) for kind in ("weight", "bias"))
    q, k, v = (
        F.linear(x, weight, bias).unflatten(-1, (heads, -1)).transpose(0, 1)
        for x, weight, bias in zip((queries, keys, values), weights, biases, strict=True)
    )
    scores = q @ k.transpose(1, 2) / q.shape[-1] ** 0.5
    return linear(state, f"{name}.out_proj", (scores.softmax(-1) @ v).transpose(0, 1).flatten(1))


def linear(state: STATE, name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def norm(state: STATE, name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"])


def feed(state: STATE, layer: str, x: Tensor) -> Tensor:
    return linear(state, f"{layer}.linear2", linear(state, f"{layer}.linear1", x).relu())


def places(height: int, width: int, features: int) -> Tensor:
    """Of each place the sines and cosines of its row, then of its column, each axis one turn."""
    encoded = torch.zeros(height, width, features)
    half = features // 2
    for channel in range(half):
        wave = torch.cos if channel % 2 else torch.sin
        rate = 10_000 ** (2 * (channel // 2) / half)
        for axis, size in enumerate((height, width)):
            angles = 2 * torch.pi * torch.arange(1, size + 1) / size / rate
            encoded[..., axis * half + channel] = wave(angles)[:, None] if axis == 0 else wave(angles)
    return encoded.flatten(0, 1)


def written_out(model: nn.Module, features: Tensor, depth: int, heads: int) -> tuple[Tensor, Tensor]:
    """What DETR says of one image, from the features of its backbone."""
    state = model.state_dict()
    x = F.conv2d(features[None], state["input_proj.weight"], state["input_proj.bias"])[0]
    at = places(x.shape[1], x.shape[2], x.shape[0])
    x = x.flatten(1).T
    for number in range(depth):
        layer = f"transformer.encoder.layers.{number}"
        x = norm(state, f"{layer}.norm1", x + attend(state, f"{layer}.self_attn", heads, x + at, x + at, x))
        x = norm(state, f"{layer}.norm2", x + feed(state, layer, x))
    asked = state["query_embed.weight"]
    answers = torch.zeros_like(asked)
    for number in range(depth):
        layer = f"transformer.decoder.layers.{number}"
        y = answers
        y = norm(state, f"{layer}.norm1", y + attend(state, f"{layer}.self_attn", heads, y + asked, y + asked, y))
        y = norm(state, f"{layer}.norm2", y + attend(state, f"{layer}.multihead_attn", heads, y + asked, x + at, x))
        answers = norm(state, f"{layer}.norm3", y + feed(state, layer, y))
    answers = norm(state, "transformer.decoder.norm", answers)
    box = linear(state, "bbox_embed.layers.0", answers).relu()
    box = linear(state, "bbox_embed.layers.2", linear(state, "bbox_embed.layers.1", box).relu())
    return linear(state, "class_embed", answers), box.sigmoid()


@pytest.mark.parametrize(("depth", "heads", "c"), [(6, 8, 256), (2, 4, 64)])
def test_detr_is_what_the_paper_writes_out(depth: int, heads: int, c: int) -> None:
    torch.manual_seed(0)
    model = archdsl.load("detr_resnet50", depth=depth, heads=heads, c=c, asked=7, hidden=96, classes=5).compile().eval()
    images = torch.rand(2, 3, 96, 160)
    with torch.inference_mode():
        logits, boxes = model(images)
        for image, given in zip(model.backbone(images), zip(logits, boxes, strict=True), strict=True):
            for one, expected in zip(given, written_out(model, image, depth, heads), strict=True):
                torch.testing.assert_close(one, expected, rtol=1e-4, atol=1e-4)
    assert logits.shape == (2, 7, 6)
    assert boxes.shape == (2, 7, 4)
    assert logits.std(dim=1).mean() > 0.01, "all queries give the same"
    assert boxes.std(dim=1).mean() > 0.001, "all queries give the same"


def test_detr_trains() -> None:
    model = archdsl.load("detr_resnet50", depth=1, c=32, asked=4, hidden=16, classes=5).compile()
    logits, boxes = model(torch.rand(2, 3, 64, 96))
    (logits.sum() + boxes.square().sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())
