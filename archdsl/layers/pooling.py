"""Pooling: over a window that slides, over a given number of windows, over all of space."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from archdsl.layers.base import (
    GLOBAL,
    KEEPS_INPUT,
    KEEPS_NOTHING,
    POINTWISE,
    TO_MAP,
    UNKNOWN_REACH,
    Flag,
    Kept,
    Layer,
    PerAxis,
    PerAxisFromZero,
    PerAxisOrNone,
    Problem,
    Reach,
    axes_problems,
    changed,
    compact,
    each,
    elements,
    option,
    positional,
    times,
)
from archdsl.layers.call import Call
from archdsl.layers.geometry import Adaptive, Window, outputs
from archdsl.layers.operations import parts_inside, taps_inside
from archdsl.layers.tensor import Kind, Size, Tensor


class _Pool(Layer):
    """Makes one value of all that a window sees inside the map: the greatest, or the mean."""

    family: ClassVar[str] = "pooling"
    takes_mean: ClassVar[bool] = False

    def seen(self, x: Tensor) -> int | None:
        """How many positions all windows see together."""
        raise NotImplementedError

    def operations(self, *inputs: Tensor) -> int | None:
        """In a window of n values n - 1 comparisons; for a mean n - 1 additions and a division."""
        x = inputs[0]
        seen, results = self.seen(x), times(1, (self.output(x),))  # type: ignore[arg-type]
        if seen is None or results is None or not isinstance(x.channels, int):
            return None
        return x.channels * seen - (0 if self.takes_mean else results)


class _WindowPool(_Pool):
    """Pools over a window that slides."""

    treats_axes_alike: ClassVar[bool] = True
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    rewritable: ClassVar[bool] = True
    constructor: ClassVar[str]
    per_axis_arguments: ClassVar[tuple[str, ...]] = ("kernel", "stride", "padding")

    kernel: PerAxis = positional("window size", letter="k")
    stride: PerAxisOrNone = option("s", "step between windows; the window size if it is not given", None)
    padding: PerAxisFromZero = option("p", "border added on each side, at most half the window", 0)
    ceil: Flag = option(None, "whether a last window may reach over the end", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        wrong = list(axes_problems(self, x.rank, *self.per_axis_arguments))
        yield from wrong
        if wrong:
            return
        for window, size in zip(self.windows(x.rank), x.space, strict=True):
            if window.before > window.kernel // 2:
                yield Problem(
                    "pool-padding",
                    f"padding {window.before} is more than half of the window of {window.kernel}",
                    parameter="padding",
                    help=f"at most {window.kernel // 2}, or put `pad {window.before}` before it",
                )
                return
            result = window.output(size)
            if isinstance(result, int) and result < 1:
                least = window.extent - window.before - window.after
                yield Problem(
                    "window-too-large",
                    f"{self.word} needs an axis of at least {least}, got {size}",
                    parameter="kernel",
                    notes=(window.formula(size),),
                    help="take a smaller window, or shrink the map less above",
                )
                return
            if isinstance(size, int) and window.misses(size):
                yield Problem(
                    "pool-padding",
                    f"a window of {window.kernel} with dilation {window.dilation} sees nothing but padding "
                    f"on an axis of {size}",
                    parameter="dilation",
                    help=f"a dilation of at most {size}, or shrink the map less above",
                )
                return

    def windows(self, rank: int) -> tuple[Window, ...]:
        kernel, padding = each(self.kernel, rank), each(self.padding, rank)
        stride = kernel if self.stride is None else each(self.stride, rank)
        dilation = each(getattr(self, "dilation", 1), rank)
        return tuple(
            Window(k, s, p, p, d, self.ceil) for k, s, p, d in zip(kernel, stride, padding, dilation, strict=True)
        )

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_space(outputs(self.windows(inputs[0].rank), inputs[0].space))

    def seen(self, x: Tensor) -> int | None:
        return taps_inside(self.windows(x.rank), x.space)

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.windows(inputs[0].rank))

    def lower(self, *inputs: Tensor) -> Call:
        rank = inputs[0].rank
        kernel = each(self.kernel, rank)
        options = changed(self, *(name for name in type(self).model_fields if name != "kernel"))
        if self.stride is not None and each(self.stride, rank) == kernel:
            del options["stride"]
        if "ceil" in options:
            options["ceil_mode"] = options.pop("ceil")
        return Call(f"nn.{self.constructor}{rank}d", compact(kernel), **options)


class MaxPool(_WindowPool):
    """Keeps the largest value of each window."""

    word: ClassVar[str] = "pool"
    aliases: ClassVar[tuple[str, ...]] = ("maxpool",)
    torch_name: ClassVar[str] = "torch.nn.MaxPool1d, MaxPool2d, MaxPool3d"
    constructor: ClassVar[str] = "MaxPool"
    per_axis_arguments: ClassVar[tuple[str, ...]] = ("kernel", "stride", "padding", "dilation")

    dilation: PerAxis = option("d", "step between the taps of the window", 1)

    def keeps(self, *inputs: Tensor) -> Kept:
        """The input, and where each maximum stood."""
        return Kept((0,), indices=elements(self.output(*inputs)))


class AvgPool(_WindowPool):
    """Takes the mean of each window."""

    word: ClassVar[str] = "avgpool"
    torch_name: ClassVar[str] = "torch.nn.AvgPool1d, AvgPool2d, AvgPool3d"
    constructor: ClassVar[str] = "AvgPool"
    takes_mean: ClassVar[bool] = True

    count_include_pad: Flag = option(None, "whether the padding counts in the mean", True)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        """Over three axes torch wants room for a window inside the map itself, padding and ceil or not."""
        problems = list(super().check(*inputs))
        yield from problems
        x = inputs[0]
        if problems or x.rank != 3:
            return
        for window, size in zip(self.windows(3), x.space, strict=True):
            if isinstance(size, int) and size < window.kernel:
                message = f"{self.word} over three axes needs at least {window.kernel} along each, got {size}"
                yield Problem("window-too-large", message, parameter="kernel", help="take a smaller window")
                return


class _AdaptivePool(_Pool):
    """Pools to a given size, whatever comes in."""

    treats_axes_alike: ClassVar[bool] = True
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    rewritable: ClassVar[bool] = True
    constructor: ClassVar[str]

    def target(self, rank: int) -> tuple[int, ...]:
        """The size of the result."""
        return (1,) * rank

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_space(self.target(inputs[0].rank))

    def seen(self, x: Tensor) -> int | None:
        return parts_inside(x.space, self.target(x.rank))

    def reach(self, *inputs: Tensor) -> Reach:
        return adaptive_reach(inputs[0].space, self.target(inputs[0].rank))

    def lower(self, *inputs: Tensor) -> Call:
        rank = inputs[0].rank
        return Call(f"nn.{self.constructor}{rank}d", compact(self.target(rank)))


class _SizedAdaptivePool(_AdaptivePool):
    """Pools to a size that the spec gives."""

    size: PerAxis = positional("size of the result")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from axes_problems(self, inputs[0].rank, "size")

    def target(self, rank: int) -> tuple[int, ...]:
        return each(self.size, rank)


class AdaptiveAvgPool(_SizedAdaptivePool):
    """Cuts the map into the given number of windows and takes the mean of each."""

    word: ClassVar[str] = "adaptive_avgpool"
    torch_name: ClassVar[str] = "torch.nn.AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d"
    constructor: ClassVar[str] = "AdaptiveAvgPool"
    takes_mean: ClassVar[bool] = True

    def keeps(self, *inputs: Tensor) -> Kept:
        """To one position it is a mean, which needs the sizes only."""
        return KEEPS_NOTHING if set(self.target(inputs[0].rank)) == {1} else KEEPS_INPUT


class AdaptiveMaxPool(_SizedAdaptivePool):
    """Cuts the map into the given number of windows and keeps the largest value of each."""

    word: ClassVar[str] = "adaptive_maxpool"
    torch_name: ClassVar[str] = "torch.nn.AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d"
    constructor: ClassVar[str] = "AdaptiveMaxPool"

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept((0,), indices=elements(self.output(*inputs)))


class GlobalAvgPool(_AdaptivePool):
    """Takes the mean of each channel over all of space: C x H x W becomes C x 1 x 1."""

    word: ClassVar[str] = "gap"
    torch_name: ClassVar[str] = "torch.nn.AdaptiveAvgPool1d, AdaptiveAvgPool2d, AdaptiveAvgPool3d, with size 1"
    constructor: ClassVar[str] = "AdaptiveAvgPool"
    takes_mean: ClassVar[bool] = True

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


class GlobalMaxPool(_AdaptivePool):
    """Keeps the largest value of each channel over all of space: C x H x W becomes C x 1 x 1."""

    word: ClassVar[str] = "gmp"
    torch_name: ClassVar[str] = "torch.nn.AdaptiveMaxPool1d, AdaptiveMaxPool2d, AdaptiveMaxPool3d, with size 1"
    constructor: ClassVar[str] = "AdaptiveMaxPool"

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept((0,), indices=elements(self.output(*inputs)))


def adaptive_reach(space: tuple[Size, ...], target: tuple[int, ...]) -> Reach:
    """What is seen where each axis is cut into the target's number of windows."""
    if space == target:
        return POINTWISE
    if set(target) == {1}:
        return GLOBAL
    if not all(isinstance(size, int) for size in space):
        return UNKNOWN_REACH
    return Reach(tuple(Adaptive(int(size), to) for size, to in zip(space, target, strict=True)))
