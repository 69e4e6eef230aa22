"""Grad-CAM: which places of a layer speak for a class (Selvaraju et al., 2017, https://arxiv.org/abs/1610.02391)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional

from archdsl.errors import ArchError
from archdsl.torch.seeing.images import Normalization
from archdsl.torch.seeing.pictures import LARGE, Section, Seen, Tile, number, of_images, one_of, over, page, photo
from archdsl.torch.seeing.places import as_maps
from archdsl.torch.seeing.scores import meant, of, scored

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

    from archdsl.torch.seeing.places import Place
    from archdsl.torch.seeing.twin import Twin

_UP = {1: "linear", 2: "bilinear", 3: "trilinear"}


@dataclass(frozen=True, eq=False, repr=False)
class ClassMap(Seen):
    """Where a layer finds what speaks for a class, for each image of a batch."""

    network: str
    path: str
    values: Tensor
    """The map, at the size of the image: N x space; nowhere below 0."""
    coarse: Tensor
    """The same at the layer's own size."""
    targets: tuple[int, ...]
    """The class of each image."""
    scores: tuple[float, ...]
    """What the network said of it."""
    images: Tensor
    """What the network looked at."""
    normalization: Normalization

    def picture(self, image: int = 0) -> Image.Image:
        """One image of the batch, and the same under the map."""
        of_images(self.images.shape[2:])
        shown, values = self.normalization.visible(one_of(self.images, image)), self.values[image].double().cpu()
        most = values.max()
        own = "x".join(map(str, self.coarse.shape[1:]))
        nothing = "" if most > 0 else "; nothing here speaks for it"
        tiles = [
            Tile(photo(shown, LARGE), "what the network sees"),
            Tile(photo(over(shown, values / most if most > 0 else values), LARGE), "what speaks for the class"),
        ]
        return page(
            f"{self.network}, {self.path}: class {self.targets[image]}",
            f"Grad-CAM, {own} places, score {number(self.scores[image])}{nothing}",
            [Section("", tiles)],
            ("0", number(most)),
        )

    def __repr__(self) -> str:
        return f"<ClassMap of {self.network}, {self.path}: class {', '.join(map(str, self.targets))}>"


def class_map(twin: Twin, image: Tensor, at: Place, target: int | None, normalization: Normalization) -> ClassMap:
    """Grad-CAM at a place.

    The score of the class is derived by what flows there; the mean of that over all places is the weight of each
    channel, and what the channels then sum up to, where it is positive, is the map. It is scaled up linearly.

    Raises:
        ArchError: where there is no such class, or it does not depend on these places.
    """
    with torch.enable_grad():
        outputs, (activation,) = twin.run(image.detach().requires_grad_())
        scores = scored(twin.graph, outputs[0])
        targets = meant(scores, target)
        chosen = of(scores, targets)
        gradient = _gradient(chosen, activation)
    if gradient is None:
        raise ArchError(f"what {twin.graph.name} says of a class does not depend on {at.path}")
    slopes, maps = as_maps(gradient, at), as_maps(activation.detach(), at)
    if not slopes.any() and gradient.any():
        raise ArchError(
            f"what {twin.graph.name} says of a class depends on the class token of {at.path} alone, which has no place "
            "in the image; take a layer before the last attention"
        )
    weights = slopes.flatten(2).mean(2)
    coarse = torch.einsum("nc,nc...->n...", weights, maps).relu()
    size = image.shape[2:]
    values = functional.interpolate(coarse[:, None], size=size, mode=_UP[len(size)], align_corners=False)[:, 0]
    return ClassMap(
        twin.graph.name,
        at.name,
        values,
        coarse,
        tuple(targets.tolist()),
        tuple(chosen.detach().tolist()),
        image.detach(),
        normalization,
    )


def _gradient(scores: Tensor, activation: Tensor) -> Tensor | None:
    if not scores.requires_grad or not activation.requires_grad:
        return None
    (found,) = torch.autograd.grad(scores.sum(), activation, allow_unused=True)
    return found
