"""Each command, in use: what it gives, on which stream, with which exit code."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from typer.main import get_command

import archdsl
from archdsl.cli import build
from archdsl.cli.app import app
from archdsl.layers import STANDARD
from archdsl.reports import FORMATS

from .conftest import BAD, GOOD, Run

# ---------------------------------------------------------------- check


def test_a_clean_spec_is_exit_0(run: Run) -> None:
    ran = run("check", "good.arch")
    assert (ran.code, ran.out, ran.err) == (0, "no errors in 1 network\n", "")


@pytest.mark.parametrize("text", ["", "block a { relu }\n"])
def test_a_file_without_a_network_is_clean_and_told_so(run: Run, folder: Path, text: str) -> None:
    (folder / "parts.arch").write_text(text)
    ran = run("check", "parts.arch")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == "no errors, and no network: what a `block` holds is checked where a network uses it\n"


def test_findings_are_results_with_exit_1(run: Run) -> None:
    ran = run("check", "bad.arch")
    assert ran.code == 1
    assert ran.out.count("error[") == 2
    assert "bad.arch:3:" in ran.out
    assert ran.out.endswith("2 errors in bad.arch\n")
    assert ran.err == ""


def test_a_folder_is_checked_with_all_in_it(run: Run, folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "deep.arch").write_text(BAD)
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "no.arch").write_text(BAD)
    ran = run("check", ".")
    assert ran.code == 1
    assert ran.out.endswith("4 errors in 2 files\n")


def test_one_network_of_a_file_is_checked(run: Run, folder: Path) -> None:
    (folder / "both.arch").write_text(GOOD + BAD)
    assert run("check", "both.arch::tiny").code == 0
    assert run("check", "both.arch::wrong").code == 1
    assert run("check", "both.arch").code == 1


def test_a_finding_of_several_networks_is_told_once(run: Run, folder: Path) -> None:
    text = "block a(c) {\n  conv c k99\n}\nnet n {\n  input 3x8x8\n  a(1)\n}\nnet m {\n  input 3x8x8\n  a(1)\n}\n"
    (folder / "same.arch").write_text(text)
    assert run("check", "same.arch", "same.arch::n").out.count("error[") == 1


def test_a_fault_in_a_shared_file_is_told_once(run: Run, folder: Path) -> None:
    (folder / "inner").mkdir()
    (folder / "inner" / "part.arch").write_text("block part {\n  conv 4 ]\n}\n")
    for name in "ab":
        (folder / "inner" / f"{name}.arch").write_text(
            f'use part from "part.arch"\nnet {name} {{\n  input 3x8x8\n  part\n}}\n'
        )
    alone, together = run("check", "inner/part.arch"), run("check", "inner")
    assert alone.code == together.code == 1
    assert together.out.count("error[") == alone.out.count("error[") > 0


def test_a_network_that_ships_is_checked_by_its_name(run: Run) -> None:
    assert run("check", "lenet5").code == 0


def test_a_warning_is_a_finding(run: Run, folder: Path) -> None:
    (folder / "unused.arch").write_text("net n {\n  input a : 3x8x8\n  conv 4 k3 as b\n  a -> conv 2 k3 -> relu\n}\n")
    ran = run("check", "unused.arch")
    assert ran.code == 1
    assert "warning[unused-value]" in ran.out
    ran = run("compile", "unused.arch")
    assert ran.code == 0
    assert "warning[unused-value]" in ran.err


@pytest.mark.parametrize("name", ["json", "github", "sarif"])
def test_findings_for_programs(run: Run, name: str) -> None:
    ran = run("check", "bad.arch", "--format", name)
    assert ran.code == 1
    assert ran.err == ""
    if name == "github":
        assert ran.out.count("::error ") == 2
    else:
        assert json.loads(ran.out)["errors" if name == "json" else "runs"]


def test_no_findings_for_programs(run: Run) -> None:
    ran = run("check", "good.arch", "--format", "json")
    assert ran.code == 0
    assert json.loads(ran.out)["findings"] == []


def test_open_sizes_are_checked_at_a_given_input(run: Run, folder: Path) -> None:
    (folder / "skip.arch").write_text(
        "net s {\n  input 3xHxW\n  conv 4 k3 p1 as e -> pool 2 -> upsample 2 -> cat e -> conv 2 k1\n}\n"
    )
    assert run("check", "skip.arch", "--input", "3x32x32").code == 0
    assert run("check", "skip.arch", "--input", "3x33x33").code == 1


# ---------------------------------------------------------------- memory


def test_memory_says_the_peak_and_what_fits(run: Run) -> None:
    ran = run("memory", "good.arch", "--batch", "2", "--fits", "1MiB", "--optimizer", "sgd")
    assert (ran.code, ran.err) == (0, "")
    assert "training has its peak at" in ran.out
    read = json.loads(run("memory", "good.arch", "--format", "json", "--fits", "1MiB").out)
    assert read["training"]["optimizer"] == 2 * read["training"]["parameters"] == 2 * 4 * (112 + 50)
    assert read["inference"]["fits"] > read["training"]["fits"] > 100
    small = json.loads(run("memory", "good.arch", "--format", "json", "--fits", "1KiB").out)
    assert small["training"]["fits"] == 0
    assert "not one sample in training" in run("memory", "good.arch", "--fits", "1KiB").out


def test_the_words_of_the_command_line_are_those_of_the_tables() -> None:
    """They are written there again, so that the help is printed without what knows them."""
    from archdsl.analyses.devices import DTYPES
    from archdsl.cli import cost
    from archdsl.lowering.memory import ITEM_BYTES, OPTIMIZERS

    def words(command: str, option: str) -> set[str]:
        parameters = get_command(app).commands[command].params  # type: ignore[attr-defined]
        (metavar,) = (each.metavar for each in parameters if option in each.opts)
        return set(metavar.split("|"))

    assert tuple(DTYPES) == cost.DTYPES
    assert words("memory", "--dtype") == set(ITEM_BYTES)
    assert words("memory", "--optimizer") == set(OPTIMIZERS)


def test_memory_of_what_it_cannot_know(run: Run) -> None:
    ran = run("memory", "open.arch")
    assert ran.code == 2
    assert "which are open; give a size: --input 3x224x224" in ran.err
    assert run("memory", "open.arch", "--input", "3x32x32").code == 0
    assert run("memory", "bad.arch").code == 1
    for wrong in (("--fits", "much"), ("--batch", "0"), ("--optimizer", "adamx"), ("--dtype", "float23")):
        assert run("memory", "good.arch", *wrong).code == 2


# ---------------------------------------------------------------- report


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_of_the_report(run: Run, name: str) -> None:
    ran = run("report", "good.arch", "--format", name)
    assert (ran.code, ran.err) == (0, "")
    assert ("tiny" if name != "csv" else "conv1") in ran.out


def test_a_report_counts_for_the_input_the_batch_and_the_parameters(run: Run) -> None:
    def report(*more: str) -> dict[str, dict[str, int]]:
        ran = run("report", "good.arch", "--format", "json", *more)
        assert ran.code == 0, ran
        read: dict[str, dict[str, int]] = json.loads(ran.out)
        return read

    plain = report()["totals"]
    assert plain["parameters"] == 4 * 3 * 9 + 4 + 4 * 10 + 10
    assert plain["macs"] == 6 * 6 * 4 * 3 * 9 + 40
    assert report("--batch", "3")["totals"]["macs"] == 3 * plain["macs"]
    assert report("--input", "3x10x10")["totals"]["macs"] == 8 * 8 * 4 * 3 * 9 + 40
    assert report("-p", "classes=2")["totals"]["parameters"] == 4 * 3 * 9 + 4 + 4 * 2 + 2


def test_depth_folds_the_table(run: Run) -> None:
    deep, flat = run("report", "resnet18").out, run("report", "resnet18", "--depth", "0").out
    assert "conv 64" in flat
    assert len(flat.splitlines()) < len(deep.splitlines()) / 2


def test_values_of_parameters_are_those_of_the_language(run: Run, folder: Path) -> None:
    text = (
        'net n(act=relu, depths=[1], wide=no, width=1.0, mode="nearest", bias=1) {\n'
        "  input 3x8x8\n"
        "  for d in depths { conv d k1 -> act }\n"
        "  if wide { conv floor(10 * width) k1 }\n"
        "  upsample 2 mode=mode\n"
        "}\n"
    )
    (folder / "many.arch").write_text(text)
    given = ["act=tanh", "depths=[5, 6]", "wide=yes", "width=0.5", 'mode="bilinear"', "bias=-2"]
    ran = run("report", "many.arch", "--format", "csv", *(part for text in given for part in ("-p", text)))
    assert ran.code == 0, ran
    rows = list(csv.DictReader(line for line in io.StringIO(ran.out)))
    assert [row["layer"] for row in rows] == ["conv", "tanh", "conv", "tanh", "conv", "upsample"]
    assert run("report", "resnet", "-p", "unit=bottleneck", "-p", "depths=[2, 2, 2, 2]").code == 0


def test_inputs_are_given_by_name(run: Run) -> None:
    assert run("report", "two.arch", "--input", "a=1x9x9", "--input", "b=2x9x9").code == 0
    ran = run("report", "two.arch", "--input", "1x9x9")
    assert (ran.code, ran.out) == (2, "")
    assert "two has several inputs; name one: a=1x9x9" in ran.err


def test_findings_of_a_report_go_to_standard_error(run: Run) -> None:
    ran = run("report", "bad.arch")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("error[") == 2


# ---------------------------------------------------------------- draw, compile


@pytest.mark.parametrize(("ending", "begins"), [(".dot", b"digraph"), (".svg", b"<"), (".png", b"\x89PNG")])
def test_drawing(run: Run, folder: Path, ending: str, begins: bytes) -> None:
    ran = run("draw", "good.arch", "-o", f"net{ending}", "--color-by", "macs", "--depth", "1")
    assert (ran.code, ran.out) == (0, ""), ran
    assert begins in (folder / f"net{ending}").read_bytes()[:200]


def test_compiling_to_a_file_and_to_standard_output(run: Run, folder: Path) -> None:
    ran = run("compile", "good.arch", "-o", "model.py")
    assert (ran.code, ran.out) == (0, "")
    text = (folder / "model.py").read_text()
    assert "nn.Conv2d(3, 4, 3)" in text
    assert run("compile", "good.arch", "-o", "-").out == run("compile", "good.arch").out == text


# ---------------------------------------------------------------- build


def test_build_makes_everything_and_runs_the_module(run: Run, folder: Path) -> None:
    ran = run("build", "good.arch", "-o", "deep/out")
    assert ran.code == 0, ran
    out = folder / "deep" / "out"
    assert sorted(path.name for path in out.iterdir()) == ["diagram.svg", "model.py", "report.html", "report.json"]
    assert json.loads((out / "report.json").read_text())["network"] == "tiny"
    assert "data:image/svg+xml" in (out / "report.html").read_text()
    assert "fc1" in ran.out
    assert "ran on " in ran.out
    assert "output 2x10" in ran.out
    assert "backward pass on" in ran.err


def test_build_takes_a_size_where_the_spec_leaves_it_open(run: Run, folder: Path) -> None:
    ran = run("build", "open.arch", "-o", "out")
    assert ran.code == 0, ran
    assert "--input image=3x224x224" in ran.err
    ran = run("build", "open.arch", "-o", "out", "--input", "3x40x48")
    assert ran.code == 0, ran
    assert "taken" not in ran.err
    assert json.loads((folder / "out" / "report.json").read_text())["inputs"][0]["shape"] == [3, 40, 48]


def test_build_tries_sizes_until_one_is_clean(run: Run, folder: Path) -> None:
    (folder / "pick.arch").write_text(
        "net p {\n  input 3xHxW\n  conv 4 k3 -> flatten -> fc 2\n  expect params == 4*27 + 4 + 2*4*94*94 + 2\n}\n"
    )
    ran = run("build", "pick.arch", "-o", "out")
    assert ran.code == 0, ran
    assert "3x96x96" in ran.err


def test_a_failed_build_leaves_earlier_files(run: Run, folder: Path) -> None:
    assert run("build", "good.arch", "-o", "out").code == 0
    before = {path: path.read_bytes() for path in (folder / "out").iterdir()}
    ran = run("build", "bad.arch", "-o", "out")
    assert (ran.code, ran.out) == (1, "")
    assert {path: path.read_bytes() for path in (folder / "out").iterdir()} == before
    assert run("build", "bad.arch", "-o", "fresh").code == 1
    assert not (folder / "fresh").exists()


def test_a_build_does_not_go_to_standard_output(run: Run, folder: Path) -> None:
    ran = run("build", "good.arch", "-o", "-")
    assert ran.code == 2
    assert "name a folder" in ran.err
    assert not (folder / "-").exists()


def test_a_module_that_fails_is_a_finding_without_a_traceback(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **options: object) -> None:
        raise RuntimeError("out of memory\nmore words")

    monkeypatch.setattr("archdsl.torch.trial.trial", fail)
    ran = run("build", "good.arch", "-o", "out")
    assert ran.code == 1
    assert ran.err.endswith("error: the module was not run: out of memory\n")


def test_the_sizes_that_build_tries() -> None:
    assert build.SIZES == (224, 256, 128, 512, 64, 96, 32, 320, 299, 600)


# ---------------------------------------------------------------- fmt, list, explain


def test_formatting(run: Run, folder: Path) -> None:
    spec = folder / "messy.arch"
    spec.write_text("net  n{\ninput 3x8x8   # as is\n conv 4   k3->relu\n}\n")
    messy = spec.read_text()
    ran = run("fmt", "messy.arch", "--check")
    assert (ran.code, ran.out) == (1, "would change messy.arch\n")
    assert spec.read_text() == messy
    assert run("fmt", "messy.arch").code == 0
    assert "# as is" in spec.read_text() != messy
    assert run("fmt", "messy.arch", "--check").code == 0


def test_formatting_leaves_a_broken_file(run: Run, folder: Path) -> None:
    (folder / "broken.arch").write_text("net n {\n  conv (\n")
    ran = run("fmt", "broken.arch")
    assert (ran.code, ran.out) == (1, "")
    assert "error[" in ran.err
    assert (folder / "broken.arch").read_text() == "net n {\n  conv (\n"


def test_the_list_has_a_line_for_each_network(run: Run) -> None:
    lines = run("list").out.splitlines()
    assert "resnet50" in {line.split()[0] for line in lines}
    assert all(len(line.split()) > 1 for line in lines)


def test_an_error_code_is_explained(run: Run) -> None:
    ran = run("explain", "merge-shapes")
    assert ran.code == 0
    assert "## How to mend it" in ran.out


@pytest.mark.parametrize("word", ["conv", "linear"])
def test_a_layer_is_explained_by_its_word_and_its_aliases(run: Run, word: str) -> None:
    ran = run("explain", word)
    assert ran.code == 0
    layer = STANDARD.find(word)
    assert layer is not None
    assert ran.out.startswith(f"# {layer.word}\n")


def test_a_misspelt_subject_has_the_nearest(run: Run) -> None:
    assert "did you mean conv?" in run("explain", "cnv").err
    assert "did you mean merge-shapes?" in run("explain", "merge-shape").err


def test_the_version_and_the_help(run: Run) -> None:
    assert run("--version").out.startswith("archdsl 0.")
    for arguments in (("-h",), ("check", "-h"), ("build", "--help")):
        ran = run(*arguments)
        assert ran.code == 0
        assert ran.out.startswith("Usage: archdsl")


def test_a_file_of_another_ending_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flowers.bak").write_text("net flowers {\n  input 4\n  fc 2\n}\n")
    with pytest.raises(archdsl.NotFoundError, match=r"is taken for a spec as \./flowers\.bak"):
        archdsl.load("flowers.bak")
    assert archdsl.load("./flowers.bak").ok
