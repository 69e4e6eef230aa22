"""Trains a network that is written as text: a small residual network, on synthetic images.

Each class is a pattern of its own, and each image is its class's pattern with noise added, so that a network that works
reaches a low loss in a minute on a CPU. Run it with `python examples/train.py`; put a data set of yours in place of
`images` and nothing else has to change.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

import archdsl

SPEC = Path(__file__).with_name("residual.arch")
CLASSES = 4


def images(count: int, patterns: Tensor) -> tuple[Tensor, Tensor]:
    """Noisy images and their classes."""
    labels = torch.randint(0, len(patterns), (count,))
    return patterns[labels] + torch.randn(count, *patterns.shape[1:]), labels


def train(steps: int = 60, batch: int = 32, unseen: int = 200) -> list[float]:
    """Trains, then tries `unseen` new images; returns the loss of every step."""
    torch.manual_seed(0)
    spec = archdsl.load(SPEC, "residual_cifar", depth=1, classes=CLASSES)
    totals = spec.report().totals
    print(f"{spec.name}: {totals.parameters:,} parameters, {totals.macs:,} multiply-accumulates an image")

    device = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else torch.device("cpu")
    model = spec.compile().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    loss_of = nn.CrossEntropyLoss()
    patterns = torch.randn(CLASSES, 3, 32, 32)

    losses = []
    model.train()
    for step in range(steps):
        pictures, labels = (part.to(device) for part in images(batch, patterns))
        loss = loss_of(model(pictures), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 10 == 0:
            print(f"step {step:3}  loss {losses[-1]:.3f}")

    model.eval()
    with torch.inference_mode():
        pictures, labels = (part.to(device) for part in images(unseen, patterns))
        accuracy = (model(pictures).argmax(1) == labels).float().mean().item()
    print(f"accuracy on new images: {accuracy:.0%}")
    return losses


if __name__ == "__main__":
    train()
