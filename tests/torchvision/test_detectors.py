"""Every detector that ships here is torchvision's own up to the raw answers of its heads, in all that the page says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import detectors
import page
import pytest
import torch
from lines import families
from torch import nn
from torchvision import models
from torchvision.ops.misc import FrozenBatchNorm2d

import archdsl

each_net = pytest.mark.parametrize("name", detectors.NAMES)


def test_these_detectors_are_compared_here() -> None:
    written = {"fasterrcnn_resnet50_fpn", "fcos_resnet50_fpn", "retinanet_resnet50_fpn", "ssd300_vgg16"}
    assert written <= set(detectors.NAMES)


@each_net
def test_parameters_and_multiplications_are_those_of_the_published_weights(name: str) -> None:
    row = page.kept(detectors.COLUMNS)[name]
    found = (detectors.parameters(name), detectors.macs(name))
    assert row[:2] == found, "run `python -m tests.torchvision --write`"


@each_net
def test_the_state_has_their_names_in_their_order(name: str) -> None:
    row = page.kept(detectors.COLUMNS)[name]
    assert row[2] == str(detectors.keys(name)), "run `python -m tests.torchvision --write`"


@each_net
def test_their_weights_load_as_they_are_and_give_the_same_bits(name: str) -> None:
    detectors.bits(name)


@each_net
def test_a_training_step_gives_the_same_gradients_and_statistics(name: str) -> None:
    detectors.gradients(name)


@each_net
def test_a_state_as_published_weights_have_it_loads(name: str) -> None:
    detectors.loads(name)


def test_published_weights_freeze_what_is_counted_apart() -> None:
    """As many normalizations as there are without them, with no parameters and no count of batches."""
    name = "retinanet_resnet50_fpn"
    model = detectors.published(name)
    frozen = [module for module in model.modules() if isinstance(module, FrozenBatchNorm2d)]
    assert len(frozen) == len(detectors.normalizations(detectors.bare(name))) > 0
    (weights,) = models.get_model_weights(name)
    assert sum(parameter.numel() for parameter in model.parameters()) == weights.meta["num_params"]
    assert not any(key.endswith("num_batches_tracked") for key in model.state_dict())


def test_answers_are_turned_as_their_heads_turn_them() -> None:
    """Every number of a map stays with its place and its anchor: channels are anchors of so many numbers each."""
    answers = torch.arange(2 * 6 * 4 * 5).view(2, 6, 4, 5)
    turned = detectors.rows(answers, 3)
    assert turned.shape == (2, 4 * 5 * 2, 3)
    for sample, anchor, number, y, x in [(0, 0, 0, 0, 0), (1, 1, 2, 3, 4), (1, 0, 1, 2, 3)]:
        assert turned[sample, (y * 5 + x) * 2 + anchor, number] == answers[sample, anchor * 3 + number, y, x]


# ---------------------------------------------------------------- the proofs can fail


def with_classes(classes: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the spec is built for so many classes."""
    load = archdsl.load
    monkeypatch.setattr(archdsl, "load", lambda name: load(name, classes=classes))


def changed(change: Callable[[Any], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on something is done to our network once it is built."""

    def built(name: str, build: Callable[[str], nn.Module] = detectors.ours) -> nn.Module:
        model = build(name)
        change(model)
        return model

    monkeypatch.setattr(detectors, "ours", built)


@pytest.mark.parametrize(
    ("proof", "says"),
    [
        ("parameters", r"34,047,374 parameters, theirs 34,068,119"),
        ("G MACs", r"\d+\.\d{3} G MACs, theirs 151\.54$"),
        ("keys", r"cls_logits\.weight is \(\(810, 256, 3, 3\), torch\.float32\), theirs \(\(819, 256, 3, 3\)"),
        ("bits", "size mismatch for head.classification_head.cls_logits.weight"),
        ("gradients", "size mismatch for head.classification_head.cls_logits.weight"),
        ("published", "size mismatch for head.classification_head.cls_logits.weight"),
    ],
)
def test_a_proof_refuses_another_number_of_classes(proof: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with_classes(90, monkeypatch)
    with pytest.raises((AssertionError, RuntimeError), match=says):
        detectors.EACH[proof]("retinanet_resnet50_fpn")


def test_multiplications_are_refused_for_another_number_of_proposals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "PROPOSALS", 999)
    with pytest.raises(AssertionError, match=r"134\.365 G MACs, theirs 134\.38"):
        detectors.macs("fasterrcnn_resnet50_fpn")


def test_keys_are_refused_in_another_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def swap(model: nn.Module) -> None:
        model.add_module("backbone", model._modules.pop("backbone"))

    changed(swap, monkeypatch)
    with pytest.raises(AssertionError, match=r"head\.\S+ stands where theirs has backbone\.body\.conv1\.weight"):
        detectors.keys("retinanet_resnet50_fpn")


def test_bits_and_gradients_are_refused_where_a_layer_does_something_else(monkeypatch: pytest.MonkeyPatch) -> None:
    changed(lambda model: setattr(model.backbone.body, "maxpool", nn.AvgPool2d(3, 2, 1)), monkeypatch)
    with pytest.raises(AssertionError, match="results differ by up to"):
        detectors.bits("retinanet_resnet50_fpn")
    with pytest.raises(AssertionError, match=r"gradients of backbone\.body.conv1.weight differ by"):
        detectors.gradients("retinanet_resnet50_fpn")


def test_gradients_are_refused_where_only_they_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    both = detectors.both

    def hooked(name: str) -> tuple[nn.Module, nn.Module]:
        reference, model = both(name)
        bias: Any = model.get_parameter("backbone.fpn.extra_blocks.p7.bias")
        bias.register_hook(lambda gradient: 1.01 * gradient)
        return reference, model

    monkeypatch.setattr(detectors, "both", hooked)
    with pytest.raises(AssertionError, match=r"gradients of backbone.fpn.extra_blocks.p7.bias differ by 1\.0e-02"):
        detectors.gradients("retinanet_resnet50_fpn")


def test_published_weights_are_refused_where_normalizations_add_something_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of these torchvision sets what is added to the variance to 0, so another number than the usual one counts."""
    assert detectors.added(detectors.published("retinanet_resnet50_fpn")) == 0
    monkeypatch.setattr(detectors, "added", lambda model: 1e-5)
    with pytest.raises(AssertionError, match="of their length"):
        detectors.loads("retinanet_resnet50_fpn")


def test_a_table_shows_what_was_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with_classes(90, monkeypatch)
    row = detectors.prove("retinanet_resnet50_fpn")
    assert row.cells == ("no",) * len(detectors.EACH)
    assert [failure.split(": ")[1] for failure in row.failures] == list(detectors.EACH)


# ---------------------------------------------------------------- the page


def test_the_page_has_a_row_for_each() -> None:
    rows = page.kept(detectors.COLUMNS)
    assert set(rows) == set(detectors.NAMES), "run `python -m tests.torchvision --write`"
    for cells in rows.values():
        assert "no" not in cells
        assert cells[3:5] == ("equal", "equal")


def test_every_family_is_shorter_than_theirs() -> None:
    for family in families(detectors.NAMES):
        assert family.lines < family.layers <= family.theirs, family
