"""A layer on inputs of known shapes, with everything that follows from the two, each worked out once."""

from __future__ import annotations

from functools import cached_property
from math import prod
from typing import TYPE_CHECKING, NamedTuple

from archdsl.layers.text import layer_text

if TYPE_CHECKING:
    from archdsl.layers.base import Layer, Reach, Shapes
    from archdsl.layers.tensor import Tensor


class Counts(NamedTuple):
    """What one layer costs.

    `parameters` and `buffers` are numbers in `state_dict()`; `integers` are those among the buffers that are not
    floating point. `macs` are multiply-accumulates for one sample by torchvision's rule (convolutions, linear layers
    and matrix products), None where a size is open.
    """

    parameters: int
    buffers: int
    integers: int
    macs: int | None


class Applied:
    """One layer on one tuple of input shapes. A network of repeated blocks has few of these and many nodes."""

    def __init__(self, layer: Layer, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self.layer = layer
        self.inputs = inputs
        self.outputs = outputs

    @cached_property
    def text(self) -> str:
        """The layer as the language writes it."""
        return layer_text(self.layer)

    @cached_property
    def reach(self) -> Reach:
        return self.layer.reach(*self.inputs)

    @cached_property
    def weights(self) -> Shapes:
        return self.layer.weights(*self.inputs)

    @cached_property
    def buffers(self) -> Shapes:
        return self.layer.buffers(*self.inputs)

    @cached_property
    def counts(self) -> Counts:
        buffers = self.buffers
        integers = sum(prod(shape) for name, shape in buffers.items() if name == "num_batches_tracked")
        return Counts(
            sum(map(prod, self.weights.values())),
            sum(map(prod, buffers.values())),
            integers,
            self.layer.macs(*self.inputs),
        )
