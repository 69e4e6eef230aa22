"""The classes that generated code carries, where torch.nn has none: source that needs `torch` and `nn` in scope."""

from __future__ import annotations

from typing import Final

_CHANNEL_LAYER_NORM = '''
class ChannelLayerNorm(nn.LayerNorm):
    """Layer normalization over the channels of a map, at each position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_CHANNEL_RMS_NORM = '''
class ChannelRMSNorm(nn.RMSNorm):
    """Root mean square normalization over the channels of a map, at each position."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)
'''

_STOCHASTIC_DEPTH = '''
class StochasticDepth(nn.Module):
    """Drops its input at random while training: for each sample (row), or for the whole batch."""

    def __init__(self, p: float, mode: str = "row") -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training or self.p == 0.0:
            return x
        rows = x.shape[0] if self.mode == "row" else 1
        keep = x.new_empty([rows] + [1] * (x.ndim - 1)).bernoulli_(1.0 - self.p)
        if self.p < 1.0:
            keep = keep / (1.0 - self.p)
        return x * keep

    def extra_repr(self) -> str:
        return f"p={self.p}, mode={self.mode}"
'''

HELPERS: Final[dict[str, str]] = {
    "ChannelLayerNorm": _CHANNEL_LAYER_NORM.lstrip(),
    "ChannelRMSNorm": _CHANNEL_RMS_NORM.lstrip(),
    "StochasticDepth": _STOCHASTIC_DEPTH.lstrip(),
}
"""The source of each class, by its name: a constructor without a dot is one of these."""
