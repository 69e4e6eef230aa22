"""What makes of an image what a network expects, beside torchvision's own presets."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor

import archdsl
from archdsl import ArchError, NotFoundError, limits, weights
from archdsl.analyses.preprocessing import NORMALIZED_INSIDE, normalization
from archdsl.network import Network
from archdsl.torch.vision import import_torchvision
from archdsl.weights import Preprocessing

torchvision = import_torchvision()
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import functional, v2  # noqa: E402

ALL = [(name, each.name) for name in archdsl.shipped_networks() for each in weights.known(name)]
TABLE = [(name, weight) for name, weight in ALL if name not in NORMALIZED_INSIDE]
KINDS = {
    each.preprocessing.kind: (name, each.name) for name in archdsl.shipped_networks() for each in weights.known(name)
}
IMAGENET = "mean=[0.485, 0.456, 0.406] std=[0.229, 0.224, 0.225]"


def net(body: str) -> Network:
    found = archdsl.parse(f"net outer {{\n  {body}\n}}\n")
    assert found.ok, found.diagnostics
    return found


def with_weights(name: str, weight: str) -> Network:
    """The first layer of a network that ships, with published weights, on images of the size that these are for."""
    found = weights.find(name, weight)
    assert found is not None
    crop = found.preprocessing.crop_size
    edge = "224" if crop is None else str(crop[-1])
    frames = "16x" if found.preprocessing.kind == "VideoClassification" else ""
    graph = archdsl.load(name).graph
    first = next(node.path for node in graph.nodes if node.inputs)
    inputs = [f"input image : 3x{frames}{edge}x{edge}"]  # a detector has others besides
    inputs += [f"input {port.name} : {port.tensor}" for port in graph.inputs[1:]]
    flow = " | ".join(["image", *[port.name for port in graph.inputs[1:]]])
    lines = [*inputs, f'({flow}) -> pretrained {name}(weights="{weight}", until="{first}")']
    return net("\n  ".join(lines))


def theirs(name: str, weight: str) -> Any:
    return torchvision.models.get_model_weights(name)[weight].transforms()


def picture(height: int, width: int, seed: int = 0) -> Tensor:
    """Noise with edges, of which every way to resample makes something else."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=generator)


# ---------------------------------------------------------------- for inference


@pytest.mark.parametrize(("name", "weight"), TABLE)
def test_an_image_becomes_what_the_weights_own_transforms_make_of_it(name: str, weight: str) -> None:
    ours, expected = with_weights(name, weight).transforms(input="image"), theirs(name, weight)
    if isinstance(expected, torchvision.transforms._presets.VideoClassification):
        clip = torch.stack([picture(40, 60, seed) for seed in range(2)])
        assert torch.equal(ours(clip), expected(clip))
        assert torch.equal(ours(clip[None]), expected(clip[None]))
        assert ours(clip).shape[:2] == (3, 2)
        return
    tensor = picture(70, 90)
    image = Image.fromarray(tensor.permute(1, 2, 0).numpy())
    batch = torch.stack([tensor, picture(70, 90, 1)])
    for given in (image, tensor, batch, batch.float() / 255):
        made = ours(given)
        assert type(made) is Tensor
        assert made.dtype == torch.float32
        assert torch.equal(made, expected(given))


def inside(name: str, image: Tensor) -> Tensor:
    """What torchvision's network does with an image before its first layer."""
    if name in ("inception_v3", "googlenet"):
        model = getattr(torchvision.models, name)(init_weights=False, aux_logits=True, transform_input=True)
        return model._transform_input(image[None])[0]  # type: ignore[no-any-return]
    model = getattr(torchvision.models.detection, name)(weights=None, weights_backbone=None)
    return model.transform.normalize(image)  # type: ignore[no-any-return]


@pytest.mark.parametrize(("name", "weight"), [each for each in ALL if each not in TABLE])
def test_what_torchvision_does_inside_the_network_is_done_before_it(name: str, weight: str) -> None:
    tensor = picture(70, 90)
    found = with_weights(name, weight).transforms(input="image")(tensor)
    expected = inside(name, theirs(name, weight)(tensor))
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    assert not torch.allclose(found, theirs(name, weight)(tensor), atol=0.01)


def test_no_other_network_normalizes_inside() -> None:
    """Of those in the table: all detectors do, and of the others those that know `transform_input`."""
    detectors = {name for name, weight in ALL if name in torchvision.models.list_models(torchvision.models.detection)}
    turning = {
        name
        for name in {name for name, _ in ALL} - detectors
        if name in torchvision.models.list_models(torchvision.models)
        and "transform_input" in inspect.getsource(torchvision.models.get_model_builder(name))
    }
    assert detectors | turning == set(NORMALIZED_INSIDE)


def test_all_four_kinds_are_among_them() -> None:
    assert len(TABLE) > 100
    assert set(KINDS) == {"ImageClassification", "ObjectDetection", "SemanticSegmentation", "VideoClassification"}


def test_the_comparison_can_fail() -> None:
    """The second generation of torchvision rounds otherwise; its own steps would not do."""
    tensor = picture(70, 90)
    plain = v2.Compose(
        [v2.Resize([256]), v2.CenterCrop(224), v2.ToDtype(torch.float32, scale=True), v2.Normalize(*imagenet())]
    )
    assert not torch.equal(plain(tensor), theirs("resnet18", "IMAGENET1K_V1")(tensor))


def imagenet() -> tuple[list[float], list[float]]:
    return [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def test_another_size_is_cropped_to_and_resized_to_in_proportion() -> None:
    small = archdsl.parse("net a {\n  input 3x112x112\n  pretrained resnet18(until=layer4)\n}")
    tensor = picture(150, 190)
    expected = functional.center_crop(functional.resize(tensor, [128], antialias=True), [112])
    expected = functional.normalize(expected.float() / 255, *imagenet())
    assert torch.equal(small.transforms()(tensor), expected)


def test_an_oblong_input_is_filled_with_the_whole_image_in_proportion() -> None:
    wide = archdsl.parse("net a {\n  input 3x112x224\n  pretrained resnet18(until=layer4)\n}")
    tensor = picture(150, 190)
    expected = functional.center_crop(functional.resize(tensor, [128, 256], antialias=True), [112, 224])
    assert torch.equal(wide.transforms()(tensor), functional.normalize(expected.float() / 255, *imagenet()))


def test_with_open_sizes_the_weights_decide() -> None:
    free = net("input 3xHxW\n  pretrained resnet18(until=layer4)")
    assert torch.equal(free.transforms()(picture(70, 90)), theirs("resnet18", "IMAGENET1K_V1")(picture(70, 90)))


def test_without_weights_only_the_size_is_known() -> None:
    tensor = picture(50, 70)
    made = net("input 3x32x32\n  conv 8 k3").transforms()(tensor)
    expected = functional.center_crop(functional.resize(tensor, [32], antialias=True), [32]).float() / 255
    assert torch.equal(made, expected)
    assert torch.equal(net("input 3xHxW\n  conv 8 k3").transforms()(tensor), tensor.float() / 255)


def test_the_statement_says_it() -> None:
    text = f"input 3x64x64\n  preprocess resize=80 {IMAGENET} interpolation=bicubic antialias=no\n  conv 8 k3"
    tensor = picture(100, 130)
    mode = functional.InterpolationMode.BICUBIC
    expected = functional.center_crop(functional.resize(tensor, [80], interpolation=mode, antialias=False), [64])
    made = net(text).transforms()
    assert torch.equal(made(tensor), functional.normalize(expected.float() / 255, *imagenet()))
    assert made.source == "preprocess"


def test_the_statement_goes_before_the_weights_word_by_word() -> None:
    made = net("input 3x224x224\n  preprocess resize=240\n  pretrained resnet18(until=layer4)").transforms()
    tensor = picture(100, 130)
    expected = functional.center_crop(functional.resize(tensor, [240], antialias=True), [224])
    assert torch.equal(made(tensor), functional.normalize(expected.float() / 255, *imagenet()))
    assert made.source == "preprocess over resnet18 IMAGENET1K_V1"


def test_one_number_is_for_all_channels() -> None:
    made = net("input 3x8x8\n  preprocess mean=0.5 std=0.25\n  conv 8 k3").transforms()
    tensor = picture(8, 8)
    assert torch.equal(made(tensor), (tensor.float() / 255 - 0.5) / 0.25)


def test_an_input_given_from_outside_goes_before_the_crop_of_the_statement() -> None:
    text = "net a {\n  input 3x64x64\n  preprocess resize=80 crop=64\n  conv 8 k3\n}"
    wider = archdsl.parse(text, input="3x96x96")
    assert wider.ok
    tensor = picture(200, 250)
    expected = functional.center_crop(functional.resize(tensor, [120], antialias=True), [96]).float() / 255
    assert torch.equal(wider.transforms()(tensor), expected)


def test_what_the_network_inside_sees_is_the_image_also_when_it_is_resampled() -> None:
    made = net("input 3x32x32\n  upsample 7 -> pretrained resnet18(until=layer4)").transforms()
    assert made.source == "resnet18 IMAGENET1K_V1"
    assert made(picture(60, 80)).shape == (3, 32, 32)


def test_what_a_learned_layer_sees_is_not_what_the_weights_saw() -> None:
    made = net("input 3x224x224\n  conv 3 k1 -> pretrained resnet18(until=layer4)").transforms()
    assert made.source == "input"


# ---------------------------------------------------------------- gray, and other channels


def test_a_gray_image_is_normalized_to_the_mean_of_what_the_channels_were() -> None:
    mean, std = imagenet()
    gray = torch.rand(1, 40, 40, dtype=torch.float64)
    (m,), (s,) = normalization(tuple(mean), tuple(std), 1)
    three = functional.normalize(gray.expand(3, -1, -1), mean, std)
    torch.testing.assert_close((gray - m) / s, three.mean(dim=0, keepdim=True), rtol=1e-12, atol=1e-12)


def test_for_a_filter_that_is_gray_that_is_exact() -> None:
    """The layer's weights are summed over the channels, and equal ones then see exactly what they saw."""
    mean, std = imagenet()
    gray, filter = torch.rand(1, 1, 9, 9, dtype=torch.float64), torch.randn(4, 1, 3, 3, dtype=torch.float64)
    (m,), (s,) = normalization(tuple(mean), tuple(std), 1)
    before = torch.conv2d(functional.normalize(gray.expand(1, 3, -1, -1), mean, std), filter.expand(-1, 3, -1, -1))
    torch.testing.assert_close(torch.conv2d((gray - m) / s, filter * 3), before)


def test_a_colour_image_becomes_gray_for_one_channel_and_a_gray_one_coloured_for_three() -> None:
    tensor = picture(50, 60)
    image = Image.fromarray(tensor.permute(1, 2, 0).numpy())
    gray = net("input 1x28x28\n  conv 8 k3").transforms()
    for given in (image, image.convert("L"), tensor, tensor[:1]):
        assert gray(given).shape == (1, 28, 28)
    colour = net("input 3x28x28\n  conv 8 k3").transforms()
    for given in (image, image.convert("L"), image.convert("P"), image.convert("RGBA"), tensor, tensor[:1]):
        assert colour(given).shape == (3, 28, 28)
    assert torch.equal(colour(tensor[:1])[0], colour(tensor[:1])[2])


def test_further_channels_are_normalized_in_turn_as_their_weights_are_taken() -> None:
    made = net("input 5x64x64\n  preprocess crop=64\n  pretrained resnet18(until=layer4)").transforms()
    tensor = torch.randint(0, 256, (5, 73, 73), dtype=torch.uint8)
    found = made(tensor)
    plain = functional.center_crop(functional.resize(tensor, [73], antialias=True), [64]).float() / 255
    mean, std = imagenet()
    expected = functional.normalize(plain, [*mean, *mean[:2]], [*std, *std[:2]])
    assert torch.equal(found, expected)


# ---------------------------------------------------------------- for training


def steps(made: Any) -> list[str]:
    return [type(step).__name__ for step in made.transforms]


def test_training_crops_mirrors_and_normalizes() -> None:
    network = net("input 3x224x224\n  pretrained resnet18(until=layer4)")
    made = network.transforms(train=True)
    assert steps(made) == [
        "RGB", "RandomResizedCrop", "RandomHorizontalFlip", "ToImage", "Scale", "Normalize", "ToPureTensor",
    ]  # fmt: skip
    tensor = picture(300, 400)
    torch.manual_seed(7)
    found = made(tensor)
    torch.manual_seed(7)
    reference = v2.Compose([v2.RandomResizedCrop((224, 224), antialias=True), v2.RandomHorizontalFlip(0.5)])
    expected = functional.normalize(functional.convert_image_dtype(reference(tensor), torch.float32), *imagenet())
    assert torch.equal(found, expected)
    assert "RandomHorizontalFlip" not in steps(network.transforms(train=True, flip=0))


def test_small_images_are_cropped_with_a_border_as_in_the_paper() -> None:
    made = net("input 3x32x32\n  conv 8 k3").transforms(train=True, flip=0)
    crop = next(step for step in made.transforms if isinstance(step, v2.RandomCrop))
    assert crop.padding == [4, 4, 4, 4] or crop.padding == 4
    tensor = picture(32, 32)
    padded = functional.pad(tensor, [4]).float() / 255
    windows = {padded[:, y : y + 32, x : x + 32].numpy().tobytes() for y in range(9) for x in range(9)}
    found = {made(tensor).numpy().tobytes() for _ in range(50)}
    assert found <= windows
    assert len(found) > 20


@pytest.mark.parametrize("augment", ["auto", "rand", "trivial", "augmix"])
@pytest.mark.parametrize("shape", ["1x28x28", "3x96x96"])
def test_further_policies(augment: str, shape: str) -> None:
    made = net(f"input {shape}\n  conv 8 k3").transforms(train=True, augment=augment)
    image = Image.fromarray(picture(120, 140).permute(1, 2, 0).numpy())
    for given in (image, picture(120, 140)):
        assert "x".join(map(str, made(given).shape)) == shape


def test_a_mask_goes_the_same_way_as_its_image() -> None:
    network = net('input 3xHxW\n  pretrained fcn_resnet50(weights="COCO_WITH_VOC_LABELS_V1")')
    made = network.transforms(train=True)
    tensor = torch.zeros(3, 300, 300, dtype=torch.uint8)
    tensor[:, :, 150:] = 255
    mask = tv_tensors.Mask(torch.ones(300, 300, dtype=torch.uint8) + (tensor[0] > 0))
    torch.manual_seed(1)
    for _ in range(4):
        image, target = made(tv_tensors.Image(tensor), mask)
        assert image.shape == (3, 480, 480)
        assert target.shape == (480, 480)
        assert type(target) is Tensor
        assert set(target.unique().tolist()) <= {1, 2, 255}
        plain = image[0] * 0.229 + 0.485
        agree = ((plain > 0.5) == (target == 2))[target != 255]
        assert agree.float().mean() > 0.97


def test_a_video_is_resized_cropped_and_turned() -> None:
    name, weight = KINDS["VideoClassification"]
    made = with_weights(name, weight).transforms(input="image", train=True)
    clip = torch.stack([picture(130, 180, seed) for seed in range(2)])
    edge = weights.find(name, weight).preprocessing.crop_size[-1]  # type: ignore[union-attr,index]
    assert made(clip).shape == (3, 2, edge, edge)


def test_a_detector_keeps_the_whole_image() -> None:
    name, weight = KINDS["ObjectDetection"]
    made = with_weights(name, weight).transforms(input="image", train=True, flip=1)
    tensor = picture(50, 60)
    boxes = tv_tensors.BoundingBoxes([[0, 0, 10, 20]], format="XYXY", canvas_size=(50, 60))  # type: ignore[call-overload]
    image, turned = made(tv_tensors.Image(tensor), boxes)
    expected = functional.normalize(tensor.flip(-1).float() / 255, *map(list, NORMALIZED_INSIDE[name]))
    assert torch.equal(image, expected)
    assert turned.tolist() == [[50, 0, 60, 20]]


# ---------------------------------------------------------------- what it says, and refuses


def test_it_shows_its_steps_and_where_they_are_from() -> None:
    text = repr(net("input 3x224x224\n  pretrained resnet18(until=layer4)").transforms())
    assert text.startswith("Transforms by resnet18 IMAGENET1K_V1:\n  RGB()\n  Resize(size=[256],")
    assert "Normalize(mean=[0.485, 0.456, 0.406], std=[0.229, 0.224, 0.225]" in text


def test_it_is_pickled_for_the_workers_of_a_loader() -> None:
    made = net("input 3x224x224\n  pretrained resnet18(until=layer4)").transforms()
    twin = pickle.loads(pickle.dumps(made))
    assert torch.equal(twin(picture(50, 60)), made(picture(50, 60)))
    assert twin.source == made.source


def test_of_several_inputs_one_is_named() -> None:
    network = net(
        "input rgb : 3x64x64\n  input ids : 12\n  input depth : 1x32x32\n"
        "  rgb -> conv 8 k3 -> gap -> flatten as a\n  depth -> conv 8 k3 -> gap -> flatten as b\n"
        "  ids -> fc 8 -> add a b"
    )
    assert network.transforms(input="rgb")(picture(80, 80)).shape == (3, 64, 64)
    assert network.transforms(input="depth")(picture(80, 80)).shape == (1, 32, 32)
    with pytest.raises(ArchError, match=r"takes images at rgb, depth; name one: transforms\(input='rgb'\)"):
        network.transforms()
    with pytest.raises(NotFoundError, match="no input called rbg; did you mean rgb"):
        network.transforms(input="rbg")
    with pytest.raises(ArchError, match=r"takes no images.* its input is 12"):
        network.transforms(input="ids")


def test_what_cannot_be_is_refused_with_a_way_out() -> None:
    with pytest.raises(ArchError, match="takes no images"):
        net("input 784\n  fc 10").transforms()
    with pytest.raises(ArchError, match=r"leaves its size open.*preprocess crop=224"):
        net("input 3xHxW\n  conv 8 k3").transforms(train=True)
    with pytest.raises(ArchError, match="did you mean 'trivial'"):
        net("input 3x32x32\n  conv 8 k3").transforms(train=True, augment="trival")
    with pytest.raises(ArchError, match="augment is of training"):
        net("input 3x32x32\n  conv 8 k3").transforms(augment="rand")
    with pytest.raises(ArchError, match="from 0 to 1, not 2"):
        net("input 3x32x32\n  conv 8 k3").transforms(train=True, flip=2)
    with pytest.raises(archdsl.SpecError):
        archdsl.parse("net a {\n  input 3x8x8\n  conv 8 k9\n}").transforms()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (torch.ones(3, 32, 32, dtype=torch.int64), "the pixels are int64; give them as uint8"),
        (torch.ones(4, 32, 32), "the tensor is 4x32x32, and the network takes an image"),
        (torch.ones(32, 32, 3), "the tensor is 32x32x3.*with the channels first"),
        (torch.ones(32, 32), "the tensor is 32x32,"),
        ("photo.png", "holds no image"),
        ({"labels": [1, 2]}, "holds no image"),
    ],
)
def test_what_the_steps_would_hand_on_as_it_is_is_refused(given: Any, said: str) -> None:
    with pytest.raises(ArchError, match=said):
        net("input 3x32x32\n  conv 8 k3").transforms()(given)


def test_what_stands_beside_an_image_is_none() -> None:
    """Of several tensors the first is the image, as torchvision has it, or what says so itself."""
    prepare = net("input 3x32x32\n  conv 8 k3").transforms()
    label, picture = torch.tensor(3), torch.zeros(3, 40, 40, dtype=torch.uint8)
    prepared, kept = prepare(picture, {"label": label})
    assert prepared.shape == (3, 32, 32)
    assert kept == {"label": label}
    _, prepared = prepare({"label": label}, tv_tensors.Image(picture))
    assert prepared.shape == (3, 32, 32)
    assert net("input 1x32x32\n  conv 8 k3").transforms()(picture).shape == (1, 32, 32)


def test_the_fields_are_those_of_the_table() -> None:
    from archdsl.analyses.preprocess import FIELDS

    assert set(FIELDS.values()) == set(Preprocessing._fields) - {"kind"}


@pytest.mark.parametrize("size", [(1, 30_000), (30_000, 1), (3, 80_000)])
@pytest.mark.parametrize("kind", ["PIL", "tensor", "mask beside it"])
def test_a_long_and_narrow_image_is_not_made_larger_than_any_should_be(
    size: tuple[int, int], kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = net("input 3x32x32\n  preprocess resize=64 crop=32\n  conv 8 k3").transforms()
    given: list[Any] = [Image.new("RGB", size) if kind == "PIL" else torch.zeros(3, *size)]
    if kind == "mask beside it":
        given.append(tv_tensors.Mask(torch.zeros(1, *size)))

    def never(*given: object, **options: object) -> None:
        raise AssertionError("it was resized")

    with monkeypatch.context() as patch:
        patch.setattr("torchvision.transforms.functional.resize", never)
        patch.setattr("torchvision.transforms.v2.functional.resize", never)
        with pytest.raises(ArchError, match=r"pixels would be resized to [\d,]+, and at most 89,478,485 are made"):
            made(*given)


def test_the_limit_of_pixels_is_that_of_reading() -> None:
    assert limits.PIXELS == Image.MAX_IMAGE_PIXELS
    made = net("input 3x32x32\n  preprocess resize=64 crop=32\n  conv 8 k3").transforms()
    assert made(Image.new("RGB", (2, 5_000))).shape == (3, 32, 32)
