"""What a reader is shown adds up, at every depth."""

from __future__ import annotations

from dataclasses import replace

import pytest
import samples

import archdsl
from archdsl.reports.rows import Row, rows
from archdsl.reports.schema import Report

SAMPLES = (samples.small_resnet, samples.siamese, samples.open_sizes, samples.hostile)


def by_path(shown: tuple[Row, ...]) -> dict[str, Row]:
    return {row.path: row for row in shown}


@pytest.mark.parametrize("fold", [True, False])
@pytest.mark.parametrize("depth", [0, 1, 2, 3, None])
@pytest.mark.parametrize("sample", SAMPLES)
def test_closed_rows_hold_every_layer_once_in_order(sample: type[Report], depth: int | None, fold: bool) -> None:
    report = sample()
    closed = [row for row in rows(report, depth, fold=fold) if not row.opened]
    assert [number for row in closed for number in row.layers] == list(range(len(report.layers)))
    assert sum(row.parameters for row in closed) == report.totals.parameters
    if report.totals.macs is not None:
        assert sum(row.macs or 0 for row in closed) == report.totals.macs
        assert sum(row.mac_share or 0 for row in closed) == pytest.approx(1)


@pytest.mark.parametrize("sample", SAMPLES)
def test_unfolded_modules_sum_as_the_report_says(sample: type[Report]) -> None:
    report = sample()
    shown = by_path(tuple(row for row in rows(report, fold=False) if row.note != "shared"))
    for module in report.modules[1:]:
        if not any(report.layers[number].reused for number in module.layers):
            row = shown[module.path.replace("\x1b", r"\x1b")]
            assert (row.parameters, row.macs) == (module.parameters, module.macs)


def test_depth_closes_modules_below_it() -> None:
    assert [row.label for row in rows(samples.small_resnet(), 0)] == (
        ["conv1", "bn1", "relu1", "pool1", "layer1", "layer2", "gap1", "flatten1", "fc"]
    )
    assert [row.path for row in rows(samples.small_resnet(), 1)][4:8] == [
        "layer1",
        "layer1.0 … 2",
        "layer2",
        "layer2.0",
    ]


def test_the_first_of_a_run_is_open_and_the_rest_are_one_row() -> None:
    shown = by_path(rows(samples.small_resnet()))
    first, rest = shown["layer1.0"], shown["layer1.1 … 2"]
    assert (first.opened, first.times, first.parameters) == (True, 1, 73_984)
    assert (rest.opened, rest.times, rest.parameters) == (False, 2, 2 * 73_984)
    assert rest.remark == "x2, like 0"
    assert rest.field is not None
    assert rest.field.size == (59, 59), "the field of the last of the run"
    assert "layer1.1.conv1" not in shown


@pytest.mark.parametrize(
    "change",
    [
        {"text": "conv 64 k3 p2"},
        {"output": (64, 55, 55)},
        {"parameters": 1},
        {"macs": None},
        {"path": "layer1.1.other"},
    ],
)
def test_siblings_that_differ_inside_are_not_folded(change: dict[str, object]) -> None:
    report = samples.small_resnet()
    layers = tuple(replace(one, **change) if one.path == "layer1.1.conv1" else one for one in report.layers)
    shown = by_path(rows(report.model_copy(update={"layers": layers})))
    assert {"layer1.0", "layer1.1", "layer1.2"} <= shown.keys()


def test_equal_layers_in_a_row_fold() -> None:
    row = by_path(rows(samples.siamese()))["conv1 … conv3"]
    assert (row.times, row.parameters, row.text, row.note) == (3, 3 * 584, "conv 8 k3 p1", "")


def test_each_use_of_a_shared_module_is_a_row() -> None:
    first, again = (row for row in rows(samples.siamese(), 0) if row.label == "encoder")
    assert (first.parameters, first.macs, first.note) == (80, 64_800, "")
    assert (again.parameters, again.macs, again.note) == (0, 64_800, "shared")


def test_a_module_left_and_entered_again_is_marked() -> None:
    layers = [samples.layer(path, "fc 1", (1,), 1, 1) for path in ("a.fc1", "b", "a.fc2")]
    shown = rows(samples.report("split", layers, {"a": "part"}), 0)
    assert [(row.label, row.note, row.parameters) for row in shown] == [
        ("a", "", 1),
        ("b", "", 1),
        ("a", "continued", 1),
    ]


def test_what_is_not_known_stays_unknown_in_sums() -> None:
    layers = [samples.layer("a.fc1", "fc 1", (1,), 1, None), samples.layer("a.fc2", "fc 1", (1,), 1, 5)]
    (row,) = rows(samples.report("open", layers, {"a": "part"}), 0)
    assert (row.macs, row.mac_share) == (None, None)


def test_a_module_that_holds_a_shared_one_is_one_row() -> None:
    text = """block look { fc 4 -> relu }
block pair takes a, b {
  share look_at = look
  ( a -> look_at | b -> look_at )
}
net heads {
  input 4
  ( id | relu ) -> pair as both -> add
}
"""
    shown = rows(archdsl.parse(text).report(), 1)
    assert [(row.label, row.note, row.macs) for row in shown if row.macs] == [
        ("both", "", 32),
        ("look_at", "", 16),
        ("look_at", "shared", 16),
    ]
