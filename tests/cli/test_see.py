"""archdsl see: pictures of what a network learned."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image
from safetensors.torch import save_file

import archdsl
from archdsl.cli import see
from archdsl.torch.seeing import METHODS

from .conftest import Run


@pytest.fixture
def image(folder: Path) -> str:
    Image.effect_noise((20, 30), 80).save(folder / "noise.png")
    return "noise.png"


@pytest.mark.parametrize(
    "asked",
    [
        ("--features", "conv1", "--features", "relu1"),
        ("--gradcam", "conv1"),
        ("--attribute", "saliency"),
        ("--attribute", "occlusion", "--target", "3"),
    ],
)
def test_a_picture_of_what_it_sees_in_an_image(run: Run, folder: Path, image: str, asked: tuple[str, ...]) -> None:
    ran = run("see", "good.arch", image, *asked, "-o", "out.png")
    assert ran.code == 0, ran
    assert "wrote out.png" in ran.err
    assert "tiny begins at random here" in ran.err
    with Image.open(folder / "out.png") as picture:
        assert picture.format == "PNG"
    if "--features" in asked:
        assert ran.out == ""
    else:
        assert ran.out.startswith("class 3, score " if "--target" in asked else "class ")


@pytest.mark.parametrize(
    "asked",
    [("--filters", "first"), ("--filters", "conv1"), ("--maximize", "conv1:2", "--steps", "2", "--seed", "5")],
)
def test_a_picture_without_an_image(run: Run, folder: Path, asked: tuple[str, ...]) -> None:
    ran = run("see", "good.arch", *asked, "-o", "out.png")
    assert (ran.code, ran.out) == (0, ""), ran
    with Image.open(folder / "out.png") as picture:
        assert picture.width > 300


def test_a_layer_called_first_is_that_layer(run: Run, folder: Path) -> None:
    (folder / "a.arch").write_text("net a {\n  input 3x8x8\n  conv 2 k3\n  conv 5 k1 as first\n}\n")
    run("see", "a.arch", "--filters", "first", "-o", "named.png")
    (folder / "b.arch").write_text("net a {\n  input 3x8x8\n  conv 2 k3\n  conv 5 k1 as second\n}\n")
    run("see", "b.arch", "--filters", "first", "-o", "first.png")
    with Image.open(folder / "named.png") as named, Image.open(folder / "first.png") as first:
        assert named.size != first.size


def test_the_weights_that_a_spec_names_are_those_that_are_seen(run: Run, folder: Path) -> None:
    part = "net part {\n  input 3x8x8\n  conv 4 k3 as look\n}\n"
    save_file(archdsl.parse(part).compile().state_dict(), folder / "w.safetensors")
    (folder / "own.arch").write_text(
        part + 'net own {\n  input 3x8x8\n  pretrained part(weights="file:w.safetensors") as body\n}\n'
    )
    for name in ("a", "b"):
        ran = run("see", "own.arch::own", "--filters", "body.look", "-o", f"{name}.png")
        assert ran.code == 0, ran
        assert "at random" not in ran.err
    ran = run("see", "own.arch::own", "--filters", "body.look", "--no-weights", "-o", "c.png")
    assert "at random" in ran.err
    first, again, fresh = ((folder / f"{name}.png").read_bytes() for name in "abc")
    assert first == again
    assert first != fresh


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--gradcam", "convv1"), "tiny has nothing at convv1; did you mean conv1?"),
        (("--features", "nowhere"), "tiny has nothing at nowhere"),
        (("--gradcam", "conv1", "--target", "10"), "there is no class 10; the network has 10 classes, 0 to 9"),
        (("--gradcam", "fc1"), "it has no positions"),
        (("--attribute", "saliencyy"), "did you mean saliency?"),
        (("--attribute", "lrp"), "lrp is not offered: "),
    ],
)
def test_what_is_not_there_is_said(run: Run, folder: Path, image: str, asked: tuple[str, ...], said: str) -> None:
    (folder / "out.png").write_bytes(b"before")
    ran = run("see", "good.arch", image, *asked, "-o", "out.png")
    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err
    assert (folder / "out.png").read_bytes() == b"before"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--gradcam", "conv1"), "--gradcam needs an image"),
        (("noise.png", "--filters", "first"), "--filters looks at no image"),
        (("noise.png",), "nothing asked for; give one of --features, --gradcam, --attribute, --filters or --maximize"),
        (("noise.png", "--gradcam", "conv1", "--features", "conv1"), "--features and --gradcam asked for"),
        (("--maximize", "conv1"), "is no unit; write it like --maximize layer4:5"),
        (("--maximize", ":5"), "is no unit"),
        (("--maximize", "conv1:x"), "is no unit"),
        (("noise.png", "--features", "conv1", "--target", "1"), "--target is for --gradcam and --attribute"),
        (("noise.png", "--features", "conv1", "--steps", "1"), "--steps is for --maximize"),
        (("--maximize", "conv1:4"), "conv1 has no unit 4; it has 4, 0 to 3"),
    ],
)
def test_what_does_not_go_together(run: Run, image: str, arguments: tuple[str, ...], said: str) -> None:
    ran = run("see", "good.arch", *arguments, "-o", "out.png")
    assert ran.code == 2
    assert said in " ".join(ran.err.replace("│", " ").split())


def test_images_that_cannot_be_read(run: Run, folder: Path) -> None:
    (folder / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    for name, said in (("bad.png", "bad.png"), ("none.jpg", "there is no image none.jpg"), (".", "there is no image")):
        ran = run("see", "good.arch", name, "--gradcam", "conv1", "-o", "out.png")
        assert ran.code == 2
        assert said in ran.err
    assert not (folder / "out.png").exists()


def test_files_that_cannot_be_written(run: Run, folder: Path, image: str) -> None:
    for name, said in (("out.jpg", "must end in .png"), ("none/out.png", "there is no folder none")):
        ran = run("see", "good.arch", image, "--gradcam", "conv1", "-o", name)
        assert ran.code == 2
        assert said in ran.err


def test_a_spec_with_errors(run: Run, image: str) -> None:
    ran = run("see", "bad.arch", image, "--gradcam", "conv1", "-o", "out.png")
    assert ran.code == 1
    assert "error[" in ran.err


def test_two_inputs_are_refused(run: Run, image: str) -> None:
    ran = run("see", "two.arch", image, "--gradcam", "cat1", "-o", "out.png")
    assert ran.code == 2
    assert "only networks with one input" in ran.err


def test_the_methods_of_the_help_are_those_of_the_library() -> None:
    assert tuple(METHODS) == see.METHODS


def test_the_command_needs_no_torch_for_its_help(process: Run) -> None:
    ran = process("see", "--help", before="import sys; sys.modules['torch'] = None; sys.modules['PIL'] = None")
    assert ran.code == 0
    assert "--gradcam" in ran.out


@pytest.mark.parametrize("seed", ["-1", str(2**63), "9" * 30])
@pytest.mark.parametrize("asked", [("--maximize", "conv1:0"), ("noise.png", "--attribute", "smoothgrad")])
def test_a_seed_that_torch_does_not_take(run: Run, folder: Path, image: str, seed: str, asked: tuple[str, ...]) -> None:
    ran = run("see", "good.arch", *asked, "--seed", seed, "-o", "out.png")
    assert ran.code == 2
    assert "--seed" in ran.err
    look = archdsl.load(folder / "good.arch").see()
    with pytest.raises(archdsl.ArchError, match="a seed is from 0 to 9223372036854775807, not"):
        look.maximized("conv1", 0, seed=int(seed)) if image not in asked else look.attribution(
            image, "smoothgrad", seed=int(seed)
        )
