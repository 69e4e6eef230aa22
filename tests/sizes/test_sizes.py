"""The sizes that a network is said to take are those that it takes: against torch, torchvision and the checker."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.analyses.sizes import borders
from archdsl.cli.app import app
from archdsl.reports.sizes import SizesReport
from archdsl.torch.vision import import_torchvision

from .judge import Wrong, run

PARTS = 8
EACH = 60

pytestmark = pytest.mark.usefixtures("one_thread")


def wrongs(found: list[Wrong]) -> str:
    return "\n\n".join(f"{each.seed}: {each.kind}: {each.details}\n{each.text}" for each in found[:3])


@pytest.mark.parametrize("part", range(PARTS))
def test_torch_runs_what_is_accepted_and_nothing_else(part: int) -> None:
    counted, found = run(0, part * EACH, (part + 1) * EACH)
    assert not found, wrongs(found)
    assert counted["accepted"] > EACH
    assert counted["refused"] > EACH // 3


@pytest.mark.parametrize("part", range(PARTS))
def test_so_too_for_networks_never_seen_before(part: int, request: pytest.FixtureRequest) -> None:
    _, found = run(request.config.getoption("--networks"), part * EACH, (part + 1) * EACH)
    assert not found, wrongs(found)


def accepted(name: str, axis: int = 0, **parameters: object) -> str:
    found = archdsl.load(name, **parameters).sizes().axes[axis].accepted
    assert found is not None
    return found.text


# ---------------------------------------------------------------- torchvision says which is the least

TRAINED_AT = {"swin", "vit", "maxvit"}
"""Of these families torchvision gives the size at which they were trained."""
OTHERWISE = {
    "inception_v3": "with its auxiliary head, which torchvision's figure is without",
    "efficientnet_v2_s": "torchvision says 33, and runs at 1",
    "efficientnet_v2_m": "the same",
    "efficientnet_v2_l": "the same",
}


def test_the_least_sizes_are_those_that_torchvision_documents() -> None:
    models = import_torchvision().models
    compared = 0
    for name in models.list_models(module=models):
        if name in OTHERWISE or name.split("_")[0] in TRAINED_AT:
            continue
        documented = {tuple(weights.meta["min_size"]) for weights in models.get_model_weights(name)}
        smallest = tuple(axis.accepted.smallest for axis in archdsl.load(name).sizes().axes if axis.accepted)
        assert {smallest} == documented, name
        compared += 1
    assert compared == 64


def test_inception_without_its_auxiliary_head_takes_what_torchvision_says() -> None:
    assert accepted("inception_v3", aux=False) == "every size from 75"


# ---------------------------------------------------------------- figures from papers


def test_a_padded_u_net_takes_multiples_of_16() -> None:
    """Four poolings halve the map exactly: Ronneberger, Fischer and Brox, 2015, section 3."""
    assert accepted("unet") == "multiples of 16"
    report = archdsl.load("unet").report()
    assert report.sizes == {"H": "multiples of 16", "W": "multiples of 16"}
    shapes = {layer.path: layer.output for layer in report.layers}
    assert shapes["pool4"] == (512, "H/16", "W/16")
    assert report.outputs[0].shape == (2, "H", "W")


def test_the_published_u_net_loses_188_and_grows_by_16() -> None:
    """572 gives 388: figure 1 of the same paper; 188 is the least, whose inmost map is 5 - 4 = 1."""
    sizes = archdsl.load("unet_valid").sizes()
    assert accepted("unet_valid") == "every size from 188"
    height = "16*floor((H - 188)/16) + 4"
    assert sizes.outputs[0].shape == (2, height, height.replace("H", "W"))
    assert 16 * ((572 - 188) // 16) + 4 == 388


def test_vision_transformers_are_bound_to_their_number_of_tokens() -> None:
    """Positions are learned for 14x14 patches of 16: any 224 to 239 gives as many."""
    axis = archdsl.load("vit_b_16").sizes().axes[0]
    assert axis.same_module is not None
    assert (axis.same_module.text, axis.module_where) == ("only 224 to 239", {"W": 224})


def test_the_module_changes_where_its_input_does_however_late() -> None:
    """The sum stretches what is one row high, and is as high as `e2`: the same for eight sizes, then one more."""
    text = """net n {
      input 2x64x64
      conv 2 k1 s4 -> conv 2 k3 s2 p1 d2 -> conv 2 k3 as e2 -> conv 2 k5 s3 -> upconv 2 k3 s3 p1
      add e2 -> flatten -> fc 3
    }"""
    height, _ = archdsl.parse(text).sizes().axes
    assert (height.accepted and height.accepted.text) == "only 57 to 80"
    assert (height.same_module and height.same_module.text) == "only 57 to 64"


def test_resnet_is_rounded_up_by_each_stride() -> None:
    """Strided windows of 2p + 1 give ceil(n/2): five of them ceil(n/32)."""
    text = "use resnet from resnet.arch"
    assert accepted("resnet50") == "every size", text
    fpn = archdsl.load("fasterrcnn_resnet50_fpn").sizes()
    assert {port.name: port.shape[1] for port in fpn.outputs if port.name in ("p2", "p5")} == {
        "p2": "ceil(H/4)",
        "p5": "ceil(H/32)",
    }


# ---------------------------------------------------------------- what asks, and where it is lost


def test_it_is_said_which_merge_asks() -> None:
    demands = archdsl.load("unet").sizes().axes[0].demands
    assert [(each.path, each.asks) for each in demands][-2:] == [
        ("up3.cat1", "16*k to 16*k + 1, from 16 on"),
        ("up4.cat1", "multiples of 16"),
    ]
    last = demands[-1]
    assert last.refuses == 17
    assert last.reason.endswith("got 64x16x224 and 64x17x224")


def test_border_pixels_that_strides_leave_out_are_counted() -> None:
    """A pool of 2 on 571 sees 570 of them; a window of 3 with a stride of 2 on 8 sees 7, but padded all."""
    network = archdsl.load("unet_valid", input="1x572x575")
    found = [
        (network.graph.nodes[each.node].path, each.axis, each.size, each.unseen) for each in borders(network.graph)
    ]
    assert found[0] == ("pool1", 1, 571, 1)
    unpadded, padded, apart = (
        archdsl.parse(f"net a {{\n input 1x8\n conv 1 {window}\n}}") for window in ("k3 s2", "k3 s2 p1", "k1 s2")
    )
    assert [each.unseen for each in borders(unpadded.graph)] == [1]
    assert borders(padded.graph) == ()
    assert borders(apart.graph) == ()  # the last is in the gap between two windows, as are all others


def test_a_network_that_its_own_size_does_not_suit_is_told_which_would() -> None:
    net = archdsl.parse("net a {\n input 3x30x31\n conv 4 k3 p1 as e -> pool 2 -> upsample 2 -> cat e\n}")
    assert not net.ok
    sizes = net.sizes()
    assert [axis.accepted.text for axis in sizes.axes if axis.accepted] == ["even sizes"] * 2
    assert [axis.size for axis in sizes.axes] == [30, 31]
    assert all(axis.same_module is None for axis in sizes.axes)


def test_a_network_that_asks_for_its_size_is_not_decided() -> None:
    text = """
net a {{
  input x : 3x30x30
  x -> conv 4 k3 -> {}
}}
"""
    asking = archdsl.parse(text.format("if x.h > 20 { pool 2 }")).sizes().axes
    assert asking[0].accepted is None
    assert "asks for a size" in str(asking[0].undecided)
    assert asking[1].accepted is not None  # it asks for the height only
    channels = archdsl.parse(text.format("if x.c > 20 { pool 2 }")).sizes().axes
    assert all(axis.accepted for axis in channels)


@pytest.mark.parametrize(
    ("declared", "read", "axis"),
    [
        ("3x8x9", "h", "H"),
        ("3x9x8", "w", "W"),
        ("8x8", "l", "L"),  # as many channels: found by a random network
        ("8x8x8x8", "d", "D"),
        ("8x8x8x8", "h", "H"),
        ("tokens 8x8", "l", "L"),
        ("ids 8 of 9", "l", "L"),
        ("ids 8 of 9", "c", "L"),
    ],
)
def test_which_size_is_asked_for_is_known_by_its_place(declared: str, read: str, axis: str) -> None:
    layer = "embedding 2" if declared.startswith("ids") else "relu"
    net = archdsl.parse(f"net a {{\n input x : {declared}\n x -> if x.{read} == 8 {{ {layer} }}\n}}")
    found = {each.name: each for each in net.sizes().axes}
    assert found[axis].accepted is None
    assert "asks for a size" in str(found[axis].undecided)
    assert all(each.accepted for name, each in found.items() if name != axis)


def test_an_open_size_that_nothing_can_fill_is_an_error() -> None:
    net = archdsl.parse("net a {\n input 3xHxW\n ( conv 4 k3 | conv 4 k5 ) -> cat\n}")
    assert [finding.code for finding in net.diagnostics] == ["no-size"]
    with pytest.raises(archdsl.SpecError, match="no-size"):
        net.sizes()
    stretched = archdsl.parse("net a {\n input 3xHxW\n ( conv 4 k3 | conv 4 k5 ) -> add\n}")
    assert [axis.accepted.text for axis in stretched.sizes().axes if axis.accepted] == ["only 5"] * 2


def test_errors_of_another_kind_are_reported_as_ever() -> None:
    with pytest.raises(archdsl.SpecError, match="unknown-layer"):
        archdsl.parse("net a {\n input 3x8x8\n konv 4\n}").sizes()


def test_a_network_of_vectors_has_no_size_to_choose() -> None:
    assert archdsl.parse("net a {\n input 784\n fc 10\n}").sizes().axes == ()


# ---------------------------------------------------------------- the command


def test_the_command_prints_the_rule_and_what_asks_for_it() -> None:
    text = CliRunner().invoke(app, ["sizes", "unet"]).stdout
    assert text.startswith("unet: image 3xHxW\n\n  H, W  multiples of 16\n")
    assert "multiples of 16: up4.cat1 (cat, unet.arch:6)\n" in text
    assert "at 17, cat needs shapes that are equal but for the channels" in text
    assert text.endswith("  gives mask 2xHxW\n")


def test_the_command_prints_border_pixels() -> None:
    text = CliRunner().invoke(app, ["sizes", "unet_valid", "--input", "1x572x575"]).stdout
    assert "    pool1 (pool 2): 1 of 571 along W\n" in text


def test_the_command_prints_json_that_can_be_read_again() -> None:
    text = CliRunner().invoke(app, ["sizes", "lenet5", "--format", "json"]).stdout
    report = SizesReport.model_validate_json(text)
    assert report == archdsl.load("lenet5").sizes()
    assert json.loads(text)["schema_version"] == "1.0"
    accepted, same = report.axes[0].accepted, report.axes[0].same_module
    assert accepted is not None
    assert same is not None
    assert [n for n in range(28, 40) if n in accepted] == list(range(32, 40))
    assert [n for n in range(28, 40) if n in same] == list(range(32, 36))
