"""Merging elements: what joins the results of branches."""

from collections.abc import Iterator
from functools import reduce
from itertools import accumulate
from typing import ClassVar

from archdsl.layers.base import KEEPS_NOTHING, Kept, Layer, Problem, elements, times
from archdsl.layers.call import Expression
from archdsl.layers.tensor import ANY, Size, Tensor, agree, meet


class Merge(Layer):
    """Joins values of equal shape, element by element; sizes of 1 stretch, as in torch."""

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    is_module: ClassVar[bool] = False
    rewritable: ClassVar[bool] = True
    expression: ClassVar[str]
    """The operator, or for two values at a time the function."""
    inplace: ClassVar[bool] = False
    """Whether the operator also exists in place, and its backward pass does not read the values."""
    reads_values: ClassVar[bool] = True
    """Whether its backward pass reads them."""

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        """Kinds must be equal, and sizes equal or 1."""
        shape = inputs[0]
        for number, other in enumerate(inputs[1:], 1):
            fits = other.kind == shape.kind and len(other.dims) == len(shape.dims)
            if not fits or not all(agree(a, b) or 1 in (a, b) for a, b in zip(shape.dims, other.dims, strict=True)):
                yield Problem("merge-shapes", f"{self.word} needs equal shapes, got {listed(inputs)}", input=number)
                return
            shape = _stretched(shape, other)

    def output(self, *inputs: Tensor) -> Tensor:
        return reduce(_stretched, inputs)

    def operations(self, *inputs: Tensor) -> int | None:
        """One for each value, from one branch to the next; sizes of 1 stretch as late as they can."""
        return times(1, list(accumulate(inputs, _stretched))[1:])

    def lower(self, *inputs: Tensor) -> Expression:
        values = [f"{{{i}}}" for i in range(len(inputs))]
        if self.expression.isidentifier():
            return Expression(reduce(lambda a, b: f"torch.{self.expression}({a}, {b})", values))
        # In place the first input keeps its shape, so nothing may stretch it.
        pairs = [pair for other in inputs[1:] for pair in zip(inputs[0].dims, other.dims, strict=True)]
        kept = all(b == 1 or (a == b != ANY) for a, b in pairs)
        inplace = f"{{0}} {self.expression}= {{1}}" if self.inplace and len(inputs) == 2 and kept else None
        return Expression(f" {self.expression} ".join(values), inplace)

    def keeps(self, *inputs: Tensor) -> Kept:
        """A product or a choice needs all values, and what comes of joining them two by two."""
        if not self.reads_values:
            return Kept(scratch=elements(self.output(*inputs)) if len(inputs) > 2 else 0)
        between = [elements(self.output(*inputs[:count])) for count in range(2, len(inputs))]
        return Kept(tuple(range(len(inputs))), values=sum(between))


class Add(Merge):
    """Adds the branches: a residual connection."""

    word: ClassVar[str] = "add"
    aliases: ClassVar[tuple[str, ...]] = ("sum",)
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.add"
    expression: ClassVar[str] = "+"
    inplace: ClassVar[bool] = True
    reads_values: ClassVar[bool] = False


class Subtract(Merge):
    """Subtracts the second branch from the first."""

    word: ClassVar[str] = "sub"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    torch_name: ClassVar[str] = "torch.sub"
    expression: ClassVar[str] = "-"
    inplace: ClassVar[bool] = True
    reads_values: ClassVar[bool] = False


class Multiply(Merge):
    """Multiplies the branches: a gate."""

    word: ClassVar[str] = "mul"
    torch_name: ClassVar[str] = "torch.mul"
    expression: ClassVar[str] = "*"


class Divide(Merge):
    """Divides the first branch by the second."""

    word: ClassVar[str] = "div"
    inputs: ClassVar[tuple[int, int | None]] = (2, 2)
    torch_name: ClassVar[str] = "torch.div"
    expression: ClassVar[str] = "/"


class Maximum(Merge):
    """Keeps the larger value of the branches: maxout."""

    word: ClassVar[str] = "maximum"
    torch_name: ClassVar[str] = "torch.maximum"
    expression: ClassVar[str] = "maximum"


class Minimum(Merge):
    """Keeps the smaller value of the branches."""

    word: ClassVar[str] = "minimum"
    torch_name: ClassVar[str] = "torch.minimum"
    expression: ClassVar[str] = "minimum"


class Mean(Merge):
    """Takes the mean of the branches."""

    word: ClassVar[str] = "mean"
    torch_name: ClassVar[str] = "torch.add, divided by the number of branches"
    expression: ClassVar[str] = "+"
    reads_values: ClassVar[bool] = False

    def operations(self, *inputs: Tensor) -> int | None:
        """Their sum, and a division."""
        sums, divisions = super().operations(*inputs), times(1, (self.output(*inputs),))
        return None if sums is None or divisions is None else sums + divisions

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression(f"({super().lower(*inputs).template}) / {len(inputs)}")

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept(scratch=elements(self.output(*inputs)))


class Concatenate(Layer):
    """Puts the channels of the branches one after the other; all other sizes must be equal."""

    treats_axes_alike: ClassVar[bool] = True
    word: ClassVar[str] = "cat"
    aliases: ClassVar[tuple[str, ...]] = ("concat",)
    family: ClassVar[str] = "merge"
    inputs: ClassVar[tuple[int, int | None]] = (2, None)
    is_module: ClassVar[bool] = False
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 0
    shares_gradient: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.cat"

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        shape = inputs[0]
        for number, other in enumerate(inputs[1:], 1):
            fits = other.kind == shape.kind and other.rank == shape.rank
            if not fits or not all(map(agree, shape.space, other.space)):
                yield Problem(
                    "merge-shapes",
                    f"cat needs shapes that are equal but for the channels, got {listed(inputs)}",
                    input=number,
                )
                return
            shape = self.output(shape, other)

    def output(self, *inputs: Tensor) -> Tensor:
        return reduce(_joined, inputs)

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression(f"torch.cat([{{*}}], dim={inputs[0].channel_axis})")

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING


def _stretched(x: Tensor, y: Tensor) -> Tensor:
    return Tensor(x.kind, tuple(map(_wider, x.dims, y.dims)))


def _wider(a: Size, b: Size) -> Size:
    if a == 1:
        return b
    return a if b == 1 else meet(a, b)


def _joined(x: Tensor, y: Tensor) -> Tensor:
    channels = x.channels + y.channels if isinstance(x.channels, int) and isinstance(y.channels, int) else ANY
    space = tuple(map(meet, x.space, y.space))
    return Tensor(x.kind, (*space, channels) if x.kind == "tokens" else (channels, *space))


def listed(inputs: tuple[Tensor, ...]) -> str:
    """The shapes as a message names them: `64x56x56 and 128x28x28`."""
    shapes = [x.described + f" {x}" if x.kind != inputs[0].kind else str(x) for x in inputs]
    return f"{', '.join(shapes[:-1])} and {shapes[-1]}"
