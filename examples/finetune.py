"""Fine-tunes a network in the stages that its spec says, on synthetic images, and resumes in the middle.

Run it with `python examples/finetune.py`. Its weights begin at random, so that it needs no download: leave
`weights=False` out to begin with trained ones, and put a data set of yours in place of `images`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn

import archdsl

SPEC = Path(__file__).with_name("finetune.arch")
CLASSES, EDGE, BATCH = 4, 64, 8


def images(batches: int, patterns: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Noisy images of each class's pattern."""
    for _ in range(batches):
        labels = torch.randint(0, len(patterns), (BATCH,))
        yield patterns[labels] + 0.5 * torch.randn(BATCH, *patterns.shape[1:]), labels


def train(first: int = 0, batches: int = 2, model: nn.Module | None = None) -> nn.Module:
    """Trains through the stages from the number `first` on; a model of an earlier run goes on where it was."""
    torch.manual_seed(0)
    net = archdsl.load(SPEC, classes=CLASSES, input=f"3x{EDGE}x{EDGE}")
    model = net.compile(weights=False) if model is None else model
    patterns = torch.randn(CLASSES, 3, EDGE, EDGE)
    loss_of = nn.CrossEntropyLoss()
    for stage in net.stages[first:]:
        optimizer = torch.optim.AdamW(net.parameter_groups(stage.number, model))
        model.train()
        for inputs, labels in images(batches, patterns):
            optimizer.zero_grad()
            loss = loss_of(model(inputs), labels)
            loss.backward()
            optimizer.step()
        trained = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
        print(f"{stage.name}: {trained:,} parameters train, loss {loss.item():.3f}")
    return model


if __name__ == "__main__":
    train()
