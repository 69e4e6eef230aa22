"""Linear layers, embeddings, and the element that changes nothing."""

from collections.abc import Iterator, Mapping
from typing import ClassVar

from archdsl.layers.base import (
    KEEPS_INPUT_TO_TRAIN,
    TO_MAP,
    Count,
    Flag,
    Kept,
    Layer,
    Problem,
    Shapes,
    Traffic,
    Whole,
    changed,
    channels_problems,
    option,
    positional,
)
from archdsl.layers.call import Call, Expression
from archdsl.layers.initialization import Initialization, initializers
from archdsl.layers.tensor import Kind, Tensor


class _Matrix(Layer):
    """Multiplies features with a learned matrix."""

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "linear"
    rewritable: ClassVar[bool] = True

    features: Count = positional("size of the result")
    bias: Flag = option(None, "whether a learned number is added to each feature", True)
    init: Initialization = option(None, "how the weights begin", "default")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_channels(self.features)

    def weights(self, *inputs: Tensor) -> Shapes:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        weight = (self.features, channels)
        return {"weight": weight, "bias": (self.features,)} if self.bias else {"weight": weight}

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_INPUT_TO_TRAIN

    def lower(self, *inputs: Tensor) -> Call:
        channels = inputs[0].channels
        assert isinstance(channels, int)
        constructor = "ChannelLinear" if inputs[0].kind == "map" else "nn.Linear"
        start = initializers(self.init, self.bias)
        return Call(constructor, channels, self.features, initializers=start, **changed(self, "bias"))


class Linear(_Matrix):
    """Multiplies a vector, or each token, with a learned matrix: a fully connected layer."""

    word: ClassVar[str] = "fc"
    aliases: ClassVar[tuple[str, ...]] = ("linear",)
    accepts: ClassVar[tuple[Kind, ...]] = ("vector", "tokens")
    conversions: ClassVar[Mapping[Kind, str]] = {"map": "flatten", "ids": "embedding D"}
    torch_name: ClassVar[str] = "torch.nn.Linear"


class Pointwise(_Matrix):
    """Multiplies the channels at each position of a map with a learned matrix: `fc` for maps."""

    word: ClassVar[str] = "pointwise"
    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    channels_last: ClassVar[bool] = True
    wants_channels_last: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.Linear, with the channels moved to the end for it"


class Embedding(Layer):
    """Looks up a learned vector for each id: L ids become L tokens of D features."""

    word: ClassVar[str] = "embedding"
    family: ClassVar[str] = "linear"
    accepts: ClassVar[tuple[Kind, ...]] = ("ids",)
    conversions: ClassVar[Mapping[Kind, str]] = {}
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.Embedding"

    features: Count = positional("features of a token")
    padding_idx: Whole | None = option(None, "the id whose vector stays zero", None)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        vocabulary = inputs[0].vocabulary
        if vocabulary is None:
            yield Problem(
                "unknown-size",
                f"{self.word} needs to know how many ids there are",
                input=0,
                help="write the input as `input ids 128 of 30000`",
            )
        elif self.padding_idx is not None and not -vocabulary <= self.padding_idx < vocabulary:
            yield Problem(
                "padding-idx",
                f"padding_idx {self.padding_idx} is none of the {vocabulary} ids",
                parameter="padding_idx",
                help=f"ids go from 0 to {vocabulary - 1}",
            )

    def output(self, *inputs: Tensor) -> Tensor:
        return Tensor("tokens", (*inputs[0].dims, self.features))

    def weights(self, *inputs: Tensor) -> Shapes:
        assert inputs[0].vocabulary is not None
        return {"weight": (inputs[0].vocabulary, self.features)}

    def macs(self, *inputs: Tensor) -> int:
        """A look-up multiplies nothing."""
        return 0

    def traffic(self, *inputs: Tensor) -> Traffic | None:
        """Of the vectors only those that are looked up are read."""
        vectors, ids = self.output(*inputs).elements, inputs[0].elements
        return None if vectors is None or ids is None else Traffic(values=2 * vectors, ids=ids)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.Embedding", inputs[0].vocabulary, self.features, **changed(self, "padding_idx"))


class Identity(Layer):
    """Changes nothing: the branch that carries a residual past the others."""

    word: ClassVar[str] = "id"
    family: ClassVar[str] = "linear"
    accepts: ClassVar[tuple[Kind, ...]] = ("map", "tokens", "vector", "ids")
    conversions: ClassVar[Mapping[Kind, str]] = {}
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "nothing: its input is used again"

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression("{0}")
