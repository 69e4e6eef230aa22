"""Activations that know the channels: normalised over them, gated by half of them, learned for each."""

from collections.abc import Iterator
from typing import ClassVar

from archdsl.layers.activation import Activation
from archdsl.layers.base import (
    KEEPS_INPUT,
    KEEPS_OUTPUT,
    Flag,
    Kept,
    Number,
    Problem,
    Shapes,
    changed,
    channels_problems,
    elements,
    option,
    times,
)
from archdsl.layers.call import Call
from archdsl.layers.operations import SIGMOID, by_position, log_softmax, softmax
from archdsl.layers.tensor import ANY, Tensor


class _OverChannels(Activation):
    """Applies a function to all channels of a position together."""

    def lower(self, *inputs: Tensor) -> Call:
        return Call(self.torch_name.removeprefix("torch."), dim=inputs[0].channel_axis)

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class Softmax(_OverChannels):
    """Makes the channels of each position a distribution: positive, with sum 1."""

    word: ClassVar[str] = "softmax"
    torch_name: ClassVar[str] = "torch.nn.Softmax"

    def operations(self, *inputs: Tensor) -> int | None:
        """A softmax at each position."""
        sizes = by_position(inputs[0])
        return None if sizes is None else softmax(*sizes)


class LogSoftmax(_OverChannels):
    """Takes the logarithm of the softmax over the channels."""

    word: ClassVar[str] = "log_softmax"
    torch_name: ClassVar[str] = "torch.nn.LogSoftmax"

    def operations(self, *inputs: Tensor) -> int | None:
        """A softmax at each position, in logarithms."""
        sizes = by_position(inputs[0])
        return None if sizes is None else log_softmax(*sizes)


class Softmin(_OverChannels):
    """Makes the channels of each position a distribution in which the least value has most."""

    word: ClassVar[str] = "softmin"
    torch_name: ClassVar[str] = "torch.nn.Softmin"

    def operations(self, *inputs: Tensor) -> int | None:
        """A change of sign, and a softmax at each position."""
        sizes, signs = by_position(inputs[0]), times(1, inputs)
        return None if sizes is None or signs is None else signs + softmax(*sizes)

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept(output=True, scratch=elements(inputs[0]))


class GLU(_OverChannels):
    """Gates the first half of the channels by the sigmoid of the second."""

    word: ClassVar[str] = "glu"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = SIGMOID + 1
    torch_name: ClassVar[str] = "torch.nn.GLU"

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        channels = inputs[0].channels
        if isinstance(channels, int) and channels % 2:
            yield Problem(
                "odd-channels",
                f"{self.word} halves the channels, but there are {channels}",
                input=0,
                help="give the layer above an even number of channels",
            )

    def output(self, *inputs: Tensor) -> Tensor:
        channels = inputs[0].channels
        return inputs[0].with_channels(channels // 2 if isinstance(channels, int) else ANY)

    def lower(self, *inputs: Tensor) -> Call:
        return super().lower(*inputs) if inputs[0].kind == "map" else Call("nn.GLU")

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_INPUT


class PReLU(Activation):
    """Multiplies negative values with a learned slope: one for all, or one for each channel."""

    word: ClassVar[str] = "prelu"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    torch_name: ClassVar[str] = "torch.nn.PReLU"

    per_channel: Flag = option(None, "whether each channel has a slope of its own", False)
    init: Number = option(None, "the slope to begin with", 0.25)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        if not self.per_channel:
            return
        yield from channels_problems(self, inputs[0])
        if inputs[0].kind == "tokens":
            # Torch would take the L of tokens L x D as channels.
            yield Problem(
                "wrong-kind",
                f"{self.word} has a slope for each channel of a map or a vector, got {inputs[0].described}",
                parameter="per_channel",
                help="put `to_map` before it, or leave per_channel out",
            )

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        return {"weight": (channels if self.per_channel and isinstance(channels, int) else 1,)}

    def lower(self, *inputs: Tensor) -> Call:
        count = (inputs[0].channels,) if self.per_channel else ()
        return Call("nn.PReLU", *count, **changed(self, "init"))
