"""A layer on inputs of known shapes, with everything that follows from the two, each worked out once."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl import limits
from archdsl.layers.base import POINTWISE
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

    __slots__ = ("_counts", "_keeps_positions", "_reach", "_text", "inputs", "layer", "outputs")

    def __init__(self, layer: Layer, inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> None:
        self.layer = layer
        self.inputs = inputs
        self.outputs = outputs
        self._text: str | None = None
        self._reach: Reach | None = None
        self._keeps_positions: bool | None = None
        self._counts: Counts | None = None

    @property
    def text(self) -> str:
        """The layer as the language writes it."""
        if self._text is None:
            self._text = layer_text(self.layer)
        return self._text

    @property
    def reach(self) -> Reach:
        if self._reach is None:
            self._reach = self.layer.reach(*self.inputs)
        return self._reach

    @property
    def keeps_positions(self) -> bool:
        """Whether each position of the (first) output sees the same position of the inputs, and no other."""
        if self._keeps_positions is None:
            self._keeps_positions = self.reach is POINTWISE and self.outputs[0].rank == self.inputs[0].rank
        return self._keeps_positions

    @property
    def weights(self) -> Shapes:
        return self.layer.weights(*self.inputs)

    @property
    def counts(self) -> Counts:
        if self._counts is None:
            layer, inputs = self.layer, self.inputs
            weights, buffers = layer.weights(*inputs), layer.buffers(*inputs)
            self._counts = Counts(
                sum(map(prod, weights.values())),
                sum(map(prod, buffers.values())),
                sum([prod(buffers[name]) for name in layer.integer_buffers if name in buffers]),
                layer.macs(*inputs),
            )
        return self._counts


class Memory:
    """Layers by their arguments, and layers on shapes by both: what these come to never changes.

    The next network of a process (another variant, the same text after a keystroke) finds most of what it needs here.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.layers: dict[tuple[Any, ...], Layer] = {}
        self.applied: dict[tuple[int, tuple[Tensor, ...]], Applied] = {}
        """By the identity of the layer, which the entry itself keeps alive."""

    def trim(self) -> None:
        """Forgets everything once it is more than `most`, so that a long life does not fill the machine."""
        if len(self.layers) + len(self.applied) > self.most:
            self.clear()

    def clear(self) -> None:
        """Forgets everything."""
        self.layers.clear()
        self.applied.clear()


MEMORY = Memory(limits.REMEMBERED)
