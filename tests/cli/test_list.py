"""archdsl list: every network that ships, with what it costs, and those that are asked for."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import pytest

import archdsl

from .conftest import Run


def listed(run: Run, *arguments: str) -> list[dict[str, Any]]:
    ran = run("list", *arguments, "--format", "json")
    assert ran.code == 0
    found: list[dict[str, Any]] = json.loads(ran.out)
    return found


def names(run: Run, *arguments: str) -> set[str]:
    return {each["name"] for each in listed(run, *arguments)}


def test_every_network_that_ships_is_listed_once(run: Run) -> None:
    assert sorted(each["name"] for each in listed(run)) == sorted(archdsl.shipped_networks())


def test_a_row_has_the_figures_of_the_paper(run: Run) -> None:
    """ResNet-50 has 25.6 million parameters and 4.09 G multiplications (torchvision), and a field of 427 (Distill)."""
    (row,) = [line for line in run("list").out.splitlines() if line.startswith("resnet50 ")]
    assert row.split()[1:10] == ["resnet", "25.6", "M", "4.09", "G", "427", "/32", "3x224x224", "2015"]
    assert row.endswith("Deep Residual Learning for Image Recognition")


def test_what_is_not_known_is_no_number(run: Run) -> None:
    (unet,) = (each for each in listed(run) if each["name"] == "unet")
    assert (unet["input"], unet["macs"]) == ("3xHxW", None)
    assert "unet" not in names(run, "--max-macs", "1T")
    assert "unet" in names(run, "--max-params", "32M")


@pytest.mark.parametrize(
    ("arguments", "some", "none"),
    [
        (["--max-params", "5M"], {"mobilenet_v2", "squeezenet1_1"}, {"resnet18", "vgg16"}),
        (["--min-params", "500M"], {"vit_h_14", "regnet_y_128gf"}, {"vit_l_16"}),
        (["--max-macs", "300.8M", "--min-macs", "300M"], {"mobilenet_v2"}, {"resnet18", "shufflenet_v2_x1_0"}),
        (["--min-field", "427"], {"resnet50"}, {"vgg16", "lenet5"}),
        (["--since", "2021"], {"convnext_tiny", "swin_t"}, {"resnet50", "simplecnn_a"}),
        (["swin", "v2"], {"swin_v2_t"}, {"swin_t", "efficientnet_v2_s"}),
        (["residual learning"], {"resnet50"}, {"vgg16"}),
    ],
)
def test_networks_are_chosen_by_what_they_are(run: Run, arguments: list[str], some: set[str], none: set[str]) -> None:
    found = names(run, *arguments)
    assert some <= found
    assert not none & found


def test_the_order_is_by_what_is_asked_for(run: Run) -> None:
    for by, field in (("params", "parameters"), ("macs", "macs"), ("year", "year"), ("name", "name")):
        values = [each[field] for each in listed(run, "--sort", by) if each[field] is not None]
        assert values == sorted(values)
        assert len(values) > 80
    sizes = [min(each["field"]["size"]) for each in listed(run, "--sort", "field") if each["field"]]
    assert sizes == sorted(sizes)


def test_nothing_found_is_said(run: Run) -> None:
    assert run("list", "transmogrifier").out == "no network that ships is like that\n"
    assert listed(run, "transmogrifier") == []


def test_a_table_for_a_spreadsheet(run: Run) -> None:
    rows = {row["name"]: row for row in csv.DictReader(io.StringIO(run("list", "resnet50", "--format", "csv").out))}
    assert rows["resnet50"]["parameters"] == "25557032"
    assert (rows["resnet50"]["field"], rows["resnet50"]["stride"]) == ("427", "32")


@pytest.mark.parametrize("number", ["much", "5m", "-3", "1e999", "5 M"])
def test_an_amount_is_a_number_as_specs_have_it(run: Run, number: str) -> None:
    ran = run("list", f"--max-params={number}")
    assert ran.code == 2
    assert "5M" in ran.err
