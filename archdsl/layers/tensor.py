"""What flows through a network: the kind of a tensor and its sizes, without the batch axis."""

from __future__ import annotations

from math import prod
from typing import Literal, NamedTuple, TypeAlias

Size: TypeAlias = "int | str"
"""The size of an axis: a number, a symbol of an input's shape ("H"), or "?" where it is not known."""

Kind = Literal["map", "tokens", "vector", "ids", "unknown"]

ANY = "?"

AXIS_LETTERS: dict[int, tuple[str, ...]] = {0: (), 1: ("L",), 2: ("H", "W"), 3: ("D", "H", "W")}
"""What the spatial axes are called in a shape, by their number."""
AXIS_NAMES: dict[int, tuple[str, ...]] = {1: ("length",), 2: ("height", "width"), 3: ("depth", "height", "width")}
"""The same in words."""

_KINDS = {
    "map": "a map C x space",
    "tokens": "a token sequence L x D",
    "vector": "a vector",
    "ids": "a sequence of ids",
    "unknown": "unknown",
}


class Tensor(NamedTuple):
    """A tensor as the language sees it; equal tensors are interchangeable.

    A map has its channels first and then one to three spatial axes; a token sequence is `L x D`; ids are `L` integers
    below `vocabulary`. Nothing is known of an unknown one, and nothing that depends on it is reported.
    """

    kind: Kind
    dims: tuple[Size, ...] = ()
    vocabulary: int | None = None

    @property
    def known(self) -> bool:
        """Whether anything is known; the sizes of the axes may still be open."""
        return self.kind != "unknown"

    @property
    def channels(self) -> Size:
        """The size of the axis that layers such as `conv` and `fc` transform."""
        return self.dims[-1] if self.kind == "tokens" else self.dims[0]

    @property
    def channel_axis(self) -> int:
        """The axis of the channels as torch numbers it, the batch being axis 0."""
        return 1 if self.kind == "map" else -1

    @property
    def space(self) -> tuple[Size, ...]:
        """The sizes of the spatial axes of a map; of a token sequence, its length."""
        if self.kind == "map":
            return self.dims[1:]
        return self.dims[:1] if self.kind in ("tokens", "ids") else ()

    @property
    def rank(self) -> int:
        """The number of spatial axes."""
        return len(self.space)

    @property
    def elements(self) -> int | None:
        """The number of values for one sample; None where a size is open."""
        return product(self.dims) if self.known else None

    @property
    def described(self) -> str:
        """The kind in words, as error messages name it."""
        return _KINDS[self.kind]

    def with_channels(self, channels: Size) -> Tensor:
        if self.kind == "tokens":
            return Tensor("tokens", (*self.dims[:-1], channels))
        return Tensor(self.kind, (channels, *self.dims[1:]))

    def with_space(self, space: tuple[Size, ...]) -> Tensor:
        return Tensor(self.kind, (self.dims[0], *space))

    def __str__(self) -> str:
        if self.kind == "unknown":
            return ANY
        text = "x".join(map(str, self.dims))
        return f"{text} of {self.vocabulary}" if self.vocabulary else text


UNKNOWN = Tensor("unknown")


def product(sizes: tuple[Size, ...]) -> int | None:
    """The product of sizes; None where one is not a number."""
    numbers = [size for size in sizes if isinstance(size, int)]
    return prod(numbers) if len(numbers) == len(sizes) else None


def division(whole: int, part: int) -> str:
    """A division that leaves a rest, written out: `30 = 4*7 + 2`."""
    return f"{whole} = {whole // part}*{part} + {whole % part}"


def divisors(whole: int) -> list[int]:
    """What divides a number, from 2 on and as far as anybody would want."""
    return [d for d in range(2, min(whole, 4096) + 1) if whole % d == 0]


def what_divides(whole: int, near: int) -> str:
    """The help for a number that does not divide another, where `near` does: of a prime there is little to choose."""
    return f"only 1 and {whole} divide {whole}" if divisors(whole) == [whole] else f"{near} divides {whole}"


def agree(a: Size, b: Size) -> bool:
    """Whether two sizes may be the same: equal numbers, or at least one that is not a number."""
    return a == b or not (isinstance(a, int) and isinstance(b, int))


def meet(a: Size, b: Size) -> Size:
    """What is known of a size that is both `a` and `b`."""
    if isinstance(a, int):
        return a
    return b if isinstance(b, int) or a == ANY else a
