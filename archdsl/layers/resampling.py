"""The resolution of a map: resampled, or traded for channels."""

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Literal

from archdsl.layers.base import (
    KEEPS_INPUT,
    KEEPS_NOTHING,
    TO_MAP,
    UNKNOWN_REACH,
    Count,
    Flag,
    Kept,
    Layer,
    PerAxisOrNone,
    Problem,
    Reach,
    axes_problems,
    compact,
    each,
    option,
    positional,
    reference,
    times,
)
from archdsl.layers.call import Call, Expression
from archdsl.layers.geometry import Adaptive, Geometry, Resampled, TransposedWindow, Window, outputs
from archdsl.layers.operations import parts_inside
from archdsl.layers.tensor import ANY, Kind, Size, Tensor

Mode = Literal["nearest", "linear", "bilinear", "trilinear", "bicubic", "area"]

_MODE_RANKS: dict[str, int] = {"bilinear": 2, "trilinear": 3, "bicubic": 2}
_LINEAR = {1: "linear", 2: "bilinear", 3: "trilinear"}


class Resampling(Layer):
    """Changes the sizes of a map."""

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "resampling"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


class Upsample(Resampling):
    """Resamples the map: by a factor, to a size, or to the size of another map."""

    word: ClassVar[str] = "upsample"
    aliases: ClassVar[tuple[str, ...]] = ("interpolate",)
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.Upsample; with like, torch.nn.functional.interpolate"

    factor: PerAxisOrNone = positional("factor by which the map grows", None)
    size: PerAxisOrNone = option(None, "spatial sizes of the result", None)
    like: Flag = reference("a map whose spatial sizes the result takes")
    mode: Mode = option(None, "how values are mixed; linear is bilinear over two axes", "nearest")
    align_corners: Flag = option(None, "whether the centres of the corners stay in place", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        rank = inputs[0].rank
        yield from one_of(self, factor=self.factor is not None, size=self.size is not None, like=self.like)
        yield from axes_problems(self, rank, "factor", "size")
        yield from like_problems(self, *inputs)
        if _MODE_RANKS.get(self.mode, rank) != rank:
            yield Problem(
                "wrong-rank",
                f"{self.mode} resampling is for {_MODE_RANKS[self.mode]} axes, but the map has {rank}",
                parameter="mode",
                help="give mode=linear, which follows the map",
            )
        if self.align_corners and self.mode in ("nearest", "area"):
            yield Problem(
                "align-corners",
                f"{self.mode} resampling mixes nothing that corners could align",
                parameter="align_corners",
                help="give mode=linear, or leave align_corners out",
            )

    def target(self, *inputs: Tensor) -> tuple[Size, ...]:
        """The spatial sizes of the result."""
        if self.like:
            return inputs[1].space
        space = inputs[0].space
        if self.size is not None:
            return each(self.size, len(space))
        assert self.factor is not None
        factors = each(self.factor, len(space))
        return outputs([Resampled(1, factor) for factor in factors], space)

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_space(self.target(*inputs))

    def reach(self, *inputs: Tensor) -> Reach:
        ends: list[tuple[Size, Size]] = list(zip(inputs[0].space, self.target(*inputs), strict=True))
        if self.factor is not None and not self.align_corners:
            ends = [(1, factor) for factor in each(self.factor, inputs[0].rank)]
        axes: list[Geometry] = []
        for source, target in ends:
            if source == target:
                axes.append(Window())
            elif not isinstance(source, int) or not isinstance(target, int):
                return UNKNOWN_REACH
            elif self.mode == "area":
                axes.append(Adaptive(source, target))
            else:
                support = {"nearest": 0, "bicubic": 2}.get(self.mode, 1)
                axes.append(Resampled(source, target, support, self.align_corners))
        return Reach(tuple(axes))

    def operations(self, *inputs: Tensor) -> int | None:
        """Mixing two values a + w*(b - a) takes 3, four 7, and so axis by axis; the mean of an area as in pooling."""
        x = inputs[0]
        if self.mode == "area":
            seen = parts_inside(x.space, self.target(*inputs))
            return None if seen is None or not isinstance(x.channels, int) else x.channels * seen
        taps, mixing = {"nearest": (1, 0), "bicubic": (4, 7)}.get(self.mode, (2, 3))
        return times(mixing * sum([taps**axis for axis in range(x.rank)]), (self.output(*inputs),))

    def lower(self, *inputs: Tensor) -> Call | Expression:
        rank = inputs[0].rank
        options: dict[str, Any] = {}
        if self.mode != "nearest":
            options["mode"] = _LINEAR[rank] if self.mode == "linear" else self.mode
        if self.align_corners:
            options["align_corners"] = True
        if self.like:
            rest = "".join(f", {name}={value!r}" for name, value in options.items())
            return Expression(f"F.interpolate({{0}}, size={{1}}.shape[2:]{rest})")
        if self.size is not None:
            return Call("nn.Upsample", size=compact(each(self.size, rank)), **options)
        assert self.factor is not None
        return Call("nn.Upsample", scale_factor=compact(each(self.factor, rank)), **options)

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_INPUT if self.mode == "area" else KEEPS_NOTHING


class PixelShuffle(Resampling):
    """Makes resolution of channels: C*r*r x H x W becomes C x H*r x W*r."""

    word: ClassVar[str] = "pixel_shuffle"
    ranks: ClassVar[tuple[int, ...]] = (2,)
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.PixelShuffle"

    factor: Count = positional("factor by which the map grows")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        channels, part = inputs[0].channels, self.factor**2
        if isinstance(channels, int) and channels % part:
            yield Problem(
                "channels-mismatch",
                f"{self.word} {self.factor} needs channels in multiples of {part}, got {channels}",
                parameter="factor",
                help=f"for {channels} channels behind it, give the layer above {channels * part}",
            )

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        channels = x.channels // self.factor**2 if isinstance(x.channels, int) else ANY
        return Tensor("map", (channels, *outputs(self.axes, x.space)))

    @property
    def axes(self) -> tuple[Geometry, ...]:
        return (TransposedWindow(self.factor, self.factor),) * 2

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.axes)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.PixelShuffle", self.factor)


class PixelUnshuffle(Resampling):
    """Makes channels of resolution: C x H x W becomes C*r*r x H/r x W/r."""

    word: ClassVar[str] = "pixel_unshuffle"
    ranks: ClassVar[tuple[int, ...]] = (2,)
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.PixelUnshuffle"

    factor: Count = positional("factor by which the map shrinks")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        wrong = [size for size in inputs[0].space if isinstance(size, int) and size % self.factor]
        if wrong:
            yield Problem(
                "channels-mismatch",
                f"{self.word} needs sizes in multiples of {self.factor}, got {inputs[0]}",
                parameter="factor",
                notes=(f"{wrong[0]} = {wrong[0] // self.factor}*{self.factor} + {wrong[0] % self.factor}",),
                help="put `pad` or `crop` before it",
            )

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        channels = x.channels * self.factor**2 if isinstance(x.channels, int) else ANY
        return Tensor("map", (channels, *outputs(self.axes, x.space)))

    @property
    def axes(self) -> tuple[Geometry, ...]:
        return (Window(self.factor, self.factor),) * 2

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.axes)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.PixelUnshuffle", self.factor)


def like_problems(layer: Layer, *inputs: Tensor) -> Iterator[Problem]:
    for other in inputs[1:]:
        if other.kind != "map" or other.rank != inputs[0].rank:
            message = f"{layer.word} of {inputs[0]} cannot take the sizes of {other}: another number of axes"
            yield Problem("wrong-rank", message, parameter="like", input=1)


def one_of(layer: Layer, **given: bool) -> Iterator[Problem]:
    """A problem where not exactly one of the arguments is given."""
    names = [name for name, is_given in given.items() if is_given]
    if len(names) != 1:
        *most, last = given
        takes = f"{layer.word} takes one of {', '.join(most)} and {last}"
        found = f"got {' and '.join(names)}" if names else "got none"
        help = "keep one of them" if names else f"for instance `{layer.word} 2`"
        yield Problem("one-of", f"{takes}, {found}", parameter=names[-1] if names else None, help=help)
