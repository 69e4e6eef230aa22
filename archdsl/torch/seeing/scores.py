"""What a network says of each class, as one number for each, and which class is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from archdsl.errors import ArchError

if TYPE_CHECKING:
    from torch import Tensor

    from archdsl.graph import Graph


def scored(graph: Graph, output: Tensor) -> Tensor:
    """The scores of each class, N x classes: of a map or of tokens the sums over all positions.

    Raises:
        ArchError: where the output is no vector, map or tokens of floating numbers.
    """
    first = next(each for each in graph.outputs if not each.training_only)
    kind = graph.tensor(first.value).kind
    if kind not in ("vector", "map", "tokens") or not output.is_floating_point():
        raise ArchError(f"{first.name}, the first output of {graph.name}, has no scores of classes")
    if kind == "map":
        return output.flatten(2).sum(2)
    return output if kind == "vector" else output.sum(1)


def meant(scores: Tensor, target: int | None) -> Tensor:
    """The class of each image: the one given, or the one with the highest score.

    Raises:
        ArchError: where there is no such class.
    """
    count = scores.shape[1]
    if target is None:
        return scores.detach().argmax(1)
    if isinstance(target, bool) or not isinstance(target, int) or not 0 <= target < count:
        known = f"{count} classes, 0 to {count - 1}" if count > 1 else "one class, 0"
        raise ArchError(f"there is no class {target}; the network has {known}")
    return torch.full((scores.shape[0],), target, device=scores.device)


def of(scores: Tensor, targets: Tensor) -> Tensor:
    """The score of each image's class."""
    return scores.gather(1, targets[:, None])[:, 0]
