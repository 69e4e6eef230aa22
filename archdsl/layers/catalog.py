"""The layers that a spec may call: an explicit list, extended by value and never by an import's side effect."""

from __future__ import annotations

from functools import cache, cached_property
from typing import TYPE_CHECKING

from archdsl.layers import activation as act
from archdsl.layers import (
    attention,
    border,
    convolution,
    elementwise,
    linear,
    merge,
    parameter,
    pooling,
    regularization,
    resampling,
    reshape,
)
from archdsl.layers import channel_activation as channel
from archdsl.layers import normalization as norm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from archdsl.layers.base import Layer

ENTRY_POINTS = "archdsl.layers"
"""The group in which an installed package names its layers, each a class or an iterable of classes."""


class Catalog:
    """A set of layers, each found by its word and its aliases.

    Raises ValueError where two layers share a word, and where a layer has none.
    """

    def __init__(self, *layers: type[Layer]) -> None:
        self.layers = layers
        self._by_word: dict[str, type[Layer]] = {}
        for layer in layers:
            for word in (layer.word, *layer.aliases):
                if not (word.isascii() and word.isidentifier() and word == word.lower()):
                    raise ValueError(f"{layer.__name__}: a word must be a lower-case name, got {word!r}")
                other = self._by_word.setdefault(word, layer)
                if other is not layer:
                    raise ValueError(f"{word!r} names both {other.__name__} and {layer.__name__}")

    def find(self, word: str) -> type[Layer] | None:
        """The layer of that word or alias."""
        return self._by_word.get(word)

    def words(self) -> tuple[str, ...]:
        """All words and aliases."""
        return tuple(self._by_word)

    @cached_property
    def _families(self) -> dict[str, tuple[type[Layer], ...]]:
        families: dict[str, list[type[Layer]]] = {}
        for layer in self.layers:
            families.setdefault(layer.family, []).append(layer)
        return {family: tuple(layers) for family, layers in families.items()}

    def families(self) -> Mapping[str, tuple[type[Layer], ...]]:
        """The layers by family, in the order of the list."""
        return self._families

    def extended_with(self, *layers: type[Layer]) -> Catalog:
        """This catalog and more layers."""
        return Catalog(*self.layers, *layers)


STANDARD = Catalog(
    convolution.Conv,
    convolution.ConvTranspose,
    pooling.MaxPool,
    pooling.AvgPool,
    pooling.AdaptiveAvgPool,
    pooling.AdaptiveMaxPool,
    pooling.GlobalAvgPool,
    pooling.GlobalMaxPool,
    norm.BatchNorm,
    norm.InstanceNorm,
    norm.GroupNorm,
    norm.LayerNorm,
    norm.RMSNorm,
    norm.LocalResponseNorm,
    parameter.L2Norm,
    act.ReLU,
    act.ReLU6,
    act.LeakyReLU,
    act.RReLU,
    act.ELU,
    act.SELU,
    act.CELU,
    act.GELU,
    act.SiLU,
    act.Mish,
    act.Hardswish,
    act.Hardsigmoid,
    act.Hardtanh,
    act.Hardshrink,
    act.Softshrink,
    act.Tanhshrink,
    act.Threshold,
    act.Sigmoid,
    act.LogSigmoid,
    act.Tanh,
    act.Softplus,
    act.Softsign,
    channel.Softmax,
    channel.LogSoftmax,
    channel.Softmin,
    channel.GLU,
    channel.PReLU,
    elementwise.Abs,
    elementwise.Square,
    elementwise.Sqrt,
    elementwise.Exp,
    elementwise.Log,
    elementwise.Negate,
    regularization.Dropout,
    regularization.ChannelDropout,
    regularization.AlphaDropout,
    regularization.StochasticDepth,
    linear.Linear,
    linear.Pointwise,
    linear.Embedding,
    linear.Identity,
    parameter.LayerScale,
    parameter.Positions,
    parameter.ClassToken,
    parameter.Queries,
    parameter.PositionEncoding,
    attention.Attention,
    attention.WindowAttention,
    attention.PartitionAttention,
    merge.Add,
    merge.Subtract,
    merge.Multiply,
    merge.Divide,
    merge.Maximum,
    merge.Minimum,
    merge.Mean,
    merge.Concatenate,
    reshape.Flatten,
    reshape.Reshape,
    reshape.ToTokens,
    reshape.ToMap,
    reshape.Token,
    reshape.Patches,
    reshape.Split,
    reshape.Shuffle,
    border.Pad,
    border.Crop,
    resampling.Upsample,
    resampling.PixelShuffle,
    resampling.PixelUnshuffle,
)
"""The layers that ship with the language."""


@cache
def installed() -> Catalog:
    """The standard layers and those of installed packages.

    Asking which packages are installed is slow and runs their code; only what needs it calls this.
    """
    return STANDARD.extended_with(*load_plugins())


def load_plugins() -> Iterator[type[Layer]]:
    """The layers that installed packages name, each in the entry-point group `archdsl.layers`."""
    from importlib.metadata import entry_points

    for entry in entry_points(group=ENTRY_POINTS):
        loaded = entry.load()
        yield from (loaded,) if isinstance(loaded, type) else loaded
