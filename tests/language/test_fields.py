"""Receptive fields against brute force: which inputs have a gradient, in the compiled module with positive weights."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.analyses.fields import AxisField
from archdsl.network import Network
from tests.language.specs import network

SIZE = (48, 40)


def small(lines: str, size: tuple[int, ...] = SIZE) -> Network:
    return network(f"net a {{\ninput image : 2x{'x'.join(map(str, size))}\n{lines}\n}}")


def positive(net: Network) -> torch.nn.Module:
    """The compiled module, so that every path from an input to an output has a positive weight."""
    module = net.compile().double().eval()
    with torch.no_grad():
        for weights in module.parameters():
            weights.copy_(0.5 + torch.rand(weights.shape, dtype=torch.float64))
    return module


def seen(module: torch.nn.Module, size: tuple[int, ...], output: tuple[int, ...]) -> list[tuple[int, int] | None]:
    """Along each axis the first and the last input with a gradient, from one position of the output."""
    x = torch.linspace(1, 2, 2 * math.prod(size), dtype=torch.float64).reshape(1, 2, *size).requires_grad_()
    result = module(x)
    (gradient,) = torch.autograd.grad(result[(0, slice(None), *output)].sum(), x)
    support = gradient[0].sum(0) != 0
    found: list[tuple[int, int] | None] = []
    for axis in range(len(size)):
        others = tuple(a for a in range(len(size)) if a != axis)
        indices = torch.nonzero(support.any(dim=others) if others else support).flatten().tolist()
        found.append((indices[0], indices[-1]) if indices else None)
    return found


def compare(lines: str, size: tuple[int, ...] = SIZE) -> int:
    """Checks the field of the last layer at positions whose field lies inside the input; returns how many."""
    net = small(lines, size)
    axes = net.fields[net.graph.outputs[0].value.node].axes
    assert axes is not None
    module = positive(net)
    shape = [int(extent) for extent in net.graph.tensor(net.graph.outputs[0].value).dims[1:]]
    middle = [extent // 2 for extent in shape]
    compared = 0
    for axis, (field, extent, limit) in enumerate(zip(axes, shape, size, strict=True)):
        inside = [index for index in range(extent) if lies_inside(field.at(index), limit)]
        near = len(inside) // 2  # all phases of an up-sampling are among a few that stand together
        for index in {*inside[:1], *inside[max(0, near - 5) : near + 5], *inside[-1:]}:
            position = (*middle[:axis], index, *middle[axis + 1 :])
            assert seen(module, size, position)[axis] == field.at(index), (lines, axis, index)
            compared += 1
    return compared


def lies_inside(interval: tuple[int, int] | None, limit: int) -> bool:
    return interval is None or 0 <= interval[0] <= interval[1] < limit


SPECS = [
    "conv 2 k3",
    "conv 2 k3x5 p1x2",
    "conv 2 k3 s2 p1 -> conv 2 k3 s2 p1",
    "conv 2 k3 d2 -> conv 2 k3 d1x3",
    "conv 2 k7 s2 p3 -> avgpool 3 s2 p1 -> conv 2 k3 p1 x2",
    "conv 2 k4 s3x2 -> conv 2 k2 d3x2",
    "avgpool 2 -> avgpool 3 s1",
    "conv 2 k5 p=same",
    "conv 2 k4 p=same",
    "upsample 2",
    "upsample 3 -> conv 2 k3 p1",
    "conv 2 k3 s2 p1 -> upsample 2 -> conv 2 k3 p1",
    "upsample 2 mode=bilinear",
    "upsample 4 mode=bilinear -> conv 2 k3 s2 p1",
    "avgpool 2 -> upsample 2 mode=bilinear -> conv 2 k3 p1",
    "upconv 2 k2 s2",
    "upconv 2 k4 s2 p1",
    "upconv 2 k3 s2 p1 -> conv 2 k3 s2 p1",
    "upconv 2 k5 s3 p2 d2",
    "avgpool 4 -> upconv 2 k4 s4 -> conv 2 k3 p1",
    "upconv 2 k3x2 s2x1 p1x0",
    "pad 3 -> conv 2 k3",
    "crop 2 -> conv 2 k3 s2",
    "conv 2 k3 -> pad 1 -> crop 3 -> conv 2 k3 s2",
    "( conv 2 k3 p1 | conv 2 k7 p3 ) -> add",
    "( conv 2 k1x5 p0x2 | conv 2 k5x1 p2x0 ) -> cat -> conv 2 k3 p1",
    "( id | conv 2 k3 p1 -> conv 2 k3 p1 ) -> add -> conv 2 k3 s2 p1",
    "( conv 2 k3 s2 p1 | avgpool 2 | avgpool 3 s2 p1 ) -> cat",
    "( conv 2 k3 d2 p2 | conv 2 k3 d6 p6 ) -> add",
    "( id | avgpool 2 -> conv 2 k3 p1 -> upsample 2 ) -> cat -> conv 2 k3 p1",
    "( avgpool 2 -> upconv 2 k2 s2 | avgpool 4 -> upsample 4 mode=bilinear ) -> add",
    "( crop 2 | conv 2 k5 ) -> add -> conv 2 k3",
    "conv 2 k3 p1 as e -> avgpool 2 -> conv 2 k3 p1 -> upconv 2 k2 s2 -> cat e -> conv 2 k3 p1",
    "upsample 2 -> conv 2 k2",
    "( upsample 2 -> crop 1 | conv 2 k3 -> upsample 2 -> pad 1 ) -> add",
    "( upsample 2 | upconv 2 k2 s2 -> bn ) -> add",
    "( id | upsample 2 -> avgpool 2 ) -> add",
]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel")
@pytest.mark.parametrize("lines", SPECS)
def test_the_field_is_where_the_gradient_is(lines: str) -> None:
    assert compare(lines) >= 8


@pytest.mark.parametrize("size", [(96,), (14, 12, 10)])
@pytest.mark.parametrize("lines", ["conv 2 k3 s2 p1 -> upconv 2 k2 s2 -> conv 2 k3", "avgpool 2 -> upsample 2"])
def test_maps_with_one_and_three_axes_have_fields(lines: str, size: tuple[int, ...]) -> None:
    assert compare(lines, size) > 10


def windows(padding: int) -> st.SearchStrategy[str]:
    options = (st.integers(1, 4), st.integers(1, 3), st.integers(0, padding), st.integers(1, 2))
    return st.builds("conv 2 k{} s{} p{} d{}".format, *options)


def transposed(padding: int) -> st.SearchStrategy[str]:
    options = (st.integers(2, 4), st.integers(1, 3), st.integers(0, padding), st.integers(1, 2))
    return st.builds("upconv 2 k{} s{} p{} d{}".format, *options)


def rows(items: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.lists(items, min_size=1, max_size=4).map(" -> ".join)


# What is cropped and then padded again is zeros where the rule sees inputs, and transposed convolutions and linear
# up-sampling pad at the border: what crops stands in rows of its own.
PLAIN = st.sampled_from(["avgpool 2", "avgpool 3 s1", "upsample 2", "upsample 3"])
PADDED = rows(windows(2) | transposed(0) | PLAIN | st.sampled_from(["upsample 2 mode=bilinear", "pad 2"]))
CROPPED = st.builds("{} -> {}".format, transposed(1) | st.just("crop 2"), rows(windows(0) | PLAIN | st.just("crop 1")))


def compare_if_it_fits(lines: str) -> None:
    net = archdsl.parse(f"net a {{ input 2x40\n {lines} }}")
    assume(net.ok and int(net.graph.tensor(net.graph.outputs[0].value).dims[1]) <= 400)
    compare(lines, (40,))


@settings(max_examples=40, deadline=None)
@given(PADDED | CROPPED)
def test_the_field_of_any_row_of_layers(row: str) -> None:
    compare_if_it_fits(row)


BRANCHES = st.sampled_from(["conv 2 k3 p1", "conv 2 k5 p2", "conv 2 k3 d3 p3", "id", "avgpool 2 -> upsample 2"])


@settings(max_examples=25, deadline=None)
@given(st.lists(BRANCHES, min_size=2, max_size=3), PADDED)
def test_the_field_of_a_merge_is_that_of_all_its_branches(branches: list[str], row: str) -> None:
    compare_if_it_fits(f"( {' | '.join(branches)} ) -> add -> {row}")


# ---------------------------------------------------------------- the numbers of the report


@pytest.mark.parametrize(
    ("lines", "size", "stride", "padding"),
    [
        ("relu", (1, 1), (1, 1), (0, 0)),
        ("conv 2 k3x5", (3, 5), (1, 1), (0, 0)),
        ("conv 2 k7 s2 p3 -> pool 3 s2 p1", (11, 11), (4, 4), (5, 5)),
        ("pad 3", (1, 1), (1, 1), (3, 3)),
        ("crop 3", (1, 1), (1, 1), (-3, -3)),
        ("upsample 2", (1, 1), (0.5, 0.5), (0, 0)),
        ("conv 2 k3 s2 p1 -> upsample 2", (3, 3), (1, 1), (1, 1)),
    ],
)
def test_size_stride_and_padding(lines: str, size: object, stride: object, padding: object) -> None:
    field = small(lines).report().layers[-1].field
    assert field is not None
    assert (field.size, field.stride, field.padding) == (size, stride, padding)


@pytest.mark.parametrize(("name", "size", "stride"), [("alexnet", 195, 32), ("vgg16", 212, 32), ("resnet50", 427, 32)])
def test_published_fields(name: str, size: int, stride: int) -> None:
    # Araujo, Norris and Sim, Distill 2019, for AlexNet and VGG-16. Their ResNet-50 strides in the last unit of a stage
    # (483); torchvision's in the first: 7 + 2*2, then 3 * 2*4, 2*4 + 3 * 2*8, 2*8 + 5 * 2*16, 2*16 + 2 * 2*32.
    local = [field.axes for field in archdsl.load(name).fields if field.axes and field.everywhere is None]
    assert [axis.size for axis in local[-1]] == [size] * 2
    assert [axis.stride for axis in local[-1]] == [stride] * 2


def test_branches_of_other_strides_have_no_common_field() -> None:
    assert small("( conv 2 k2 s2 | crop 12x10 ) -> add").fields[-1].axes is None
    assert small("( conv 2 k2 s2 | crop 12x10 ) -> add -> conv 2 k3").fields[-1].axes is None


@pytest.mark.parametrize(
    ("lines", "cause", "local"),
    [
        ("conv 2 k3 -> gap", "gap1", False),
        ("conv 2 k3 -> flatten -> fc 4", "flatten1", False),
        ("conv 2 k3\n( id | gap -> conv 2 k1 ) -> mul", "gap1", True),
        ("conv 2 k3 -> groupnorm 1", "groupnorm1", True),
    ],
)
def test_a_layer_by_which_the_whole_input_has_its_say(lines: str, cause: str, local: bool) -> None:
    field = small(lines).fields[-1]
    assert field.everywhere == cause
    assert (field.axes is not None) is local
    if local:
        assert [axis.size for axis in field.axes or ()] == [3, 3]
        module = positive(small(lines, (12, 10))).train()
        assert seen(module, (12, 10), (5, 5)) == [(0, 11), (0, 9)]


def test_a_phase_that_sees_nothing_is_none() -> None:
    net = small("upconv 2 k1 s2")
    axes = net.fields[-1].axes
    assert axes is not None
    assert axes[0] == AxisField(2, 1, ((0, 0), None))
    assert (axes[0].size, axes[0].padding, axes[0].at(4), axes[0].at(5)) == (1, 0, (2, 2), None)
    assert axes[0].over(1, 3, 2) is None
    assert axes[0].over(1, 4) == (1, 2)
    assert seen(positive(net), SIZE, (5, 4))[0] is None


def test_too_many_phases_are_given_up() -> None:
    lines = "upsample 61 -> upsample 67 -> upsample 71"
    assert network(f"net a {{ input 2x8\n {lines} }}").fields[-1].axes is None
    assert network(f"net a {{ input 2x8\n {lines} -> conv 2 k3 }}").fields[-1].axes is None


def test_more_fields_of_phases() -> None:
    # Phases that do not meet in one step keep one interval each, and a layer without a position ends the field.
    up = small("upsample 2 -> conv 2 k2")
    axes = up.fields[-1].axes
    assert axes is not None
    assert (axes[0].period, axes[0].size, axes[0].stride) == (2, 2, 0.5)
    by_maximum, by_mean = (small(f"( id | upsample 2 -> {pool} 2 ) -> add") for pool in ("pool", "avgpool"))
    assert by_maximum.fields[-1].axes == by_mean.fields[-1].axes
    assert small("( upsample 2 | conv 2 k3 p1 -> upsample 2 x2 -> crop 48x40 ) -> add").fields[-1].axes is None
