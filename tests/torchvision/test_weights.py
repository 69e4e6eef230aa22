"""The table of pretrained weights, specs/weights.json, is torchvision's own, field by field."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import detectors
import pytest
import torch
import weights
from special import special
from torch import Tensor
from torchvision import models
from torchvision.ops.misc import FrozenBatchNorm2d
from torchvision.transforms import InterpolationMode
from torchvision.transforms.functional import center_crop, normalize, resize

import archdsl
from archdsl.weights import Preprocessing, Weights, find, known, version

ROOT = Path(__file__).parents[2]
SAME = version() == weights.VERSION
"""Whether this is the torchvision that the table is of; with another one, what both have is compared."""
TOLD = "run `python -m tests.torchvision.weights --write`"
FILE = json.loads(weights.PATH.read_text(encoding="utf-8"))
TABLE = {name: known(name) for name in FILE["networks"]}


@pytest.fixture(autouse=True)
def _one_thread(one_thread: None) -> None:
    """As of all tests here, but nothing is collected after each: these build no models that hold numbers."""


each_net = pytest.mark.parametrize("name", weights.NAMES)


def differences(table: weights.Table, same: bool = True) -> list[str]:
    """What this table says otherwise than torchvision of its networks."""
    return list(weights.differences(table, {name: weights.theirs(name) for name in table}, same))


# ---------------------------------------------------------------- the table is torchvision's


def test_every_network_that_torchvision_has_weights_for_is_in_the_table() -> None:
    assert set(TABLE) <= set(archdsl.shipped_networks())
    assert all(TABLE.values())
    assert set(weights.NAMES) == set(TABLE), TOLD
    assert len(TABLE) >= 94


@each_net
def test_weights_are_torchvisions_field_by_field(name: str) -> None:
    assert not differences({name: known(name)}, SAME), TOLD


def test_the_file_is_as_it_is_written() -> None:
    assert weights.PATH.read_text(encoding="utf-8") == weights.render(TABLE, version())
    assert FILE["source"]["package"] == "torchvision"


@each_net
def test_parameters_are_as_many_as_the_network_has(name: str) -> None:
    """At the size of image that the weights are for; normalizations that are frozen there have parameters here."""
    frozen = 0
    if name in detectors.NAMES:
        found = detectors.normalizations(detectors.bare(name))
        frozen = sum(each.numel() for module in found for each in module.parameters())
    for each in known(name):
        sized = {special(name).sized: (each.preprocessing.crop_size or ())[-1]} if special(name).sized else {}
        network = archdsl.load(name, **{**special(name).case.spec, **sized})
        assert network.report().totals.parameters == each.parameters + frozen, each.name


@each_net
def test_one_of_a_networks_weights_is_the_default(name: str) -> None:
    (default,) = (each for each in known(name) if each.default)
    assert find(name, "DEFAULT") is default
    assert not SAME or models.get_model_weights(name)["DEFAULT"].name == default.name


def test_names_and_files_are_each_of_one_entry() -> None:
    for name, entries in TABLE.items():
        assert len({each.name for each in entries}) == len(entries), name
    files = [each.file for entries in TABLE.values() for each in entries]
    assert len(set(files)) == len(files)
    for each in (each for entries in TABLE.values() for each in entries):
        assert each.url == f"https://download.pytorch.org/models/{each.file}"
        assert each.hash is not None
        assert each.file.endswith(f"-{each.hash}.pth")


# ---------------------------------------------------------------- what the fields mean

PREPARED = {each.preprocessing: (name, each.name) for name, entries in TABLE.items() for each in entries}
"""Every preprocessing that there is, with weights that have it."""


def prepared(images: Tensor, said: Preprocessing) -> Tensor:
    """What comes of images of N x C x H x W by what the docstrings of the fields say."""
    if said.resize_size is not None:
        mode = InterpolationMode(said.interpolation)
        images = resize(images, list(said.resize_size), interpolation=mode, antialias=said.antialias)
    if said.crop_size is not None:
        images = center_crop(images, list(said.crop_size))
    images = images.float() / 255
    return images if said.mean is None or said.std is None else normalize(images, list(said.mean), list(said.std))


@pytest.mark.parametrize("said", PREPARED, ids=lambda said: "-".join(PREPARED[said]))
def test_images_are_prepared_as_the_fields_say(said: Preprocessing) -> None:
    name, entry = PREPARED[said]
    transforms = models.get_model_weights(name)[entry].transforms()
    images = torch.randint(0, 256, (1, 3, 400, 300), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    expected = transforms(images)
    if said.kind == "VideoClassification":
        expected = expected.transpose(0, 1)  # of a video it gives C x T x H x W
    assert torch.equal(prepared(images, said), expected)


def test_entries_are_read_as_these() -> None:
    """Written out here, so that what turns torchvision's entries into ours is held to something as well."""
    first, best = known("resnet50")
    assert first == Weights(
        name="IMAGENET1K_V1",
        url="https://download.pytorch.org/models/resnet50-0676ba61.pth",
        parameters=25_557_032,
        dataset="ImageNet-1K",
        metrics={"acc@1": 76.13, "acc@5": 92.862},
        preprocessing=Preprocessing(
            kind="ImageClassification",
            resize_size=(256,),
            crop_size=(224,),
            interpolation="bilinear",
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
            antialias=True,
        ),
        classes=1000,
        hash="0676ba61",
        min_size=(1, 1),
    )
    assert (best.name, best.default, best.file) == ("IMAGENET1K_V2", True, "resnet50-11ad3fa6.pth")
    features = find("vgg16", "IMAGENET1K_FEATURES")
    assert features is not None
    assert (features.classes, features.metrics, features.default) == (None, {}, False)
    (video,) = known("s3d")
    assert (video.min_size, video.min_frames, video.classes) == ((224, 224), 14, 400)
    assert (video.preprocessing.resize_size, video.preprocessing.crop_size) == ((256, 256), (224, 224))
    (pixels,) = known("fcn_resnet50")
    assert (pixels.dataset, pixels.classes) == ("COCO-val2017-VOC-labels", 21)
    assert (pixels.preprocessing.resize_size, pixels.preprocessing.crop_size) == ((520,), None)
    (boxes,) = known("ssd300_vgg16")
    assert boxes.preprocessing == Preprocessing("ObjectDetection")
    assert find("vit_b_16", "DEFAULT") is find("vit_b_16", "IMAGENET1K_V1")
    licensed = find("vit_b_16", "IMAGENET1K_SWAG_E2E_V1")
    assert licensed is not None
    assert (licensed.license or "").endswith("/SWAG/blob/main/LICENSE")


def test_where_there_are_none_there_are_none() -> None:
    assert known("lenet5") == known("resnet5000") == ()
    assert find("lenet5", "DEFAULT") is None
    assert find("resnet50", "IMAGENET1K_V9") is None
    assert find("resnet50", "default") is None


def test_the_table_needs_no_torch() -> None:
    program = (
        "import sys; from archdsl.weights import find; assert find('resnet50', 'DEFAULT'); "
        "sys.exit(bool({'torch', 'torchvision'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


# ---------------------------------------------------------------- a difference is found

OTHER: dict[str, Any] = {
    "url": "https://download.pytorch.org/models/resnet50-11ad3fa7.pth",
    "parameters": 25_557_033,
    "dataset": "ImageNet-22K",
    "metrics": {"acc@1": 76.13, "acc@5": 92.863},
    "classes": 1001,
    "hash": "0676ba62",
    "min_size": (1, 2),
    "min_frames": 1,
    "eps": 0.001,
    "license": "none",
    "default": True,
    "kind": "ObjectDetection",
    "resize_size": (257,),
    "crop_size": (224, 224),
    "interpolation": "bicubic",
    "mean": (0.485, 0.456, 0.407),
    "std": (0.229, 0.225, 0.224),
    "antialias": False,
}
"""What each field of the first weights of resnet50 is not."""


def changed(field: str) -> weights.Table:
    """The weights of resnet50, one field of the first ones changed."""
    first, *others = known("resnet50")
    if field in Preprocessing._fields:
        first = first._replace(preprocessing=first.preprocessing._replace(**{field: OTHER[field]}))
    else:
        first = first._replace(**{field: OTHER[field]})
    return {"resnet50": (first, *others)}


def test_every_field_is_changed_below() -> None:
    assert set(OTHER) == {*Weights._fields, *Preprocessing._fields} - {"name", "preprocessing"}


@pytest.mark.parametrize("same", [True, False])
@pytest.mark.parametrize("field", OTHER)
def test_a_changed_field_is_noticed(field: str, same: bool) -> None:
    (found,) = differences(changed(field), same)
    assert found.startswith(f"resnet50: IMAGENET1K_V1: {field} is {OTHER[field]!r}, torchvision's ")


def test_weights_that_are_missing_turned_or_new_are_noticed() -> None:
    first, second = known("resnet50")
    says = "resnet50: {} stands where torchvision has {}".format
    assert differences({"resnet50": (first,)}) == [says("nothing", second.name)]
    assert differences({"resnet50": (second, first)}) == [says(second.name, first.name)]
    third = first._replace(name="IMAGENET1K_V3")
    assert differences({"resnet50": (first, second, third)}) == [says(third.name, "nothing")]
    assert list(weights.differences({}, {"resnet50": (first,)})) == [says("nothing", first.name)]


def test_another_version_may_have_more_and_less_but_nothing_else() -> None:
    first, second = known("resnet50")
    third = first._replace(name="IMAGENET1K_V3")
    assert not differences({"resnet50": (first,)}, False)
    assert not differences({"resnet50": (first, third, second)}, False)
    assert not list(weights.differences({"resnet50": (first,)}, {"resnet18": known("resnet18")}, False))
    assert differences({"resnet50": (second, third, first)}, False)


@pytest.mark.parametrize("name", [name for name in detectors.NAMES if "resnet50" in name])
def test_the_frozen_normalizations_of_published_detectors_are_torchvisions(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of some its builder sets epsilon to 0 with published weights; ours then gives the same, in training too."""
    theirs = detectors.published(name)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    monkeypatch.setattr(torch.hub, "HASH_REGEX", re.compile("$^"))  # the file is not the one that was published
    torch.save(theirs.state_dict(), tmp_path / "hub" / "checkpoints" / known(name)[0].file)
    more = "\n input pooled : 256x7x7" if name.startswith("fasterrcnn") else ""
    text = (
        f"net n {{\n input image : 3x64x64{more}\n pretrained {name}(until=backbone.body.layer4, bn=frozen) as it\n}}"
    )
    net = archdsl.parse(text)
    model = net.compile().train().double()
    epsilons = {module.eps for module in theirs.modules() if isinstance(module, FrozenBatchNorm2d)}
    assert {node.layer.eps for node in net.graph.nodes if node.layer.tracks} == epsilons  # type: ignore[attr-defined]
    images = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)).double()
    found = model(images, torch.zeros(2, 256, 7, 7)) if more else model(images)
    expected = list(theirs.double().backbone.body(images).values())[-1]  # type: ignore[operator, union-attr]
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)  # another epsilon is off by 1e-5


def test_a_network_beside_one_keeps_its_epsilon() -> None:
    """Also where it is made of the same blocks."""
    lines = ("stages([3, 4, 6, 3], first=4)", "pretrained retinanet_resnet50_fpn(until=backbone.body.layer1)")
    branches = " | ".join((f"{lines[0]} as a", f"{lines[1]} as b", f"{lines[0]} as c"))
    graph = (
        archdsl.parse(f'use stages from "resnet.arch"\nnet n {{\n input 3x64x64\n ( {branches} )\n}}').checked().graph
    )
    found = {(node.path[0], node.layer.eps) for node in graph.nodes if node.layer.tracks}  # type: ignore[attr-defined]
    assert found == {("a", 1e-5), ("b", 0.0), ("c", 1e-5)}


def test_to_train_them_is_refused() -> None:
    net = archdsl.parse("net n {\n input 3x64x64\n pretrained retinanet_resnet50_fpn(until=backbone, bn=train)\n}")
    assert [(finding.code, finding.span.text) for finding in net.diagnostics] == [("bad-argument", "bn=train")]
    assert archdsl.parse(str(net.module.source.text).replace("=train", "=affine")).ok
