"""The specs that ship, and the facts that the project's documents state of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archdsl
from archdsl import project
from archdsl.reports.schema import FieldReport, LayerReport, Report
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.formatter import format_text

SPECS = Path(__file__).parents[2] / "specs"

# Networks that others are variants of, and what they need to be built.
BASES: dict[str, dict[str, object]] = {
    "resnet": {"unit": "basic", "depths": [1, 1, 1, 1]},
    "vgg": {"depths": [1, 1, 1, 1, 1]},
    "simplecnn": {"widths": [8], "norm": True},
}
NETS = archdsl.shipped_networks()

each_net = pytest.mark.parametrize("name", NETS)


def load(name: str) -> archdsl.Network:
    return archdsl.load(name, **BASES.get(name, {}))


@each_net
def test_a_documentation_begins_with_a_sentence(name: str) -> None:
    assert load(name).report().doc.split("\n")[0].endswith(".")


def layer(report: Report, path: str) -> LayerReport:
    return next(layer for layer in report.layers if layer.path == path)


def last_field(name: str) -> tuple[int, float, float]:
    """The size, stride and padding of the last local field, equal along both axes."""
    field = next(layer.field for layer in reversed(load(name).report().layers) if layer.field)
    return square(field)


def square(field: FieldReport | None) -> tuple[int, float, float]:
    assert field is not None
    for pair in (field.size, field.stride, field.padding):
        assert pair[0] == pair[1]
    return field.size[0], field.stride[0], field.padding[0]


def test_every_network_of_the_readme_ships_and_no_other() -> None:
    text = (SPECS.parent / "README.md").read_text(encoding="utf-8")
    table = text.partition("## The networks that ship")[2].partition("\n## ")[0]
    named = re.findall(r"`(\w+)`", table)
    assert sorted(named) == sorted(NETS)


@each_net
def test_a_shipped_network_checks_without_findings(name: str) -> None:
    assert load(name).diagnostics == ()


@each_net
def test_a_shipped_network_says_whose_it_is(name: str) -> None:
    doc = load(name).report().doc
    assert re.search(r"\(.*, (19|20)\d\d\)", doc) or name.startswith("simplecnn")
    assert doc


each_file = pytest.mark.parametrize("path", sorted(SPECS.glob("*.arch")), ids=lambda path: path.stem)


@each_file
def test_a_spec_has_the_layout_of_the_formatter(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(Source(path.name, text)) == text


@each_file
def test_every_block_of_a_spec_is_used(path: Path) -> None:
    """By its own networks, or by another file."""
    module = project.open_file(path)
    blocks = {name for name, (definition, _) in module.definitions.items() if isinstance(definition, tree.Block)}
    elsewhere = {
        name.text
        for other in SPECS.glob("*.arch")
        for use in project.open_file(other).parsed.file.definitions
        if isinstance(use, tree.Use) and use.path.value == path.name
        for name in use.names
    }
    used = {
        activation.definition
        for net in (archdsl.networks(path) if module.networks else ())
        for activation in net.graph.activations
        if activation.kind == "block"
    }
    assert blocks <= used | elsewhere


@pytest.mark.parametrize(
    ("name", "weights"),
    [
        ("resnet18", 512 * 10 + 10),
        ("vgg16", 4096 * 10 + 10),
        ("alexnet", 4096 * 10 + 10),
        ("lenet5", 84 * 7 + 7),
        ("simplecnn_a", 128 * 7 + 7),
    ],
)
def test_the_number_of_classes_is_a_parameter(name: str, weights: int) -> None:
    net = archdsl.load(name, classes=7 if name in ("lenet5", "simplecnn_a") else 10)
    assert net.diagnostics == ()
    assert net.report().layers[-1].parameters == weights


def test_a_contract_is_refuted_where_the_network_is_another() -> None:
    text = (SPECS / "resnet.arch").read_text(encoding="utf-8").replace("25_557_032", "25_557_033")
    net = archdsl.parse(text, "resnet50")
    assert [finding.code for finding in net.diagnostics] == ["expectation"]
    assert not archdsl.parse(text, "resnet50", classes=10).diagnostics  # it is about the network as it is written
    assert archdsl.load("resnet50", depths=[3, 4, 6, 2]).ok


# ---------------------------------------------------------------- counts


@pytest.mark.parametrize(
    ("name", "parameters", "macs"),
    [
        ("alexnet", 61_100_840, 714_188_480),
        ("vgg16", 138_357_544, 15_470_264_320),
        ("resnet18", 11_689_512, 1_814_073_344),
        ("resnet50", 25_557_032, 4_089_184_256),
        ("resnet152", 60_192_808, 11_513_626_624),
    ],
)
def test_parameters_and_multiplications(name: str, parameters: int, macs: int) -> None:
    totals = archdsl.load(name).report().totals
    assert (totals.parameters, totals.macs, totals.flops) == (parameters, macs, 2 * macs)


def test_most_of_vgg16_is_dense() -> None:
    report = archdsl.load("vgg16").report()
    dense = sum(layer.parameters for layer in report.layers if layer.layer == "fc")
    assert round(dense / 1e6) == 124


def test_resnet50_with_ten_classes() -> None:
    report = archdsl.load("resnet50", classes=10).report()
    assert (report.totals.parameters, layer(report, "fc").parameters) == (23_528_522, 20_490)


def test_batch_normalization_keeps_two_numbers_and_one_for_each_channel() -> None:
    norm = layer(archdsl.load("resnet18").report(), "bn1")
    assert (norm.parameters, norm.buffers) == (2 * 64, 2 * 64 + 1)


# ---------------------------------------------------------------- receptive fields


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("alexnet", (195, 32, 66)),
        ("vgg16", (212, 32, 90)),
        ("vgg16_bn", (212, 32, 90)),
        ("resnet18", (435, 32, 217)),
        ("resnet50", (427, 32, 213)),
        ("resnext50_32x4d", (427, 32, 213)),
        ("wide_resnet50_2", (427, 32, 213)),
    ],
)
def test_the_last_receptive_field(name: str, field: tuple[int, int, int]) -> None:
    assert last_field(name) == field


@pytest.mark.parametrize(("name", "size"), [("vgg11", 150), ("vgg13", 156), ("vgg16", 212), ("vgg19", 268)])
def test_the_last_receptive_field_of_vgg(name: str, size: int) -> None:
    assert last_field(name)[:2] == (size, 32)


def test_the_receptive_fields_of_the_stages_of_resnet50() -> None:
    report = archdsl.load("resnet50").report()
    last = [layer(report, path).field for path in ("pool1", "layer1.2.relu3", "layer2.3.relu3", "layer3.5.relu3")]
    last.append(layer(report, "layer4.2.relu3").field)
    stages = [(11, 4, 5), (35, 4, 17), (91, 8, 45), (267, 16, 133), (427, 32, 213)]
    assert [square(field) for field in last] == stages


def test_a_resnet50_with_its_stride_on_the_first_convolution() -> None:
    """As in the paper, rather than as in torchvision."""
    text = (SPECS / "resnet.arch").read_text(encoding="utf-8")
    moved = text.replace("conv inner k1 ->", "conv inner k1 s=s ->").replace(
        "conv inner k3 s=s p=d", "conv inner k3 p=d"
    )
    assert moved != text
    report = archdsl.parse(moved, "resnet50").report()
    ends = ["layer1.2.relu3", "layer2.3.relu3", "layer3.5.relu3", "layer4.2.relu3"]
    assert [square(layer(report, path).field)[0] for path in ends] == [35, 99, 291, 483]


def test_global_pooling_sees_everything_and_says_by_what() -> None:
    report = archdsl.load("resnet50").report()
    assert layer(report, "fc").field is None
    assert layer(report, "fc").everywhere == "avgpool"


# ---------------------------------------------------------------- shapes


def shapes(name: str, *words: str) -> list[tuple[int | str, ...]]:
    return [layer.output for layer in archdsl.load(name).report().layers if layer.layer in words]


def test_the_table_of_lenet5() -> None:
    assert shapes("lenet5", "conv", "avgpool", "fc") == [
        (6, 28, 28),
        (6, 14, 14),
        (16, 10, 10),
        (16, 5, 5),
        (120, 1, 1),
        (84,),
        (10,),
    ]
    assert square(layer(archdsl.load("lenet5").report(), "conv3").field)[0] == 32  # C5 sees the whole image


def test_the_worked_table_of_vgg16() -> None:
    expected: list[tuple[int | str, ...]] = []
    for channels, size, convolutions in ((64, 224, 2), (128, 112, 2), (256, 56, 3), (512, 28, 3), (512, 14, 3)):
        expected += [(channels, size, size)] * convolutions + [(channels, size // 2, size // 2)]
    assert shapes("vgg16", "conv", "pool") == expected


def test_the_stages_of_a_resnet() -> None:
    report = archdsl.load("resnet152").report()
    stages = {module.path: module.output for module in report.modules if module.path.startswith("layer")}
    sizes = [stages[f"layer{i}"] for i in (1, 2, 3, 4)]
    assert sizes == [(256, 56, 56), (512, 28, 28), (1024, 14, 14), (2048, 7, 7)]
    assert "layer3.35" in stages
    assert "layer3.36" not in stages


def test_the_levels_of_the_published_unet() -> None:
    report = archdsl.load("unet_valid").report()
    assert report.layers[-1].output == (2, 388, 388)
    levels = [m.output for m in report.modules if m.definition == "double_valid"]
    assert levels == [
        (64, 568, 568),
        (128, 280, 280),
        (256, 136, 136),
        (512, 64, 64),
        (1024, 28, 28),
        (512, 52, 52),
        (256, 100, 100),
        (128, 196, 196),
        (64, 388, 388),
    ]


@pytest.mark.parametrize("size", ["3x16x16", "3x160x240", "3x512x512"])
def test_a_padded_unet_gives_a_mask_of_the_image_size(size: str) -> None:
    _, height, width = map(int, size.split("x"))
    assert archdsl.load("unet", input=size, classes=5).report().layers[-1].output == (5, height, width)


def test_a_padded_unet_says_which_sizes_do_not_fit() -> None:
    found = archdsl.load("unet", input="3x100x100").diagnostics
    assert [finding.code for finding in found] == ["merge-shapes"]


# ---------------------------------------------------------------- formulas, as tiny specs


@pytest.mark.parametrize(
    ("size", "layers", "output"),
    [
        ("3x224x224", "conv 8 k3 s2 p1", (8, 112, 112)),
        ("3x32x32", "conv 8 k3", (8, 30, 30)),
        ("3x32x32", "conv 8 k3 p1", (8, 32, 32)),
        ("3x32x32", "conv 8 k3 s2 p1", (8, 16, 16)),
        ("1x5x5", "conv 1 k3", (1, 3, 3)),
        ("1x5x5", "conv 1 k3 p1", (1, 5, 5)),
        ("1x5x5", "conv 1 k3 s2 p1", (1, 3, 3)),
        ("1x8x8", "conv 1 k3 p2 d2", (1, 8, 8)),
        ("64x32x32", "pool 2", (64, 16, 16)),
        ("1x6", "conv 1 k2", (1, 5)),
        ("1x6", "conv 1 k2 s2", (1, 3)),
        ("512x7x7", "gap", (512, 1, 1)),
        ("4x7x7", "upconv 2 k3 s2 p1 output_padding=1", (2, 14, 14)),
    ],
)
def test_an_output_size(size: str, layers: str, output: tuple[int, ...]) -> None:
    assert tiny(f"input {size}\n{layers}").layers[-1].output == output


def tiny(body: str) -> Report:
    return archdsl.parse(f"net tiny {{\n{body}\n}}").report()


@pytest.mark.parametrize(
    ("body", "parameters"),
    [
        ("input 256x7x7\nconv 64 k1 bias=no -> conv 64 k3 p1 bias=no", 53_248),
        ("input 256x7x7\nconv 256 k3 p1 bias=no", 589_824),
        ("input 3x224x224\nconv 1 k3 bias=no", 27),
        ("input 3x224x224\nflatten -> fc 1000 bias=no", 150_528_000),
        ("input 512x7x7\ngap -> flatten -> fc 1000 bias=no", 512_000),
        ("input 512x7x7\nflatten -> fc 1000 bias=no", 25_088_000),
        ("input 8x7x7\nbn", 16),
        ("input 32x8x8\nconv 64 k5 g4", 64 * (32 // 4) * 25 + 64),
    ],
)
def test_a_number_of_parameters(body: str, parameters: int) -> None:
    assert tiny(body).totals.parameters == parameters


@pytest.mark.parametrize(("stacked", "single"), [(2, 5), (3, 7)])
def test_stacked_small_kernels_see_as_much_with_fewer_weights(stacked: int, single: int) -> None:
    many = tiny(f"input 16x32x32\n(conv 16 k3 bias=no) x{stacked}")
    one = tiny(f"input 16x32x32\nconv 16 k{single} bias=no")
    assert square(many.layers[-1].field) == square(one.layers[-1].field) == (single, 1, 0)
    assert many.totals.parameters == stacked * 9 * 16**2
    assert one.totals.parameters == single**2 * 16**2


def test_a_depthwise_separable_convolution_costs_its_share() -> None:
    standard = tiny("input 32x14x14\nconv 64 k3 p1 bias=no").totals
    separable = tiny("input 32x14x14\nconv 32 k3 p1 g32 bias=no -> conv 64 bias=no").totals
    assert standard.macs is not None
    assert separable.macs is not None
    assert separable.macs / standard.macs == pytest.approx(1 / 64 + 1 / 9)


@pytest.mark.parametrize("dilation", [1, 2, 3])
def test_an_effective_kernel(dilation: int) -> None:
    field = tiny(f"input 1x32x32\nconv 1 k3 d{dilation}").layers[-1].field
    assert square(field)[0] == 3 + (3 - 1) * (dilation - 1)


# ---------------------------------------------------------------- receptive fields over several paths
# The examples of Araujo, Norris and Sim (Distill, 2019).


def test_branches_that_are_aligned() -> None:
    body = "input 3x64x64\n( conv 8 k1 s4 | pad [1, 0, 1, 0] -> conv 8 k3 s2 -> conv 8 k1 s2 ) -> add"
    assert square(tiny(body).layers[-1].field) == (3, 4, 1)


def test_branches_whose_strides_differ_do_not_merge() -> None:
    branches = "( pad [2, 1, 2, 1] -> conv 8 k5 s2 | conv 8 k3 -> conv 8 k3 ) -> add"
    found = archdsl.parse(f"net misaligned {{\ninput 3x64x64\n{branches}\n}}").diagnostics
    assert [finding.code for finding in found] == ["merge-shapes"]
    assert tiny(f"input 3xHxW\n{branches}").layers[-1].field is None  # no field is made up


def test_a_field_for_each_axis() -> None:
    field = tiny("input 3x64x64\nconv 8 k3x5 s2 -> conv 8 k3x1 s2").layers[-1].field
    assert field is not None
    assert (field.size, field.stride) == ((7, 5), (4, 4))


def test_what_the_first_output_sees() -> None:
    net = archdsl.parse("net tiny {\ninput 1x32\nconv 1 k3 s3 p1 -> conv 1 k2\n}")
    axes = net.fields[-1].axes
    assert axes is not None
    assert axes[0].at(0) == (-1, 4)
    assert axes[0].at(2) == (5, 10)
