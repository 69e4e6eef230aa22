"""Functions of one value that have no module in torch."""

from typing import ClassVar

from archdsl.layers.base import KEEPS_NOTHING, KEEPS_OUTPUT, Kept, Layer
from archdsl.layers.call import Expression
from archdsl.layers.tensor import Tensor


class _Elementwise(Layer):
    """Applies the function of torch that `word` names."""

    family: ClassVar[str] = "elementwise"
    is_module: ClassVar[bool] = False
    operations_per_value: ClassVar[int | None] = 1

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression(f"{self.torch_name}({{0}})")


class Abs(_Elementwise):
    """Takes the magnitude."""

    word: ClassVar[str] = "abs"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.abs"


class Square(_Elementwise):
    """Multiplies with itself."""

    word: ClassVar[str] = "square"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.square"


class Sqrt(_Elementwise):
    """Takes the square root."""

    word: ClassVar[str] = "sqrt"
    torch_name: ClassVar[str] = "torch.sqrt"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class Exp(_Elementwise):
    """Takes the exponential."""

    word: ClassVar[str] = "exp"
    torch_name: ClassVar[str] = "torch.exp"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_OUTPUT


class Log(_Elementwise):
    """Takes the natural logarithm."""

    word: ClassVar[str] = "log"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.log"


class Negate(_Elementwise):
    """Changes the sign."""

    word: ClassVar[str] = "neg"
    rewritable: ClassVar[bool] = True
    torch_name: ClassVar[str] = "torch.neg"

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_NOTHING
