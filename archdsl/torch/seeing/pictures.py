"""Pictures: tiles with captions under a title, drawn by PIL, written whole or not at all."""

from __future__ import annotations

from functools import cache
from io import BytesIO
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import torch
from PIL import Image, ImageDraw, ImageFont

from archdsl.errors import ArchError, NotFoundError
from archdsl.files import write_atomically
from archdsl.torch.seeing.colors import inferno

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

SHOWN = 64
"""How many tiles a section has at most."""
COLUMNS = 8
SMALL, LARGE = 112, 448
"""The longer side of a tile: of one among many, of one of few."""

_MARGIN, _GAP = 28, 12
_INK, _FAINT = (28, 28, 32), (112, 112, 120)
_TITLE, _HEADING, _BELOW, _CAPTION = 24, 17, 15, 13
_LEAST = 11
"""Captions are written no smaller than that; they get more room instead."""
_BAR = 10


class Seen:
    """Something that shows itself: in a notebook, as a PIL image, or in a file."""

    def picture(self) -> Image.Image:
        """The picture, with its title and its scale."""
        raise NotImplementedError

    def save(self, path: str | Path) -> Path:
        """Writes the picture as PNG; an earlier file stays whole until the new one is."""
        write_atomically(path, self._repr_png_())
        return Path(path)

    def _repr_png_(self) -> bytes:
        stream = BytesIO()
        self.picture().save(stream, "PNG")
        return stream.getvalue()


class Tile(NamedTuple):
    """A picture with what stands under it."""

    image: Image.Image
    caption: str = ""


class Section(NamedTuple):
    """Tiles under a heading."""

    heading: str
    tiles: Sequence[Tile]
    columns: int = COLUMNS


# ---------------------------------------------------------------- tiles


def photo(values: Tensor, side: int) -> Image.Image:
    """3 x H x W numbers from 0 to 1, smoothly scaled so that the longer side is `side`."""
    return _scaled(_image(values), side, Image.Resampling.BICUBIC)


def blocks(values: Tensor, side: int) -> Image.Image:
    """The same, where each number stays a block of one colour."""
    image = _image(values)
    smaller = max(image.size) > side
    return _scaled(image, side, Image.Resampling.BOX if smaller else Image.Resampling.NEAREST)


def heat(values: Tensor, side: int) -> Image.Image:
    """H x W numbers in colours from their least to their largest; all alike they are black."""
    least, most = values.min(), values.max()
    spread = most - least
    return blocks(inferno((values - least) / spread if spread > 0 else torch.zeros_like(values)), side)


def plane(values: Tensor) -> Tensor:
    """Numbers of one, two or three axes as a plane: a line becomes a band, slices stand side by side."""
    if values.dim() == 1:
        return values.expand(ceil(len(values) / 8), -1)
    if values.dim() == 3:
        return values.movedim(0, 1).flatten(1)
    return values


def of_images(space: Sequence[int]) -> None:
    """Refuses to draw over what is no image.

    Raises:
        ArchError: where the input has not two axes.
    """
    if len(space) != 2:
        raise ArchError("only what is seen in images can be drawn over them; `values` has the numbers")


def one_of(batch: Tensor, image: int) -> Tensor:
    """One of a batch.

    Raises:
        NotFoundError: where there is none of that number.
    """
    if not -len(batch) <= image < len(batch):
        raise NotFoundError(f"there is no image {image}; the batch has {len(batch)}, from 0")
    return batch[image]


def over(image: Tensor, values: Tensor) -> Tensor:
    """An image, 3 x H x W, under the colours of H x W numbers from 0 to 1: of the larger ones less shines through."""
    gray = image.mean(0, keepdim=True)
    share = 0.3 + 0.55 * values.detach().double().cpu().clamp(0, 1)
    return gray * (1 - share) + inferno(values) * share


def number(value: float | Tensor, digits: int = 3) -> str:
    """A number for a caption: some digits of it."""
    text = f"{float(value):.{digits}g}"
    return "0" if text in ("-0", "0") else text


def _image(values: Tensor) -> Image.Image:
    pixels = values.detach().cpu().clamp(0, 1).mul(255).round().to(torch.uint8).movedim(0, -1).contiguous()
    height, width, _ = pixels.shape
    return Image.frombytes("RGB", (width, height), pixels.numpy().tobytes())


def _scaled(image: Image.Image, side: int, how: Image.Resampling) -> Image.Image:
    longer = max(image.size)
    width, height = (max(1, round(each * side / longer)) for each in image.size)
    return image.resize((width, height), how)


# ---------------------------------------------------------------- a page of them


def page(title: str, below: str, sections: Sequence[Section], scale: tuple[str, str] | None = None) -> Image.Image:
    """The sections one under the other, and under the title the colours with what their ends stand for."""
    fonts = {size: _font(size) for size in (_TITLE, _HEADING, _BELOW, *range(_LEAST, _CAPTION + 1))}
    width = max([480, *(_width(section) for section in sections)]) + 2 * _MARGIN
    head = _MARGIN + _TITLE + 8 + _BELOW + 14
    bar = head
    if scale is not None:
        head += _BAR + 6 + _CAPTION + 10
    height = head + sum(_height(section) for section in sections) + _MARGIN
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image)

    def write(x: float, y: float, text: str, size: int, ink: tuple[int, int, int], room: float) -> None:
        draw.text((x, y), _cut(text, fonts[size], room), fill=ink, font=fonts[size])

    inner = width - 2 * _MARGIN
    write(_MARGIN, _MARGIN - 4, title, _TITLE, _INK, inner)
    write(_MARGIN, _MARGIN + _TITLE + 8, below, _BELOW, _FAINT, inner)
    if scale is not None:
        length = min(inner, LARGE)
        image.paste(_image(inferno(torch.linspace(0, 1, length).expand(_BAR, -1))), (_MARGIN, bar))
        write(_MARGIN, bar + _BAR + 4, scale[0], _CAPTION, _FAINT, length / 2)
        right = _MARGIN + length - fonts[_CAPTION].getlength(scale[1])
        write(right, bar + _BAR + 4, scale[1], _CAPTION, _FAINT, length / 2)
    y = head
    for section in sections:
        if section.heading:
            write(_MARGIN, y + 6, section.heading, _HEADING, _INK, inner)
            y += _HEADING + 18
        cell, size = _cell(section)
        for row in _rows(section):
            x = _MARGIN
            for tile in row:
                image.paste(tile.image, (x, y))
                if tile.caption:
                    under = y + tile.image.height + 3
                    write(x, under, tile.caption, size, _FAINT, cell)
                x += cell + _GAP
            y += _row_height(row)
    return image


def _cell(section: Section) -> tuple[int, int]:
    """How wide the tiles stand, and the size of their captions: as large as fits, then in wider cells."""
    cell = max(tile.image.width for tile in section.tiles)
    for size in range(_CAPTION, _LEAST - 1, -1):
        longest = ceil(max(_font(size).getlength(_printable(tile.caption)) for tile in section.tiles))
        if longest <= cell:
            return cell, size
    return max(cell, min(longest, 2 * SMALL)), _LEAST


def _width(section: Section) -> int:
    across = min(section.columns, len(section.tiles))
    return across * (_cell(section)[0] + _GAP) - _GAP


def _rows(section: Section) -> list[Sequence[Tile]]:
    step = section.columns
    return [section.tiles[start : start + step] for start in range(0, len(section.tiles), step)]


def _row_height(row: Sequence[Tile]) -> int:
    captions = any(tile.caption for tile in row)
    return max(tile.image.height for tile in row) + (_CAPTION + 6 if captions else 0) + _GAP


def _height(section: Section) -> int:
    return (_HEADING + 18 if section.heading else 0) + sum(map(_row_height, _rows(section)))


def _printable(text: str) -> str:
    return "".join(sign if sign.isprintable() else "?" for sign in text)


@cache
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _cut(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont, room: float) -> str:
    """The text, cut off where there is no room for more."""
    text = _printable(text)
    if font.getlength(text) <= room:
        return text
    while text and font.getlength(f"{text}...") > room:
        text = text[:-1]
    return f"{text}..."
