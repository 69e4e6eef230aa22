"""Normalisation: by the statistics of a batch, of a sample, of a group of channels, of one position."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from archdsl.layers.base import (
    GLOBAL,
    POINTWISE,
    TO_MAP,
    Count,
    Flag,
    Kept,
    Layer,
    Number,
    Problem,
    Reach,
    Shapes,
    changed,
    channels_problems,
    elements,
    features,
    option,
    positional,
    times,
)
from archdsl.layers.call import Call
from archdsl.layers.convolution import groups_problems
from archdsl.layers.operations import by_position, root_mean_square, standardized
from archdsl.layers.tensor import Kind, Tensor, product


class _Normalization(Layer):
    """Normalises, then scales and shifts each channel by learned numbers."""

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "normalization"
    rewritable: ClassVar[bool] = True

    eps: Number = option(None, "number added to the variance", 1e-5)
    affine: Flag = option(None, "whether each channel is scaled and shifted by learned numbers", True)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        return {"weight": (channels,), "bias": (channels,)} if self.affine else {}

    def by_groups(self, x: Tensor, groups: int) -> int | None:
        """Operations of statistics of each group of values, and of a scale and a shift for each value."""
        elements, learned = x.elements, times(len(self.weights(x)), (x,))
        if elements is None or learned is None:
            return None
        return standardized(groups, elements // groups) + learned


class _TrackingNormalization(_Normalization):
    """Normalises by statistics that it may also average over training."""

    momentum: Number = option(None, "weight of the newest statistics in the running ones", 0.1)

    @property
    def tracks(self) -> bool:
        """Whether running statistics are kept."""
        return bool(getattr(self, "track", False))

    def buffers(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        running = {"running_mean": (channels,), "running_var": (channels,), "num_batches_tracked": ()}
        return running if self.tracks else {}

    def operations(self, *inputs: Tensor) -> int | None:
        """By running statistics a scale and a shift; else the statistics of each channel first."""
        x = inputs[0]
        if self.tracks:
            return times(2, inputs)
        return self.by_groups(x, x.channels) if isinstance(x.channels, int) else None

    def lower(self, *inputs: Tensor) -> Call:
        options = changed(self)
        if "track" in options:
            options["track_running_stats"] = options.pop("track")
        name = self.torch_name.split(",")[0].removeprefix("torch.").removesuffix("1d")
        return Call(f"{name}{inputs[0].rank or 1}d", inputs[0].channels, **options)


class BatchNorm(_TrackingNormalization):
    """Normalises each channel over the batch and space; in evaluation by the running statistics."""

    word: ClassVar[str] = "bn"
    aliases: ClassVar[tuple[str, ...]] = ("batchnorm",)
    accepts: ClassVar[tuple[Kind, ...]] = ("map", "vector")
    # Torch would take the L of tokens L x D as channels.
    conversions: ClassVar[Mapping[Kind, str]] = {"tokens": "to_map", "ids": "embedding D -> to_map"}
    torch_name: ClassVar[str] = "torch.nn.BatchNorm1d, BatchNorm2d, BatchNorm3d"

    track: Flag = option(None, "whether running statistics are kept", True)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from super().check(*inputs)
        if self.eps <= 0:
            message = f"{self.word} trains with an eps above 0 only, got {self.eps:g}"
            yield Problem("bounds", message, parameter="eps", help="leave it out, or give 1e-5")

    def reach(self, *inputs: Tensor) -> Reach:
        return POINTWISE if self.track else GLOBAL

    def keeps(self, *inputs: Tensor) -> Kept:
        """The mean and the deviation of each channel over the batch."""
        return Kept((0,), statistics=2 * features(inputs[0]))


class InstanceNorm(_TrackingNormalization):
    """Normalises each channel of each sample over space."""

    word: ClassVar[str] = "instancenorm"
    aliases: ClassVar[tuple[str, ...]] = ("inorm",)
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    torch_name: ClassVar[str] = "torch.nn.InstanceNorm1d, InstanceNorm2d, InstanceNorm3d"

    affine: Flag = option(None, "whether each channel is scaled and shifted by learned numbers", False)
    track: Flag = option(None, "whether running statistics are kept", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        """Torch refuses to train on one value for each channel, whose variance is zero."""
        if self.affine or self.track:
            yield from super().check(*inputs)
        if product(inputs[0].space) == 1:
            yield Problem(
                "single-position",
                f"{self.word} needs more than one position for its statistics, got {inputs[0]}",
                input=0,
                help="put it before the pooling, or use `layernorm`",
            )

    def reach(self, *inputs: Tensor) -> Reach:
        return POINTWISE if self.track else GLOBAL

    def keeps(self, *inputs: Tensor) -> Kept:
        """Mean and deviation of each channel, and what is learned or tracked, repeated for each sample."""
        return Kept((0,), values=(2 + self.affine + 2 * self.track) * features(inputs[0]))


class GroupNorm(_Normalization):
    """Normalises each group of channels of each sample over space."""

    word: ClassVar[str] = "groupnorm"
    aliases: ClassVar[tuple[str, ...]] = ("gn",)
    accepts: ClassVar[tuple[Kind, ...]] = ("map", "vector")
    conversions: ClassVar[Mapping[Kind, str]] = {"tokens": "to_map", "ids": "embedding D -> to_map"}
    torch_name: ClassVar[str] = "torch.nn.GroupNorm"

    groups: Count = positional("groups of channels with statistics of their own", letter="g")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from super().check(*inputs)
        yield from groups_problems(self, inputs[0].channels, 0, self.groups)

    def reach(self, *inputs: Tensor) -> Reach:
        return POINTWISE if product(inputs[0].space) == 1 else GLOBAL

    def operations(self, *inputs: Tensor) -> int | None:
        """Statistics of each group of channels."""
        return self.by_groups(inputs[0], self.groups)

    def lower(self, *inputs: Tensor) -> Call:
        options = changed(self, "eps", "affine")
        return Call("nn.GroupNorm", self.groups, inputs[0].channels, **options)

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept((0,), values=2 * self.groups)


class LayerNorm(_Normalization):
    """Normalises over the channels at each position."""

    word: ClassVar[str] = "layernorm"
    channels_last: ClassVar[bool] = True
    aliases: ClassVar[tuple[str, ...]] = ("ln",)
    torch_name: ClassVar[str] = "torch.nn.LayerNorm; over a map, with the channels moved to the end for it"

    bias: Flag = option(None, "whether a learned number is added to each channel", True)

    def weights(self, *inputs: Tensor) -> Shapes:
        weights = super().weights(*inputs)
        return weights if self.bias else {name: shape for name, shape in weights.items() if name != "bias"}

    def operations(self, *inputs: Tensor) -> int | None:
        """Statistics of each position."""
        positions = product(inputs[0].space)
        return None if positions is None else self.by_groups(inputs[0], positions)

    def lower(self, *inputs: Tensor) -> Call:
        x = inputs[0]
        options = changed(self)
        if "affine" in options:
            options["elementwise_affine"] = options.pop("affine")
        name = "ChannelLayerNorm" if x.kind == "map" else "nn.LayerNorm"
        return Call(name, x.channels, **options)

    def keeps(self, *inputs: Tensor) -> Kept:
        """The mean and the deviation at each position."""
        size = elements(inputs[0])
        return Kept((0,), values=2 * (size // features(inputs[0])), scratch=size if inputs[0].kind == "map" else 0)


class RMSNorm(Layer):
    """Divides by the root mean square of the channels at each position."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "rmsnorm"
    channels_last: ClassVar[bool] = True
    family: ClassVar[str] = "normalization"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.RMSNorm; over a map, with the channels moved to the end for it"

    eps: Number | None = option(None, "number added to the mean square; the type's epsilon by default", None)
    affine: Flag = option(None, "whether each channel is scaled by a learned number", True)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        return {"weight": (channels,)} if self.affine else {}

    def operations(self, *inputs: Tensor) -> int | None:
        """The root mean square of each position, and a scale for each value."""
        sizes, learned = by_position(inputs[0]), times(self.affine, inputs)
        return None if sizes is None or learned is None else root_mean_square(*sizes) + learned

    def lower(self, *inputs: Tensor) -> Call:
        x = inputs[0]
        options = changed(self)
        if "affine" in options:
            options["elementwise_affine"] = options.pop("affine")
        name = "ChannelRMSNorm" if x.kind == "map" else "nn.RMSNorm"
        return Call(name, x.channels, **options)

    def keeps(self, *inputs: Tensor) -> Kept:
        """The divisor at each position, and what is then scaled."""
        size = elements(inputs[0])
        values = size // features(inputs[0]) + (size if self.affine else 0)
        return Kept((0,), values=values, scratch=size if inputs[0].kind == "map" else 0)


class LocalResponseNorm(Layer):
    """Divides each value by the energy of the neighbouring channels at its position."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "lrn"
    family: ClassVar[str] = "normalization"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.LocalResponseNorm"

    size: Count = positional("how many neighbouring channels count")
    alpha: Number = option(None, "weight of their energy", 1e-4)
    beta: Number = option(None, "exponent of the divisor", 0.75)
    k: Number = option(None, "number added to the weighted energy", 1.0)

    def operations(self, *inputs: Tensor) -> int | None:
        """A square, the mean of as many as the size says, times alpha, plus k, to the power of beta, a division."""
        return times(self.size + 5, inputs)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.LocalResponseNorm", self.size, **changed(self, "alpha", "beta", "k"))

    def keeps(self, *inputs: Tensor) -> Kept:
        """The squares with a border of channels, the energy and its power."""
        size, channels = elements(inputs[0]), features(inputs[0])
        return Kept((0,), values=2 * size + size // channels * (channels + self.size - 1), passing=2 * size)
