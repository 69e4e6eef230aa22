"""A small network of blocks with all that modes may get wrong: norms with statistics, dropout, a residual, an input."""

from __future__ import annotations

import torch
from torch import Tensor, nn

import archdsl
from archdsl.network import Network

SMALL = """
block shortcut(c, s) {
  if s > 1 { conv c s=s bias=no -> bn }
}
block unit(c, s=1) {
  ( conv c k3 s=s p1 bias=no -> bn -> relu -> dropout 0.3 -> conv c k3 p1 bias=no -> bn
  | shortcut(c, s)
  ) -> add -> relu
}
net small(classes=5) {
  input 3x16x16
  conv 8 k3 p1 -> bn -> relu
  unit 8 -> unit 16 s=2 -> unit 16
  gap -> flatten -> fc classes
}
"""


def small() -> Network:
    return archdsl.parse(SMALL)


def images(*shape: int) -> Tensor:
    return torch.randn(shape or (4, 3, 16, 16), generator=torch.Generator().manual_seed(1))


def lived_in(module: nn.Module) -> nn.Module:
    """A module whose norms have statistics and scales as training leaves them, rather than zeros and ones."""
    generator = torch.Generator().manual_seed(2)
    for norm in module.modules():
        if isinstance(norm, nn.modules.batchnorm._NormBase):
            for tensor, low, high in (
                (norm.running_mean, -0.3, 0.3),
                (norm.running_var, 0.5, 2.0),
                (norm.weight, 0.5, 1.5),
                (norm.bias, -0.3, 0.3),
            ):
                if tensor is not None:
                    tensor.data.uniform_(low, high, generator=generator)
    for name, parameter in module.named_parameters():
        if name.rpartition(".")[2].startswith("layer_scale"):
            parameter.data.uniform_(0.2, 1.5, generator=generator)
    return module


def distance(found: Tensor, expected: Tensor) -> float:
    """The largest difference, over the largest value."""
    ours, theirs = found.detach().double(), expected.detach().double()
    return float((ours - theirs).abs().max() / theirs.abs().max())
