"""Learned numbers that stand in the flow by themselves: scales, positions, tokens."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from archdsl.layers.base import (
    BLIND,
    KEEPS_NOTHING,
    Count,
    Flag,
    Kept,
    Layer,
    Number,
    NumberFromZero,
    Problem,
    Reach,
    Shapes,
    Traffic,
    changed,
    channels_problems,
    elements,
    features,
    option,
    positional,
    times,
)
from archdsl.layers.call import Call, Expression, Parameter
from archdsl.layers.geometry import Window
from archdsl.layers.operations import by_position, unit_length
from archdsl.layers.tensor import ANY, Kind, Tensor, division

_TO_TOKENS: Mapping[Kind, str] = {"map": "to_tokens", "vector": "reshape CxHxW -> to_tokens", "ids": "embedding D"}


class _Learned(Layer):
    """A parameter of the module that holds it, and no module of its own."""

    family: ClassVar[str] = "parameter"
    is_module: ClassVar[bool] = False

    def macs(self, *inputs: Tensor) -> int:
        """Sums and products with single numbers are not counted."""
        return 0


class LayerScale(_Learned):
    """Multiplies each channel by a learned number, which begins small (CaiT, Touvron et al., 2021)."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "layer_scale"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 1
    torch_name: ClassVar[str] = "torch.nn.Parameter, torch.mul"

    value: Number = positional("what the numbers begin with", 1e-6)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def weights(self, *inputs: Tensor) -> Shapes:
        x = inputs[0]
        assert isinstance(x.channels, int)
        return {"": (x.channels, *((1,) * x.rank if x.kind == "map" else ()))}

    def lower(self, *inputs: Tensor) -> Parameter:
        call = Call("filled", *self.weights(*inputs)[""], value=self.value)
        return Parameter(call, Expression("{self} * {0}"))

    def keeps(self, *inputs: Tensor) -> Kept:
        """The gradient of the numbers is made at every position before it is summed."""
        return Kept((0,), scratch=elements(inputs[0]), passing=0, frozen=Kept())


class L2Norm(_Learned):
    """Scales the channels of each position to length 1, then each by a learned number (ParseNet, Liu et al., 2015)."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "l2norm"
    family: ClassVar[str] = "normalization"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.functional.normalize, torch.nn.Parameter"

    value: Number = positional("what the numbers begin with", 1.0)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        return {"": (channels,)}

    def operations(self, *inputs: Tensor) -> int | None:
        """The length of each position's channels, and a scale for each value."""
        sizes, learned = by_position(inputs[0]), times(1, inputs)
        return None if sizes is None or learned is None else unit_length(*sizes) + learned

    def lower(self, *inputs: Tensor) -> Parameter:
        x = inputs[0]
        ones = ", 1" * x.rank if x.kind == "map" else ""
        numbers = f"{{self}}.view(1, -1{ones})" if ones else "{self}"
        along = ", dim=-1" if x.kind == "tokens" else ""
        call = Call("filled", *self.weights(*inputs)[""], value=self.value)
        return Parameter(call, Expression(f"{numbers} * F.normalize({{0}}{along})"))

    def keeps(self, *inputs: Tensor) -> Kept:
        """The lengths, before and after they are kept from zero, and what is then scaled."""
        size = elements(inputs[0])
        values = size + 2 * (size // features(inputs[0]))
        return Kept((0,), values=values, scratch=size, passing=values)


class ClassToken(_Learned):
    """Puts a learned token before the others (BERT, ViT)."""

    word: ClassVar[str] = "class_token"
    accepts: ClassVar[tuple[Kind, ...]] = ("tokens",)
    conversions: ClassVar[Mapping[Kind, str]] = _TO_TOKENS
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.Parameter, torch.cat"

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def output(self, *inputs: Tensor) -> Tensor:
        length, features = inputs[0].dims
        return Tensor("tokens", (length + 1 if isinstance(length, int) else ANY, features))

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach((Window(before=1),))

    def weights(self, *inputs: Tensor) -> Shapes:
        features = inputs[0].channels
        assert isinstance(features, int)
        return {"": (1, 1, features)}

    def lower(self, *inputs: Tensor) -> Parameter:
        call = Call("filled", *self.weights(*inputs)[""], value=0.0)
        return Parameter(call, Expression("torch.cat([{self}.expand({0}.shape[0], -1, -1), {0}], dim=1)"))

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


class Positions(_Learned):
    """Adds a learned vector to each token, one for each place in the sequence."""

    word: ClassVar[str] = "positions"
    accepts: ClassVar[tuple[Kind, ...]] = ("tokens",)
    conversions: ClassVar[Mapping[Kind, str]] = _TO_TOKENS
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 1
    torch_name: ClassVar[str] = "torch.nn.Parameter, torch.add"

    std: NumberFromZero = option(None, "deviation of the normal distribution that they begin with", 0.02)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])
        if not isinstance(inputs[0].space[0], int):
            yield Problem(
                "unknown-size",
                f"{self.word} has a vector for each token, but the length is not known: {inputs[0]}",
                help="give the sizes of the input",
            )

    def weights(self, *inputs: Tensor) -> Shapes:
        length, features = inputs[0].dims
        assert isinstance(length, int)
        assert isinstance(features, int)
        return {"": (1, length, features)}

    def lower(self, *inputs: Tensor) -> Parameter:
        call = Call("random_normal", *self.weights(*inputs)[""], std=self.std)
        return Parameter(call, Expression("{0} + {self}"))

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


class Queries(_Learned):
    """Gives learned vectors, whatever comes in: what to ask (DETR's object queries), what to remember (Perceiver)."""

    word: ClassVar[str] = "queries"
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.Parameter, torch.Tensor.expand"

    count: Count = positional("how many vectors, each with as many features as what comes in has channels")
    std: NumberFromZero = option(None, "deviation of the normal distribution that they begin with", 0.02)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def output(self, *inputs: Tensor) -> Tensor:
        return Tensor("tokens", self.weights(*inputs)[""])

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        return {"": (self.count, channels)}

    def traffic(self, *inputs: Tensor) -> Traffic:
        """The parameter itself is handed on, once for each sample."""
        return Traffic()

    def reach(self, *inputs: Tensor) -> Reach:
        return BLIND

    def lower(self, *inputs: Tensor) -> Parameter:
        call = Call("random_normal", *self.weights(*inputs)[""], std=self.std)
        return Parameter(call, Expression("{self}.expand({0}.shape[0], -1, -1)"))

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


class PositionEncoding(Layer):
    """Gives the sines and cosines of each place's position, in the shape of what comes in (Vaswani et al., 2017).

    Of a map each axis has its part of the channels, height before width, as in DETR (Carion et al., 2020). Nothing is
    learned, and nothing is added: `( id | position_encoding ) -> add`.
    """

    word: ClassVar[str] = "position_encoding"
    family: ClassVar[str] = "parameter"
    accepts: ClassVar[tuple[Kind, ...]] = ("map", "tokens")
    conversions: ClassVar[Mapping[Kind, str]] = {"vector": "reshape CxHxW", "ids": "embedding D"}
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.sin, torch.cos"

    temperature: Number = positional("how much slower the last channel turns than the first", 10000.0)
    normalize: Flag = option(None, "whether an axis is one turn, as in DETR, instead of a step for each place", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        yield from channels_problems(self, x)
        parts = 2 * max(len(x.space), 1)
        if isinstance(x.channels, int) and x.channels % parts:
            axes = "" if parts == 2 else f" for each of {parts // 2} axes"
            yield Problem(
                "channels-mismatch",
                f"{self.word} needs a sine and a cosine{axes}, a multiple of {parts} channels, got {x.channels}",
                notes=(division(x.channels, parts),),
                help=f"give it {x.channels // parts * parts or parts} channels",
            )
        if self.temperature <= 0:
            yield Problem("bounds", f"{self.word} needs a temperature above 0", parameter="temperature")

    def reach(self, *inputs: Tensor) -> Reach:
        return BLIND

    def lower(self, *inputs: Tensor) -> Call:
        options = changed(self, "temperature", "normalize")
        if inputs[0].kind == "tokens":
            options["dim"] = -1
        return Call("PositionEncoding", **options)

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING
