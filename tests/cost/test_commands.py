"""archdsl cost and archdsl explain-count: what they print, and how they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl.reports.cost import Cost
from archdsl.reports.counting import RuleComparison
from tests.cli.conftest import Run, folder, run  # noqa: F401


@pytest.fixture(autouse=True)
def columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")


GOLDEN = {
    "resnet18.txt": ("cost", "resnet18", "--depth", "1"),
    "resnet18_h200.txt": ("cost", "resnet18", "--device", "h200", "--dtype", "bfloat16", "--batch", "32"),
    "lenet5_all.txt": ("cost", "lenet5", "--rule", "all", "--peak", "10T", "--bandwidth", "1T"),
    "lenet5_macs.txt": ("cost", "lenet5", "--rule", "macs"),
    "lenet5.json": ("cost", "lenet5", "--device", "t4", "--format", "json"),
    "devices.txt": ("cost", "--devices"),
    "explain_resnet50.txt": ("explain-count", "resnet50"),
    "explain_swin.txt": ("explain-count", "swin_t", "--rule", "macs", "--rule", "all"),
    "explain_lenet5.json": ("explain-count", "lenet5", "--format", "json", "--batch", "2"),
}


@pytest.mark.parametrize("name", GOLDEN)
def test_what_is_printed(run: Run, golden: Callable[[str, str], None], name: str) -> None:  # noqa: F811
    ran = run(*GOLDEN[name])
    assert (ran.code, ran.err) == (0, "")
    golden(f"cost/{name}", ran.out)


def test_json_is_the_data(run: Run) -> None:  # noqa: F811
    ran = run("cost", "good.arch", "--format", "json", "--device", "a100", "--dtype", "tf32", "-p", "classes=3")
    found = Cost.model_validate_json(ran.out)
    assert (found.network, found.dtype, found.batch) == ("tiny", "tf32", 1)
    assert found.device is not None
    assert found.device.ridge == 156e12 / 2039e9
    told = RuleComparison.model_validate_json(run("explain-count", "good.arch", "--format", "json").out)
    assert told.macs == 6 * 6 * 4 * 3 * 9 + 40


def test_one_rule_is_compared_with_the_other(run: Run) -> None:  # noqa: F811
    def rules(*given: str) -> tuple[str, str]:
        arguments = [part for rule in given for part in ("--rule", rule)]
        read = json.loads(run("explain-count", "good.arch", "--format", "json", *arguments).out)
        return read["first"]["name"], read["second"]["name"]

    assert rules() == ("torchvision", "all")
    assert rules("macs") == ("macs", "all")
    assert rules("all") == ("all", "torchvision")
    assert rules("all", "macs") == ("all", "macs")


def test_open_sizes_are_given_on_the_command_line(run: Run) -> None:  # noqa: F811
    for command in ("cost", "explain-count"):
        ran = run(command, "open.arch")
        assert (ran.code, ran.out) == (2, "")
        assert "give a size: --input 3x224x224" in ran.err
        assert run(command, "open.arch", "--input", "3x40x40").code == 0


def test_a_file_of_a_device(run: Run, folder: Path) -> None:  # noqa: F811
    (folder / "mine.toml").write_text(
        'title = "mine \\u001b[31m\\u009b"\nbandwidth = "1T"\npeak = { float32 = "10T" }\n'
    )
    ran = run("cost", "good.arch", "--device", "mine.toml")
    assert ran.code == 0
    assert "mine \\x1b[31m\\x9b: 10 TFLOP/s float32, 1 TB/s\n" in ran.out
    ran = run("cost", "good.arch", "--device", "mine.toml", "--format", "json")
    assert ran.out.isascii()
    assert json.loads(ran.out)["device"]["title"] == "mine \x1b[31m\x9b"


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("cost", "good.arch", "--device", "h20"), "did you mean h200?"),
        (("cost", "good.arch", "--device", "abacus"), "there are h200, h100"),
        (("cost", "good.arch", "--device", "none.toml"), "cannot read none.toml: there is no such file"),
        (("cost", "good.arch", "--device", "garbage.toml"), "garbage.toml is not TOML"),
        (("cost", "good.arch", "--device", "."), "there is no device called ."),
        (("cost", "good.arch", "--device", "t4", "--dtype", "tf32"), "t4 has no peak rate for tf32"),
        (("cost", "good.arch", "--dtype", "float"), "did you mean float8?"),
        (("cost", "good.arch", "--rule", "torchvison"), "did you mean torchvision?"),
        (("cost", "good.arch", "--peak", "10T"), "give --peak and --bandwidth together, or --device"),
        (("cost", "good.arch", "--bandwidth", "1T"), "give --peak and --bandwidth together, or --device"),
        (("cost", "good.arch", "--device", "t4", "--peak", "1T", "--bandwidth", "1T"), "or --device"),
        (("cost", "good.arch", "--peak", "-1T", "--bandwidth", "1T"), "peak.float32 must be a number above 0"),
        (("cost", "good.arch", "--peak", "1T", "--bandwidth", "fast"), "bandwidth must be a number above 0"),
        (("cost", "good.arch", "--batch", "0"), "--batch"),
        (("cost", "good.arch", "--format", "xml"), "xml"),
        (("explain-count", "good.arch", "--rule", "flops"), "there is no counting rule flops"),
        (("explain-count", "good.arch", *("--rule", "all") * 3), "give two rules"),
        (("explain-count", "resnt50"), "did you mean resnet50?"),
    ],
)
def test_wrong_usage(run: Run, folder: Path, arguments: tuple[str, ...], hint: str) -> None:  # noqa: F811
    (folder / "garbage.toml").write_bytes(bytes(range(256)))
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, ""), ran
    assert hint in " ".join(ran.err.split())


def test_a_network_with_errors_shows_them(run: Run) -> None:  # noqa: F811
    for command in ("cost", "explain-count"):
        ran = run(command, "bad.arch")
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.count("error[") == 2


def test_a_narrow_terminal_cuts_names_and_no_numbers(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    monkeypatch.setenv("COLUMNS", "72")
    out = run("cost", "resnet18", "--device", "h200").out
    assert max(map(len, out.splitlines())) <= 72
    assert "…" in out
    assert "Ridge at 14 FLOPs/B;" in " ".join(out.split())
