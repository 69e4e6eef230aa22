"""Receptive fields: at the head, beyond use, and shifted."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.linter.model import Options

from .helpers import finds, found, net, one

# ---------------------------------------------------------------- small-field


def test_the_field_of_what_is_pooled_is_compared_with_the_input() -> None:
    layers = "(conv 8 k3 p1 -> relu) x{} -> gap -> flatten -> fc 10"  # a field of 2n + 1
    assert one("small-field", layers.format(3), "3x8x8").message.endswith("a field of 7x7 of 8x8")
    assert not finds("small-field", layers.format(4), "3x8x8")
    assert finds("small-field", layers.format(4), "3x8x10"), "one axis is enough"


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("conv 8 k3 p1 -> relu -> flatten -> fc 10", "3x32x32"),  # which relates all positions
        ("( id | gap -> conv 3 -> sigmoid ) -> mul -> conv 8 k3 -> relu", "3x32x32"),  # a gate
        ("( gap -> conv 8 -> relu -> upsample like=input | conv 8 k3 p1 ) -> cat", "3x32x32"),  # context
        ("( id | gap -> conv 3 -> sigmoid ) -> mul -> gap -> flatten -> fc 10", "3x32x32"),  # all is seen before
        ("conv 8 k3 p1 -> relu -> gap -> flatten -> fc 10", "3xHxW"),
        ("conv 8 k3 p1 -> relu -> adaptive_avgpool 7 -> flatten -> fc 10", "3x32x32"),
        ("gap -> flatten -> fc 10", "64x1x1"),
    ],
)
def test_no_head_or_nothing_to_pool(body: str, input: str) -> None:
    body = body.replace("like=input", "like=image")
    network = archdsl.parse(f"net a {{\n  input image : {input}\n  {body}\n}}\n")
    assert not network.diagnostics
    assert "small-field" not in [finding.code for finding in found(network)]


# ---------------------------------------------------------------- saturated-field


def saturated(body: str, input: str = "3x32x32") -> str | None:
    """The path of the border layer."""
    network = net(body, input)
    place = [finding.span for finding in found(network) if finding.code == "saturated-field"]
    return next((node.path for node in network.graph.nodes if node.span == place[0]), None) if place else None


def test_the_border_layer_is_the_first_that_is_given_the_whole_input() -> None:
    # Fields: 3 with step 2, 7 with 4, 15 with 8, 31 with 16, 63; the sixth is given 63 of 32.
    assert saturated("\n".join(["conv 8 k3 s2 p1 -> relu"] * 4 + ["conv 8 k3 p1 -> relu -> conv 8 k3 p1 -> relu"])) == (
        "conv6"
    )
    assert saturated("\n".join(["conv 8 k3 s2 p1 -> relu"] * 4 + ["conv 8 k3 p1 -> relu"])) is None
    assert saturated("\n".join(["conv 8 k3 s2 p1 -> relu"] * 4 + ["conv 8 k3 p1 -> relu -> conv 8 k1 -> relu"])) is None


def test_dilation_counts() -> None:
    plain, dilated = ("conv 8 k3 p1 -> relu -> " + f"conv 8 k3 p{d} d{d} -> relu -> conv 8 k3 p1" for d in (1, 14))
    assert saturated(plain) is None  # 5
    assert saturated(dilated) is None  # 31
    assert saturated(dilated.replace("14", "15")) == "conv3"  # 33


def test_the_smallest_path_decides_and_the_widest_is_told() -> None:
    stage = "( conv 8 k17 p8 -> relu | id ) -> add"
    body = f"conv 8 k3 p1 -> relu\n{stage}\n{stage}\nconv 8 k3 p1 -> relu"
    assert saturated(body) is None
    finding = one("saturated-field", f"{body}\nconv 8 k31 p15 -> relu -> conv 8 k3 p1 -> relu -> conv 8 k3 p1")
    assert finding.span.text == "conv 8 k3 p1"
    assert finding.notes[0] == "conv6 is the border layer: its kernel cannot make that more, nor can 1 more"
    assert "conv4 on: the critical layers" in finding.notes[1]


def test_a_shared_head_gains_where_one_of_its_uses_does() -> None:
    head = "share h = conv 8 k3 p1\nconv 8 k3 p1 -> relu as fine -> conv 8 k33 p16 -> relu as coarse\n"
    assert saturated(head + "coarse -> h -> relu") is not None
    both = head + "fine -> h as a\ncoarse -> h as b\n(a | b) -> add -> relu"
    assert saturated(both) is None


def test_of_the_published_networks_vgg_is_fine_and_mobilenet_v1_is_not() -> None:
    """The conv of VGG-16 that is given most has a field of 196; MobileNet's last is given one of 251."""
    asked = frozenset({"saturated-field"})
    for name, border in (("vgg16", None), ("resnet50", None), ("mobilenet_v1", "251x251 of 224x224")):
        network = archdsl.load(name)
        looked = network.looked_at(asked, Options())
        assert [hit.finding.message.endswith(border or "") for hit in looked.hits] == ([True] if border else [])


def test_small_images_saturate_large_networks() -> None:
    network = archdsl.load("vgg16", input="3x32x32")
    (hit,) = network.looked_at(frozenset({"saturated-field"}), Options()).hits
    assert hit.path == "features.14", "conv3_3 is given a field of 32"


# ---------------------------------------------------------------- misaligned-merge


@pytest.mark.parametrize(
    ("body", "by"),
    [
        ("( conv 8 k3 s2 p1 | pad [0, 1, 0, 1] -> conv 8 k3 s2 ) -> add", "1 positions"),
        ("( conv 8 k2 p=same | conv 8 k1 ) -> add", "0.5 positions"),
        ("( conv 8 k5 p2 | pad [4, 0, 0, 0] -> conv 8 k5x1 ) -> cat", "2 positions"),
        ("conv 8 k3 s2 p1 -> relu -> ( conv 8 k3 p1 | pad [0, 2, 0, 2] -> conv 8 k3 ) -> add", "2 positions"),
    ],
)
def test_branches_that_look_at_different_places_are_found(body: str, by: str) -> None:
    assert by in one("misaligned-merge", body).message


@pytest.mark.parametrize(
    "body",
    [
        "( conv 8 k3 s2 p1 | conv 8 k1 s2 ) -> add",
        "( conv 8 k3 p1 | conv 8 k5 p2 | conv 8 k7 p6 d2 ) -> cat",
        "( conv 8 k3 s2 p1 | avgpool 2 -> conv 8 ) -> add",  # a quarter of a step
        "conv 8 as e -> pool 2 -> conv 8 k3 p1 -> relu -> upconv 8 k2 s2 -> cat e",
        "( id | gap -> conv 3 -> sigmoid ) -> mul",
    ],
)
def test_branches_that_are_centred_are_not(body: str) -> None:
    assert not finds("misaligned-merge", body)


def test_branches_of_other_strides_are_found_where_their_sizes_happen_to_agree() -> None:
    finding = one("misaligned-merge", "( conv 8 k3 s2 p1 | crop 8 ) -> cat")
    assert finding.message == "the branches move over the input in steps of 2 and 1"
