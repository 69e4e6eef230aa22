"""In a process of its own: what is imported, streams, colours, pipes, signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from .conftest import Run

WITHOUT_TORCH = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision", "torchinfo"):
            raise ImportError(f"{name} was imported")
sys.meta_path.insert(0, Block())
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "good.arch"),
        ("check", "bad.arch", "--format", "sarif"),
        ("report", "good.arch"),
        ("report", "good.arch", "--format", "html"),
        ("draw", "good.arch", "-o", "net.svg"),
        ("compile", "good.arch", "-o", "model.py"),
        ("fmt", "good.arch"),
        ("list",),
        ("explain", "conv"),
    ],
)
def test_torch_is_not_imported(process: Run, arguments: tuple[str, ...]) -> None:
    ran = process(*arguments, before=WITHOUT_TORCH)
    assert "imported" not in ran.err
    assert ran.code == (1 if "bad.arch" in arguments else 0), ran


def test_the_block_on_torch_works(process: Run) -> None:
    assert "torch was imported" in process("list", before=WITHOUT_TORCH + "import torch").err
    ran = process("build", "good.arch", "-o", "out", before=WITHOUT_TORCH)
    assert ran.code == 1


@pytest.mark.parametrize("module", ["rich", "archdsl.reports.schema", "archdsl.diagrams", "pygraphviz", "graphviz"])
def test_check_imports_only_what_it_needs(process: Run, module: str) -> None:
    report = f"import atexit, sys; atexit.register(lambda: print({module!r} in sys.modules))"
    ran = process("check", "good.arch", before=report)
    assert ran.out.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("env", "expected"),
    [
        ({}, False),
        ({"FORCE_COLOR": "1"}, True),
        ({"NO_COLOR": "1"}, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, False),
        ({"NO_COLOR": "", "FORCE_COLOR": "1"}, True),
    ],
)
@pytest.mark.parametrize(
    "arguments", [("check", "bad.arch"), ("report", "good.arch"), ("report", "none.arch"), ("explain", "conv")]
)
def test_colours(process: Run, arguments: tuple[str, ...], env: dict[str, str], expected: bool) -> None:
    ran = process(*arguments, env=env)
    assert ("\x1b[" in ran.out + ran.err) is expected, ran


def test_a_build_says_nothing_but_its_own(process: Run) -> None:
    ran = process("build", "good.arch", "-o", "out")
    assert ran.code == 0, ran
    steps = [line.rpartition(":")[0] for line in ran.err.splitlines()]
    assert steps[:4] == ["report", "diagram", "loading torch", "building the module"]
    assert len(steps) == 5


def test_a_closed_pipe_is_silent(folder: Path) -> None:
    code = "from archdsl.cli import main; main()"
    command = [sys.executable, "-c", code, "report", "resnet152", "--format", "json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.readline()
        child.stdout.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 141


def test_no_standard_output_at_all(process: Run) -> None:
    ran = process("report", "good.arch", before="import sys; sys.stdout = None")
    assert (ran.code, ran.err) == (0, "")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error(folder: Path) -> None:
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, "-c", "from archdsl.cli import main; main()", "report", "good.arch"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=_environment(),
            timeout=60,
            check=False,
        )
    assert done.stderr.decode() == "error: no space left on device\n"
    assert done.returncode == 2


def test_an_old_terminal_gets_what_it_can_show(process: Run) -> None:
    ran = process("report", "good.arch", env={"PYTHONIOENCODING": "ascii"})
    assert ran.code == 0, ran
    assert ran.out.isascii()


def test_interrupting_is_exit_130(folder: Path) -> None:
    slow = (
        "import time, archdsl.cli.list\narchdsl.project.shipped = lambda: (print('here', flush=True), time.sleep(60))"
    )
    command = [sys.executable, "-c", f"{slow}\nfrom archdsl.cli import main; main()", "list"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=_environment()) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"here\n"
        time.sleep(0.1)
        child.send_signal(signal.SIGINT)
        assert child.wait(60) == 130
        assert b"Traceback" not in child.stderr.read()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
