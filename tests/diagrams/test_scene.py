from __future__ import annotations

from collections import Counter

import pytest

import archdsl
from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import READABLE, Box, Cluster, Scene, scene
from archdsl.layers.text import layer_text
from archdsl.network import Network

from . import specs

NETWORKS = {
    "lenet5": lambda: archdsl.parse(specs.LENET),
    "unet": lambda: archdsl.parse(specs.UNET),
    "two_stream": lambda: archdsl.parse(specs.TWO),
    "siamese": lambda: archdsl.parse(specs.SIAM),
    "resnet18": lambda: archdsl.load("resnet18"),
    "resnet152": lambda: archdsl.load("resnet152"),
}


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    return NETWORKS[request.param]().checked()


def small(body: str) -> Network:
    return archdsl.parse(f"net small {{\n  input 8x32x32\n{body}\n}}").checked()


def clusters(drawn: Scene) -> list[Cluster]:
    def walk(parts: tuple[Box | Cluster, ...]) -> list[Cluster]:
        return [c for part in parts if isinstance(part, Cluster) for c in (part, *walk(part.parts))]

    return walk(drawn.parts)


def titles(drawn: Scene) -> list[tuple[str, int]]:
    return [(box.title, box.repeat) for box in drawn.boxes()]


@pytest.mark.parametrize("depth", [None, 0, 1, 2, 9])
def test_every_layer_is_drawn_exactly_once_at_every_depth(network: Network, depth: int | None) -> None:
    drawn = scene(network, depth)
    covered = Counter(n for box in drawn.boxes() for n in box.nodes)
    assert covered == Counter(node.index for node in network.graph.nodes)
    assert sum(box.cost.parameters for box in drawn.boxes()) == network.totals.parameters == drawn.cost.parameters


@pytest.mark.parametrize("depth", [None, 0, 1, 2, 9])
def test_one_copy_times_the_repeats_around_it_is_the_total(network: Network, depth: int | None) -> None:
    def total(parts: tuple[Box | Cluster, ...], times: int) -> int:
        result = 0
        for part in parts:
            copies = times * part.repeat
            if isinstance(part, Cluster):
                result += total(part.parts, copies)
            else:
                assert len(part.nodes) % copies == 0
                one = part.nodes[: len(part.nodes) // copies]
                result += copies * sum(network.counts[n].parameters for n in one)
        return result

    assert total(scene(network, depth).parts, 1) == network.totals.parameters


@pytest.mark.parametrize("depth", [None, 0, 1, 9])
def test_edges_join_boxes_and_every_box_is_reached(network: Network, depth: int | None) -> None:
    drawn = scene(network, depth)
    boxes = {box.id: box for box in drawn.boxes()}
    assert len(boxes) == len([*drawn.boxes()])
    assert {e.target for e in drawn.edges} == {i for i, box in boxes.items() if box.kind != "input"}
    assert all(e.source in boxes and e.source != e.target for e in drawn.edges)


def test_resnet152_stays_readable_and_opens_every_block() -> None:
    drawn = scene(archdsl.load("resnet152"))
    assert sum(1 for _ in drawn.boxes()) <= READABLE
    folded = {c.title: c.repeat for c in clusters(drawn) if c.repeat > 1}
    assert folded == {"layer1.1–2": 2, "layer2.1–7": 7, "layer3.1–35": 35, "layer4.1–2": 2}


def test_depth_0_closes_every_module_and_shows_its_call_and_totals() -> None:
    drawn = scene(archdsl.parse(specs.TWO), 0)
    motion = next(box for box in drawn.boxes() if box.title == "motion")
    assert (motion.kind, motion.lines, motion.shape) == ("module", ("trunk(64)",), "128x56x56")
    assert motion.cost.parameters == sum(
        r.parameters for r in archdsl.parse(specs.TWO).report().layers if r.path.startswith("motion.")
    )


def test_a_negative_depth_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least 0"):
        scene(archdsl.load("resnet18"), -1)


def test_conv_bn_relu_stand_in_one_box() -> None:
    boxes = [*scene(small("conv 16 k3 -> bn -> relu -> pool 2")).boxes()]
    assert [(b.title, b.lines) for b in boxes[1:3]] == [("conv 16 k3", ("bn", "relu")), ("pool 2", ())]


def test_a_value_with_two_consumers_ends_its_box() -> None:
    drawn = scene(small("conv 8 as a -> bn -> relu -> add a"))
    assert [(b.title, b.lines) for b in drawn.boxes()][1:3] == [("conv 8", ()), ("bn", ("relu",))]


def test_equal_layers_in_a_row_are_folded() -> None:
    assert titles(scene(small("(conv 8 k3 p1 -> relu) x5")))[1] == ("conv 8 k3 p1", 5)


def test_layers_that_differ_in_shape_are_not_folded() -> None:
    assert [t for t in titles(scene(small("(conv 16 k3 p1 -> relu) x3"))) if t[0].startswith("conv")] == [
        ("conv 16 k3 p1", 1),
        ("conv 16 k3 p1", 2),
    ]


def test_a_copy_whose_value_is_read_elsewhere_is_not_folded() -> None:
    drawn = scene(small("conv 8 k3 p1 as a\nconv 8 k3 p1 as b\nconv 8 k3 p1 as c\nadd a"))
    assert [t for t in titles(drawn) if t[0].startswith("conv")] == [("conv 8 k3 p1", 1), ("conv 8 k3 p1", 2)]


def test_folds_in_folds_multiply() -> None:
    text = """
    block inner { conv 8 k3 p1 -> relu -> pool 3 s1 p1 }
    block outer { inner x2 -> add in -> relu }
    net n { input 8x16x16
      outer x3 }
    """
    drawn = scene(archdsl.parse(text).checked(), 9)
    assert [(c.title, c.repeat) for c in clusters(drawn)] == [("outer1–3", 3), ("inner1–2", 2)]
    conv = next(box for box in drawn.boxes() if box.title.startswith("conv"))
    assert len(conv.nodes) == 2 * 3 * 2


def test_the_second_use_of_a_shared_module_is_marked_and_costs_no_parameters() -> None:
    first, second = clusters(scene(archdsl.parse(specs.SIAM)))
    assert (first.note, second.note) == ("", "shared")
    assert second.cost.parameters == 0 < first.cost.parameters


def test_shapes_stand_on_edges_only_where_they_change() -> None:
    drawn = scene(small("conv 8 k3 p1 -> relu -> conv 16 k3 s2 p1 -> pool 2"))
    assert [edge.shape for edge in drawn.edges] == ["", "", "16x16x16", ""]


def test_an_output_for_training_says_so() -> None:
    drawn = scene(small("conv 8 as a -> conv 4 as b\noutput b\noutput a when training"))
    assert [(b.title, b.note) for b in drawn.boxes() if b.kind == "output"] == [("b", ""), ("a", "when training")]


@pytest.mark.parametrize(
    "text",
    [
        "conv 16 k3 s2 p1",
        "conv 8 k1x7 g8",
        "conv 8 k3 p=same",
        "pool 3 s2",
        "relu",
        "dropout 0.25",
        "upsample 2 mode=bilinear",
    ],
)
def test_a_layer_is_written_as_in_the_language(text: str) -> None:
    network = small(text)
    assert layer_text(network.graph.nodes[1].layer) == text


PARTS = """
block unit(c) { conv c k3 p1 -> bn -> relu }
net inner {
  input 8x32x32
  unit(8) x4 as units[]
}
net outer {
  input 8x32x32
  inner(freeze=["units.0", "units.1"]) as body
  conv 4 k1 as head
}
"""


def test_frozen_copies_are_not_drawn_with_those_that_train() -> None:
    drawn = scene(archdsl.parse(PARTS, "outer").checked(), depth=2)
    assert [(box.path, box.repeat, box.cost.is_frozen) for box in drawn.boxes() if box.kind != "input"] == [
        ("body.units.0", 2, True),
        ("body.units.2", 2, False),
        ("head", 1, False),
        ("head", 1, False),
    ]


def test_only_the_outermost_part_says_that_it_is_frozen() -> None:
    text = dot(scene(archdsl.parse(PARTS.replace('["units.0", "units.1"]', "yes"), "outer").checked(), depth=3))
    assert text.count(">frozen<") == 1
    assert dot(scene(archdsl.parse(PARTS, "outer").checked(), depth=3)).count(">frozen<") == 1
    assert ">frozen<" not in dot(scene(archdsl.load("resnet18")))


def test_edges_have_the_formulas_of_open_sizes_where_they_are_short() -> None:
    text = "net a {\n  input 3xHxW\n  conv 8 k3 s2 p1 -> conv 8 k3 s2 p1 -> conv 8\n}\n"
    assert [edge.shape for edge in scene(archdsl.parse(text)).edges if edge.shape] == [
        "8 x ceil(H/2) x ceil(W/2)",
        "8 x ceil(H/4) x ceil(W/4)",
    ]
    long = text.replace("s2 p1 -> conv 8\n", "s2 -> upsample 2 -> conv 8 k3 -> conv 9\n")
    shapes = [edge.shape for edge in scene(archdsl.parse(long)).edges if edge.shape]
    assert "8x?x?" in shapes
