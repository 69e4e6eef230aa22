"""Weights of timm: that what they give is what timm's own networks give, and what is said where they cannot be had."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path

import huggingface_hub.constants
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import nn

import archdsl
from archdsl import WeightsError
from archdsl.network import Network
from archdsl.torch.from_timm import _by_content, _by_name, _by_shape
from archdsl.torch.vision import import_torchvision

import_torchvision()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of timm's own making, where it is older than torch
    import timm
    from timm.data import create_transform, resolve_data_config


def spec(network: str, name: str, until: str = "", rest: str = "", size: int = 224) -> Network:
    arguments = f'weights="timm:{name}"' + (f', until="{until}"' if until else "")
    lines = f"input 3x{size}x{size}\n  pretrained {network}({arguments}) as body\n  {rest}"
    return archdsl.parse(f"net outer {{\n  {lines}\n}}\n")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache of the Hugging Face hub, and no network."""
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "hub"


def published(cache: Path, name: str, **arguments: object) -> nn.Module:
    """timm's own network with random weights, of which none is like another, as if it had been downloaded."""
    model: nn.Module = timm.create_model(name, **arguments)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for key, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            if key.endswith("running_var") or (tensor.numel() == max(tensor.shape) and key.endswith("weight")):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 0.5 + 0.75)
            else:
                scale = 1.4 / max(1, tensor[0].numel()) ** 0.5 if tensor.dim() > 1 else 0.1
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * scale)
    config = timm.get_pretrained_cfg(name)
    folder = cache / f"models--{config.hf_hub_id.rstrip('/').replace('/', '--')}"
    (folder / "refs").mkdir(parents=True)
    (folder / "refs" / "main").write_text("0" * 40)
    (folder / "snapshots" / ("0" * 40)).mkdir(parents=True)
    save_file(model.state_dict(), folder / "snapshots" / ("0" * 40) / "model.safetensors")
    return model.eval()


# ---------------------------------------------------------------- they give what timm's networks give

SAME = [
    ("resnet18", "resnet18.a1_in1k"),
    ("densenet121", "densenet121.ra_in1k"),
    ("se_resnet50", "seresnet50.ra2_in1k"),
    ("efficientnet_b0", "efficientnet_b0.ra_in1k"),
    ("efficientnet_lite0", "efficientnet_lite0.ra_in1k"),
    ("mobilenet_v2", "mobilenetv2_100.ra_in1k"),
    ("mnasnet1_0", "mnasnet_100.rmsp_in1k"),
    ("convnext_tiny", "convnext_tiny.fb_in1k"),
    ("swin_t", "swin_tiny_patch4_window7_224.ms_in1k"),
    ("vit_b_32", "vit_base_patch32_224.augreg_in1k"),
    ("inception_v3", "inception_v3.tv_in1k"),
    ("vgg11", "vgg11.tv_in1k"),
]


@pytest.mark.parametrize(("network", "name"), SAME)
def test_the_network_with_timms_weights_gives_what_timms_network_gives(cache: Path, network: str, name: str) -> None:
    reference = published(cache, name)
    size = 64 if network in ("resnet18", "densenet121", "se_resnet50") else 224
    net = spec(network, name, size=size)
    assert net.ok, net.diagnostics
    model = net.compile().eval()
    image = torch.randn(2, 3, size, size, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(model.double()(image), reference.double()(image), rtol=1e-9, atol=1e-9)


def test_it_may_be_cut_and_have_a_head_of_its_own(cache: Path) -> None:
    reference = published(cache, "resnet18.a1_in1k")
    model = spec("resnet18", "resnet18.a1_in1k", "layer4", "gap -> flatten -> fc 5", size=64).compile().eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(model.body(image), reference.forward_features(image))


def test_weights_for_features_alone_have_no_head(cache: Path) -> None:
    name = "convnext_tiny.dinov3_lvd1689m"
    assert not timm.get_pretrained_cfg(name).num_classes
    reference = published(cache, name, num_classes=0)
    model = spec("convnext_tiny", name, "features", "gap -> flatten -> fc 5", size=64).compile().eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        torch.testing.assert_close(model.body(image), reference.forward_features(image))
    with pytest.raises(WeightsError, match=r"classifier\.2\.weight: 1000x768 here, nothing in the file"):
        spec("convnext_tiny", name, size=64).compile()


def test_what_is_random_elsewhere_stays_as_it_was(cache: Path) -> None:
    published(cache, "resnet18.a1_in1k")
    net = spec("resnet18", "resnet18.a1_in1k", "layer1", "gap -> flatten -> fc 5", size=64)
    net.compile()  # builds what is kept for the next time
    torch.manual_seed(3)
    net.compile(weights=False)
    expected = torch.rand(3)
    torch.manual_seed(3)
    net.compile()
    assert torch.equal(torch.rand(3), expected)


# ---------------------------------------------------------------- what is not the same is refused


@pytest.mark.parametrize(
    ("network", "name"),
    [("efficientnet_b0", "tf_efficientnet_b0.in1k"), ("mobilenet_v3_large", "mobilenetv3_large_100.ra_in1k")],
)
def test_a_network_that_computes_otherwise_is_refused_though_every_tensor_fits(
    cache: Path, network: str, name: str
) -> None:
    published(cache, name)
    with pytest.raises(WeightsError, match=r"computes otherwise.*differ by 0\.\d+ of their range; take weights of"):
        spec(network, name).compile()


def test_a_normalization_of_another_kind_is_refused(cache: Path) -> None:
    published(cache, "resnet50_gn.a1h_in1k")
    with pytest.raises(WeightsError, match="computes otherwise"):
        spec("resnet50", "resnet50_gn.a1h_in1k", "layer1").compile()


def test_another_network_is_refused_with_what_differs(cache: Path) -> None:
    published(cache, "resnet34.a1_in1k")
    with pytest.raises(WeightsError, match=r"<text>:3.*do not fit resnet18(?s:.*)other tensors(?s:.*)here, \d+ there"):
        spec("resnet18", "resnet34.a1_in1k").compile()


def test_partners_are_found_by_name_then_by_shape_then_by_content() -> None:
    a, b = torch.zeros(3, 2), torch.zeros(3)
    assert _by_name({"x": a, "more": b}, {"x": a}) == {"x": "x"}
    assert _by_name({"x": a}, {"x": b}) is None
    assert _by_name({"x": a}, {"x": a, "more": b}) is None
    assert _by_shape({"x": a, "y": b, "z": a}, {"1": b, "2": a, "3": a}) == {"x": "2", "y": "1", "z": "3"}
    assert _by_shape({"x": a}, {"1": a, "2": a}) is None
    assert _by_content({"x": a}, {"1": a.reshape(3, 2, 1, 1)}) == {"x": "1"}


# ---------------------------------------------------------------- what is missing is told


def test_without_the_file_and_offline_it_says_which_and_where_it_was_looked_for(cache: Path) -> None:
    with pytest.raises(WeightsError) as problem:
        spec("resnet50", "resnet50.a1_in1k").compile()
    text = str(problem.value)
    assert "<text>:3" in text
    assert "model.safetensors of timm/resnet50.a1_in1k" in text
    assert str(cache / "models--timm--resnet50.a1_in1k") in text
    assert "HF_HOME" in text
    assert "net.compile(weights=False)" in text
    spec("resnet50", "resnet50.a1_in1k", "layer1").compile(weights=False)


def test_without_timm_it_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    net = spec("resnet18", "resnet18.a1_in1k", "layer1")
    monkeypatch.setitem(sys.modules, "timm", None)
    for use in (net.compile, net.transforms):
        with pytest.raises(WeightsError, match=r'timm:resnet18\.a1_in1k need the package timm: pip install "archdsl\['):
            use()


def test_weights_that_timm_has_not(cache: Path) -> None:
    with pytest.raises(WeightsError, match=r"no weights resnet18\.a1_in1; did you mean timm:resnet18\.a1_in1k"):
        spec("resnet18", "resnet18.a1_in1").compile()
    with pytest.raises(WeightsError, match=r"no weights nothing_at_all$"):
        spec("resnet18", "nothing_at_all").compile()


def test_a_file_that_is_no_weights_is_told_and_runs_nothing(cache: Path) -> None:
    published(cache, "resnet18.a1_in1k")
    (file,) = cache.rglob("model.safetensors")
    file.write_bytes(b"\xff" * 64)
    with pytest.raises(WeightsError, match="holds no weights"):
        spec("resnet18", "resnet18.a1_in1k").compile()


@pytest.mark.parametrize("name", ["", "../x", "hf-hub:someone/else", "local-dir:/tmp", "a.b.c", "a b"])
def test_a_name_that_is_none_is_found_by_the_checker(name: str) -> None:
    found = spec("resnet18", name).diagnostics
    assert [(each.code, each.is_error) for each in found] == [("unknown-weights", True)]
    assert "timm:resnet50.a1_in1k" in str(found[0].help)


def test_only_networks_that_ship_have_them() -> None:
    text = 'net own {\n  input 3x8x8\n  conv 4 k3\n}\nnet outer {\n  input 3x8x8\n  own(weights="timm:resnet18")\n}\n'
    (found,) = archdsl.parse(text, "outer").diagnostics
    assert found.code == "unknown-weights"
    assert "own is no network that ships" in found.message


def test_the_checker_does_not_import_timm() -> None:
    text = 'net a { input 3x224x224\\n pretrained resnet18(weights="timm:resnet18.a1_in1k") }'
    program = (
        f"import archdsl, sys\nnet = archdsl.parse('{text}')\n"
        "assert not net.diagnostics, net.diagnostics\n"
        "assert net.report().totals.parameters\n"
        "assert not {'timm', 'torch', 'huggingface_hub'} & set(sys.modules)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr


# ---------------------------------------------------------------- images


@pytest.mark.parametrize(
    ("network", "name"),
    [
        ("resnet50", "resnet50.a1_in1k"),
        ("convnext_tiny", "convnext_tiny.fb_in22k_ft_in1k_384"),
        ("vit_b_16", "vit_base_patch16_224.augreg_in21k"),
        ("efficientnet_b4", "efficientnet_b4.ra2_in1k"),
    ],
)
def test_an_image_becomes_what_timm_makes_of_it(network: str, name: str) -> None:
    config = timm.get_pretrained_cfg(name)
    size = config.input_size[-1]
    first = next(node.path for node in archdsl.load(network).graph.nodes if node.inputs)
    made = spec(network, name, first, size=size).transforms()
    expected = create_transform(**resolve_data_config(pretrained_cfg=config.to_dict()))
    pixels = torch.randint(0, 256, (400, 500, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    image = Image.fromarray(pixels.numpy())
    torch.testing.assert_close(made(image), expected(image), rtol=1e-6, atol=1e-6)
    assert made.source == f"{network} timm:{name}"
