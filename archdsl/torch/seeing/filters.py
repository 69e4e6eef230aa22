"""The weights of a convolution as images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from archdsl.errors import ArchError, NotFoundError
from archdsl.graph import not_there
from archdsl.torch.seeing.pictures import SHOWN, SMALL, Section, Seen, Tile, blocks, number, page, plane

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor, nn

    from archdsl.graph import Graph, Node

_RGB = 3
_WORDS = ("conv", "upconv")


@dataclass(frozen=True, eq=False, repr=False)
class Filters(Seen):
    """The filters of a convolution."""

    network: str
    path: str
    values: Tensor
    """The weights: filters x input channels (of its group) x space."""

    def picture(self) -> Image.Image:
        """Each filter in colours where it takes three channels; else each of its channels in gray."""
        count, channels = self.values.shape[:2]
        whole = self.values.float().cpu()
        size = "x".join(map(str, self.values.shape))
        if channels == _RGB:
            tiles = [Tile(_shades(each), f"{at}:  {number(each.abs().max())}") for at, each in enumerate(whole[:SHOWN])]
            part, shown = f", the first {SHOWN}" if count > SHOWN else "", "as colours"
        else:
            pairs = [(at, channel) for at in range(count) for channel in range(channels)]
            tiles = [
                Tile(_shades(whole[at, channel][None]), f"{at},{channel}:  {number(whole[at, channel].abs().max())}")
                for at, channel in pairs[:SHOWN]
            ]
            part = f", the first {SHOWN} of {len(pairs)} kernels" if len(pairs) > SHOWN else ""
            shown = "by filter and channel"
        below = f"{size}{part}, {shown}; gray is 0, full contrast the largest weight of each, under it"
        return page(f"Filters of {self.network}, {self.path}", below, [Section("", tiles)])

    def __repr__(self) -> str:
        return f"<Filters of {self.network}, {self.path}: {'x'.join(map(str, self.values.shape))}>"


def filters(graph: Graph, model: nn.Module, path: str | None) -> Filters:
    """The filters of a convolution, or of the first one.

    Raises:
        NotFoundError: where there is nothing at that path, or the module has no such layer.
        ArchError: where there is no convolution.
    """
    node = _convolution(graph, path)
    state = getattr(model, "_orig_mod", model).state_dict()
    weight = state.get(f"{node.path}.weight")
    if weight is None:
        raise NotFoundError(f"the module has no {node.path}.weight; it is not that of {graph.name}")
    values = weight.detach().clone()
    if node.layer.word == "upconv":  # torch has the inputs of a transposed convolution first
        values = values.transpose(0, 1)
    return Filters(graph.name, node.path, values)


def _convolution(graph: Graph, path: str | None) -> Node:
    every = [node for node in graph.nodes if node.layer.word in _WORDS]
    if path is None:
        if not every:
            raise ArchError(f"{graph.name} has no convolution")
        return every[0]
    found = next((node for node in graph.nodes if node.path == path), None)
    if found is not None and found.layer.word in _WORDS:
        return found
    inside = next((node.path for node in every if node.path.startswith(f"{path}.")), None)
    hint = f"; the first one in it is {inside}" if inside else ""
    if found is not None or inside or any(each.path == path for each in graph.activations):
        raise ArchError(f"{path} is no convolution{hint}")
    raise NotFoundError(not_there(graph, path))


def _shades(values: Tensor) -> Image.Image:
    """One or three channels of weights around gray, which is 0."""
    most = values.abs().max()
    shades = values / (2 * most) + 0.5 if most > 0 else values + 0.5
    flat = [plane(each) for each in shades]
    planes = flat if len(flat) == _RGB else flat * _RGB
    return blocks(torch.stack(planes), SMALL)
