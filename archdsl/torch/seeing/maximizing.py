"""Activation maximization: an image that a unit of the network answers to, by gradient ascent.

After Olah, Mordvintsev and Schubert, Feature Visualization (https://distill.pub/2017/feature-visualization, 2017): the
image is searched for by its frequencies, each of which counts by its inverse, and is shifted at random in each step.
Both keep out patterns of single pixels, which units answer to and nobody has ever seen. Three channels are searched for
by directions in which the colours of photographs vary independently. Pixels stay within 0 to 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch

from archdsl.errors import ArchError
from archdsl.torch.seeing.images import Normalization
from archdsl.torch.seeing.pictures import LARGE, Section, Seen, Tile, number, of_images, page, photo

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image
    from torch import Tensor

    from archdsl.torch.seeing.places import Place
    from archdsl.torch.seeing.twin import Twin

STEPS = 128
RATE = 0.05
COLORS = ((0.26, 0.09, 0.02), (0.27, 0.0, -0.05), (0.27, -0.09, 0.03))
"""How red, green and blue go together in ImageNet: the root of their covariance, from Lucid (Apache 2.0,
https://github.com/tensorflow/lucid/blob/master/lucid/optvis/param/color.py)."""
SHIFT = 1 / 16
"""How far an image is shifted at most, as a part of its size."""
_SPREAD = 0.01
"""The deviation of the first frequencies, as in Lucid."""
_CONTRAST = 1 / 4
"""How far the pixels leave gray for a given spectrum, as in Lucid."""


@dataclass(frozen=True, eq=False, repr=False)
class Maximized(Seen):
    """An image that a unit answers to."""

    network: str
    path: str
    unit: int
    image: Tensor
    """The image: channels x space, from 0 to 1."""
    values: Tensor
    """The same as the network takes it, with a batch of one."""
    history: tuple[float, ...]
    """What the unit answered to the first image, to that after each step, each shifted at random, and to the last."""

    def picture(self) -> Image.Image:
        """The image."""
        of_images(self.image.shape[1:])
        below = f"the unit answers {number(self.history[-1])}; before the first step {number(self.history[0])}"
        if len(set(self.history)) == 1:
            below = f"the unit answers {number(self.history[0])} to everything near: it has no slope to climb"
        tiles = [Tile(photo(Normalization().visible(self.image), LARGE))]
        return page(f"{self.network}, {self.path}: unit {self.unit}", below, [Section("", tiles)])

    def __repr__(self) -> str:
        return (
            f"<Maximized {self.network}, {self.path}:{self.unit} from {self.history[0]:.3g} to {self.history[-1]:.3g}>"
        )


def maximized(
    twin: Twin,
    shape: Sequence[int],
    at: Place,
    unit: int,
    steps: int,
    seed: int,
    like: Tensor,
    normalization: Normalization,
) -> Maximized:
    """An image of a shape, channels x space, to which a unit at a place answers.

    A unit is a channel, and its answer the mean over all positions. `like` has the type and the device.

    Raises:
        ArchError: where there is no such unit, or it does not depend on the image.
    """
    if steps < 1:
        raise ArchError(f"steps={steps} leaves nothing to do; take 1 or more")
    generator = torch.Generator().manual_seed(checked_seed(seed))
    channels, space = shape[0], tuple(shape[1:])
    weight, size = _falling(space)
    colors = torch.tensor(COLORS, dtype=torch.float64) if channels == len(COLORS) else None
    if colors is not None:
        colors = colors / colors.norm(dim=0).max()
    first = torch.randn((channels, *size, 2), generator=generator, dtype=torch.float64) * _SPREAD
    frequencies = first.requires_grad_()

    def painted() -> Tensor:
        spectrum = torch.view_as_complex(frequencies) * weight
        waves = torch.fft.irfftn(spectrum, s=space, dim=tuple(range(1, len(space) + 1)))
        return torch.sigmoid(waves if colors is None else torch.einsum("ij,j...->i...", colors, waves))

    def answer(image: Tensor) -> Tensor:
        _, (activation,) = twin.run(normalization.normalized(image).to(like)[None])
        return _mean_of(activation, at, unit)

    optimizer = torch.optim.Adam([frequencies], lr=RATE)
    history = []
    with torch.enable_grad():
        for _ in range(steps):
            shifts = [_shift(extent, generator) for extent in space]
            now = answer(torch.roll(painted(), shifts, dims=tuple(range(1, len(space) + 1))))
            if not now.requires_grad:
                raise ArchError(f"what {at.path} gives does not depend on the image")
            history.append(float(now.detach()))
            (frequencies.grad,) = torch.autograd.grad(-now, frequencies)
            optimizer.step()
    with torch.no_grad():
        image = painted()
        history.append(float(answer(image)))
    image = image.to(torch.float32)
    return Maximized(twin.graph.name, at.name, unit, image, normalization.normalized(image)[None], tuple(history))


def checked_seed(seed: int) -> int:
    """The seed, if torch takes it.

    Raises:
        ArchError: where it does not.
    """
    if not 0 <= seed < 2**63:
        raise ArchError(f"a seed is from 0 to {2**63 - 1}, not {seed}")
    return seed


def _mean_of(activation: Tensor, at: Place, unit: int) -> Tensor:
    """The mean of a channel over all positions."""
    axis = 1 if at.kind == "map" else -1
    count = activation.shape[axis]
    if isinstance(unit, bool) or not isinstance(unit, int) or not 0 <= unit < count:
        raise ArchError(f"{at.path} has no unit {unit}; it has {count}, 0 to {count - 1}")
    if not activation.is_floating_point():
        raise ArchError(f"what {at.path} gives are no floating numbers")
    return activation.select(axis, unit).float().mean()


def _falling(space: tuple[int, ...]) -> tuple[Tensor, tuple[int, ...]]:
    """The weight of each frequency, the inverse of it, and the sizes of the spectrum."""
    axes = [torch.fft.fftfreq(extent, dtype=torch.float64) for extent in space[:-1]]
    axes.append(torch.fft.rfftfreq(space[-1], dtype=torch.float64))
    grids = torch.meshgrid(*axes, indexing="ij") if len(axes) > 1 else (axes[0],)
    distance = torch.stack([each.square() for each in grids]).sum(0).sqrt()
    weight = prod(space) ** 0.5 / distance.clamp(min=1 / max(space)) * _CONTRAST
    return weight, tuple(weight.shape)


def _shift(extent: int, generator: torch.Generator) -> int:
    most = round(extent * SHIFT)
    return int(torch.randint(-most, most + 1, (1,), generator=generator)) if most else 0
