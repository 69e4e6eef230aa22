"""A network's module a second time, in evaluation, on the same weights, which also gives what flows at some places.

Hooks would do for modules alone, would capture what a layer in place behind them then overwrites, and would change the
module that somebody trains. Here the values are outputs of the source itself: they may be sums or concatenations, the
compiler overwrites none of them, and the module that was given is only read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import torch

from archdsl.errors import ArchError, WeightsError
from archdsl.torch.execute import build
from archdsl.torch.seeing.scores import scored

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor, nn

    from archdsl.graph import Graph
    from archdsl.network import Network
    from archdsl.torch.seeing.places import Place

_SHOWN = 4


class Twin(NamedTuple):
    """The module; it gives the network's own outputs, and behind them the values."""

    module: nn.Module
    graph: Graph
    own: int
    """How many outputs the network has."""

    def run(self, image: Tensor) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        """The network's outputs, and the values.

        Raises:
            ArchError: where torch refuses, or has too little memory.
        """
        try:
            given = self.module(image)
        except (RuntimeError, MemoryError) as problem:
            reason = str(problem).partition("\n")[0] or "out of memory"
            raise ArchError(f"{self.graph.name} does not run on {_sized(image)}: {reason}") from problem
        found = (given,) if isinstance(given, torch.Tensor) else tuple(given)
        return found[: self.own], found[self.own :]

    def scores(self, image: Tensor) -> Tensor:
        """What the network's first output says of each class: N x classes."""
        outputs, _ = self.run(image)
        return scored(self.graph, outputs[0])


def twin(network: Network, model: nn.Module, places: Sequence[Place] = ()) -> Twin:
    """The network in evaluation with the weights of `model`, nothing of which is changed or needs a gradient.

    Raises:
        WeightsError: where the module is not of this network.
    """
    graph = network.graph
    with torch.device("meta"):
        module = build(network.program_giving([each.value for each in places]))
    state = getattr(model, "_orig_mod", model).state_dict()  # torch.compile wraps
    own = module.state_dict()
    wrong = [f"{key} is not in it" for key in own if key not in state]
    wrong += [f"{key} is not of {graph.name}" for key in state if key not in own]
    wrong += [
        f"{key} is {_sized(state[key])}, and {_sized(own[key])} here"
        for key in own
        if key in state and state[key].shape != own[key].shape
    ]
    if wrong:
        more = f"\n  ... and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        shown = ", ".join(str(port.tensor) for port in graph.inputs)
        listed = "".join(f"\n  {line}" for line in wrong[:_SHOWN])
        raise WeightsError(f"the module is not that of {graph.name} at {shown}:{listed}{more}")
    module.load_state_dict(state, assign=True)
    steady = sum(not output.training_only for output in graph.outputs)
    return Twin(module.requires_grad_(False).eval(), graph, steady)


def _sized(tensor: Tensor) -> str:
    return "x".join(map(str, tensor.shape)) or "one number"
