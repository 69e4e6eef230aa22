"""Attention: positions that look at each other, in a sequence or within windows of a map."""

from collections.abc import Iterator, Mapping
from math import prod
from typing import ClassVar

from archdsl.layers.base import (
    GLOBAL,
    TO_MAP,
    UNKNOWN_REACH,
    Count,
    Flag,
    Kept,
    Layer,
    Problem,
    Reach,
    Shapes,
    Share,
    Whole,
    changed,
    channels_problems,
    elements,
    features,
    option,
    positional,
)
from archdsl.layers.call import Call
from archdsl.layers.geometry import Tiles
from archdsl.layers.merge import listed
from archdsl.layers.operations import softmax, sums, unit_length
from archdsl.layers.tensor import Kind, Tensor, agree, division, divisors, product, what_divides

_BIAS_FEATURES = 512
"""The hidden features of the network that gives the position biases of Swin Transformer V2."""


class _Attention(Layer):
    """Mixes positions by how much their features have in common, in several heads."""

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "attention"
    rewritable: ClassVar[bool] = True

    heads: Count = positional("heads, each with its part of the features")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from channels_problems(self, inputs[0])
        features = inputs[0].channels
        if isinstance(features, int) and features % self.heads:
            near = min(divisors(features), key=lambda d: abs(d - self.heads), default=1)
            yield Problem(
                "groups",
                f"{self.heads} heads do not divide {features} features",
                parameter="heads",
                notes=(division(features, self.heads),),
                help=what_divides(features, near),
            )


def _products(groups: int, length: int, features: int) -> int:
    """Multiplications of self-attention in each of several groups: projections in and out, and two products."""
    return groups * _looking(length, length, features)


def _looking(queries: int, keys: int, features: int) -> int:
    """Multiplications where some tokens look at others: projections in and out, and two products."""
    return 2 * (queries + keys) * features * features + 2 * queries * keys * features


def _operations(queries: int, keys: int, width: int, heads: int, bias: bool) -> int:
    """Operations of attention: four projections, the scores, their softmax, the values mixed by it."""
    projections = sums(2 * (queries + keys) * width, width, bias)
    scores = sums(heads * queries * keys, width // heads)
    return projections + scores + softmax(heads * queries, keys) + sums(queries * width, keys)


def _kept_in_windows(windows: int, length: int, features: int, heads: int) -> Kept:
    """What self-attention within windows keeps, written out: how much each position looks at each is a matrix."""
    looks = windows * heads * length**2
    given = windows * length * features
    scratch, passing = 5 * given + looks, 5 * given + 2 * looks
    frozen = Kept(values=3 * given + looks, scratch=scratch, passing=passing)
    return Kept(values=5 * given + looks, scratch=scratch, passing=passing, frozen=frozen)


class Attention(_Attention):
    """Every token looks at all tokens (Attention Is All You Need, Vaswani et al., 2017).

    Of two sequences the tokens of the first look at those of the second; three are queries, keys and values.
    """

    word: ClassVar[str] = "attention"
    aliases: ClassVar[tuple[str, ...]] = ("mha",)
    accepts: ClassVar[tuple[Kind, ...]] = ("tokens",)
    conversions: ClassVar[Mapping[Kind, str]] = {
        "map": "to_tokens",
        "vector": "reshape CxHxW -> to_tokens",
        "ids": "embedding D",
    }
    inputs: ClassVar[tuple[int, int | None]] = (1, 3)
    torch_name: ClassVar[str] = "torch.nn.MultiheadAttention"

    dropout: Share = option(None, "probability to drop a token's weight", 0.0)
    bias: Flag = option(None, "whether the projections add learned numbers", True)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from super().check(*inputs)
        for number, other in enumerate(inputs[1:], 1):
            if not agree(other.channels, inputs[0].channels):
                yield Problem(
                    "merge-shapes",
                    f"{self.word} needs as many features in each sequence, got {listed(inputs)}",
                    input=number,
                    help=f"put `fc {inputs[0].channels}` behind the {'second' if number == 1 else 'third'}",
                )
                return
        if len(inputs) == 3 and not agree(inputs[1].space[0], inputs[2].space[0]):
            yield Problem(
                "merge-shapes",
                f"{self.word} needs a value for each key, got keys {inputs[1]} and values {inputs[2]}",
                input=2,
                help="make keys and values of the same tokens",
            )

    def reach(self, *inputs: Tensor) -> Reach:
        return GLOBAL

    def weights(self, *inputs: Tensor) -> Shapes:
        d = features(inputs[0])
        matrices = {"in_proj_weight": (3 * d, d), "out_proj.weight": (d, d)}
        biases = {"in_proj_bias": (3 * d,), "out_proj.bias": (d,)}
        order = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
        known = {**matrices, **biases} if self.bias else matrices
        return {name: known[name] for name in order if name in known}

    def macs(self, *inputs: Tensor) -> int | None:
        """The projections, and the two products of tokens with tokens."""
        queries, keys = inputs[0].space[0], inputs[-1].space[0]
        if not isinstance(queries, int) or not isinstance(keys, int):
            return None
        return _looking(queries, keys, features(inputs[0]))

    def operations(self, *inputs: Tensor) -> int | None:
        """Projections, two products and a softmax; each score is scaled."""
        queries, keys = inputs[0].space[0], inputs[-1].space[0]
        if not isinstance(queries, int) or not isinstance(keys, int):
            return None
        scaled = self.heads * queries * keys
        return _operations(queries, keys, features(inputs[0]), self.heads, self.bias) + scaled

    def lower(self, *inputs: Tensor) -> Call:
        helper = "SelfAttention" if len(inputs) == 1 else "CrossAttention"
        return Call(helper, features(inputs[0]), self.heads, **changed(self, "dropout", "bias"))

    def keeps(self, *inputs: Tensor) -> Kept:
        """What goes into the projections and comes out of them, by torch's fused attention.

        Its products of tokens with tokens are not kept, but for a sum to each query.
        """
        queries, keys, *_ = *inputs, inputs[0]
        values = inputs[-1]
        projected = elements(queries) + elements(keys) + elements(values)
        given = sum(elements(x) for x in inputs if x.space[0] != 1)
        kept = tuple(number for number, x in enumerate(inputs) if x.space[0] == 1)
        sums = self.heads * elements(queries) // features(queries)
        rest = projected + elements(queries) + sums
        return Kept(kept, values=given + rest, frozen=Kept(values=rest))


class _WindowAttention(_Attention):
    """Attention within windows of a map, with learned biases for the relative positions."""

    accepts: ClassVar[tuple[Kind, ...]] = ("map",)
    conversions: ClassVar[Mapping[Kind, str]] = TO_MAP
    ranks: ClassVar[tuple[int, ...]] = (2,)

    window: Count = option("w", "height and width of a window", 7)

    @property
    def offsets(self) -> int:
        """The relative positions along one axis."""
        return 2 * self.window - 1


class WindowAttention(_WindowAttention):
    """Every position looks at those of its window; the windows may be shifted (Swin Transformer, Liu et al., 2021).

    With `cosine` as in Swin Transformer V2 (2022): cosine similarity with a learned scale, and biases from a small
    network. Positions beyond the border of the map are zeros; a shift counts where the map is larger than a window.
    """

    word: ClassVar[str] = "window_attention"
    channels_last: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torchvision's ShiftedWindowAttention, with the channels moved to the end for it"

    shift: Whole = option("s", "by how much the windows are shifted", 0)
    cosine: Flag = option(None, "whether to compare by cosine, with biases from a network", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from super().check(*inputs)
        if not 0 <= self.shift < self.window:
            yield Problem(
                "bounds",
                f"{self.word} takes a shift from 0 to {self.window - 1}, below its window of {self.window}, "
                f"got {self.shift}",
                parameter="shift",
                help=f"half the window is usual: {self.window // 2}",
            )
        if self.cosine and self.window < 2:
            yield Problem(
                "bounds", "cosine attention needs a window of at least 2", parameter="window", help="leave cosine out"
            )

    def reach(self, *inputs: Tensor) -> Reach:
        space = inputs[0].space
        if not all(isinstance(size, int) for size in space):
            return UNKNOWN_REACH
        return Reach(tuple(Tiles(self.window, self.shift if size > self.window else 0) for size in space))  # type: ignore[operator]

    def weights(self, *inputs: Tensor) -> Shapes:
        d = features(inputs[0])
        own: Shapes = {"relative_position_bias_table": (self.offsets**2, self.heads)}
        network: Shapes = {}
        if self.cosine:
            own = {"logit_scale": (self.heads, 1, 1)}
            network = {
                "cpb_mlp.0.weight": (_BIAS_FEATURES, 2),
                "cpb_mlp.0.bias": (_BIAS_FEATURES,),
                "cpb_mlp.2.weight": (self.heads, _BIAS_FEATURES),
            }
        projections = {"qkv.weight": (3 * d, d), "qkv.bias": (3 * d,), "proj.weight": (d, d), "proj.bias": (d,)}
        return {**own, **projections, **network}

    def buffers(self, *inputs: Tensor) -> Shapes:
        index = {"relative_position_index": (self.window**4,)}
        return {"relative_coords_table": (1, self.offsets, self.offsets, 2), **index} if self.cosine else index

    def macs(self, *inputs: Tensor) -> int | None:
        """The projections and the two products within each window, and the network of the biases."""
        x = inputs[0]
        windows = 1
        for size in x.space:
            if not isinstance(size, int):
                return None
            windows *= -(-size // self.window)
        biases = self.offsets**2 * _BIAS_FEATURES * (2 + self.heads) if self.cosine else 0
        return _products(windows, self.window**2, features(x)) + biases

    def operations(self, *inputs: Tensor) -> int | None:
        """Attention within each window, whose scores get biases, and behind a shift a mask.

        Queries are scaled; by cosine, queries and keys have length 1, and the scores are scaled. Of what gives the
        biases, which are the same for every input, the linear layers of a cosine's network count.
        """
        x = inputs[0]
        windows, shifted = 1, False
        for size in x.space:
            if not isinstance(size, int):
                return None
            windows *= -(-size // self.window)
            shifted |= self.shift > 0 and size > self.window
        width, length = features(x), self.window**2
        total = windows * _operations(length, length, width, self.heads, True)
        total += windows * self.heads * length**2 * (1 + shifted + self.cosine)
        if not self.cosine:
            return total + windows * length * width
        total += 2 * unit_length(windows * length * self.heads, width // self.heads)
        hidden = sums(self.offsets**2 * _BIAS_FEATURES, 2, True)
        return total + hidden + sums(self.offsets**2 * self.heads, _BIAS_FEATURES)

    def lower(self, *inputs: Tensor) -> Call:
        helper = "CosineWindowAttention" if self.cosine else "WindowAttention"
        return Call(helper, features(inputs[0]), self.heads, self.window, self.shift)

    def keeps(self, *inputs: Tensor) -> Kept:
        """The windows, queries, keys, values and what is looked up, and how much each position looks at each."""
        x = inputs[0]
        windows = prod(-(-size // self.window) for size in x.space if isinstance(size, int))
        if not self.cosine:
            return _kept_in_windows(windows, self.window**2, features(x), self.heads)
        length = self.window**2
        looks = windows * self.heads * length**2
        given = windows * length * features(x)
        norms = 4 * windows * length * self.heads
        scratch, passing = given + looks, 5 * given + 2 * looks
        return Kept(
            values=8 * given + 2 * looks + norms,
            statistics=self.heads * length**2 + _BIAS_FEATURES * self.offsets**2 + self.heads,
            scratch=scratch,
            passing=passing,
            frozen=Kept(values=6 * given + looks + norms, statistics=self.heads, scratch=scratch, passing=passing),
        )


class PartitionAttention(_WindowAttention):
    """Every position looks at those of its window, or of its grid over the whole map (MaxViT, Tu et al., 2022)."""

    word: ClassVar[str] = "partition_attention"
    torch_name: ClassVar[str] = "torchvision's RelativePositionalMultiHeadAttention, within a partition of the map"

    grid: Flag = option(None, "whether a grid of positions far apart, instead of a window of neighbours", False)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        yield from super().check(*inputs)
        for size, name in zip(inputs[0].space, ("height", "width"), strict=True):
            if isinstance(size, int) and size % self.window:
                near = max(size // self.window, 1) * self.window
                yield Problem(
                    "split-sizes",
                    f"windows of {self.window} do not divide a {name} of {size}",
                    parameter="window",
                    notes=(division(size, self.window),),
                    help=f"give the map a {name} of {near}, or another window",
                )
                return

    def reach(self, *inputs: Tensor) -> Reach:
        return GLOBAL if self.grid else Reach((Tiles(self.window),) * 2)

    def weights(self, *inputs: Tensor) -> Shapes:
        d = features(inputs[0])
        return {
            "relative_position_bias_table": (self.offsets**2, self.heads),
            "to_qkv.weight": (3 * d, d),
            "to_qkv.bias": (3 * d,),
            "merge.weight": (d, d),
            "merge.bias": (d,),
        }

    def buffers(self, *inputs: Tensor) -> Shapes:
        return {"relative_position_index": (self.window**2, self.window**2)}

    def macs(self, *inputs: Tensor) -> int | None:
        """The projections, and the two products within each window."""
        elements = Tensor("map", (1, *inputs[0].space)).elements
        if elements is None:
            return None
        return _products(elements // self.window**2, self.window**2, features(inputs[0]))

    def operations(self, *inputs: Tensor) -> int | None:
        """Attention within each window, whose scores get biases; keys are scaled."""
        positions = product(inputs[0].space)
        if positions is None:
            return None
        width, length = features(inputs[0]), self.window**2
        added = self.heads * length**2 + length * width
        return positions // length * (_operations(length, length, width, self.heads, True) + added)

    def lower(self, *inputs: Tensor) -> Call:
        return Call("PartitionAttention", features(inputs[0]), self.heads, self.window, **changed(self, "grid"))

    def keeps(self, *inputs: Tensor) -> Kept:
        x = inputs[0]
        windows = elements(x) // features(x) // self.window**2
        return _kept_in_windows(windows, self.window**2, features(x), self.heads)
