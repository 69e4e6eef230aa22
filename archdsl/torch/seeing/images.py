"""From an image to what a network takes, and back.

An image file is a stranger's: only common formats of pixels are read, none that runs a program, at most as many pixels
as PIL takes without a warning, and what cannot be read is an error that says so.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from PIL import Image, ImageOps, UnidentifiedImageError

from archdsl.errors import ArchError, NotFoundError

if TYPE_CHECKING:
    from torch import Tensor

FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM")
"""What is read: PIL would run other programs for some of the others."""

_COLORS = 3
_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
"""What an image is to be, by the channels that the network takes."""

_ROUNDING = 1e-3

_SIXTEEN_BITS = 257
"""65535 / 255."""


def read(path: str | Path) -> Image.Image:
    """The image of a file, turned as its EXIF says; of an animation the first picture.

    Raises:
        NotFoundError: where there is no such file.
        ArchError: where it holds no image, or one that is too large.
    """
    if not Path(path).is_file():
        raise NotFoundError(f"there is no image {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path, formats=FORMATS) as image:
                image.load()
                return ImageOps.exif_transpose(image)
    except (Image.DecompressionBombWarning, Image.DecompressionBombError):
        raise ArchError(f"{path} has more than {Image.MAX_IMAGE_PIXELS} pixels; make it smaller") from None
    except UnidentifiedImageError:
        raise ArchError(f"{path} is no image that can be read; {', '.join(FORMATS)} can") from None
    except MemoryError:
        raise
    except Exception as problem:  # noqa: BLE001  # of any kind: what a file holds is not ours
        raise ArchError(f"{path} cannot be read: {str(problem).partition(chr(10))[0]}") from None


def plain(image: Image.Image, channels: int) -> Image.Image:
    """An image of eight bits a channel: gray, RGB or RGBA, for one, three or four channels.

    What is transparent is laid on white, if alpha is not asked for.

    Raises:
        ArchError: for other channels, or an image of floating numbers.
    """
    if channels not in _MODES:
        raise ArchError(f"the network takes {channels} channels, an image has 1, 3 or 4; give it a tensor")
    return _eight_bits(image, _MODES[channels])


def _eight_bits(image: Image.Image, mode: str) -> Image.Image:
    """The image in a mode of eight bits, with nothing lost that can be kept."""
    if image.mode == "F":
        raise ArchError("the image holds floating numbers, and their range is not known; give a tensor")
    if image.mode.startswith("I"):  # 16 bits, which PIL would cut off at 255
        image = image.convert("I").point(lambda value: value * (1 / _SIXTEEN_BITS)).convert("L")
    if mode == "RGBA":
        return image.convert("RGBA")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        clear = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    return image.convert(mode)


# ---------------------------------------------------------------- what the network takes


class Normalization(NamedTuple):
    """By what the channels of an image are shifted and scaled before they flow into a network; by nothing if empty."""

    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()

    def normalized(self, image: Tensor) -> Tensor:
        """Numbers from 0 to 1, channels x space, as the network takes them."""
        if not self.mean:
            return image
        return (image - _column(self.mean, image)) / _column(self.std, image)

    def visible(self, image: Tensor) -> Tensor:
        """An input of the network as 3 x H x W from 0 to 1.

        Other numbers of channels than three are shown as the gray of their mean, and what leaves the range from 0 to 1
        where nothing is normalized is stretched to it.
        """
        shown = image.detach().double().cpu().nan_to_num()
        if self.mean:
            shown = shown * _column(self.std, shown) + _column(self.mean, shown)
        shown = shown if shown.shape[0] == _COLORS else shown.mean(0, keepdim=True)
        beyond = bool(shown.numel()) and bool(shown.min() < -_ROUNDING or shown.max() > 1 + _ROUNDING)
        if beyond and not self.mean:
            shown = (shown - shown.min()) / (shown.max() - shown.min()).clamp(min=1e-12)
        return shown.clamp(0, 1).expand(_COLORS, -1, -1)


def _column(numbers: tuple[float, ...], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None, None]
