"""Image files of strangers: what they hold is read rightly, or refused with the reason."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest
import torch
from PIL import Image

from archdsl import ArchError, NotFoundError
from archdsl.torch.seeing.images import Normalization, plain, read


def numbers(image: Image.Image, channels: int = 3) -> list[list[list[float]]]:
    """What a network of some channels is given, in steps of 1/255."""
    made = plain(image, channels)
    found = torch.frombuffer(bytearray(made.tobytes()), dtype=torch.uint8).view(image.height, image.width, channels)
    return found.movedim(-1, 0).tolist()  # type: ignore[no-any-return]


def saved(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)  # type: ignore[arg-type]
    return path


# ---------------------------------------------------------------- what a file holds


@pytest.mark.parametrize("ending", ["png", "webp", "bmp", "tiff", "gif", "ppm"])
def test_the_usual_formats(tmp_path: Path, ending: str) -> None:
    image = Image.new("RGB", (3, 2), (10, 200, 30))
    options = {"lossless": True} if ending == "webp" else {}
    assert numbers(read(saved(image, tmp_path / f"a.{ending}", **options))) == numbers(image)


def test_a_photograph(tmp_path: Path) -> None:
    found = numbers(read(saved(Image.new("RGB", (16, 16), (200, 100, 50)), tmp_path / "a.jpg")))
    expected = torch.tensor([200, 100, 50])[:, None, None]
    torch.testing.assert_close(torch.tensor(found), expected.expand(3, 16, 16), atol=5, rtol=0)


def test_a_camera_held_on_its_side(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), "red")
    image.paste("blue", (0, 0, 10, 10))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise
    found = read(saved(image, tmp_path / "a.png", exif=exif.tobytes()))
    assert found.size == (10, 20)
    assert found.getpixel((5, 2)) == (0, 0, 255)
    assert found.getpixel((5, 18)) == (255, 0, 0)


def test_sixteen_bits_are_not_cut_off(tmp_path: Path) -> None:
    values = [0, 257, 32768, 65535]
    image = Image.frombytes("I;16", (4, 1), struct.pack("<4H", *values))
    found = read(saved(image, tmp_path / "a.png"))
    assert numbers(found, 1) == [[[0, 1, 127, 255]]] or numbers(found, 1) == [[[0, 1, 128, 255]]]
    assert numbers(found, 3)[0] == numbers(found, 1)[0]


def test_what_is_transparent_is_white_unless_alpha_is_asked_for() -> None:
    image = Image.new("RGBA", (1, 1), (0, 0, 0, 0))
    assert numbers(image, 3) == [[[255]]] * 3
    assert numbers(image, 1) == [[[255]]]
    assert numbers(image, 4) == [[[0]]] * 4
    assert numbers(Image.new("LA", (1, 1), (0, 0)), 3) == [[[255]]] * 3
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([9, 8, 7])
    assert numbers(palette, 3) == [[[9]], [[8]], [[7]]]
    palette.info["transparency"] = 0
    assert numbers(palette, 3) == [[[255]]] * 3


def test_other_colours_become_those_asked_for() -> None:
    assert numbers(Image.new("1", (1, 1), 1), 3) == [[[255]]] * 3
    assert numbers(Image.new("CMYK", (1, 1), (0, 255, 255, 0)), 3) == [[[255]], [[0]], [[0]]]
    assert numbers(Image.new("L", (1, 1), 77), 4) == [[[77]], [[77]], [[77]], [[255]]]
    assert numbers(Image.new("RGB", (1, 1), (100, 100, 100)), 1) == [[[100]]]


def test_an_animation_is_its_first_picture(tmp_path: Path) -> None:
    first, second = Image.new("RGB", (4, 4), "red"), Image.new("RGB", (4, 4), "blue")
    path = saved(first, tmp_path / "a.gif", save_all=True, append_images=[second])
    assert numbers(read(path)) == numbers(first)


def test_channels_that_no_image_has() -> None:
    with pytest.raises(ArchError, match="takes 6 channels, an image has 1, 3 or 4"):
        plain(Image.new("RGB", (4, 4)), 6)
    with pytest.raises(ArchError, match="floating numbers"):
        plain(Image.new("F", (4, 4)), 3)


# ---------------------------------------------------------------- what is no image


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match="there is no image"):
        read(tmp_path / "none.png")
    with pytest.raises(NotFoundError, match="there is no image"):
        read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\x00\xff\xff\xff\xff"])
def test_what_holds_no_image(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(ArchError, match=r"a\.png (is no image|cannot be read)"):
        read(tmp_path / "a.png")


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "tiff"])
def test_a_file_that_ends_too_early(tmp_path: Path, ending: str) -> None:
    whole = saved(Image.effect_noise((64, 64), 90).convert("RGB"), tmp_path / f"a.{ending}").read_bytes()
    for part in (len(whole) // 2, len(whole) * 3 // 4):
        (tmp_path / f"a.{ending}").write_bytes(whole[:part])
        with pytest.raises(ArchError, match=r"is no image|cannot be read"):
            read(tmp_path / f"a.{ending}")


def test_a_small_file_of_a_huge_image_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    for side in (10_000, 60_000):
        header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
        png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 99))
        (tmp_path / "a.png").write_bytes(png + chunk(b"IEND", b""))
        with pytest.raises(ArchError, match=r"more than \d+ pixels"):
            read(tmp_path / "a.png")


def test_formats_that_run_programs_are_not_read(tmp_path: Path) -> None:
    saved(Image.new("RGB", (4, 4)), tmp_path / "a.eps")
    (tmp_path / "b.png").write_bytes((tmp_path / "a.eps").read_bytes())
    for name in ("a.eps", "b.png"):
        with pytest.raises(ArchError, match="is no image that can be read; PNG, JPEG"):
            read(tmp_path / name)


# ---------------------------------------------------------------- and back


def test_what_the_network_takes_can_be_shown_again() -> None:
    image = torch.rand(3, 5, 7)
    mean, std = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)
    said, nothing = Normalization(mean, std), Normalization()
    expected = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(said.normalized(image), expected)
    torch.testing.assert_close(said.visible(expected).float(), image, atol=1e-5, rtol=0)
    assert torch.equal(nothing.normalized(image), image)
    torch.testing.assert_close(nothing.visible(image).float(), image)
    gray = torch.rand(1, 5, 7)
    torch.testing.assert_close(nothing.visible(gray).float(), gray.expand(3, -1, -1))
    assert nothing.visible(torch.tensor([[[-3.0, 5.0]]])).tolist() == [[[0.0, 1.0]]] * 3
    assert nothing.visible(torch.full((2, 1, 1), float("nan"))).shape == (3, 1, 1)
