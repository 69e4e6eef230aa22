"""What the checker says of images: what cannot be, and what differs from what weights were trained with."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.analyses.mismatches import is_alike
from archdsl.analyses.preprocessing import Expected, expected, image_ports, seen
from archdsl.network import Network

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))


def net(*lines: str, **options: object) -> Network:
    return archdsl.parse("net outer {\n  " + "\n  ".join(lines) + "\n}\n", **options)  # type: ignore[arg-type]


def found(*lines: str, **options: object) -> list[tuple[str, str]]:
    return [(each.code, each.span.text) for each in net(*lines, **options).diagnostics]


def of(*lines: str) -> Expected:
    graph = net(*lines).graph
    return expected(graph, image_ports(graph)[0], {})


BODY = "pretrained resnet18(until=layer4) as body"


# ---------------------------------------------------------------- what is expected


def test_the_weights_of_the_first_network_that_sees_the_image_decide() -> None:
    one = of("input 3x224x224", "( pretrained resnet50(until=avgpool) | pretrained resnet18(until=avgpool) ) -> cat")
    assert one.source == "resnet50 IMAGENET1K_V2"
    assert (one.preprocessing.resize_size, one.preprocessing.crop_size) == ((232,), (224,))
    assert (one.preprocessing.mean, one.preprocessing.std) == IMAGENET


def test_both_inputs_of_a_shared_network_expect_the_same() -> None:
    graph = net(
        "input left : 3x224x224", "input right : 3x224x224", "share body = pretrained resnet18(until=avgpool)",
        "left -> body as a", "right -> body -> sub a",
    ).graph  # fmt: skip
    assert {each.port.name for each in seen(graph)} == {"left", "right"}
    assert [expected(graph, port, {}).source for port in image_ports(graph)] == ["resnet18 IMAGENET1K_V1"] * 2


def test_weights_in_a_file_and_fresh_ones_say_nothing() -> None:
    assert of("input 3x224x224", 'pretrained resnet18(weights="file:a.pt", until=layer4)').source == "input"
    assert of("input 3x224x224", "conv 8 k3").source == "input"


# ---------------------------------------------------------------- what differs


@pytest.mark.parametrize("size", [168, 192, 224, 256, 288, 298])
def test_sizes_about_those_of_the_weights_are_not_told(size: int) -> None:
    assert found(f"input 3x{size}x{size}", BODY) == []


@pytest.mark.parametrize("shape", ["3x167x167", "3x299x299", "3x64x64", "3x224x448", "3x448x224"])
def test_others_are_and_saying_so_is_enough(shape: str) -> None:
    assert found(f"input {shape}", BODY) == [("preprocessing-mismatch", BODY.removesuffix(" as body"))]
    _, height, width = shape.split("x")
    assert found(f"input {shape}", f"preprocess crop=[{height}, {width}]", BODY) == []


def test_it_is_the_size_that_the_network_inside_sees() -> None:
    assert found("input 3x32x32", "upsample 7 -> pretrained resnet18(until=layer4)") == []
    (finding,) = net("input 3x448x448", f"upsample 2 -> {BODY}").diagnostics
    assert "sees 896x896 pixels here" in finding.message
    assert "give it smaller images" in str(finding.help)


def test_nothing_is_told_of_open_sizes_fresh_weights_and_segmentation() -> None:
    assert found("input 3xHxW", BODY) == []
    assert found("input 3x64x64", "conv 8 k3") == []
    assert found("input 3x64x64", 'pretrained fcn_resnet50(weights="DEFAULT", until="backbone.conv1")') == []
    assert found("input 3x64x64", "conv 3 k1 -> pretrained resnet18(until=layer4)") == []


def test_another_normalization_is_told_with_both() -> None:
    (finding,) = net("input 3x224x224", "preprocess mean=0.5 std=0.5", BODY).diagnostics
    assert finding.code == "preprocessing-mismatch"
    assert not finding.is_error
    assert finding.span.text == "mean=0.5"
    assert "mean [0.5, 0.5, 0.5] and std [0.5, 0.5, 0.5]" in finding.message
    assert "resnet18 IMAGENET1K_V1 was trained with mean [0.485, 0.456, 0.406]" in finding.message
    assert [label.span.line for label in finding.labels] == [4]
    assert finding.help == "write `mean=[0.485, 0.456, 0.406] std=[0.229, 0.224, 0.225]`, or leave both out"


def test_what_is_wrong_of_the_two_is_marked() -> None:
    said = "preprocess mean=[0.485, 0.456, 0.406] std=[1, 1, 1]"
    assert found("input 3x224x224", said, BODY) == [("preprocessing-mismatch", "std=[1, 1, 1]")]
    assert found("input 3x224x224", "preprocess std=1", BODY) == [("preprocessing-mismatch", "std=1")]


def test_rounded_numbers_are_the_same() -> None:
    assert found("input 3x224x224", "preprocess mean=[0.49, 0.46, 0.41] std=[0.23, 0.22, 0.22]", BODY) == []
    assert found("input 1x224x224", "preprocess mean=0.449 std=0.226", BODY) == []


@pytest.mark.parametrize(
    ("mean", "std", "alike"),
    [
        ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225), True),
        ((0.495, 0.456, 0.406), (0.229, 0.224, 0.225), True),
        ((0.515, 0.456, 0.406), (0.229, 0.224, 0.225), False),
        ((0.4815, 0.4578, 0.4082), (0.2686, 0.2613, 0.2758), False),  # CLIP's
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), False),
    ],
)
def test_how_far_apart_is_told(mean: tuple[float, ...], std: tuple[float, ...], alike: bool) -> None:
    assert is_alike((mean, std), IMAGENET) is alike


def test_two_networks_that_want_the_same_image_in_two_ways() -> None:
    two = (
        "( pretrained resnet18(until=layer4) -> gap\n"
        '  | pretrained vgg16(weights="IMAGENET1K_FEATURES", until=features) -> gap ) -> cat'
    )
    (finding,) = net("input 3x224x224", two).diagnostics
    assert finding.code == "preprocessing-mismatch"
    assert finding.span.text == '"IMAGENET1K_FEATURES"'
    assert [label.span.text for label in finding.labels] == ["pretrained resnet18(until=layer4)"]
    apart = two.replace("( pretrained", "( conv 3 k1 -> pretrained")
    assert net("input 3x224x224", apart).diagnostics == ()


def test_a_network_with_errors_is_not_told_of_warnings_of_this_kind() -> None:
    assert found("input 3x64x64", "pretrained resnet18(classes=5)")[0][0] == "weights-mismatch"
    assert len(found("input 3x64x64", "pretrained resnet18(classes=5)")) == 1


# ---------------------------------------------------------------- what cannot be


@pytest.mark.parametrize(
    ("said", "code", "marked"),
    [
        ("crop=200", "bad-preprocess", "crop=200"),
        ("crop=[224, 200]", "bad-preprocess", "crop=[224, 200]"),
        ("resize=223", "bad-preprocess", "resize=223"),
        ("resize=[300, 223]", "bad-preprocess", "resize=[300, 223]"),
        ("mean=[0.5, 0.5]", "bad-preprocess", "mean=[0.5, 0.5]"),
        ("std=[0.5, 0.5, 0.5, 0.5]", "bad-preprocess", "std=[0.5, 0.5, 0.5, 0.5]"),
        ("std=0", "bad-argument", "std=0"),
        ("std=[0.2, 0, 0.2]", "bad-argument", "std=[0.2, 0, 0.2]"),
        ("std=58.4", "bad-argument", "std=58.4"),
        ("mean=-0.1", "bad-argument", "mean=-0.1"),
        ("mean=yes", "bad-argument", "mean=yes"),
        ("resize=0", "bad-argument", "resize=0"),
        ("resize=0.5", "bad-argument", "resize=0.5"),
        ("resize=[1, 2, 3]", "bad-argument", "resize=[1, 2, 3]"),
        ("resize=10000000", "bad-argument", "resize=10000000"),
        ("resize=9460", "bad-argument", "resize=9460"),
        ("resize=[30000, 3000]", "bad-argument", "resize=[30000, 3000]"),
        ("crop=big", "bad-argument", "crop=big"),
        ("interpolation=cubic", "bad-argument", "interpolation=cubic"),
        ("interpolation=3", "bad-argument", "interpolation=3"),
        ("antialias=1", "bad-argument", "antialias=1"),
        ("sdt=0.5", "unknown-option", "sdt=0.5"),
    ],
)
def test_what_cannot_be_is_an_error_at_its_word(said: str, code: str, marked: str) -> None:
    (finding,) = net("input 3x224x224", f"preprocess {said}", "conv 8 k3").diagnostics
    assert (finding.code, finding.span.text, finding.is_error) == (code, marked, True)
    assert finding.help


@pytest.mark.parametrize(
    "said",
    [
        "crop=224",
        "resize=224",
        "resize=[224, 300]",
        "resize=9459",
        "resize=[30000, 2980]",
        "mean=0",
        "std=1",
        "mean=[0, 0.5, 1]",
    ],
)
def test_what_can_be_is_none(said: str) -> None:
    assert found("input 3x224x224", f"preprocess {said}", "conv 8 k3") == []


def test_means_of_bytes_are_written_for_0_to_1_in_the_help() -> None:
    (finding,) = net("input 3x8x8", "preprocess mean=[127.5, 102, 51]", "conv 8 k3").diagnostics
    assert "`mean=[0.5, 0.4, 0.2]`" in str(finding.help)


def test_it_is_of_images_alone() -> None:
    assert found("input 784", "preprocess mean=0.5", "fc 10") == [("bad-preprocess", "preprocess mean=0.5")]


def test_of_several_inputs_one_is_enough() -> None:
    both = ("input a : 3x8x8", "input b : 1x8x8", "preprocess mean=[0.1, 0.2, 0.3]", "(a | b) -> cat")
    assert found(*both) == []


def test_a_size_from_outside_goes_before_the_crop() -> None:
    lines = ("input 3x64x64", "preprocess resize=72 crop=64", "conv 8 k3")
    assert found(*lines, input="3x96x96") == []


def test_nothing_of_the_shipped_specs_is_told() -> None:
    for name in archdsl.shipped_networks():
        assert not [each for each in archdsl.load(name).diagnostics if "preprocess" in each.code]
