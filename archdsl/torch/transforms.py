"""The steps of which transforms are made, where torchvision's second generation computes otherwise than its presets.

The presets that belong to weights resize tensors and scale them to 0..1 by the first generation; the second one rounds
in other places, so that single pixels differ. What weights were measured with decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from PIL.Image import Image
from torch.utils._pytree import tree_leaves

from archdsl import limits
from archdsl.errors import ArchError
from archdsl.torch.vision import import_torchvision

import_torchvision()

from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import functional, v2  # noqa: E402

__all__ = ["ChannelsFirst", "Resize", "Scale", "Transforms", "tv_tensors", "v2"]


def _image_of(inputs: Any) -> Any:
    """The image among what is to be prepared, as torchvision finds it: what says so itself, else the first tensor."""
    leaves = tree_leaves(inputs)
    said = (each for each in leaves if isinstance(each, tv_tensors.Image | tv_tensors.Video | Image))
    plain = (each for each in leaves if isinstance(each, torch.Tensor) and _is_image(each))
    return next(said, None) if (first := next(plain, None)) is None else next(said, first)


def _is_image(value: Any) -> bool:
    """Whether it is the tensor of an image or a video, not of a mask or of boxes."""
    if not isinstance(value, torch.Tensor):
        return False
    return isinstance(value, tv_tensors.Image | tv_tensors.Video) or not isinstance(value, tv_tensors.TVTensor)


class Transforms(v2.Compose):  # type: ignore[misc]
    """What becomes of an image, step by step, and what says so."""

    def __init__(self, steps: list[Any], source: str, channels: Sequence[int] = ()) -> None:
        super().__init__(steps)
        self.source = source
        """What the numbers come from: "preprocess", "resnet50 IMAGENET1K_V2", "input"."""
        self.channels = channels
        """How many an image may have: first those that the network takes; any where it leaves them open."""

    def forward(self, *inputs: Any) -> Any:
        self.check(_image_of(inputs))
        return super().forward(*inputs)

    def check(self, image: Any) -> None:
        """Sees that it is an image of which the steps make what the network expects.

        Raises:
            ArchError: where it is none; some steps would hand it on as it is.
        """
        count = f"{self.channels[0]} " if self.channels else ""
        takes = f"an image: PIL's, or a tensor of {count}channels, height and width"
        if image is None:
            raise ArchError(f"what is to be prepared holds no image; give {takes}")
        if not isinstance(image, torch.Tensor):
            return
        shape = "x".join(map(str, image.shape))
        if image.dim() < 3 or (self.channels and image.shape[-3] not in self.channels):
            raise ArchError(f"the tensor is {shape}, and the network takes {takes}, with the channels first")
        if not (image.is_floating_point() or image.dtype == torch.uint8):
            kind = str(image.dtype).removeprefix("torch.")
            raise ArchError(f"the pixels are {kind}; give them as uint8 (x.to(torch.uint8)), or as numbers from 0 to 1")

    def __repr__(self) -> str:
        steps = "".join(f"\n  {step}" for step in self.transforms)
        return f"Transforms by {self.source}:{steps or ' none'}"


class Resize(v2.Resize):  # type: ignore[misc]
    """Resizes an image as the presets of weights do.

    Raises:
        ArchError: where it would become too large, as a long and narrow one does.
    """

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        if isinstance(inpt, Image):
            self.check(inpt.height, inpt.width)
        elif _is_image(inpt):
            self.check(*inpt.shape[-2:])
        if not _is_image(inpt):
            return super().transform(inpt, params)
        plain = inpt.as_subclass(torch.Tensor)
        flat = plain.reshape(-1, *plain.shape[-3:]) if plain.dim() > 4 else plain
        size = [self.size] if isinstance(self.size, int) else list(self.size)
        made = functional.resize(flat, size, interpolation=self.interpolation, antialias=self.antialias)
        return _like(inpt, made.reshape(*plain.shape[:-3], *made.shape[-3:]) if plain.dim() > 4 else made)

    def check(self, height: int, width: int) -> None:
        """Sees that an image of this size becomes none that takes more memory than any should."""
        edges = [self.size] if isinstance(self.size, int) else list(self.size)
        short, long = sorted((height, width))
        made = edges[0] * edges[-1] if len(edges) > 1 else edges[0] * (edges[0] * long // max(1, short))
        if made > limits.PIXELS:
            raise ArchError(
                f"the image of {height}x{width} pixels would be resized to {made:,}, and at most {limits.PIXELS:,} are "
                "made; give one that is less long and narrow, or resize to less"
            )


class Scale(v2.Transform):  # type: ignore[misc]
    """Makes the pixels of an image numbers from 0 to 1, as the presets of weights do."""

    _transformed_types = (_is_image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return _like(inpt, functional.convert_image_dtype(inpt.as_subclass(torch.Tensor), torch.float32))

    def extra_repr(self) -> str:
        return "to 0..1"


class ChannelsFirst(v2.Transform):  # type: ignore[misc]
    """Makes of a video T x C x H x W one of C x T x H x W, as networks take it."""

    _transformed_types = (_is_image,)

    def transform(self, inpt: Any, params: dict[str, Any]) -> Any:
        return inpt.as_subclass(torch.Tensor).transpose(-4, -3)


def _like(old: Any, made: torch.Tensor) -> Any:
    """The new tensor as the same kind of thing as the old one."""
    return tv_tensors.wrap(made, like=old) if isinstance(old, tv_tensors.TVTensor) else made
