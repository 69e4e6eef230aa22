"""Bad input: a clear error and exit code, soon, without a traceback, and earlier files as they were."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from archdsl.cli.app import app

from .conftest import GOOD, Run

SPECS = {
    "garbage": (bytes(range(256)) * 40, 2),
    "null": (b"\0" * 1000, 1),
    "unclosed": (b"net n {\n  input 3x8x8\n  conv 4 k3 (\n", 1),
    "unclosed_string": (b'use a from "b\n', 1),
    "parentheses": (b"(" * 1_000_000, 1),
    "nested": (b"net n {\n  input 3x8x8\n  " + b"(" * 100_000 + b"relu" + b")" * 100_000 + b"\n}\n", 1),
    "repeat": (b"net n {\n  input 3x8x8\n  relu x999999999\n}\n", 1),
    "repeats": (b"net n {\n  input 3x8x8\n  ((((relu x9999) x9999) x9999) x9999)\n}\n", 1),
    "zero": (b"net n {\n  input 3x8x8\n  conv 0\n}\n", 1),
    "negative": (b"net n {\n  input 3x8x8\n  conv -3\n}\n", 1),
    "no_layers": (b"net n {\n}\n", 1),
    "recursive": (b"block a {\n  a\n}\nnet n {\n  input 3x8x8\n  a\n}\n", 1),
    "variant_of_itself": (b"net n = n()\n", 1),
    "circular": (b'use n from "circular.arch"\nnet m {\n  input 3x8x8\n  relu\n}\n', 1),
    "outside": (b'use n from "../x.arch"\nnet m {\n  input 3x8x8\n  relu\n}\n', 1),
}


@pytest.mark.parametrize("command", ["check", "report", "build"])
@pytest.mark.parametrize("name", SPECS)
def test_a_bad_spec(run: Run, folder: Path, name: str, command: str) -> None:
    content, code = SPECS[name]
    (folder / f"{name}.arch").write_bytes(content)
    ran = run(command, f"{name}.arch", *(("-o", "out") if command == "build" else ()))
    assert ran.code == code, ran
    assert "error" in ran.out + ran.err
    assert f"{name}.arch" in ran.out + ran.err
    assert not (folder / "out").exists()


def test_a_file_that_defines_nothing(run: Run, folder: Path) -> None:
    (folder / "nothing.arch").write_text("")
    assert run("check", "nothing.arch").code == 0
    assert run("report", "nothing.arch").code == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("check",),
        ("check", "missing.arch"),
        ("check", "missing.arch::n"),
        ("check", "good.arch::other"),
        ("check", "good.arch/x.arch"),
        ("check", "nul\0l.arch"),
        ("check", "x" * 5000 + ".arch"),
        ("check", "resnt50"),
        ("check", "good.arch", "--format", "xml"),
        ("report", "missing.arch"),
        ("report", "resnt50"),
        ("report", "."),
        ("report", ""),
        ("report", "::"),
        ("report", "good.arch", "--depth", "-1"),
        ("report", "good.arch", "--batch", "0"),
        ("report", "good.arch", "--batch", "many"),
        ("report", "good.arch", "--format", "tabel"),
        ("report", "good.arch", "--input", "3x"),
        ("report", "good.arch", "--input", "0x8x8"),
        ("report", "good.arch", "--input", "=3x8x8"),
        ("report", "good.arch", "--input", "imag=3x8x8"),
        ("report", "good.arch", "--input", "3x8x8", "--input", "3x9x9"),
        ("report", "good.arch", "-p", "clases=10"),
        ("report", "good.arch", "-p", "classes"),
        ("report", "good.arch", "-p", "classes="),
        ("report", "good.arch", "-p", "classes=]"),
        ("report", "good.arch", "-p", "classes=2 + 3"),
        ("report", "good.arch", "-p", "classes=[1, [2 + 3]]"),
        ("report", "good.arch", "-p", "classes=1\nnet x {}"),
        ("report", "good.arch", "-p", "classes=1", "-p", "classes=2"),
        ("draw", "good.arch"),
        ("draw", "good.arch", "-o", "net.gif"),
        ("draw", "good.arch", "-o", "nowhere/net.svg"),
        ("draw", "good.arch", "-o", "net.svg", "--color-by", "size"),
        ("compile", "good.arch", "-o", "nowhere/model.py"),
        ("compile", "good.arch", "-o", "."),
        ("build", "good.arch"),
        ("build", "good.arch", "-o", "good.arch"),
        ("build", "good.arch", "-o", "good.arch/out"),
        ("fmt", "missing.arch"),
        ("explain", "cnv"),
        ("explain", "../codes"),
        ("chek", "good.arch"),
        ("check", "good.arch", "--nonsense"),
    ],
)
def test_wrong_usage(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    before = sorted(os.listdir(folder))
    ran = run(*arguments)
    assert (ran.code, ran.out) == (2, ""), ran
    assert "rror: " in ran.err
    assert sorted(os.listdir(folder)) == before
    assert (folder / "good.arch").read_text() == GOOD


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("report", "resnt50"), "did you mean resnet50?"),
        (("check", "resnt50"), "did you mean resnet50?"),
        (("report", "good.arch::tinny"), "did you mean tiny?"),
        (("report", "good.arch", "-p", "clases=1"), "did you mean classes?"),
        (("report", "good.arch", "--format", "jsn"), "did you mean json?"),
        (("report", "two.arch", "--input", "c=1x8x8"), "it has a, b"),
        (("draw", "good.arch", "-o", "x.gif"), ".svg, .png, .pdf or .dot"),
    ],
)
def test_wrong_usage_is_helped(run: Run, arguments: tuple[str, ...], hint: str) -> None:
    assert hint in run(*arguments).err


@pytest.mark.parametrize("arguments", [("check", "good.arch"), ("report", "good.arch"), ("fmt", "good.arch")])
def test_a_file_that_may_not_be_read(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    (folder / "good.arch").chmod(0)
    if os.geteuid() == 0:  # root may read everything

        def denied(*_: object) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", denied)
    ran = run(*arguments)
    assert ran.code == 2
    assert "permission denied" in ran.err


@pytest.mark.parametrize("command", ["build", "draw", "compile", "fmt"])
def test_output_that_cannot_be_written(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch, command: str) -> None:
    """As on a full disk: also root meets it."""
    (folder / "good.arch").write_text("net  n{input 3x8x8\nconv 4}\n")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device", "somewhere")

    names = {"build": "out", "draw": "net.svg", "compile": "model.py"}
    for name in ("net.svg", "model.py"):
        (folder / name).write_text("earlier")
    monkeypatch.setattr(os, "replace", full)
    ran = run(command, "good.arch", *(("-o", names[command]) if command in names else ()))
    assert ran.code == 2, ran
    assert "no space left on device" in ran.err
    assert (folder / "net.svg").read_text() == (folder / "model.py").read_text() == "earlier"
    assert not [name for name in os.listdir(folder) if name.startswith(".")]


def test_a_folder_without_permission(run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    ran = run("build", "good.arch", "-o", "out")
    assert (ran.code, ran.out) == (2, "")
    assert "out: permission denied" in ran.err


def test_a_name_that_is_no_text(process: Run, folder: Path) -> None:
    name = os.fsdecode(b"\xff.arch")
    try:
        (folder / name).write_text(GOOD)
    except OSError:
        pytest.skip("this file system takes no such name")
    for arguments in (("check", name), ("report", name), ("compile", name)):
        ran = process(*arguments, env={"PYTHONUTF8": "1"})
        assert (ran.code, ran.err) == (0, ""), ran


def test_a_missing_file_is_no_traceback_in_a_process(process: Run) -> None:
    ran = process("report", "missing.arch")
    assert (ran.code, ran.out, ran.err) == (2, "", "error: cannot read missing.arch: there is no such file\n")


@pytest.mark.parametrize("written", ["nets.arch:unet", "nets.arch#unet", "nets.arch/unet"])
def test_a_network_behind_another_sign_is_told_the_right_one(run: Run, folder: Path, written: str) -> None:
    (folder / "nets.arch").write_text(GOOD)
    ran = run("report", written)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.endswith("there is no such file; did you mean nets.arch::unet?\n")


def test_pretty_exceptions_stay_off() -> None:
    assert not app.pretty_exceptions_enable


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "good.arch", "-o", "good.arch"),
        ("compile", "good.arch::tiny", "-o", "../{folder}/good.arch"),
        ("compile", "good.arch", "-o", "link.py"),
        ("export", "good.arch", "--format", "pt2", "-o", "good.arch"),
        ("export", "good.arch", "--weights", "w.pt2", "-o", "w.pt2"),
        ("see", "good.arch", "i.png", "--features", "conv1", "-o", "i.png"),
        ("transfer", "w.safetensors", "good.arch", "-o", "w.safetensors"),
        ("draw", "w.dot", "-o", "w.dot"),
    ],
)
def test_what_is_read_is_not_written_over(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "link.py").symlink_to("good.arch")
    for name in ("w.pt2", "i.png", "w.safetensors", "w.dot"):
        (folder / name).write_text(GOOD)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    output = arguments[-1].format(folder=folder.name)
    ran = run(*arguments[:-1], output)
    assert ran.code == 2
    assert ran.err == f"error: {output} is what is read; name another file to write\n"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    "arguments",
    [
        ("compile", "good.arch", "-o", "{}.py"),
        ("compile", "good.arch", "-o", "{}/model.py"),
        ("draw", "good.arch", "-o", "{}.dot"),
        ("draw", "good.arch", "-o", "{}.gif"),
        ("build", "good.arch", "-o", "{}"),
        ("fmt", "{}.arch"),
        ("fmt", "--check", "{}.arch"),
        ("{}", "good.arch"),
        ("check", "good.arch", "{}"),
        ("report", "good.arch", "--format", "{}"),
        ("report", "good.arch", "--{}"),
    ],
)
def test_no_name_is_obeyed_by_the_terminal(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    name = "\x1b[31m\u202ex"
    (folder / f"{name}.arch").write_text(GOOD.replace("  conv", "      conv"))
    ran = run(*(each.replace("{}", name) for each in arguments))
    assert "\\x1b[31m\\u202ex" in ran.out + ran.err, ran
    assert (ran.out + ran.err).replace("\n", "").isprintable()


class OutOfMemoryError(RuntimeError):
    """As that of torch for an accelerator is called."""


@pytest.mark.parametrize(
    "problem",
    [
        MemoryError(),
        OutOfMemoryError("CUDA: tried to allocate 20.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you"),
        RuntimeError("Storage size calculation overflowed with sizes=[1]"),
    ],
)
def test_too_little_memory_is_said(run: Run, monkeypatch: pytest.MonkeyPatch, problem: Exception) -> None:
    def fails(*given: object) -> None:
        raise problem

    monkeypatch.setattr("archdsl.network.Network.source", fails)
    ran = run("compile", "good.arch")
    assert (ran.code, ran.out, ran.err) == (1, "", "error: this needs more memory than there is\n")


def test_other_errors_of_torch_are_not_hidden(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*given: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr("archdsl.network.Network.source", fails)
    with pytest.raises(RuntimeError, match="a bug"):
        run("compile", "good.arch")


@pytest.mark.parametrize(
    "arguments",
    [("export", "-o", "out.pt2"), ("transfer", "old.safetensors"), ("see", "--filters", "first", "-o", "out.png")],
)
def test_a_module_that_no_machine_holds(run: Run, folder: Path, arguments: tuple[str, ...]) -> None:
    (folder / "huge.arch").write_text("net n {\n  input 3x64x64\n  conv 8 k3 as stem -> flatten -> fc 4000000000\n}\n")
    ran = run(arguments[0], "huge.arch", *arguments[1:])
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == "error: this needs more memory than there is"
