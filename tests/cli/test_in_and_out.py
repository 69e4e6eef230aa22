"""`archdsl export`, `archdsl transfer`, and weights that carry their network in the place of NET."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

import archdsl

from .conftest import GOOD, Run


@pytest.fixture
def weights(folder: Path) -> str:
    """Those of good.arch with seven classes."""
    net = archdsl.load("good.arch", classes=7)
    net.save(net.compile(), "good.safetensors")
    return "good.safetensors"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("report",), "fc 7"),
        (("check",), "no errors in 1 network"),
        (("lint",), "good.safetensors/good.arch"),
        (("sizes",), "every size from 3"),
        (("compile",), "nn.Linear(4, 7)"),
        (("explain", "fc1"), "fc 7"),
        (("memory",), ""),
    ],
)
def test_commands_take_weights_with_their_network(
    run: Run, folder: Path, weights: str, arguments: tuple[str, ...], said: str
) -> None:
    command, *rest = arguments
    ran = run(command, weights, *rest)
    assert ran.code == (command == "lint"), ran  # it has a finding
    assert said in ran.out + ran.err
    (folder / "good.arch").unlink()
    assert run(command, weights, *rest).out == ran.out


def test_no_torch_is_needed_to_look_at_them(process: Run, weights: str) -> None:
    before = "import sys\nfor name in ('torch', 'numpy', 'safetensors'): sys.modules[name] = None"
    for command in ("report", "check", "sizes"):
        ran = process(command, weights, before=before)
        assert ran.code == 0, ran


def test_parameters_and_networks_of_such_a_file(run: Run, weights: str) -> None:
    assert "fc 3" in run("report", weights, "-p", "classes=3").out
    assert "fc 7" in run("report", f"{weights}::tiny").out
    assert run("report", f"{weights}::tony").code == 2
    assert "7" in run("diff", weights, "good.arch").out


def test_a_change_is_told(run: Run, folder: Path, weights: str) -> None:
    (folder / "good.arch").write_text(GOOD.replace("k3", "k5"))
    ran = run("report", weights)
    assert ran.code == 0
    assert "the spec has changed since good.safetensors was saved" in ran.err
    assert "conv 4 k3 -> conv 4 k5" in ran.err
    assert "conv 4 k3" in ran.out
    assert "changed" not in ran.out


@pytest.mark.parametrize("content", [b"", b"noise", b"\xff" * 50, (2).to_bytes(8, "little") + b"{}"])
@pytest.mark.parametrize("command", ["report", "check", "lint", "export", "transfer", "diff"])
def test_a_bad_file_is_an_error_and_no_traceback(run: Run, folder: Path, content: bytes, command: str) -> None:
    (folder / "bad.safetensors").write_bytes(content)
    more = {"export": ("-o", "out.pt2"), "transfer": ("bad.safetensors",), "diff": ("good.arch",)}.get(command, ())
    ran = run(command, "bad.safetensors", *more)
    assert ran.code == 2, ran
    assert ran.err.startswith("error: bad.safetensors"), ran
    assert run("report", "none.safetensors").code == 2


# ---------------------------------------------------------------- export


def test_export_writes_and_tells_what_it_compared(run: Run, folder: Path) -> None:
    ran = run("export", "open.arch", "-o", "net.pt2")
    assert ran.code == 0, ran
    assert ran.out.startswith("wrote net.pt2 (pt2)\n  takes image batchx3xHxW\n")
    assert ran.out.count("differs by") == 2
    program = torch.export.load("net.pt2").module()
    assert program(torch.randn(4, 3, 21, 30)).shape == (4, 2)


def test_export_takes_weights(run: Run, folder: Path, weights: str) -> None:
    image = torch.randn(2, 3, 8, 8)
    wanted = archdsl.open(weights).model(image)
    for number, arguments in enumerate(((weights,), ("good.arch", "-p", "classes=7", "--weights", weights))):
        assert run("export", *arguments, "-o", f"{number}.pt2").code == 0
        torch.testing.assert_close(torch.export.load(f"{number}.pt2").module()(image), wanted)
    assert run("export", weights, "-o", "2.pt2", "--no-weights", "--batch", "2").code == 0
    assert not torch.allclose(torch.export.load("2.pt2").module()(image), wanted)
    wrong = run("export", "good.arch", "-o", "3.pt2", "--weights", weights)
    assert wrong.code == 2
    assert "fc1.weight: 10x4 in the network, 7x4 in the file" in wrong.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("good.arch", "-o", "net.xyz"), "means no format"),
        (("good.arch", "-o", "none/net.pt2"), "there is no folder none"),
        (("good.arch", "-o", "net.pt2", "--format", "onx"), "did you mean onnx?"),
        (("good.arch", "-o", "net.pt2", "--weights", "none.pt"), "does not exist"),
        (("good.arch", "-o", "net.pt2", "--weights", "good.arch"), "holds no weights"),
        (("good.arch", "-o", "net.pt2", "--weights", "good.arch", "--no-weights"), "exclude each other"),
        (("good.arch",), "--output"),
    ],
)
def test_export_used_wrongly(run: Run, folder: Path, arguments: tuple[str, ...], told: str) -> None:
    before = {path.name for path in folder.iterdir()}
    ran = run("export", *arguments)
    assert ran.code == 2, ran
    assert told in " ".join(ran.err.split()), ran
    assert {path.name for path in folder.iterdir()} == before


def test_export_of_a_wrong_spec(run: Run, folder: Path) -> None:
    ran = run("export", "bad.arch", "-o", "net.pt2")
    assert ran.code == 1
    assert "window-too-large" in ran.err


# ---------------------------------------------------------------- transfer


def test_transfer_prints_the_plan_and_writes_the_weights(run: Run, weights: str) -> None:
    ran = run("transfer", "good.arch", weights, "-o", "new.safetensors")
    assert ran.code == 0, ran
    assert ran.out.endswith("good.safetensors -> tiny: 2 kept, 2 new, 2 of the checkpoint unused\n"), ran
    old, new = load_file(weights), load_file("new.safetensors")
    assert torch.equal(old["conv1.weight"], new["conv1.weight"])
    assert new["fc1.weight"].shape == (10, 4)
    with safe_open("new.safetensors", "pt") as file:  # type: ignore[no-untyped-call]
        assert json.loads(file.metadata()["archdsl"])["network"] == "tiny"
    data = json.loads(run("transfer", "good.arch", weights, "--format", "json").out)
    assert [row["what"] for row in data["tensors"]] == ["kept", "kept", "new", "new"]


def test_transfer_into_the_checkpoint_itself(run: Run, weights: str) -> None:
    before = load_file(weights)["conv1.weight"].clone()
    assert run("transfer", "good.arch", weights, "-o", weights).code == 0
    assert torch.equal(load_file(weights)["conv1.weight"], before)
    assert archdsl.open(weights).network.report().outputs[0].shape == (10,)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("good.arch", "none.pt"), "no such file"),
        (("good.arch", "two.arch"), "holds no weights"),
        (("two.arch", "good.safetensors"), "nothing in good.safetensors fits two"),
        (("good.arch", "good.safetensors", "-o", "new.pt"), "must end in .safetensors"),
    ],
)
def test_transfer_used_wrongly(run: Run, weights: str, arguments: tuple[str, ...], told: str) -> None:
    ran = run("transfer", *arguments)
    assert ran.code == 2, ran
    assert told in " ".join(ran.err.split()), ran
