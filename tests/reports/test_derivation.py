"""The derivation of a layer: every equation in it holds, and its numbers are the report's."""

from __future__ import annotations

import re
from math import ceil, floor

import pytest
from typer.testing import CliRunner

import archdsl
from archdsl.cli.app import app
from archdsl.layers.catalog import STANDARD
from archdsl.layers.page import example
from archdsl.reports.derivation import paths

_EQUATION = re.compile(r"^[^:]*: (?:.*: )?(.+) = ([\d,]+)(?: \(.*\))?$")


def equations(text: str) -> list[tuple[str, int]]:
    """The sums that a text works out, with what it says they come to."""
    found = []
    for line in text.splitlines():
        if match := _EQUATION.match(line):
            left = re.sub(r"(?<=\d)x(?=\d)", "*", match[1].replace(",", ""))
            found.append((left, int(match[2].replace(",", ""))))
    return found


def evaluated(text: str) -> float:
    return float(eval(text, {"__builtins__": {}}, {"floor": floor, "ceil": ceil}))


@pytest.mark.parametrize("name", ["resnet18", "unet_valid", "lenet5", "dcgan_generator", "mobilenet_v2", "m5"])
def test_every_equation_holds(name: str) -> None:
    network = archdsl.load(name)
    worked_out = 0
    for path in paths(network):
        for left, right in equations(network.explain(path)):
            assert evaluated(left) == right, (path, left)
            worked_out += 1
    assert worked_out > 10


@pytest.mark.parametrize("name", ["resnet50", "efficientnet_b0", "vit_b_32", "detr_resnet50", "unet"])
def test_the_numbers_are_those_of_the_report(name: str) -> None:
    network = archdsl.load(name)
    for layer in network.report().layers:
        text = network.explain(layer.path)
        assert layer.text in text
        if layer.parameters:
            assert f"- together {layer.parameters:,}" in text
        if layer.macs:
            assert f"{layer.macs:,}" in text.partition("## Multiply-accumulates")[2]
        if layer.field is not None and layer.field.size and layer.everywhere is None:
            assert re.search(rf"= {layer.field.size[0]}$|\b{layer.field.size[0]} inputs|position", text, re.MULTILINE)


def test_a_convolution_is_worked_out_by_hand() -> None:
    """The second convolution of ResNet-50's first bottleneck in stage 2, by the formulas of the paper of Araujo."""
    text = archdsl.load("resnet50").explain("layer2.0.conv2")
    for line in (
        "- height and width: floor((56 + 2*1 - 3) / 2) + 1 = 28",
        "- size: 35 + (3 - 1)*4 = 43",
        "- stride: 4*2 = 8",
        "- padding: 17 + 1*4 = 21",
        "- weight: 128x128x3x3 = 147,456",
        "- 28*28 positions of the output, each 128*128*3*3: 784 * 147,456 = 115,605,504",
        "- in `bottleneck(128, s=2)` as layer2.0, written at resnet.arch:49:6",
        "- takes 128x56x56 (map), from layer2.0.relu1, at resnet.arch:17:28",
    ):
        assert line in text.splitlines()


def test_branches_are_told_apart() -> None:
    text = archdsl.load("unet", input="3x64x64").explain("up1.cat1")
    assert "- branch 1 sees 140 inputs, stride 8, padding 62, in 2 phases" in text
    assert "- branch 2 sees 68 inputs, stride 8, padding 30" in text


def test_a_module_has_the_sums_of_its_layers() -> None:
    network = archdsl.load("resnet50")
    module = next(each for each in network.report().modules if each.path == "layer2.0")
    text = network.explain("layer2.0")
    assert f"- {module.parameters:,} parameters" in text
    assert f"- {module.macs:,} multiply-accumulates" in text
    assert f"- {len(module.layers)} layers:" in text


def test_a_shared_module_is_explained_at_each_use() -> None:
    net = archdsl.parse(
        "net a {\n input x : 1x9x9\n input y : 1x12x12\n share look = conv 4 k3\n"
        " x -> look as a\n y -> look as b\n output a, b\n}"
    )
    text = net.explain("look")
    assert "## Use 1 of 2" in text
    assert "## Use 2 of 2" in text
    assert "- counted at the first use of this module" in text
    assert "floor" not in text  # a stride of 1 rounds nothing
    assert "(9 - 3) + 1 = 7" in text
    assert "(12 - 3) + 1 = 10" in text


@pytest.mark.parametrize("layer", STANDARD.layers, ids=lambda layer: layer.word)
def test_every_layer_can_be_explained(layer: type) -> None:
    network = archdsl.parse(example(layer))
    for path in paths(network):
        text = network.explain(path)
        assert text.startswith(f"# {path}\n")
        for left, right in equations(text):
            if re.fullmatch(r"[\d\s+\-*/(),.a-z]+", left) and "resampled" not in left and "cut" not in left:
                assert evaluated(left.replace("floor ", "floor")) == right, left


def test_the_command_explains_and_refuses() -> None:
    run = CliRunner().invoke
    shown = run(app, ["explain", "lenet5", "conv2"])
    assert shown.exit_code == 0
    assert shown.stdout.startswith("# conv2\n")
    near = run(app, ["explain", "lenet5", "conv22"])
    assert near.exit_code == 2
    assert "did you mean conv2?" in near.stderr
    alone = run(app, ["explain", "lenet5"])
    assert alone.exit_code == 2
    assert "archdsl explain lenet5 PATH" in alone.stderr


def test_what_does_not_train_is_said_with_its_place() -> None:
    text = """net inner {
  input 3x8x8
  conv 4 k3 as one
  conv 4 k3 -> bn as norm
}
net outer {
  input 3x8x8
  inner(freeze=[one], bn=affine) as body
  gap -> flatten -> fc 2 as head
  recipe { warmup { head lr=1 } }
}
"""
    net = archdsl.parse(text, "outer", name="a.arch")
    assert "- frozen: by body, written at a.arch:8:3" in net.explain("body.one")
    assert "- trained; its statistics stay as they are: by body, written at a.arch:8:3" in net.explain("body.norm")
    assert "frozen" not in net.explain("body.conv1")
    assert "trained" not in net.explain("head")
    staged = net.at_stage("warmup")
    assert "- frozen: in the stage warmup, written at a.arch:10:12" in staged.explain("body.conv1")
    assert "frozen" not in staged.explain("head")
