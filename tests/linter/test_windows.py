"""What windows leave out, never use and cover unevenly: against lists of every position, and against torch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archdsl.layers import TransposedWindow, Window
from archdsl.linter.taps import used_taps

from .helpers import finds, net, one


def positions_seen(body: str, input: str) -> torch.Tensor:
    """For each position of the input whether the result changes with it: the support of a gradient."""
    module = net(body, input).compile().double()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    x = (1 + torch.rand(1, *map(int, input.split("x")), dtype=torch.float64)).requires_grad_()
    module(x).sum().backward()
    assert x.grad is not None
    return x.grad[0].abs().sum(0) > 0


# ---------------------------------------------------------------- dropped-pixels


@pytest.mark.parametrize("size", range(7, 20))
@pytest.mark.parametrize(
    "layer", ["avgpool 2", "avgpool 3 s2", "conv 4 k3 s2 p1", "conv 4 k5 s3", "avgpool 2 ceil=yes"]
)
def test_what_is_dropped_is_what_has_no_gradient(layer: str, size: int) -> None:
    seen = positions_seen(layer, f"1x{size}x{size}").any(1)
    assert finds("dropped-pixels", layer, f"1x{size}x{size}") is not bool(seen.all())
    if not seen.all():
        unseen = int((~seen).sum())
        finding = one("dropped-pixels", layer, f"1x{size}x{size}")
        assert f"the last {unseen} of {size} positions" in finding.message
        assert not seen[-unseen:].any()


def test_one_axis_is_named_where_only_it_is_cut() -> None:
    assert one("dropped-pixels", "pool 2", "1x8x9").message.endswith("the last 1 of 9 positions along width")
    assert one("dropped-pixels", "pool 4", "1x10").message.endswith("the last 2 of 10 positions along length")


def test_the_sizes_of_the_help_fit() -> None:
    finding = one("dropped-pixels", "conv 4 k5 s3", "1x19x19")
    assert finding.help is not None
    for size in ("17", "20"):
        assert size in finding.help
        assert not finds("dropped-pixels", "conv 4 k5 s3", f"1x{size}x{size}")


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("( pool 2 | avgpool 3 s2 p1 -> crop 0x1x0x1 ) -> add", "3x9x9"),
        ("pool 2", "3xHxW"),
        ("pool 3 s2 p1", "3x9x9"),
        ("conv 4 as x -> pool 2 as y\noutput x, y", "3x9x9"),
    ],
)
def test_what_is_seen_otherwise_or_open_is_not_found(body: str, input: str) -> None:
    network = net(body.replace("crop 0x1x0x1", "crop [0, 1, 0, 1]"), input)
    assert "dropped-pixels" not in [finding.code for finding in network.lint()]


# ---------------------------------------------------------------- stride-over-kernel


@pytest.mark.parametrize("kernel", [1, 2, 3])
@pytest.mark.parametrize("stride", [1, 2, 3, 4])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
def test_gaps_are_positions_without_gradient(kernel: int, stride: int, dilation: int) -> None:
    body = f"conv 1 k{kernel} s{stride} d{dilation}"
    seen = positions_seen(body, "1x48")
    inner = seen[12:36]  # away from both ends, a multiple of all strides
    assert finds("stride-over-kernel", body, "1x48") is not bool(inner.all())
    if not inner.all():
        share = f"{one('stride-over-kernel', body, '1x48').message.split()[3]}"
        top, bottom = map(int, share.split("/"))
        assert int((~inner).sum()) * bottom == top * len(inner)


def test_a_shortcut_is_not_found_where_the_other_branch_sees_all() -> None:
    assert not finds("stride-over-kernel", "( conv 8 k3 s2 p1 -> relu | conv 8 k1 s2 ) -> add")
    assert finds("stride-over-kernel", "( conv 8 k1 s2 -> relu | conv 8 k1 s2 ) -> add")


def test_the_two_halves_of_a_factorized_reduction_see_all_together() -> None:
    halves = "( conv 4 k1 s2 | crop [1, 0, 1, 0] -> pad [0, 1, 0, 1] -> conv 4 k1 s2 ) -> cat"
    assert not finds("stride-over-kernel", "relu -> " + halves)


@pytest.mark.parametrize(("size", "share"), [(2, "1/2"), (3, "2/3"), (4, "3/4"), (5, "3/4")])
def test_where_there_is_one_window_it_sees_what_it_sees(size: int, share: str) -> None:
    assert f"never sees {share} of" in one("stride-over-kernel", "conv 8 k1 s4", f"3x{size}").message


@pytest.mark.parametrize(("body", "input"), [("conv 8 k1 s2", "3x1x1"), ("conv 8 k1 s2", "3xHxW"), ("pool 2", "3x8x8")])
def test_what_has_no_gaps_is_not_found(body: str, input: str) -> None:
    assert not finds("stride-over-kernel", body, input)


# ---------------------------------------------------------------- unused-taps


def listed(window: Window | TransposedWindow, size: int) -> list[int]:
    """The taps that meet something, by going through every window."""
    output = window.output(size)
    assert isinstance(output, int)
    taps = []
    for tap in range(window.kernel):
        if isinstance(window, Window):
            met = [i * window.stride - window.before + window.dilation * tap for i in range(output)]
            inside = size
        else:
            met = [i * window.stride - window.padding + window.dilation * tap for i in range(size)]
            inside = output
        if any(0 <= at < inside for at in met):
            taps.append(tap)
    return taps


@given(
    st.builds(Window, *(st.integers(1, 9), st.integers(1, 5), st.integers(0, 9), st.integers(0, 9), st.integers(1, 6))),
    st.integers(1, 20),
)
def test_used_taps_are_those_of_a_list_of_all_windows(window: Window, size: int) -> None:
    output = window.output(size)
    if isinstance(output, int) and output > 0:
        assert list(used_taps(window, size).used) == listed(window, size)


@given(
    st.builds(
        TransposedWindow,
        *(st.integers(1, 9), st.integers(1, 5), st.integers(0, 6), st.integers(0, 3), st.integers(1, 4)),
    ),
    st.integers(1, 12),
)
def test_used_taps_of_a_transposed_convolution_are_those_of_a_list(window: TransposedWindow, size: int) -> None:
    output = window.output(size)
    if isinstance(output, int) and output > 0:
        assert list(used_taps(window, size).used) == listed(window, size)


CASES = [
    ("conv 4 k3 p1", "2x1x1"),
    ("conv 4 k7 p3", "2x3x3"),
    ("conv 4 k3 p36 d36", "2x33x33"),
    ("conv 4 k5 s2 p2", "2x2x9"),
    ("conv 4 k3 p2 d2", "2x2"),
    ("conv 4 k3 p1", "2x2x2x2"),
    ("upconv 4 k4 s2 p1", "2x1x1"),
    ("conv 4 k3 p1", "2x2x2"),
    ("conv 4 k3 p36 d36", "2x65x65"),
    ("upconv 4 k4 s2 p1", "2x2x2"),
    ("conv 4 k3 p1 g2", "2x1x1"),
]


@pytest.mark.parametrize(("body", "input"), CASES)
def test_unused_weights_are_those_without_a_gradient(body: str, input: str) -> None:
    torch.manual_seed(0)
    module = net(body, input).compile().double()
    module(1 + torch.rand(2, *map(int, input.split("x")), dtype=torch.float64)).sum().backward()
    weight = next(module.parameters())
    assert weight.grad is not None
    idle = int((weight.grad == 0).sum())
    assert finds("unused-taps", body, input) is (idle > 0)
    if idle:
        assert one("unused-taps", body, input).notes[0].startswith(f"so {idle:,} of its {weight.numel():,} weights")


@pytest.mark.parametrize(
    ("body", "input", "smaller"), [("conv 4 k7 p3", "2x3x3", "k5 p2"), ("conv 4 k3 p36 d36", "2x33x33", "k1 p0")]
)
def test_the_smaller_kernel_of_the_help_computes_the_same(body: str, input: str, smaller: str) -> None:
    assert one("unused-taps", body, input).help == f"`{smaller}` does the same"
    large = net(body, input).compile().double()
    small = net(f"conv 4 {smaller}", input).compile().double()
    state = large.state_dict()
    cut = (state["conv1.weight"].shape[-1] - small.state_dict()["conv1.weight"].shape[-1]) // 2
    state["conv1.weight"] = state["conv1.weight"][:, :, cut:-cut, cut:-cut]
    small.load_state_dict(state)
    x = torch.rand(2, *map(int, input.split("x")), dtype=torch.float64)
    torch.testing.assert_close(large(x), small(x))


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("conv 4 k3 p1 padding_mode=replicate", "2x1x1"),
        ("conv 4 k3 p1", "2xHxW"),
        ("conv 4 k7 p3", "2x4x4"),
        ("pool 3 s1 p1", "2x1x1"),
    ],
)
def test_taps_that_meet_something_or_perhaps_do_are_not_found(body: str, input: str) -> None:
    assert not finds("unused-taps", body, input)


def test_a_shared_kernel_is_used_where_one_of_its_uses_needs_it() -> None:
    shared = "share c = conv 2 k3 p1\nrelu as x -> pool 5 -> c as a\n"
    assert finds("unused-taps", shared + "a -> c", "2x5x5")
    assert not finds("unused-taps", shared + "x -> c -> pool 5 as b\n(a | b) -> add", "2x5x5")


# ---------------------------------------------------------------- checkerboard


@pytest.mark.parametrize("kernel", range(1, 7))
@pytest.mark.parametrize("stride", range(1, 5))
@pytest.mark.parametrize("dilation", [1, 2])
def test_a_checkerboard_is_what_ones_give(kernel: int, stride: int, dilation: int) -> None:
    """A kernel of ones over a map of ones counts how often each output is covered."""
    body = f"upconv 1 k{kernel} s{stride} d{dilation} bias=no"
    module = net(body, "1x60").compile()
    for parameter in module.parameters():
        torch.nn.init.ones_(parameter)
    with torch.no_grad():
        inner = module(torch.ones(1, 1, 60))[0, 0, 24:36]
    assert finds("checkerboard", body, "1x60") is (len(set(inner.tolist())) > 1)
    if kernel % stride == 0 and dilation == 1:
        assert not finds("checkerboard", body, "1x60")


def test_the_kernel_of_the_help_is_even() -> None:
    finding = one("checkerboard", "upconv 8 k5 s3", "4x8x8")
    assert finding.help is not None
    assert "k6" in finding.help
    assert "2, 2 and 1 taps" in finding.notes[0]
    assert not finds("checkerboard", "upconv 8 k6 s3", "4x8x8")
    assert not finds("checkerboard", "upsample 2 -> conv 8 k3 p1", "4x8x8")
