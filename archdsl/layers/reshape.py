"""Between the kinds of tensor, and the order of channels: nothing is computed."""

from collections.abc import Iterator, Mapping
from typing import Annotated, ClassVar

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from archdsl import limits
from archdsl.layers.base import (
    GLOBAL,
    KEEPS_NOTHING,
    POINTWISE,
    TO_MAP,
    Count,
    Kept,
    Layer,
    PerAxisOrNone,
    Problem,
    Reach,
    Whole,
    channels_problems,
    each,
    elements,
    positional,
    whole,
)
from archdsl.layers.call import Call, Expression
from archdsl.layers.convolution import groups_problems
from archdsl.layers.geometry import Window, outputs
from archdsl.layers.tensor import ANY, Kind, Size, Tensor, product


def _sizes(value: object) -> tuple[int, ...]:
    """One to four sizes: 256x7x7."""
    items = value if isinstance(value, tuple | list) else (value,)
    if not 1 <= len(items) <= 4:
        raise PydanticCustomError("axes", "must have one to four sizes")
    return tuple(whole(item, 1) for item in items)


def _parts(value: object) -> int | tuple[int, ...]:
    """A number of parts, or the channels of each."""
    if not isinstance(value, tuple | list):
        if (count := whole(value, 1)) > limits.LIST_ITEMS:
            raise PydanticCustomError("high", "must be at most {high}", {"high": limits.LIST_ITEMS})
        return count
    if not 1 <= len(value) <= limits.LIST_ITEMS:
        raise PydanticCustomError("parts", "must list the channels of each part")
    return tuple(whole(item, 1) for item in value)


class _Reshape(Layer):
    """Gives the same values another shape."""

    family: ClassVar[str] = "reshape"


class Flatten(_Reshape):
    """Puts all values of a sample into one vector."""

    word: ClassVar[str] = "flatten"
    is_view: ClassVar[bool] = True
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.Flatten"

    def output(self, *inputs: Tensor) -> Tensor:
        elements = inputs[0].elements
        return Tensor("vector", (ANY if elements is None else elements,))

    def reach(self, *inputs: Tensor) -> Reach:
        return POINTWISE if product(inputs[0].space) == 1 else GLOBAL

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.Flatten")


class Reshape(_Reshape):
    """Reads the values of a sample, in their order, as a map C x space, or as a vector where one size is given."""

    word: ClassVar[str] = "reshape"
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.unflatten"

    size: Annotated[tuple[int, ...], BeforeValidator(_sizes)] = positional("sizes of the result: 256x7x7")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        given, wanted = inputs[0].elements, product(self.size)
        if given is not None and given != wanted:
            yield Problem(
                "reshape-size",
                f"{self.word} to {self.output()} needs {wanted} values, got {given}",
                parameter="size",
                notes=(f"{' * '.join(map(str, inputs[0].dims))} = {given}",) if len(inputs[0].dims) > 1 else (),
                help=self.fitting(given),
            )

    def fitting(self, values: int) -> str | None:
        """The same space with as many channels as there are values for."""
        positions = product(self.size[1:]) or 1
        if len(self.size) == 1 or values % positions:
            return None
        return f"`{'x'.join(map(str, (values // positions, *self.size[1:])))}` has {values}"

    def output(self, *inputs: Tensor) -> Tensor:
        return Tensor("map" if len(self.size) > 1 else "vector", self.size)

    def reach(self, *inputs: Tensor) -> Reach:
        return POINTWISE if {product(inputs[0].space), product(self.size[1:])} == {1} else GLOBAL

    def lower(self, *inputs: Tensor) -> Expression:
        flat = "{0}" if inputs[0].kind == "vector" else "{0}.flatten(1)"
        return Expression(f"{flat}.unflatten(1, {self.size})" if len(self.size) > 1 else flat)


class ToTokens(_Reshape):
    """Makes each position of a map a token: C x H x W becomes H*W x C."""

    word: ClassVar[str] = "to_tokens"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = {"vector": "reshape CxHxW", "ids": "embedding D"}
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.flatten, torch.transpose"

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        length: Size | None = x.space[0] if x.rank == 1 else product(x.space)
        return Tensor("tokens", (ANY if length is None else length, x.channels))

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression("{0}.transpose(1, 2)" if inputs[0].rank == 1 else "{0}.flatten(2).transpose(1, 2)")


class ToMap(_Reshape):
    """Makes tokens L x D a map D x L, or with a size, as 14x14, a map D x 14 x 14."""

    word: ClassVar[str] = "to_map"
    accepts: ClassVar[tuple[Kind, ...]] = ("tokens",)
    conversions: ClassVar[Mapping[Kind, str]] = {"vector": "reshape CxHxW", "ids": "embedding D"}
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.transpose, torch.unflatten"

    size: PerAxisOrNone = positional("spatial sizes of the map; one axis of the tokens' length by default", None)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        length, wanted = inputs[0].space[0], product(self.target(inputs[0]))
        if self.size is not None and isinstance(length, int) and length != wanted:
            yield Problem(
                "reshape-size",
                f"{self.word} {'x'.join(map(str, each(self.size, 1)))} needs {wanted} tokens, got {length}",
                parameter="size",
            )

    def target(self, x: Tensor) -> tuple[Size, ...]:
        """The spatial sizes of the map."""
        return x.space if self.size is None else each(self.size, 1)

    def output(self, *inputs: Tensor) -> Tensor:
        return Tensor("map", (inputs[0].channels, *self.target(inputs[0])))

    def lower(self, *inputs: Tensor) -> Expression:
        target = self.target(inputs[0])
        return Expression("{0}.transpose(1, 2)" + (f".unflatten(2, {target})" if len(target) > 1 else ""))


class Token(_Reshape):
    """Takes one token of a sequence, as a vector: the class token is the first."""

    word: ClassVar[str] = "token"
    accepts: ClassVar[tuple[Kind, ...]] = ("tokens",)
    conversions: ClassVar[Mapping[Kind, str]] = {"map": "to_tokens", "vector": "reshape CxHxW", "ids": "embedding D"}
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    torch_name: ClassVar[str] = "indexing"

    index: Whole = positional("its number, from 0; from the end with -1")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        length = inputs[0].space[0]
        if isinstance(length, int) and not -length <= self.index < length:
            yield Problem(
                "bounds",
                f"{self.word} {self.index} is none of the {length} tokens",
                parameter="index",
                help=f"tokens go from 0 to {length - 1}",
            )

    def output(self, *inputs: Tensor) -> Tensor:
        return Tensor("vector", (inputs[0].channels,))

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression(f"{{0}}[:, {self.index}]")


class Patches(_Reshape):
    """Joins the channels of neighbouring positions: C x H x W becomes 4*C x H/2 x W/2 (Swin's patch merging).

    The channels of a patch stand column by column; an odd map is padded with zeros at its end.
    """

    word: ClassVar[str] = "patches"
    channels_last: ClassVar[bool] = True
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    ranks: ClassVar[tuple[int, ...]] = (2,)
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torchvision's patch merging, before its linear layer"

    size: Count = positional("height and width of a patch", 2)

    def windows(self, x: Tensor) -> tuple[Window, ...]:
        """The patches along each axis; the padding at the end as far as it is known."""
        ends = [-size % self.size if isinstance(size, int) else 0 for size in x.space]
        return tuple(Window(self.size, self.size, after=end) for end in ends)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def output(self, *inputs: Tensor) -> Tensor:
        x = inputs[0]
        assert isinstance(x.channels, int)
        space = outputs(self.windows(x), x.space)
        return Tensor("map", (x.channels * self.size**2, *space))

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.windows(inputs[0]))

    def lower(self, *inputs: Tensor) -> Call:
        return Call("Patches", self.size)

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept(scratch=elements(self.output(*inputs)))


class Split(_Reshape):
    """Cuts the channels into equal parts, or into parts of the sizes listed; every part is a result."""

    word: ClassVar[str] = "split"
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.split"

    parts: Annotated[int | tuple[int, ...], BeforeValidator(_parts)] = positional("number of parts, or their channels")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        channels = inputs[0].channels
        if not isinstance(channels, int):
            if isinstance(self.parts, int):
                yield Problem("unknown-size", f"{self.word} needs the number of channels, got {inputs[0]}", input=0)
        elif isinstance(self.parts, int):
            if channels % self.parts:
                yield Problem(
                    "split-sizes",
                    f"{channels} channels do not split into {self.parts} equal parts",
                    parameter="parts",
                    help=f"list the sizes: [{channels // 2}, {channels - channels // 2}]",
                )
        elif sum(self.parts) != channels:
            yield Problem(
                "split-sizes",
                f"parts of {' + '.join(map(str, self.parts))} = {sum(self.parts)} channels, got {channels}",
                parameter="parts",
            )

    def sizes(self, x: Tensor) -> tuple[int, ...]:
        """The channels of each part."""
        if isinstance(self.parts, tuple):
            return self.parts
        assert isinstance(x.channels, int)
        return (x.channels // self.parts,) * self.parts

    def output(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(inputs[0].with_channels(size) for size in self.sizes(inputs[0]))

    def lower(self, *inputs: Tensor) -> Expression:
        sizes = list(self.parts) if isinstance(self.parts, tuple) else self.sizes(inputs[0])[0]
        return Expression(f"torch.split({{0}}, {sizes}, dim={inputs[0].channel_axis})")


class Shuffle(_Reshape):
    """Deals the channels of each group out over all groups, as ShuffleNet does."""

    word: ClassVar[str] = "shuffle"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.ChannelShuffle"

    groups: Count = positional("groups of channels", letter="g")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from groups_problems(self, inputs[0].channels, 0, self.groups)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.ChannelShuffle", self.groups)

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING
