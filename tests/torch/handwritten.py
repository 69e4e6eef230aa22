"""Networks as a person writes them in torch, to compare with those that specs give."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class LeNet5(nn.Module):
    """LeCun et al., 1998, with plain average pooling and a linear output."""

    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 5)
        self.c3 = nn.Conv2d(6, 16, 5)
        self.c5 = nn.Conv2d(16, 120, 5)
        self.f6 = nn.Linear(120, 84)
        self.output = nn.Linear(84, 10)
        self.subsample = nn.AvgPool2d(2, 2)

    def forward(self, image: Tensor) -> Tensor:
        s2 = self.subsample(torch.tanh(self.c1(image)))
        s4 = self.subsample(torch.tanh(self.c3(s2)))
        c5 = torch.tanh(self.c5(s4)).flatten(1)
        return self.output(torch.tanh(self.f6(c5)))


class SimpleCNN(nn.Module):
    """Stages of convolution, batch normalization (or not), relu and pooling (or not); then a head."""

    def __init__(self, stages: list[tuple[int, bool]], norm: bool, head: nn.Module) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for width, pooled in stages:
            layers.append(nn.Conv2d(channels, width, 3, padding=1))
            if norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU())
            if pooled:
                layers.append(nn.MaxPool2d(2))
            channels = width
        self.layers = nn.Sequential(*layers)
        self.head = head

    def forward(self, image: Tensor) -> Tensor:
        return self.head(self.layers(image))


def _dense_head(features: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(features, 256), nn.ReLU(), nn.Dropout(0.5), nn.Linear(256, 10))


def simplecnn_a() -> nn.Module:
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, 10))
    return SimpleCNN([(32, True), (64, True), (128, False)], True, head)


def simplecnn_b() -> nn.Module:
    return SimpleCNN([(32, True), (64, True), (128, True)], True, _dense_head(128 * 4 * 4))


def simplecnn_c() -> nn.Module:
    return SimpleCNN([(32, True), (64, True), (128, True)], False, _dense_head(128 * 4 * 4))


def simplecnn_d() -> nn.Module:
    return SimpleCNN([(32, True), (64, True)], False, _dense_head(64 * 8 * 8))


class _Double(nn.Module):
    def __init__(self, before: int, after: int, padded: bool) -> None:
        super().__init__()
        self.first = nn.Conv2d(before, after, 3, padding=int(padded))
        self.first_norm = nn.BatchNorm2d(after) if padded else nn.Identity()
        self.second = nn.Conv2d(after, after, 3, padding=int(padded))
        self.second_norm = nn.BatchNorm2d(after) if padded else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = torch.relu(self.first_norm(self.first(x)))
        return torch.relu(self.second_norm(self.second(x)))


class UNet(nn.Module):
    """Ronneberger et al., 2015: padded and with batch normalization, or as published."""

    def __init__(self, channels: int, classes: int, width: int, padded: bool) -> None:
        super().__init__()
        self.padded = padded
        widths = [width * 2**level for level in range(5)]
        befores = [channels, *widths]
        self.down = nn.ModuleList(_Double(befores[i], widths[i], padded) for i in range(5))
        self.up = nn.ModuleList()
        for i in (3, 2, 1, 0):
            self.up.append(nn.ConvTranspose2d(widths[i + 1], widths[i], 2, stride=2))
            self.up.append(_Double(2 * widths[i], widths[i], padded))
        self.mask = nn.Conv2d(width, classes, 1)
        self.dropout = nn.Dropout(0.0 if padded else 0.5)

    def forward(self, x: Tensor) -> Tensor:
        skips = []
        for level, double in enumerate(self.down):
            x = double(nn.functional.max_pool2d(x, 2) if level else x)
            if level >= 3:
                x = self.dropout(x)
            skips.append(x)
        skips.pop()
        for i in range(0, 8, 2):
            x = self.up[i](x)
            if not self.padded:
                x = torch.relu(x)
            skip = skips.pop()
            top, left = (skip.shape[2] - x.shape[2]) // 2, (skip.shape[3] - x.shape[3]) // 2
            skip = skip[:, :, top : top + x.shape[2], left : left + x.shape[3]]
            x = self.up[i + 1](torch.cat([x, skip] if self.padded else [skip, x], dim=1))
        return self.mask(x)
