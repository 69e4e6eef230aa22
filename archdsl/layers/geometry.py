"""Which inputs an output index sees along one axis, and how many outputs that makes.

Output sizes and receptive fields both come from here; no layer writes either by hand. Along an axis a geometry says:
output `up*q + r` sees the inputs `down*q + t` for each `t` in `taps(r)`, with `0 <= r < up`. A convolution has `up` 1
and its stride as `down`, a transposed one the other way round.
"""

from __future__ import annotations

from math import gcd
from typing import TYPE_CHECKING, NamedTuple, Protocol

from archdsl.layers.tensor import ANY, Size

if TYPE_CHECKING:
    from collections.abc import Sequence


class Geometry(Protocol):
    """One axis of a layer that moves over space."""

    @property
    def up(self) -> int: ...
    @property
    def down(self) -> int: ...
    def taps(self, phase: int) -> range:
        """The inputs seen by an output of that phase, relative to `down*q`; empty where it sees none."""
        ...

    def output(self, size: Size) -> Size:
        """The size that comes out; may be below 1 where nothing does."""
        ...

    def formula(self, size: Size) -> str:
        """The arithmetic of `output`, written out."""
        ...


class Window(NamedTuple):
    """A window that slides: convolution, pooling, and padding or cropping as a window of one.

    Source of the rule: the shape sections of torch.nn.Conv2d and torch.nn.MaxPool2d. With `ceil` the last window may
    reach over the end, but must start inside the input or its left padding.
    """

    kernel: int = 1
    stride: int = 1
    before: int = 0
    after: int = 0
    dilation: int = 1
    ceil: bool = False

    @property
    def up(self) -> int:
        return 1

    @property
    def down(self) -> int:
        return self.stride

    @property
    def extent(self) -> int:
        """The effective kernel: `k + (k - 1)(d - 1)`."""
        return self.dilation * (self.kernel - 1) + 1

    def taps(self, phase: int) -> range:
        return range(-self.before, -self.before + self.extent, self.dilation)

    def output(self, size: Size) -> Size:
        room = self.before + self.after - self.extent
        if not isinstance(size, int):
            return size if self.stride == 1 and room == -1 else ANY
        if not self.ceil:
            return (size + room) // self.stride + 1
        count = -(-(size + room) // self.stride) + 1
        return count - 1 if (count - 1) * self.stride >= size + self.before else count

    def misses(self, size: int) -> bool:
        """Whether there is a window without a tap inside the input: a dilated one whose taps step over it.

        For padding of at most half the kernel. Then the windows begin within one dilation, so that the first which
        steps over has its first tap behind the end; with `ceil` there is one more window.
        """
        count = self.output(size)
        if size >= self.dilation or not isinstance(count, int):
            return False
        turn = max(0, -(-(size - -self.before % self.dilation) // self.stride))
        starts = [self.stride * i - self.before for i in (turn, count - 1) if i < count]
        return any(start < 0 and start % self.dilation >= size for start in starts)

    def formula(self, size: Size) -> str:
        padding = f" + 2*{self.before}" if self.before == self.after else f" + {self.before} + {self.after}"
        padding = padding if self.before or self.after else ""
        rounding = "ceil" if self.ceil else "floor"
        extent = f"{self.dilation}*({self.kernel} - 1) - 1" if self.dilation != 1 else f"{self.kernel}"
        result = self.output(size)
        inside = f"{size}{padding} - {extent}"
        plain = f"{rounding}(({inside}) / {self.stride}) + 1" if self.stride != 1 else f"({inside}) + 1"
        note = ""
        if self.ceil and isinstance(size, int):
            count = -(-(size + self.before + self.after - self.extent) // self.stride) + 1
            note = " (less 1: the last window would start beyond the input)" if count != result else ""
        return f"{plain} = {result}{note}"


class TransposedWindow(NamedTuple):
    """A transposed convolution along one axis.

    Source of the rule: the shape section of torch.nn.ConvTranspose2d.
    """

    kernel: int
    stride: int = 1
    padding: int = 0
    output_padding: int = 0
    dilation: int = 1

    @property
    def down(self) -> int:
        return 1

    @property
    def up(self) -> int:
        return self.stride

    def taps(self, phase: int) -> range:
        first = phase + self.padding
        # The outputs of a tap t come from inputs (first - d*t) / s, where s divides: t is known modulo s / gcd(d, s).
        common = gcd(self.dilation, self.stride)
        period = self.stride // common
        if first % common:
            return range(0)
        hits = range(first // common * pow(self.dilation // common, -1, period) % period, self.kernel, period)
        if not hits:
            return range(0)
        highest, lowest = ((first - self.dilation * t) // self.stride for t in (hits[0], hits[-1]))
        return range(lowest, highest + 1, self.dilation // common)

    def output(self, size: Size) -> Size:
        rest = self.dilation * (self.kernel - 1) + self.output_padding + 1 - 2 * self.padding
        if isinstance(size, int):
            return (size - 1) * self.stride + rest
        return size if self.stride == 1 and rest == 1 else ANY

    def formula(self, size: Size) -> str:
        return (
            f"({size} - 1)*{self.stride} - 2*{self.padding} + {self.dilation}*({self.kernel} - 1)"
            f" + {self.output_padding} + 1 = {self.output(size)}"
        )


class Resampled(NamedTuple):
    """An axis taken from one size to another: up-sampling to a size, or by a factor as from 1 to that factor.

    `support` is the number of inputs on each side that an output mixes: 0 nearest, 1 linear, 2 cubic. Source of the
    rule: torch.nn.functional.interpolate; `aligned` is its `align_corners`.
    """

    source: int
    target: int
    support: int = 0
    aligned: bool = False

    @property
    def _scale(self) -> tuple[int, int]:
        """The step in the input for one output, as a fraction."""
        if self.aligned and self.support:
            return max(self.source - 1, 0), max(self.target - 1, 1)
        return self.source, self.target

    @property
    def up(self) -> int:
        step, of = self._scale
        return of // (gcd(step, of) or 1)

    @property
    def down(self) -> int:
        step, of = self._scale
        return step // (gcd(step, of) or 1)

    def taps(self, phase: int) -> range:
        if self.support == 0:
            at = phase * self.source // self.target
            return range(at, at + 1)
        step, of = self._scale
        # The position in the input, in units of 1/(2*of): corners aligned, or centres half a pixel inside.
        position = 2 * phase * step if self.aligned else (2 * phase + 1) * step - of
        floor, rest = divmod(position, 2 * of)
        if self.support == 1:
            return range(floor, floor + 1 if rest == 0 else floor + 2)
        return range(floor - 1, floor + 3) if rest else range(floor, floor + 1)

    def output(self, size: Size) -> Size:
        return _scaled(size, self.source, self.target)

    def formula(self, size: Size) -> str:
        return f"{size} resampled to {self.output(size)}"


class Adaptive(NamedTuple):
    """An axis cut into a number of windows, as equal as they can be; they overlap where sizes do not divide.

    Output i sees the inputs from `floor(i*source/target)` up to, not including, `ceil((i + 1)*source/target)`. Source
    of the rule: torch.nn.AdaptiveAvgPool2d, whose kernels compute these bounds.
    """

    source: int
    target: int

    @property
    def up(self) -> int:
        return self.target // gcd(self.source, self.target)

    @property
    def down(self) -> int:
        return self.source // gcd(self.source, self.target)

    def taps(self, phase: int) -> range:
        return range(phase * self.source // self.target, -(-(phase + 1) * self.source // self.target))

    def output(self, size: Size) -> Size:
        return _scaled(size, self.source, self.target)

    def formula(self, size: Size) -> str:
        return f"{size} cut into {self.output(size)} windows"


class Tiles(NamedTuple):
    """An axis cut into tiles, each position of which sees the whole tile; the first tile ends at `shift`, if not 0."""

    size: int
    shift: int = 0

    @property
    def up(self) -> int:
        return self.size

    @property
    def down(self) -> int:
        return self.size

    def taps(self, phase: int) -> range:
        first = self.shift if phase >= self.shift else self.shift - self.size
        return range(first, first + self.size)

    def output(self, size: Size) -> Size:
        return size

    def formula(self, size: Size) -> str:
        return f"{size} in tiles of {self.size}"


def _scaled(size: Size, source: int, target: int) -> Size:
    """The size that comes out where `source` becomes `target`: a ratio, so that 1 to 2 doubles any size."""
    if isinstance(size, int):
        return size * target // source
    return size if source == target else ANY


def outputs(geometries: Sequence[Geometry], space: Sequence[Size]) -> tuple[Size, ...]:
    """The sizes that come out of an input's spatial axes."""
    return tuple(geometry.output(size) for geometry, size in zip(geometries, space, strict=True))
