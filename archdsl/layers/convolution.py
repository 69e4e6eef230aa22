"""Convolutions, plain and transposed, over one to three spatial axes."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator

from archdsl.layers.base import (
    KEEPS_INPUT,
    TO_MAP,
    Count,
    Flag,
    Kept,
    Layer,
    PerAxis,
    PerAxisFromZero,
    Problem,
    Reach,
    Shapes,
    axes_problems,
    channels_problems,
    compact,
    each,
    elements,
    option,
    per_axis,
    positional,
    sliding,
)
from archdsl.layers.call import Call
from archdsl.layers.geometry import TransposedWindow, Window, outputs
from archdsl.layers.initialization import Initialization, initializers
from archdsl.layers.operations import taps_falling_inside
from archdsl.layers.tensor import AXIS_NAMES, Kind, Tensor, division, divisors, what_divides


def _padding(value: object) -> object:
    return value if value == "same" else per_axis(value, 0)


Padding = Annotated[int | tuple[int, ...] | str, BeforeValidator(_padding)]
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


class Conv(Layer):
    """Slides a learned kernel over the map."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "conv"
    family: ClassVar[str] = "convolution"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.Conv1d, Conv2d, Conv3d"

    channels: Count = positional("output channels")
    kernel: PerAxis = option("k", "kernel size", 1)
    stride: PerAxis = option("s", "step between windows", 1)
    padding: Padding = option("p", "zeros added at each border; `same` keeps the size (stride 1 only)", 0, ("same",))
    dilation: PerAxis = option("d", "step between the taps of the kernel", 1)
    groups: Count = option("g", "groups of channels that do not see each other", 1)
    bias: Flag = option(None, "whether a learned number is added to each channel", True)
    padding_mode: PaddingMode = option(None, "what the padding holds", "zeros")
    init: Initialization = option(None, "how the weights begin", "default")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        wrong = list(axes_problems(self, x.rank, "kernel", "stride", "padding", "dilation"))
        yield from wrong
        yield from channels_problems(self, x)
        yield from groups_problems(self, x.channels, self.channels, self.groups)
        if wrong:
            return
        if self.padding == "same" and any(s != 1 for s in each(self.stride, x.rank)):
            yield Problem(
                "same-with-stride",
                "padding `same` needs stride 1",
                parameter="padding",
                help="give the padding as a number; k//2 for an odd kernel k",
            )
            return
        yield from window_problems(self.word, self.windows(x.rank), x, self.padding_mode)

    def windows(self, rank: int) -> tuple[Window, ...]:
        return _windows(self.kernel, self.stride, self.padding, self.dilation, rank)

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return Tensor("map", (self.channels, *outputs(self.windows(x.rank), x.space)))

    def reach(self, *inputs: Tensor) -> Reach:
        return sliding(self.windows(inputs[0].rank))

    def weights(self, *inputs: Tensor) -> Shapes:
        x = inputs[0]
        assert isinstance(x.channels, int)
        weight = (self.channels, x.channels // self.groups, *each(self.kernel, x.rank))
        return {"weight": weight, "bias": (self.channels,)} if self.bias else {"weight": weight}

    def lower(self, *inputs: Tensor) -> Call:
        x = inputs[0]
        options: dict[str, int | tuple[int, ...] | str | bool] = {}
        if each(self.stride, x.rank) != (1,) * x.rank:
            options["stride"] = self.stride
        if self.padding == "same" or each(self.padding, x.rank) != (0,) * x.rank:  # type: ignore[arg-type]
            options["padding"] = self.padding
        if each(self.dilation, x.rank) != (1,) * x.rank:
            options["dilation"] = self.dilation
        if self.groups != 1:
            options["groups"] = self.groups
        if not self.bias:
            options["bias"] = False
        if self.padding_mode != "zeros":
            options["padding_mode"] = self.padding_mode
        assert isinstance(x.channels, int)
        return Call(
            f"nn.Conv{x.rank}d",
            x.channels,
            self.channels,
            compact(each(self.kernel, x.rank)),
            initializers=initializers(self.init, self.bias),
            **options,
        )

    def keeps(self, *inputs: Tensor) -> Kept:
        """The input, or in its place what torch pads beforehand; copying a border takes the input as well."""
        x = inputs[0]
        windows = self.windows(x.rank)
        copies = self.padding_mode != "zeros" and any(window.before or window.after for window in windows)
        if not copies and all(window.before == window.after for window in windows):
            return KEEPS_INPUT
        space = [size + w.before + w.after for size, w in zip(x.space, windows, strict=True) if isinstance(size, int)]
        padded = x.with_space(tuple(space))
        return Kept((0,) if self.padding_mode in ("reflect", "replicate") else (), values=elements(padded))


@lru_cache(maxsize=1024)
def _windows(
    kernel: int | tuple[int, ...],
    stride: int | tuple[int, ...],
    padding: int | tuple[int, ...] | str,
    dilation: int | tuple[int, ...],
    rank: int,
) -> tuple[Window, ...]:
    """The windows of a convolution along its axes; axes that are alike share one."""
    windows: list[Window] = []
    kernels, strides, dilations = each(kernel, rank), each(stride, rank), each(dilation, rank)
    for axis in range(rank):
        if isinstance(padding, str):
            total = dilations[axis] * (kernels[axis] - 1)
            before, after = total // 2, total - total // 2
        else:
            before = after = each(padding, rank)[axis]
        window = Window(kernels[axis], strides[axis], before, after, dilations[axis])
        windows.append(windows[0] if windows and windows[0] == window else window)
    return tuple(windows)


class ConvTranspose(Layer):
    """Slides a learned kernel over the output: a convolution's backward pass, used to enlarge a map."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "upconv"
    aliases: ClassVar[tuple[str, ...]] = ("deconv", "conv_transpose")
    family: ClassVar[str] = "convolution"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.ConvTranspose1d, ConvTranspose2d, ConvTranspose3d"

    channels: Count = positional("output channels")
    kernel: PerAxis = option("k", "kernel size", 1)
    stride: PerAxis = option("s", "factor by which the map grows", 1)
    padding: PerAxisFromZero = option("p", "border of the result that is cut off", 0)
    output_padding: PerAxisFromZero = option(None, "rows added at the end, below the stride or the dilation", 0)
    dilation: PerAxis = option("d", "step between the taps of the kernel", 1)
    groups: Count = option("g", "groups of channels that do not see each other", 1)
    bias: Flag = option(None, "whether a learned number is added to each channel", True)
    init: Initialization = option(None, "how the weights begin", "default")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        wrong = list(axes_problems(self, x.rank, "kernel", "stride", "padding", "output_padding", "dilation"))
        yield from wrong
        yield from channels_problems(self, x)
        yield from groups_problems(self, x.channels, self.channels, self.groups)
        if wrong:
            return
        for window, size in zip(self.windows(x.rank), x.space, strict=True):
            most = max(window.stride, window.dilation)
            if window.output_padding >= most:
                yield Problem(
                    "output-padding",
                    f"output_padding {window.output_padding} must be below the larger of stride {window.stride} "
                    f"and dilation {window.dilation}",
                    parameter="output_padding",
                    help=f"at most {most - 1}",
                )
                return
            result = window.output(size)
            if isinstance(result, int) and result < 1:
                yield Problem(
                    "empty-output",
                    f"{self.word} gives an axis of {result}",
                    parameter="padding",
                    notes=(window.formula(size),),
                    help="give less padding",
                )
                return

    def windows(self, rank: int) -> tuple[TransposedWindow, ...]:
        options = (self.kernel, self.stride, self.padding, self.output_padding, self.dilation)
        return tuple(TransposedWindow(*values) for values in zip(*(each(o, rank) for o in options), strict=True))

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        return Tensor("map", (self.channels, *outputs(self.windows(x.rank), x.space)))

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.windows(inputs[0].rank))

    def weights(self, *inputs: Tensor) -> Shapes:
        x = inputs[0]
        assert isinstance(x.channels, int)
        weight = (x.channels, self.channels // self.groups, *each(self.kernel, x.rank))
        return {"weight": weight, "bias": (self.channels,)} if self.bias else {"weight": weight}

    def macs(self, *inputs: Tensor) -> int | None:
        """Each input position is multiplied with the whole kernel."""
        positions = Tensor("map", (1, *inputs[0].space)).elements
        weight = self.weights(*inputs)["weight"]
        return None if positions is None else positions * (Tensor("map", weight).elements or 0)

    def operations(self, *inputs: Tensor) -> int | None:
        """The products, summed over the input channels of a group, and these sums added onto the result."""
        x = inputs[0]
        macs, falling = self.macs(x), taps_falling_inside(self.windows(x.rank), x.space)
        results = self.output(x).elements
        if macs is None or falling is None or results is None:
            return None
        assert isinstance(x.channels, int)
        sums = macs // (x.channels // self.groups)
        return 2 * macs - sums + self.channels * falling + (results if self.bias else 0)

    def lower(self, *inputs: Tensor) -> Call:
        x = inputs[0]
        options: dict[str, int | tuple[int, ...] | bool] = {}
        for name, usual in (("stride", 1), ("padding", 0), ("output_padding", 0), ("dilation", 1)):
            value = getattr(self, name)
            if each(value, x.rank) != (usual,) * x.rank:
                options[name] = value
        if self.groups != 1:
            options["groups"] = self.groups
        if not self.bias:
            options["bias"] = False
        assert isinstance(x.channels, int)
        return Call(
            f"nn.ConvTranspose{x.rank}d",
            x.channels,
            self.channels,
            compact(each(self.kernel, x.rank)),
            initializers=initializers(self.init, self.bias),
            **options,
        )


def groups_problems(layer: Layer, before: int | str, after: int, groups: int) -> Iterator[Problem]:
    """Groups must divide the channels on both sides."""
    for channels, which in ((before, "input"), (after, "output")):
        if isinstance(channels, int) and channels % groups:
            known = divisors(channels)
            both = [d for d in known if after % d == 0]
            near = min(both or known, key=lambda d: abs(d - groups), default=1)
            yield Problem(
                "groups",
                f"{groups} groups do not divide {channels} {which} channels",
                parameter="groups",
                notes=(division(channels, groups),),
                help=what_divides(channels, near),
            )


def window_problems(
    word: str, windows: tuple[Window, ...], x: Tensor, padding_mode: str = "zeros", parameter: str = "padding"
) -> Iterator[Problem]:
    """A window must fit into the padded map, and a padding mode must have enough to copy."""
    names = AXIS_NAMES[x.rank]
    for window, size, name in zip(windows, x.space, names, strict=True):
        if not isinstance(size, int):
            continue
        room = size + window.before + window.after
        if window.extent > room:
            yield Problem(
                "window-too-large",
                f"{word} needs a {name} of at least {window.extent}, got {size}"
                + (f" padded to {room}" if room != size else ""),
                parameter="kernel",
                notes=(window.formula(size),),
                help=f"pad by {-(-(window.extent - size) // 2)}, take a smaller kernel, or shrink the map less above",
            )
            return
        most = {"reflect": size - 1, "circular": size}.get(padding_mode)
        if most is not None and max(window.before, window.after) > most:
            amount = max(window.before, window.after)
            least = amount + size - most
            yield Problem(
                "padding-mode",
                f"{padding_mode} padding of {amount} needs a {name} of at least {least}, got {size}",
                parameter=parameter,
                help=f"at most {most}, or replicate padding",
            )
            return
