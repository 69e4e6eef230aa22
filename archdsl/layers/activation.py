"""Activations: functions of one value."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from archdsl.layers.base import (
    KEEPS_OUTPUT,
    Kept,
    Layer,
    Number,
    NumberFromZero,
    Problem,
    changed,
    elements,
    option,
    positional,
    times,
)
from archdsl.layers.call import Call
from archdsl.layers.operations import SIGMOID
from archdsl.layers.tensor import Tensor


class Activation(Layer):
    """Applies a function; `torch_name` is its module's.

    Where torch takes the derivative from the result, in place or not, the activation is not rewritable.
    """

    treats_axes_alike: ClassVar[bool] = True
    family: ClassVar[str] = "activation"

    def lower(self, *inputs: Tensor) -> Call:
        return Call(self.torch_name.removeprefix("torch."), **changed(self))


class ReLU(Activation):
    """Sets negative values to zero."""

    word: ClassVar[str] = "relu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 1
    differentiates_result: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.ReLU"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class ReLU6(Activation):
    """Cuts values to between 0 and 6."""

    word: ClassVar[str] = "relu6"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    torch_name: ClassVar[str] = "torch.nn.ReLU6"


class LeakyReLU(Activation):
    """Multiplies negative values with a small slope."""

    word: ClassVar[str] = "leaky_relu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    differentiates_result: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.LeakyReLU"

    negative_slope: Number = positional("slope of negative values", 0.01)

    @property
    def works_in_place(self) -> bool:
        return self.negative_slope >= 0  # else the sign of what is overwritten cannot be told from the result


class RReLU(Activation):
    """Multiplies negative values with a slope drawn at random while training."""

    word: ClassVar[str] = "rrelu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    differentiates_result: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.RReLU"

    lower_bound: Number = positional("least slope", 1 / 8)
    upper_bound: Number = positional("greatest slope", 1 / 3)

    @property
    def works_in_place(self) -> bool:
        return self.lower_bound >= 0  # as with a leaky_relu

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        if self.upper_bound < self.lower_bound:
            yield _bounds(self, self.lower_bound, self.upper_bound, "upper_bound")

    def lower(self, *inputs: Tensor) -> Call:
        slopes = changed(self)
        return Call("nn.RReLU", **{name.removesuffix("_bound"): slope for name, slope in slopes.items()})

    def keeps(self, *inputs: Tensor) -> Kept:
        """The input and the slopes that were drawn."""
        return Kept((0,), values=elements(inputs[0]))


class ELU(Activation):
    """Bends negative values towards -alpha."""

    word: ClassVar[str] = "elu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 3
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.ELU"

    alpha: Number = positional("minus the limit of negative values", 1.0)

    @property
    def works_in_place(self) -> bool:
        """It could, but torch would then take the derivative from the result, which rounds a small one to zero."""
        return False


class SELU(Activation):
    """Scales an `elu` so that activations keep mean 0 and deviation 1."""

    word: ClassVar[str] = "selu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 4
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.SELU"

    @property
    def works_in_place(self) -> bool:
        """As with an `elu`."""
        return False


class CELU(Activation):
    """Bends negative values towards -alpha, with a slope of 1 at zero for every alpha."""

    word: ClassVar[str] = "celu"
    has_inplace: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 4
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.CELU"

    alpha: Number = positional("minus the limit of negative values", 1.0)

    @property
    def works_in_place(self) -> bool:
        """As with an `elu`."""
        return False

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        if self.alpha == 0:
            yield Problem("bounds", "celu divides by alpha, got 0", parameter="alpha", help="give more than 0")


class GELU(Activation):
    """Multiplies with the normal distribution's probability of a smaller value."""

    word: ClassVar[str] = "gelu"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.nn.GELU"

    approximate: Literal["none", "tanh"] = option(None, "formula: exact, or with tanh", "none")

    def operations(self, *inputs: Tensor) -> int | None:
        """x/2 * (1 + erf(x/sqrt(2))), or x/2 * (1 + tanh(a*(x + b*x*x*x)))."""
        return times(9 if self.approximate == "tanh" else 5, inputs)


class SiLU(Activation):
    """Multiplies with the sigmoid: x * sigmoid(x)."""

    word: ClassVar[str] = "silu"
    aliases: ClassVar[tuple[str, ...]] = ("swish",)
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = SIGMOID + 1
    torch_name: ClassVar[str] = "torch.nn.SiLU"


class Mish(Activation):
    """Multiplies with the tanh of the softplus: x * tanh(softplus(x))."""

    word: ClassVar[str] = "mish"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 5
    torch_name: ClassVar[str] = "torch.nn.Mish"


class Hardswish(Activation):
    """Multiplies with the hardsigmoid: the cheap `silu` of MobileNet V3."""

    word: ClassVar[str] = "hardswish"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 5
    torch_name: ClassVar[str] = "torch.nn.Hardswish"


class Hardsigmoid(Activation):
    """Approximates the sigmoid by three straight lines: relu6(x + 3) / 6."""

    word: ClassVar[str] = "hardsigmoid"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 4
    torch_name: ClassVar[str] = "torch.nn.Hardsigmoid"

    @property
    def works_in_place(self) -> bool:
        """It could, but torch would then copy the input for the backward pass."""
        return False


class Hardtanh(Activation):
    """Cuts values to an interval."""

    word: ClassVar[str] = "hardtanh"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    torch_name: ClassVar[str] = "torch.nn.Hardtanh"

    min_val: Number = positional("least value", -1.0)
    max_val: Number = positional("greatest value", 1.0)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        if self.max_val <= self.min_val:
            yield _bounds(self, self.min_val, self.max_val, "max_val")


class Hardshrink(Activation):
    """Sets values near zero to zero."""

    word: ClassVar[str] = "hardshrink"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    torch_name: ClassVar[str] = "torch.nn.Hardshrink"

    lambd: Number = positional("half the width of what becomes zero", 0.5)


class Softshrink(Activation):
    """Moves values towards zero, and those near it to zero."""

    word: ClassVar[str] = "softshrink"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 5
    torch_name: ClassVar[str] = "torch.nn.Softshrink"

    lambd: NumberFromZero = positional("how far values move", 0.5)


class Tanhshrink(Activation):
    """Subtracts the tanh: x - tanh(x)."""

    word: ClassVar[str] = "tanhshrink"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 2
    torch_name: ClassVar[str] = "torch.nn.Tanhshrink"

    def keeps(self, *inputs: Tensor) -> Kept:
        """The tanh."""
        return Kept(values=elements(inputs[0]))


class Threshold(Activation):
    """Replaces values that are not above a threshold."""

    word: ClassVar[str] = "threshold"
    has_inplace: ClassVar[bool] = True
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 1
    torch_name: ClassVar[str] = "torch.nn.Threshold"

    threshold: Number = positional("what a value must exceed to stay")
    value: Number = positional("what replaces the others")

    def lower(self, *inputs: Tensor) -> Call:
        return Call("nn.Threshold", self.threshold, self.value)


class Sigmoid(Activation):
    """Maps values to between 0 and 1: a probability, a gate."""

    word: ClassVar[str] = "sigmoid"
    operations_per_value: ClassVar[int | None] = SIGMOID
    torch_name: ClassVar[str] = "torch.nn.Sigmoid"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class LogSigmoid(Activation):
    """Takes the logarithm of the sigmoid."""

    word: ClassVar[str] = "logsigmoid"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 6
    torch_name: ClassVar[str] = "torch.nn.LogSigmoid"

    def keeps(self, *inputs: Tensor) -> Kept:
        return Kept((0,), on_cpu=elements(inputs[0]))


class Tanh(Activation):
    """Maps values to between -1 and 1."""

    word: ClassVar[str] = "tanh"
    operations_per_value: ClassVar[int | None] = 1
    torch_name: ClassVar[str] = "torch.nn.Tanh"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class Softplus(Activation):
    """Smooths the `relu`: log(1 + exp(beta*x)) / beta."""

    word: ClassVar[str] = "softplus"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 5
    torch_name: ClassVar[str] = "torch.nn.Softplus"

    beta: Number = positional("sharpness of the bend", 1.0)
    threshold: Number = option(None, "value of beta*x from which it is the identity", 20.0)


class Softsign(Activation):
    """Divides by one more than the magnitude: x / (1 + |x|)."""

    word: ClassVar[str] = "softsign"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 3
    torch_name: ClassVar[str] = "torch.nn.Softsign"

    def keeps(self, *inputs: Tensor) -> Kept:
        """The input and the divisor."""
        return Kept((0,), values=elements(inputs[0]))


def _bounds(layer: Layer, low: float, high: float, parameter: str) -> Problem:
    message = f"{layer.word} needs {parameter} above the lower bound {low}, got {high}"
    return Problem("bounds", message, parameter=parameter, help="swap the two")
