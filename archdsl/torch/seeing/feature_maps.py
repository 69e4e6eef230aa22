"""What flows at some places of a network while it looks at an image."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import torch

from archdsl.errors import NotFoundError
from archdsl.torch.seeing.pictures import (
    LARGE,
    SHOWN,
    SMALL,
    Section,
    Seen,
    Tile,
    heat,
    number,
    one_of,
    page,
    plane,
)
from archdsl.torch.seeing.places import as_maps

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from PIL import Image
    from torch import Tensor

    from archdsl.torch.seeing.places import Place
    from archdsl.torch.seeing.twin import Twin


@dataclass(frozen=True, eq=False, repr=False)
class Features(Seen):
    """What flows at some places; `features["layer1"]` is a tensor with the batch first."""

    network: str
    values: Mapping[str, Tensor]
    """The tensors by the paths that were asked for, as torch has them."""
    places: tuple[Place, ...]

    def __getitem__(self, path: str) -> Tensor:
        if path not in self.values:
            raise NotFoundError(f"{path} was not asked for; {', '.join(self.values)} were")
        return self.values[path]

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def picture(self, image: int = 0) -> Image.Image:
        """The maps of one image of the batch, each in its own range, which stands under it."""
        sections = [_section(at, self.values[at.path], image) for at in self.places]
        return page(
            f"Feature maps of {self.network}",
            "each map from its least to its largest value, which stand under it",
            sections,
            ("least", "largest"),
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{path} {'x'.join(map(str, value.shape))}" for path, value in self.values.items())
        return f"<Features of {self.network}: {shown}>"


def features(twin: Twin, image: Tensor, places: tuple[Place, ...]) -> Features:
    """What flows at some places, in one pass."""
    with torch.no_grad():
        _, found = twin.run(image)
    values = {at.path: value.detach().clone() for at, value in zip(places, found, strict=True)}
    return Features(twin.graph.name, values, places)


def _section(at: Place, values: Tensor, image: int) -> Section:
    if at.grid is None:
        return _matrix(at, one_of(values, image))
    maps = one_of(as_maps(values, at), image)
    count, *space = maps.shape
    size = "x".join(map(str, (count, *space)))
    part = f", the first {SHOWN} of {count}" if count > SHOWN else ""
    few = count <= 2
    tiles = [
        Tile(heat(plane(each), LARGE if few else SMALL), f"{channel}:  {_range(each)}")
        for channel, each in enumerate(maps[:SHOWN].float())
    ]
    return Section(f"{at.name}  {size}{part}", tiles)


def _range(values: Tensor) -> str:
    return f"{number(values.min(), 2)} to {number(values.max(), 2)}"


_ROW = 32


def _matrix(at: Place, values: Tensor) -> Section:
    """What has no place in the input: a vector in rows of 32, tokens one under the other."""
    numbers = values.float()
    size = "x".join(map(str, values.shape))
    if numbers.dim() == 1:
        rows = ceil(len(numbers) / _ROW)
        padded = torch.cat([numbers, numbers.min().expand(rows * _ROW - len(numbers))])
        numbers = padded.view(rows, _ROW) if rows > 1 else numbers[None]
        size += f", in rows of {_ROW}" if rows > 1 else ""
    return Section(f"{at.name}  {size}", [Tile(heat(numbers, LARGE), _range(values.float()))], 1)
