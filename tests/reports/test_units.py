"""What a unit sees: against what reaches it in torch, path by path, and tile by tile."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

import archdsl
from archdsl.analyses.fields import POINT, AxisField, through
from archdsl.analyses.units import seeing
from archdsl.cli.app import app
from archdsl.diagrams.region import draw_region
from archdsl.network import Network
from archdsl.reports.units import LayerField

pytestmark = pytest.mark.usefixtures("one_thread")


def reached(network: Network, path: str, at: tuple[int, ...], spot: tuple[int, ...]) -> bool:
    """Whether what stands at a place of the input reaches a unit: it is no number, and nor is the unit then."""
    model = network.compile().eval()
    (port,) = network.graph.inputs
    x = torch.rand(1, *port.tensor.dims)  # type: ignore[arg-type]
    x[(0, slice(None), *spot)] = float("nan")
    seen: list[torch.Tensor] = []
    model.get_submodule(path).register_forward_hook(lambda module, given, output: seen.append(output))
    with torch.no_grad():
        model(x)
    return bool(seen[0][(0, slice(None), *at)].isnan().any())


@pytest.mark.parametrize(
    ("name", "shape", "path", "at"),
    [
        ("resnet18", "3x96x80", "layer2.1.conv2", (5, 4)),
        ("resnet18", "3x96x80", "layer2.1.conv2", (0, 9)),
        ("resnet50", "3x128x128", "layer3.0.conv3", (2, 7)),
        ("unet", "3x64x64", "up3.double1.conv2", (9, 14)),
        ("mobilenet_v2", "3x96x96", "features.6.conv.1.0", (3, 11)),
        ("autoencoder", None, "decoder.2", (13, 8)),
        ("m5", "1x4096", "conv3", (20,)),
        ("deeplabv3_resnet50", "3x96x96", "backbone.layer3.1.conv2", (6, 6)),
    ],
)
def test_a_unit_sees_its_box_and_not_what_is_beside_it(
    name: str, shape: str | None, path: str, at: tuple[int, ...]
) -> None:
    network = archdsl.load(name, input=shape)
    unit = network.field(path, at).unit
    assert unit is not None
    inside = [box.inside for box in unit.boxes]
    assert None not in inside
    spots = [each for each in inside if each is not None]
    middle = [(first + last) // 2 for first, last in spots]
    for axis, ((first, last), box) in enumerate(zip(spots, unit.boxes, strict=True)):
        for place, expected in ((first, True), (last, True), (first - 1, False), (last + 1, False)):
            if 0 <= place < box.size:
                spot = (*middle[:axis], place, *middle[axis + 1 :])
                assert reached(network, path, at, spot) is expected, (axis, place)


def test_the_share_of_padding_is_counted() -> None:
    """A window of 3 at a corner has 5 of its 9 positions outside; two of them, 25 less 9 of 25."""
    net = archdsl.parse("net a {\n input 1x8x8\n conv 1 k3 p1 as one -> conv 1 k3 p1 as two\n}")
    for path, share in (("one", 5 / 9), ("two", 16 / 25)):
        unit = net.field(path, (0, 0)).unit
        assert unit is not None
        assert unit.padding == pytest.approx(share)
    inner = net.field("two").unit
    assert inner is not None
    assert (inner.at, inner.padding) == ((4, 4), 0)


# ---------------------------------------------------------------- paths


def every_path(network: Network, node: int, axis: int) -> Iterator[AxisField]:
    """The fields of all paths from the input to a node."""
    graph = network.graph
    here = graph.nodes[node]
    if not here.inputs:
        yield POINT
        return
    geometries = graph.applied[node].reach.axes
    for value in seeing(graph, here):
        for before in every_path(network, value.node, axis):
            behind = before if geometries is None else through(before, geometries[axis])
            if behind is not None:
                yield behind


@pytest.mark.parametrize(
    ("name", "shape", "path"),
    [
        ("resnet18", None, "layer4.1.conv2"),
        ("googlenet", None, "inception4b.cat1"),
        ("unet", "3x64x64", "mask"),
        ("unet_valid", None, "mask"),
        ("densenet121", None, "features.denseblock1.denselayer6.conv2"),
    ],
)
def test_the_smallest_and_the_largest_are_those_of_all_paths(name: str, shape: str | None, path: str) -> None:
    network = archdsl.load(name, input=shape)
    node = next(node for node in network.graph.nodes if node.path == path)
    sizes = [each.size for each in every_path(network, node.index, 0)]
    found = network.field(path)
    assert found.smallest[0].size == min(sizes)
    assert found.largest[0].size == max(sizes)
    assert found.field is not None
    assert found.field.size[0] >= max(sizes)
    assert found.smallest[0].layers[-1] == found.largest[0].layers[-1] == path


def test_a_u_net_sees_little_by_its_first_skip() -> None:
    """Two convolutions of 3 before the skip and two behind it: 1 + 4*2."""
    found = archdsl.load("unet", input="3x64x64").field("up4.double1.conv2")
    assert found.smallest[0].size == 9
    assert "e1.conv2" in found.smallest[0].layers
    assert "pool1" not in found.smallest[0].layers
    assert "pool4" in found.largest[0].layers


# ---------------------------------------------------------------- branches and tiles


def test_branches_that_look_at_different_places_are_named() -> None:
    """A pool of 2 looks half a position further on than a convolution of 1 or 3 with the same stride."""
    net = archdsl.parse("net a {\n input 4x16x16\n ( conv 4 k3 s2 p1 | avgpool 2 -> conv 4 ) -> add\n}")
    (height, width) = net.field("add1").shifts
    assert (height.at, height.first, height.second, height.by) == ("add1", "conv1", "conv2", 0.5)
    assert width.axis == 1
    assert archdsl.load("resnet50").field("layer4.2.relu3").shifts == ()


@pytest.mark.parametrize(
    ("name", "shape", "path"),
    [("unet", "3x320x320", "mask"), ("resnet18", "3x320x320", "layer2.1.relu2"), ("m5", "1x8000", "conv3")],
)
def test_tiles_join_without_a_seam(name: str, shape: str, path: str) -> None:
    network = archdsl.load(name, input=shape)
    tiles = network.field(path).tiles
    tensor = network.graph.inputs[0].tensor
    torch.manual_seed(0)
    model = network.compile().eval().double()
    x = torch.rand(1, *tensor.dims).double()  # type: ignore[arg-type]

    class ReachedError(Exception):
        pass

    def run(image: torch.Tensor) -> torch.Tensor:
        seen: list[torch.Tensor] = []

        def stop(module: torch.nn.Module, given: object, output: torch.Tensor) -> None:
            seen.append(output)
            raise ReachedError

        hook = model.get_submodule(path).register_forward_hook(stop)
        with torch.no_grad(), pytest.raises(ReachedError):
            model(image)
        hook.remove()
        return seen[0]

    whole = run(x)
    tile = tiles[0]
    back = -(-tile.before // tile.multiple) * tile.multiple  # so far back that tiles begin at a multiple
    first, last = 2 * tile.multiple + back, 4 * tile.multiple + back
    stop = min(last + tile.after + tile.multiple, x.shape[-1]) // tile.multiple * tile.multiple
    assert stop - tile.after >= last, "the example is too small"
    cut = [slice(None), slice(None), *(slice(first - back, stop) for _ in tensor.space)]
    part = run(x[tuple(cut)])
    steps = [slice(first // tile.multiple * tile.gives, last // tile.multiple * tile.gives) for _ in tensor.space]
    inner = [slice(back // tile.multiple * tile.gives, (back + last - first) // tile.multiple * tile.gives)] * len(
        steps
    )
    ours, wanted = part[(..., *inner)], whole[(..., *steps)]
    assert ours.shape == wanted.shape
    assert torch.allclose(ours, wanted, rtol=0, atol=1e-12)
    short = run(x[(..., *(slice(first - back + tile.multiple * (1 + back // tile.multiple), stop) for _ in steps))])
    assert not torch.allclose(
        short[(..., *(slice(0, tile.gives) for _ in steps))], ours[(..., *(slice(0, tile.gives) for _ in steps))]
    )


# ---------------------------------------------------------------- what is shown


def test_the_command_prints_text_and_json() -> None:
    run = CliRunner().invoke
    text = run(app, ["field", "resnet50", "layer4.2.conv3", "--at", "3,0"]).stdout
    assert "  field     427, stride 32, padding 213\n" in text
    assert "    rows       0 to 223 of 224; with padding -117 to 309\n" in text
    found = LayerField.model_validate_json(run(app, ["field", "resnet50", "layer1.0.conv2", "--format", "json"]).stdout)
    assert found == archdsl.load("resnet50").field("layer1.0.conv2")
    assert json.loads(found.model_dump_json())["schema_version"] == "1.0"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["resnet50", "layer9"], "did you mean"),
        (["resnet50", "conv1", "--at", "112,0"], "no unit at 112,0: it gives 112x112"),
        (["resnet50", "conv1", "--at", "1"], "no unit at 1"),
        (["resnet50", "conv1", "--at", "1;2"], "write it like 3,5"),
        (["resnet50", "fc", "--at", "1"], "no units with a place"),
        (["unet", "mask", "--at", "1,1"], "--input gives open sizes"),
    ],
)
def test_what_is_not_there_is_said(arguments: list[str], said: str) -> None:
    found = CliRunner().invoke(app, ["field", *arguments])
    assert found.exit_code == 2
    assert said in found.stderr.replace("\n", " ").replace("│", "").replace("  ", " ")


def test_a_module_is_what_flows_out_of_it() -> None:
    net = archdsl.load("resnet18")
    assert net.field("layer2", (3, 5)) == net.field("layer2.1.relu2", (3, 5))


def test_what_sees_all_says_by_what() -> None:
    assert "the whole input has its say, by avgpool" in CliRunner().invoke(app, ["field", "resnet50", "fc"]).stdout


def test_the_picture_is_in_proportion(tmp_path: Path) -> None:
    network = archdsl.load("resnet18")
    dot = draw_region(network, "layer2.0.conv1", tmp_path / "a.dot", (0, 27)).read_text(encoding="utf-8")
    assert "layer2.0.conv1 at 0,27" in dot
    assert "sees 51x51 of 224x224" in dot
    assert dot.count("padding that it sees") == dot.count("what it sees of it") == 1
    inside = draw_region(network, "conv1", tmp_path / "d.dot").read_text(encoding="utf-8")
    assert "what it sees of it" in inside
    assert "padding that it sees" not in inside
    svg = CliRunner().invoke(app, ["draw", "resnet18", "--field", "layer2.0.conv1", "-o", str(tmp_path / "a.svg")])
    assert svg.exit_code == 0, svg.stderr
    assert (tmp_path / "a.svg").read_text(encoding="utf-8").count("<polygon") >= 3
    with pytest.raises(archdsl.ArchError, match="no place in the input"):
        draw_region(network, "fc", tmp_path / "b.svg")
    line = archdsl.load("m5")
    assert draw_region(line, "conv2", tmp_path / "c.dot").read_text(encoding="utf-8").count('height="0.5000"') == 3
