"""Regularisation: what drops values at random while training, and nothing in evaluation.

What they give may be overwritten where what they take may be: in evaluation they hand on their input itself.
"""

from collections.abc import Mapping
from typing import ClassVar, Literal

from archdsl.layers.base import KEEPS_NOTHING, TO_MAP, Kept, Layer, Share, elements, features, option, positional
from archdsl.layers.call import Call
from archdsl.layers.tensor import Kind, Tensor


class _Dropout(Layer):
    """Drops at random."""

    family: ClassVar[str] = "regularization"
    trains_only: ClassVar[bool] = True

    p: Share = positional("probability to drop", 0.5)


class Dropout(_Dropout):
    """Sets single values to zero at random while training, and scales the others up."""

    word: ClassVar[str] = "dropout"
    has_inplace: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.Dropout"

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.Dropout", self.p)

    def keeps(self, *inputs: Tensor) -> Kept:
        """Which values stay."""
        if not 0 < self.p < 1:
            return Kept(statistics=int(self.p))
        return Kept(mask=elements(inputs[0]), on_cpu=elements(inputs[0]))


class ChannelDropout(_Dropout):
    """Sets whole channels to zero at random while training, and scales the others up."""

    word: ClassVar[str] = "channel_dropout"
    aliases: ClassVar[tuple[str, ...]] = ("dropout1d", "dropout2d", "dropout3d")
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    has_inplace: ClassVar[bool] = True
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    torch_name: ClassVar[str] = "torch.nn.Dropout1d, Dropout2d, Dropout3d"

    def lower(self, *inputs: Tensor) -> Call:
        return Call(f"nn.Dropout{inputs[0].rank}d", self.p)

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept(values=features(inputs[0]))


class AlphaDropout(_Dropout):
    """Drops single values at random and keeps mean and deviation: the dropout for `selu`."""

    word: ClassVar[str] = "alpha_dropout"
    torch_name: ClassVar[str] = "torch.nn.AlphaDropout"

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.AlphaDropout", self.p)

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept(values=elements(inputs[0]), scratch=elements(inputs[0]))


class StochasticDepth(Layer):
    """Drops the whole residual branch at random while training, and scales it up where it stays."""

    word: ClassVar[str] = "stochastic_depth"
    aliases: ClassVar[tuple[str, ...]] = ("droppath",)
    family: ClassVar[str] = "regularization"
    trains_only: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torchvision.ops.StochasticDepth"

    p: Share = positional("probability to drop")
    mode: Literal["row", "batch"] = option(None, "whether each sample is dropped by itself, or the whole batch", "row")

    def lower(self, *inputs: Tensor) -> Call:
        return (
            Call("StochasticDepth", self.p) if self.mode == "row" else Call("StochasticDepth", self.p, mode=self.mode)
        )

    def keeps(self, *inputs: Tensor) -> Kept:
        if not self.p:
            return KEEPS_NOTHING
        return Kept(values=1) if self.mode == "row" else Kept(statistics=1)
