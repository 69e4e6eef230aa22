"""The input of a network, as the first node of its graph."""

from typing import ClassVar

from archdsl.layers.base import Layer
from archdsl.layers.tensor import Tensor


class Input(Layer):
    """What the network is given. It is written as the statement `input`, not called as a layer."""

    word: ClassVar[str] = "input"
    family: ClassVar[str] = "input"
    inputs: ClassVar[tuple[int, int | None]] = (0, 0)
    is_module: ClassVar[bool] = False

    name: str
    tensor: Tensor

    def output(self, *inputs: Tensor) -> Tensor:
        return self.tensor
