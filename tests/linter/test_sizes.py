"""Channels, flattened maps, and the order of axes."""

from __future__ import annotations

import pytest

from archdsl.linter.model import Options

from .helpers import ALL, finds, found, net, one

LARGE = "3x224x224"


@pytest.mark.parametrize(
    ("body", "finds_it"),
    [
        ("conv 30 k3 p1 -> relu -> conv 64 k3 p1 -> relu -> conv 8", True),
        ("conv 32 k3 p1 -> relu -> conv 64 k3 p1 -> relu -> conv 7", False),  # the last: so many classes
        ("conv 32 k3 p1 -> relu -> conv 30 k3 p1 g2 -> relu -> conv 64 k3 p1", False),  # in groups
        ("conv 32 k3 p1 -> relu -> conv 64 k3 p1 -> relu -> gap -> conv 30 -> relu -> conv 64", False),  # no work
    ],
)
def test_channels_are_looked_at_where_they_cost(body: str, finds_it: bool) -> None:
    assert finds("tensor-core-channels", body, LARGE) is finds_it
    assert not finds("tensor-core-channels", body, "3x16x16"), "a small network is bound by other things"
    assert not finds("tensor-core-channels", body, "3xHxW"), "who knows"


def test_the_help_names_the_multiples_on_both_sides() -> None:
    finding = one("tensor-core-channels", "conv 30 k3 p1 -> relu -> conv 64 k3 p1 -> relu -> conv 8", LARGE)
    assert finding.help == "take 24 or 32"
    few = one("tensor-core-channels", "conv 6 k9 p4 -> relu -> conv 64 k3 p1 -> relu -> conv 8", LARGE)
    assert few.help == "take 8"


def test_another_multiple_may_be_set() -> None:
    network = net("conv 24 k3 p1 -> relu -> conv 64 k3 p1 -> relu -> conv 8", LARGE)
    assert found(network) == []
    assert [each.code for each in found(network, ALL, Options(channel_multiple=16))] == ["tensor-core-channels"]


@pytest.mark.parametrize(
    ("body", "input", "finds_it"),
    [
        ("conv 3 k3 p1 g3 -> relu -> conv 8", "3x32x32", True),
        ("conv 30 k3 p1 g15 -> relu -> conv 8", "15x32x32", True),
        ("conv 16 k3 p1 g16 -> relu -> conv 8", "16x32x32", False),
        ("conv 12 k3 p1 g4 -> relu -> conv 8", "12x32x32", False),
        ("conv 3 g3 -> relu -> conv 8", "3x32x32", False),
        ("conv 4 k3 p1 -> relu -> conv 8", "1x32x32", False),
    ],
)
def test_depthwise_is_as_many_groups_as_channels(body: str, input: str, finds_it: bool) -> None:
    assert finds("narrow-depthwise", body, input) is finds_it


def test_another_number_of_channels_may_be_set() -> None:
    network = net("conv 16 k3 p1 g16 -> relu -> conv 8", "16x32x32")
    assert [each.code for each in found(network, ALL, Options(depthwise_channels=17))] == ["narrow-depthwise"]


@pytest.mark.parametrize("input", ["224x224x3", "28x28x1", "480x640x4", "16x112x112x3", "32x32x3"])
def test_colours_at_the_end_are_found(input: str) -> None:
    finding = one("channel-order", "conv 8 -> relu", input)
    *space, channels = input.split("x")
    assert finding.fix is not None
    assert finding.fix.text == "x".join([channels, *space])
    assert finding.fix.span.text == input
    assert not finds("channel-order", "conv 8 -> relu", finding.fix.text)


@pytest.mark.parametrize(
    "input",
    [
        "3x224x224",
        "1x28x28",
        "512x1x1",
        "256x4x4",
        "64x3x3",
        "20x224x5",
        "3xHxW",
        "16000x1",
        "1x16000",
        "8x8x3",
        "3x3x3",
    ],
)
def test_other_shapes_are_not(input: str) -> None:
    assert not finds("channel-order", "conv 8 -> relu", input)


# ---------------------------------------------------------------- heavy-flatten

MAP = "conv 16 k3 p1 -> relu -> pool 2"


def test_the_share_and_what_gap_would_leave_are_told() -> None:
    finding = one("heavy-flatten", f"{MAP}\nflatten -> fc 100 -> relu -> fc 10")
    first, total = 16 * 16 * 16 * 100 + 100, (3 * 9 + 1) * 16 + 16 * 16 * 16 * 100 + 100 + 1010
    assert (
        finding.message == f"the layer behind this flatten has {100 * first / total:.0f} % of the network's parameters"
    )
    assert f"{first:,} of {total:,} parameters" in finding.notes[0]
    assert finding.notes[1].endswith(f"about {first // 256:,}")


@pytest.mark.parametrize(
    "body",
    [
        f"{MAP}\nflatten -> dropout 0.5 -> fc 100 -> relu -> fc 10",
        f"{MAP}\nadaptive_avgpool 7 -> flatten -> fc 100 -> relu -> fc 10",
        f"{MAP}\nflatten as x\nx -> fc 50 as a\nx -> fc 50 as b\noutput a, b",
    ],
)
def test_what_is_flattened_is_followed(body: str) -> None:
    assert finds("heavy-flatten", body)


@pytest.mark.parametrize(
    "body",
    [
        f"{MAP}\ngap -> flatten -> fc 1000",  # one position
        f"{MAP}\nflatten -> fc 1 -> relu -> fc 10000",  # where others have more
        f"{MAP}\nflatten",
        f"{MAP} -> (conv 512 k3 p1 -> relu) x2 -> conv 8 k3 p1 -> relu -> pool 4\nflatten -> fc 10",
    ],
)
def test_a_flatten_that_is_light_is_not_found(body: str) -> None:
    assert not finds("heavy-flatten", body)


def test_another_share_may_be_set() -> None:
    network = net(f"{MAP}\nflatten -> fc 100 -> relu -> fc 10")
    assert [each.code for each in found(network, ALL, Options(flatten_share=1.0))] == []
