"""Seeing what a network learned: against torchvision, captum, and computations that use none of it."""

from __future__ import annotations

import copy
import sys
from pathlib import Path

import captum.attr
import pytest
import torch
from matplotlib import colormaps
from PIL import Image, ImageDraw
from torch import Tensor, nn

import archdsl
from archdsl import ArchError, NotFoundError, SpecError, WeightsError
from archdsl.network import Network
from archdsl.torch.seeing import METHODS, Features, Seeing
from archdsl.torch.seeing.attributing import REFUSED
from archdsl.torch.seeing.colors import inferno
from archdsl.torch.seeing.maximizing import _falling, _shift
from archdsl.torch.seeing.pictures import LARGE, SHOWN, SMALL, Section, Tile, heat, page
from archdsl.torch.seeing.places import place
from archdsl.torch.vision import import_torchvision

torchvision = import_torchvision()

SMALL_NET = """
net small(classes=4) {
  input 3x16x16
  conv 6 k3 p1 as stem -> bn as norm -> relu as first
  (conv 8 k3 s2 p1 -> relu -> conv 8 k3 p1) as deep
  first -> conv 8 k1 s2 as side
  (deep | side) -> add as sum -> relu as last
  gap -> flatten -> fc classes as head
}
"""
NORMALIZED = SMALL_NET.replace("3x16x16\n", "3x16x16\n  preprocess mean=[0.4, 0.5, 0.6] std=[0.2, 0.25, 0.3]\n", 1)
MEAN, STD = torch.tensor([0.4, 0.5, 0.6])[:, None, None], torch.tensor([0.2, 0.25, 0.3])[:, None, None]

VIT = """
net tiny_vit {
  input 3x16x16
  conv 12 k4 s4 as patches -> to_tokens as tokens -> class_token as with_class -> positions as placed
  layernorm as before -> attention 3 as mixed -> add placed as joined -> layernorm as after
  token 0 -> fc 5 as head
}
"""


def settled(net: Network, seed: int = 0) -> nn.Module:
    """A module with statistics and biases that are not those of the beginning."""
    torch.manual_seed(seed)
    model = net.compile(weights=False)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if name.endswith("running_var"):
                tensor.uniform_(0.5, 1.5)
            elif name.endswith(("running_mean", "bias")):
                tensor.uniform_(-0.3, 0.3)
            elif tensor.is_floating_point() and not tensor.any():
                tensor.normal_()
    return model


def seen(text: str) -> tuple[Seeing, nn.Module]:
    net = archdsl.parse(text)
    model = settled(net)
    return net.see(model), model.eval()


@pytest.fixture(scope="module")
def resnet() -> tuple[Seeing, nn.Module, Tensor]:
    """resnet18, torchvision's own with the same weights, and an image."""
    net = archdsl.load("resnet18", input="3x64x64")
    model = settled(net)
    reference = torchvision.models.resnet18()
    reference.load_state_dict(model.state_dict())
    return net.see(model), reference.eval(), torch.randn(2, 3, 64, 64)


def hooked(model: nn.Module, image: Tensor, *paths: str) -> dict[str, Tensor]:
    """What the modules at some paths give, by hooks that copy before anything is overwritten."""
    found: dict[str, Tensor] = {}
    handles = [
        model.get_submodule(path).register_forward_hook(lambda m, i, out, path=path: found.update({path: out.clone()}))
        for path in paths
    ]
    with torch.no_grad():
        model(image)
    for handle in handles:
        handle.remove()
    return found


# ---------------------------------------------------------------- feature maps


def test_features_are_what_hooks_on_torchvisions_class_see(resnet: tuple[Seeing, nn.Module, Tensor]) -> None:
    see, reference, image = resnet
    paths = ("conv1", "bn1", "layer1.0.bn1", "layer1.1.bn2", "layer2.0.downsample", "layer3", "layer4.0.conv2", "fc")
    found = see.features(image, *paths)
    for path, expected in hooked(reference, image, *paths).items():
        assert torch.equal(found[path], expected), path
    assert list(found) == list(paths)
    assert len(found) == len(paths)


def test_a_value_that_is_no_module_is_seen_as_it_was_before_it_was_overwritten(
    resnet: tuple[Seeing, nn.Module, Tensor],
) -> None:
    see, reference, image = resnet
    assert "y += x" in see.network.source()
    found = see.features(image, "layer1.0.add1", "layer1.0")
    expected = hooked(reference, image, "maxpool", "layer1.0.bn2", "layer1.0")
    assert torch.equal(found["layer1.0.add1"], expected["layer1.0.bn2"] + expected["maxpool"])
    assert found["layer1.0.add1"].min() < 0
    assert torch.equal(found["layer1.0"], expected["layer1.0"])


def test_every_value_of_a_network_is_seen() -> None:
    see, model = seen(SMALL_NET)
    image = torch.randn(2, 3, 16, 16)
    stem = nn.functional.conv2d(image, model.stem.weight, model.stem.bias, padding=1)
    norm = model.norm(stem)
    first = norm.relu()
    inner = nn.functional.conv2d(first, model.deep.conv1.weight, model.deep.conv1.bias, stride=2, padding=1)
    deep = nn.functional.conv2d(inner.relu(), model.deep.conv2.weight, model.deep.conv2.bias, padding=1)
    side = nn.functional.conv2d(first, model.side.weight, model.side.bias, stride=2)
    expected = {
        "stem": stem,
        "norm": norm,
        "first": first,
        "deep.conv1": inner,
        "deep.relu1": inner.relu(),
        "deep": deep,
        "side": side,
        "sum": deep + side,
        "last": (deep + side).relu(),
        "gap1": (deep + side).relu().mean((2, 3), keepdim=True),
        "flatten1": (deep + side).relu().mean((2, 3)),
        "head": model.head((deep + side).relu().mean((2, 3))),
    }
    found = see.features(image, *expected)
    for path, tensor in expected.items():
        torch.testing.assert_close(found[path], tensor.detach(), rtol=1e-4, atol=1e-5, msg=path)


def test_a_module_that_is_used_twice_has_two_values() -> None:
    see, model = seen("""
block tower { conv 3 k3 p1 as mix -> relu }
net shared {
  input 3x8x8
  share head = tower
  head -> head
  gap -> flatten -> fc 2
}
""")
    image = torch.randn(1, 3, 8, 8)
    once = model.head(image)
    found = see.features(image, "head", "head@2", "head.mix@2")
    assert torch.equal(found["head"], once.detach())
    assert torch.equal(found["head@2"], model.head(once).detach())
    assert torch.equal(found["head.mix@2"], model.head.mix(once).detach())
    with pytest.raises(NotFoundError, match="2 values at head, and no head@3"):
        see.features(image, "head@3")


def test_channels_last_inside_is_channels_first_here() -> None:
    net = archdsl.load("swin_t", input="3x64x64")
    model = net.compile()
    reference = torchvision.models.swin_t()
    reference.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 64, 64)
    found = net.see(model).features(image, "features.1.0.norm1", "features.2")
    expected = hooked(reference.eval(), image, "features.1.0.norm1", "features.2")
    for path, tensor in expected.items():
        torch.testing.assert_close(found[path], tensor.permute(0, 3, 1, 2), rtol=1e-4, atol=1e-5)
    assert net.see(model).gradcam(image, "features.7").coarse.shape == (1, 2, 2)


def test_a_path_that_is_not_there() -> None:
    see, _ = seen(SMALL_NET)
    image = torch.randn(3, 16, 16)
    with pytest.raises(NotFoundError, match=r"small has nothing at deeep; did you mean deep?"):
        see.features(image, "stem", "deeep")
    with pytest.raises(NotFoundError, match="nothing at "):
        see.features(image, "input")
    with pytest.raises(NotFoundError, match="one value at stem, and no stem@2"):
        see.features(image, "stem@2")
    with pytest.raises(ArchError, match="name a layer"):
        see.features(image)
    with pytest.raises(NotFoundError, match="last was not asked for; stem were"):
        see.features(image, "stem")["last"]


def test_what_only_training_gives_can_be_seen() -> None:
    see, model = seen("""
net aside {
  input 3x8x8
  conv 4 k3 p1 as body
  body -> gap -> flatten -> fc 2 as label
  body -> conv 5 k1 as extra
  output label
  output extra when training
}
""")
    image = torch.randn(2, 3, 8, 8)
    assert torch.equal(see.features(image, "extra")["extra"], model.extra(model.body(image)).detach())
    assert see.gradcam(image, "body").values.shape == (2, 8, 8)


# ---------------------------------------------------------------- the module stays as it is


def test_the_module_stays_as_it_is(tmp_path: Path) -> None:
    net = archdsl.parse(SMALL_NET)
    model = settled(net).train()
    model.stem.weight.requires_grad_(False)
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    called: list[object] = []
    model.deep.register_forward_hook(lambda *given: called.append(given))
    state = copy.deepcopy(model.state_dict())
    gradients = {name: None if p.grad is None else p.grad.clone() for name, p in model.named_parameters()}
    trains = [p.requires_grad for p in model.parameters()]
    random = torch.get_rng_state()
    image = torch.randn(2, 3, 16, 16)
    torch.set_rng_state(random)
    before = image.clone()

    see = net.see(model)
    for result in (
        see.features(image, "stem", "sum"),
        see.gradcam(image, "deep"),
        see.filters(),
        see.maximized("deep", 1, steps=2),
        *(see.attribution(image, method) for method in METHODS),
    ):
        result.save(tmp_path / "out.png")

    assert all(module.training for module in model.modules())
    assert [p.requires_grad for p in model.parameters()] == trains
    assert not called
    assert torch.equal(torch.get_rng_state(), random)
    assert torch.equal(image, before)
    assert not image.requires_grad
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    for name, parameter in model.named_parameters():
        old = gradients[name]
        assert (parameter.grad is None) if old is None else torch.equal(parameter.grad, old), name


def test_frozen_parameters_and_no_grad_are_no_hindrance() -> None:
    see, model = seen(SMALL_NET)
    image = torch.randn(1, 3, 16, 16)
    expected = see.gradcam(image, "deep")
    model.requires_grad_(False)
    with torch.no_grad():
        found = see.gradcam(image, "deep")
        see.maximized("deep", 0, steps=1)
        see.attribution(image, "saliency")
    assert torch.equal(found.values, expected.values)


def test_features_are_copies() -> None:
    see, model = seen("net q {\n  input 3x8x8\n  to_tokens -> queries 5 as asked -> token 0 -> fc 2\n}")
    before = copy.deepcopy(model.state_dict())
    found = see.features(torch.randn(1, 3, 8, 8), "asked")["asked"]
    assert torch.equal(found[0], before["asked"].view(5, 3))
    found.zero_()
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


# ---------------------------------------------------------------- Grad-CAM


@pytest.mark.parametrize("path", ["layer4", "layer3", "layer2.0.bn2"])
def test_grad_cam_is_captums(resnet: tuple[Seeing, nn.Module, Tensor], path: str) -> None:
    see, reference, image = resnet
    found = see.gradcam(image, path, target=7)
    for module in reference.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    layer = reference.get_submodule(path)
    if path.endswith("bn2"):  # torchvision adds to it in place, past all hooks
        from unittest.mock import patch

        with patch.object(type(reference.layer2[0]), "forward", _out_of_place):
            expected = captum.attr.LayerGradCam(reference, layer).attribute(image, target=7, relu_attributions=True)
    else:
        expected = captum.attr.LayerGradCam(reference, layer).attribute(image, target=7, relu_attributions=True)
    torch.testing.assert_close(found.coarse, expected[:, 0].detach(), rtol=1e-3, atol=1e-6)
    assert found.targets == (7, 7)
    assert found.coarse.max() > 0


def _out_of_place(self: nn.Module, x: Tensor) -> Tensor:
    way = self.bn2(self.conv2(self.bn1(self.conv1(x)).relu()))
    return (way + (x if self.downsample is None else self.downsample(x))).relu()


def test_grad_cam_is_the_papers(resnet: tuple[Seeing, nn.Module, Tensor]) -> None:
    """By finite differences: the class score is derived without autograd."""
    see, reference, image = resnet
    head = copy.deepcopy(reference).double()
    maps = hooked(head, image.double(), "layer4")["layer4"]

    def score(activation: Tensor) -> Tensor:
        scores: Tensor = head.fc(activation.mean((2, 3)))
        return scores

    best = score(maps).argmax(1)
    step = 1e-4
    expected = torch.zeros(2, *maps.shape[2:], dtype=torch.float64)
    with torch.no_grad():
        for channel in range(maps.shape[1]):
            nudged = maps.clone()
            nudged[:, channel] += step  # all places at once: the mean of the slopes, times their number
            slope = (score(nudged) - score(maps)).gather(1, best[:, None])[:, 0] / step
            weight = slope / maps[0, 0].numel()
            expected += weight[:, None, None] * maps[:, channel]
    found = see.gradcam(image, "layer4")
    assert found.targets == tuple(best.tolist())
    torch.testing.assert_close(found.coarse.double(), expected.relu(), rtol=1e-3, atol=1e-5)
    whole = nn.functional.interpolate(found.coarse[:, None], size=(64, 64), mode="bilinear")[:, 0]
    torch.testing.assert_close(found.values, whole)
    assert found.scores == pytest.approx(reference(image).max(1).values.tolist(), rel=1e-5)


def test_grad_cam_of_maps_takes_the_sum_over_all_places() -> None:
    see, model = seen(
        "net seg {\n  input 3x12x12\n  conv 6 k3 s2 p1 as body -> relu -> upsample 2 -> conv 3 k3 p1 as out\n}"
    )
    image = torch.randn(1, 3, 12, 12)
    found = see.gradcam(image, "body", target=2)
    activation = model.body(image).detach().requires_grad_()
    up = nn.functional.interpolate(activation.relu(), scale_factor=2)
    result = model.out(up)
    result[:, 2].sum().backward()
    assert activation.grad is not None
    weights = activation.grad.mean((2, 3), keepdim=True)
    torch.testing.assert_close(found.coarse, (weights * activation).sum(1).relu().detach(), rtol=1e-4, atol=1e-5)
    assert found.scores == pytest.approx([float(result.detach()[:, 2].sum())], rel=1e-4)
    assert see.gradcam(image, "body").targets == (int(result.detach().sum((2, 3)).argmax()),)


def test_tokens_lie_as_the_map_that_they_were_made_from() -> None:
    see, model = seen(VIT)
    image = torch.randn(2, 3, 16, 16)
    found = see.gradcam(image, "before", target=3)
    kept: list[Tensor] = []

    def keep(module: nn.Module, given: object, out: Tensor) -> None:
        out.retain_grad()
        kept.append(out)

    handle = model.before.register_forward_hook(keep)
    model(image)[:, 3].sum().backward()
    handle.remove()
    (tokens,) = kept
    assert tokens.grad is not None
    slopes, values = tokens.grad[:, 1:], tokens[:, 1:]
    expected = (slopes.mean(1, keepdim=True) * values).sum(2).relu().view(2, 4, 4)
    torch.testing.assert_close(found.coarse, expected.detach(), rtol=1e-4, atol=1e-6)


def test_the_places_of_the_networks_that_ship() -> None:
    """The page about seeing names these."""

    def places(network: str, path: str) -> tuple[int, ...] | None:
        return place(archdsl.load(network).graph, path).grid

    assert places("vit_b_16", "encoder.layers.encoder_layer_11.ln_1") == (14, 14)
    assert places("swin_t", "features.7") == (7, 7)
    assert places("detr_resnet50", "transformer.decoder.norm") is None
    assert places("r3d_18", "layer3") == (4, 14, 14)
    assert places("vit_b_16", "heads.head") is None


def test_a_class_token_alone_has_no_place() -> None:
    see, _ = seen(VIT)
    image = torch.randn(1, 3, 16, 16)
    with pytest.raises(ArchError, match=r"class token of after alone.*before the last attention"):
        see.gradcam(image, "after")


def test_where_there_are_no_places_the_last_map_is_named() -> None:
    see, _ = seen(SMALL_NET)
    image = torch.randn(1, 3, 16, 16)
    with pytest.raises(ArchError, match=r"head gives 4: it has no positions.* is last$"):
        see.gradcam(image, "head")
    with pytest.raises(ArchError, match=r"gap1 gives 8x1x1: that is one position only.* is last$"):
        see.gradcam(image, "gap1")
    see, _ = seen("net q {\n  input 3x8x8\n  to_tokens -> queries 5 as asked -> token 0 -> fc 2\n}")
    with pytest.raises(ArchError, match="its tokens have no place"):
        see.gradcam(torch.randn(1, 3, 8, 8), "asked")


def test_a_class_that_is_not_there(resnet: tuple[Seeing, nn.Module, Tensor]) -> None:
    see, _, image = resnet
    for target in (1000, -1, True):
        with pytest.raises(ArchError, match=f"no class {target}; the network has 1000 classes, 0 to 999"):
            see.gradcam(image, "layer4", target)
    see, _ = seen("net one {\n  input 3x8x8\n  conv 4 k3 as body -> gap -> flatten -> fc 1\n}")
    with pytest.raises(ArchError, match="one class, 0"):
        see.gradcam(torch.randn(1, 3, 8, 8), "body", 1)


def test_what_a_class_does_not_depend_on() -> None:
    see, _ = seen("""
net two {
  input 3x8x8
  conv 4 k3 as body -> gap -> flatten -> fc 2 as label
  body -> conv 5 k1 as mask
  output label, mask
}
""")
    image = torch.randn(1, 3, 8, 8)
    with pytest.raises(ArchError, match="does not depend on mask"):
        see.gradcam(image, "mask")
    assert see.gradcam(image, "body").targets[0] in (0, 1)


def test_a_class_map_over_time_has_its_numbers_and_no_picture() -> None:
    see, _ = seen("net sound {\n  input 1x64\n  conv 4 k5 s2 as body -> relu -> gap -> flatten -> fc 3\n}")
    found = see.gradcam(torch.randn(1, 64), "body")
    assert (found.values.shape, found.coarse.shape) == ((1, 64), (1, 30))
    with pytest.raises(ArchError, match="only what is seen in images"):
        found.picture()


# ---------------------------------------------------------------- activation maximization


def test_the_answer_of_the_unit_grows(resnet: tuple[Seeing, nn.Module, Tensor]) -> None:
    see, reference, _ = resnet
    found = see.maximized("layer2", 5, steps=12)
    assert len(found.history) == 13
    assert found.history[-1] > 1.1 * found.history[0] > 0
    again = hooked(reference, found.values, "layer2")["layer2"][0, 5].mean()
    assert found.history[-1] == pytest.approx(float(again), rel=1e-4)
    assert 0 <= found.image.min() < found.image.max() <= 1
    assert torch.equal(found.values[0], found.image)


def test_images_are_normalized_as_the_spec_says() -> None:
    """The one that is searched for, and that which is shown of what was looked at."""
    see, _ = seen(NORMALIZED)
    found = see.maximized("deep", 1, steps=2)
    torch.testing.assert_close(found.values[0], (found.image - MEAN) / STD)
    picture = Image.new("RGB", (16, 16), (255, 0, 51))
    looked = see.gradcam(picture, "deep")
    pure = torch.tensor([1.0, 0.0, 0.2])[:, None, None].expand(3, 16, 16)
    torch.testing.assert_close(looked.images[0], (pure - MEAN) / STD)
    assert (255, 0, 51) in {color for _, color in looked.picture().getcolors(1 << 24)}


def test_a_seed_gives_the_same_image_again() -> None:
    see, _ = seen(SMALL_NET)
    first = see.maximized("deep", 3, steps=3, seed=4)
    torch.manual_seed(99)
    assert torch.equal(see.maximized("deep", 3, steps=3, seed=4).image, first.image)
    assert not torch.equal(see.maximized("deep", 3, steps=3, seed=5).image, first.image)


def test_the_image_is_shifted_in_each_step(monkeypatch: pytest.MonkeyPatch) -> None:
    see, _ = seen(SMALL_NET)
    shifted = see.maximized("deep", 3, steps=4).history
    assert {_shift(64, torch.Generator().manual_seed(seed)) for seed in range(200)} == set(range(-4, 5))
    monkeypatch.setattr("archdsl.torch.seeing.maximizing._shift", lambda extent, generator: 0)
    assert see.maximized("deep", 3, steps=4).history != shifted


@pytest.mark.parametrize(
    ("text", "path", "unit"),
    [
        (SMALL_NET, "head", 3),
        (VIT, "mixed", 11),
        ("net gray {\n  input 1x9x7\n  conv 4 k3 as body\n}", "body", 2),
        ("net sound {\n  input 2x33\n  conv 4 k3 as body\n}", "body", 2),
        ("net film {\n  input 3x3x8x9\n  conv 4 k3 as body\n}", "body", 0),
    ],
)
def test_units_of_all_kinds(text: str, path: str, unit: int) -> None:
    see, _ = seen(text)
    found = see.maximized(path, unit, steps=16)
    assert found.history[-1] > found.history[0]


def test_a_unit_that_is_not_there() -> None:
    see, _ = seen(SMALL_NET)
    with pytest.raises(ArchError, match="deep has no unit 8; it has 8, 0 to 7"):
        see.maximized("deep", 8)
    with pytest.raises(ArchError, match="no unit -1"):
        see.maximized("deep", -1)
    with pytest.raises(NotFoundError, match="did you mean deep"):
        see.maximized("depp", 1)
    with pytest.raises(ArchError, match="steps=0"):
        see.maximized("deep", 1, steps=0)


# ---------------------------------------------------------------- attribution


def direct(method: str, model: nn.Module, image: Tensor) -> Tensor:
    """What captum says of torchvision's class."""
    attr = captum.attr
    match method:
        case "saliency":
            return attr.Saliency(model).attribute(image, target=3)
        case "smoothgrad":
            torch.manual_seed(0)
            spread = 0.15 * float(image.detach().max() - image.detach().min())
            return attr.NoiseTunnel(attr.Saliency(model)).attribute(
                image, target=3, nt_type="smoothgrad", nt_samples=50, nt_samples_batch_size=10, stdevs=spread
            )
        case "input_x_gradient":
            return attr.InputXGradient(model).attribute(image, target=3)
        case "integrated_gradients":
            return attr.IntegratedGradients(model).attribute(image, target=3, n_steps=50, internal_batch_size=10)
        case _:
            return attr.Occlusion(model).attribute(
                image, target=3, sliding_window_shapes=(3, 5, 5), strides=(3, 2, 2), perturbations_per_eval=10
            )


@pytest.mark.parametrize("method", METHODS)
def test_attribution_is_captums(method: str) -> None:
    net = archdsl.load("resnet18", input="3x32x32")
    model = settled(net)
    reference = torchvision.models.resnet18()
    reference.load_state_dict(model.state_dict())
    image = torch.randn(1, 3, 32, 32)
    found = net.see(model).attribution(image, method, target=3)
    expected = direct(method, reference.eval(), image.clone().requires_grad_())
    torch.testing.assert_close(found.values, expected.detach(), rtol=1e-3, atol=1e-6)
    assert found.values.abs().max() > 0
    assert found.targets == (3,)


def test_integrated_gradients_sum_up_to_the_score() -> None:
    see, model = seen(SMALL_NET)
    image = torch.randn(2, 3, 16, 16)
    found = see.attribution(image)
    scores, nothing = model(image), model(torch.zeros_like(image))
    best = scores.argmax(1)
    assert found.targets == tuple(best.tolist())
    expected = (scores - nothing).gather(1, best[:, None])[:, 0].detach()
    torch.testing.assert_close(found.values.sum((1, 2, 3)), expected, rtol=0.02, atol=0.02)
    assert found.scores == pytest.approx(scores.max(1).values.tolist(), rel=1e-5)


def test_attribution_of_a_map_is_of_its_sum() -> None:
    see, model = seen("net seg {\n  input 3x6x6\n  conv 2 k3 p1 as out\n}")
    found = see.attribution(torch.randn(1, 3, 6, 6), "saliency", target=1)
    ones = torch.ones(1, 1, 6, 6)
    expected = nn.functional.conv_transpose2d(ones, model.out.weight[1:], padding=1).abs()
    torch.testing.assert_close(found.values, expected.detach())


def test_methods_that_would_be_wrong_are_refused_with_the_reason() -> None:
    see, _ = seen(SMALL_NET)
    image = torch.randn(1, 3, 16, 16)
    for method in REFUSED:
        with pytest.raises(ArchError, match=f"{method} is not offered: "):
            see.attribution(image, method)
    with pytest.raises(ArchError, match=r"no method salience; did you mean saliency?"):
        see.attribution(image, "salience")
    with pytest.raises(ArchError, match="choose from saliency, smoothgrad"):
        see.attribution(image, "x")
    assert not set(METHODS) & set(REFUSED)


def test_without_captum_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    see, _ = seen(SMALL_NET)
    for name in [name for name in sys.modules if name.partition(".")[0] == "captum"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ArchError, match=r"needs the package captum.*: pip install 'archdsl\[see\]'"):
        see.attribution(torch.randn(1, 3, 16, 16))


# ---------------------------------------------------------------- filters


def test_filters_are_the_weights() -> None:
    see, model = seen(SMALL_NET)
    assert see.filters().path == "stem"
    assert torch.equal(see.filters().values, model.stem.weight.detach())
    assert torch.equal(see.filters("deep.conv2").values, model.deep.conv2.weight.detach())
    see.filters().values.zero_()
    assert model.stem.weight.any()
    with pytest.raises(ArchError, match=r"deep is no convolution; the first one in it is deep\.conv1"):
        see.filters("deep")
    with pytest.raises(ArchError, match="head is no convolution"):
        see.filters("head")
    with pytest.raises(NotFoundError, match="did you mean stem"):
        see.filters("stemm")
    with pytest.raises(ArchError, match="flat has no convolution"):
        seen("net flat {\n  input 8\n  fc 2\n}")[0].filters()


def test_transposed_filters_have_their_outputs_first() -> None:
    see, model = seen("net up {\n  input 3x4x4\n  upconv 5 k2 s2 as grow\n}")
    assert torch.equal(see.filters().values, model.grow.weight.detach().transpose(0, 1))


def test_a_filter_of_three_channels_is_a_picture_in_colours() -> None:
    see, model = seen("net one {\n  input 3x4x4\n  conv 1 k1 as body\n}")
    with torch.no_grad():
        model.body.weight.copy_(torch.tensor([0.5, -0.5, 0.0]).view(1, 3, 1, 1))
    picture = see.filters().picture()
    assert (255, 0, 128) in {color for _, color in picture.getcolors(1 << 24)}
    model.body.weight.data.zero_()
    assert (128, 128, 128) in {color for _, color in see.filters().picture().getcolors(1 << 24)}


# ---------------------------------------------------------------- what it looks at


def test_an_image_may_be_a_tensor_a_picture_or_a_file(tmp_path: Path) -> None:
    see, model = seen(NORMALIZED)
    pixels = torch.randint(0, 256, (16, 16, 3), dtype=torch.uint8)
    picture = Image.fromarray(pixels.numpy())
    picture.save(tmp_path / "a.png")
    tensor = (pixels.movedim(-1, 0) / 255 - MEAN) / STD
    expected = model(tensor[None]).detach()
    for image in (tensor, tensor[None], picture, tmp_path / "a.png", str(tmp_path / "a.png")):
        torch.testing.assert_close(see.features(image, "head")["head"], expected, rtol=1e-4, atol=1e-5)


def test_an_image_of_another_size_is_cut_to_the_middle() -> None:
    see, _ = seen(SMALL_NET)
    wide = Image.new("RGB", (64, 32), "red")
    wide.paste("blue", (16, 0, 48, 32))
    looked = see.gradcam(wide, "deep").images
    assert looked.shape == (1, 3, 16, 16)
    inside = looked[0][:, :, 1:-1]
    blue = torch.tensor([0.0, 0.0, 1.0])[:, None, None]
    torch.testing.assert_close(inside, blue.expand_as(inside), atol=1e-6, rtol=0)


def test_an_open_size_is_taken_from_the_image() -> None:
    see, _ = seen("net any {\n  input 3xHxW\n  conv 4 k3 p1 as body -> gap -> flatten -> fc 2\n}")
    assert see.features(Image.new("RGB", (100, 70)), "body")["body"].shape == (1, 4, 64, 96)
    assert see.features(Image.new("RGB", (2048, 1000)), "body")["body"].shape == (1, 4, 256, 512)
    assert see.features(torch.zeros(3, 9, 11), "body")["body"].shape == (1, 4, 9, 11)
    with pytest.raises(ArchError, match="leaves sizes open, 3xHxW"):
        see.maximized("body", 1)


def test_another_size_than_the_specs_is_checked() -> None:
    see, model = seen(SMALL_NET)
    image = torch.randn(1, 3, 24, 20)
    assert torch.equal(see.features(image, "head")["head"], model(image).detach())
    with pytest.raises(SpecError, match="error"):
        see.features(torch.randn(1, 3, 0, 4), "head")
    see, _ = seen("net deep {\n  input 3x16x16\n  conv 4 k9 -> conv 4 k7 as body\n}")
    with pytest.raises(SpecError, match="window-too-large"):
        see.features(torch.randn(1, 3, 8, 8), "body")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        (torch.zeros(1, 16, 16), "the tensor is 1x16x16; the network takes 3x16x16"),
        (torch.zeros(16, 16), "the tensor is 16x16"),
        (torch.zeros(0, 3, 16, 16), "the tensor is 0x3x16x16"),
        (torch.zeros(3, 16, 16, dtype=torch.uint8), "whole numbers"),
        ([1, 2], "not list"),
        (None, "not NoneType"),
    ],
)
def test_what_is_no_image(image: object, said: str) -> None:
    see, _ = seen(SMALL_NET)
    with pytest.raises(ArchError, match=said):
        see.features(image, "stem")  # type: ignore[arg-type]


def test_a_module_of_another_network_is_refused() -> None:
    net = archdsl.parse(SMALL_NET)
    other = archdsl.parse(SMALL_NET, classes=9).compile()
    with pytest.raises(WeightsError, match=r"head.weight is 9x8, and 4x8 here"):
        net.see(other).features(torch.zeros(3, 16, 16), "stem")
    with pytest.raises(WeightsError, match=r"(?s)stem.weight is not in it.* and 13 more"):
        net.see(nn.Linear(2, 2)).features(torch.zeros(3, 16, 16), "stem")
    with pytest.raises(NotFoundError, match=r"no stem.weight"):
        net.see(nn.Linear(2, 2)).filters()


def test_a_network_of_two_inputs_is_refused() -> None:
    see, _ = seen("net two {\n  input a : 1x8x8\n  input b : 1x8x8\n  (a | b) -> cat -> conv 2 k3 as body\n}")
    with pytest.raises(ArchError, match="two takes a, b; only networks with one input"):
        see.features(torch.zeros(1, 8, 8), "body")


@pytest.mark.filterwarnings("ignore:`torch.jit.script_method`:DeprecationWarning")
def test_modules_in_other_dress() -> None:
    net = archdsl.parse(SMALL_NET)
    model = settled(net).eval()
    image = torch.randn(1, 3, 16, 16)
    expected = net.see(model).features(image, "last")["last"]
    assert torch.equal(net.see(torch.compile(model)).features(image, "last")["last"], expected)  # type: ignore[arg-type]
    half = net.see(copy.deepcopy(model).bfloat16())
    assert half.features(image, "last")["last"].dtype == torch.bfloat16
    for result in (
        half.gradcam(image, "deep"),
        half.maximized("deep", 1, steps=2),
        half.attribution(image),
        half.filters(),
    ):
        assert result.picture().width > 100
    copied = net.see()
    assert copied.model is not model
    assert repr(copied) == "<Seeing small>"


def test_a_text_is_seen_by_its_numbers() -> None:
    see, model = seen("net words {\n  input ids 6 of 20\n  embedding 8 as words -> token 0 -> fc 3 as head\n}")
    ids = torch.arange(6)[None]
    found = see.features(ids, "words", "head")
    assert torch.equal(found["head"], model(ids).detach())
    assert found.picture().width > 100
    with pytest.raises(ArchError, match="no place"):
        see.gradcam(ids, "words")
    with pytest.raises(ArchError, match="which is no image"):
        see.features(Image.new("L", (4, 4)), "words")
    with pytest.raises(ArchError, match="only images can be searched for"):
        see.maximized("words", 1)


# ---------------------------------------------------------------- pictures


def test_the_colours_are_those_of_matplotlib() -> None:
    table = torch.tensor(colormaps["inferno"].colors).T  # type: ignore[attr-defined]
    found = inferno(torch.linspace(0, 1, 256)[None])[:, 0]
    assert (found - table).abs().max() < 0.012
    assert torch.equal(inferno(torch.tensor([[-1.0, float("nan")]])), inferno(torch.zeros(1, 2)))


def test_a_heat_map_goes_from_its_least_to_its_largest() -> None:
    image = heat(torch.tensor([[5.0, 5.5], [6.0, 7.0]]), 20)
    dark, bright = inferno(torch.tensor([[0.0, 1.0]])).mul(255).round()[:, 0].T.int().tolist()
    assert image.size == (20, 20)
    assert list(image.getpixel((2, 2))) == dark
    assert list(image.getpixel((17, 17))) == bright
    assert {color for _, color in heat(torch.ones(3, 3), 9).getcolors()} == {tuple(dark)}  # type: ignore[union-attr]


def test_a_picture_says_how_many_maps_it_leaves_out(monkeypatch: pytest.MonkeyPatch) -> None:
    see, _ = seen("net wide {\n  input 3x8x8\n  conv 100 k1 as body\n}")
    found = see.features(torch.randn(3, 8, 8), "body")
    pages: list[tuple[Section, ...]] = []
    monkeypatch.setattr(
        "archdsl.torch.seeing.feature_maps.page", lambda a, b, sections, scale: pages.append(tuple(sections))
    )
    found.picture()
    ((section,),) = pages
    assert section.heading == f"body  100x8x8, the first {SHOWN} of 100"
    assert len(section.tiles) == SHOWN
    assert all(max(tile.image.size) == SMALL for tile in section.tiles)


def test_what_stands_under_a_map_is_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also of the longest ranges: the letters are smaller then, and the cells wider."""
    written: list[str] = []
    draw = ImageDraw.ImageDraw.text
    monkeypatch.setattr(ImageDraw.ImageDraw, "text", lambda *a, **k: (written.append(a[2]), draw(*a, **k))[1])
    captions = ["7: 0 to 1", "13: -0.65 to -0.089", "63:  -1.2e-05 to -3.4e-06"]
    for caption in captions:
        page("", "", [Section("", [Tile(Image.new("RGB", (SMALL, 20)), caption)] * 3)])
        assert caption in written
    narrow = page("", "", [Section("", [Tile(Image.new("RGB", (SMALL, 20)), captions[0])] * 8)])
    middle = page("", "", [Section("", [Tile(Image.new("RGB", (SMALL, 20)), captions[1])] * 8)])
    assert narrow.width == middle.width


def test_pictures_are_png_and_replace_whole_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    see, _ = seen(SMALL_NET)
    found = see.gradcam(torch.randn(2, 3, 16, 16), "deep")
    assert found.save(tmp_path / "a.png") == tmp_path / "a.png"
    with Image.open(tmp_path / "a.png") as image:
        assert image.format == "PNG"
        assert image.width > 2 * LARGE
    assert found._repr_png_() == (tmp_path / "a.png").read_bytes()
    assert found.picture(1).tobytes() != found.picture(0).tobytes()
    before = (tmp_path / "a.png").read_bytes()
    monkeypatch.setattr("os.replace", lambda a, b: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        see.filters().save(tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before


def test_where_the_map_is_large_the_picture_is_coloured() -> None:
    """A network that finds its class in bright places only."""
    see, model = seen("net spot {\n  input 1x16x16\n  conv 1 k1 as body -> relu -> gap -> flatten -> fc 1\n}")
    with torch.no_grad():
        model.body.weight.fill_(1)
        model.body.bias.zero_()
        for name, parameter in model.named_parameters():
            if name.startswith("fc"):
                parameter.fill_(1)
    image = torch.zeros(1, 1, 16, 16)
    image[..., 4:8, 8:12] = 1
    found = see.gradcam(image, "body")
    assert found.values[0].argmax() in [16 * y + x for y in range(4, 8) for x in range(8, 12)]
    assert float(found.values[0][:3].max()) == float(found.values[0][9:].max()) == 0
    nothing = see.gradcam(torch.zeros(1, 1, 16, 16), "body")
    assert not nothing.values.any()
    assert nothing.picture().size == found.picture().size


def test_long_and_hostile_names_fit() -> None:
    image = page("x" * 5000, "\x00\x1b[31m\n" * 50, [Section("y\n" * 900, [Tile(Image.new("RGB", (9, 9)), "z" * 400)])])
    assert image.width < 700
    assert image.height < 300


def test_results_show_what_they_are() -> None:
    see, _ = seen(SMALL_NET)
    image = torch.randn(1, 3, 16, 16)
    assert repr(see.features(image, "stem")) == "<Features of small: stem 1x6x16x16>"
    assert repr(see.filters()) == "<Filters of small, stem: 6x3x3x3>"
    assert repr(see.gradcam(image, "deep", 2)) == "<ClassMap of small, deep: class 2>"
    assert repr(see.attribution(image, "saliency", 1)) == "<Attribution of small by saliency: class 1>"
    assert repr(see.maximized("deep", 1, steps=1)).startswith("<Maximized small, deep:1 from ")
    assert isinstance(see.features(image, "stem"), Features)


# ---------------------------------------------------------------- beside the usual


def test_networks_inside_networks_are_seen_by_their_paths() -> None:
    net = archdsl.parse(
        "net outer {\n  input 3x32x32\n  pretrained resnet18(until=layer1, freeze=[conv1], bn=frozen) as body\n"
        "  gap -> flatten -> fc 3\n}"
    )
    model = settled(net).eval()
    see = net.see(model)
    image = torch.randn(1, 3, 32, 32)
    assert see.filters().path == "body.conv1"
    found = see.features(image, "body.layer1.1.conv1", "body.layer1.1.add1", "body")
    expected = hooked(model, image, "body.layer1.1.conv1", "body.layer1.1.bn2", "body.layer1.0", "body")
    assert torch.equal(found["body.layer1.1.conv1"], expected["body.layer1.1.conv1"])
    assert torch.equal(found["body.layer1.1.add1"], expected["body.layer1.1.bn2"] + expected["body.layer1.0"])
    assert torch.equal(found["body"], expected["body"])
    assert see.gradcam(image, "body.layer1").coarse.shape == (1, 8, 8)


def test_an_image_of_the_batch_that_is_not_there() -> None:
    see, _ = seen(SMALL_NET)
    batch = torch.randn(2, 3, 16, 16)
    for found in (see.gradcam(batch, "deep"), see.features(batch, "deep", "head"), see.attribution(batch, "saliency")):
        assert found.picture(1).tobytes() != found.picture(0).tobytes()
        with pytest.raises(NotFoundError, match="no image 2; the batch has 2, from 0"):
            found.picture(2)


def test_a_unit_that_answers_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    see, model = seen("net dead {\n  input 3x8x8\n  conv 2 k1 as body -> relu as last\n}")
    model.body.bias.data.fill_(-1000)
    found = see.maximized("last", 0, steps=3)
    assert found.history == (0,) * 4
    told: list[str] = []
    monkeypatch.setattr("archdsl.torch.seeing.maximizing.page", lambda title, below, *rest: told.append(below))
    found.picture()
    assert told == ["the unit answers 0 to everything near: it has no slope to climb"]


def test_shifts_and_frequencies_belong_to_the_shape() -> None:
    """Every frequency weighs its inverse, so that twice as fast a wave begins half as high."""
    weight, size = _falling((16, 12))
    assert size == (16, 7)
    assert weight[2, 0] == pytest.approx(float(weight[1, 0]) / 2)
    assert weight[3, 4] == pytest.approx(float(weight[1, 0]) / (16 * ((3 / 16) ** 2 + (4 / 12) ** 2) ** 0.5))
    assert weight[0, 0] == weight[1, 0]
    assert torch.equal(weight[1:8], weight[9:].flip(0))
