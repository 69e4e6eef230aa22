"""archdsl lint, as it is used."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Run, folder, process, run

__all__ = ["folder", "process", "run"]

BIASED = "net biased {\n  input 3x9x9\n  conv 8 k3 p1 -> bn -> relu -> pool 2\n}\n"
OPEN = "net open {\n  input 3xHxW\n  conv 8 k3 p1 -> relu -> pool 2\n}\n"


@pytest.fixture(autouse=True)
def specs(folder: Path) -> None:
    (folder / "biased.arch").write_text(BIASED)
    (folder / "sized.arch").write_text(OPEN)


def test_a_clean_spec_is_exit_0(run: Run) -> None:
    ran = run("lint", "sized.arch")
    assert (ran.code, ran.out, ran.err) == (0, "no findings in 1 network\n", "")


def test_findings_are_results_with_exit_1(run: Run) -> None:
    ran = run("lint", "biased.arch")
    assert ran.code == 1
    assert "warning[bias-before-norm]: the bias of conv is taken away again by batch norm\n" in ran.out
    assert "  --> biased.arch:3:3\n" in ran.out
    assert "warning[dropped-pixels]" in ran.out
    assert ran.out.endswith("2 warnings in biased.arch\n")
    assert ran.err == "1 of them can be fixed with --fix\n"


def test_wrong_usage_is_exit_2(run: Run) -> None:
    for arguments in (
        ("none.arch",),
        ("biased.arch", "--select", "no-such-rule"),
        ("biased.arch", "--format", "xml"),
        ("biased.arch", "--unsafe-fixes"),
        ("biased.arch::biased", "--fix"),
        ("resnet18", "--fix"),
        ("sized.arch", "--fix", "--input", "3x9x9"),
        (),
    ):
        assert run("lint", *arguments).code == 2, arguments
    assert "did you mean small-field?" in run("lint", "biased.arch", "--ignore", "smal-field").err


def test_a_spec_with_errors_has_these(run: Run) -> None:
    ran = run("lint", "bad.arch", "biased.arch")
    assert ran.code == 1
    assert ran.out.count("error[") == 2
    assert ran.out.count("warning[") == 2


def test_rules_are_chosen(run: Run) -> None:
    assert "dropped-pixels" not in run("lint", "biased.arch", "--select", "bias-before-norm,small-field").out
    assert run("lint", "biased.arch", "--select", "small-field", "--select", "checkerboard").code == 0
    assert run("lint", "biased.arch", "--ignore", "bias-before-norm, dropped-pixels").code == 0


def test_a_network_a_folder_a_shipped_name_and_a_size_may_be_given(run: Run, folder: Path) -> None:
    assert run("lint", "biased.arch::biased").code == 1
    assert run("lint", "resnet18").code == 0
    assert run("lint", ".", "--select", "dropped-pixels").out.count("warning[") == 1
    assert "3x9x9" not in run("lint", "sized.arch").out
    assert "the last 1 of 9 positions" in run("lint", "sized.arch", "--input", "3x9x9").out


def test_the_formats_for_programs(run: Run) -> None:
    found = json.loads(run("lint", "biased.arch", "--format", "json").out)
    assert (found["errors"], found["warnings"]) == (0, 2)
    first, second = found["findings"]
    assert (first["code"], first["severity"], first["page"]) == (
        "bias-before-norm",
        "warning",
        "archdsl explain bias-before-norm",
    )
    assert first["fix"]["text"] == " bias=no"
    assert second["fix"] is None
    sarif = json.loads(run("lint", "biased.arch", "--format", "sarif").out)["runs"][0]
    assert [rule["id"] for rule in sarif["tool"]["driver"]["rules"]] == ["bias-before-norm", "dropped-pixels"]
    assert all("## Why" in rule["help"]["markdown"] for rule in sarif["tool"]["driver"]["rules"])
    assert [result["level"] for result in sarif["results"]] == ["warning", "warning"]
    lines = run("lint", "biased.arch", "--format", "github").out.splitlines()
    assert lines[0].startswith("::warning file=biased.arch,line=3,endLine=3,col=3,")


def test_a_finding_in_a_used_file_is_told_once(run: Run, folder: Path) -> None:
    (folder / "part.arch").write_text("block part(c) {\n  conv c k3 p1 -> bn -> relu\n}\n")
    for name in "xy":
        (folder / f"{name}.arch").write_text(
            f'use part from "part.arch"\nnet {name} {{\n  input 3x8x8\n  part(8)\n}}\n'
        )
    ran = run("lint", "x.arch", "y.arch", "part.arch")
    assert ran.out.count("warning[") == 1
    assert "part.arch:2:3" in ran.out
    assert "so in 2 networks: x, y" in ran.out


def test_parameters_are_given(run: Run, folder: Path) -> None:
    (folder / "a.arch").write_text("net a(k=3, s) {\n  input 3x9x9\n  conv 8 k=k s=s -> relu\n}\n")
    assert run("lint", "a.arch", "-p", "s=2").code == 0
    assert "conv never sees 3/4 of the positions" in run("lint", "a.arch", "-p", "s=2", "-p", "k=1").out


def test_comments_of_a_file_without_networks_are_read(run: Run, folder: Path) -> None:
    (folder / "part.arch").write_text("block part(c) {\n  conv c -> relu  # lint: off no-such-rule\n}\n")
    ran = run("lint", "part.arch")
    assert ran.code == 1
    assert "there is no rule no-such-rule" in ran.out
    assert run("lint", "part.arch", "--ignore", "bad-switch").code == 0


# ---------------------------------------------------------------- --fix


def test_fixes_are_written_and_the_rest_is_reported(run: Run, folder: Path) -> None:
    ran = run("lint", "biased.arch", "--fix")
    assert ran.code == 1
    assert (folder / "biased.arch").read_text() == BIASED.replace("p1", "p1 bias=no")
    assert ran.err == "fixed 1 finding in biased.arch\n"
    assert ran.out.count("warning[") == 1
    again = run("lint", "biased.arch", "--fix")
    assert (again.code, again.err) == (1, "")
    assert run("lint", "biased.arch", "--fix", "--ignore", "dropped-pixels").out == "no findings in 1 network\n"


def test_a_file_of_an_odd_name_is_written_under_that_name(run: Run, folder: Path) -> None:
    name = "o\u200bdd\x07 name.arch"
    (folder / name).write_text(BIASED)
    run("lint", name, "--fix")
    assert "bias=no" in (folder / name).read_text()
    assert len(list(folder.glob("o*dd*"))) == 1


def test_all_files_of_a_folder_are_written(run: Run, folder: Path) -> None:
    (folder / "many").mkdir()
    for number in range(15):
        (folder / "many" / f"{number}.arch").write_text(BIASED)
    run("lint", "many", "--fix")
    assert all("bias=no" in path.read_text() for path in (folder / "many").iterdir())


def test_unsafe_fixes_are_asked_for(run: Run, folder: Path) -> None:
    text = "net a {\n  input 28x28x1\n  conv 8 k3 p1 -> relu -> gap -> softmax\n}\n"
    (folder / "a.arch").write_text(text)
    assert run("lint", "a.arch").err == "0 of them can be fixed with --fix, 2 more with --unsafe-fixes\n"
    run("lint", "a.arch", "--fix")
    assert (folder / "a.arch").read_text() == text
    assert run("lint", "a.arch", "--fix", "--unsafe-fixes", "--ignore", "small-field").code == 0
    assert (folder / "a.arch").read_text() == text.replace("28x28x1", "1x28x28").replace(" -> softmax", "")


def test_a_file_that_promises_its_parameters_is_not_broken(run: Run, folder: Path) -> None:
    text = BIASED.replace("pool 2\n", "pool 2\n\n  expect params == 240\n")
    (folder / "a.arch").write_text(text)
    ran = run("lint", "a.arch", "--fix")
    assert ran.code == 1
    assert (folder / "a.arch").read_text() == text
    assert ran.err == "a.arch is not fixed: biased would have errors then\n"


def test_a_file_that_is_only_used_is_not_written(run: Run, folder: Path) -> None:
    part = "block part(c) {\n  conv c k3 p1 -> bn -> relu\n}\n"
    (folder / "part.arch").write_text(part)
    (folder / "a.arch").write_text('use part from "part.arch"\nnet a {\n  input 3x8x8\n  part(8)\n}\n')
    run("lint", "a.arch", "--fix")
    assert (folder / "part.arch").read_text() == part
    run("lint", "a.arch", "part.arch", "--fix")
    assert "bias=no" in (folder / "part.arch").read_text()


def test_switches_that_are_not_needed_are_removed(run: Run, folder: Path) -> None:
    (folder / "a.arch").write_text(OPEN.replace("pool 2", "pool 2  # lint: off checkerboard - so it was"))
    assert run("lint", "a.arch", "--fix").code == 0
    assert (folder / "a.arch").read_text() == OPEN


# ---------------------------------------------------------------- pyproject.toml


def test_the_configuration_is_heeded(run: Run, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.archdsl.lint]\nignore = ["bias-before-norm"]\n')
    assert run("lint", "biased.arch").out.count("warning[") == 1
    (folder / "pyproject.toml").write_text('[tool.archdsl.lint.per-file-ignores]\n"b*.arch" = ["all"]\n')
    assert run("lint", "biased.arch").code == 0


def test_a_broken_configuration_is_exit_2_with_its_place(run: Run, folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.archdsl.lint]\nignore = ["bias-before-nrm"]\n')
    ran = run("lint", "biased.arch")
    assert (ran.code, ran.out) == (2, "")
    assert "error[bad-config]: there is no rule bias-before-nrm" in ran.err
    assert "pyproject.toml:2:12" in ran.err
    assert "did you mean bias-before-norm?" in ran.err


# ---------------------------------------------------------------- explain


def test_the_page_of_a_rule_is_shown(run: Run) -> None:
    assert run("explain", "bias-before-norm").out.startswith("# bias-before-norm\n")
    assert "did you mean checkerboard?" in run("explain", "chekerboard").err


def test_torch_is_not_loaded(process: Run) -> None:
    report = "import atexit, sys; atexit.register(lambda: print([m for m in ('torch', 'lark') if m in sys.modules]))"
    assert process("lint", "sized.arch", before=report).out.endswith("[]\n")
