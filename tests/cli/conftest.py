"""What the tests of the command line share: a runner, a real process, and a folder with specs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from archdsl.cli.app import app

GOOD = "net tiny(classes=10, act=relu) {\n  input 3x8x8\n  conv 4 k3 -> act -> gap -> flatten -> fc classes\n}\n"
BAD = "net wrong {\n  input 3x8x8\n  conv 4 k9\n  conv 4 k3 s0\n}\n"
OPEN = "net open {\n  input image : 3xHxW\n  conv 4 k3 s2 p1 -> gap -> flatten -> fc 2\n}\n"
TWO = "net two {\n  input a : 1x8x8\n  input b : 1x8x8\n  (a | b) -> cat -> gap -> flatten -> fc 2\n}\n"


class Ran:
    """What a command did."""

    def __init__(self, code: int, out: str, err: str) -> None:
        self.code, self.out, self.err = code, out, err

    def __repr__(self) -> str:
        return f"exit {self.code}\n--- stdout\n{self.out}\n--- stderr\n{self.err}"


Run = Callable[..., Ran]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to be in, with good.arch, bad.arch, open.arch and two.arch."""
    for name, text in (("good", GOOD), ("bad", BAD), ("open", OPEN), ("two", TWO)):
        (tmp_path / f"{name}.arch").write_text(text)
    monkeypatch.chdir(tmp_path)
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


@pytest.fixture
def run(folder: Path) -> Run:
    """Runs a command in this process."""

    def invoke(*arguments: str) -> Ran:
        result = CliRunner().invoke(app, arguments, prog_name="archdsl", catch_exceptions=False)
        return Ran(result.exit_code, result.stdout, result.stderr)

    return invoke


@pytest.fixture
def process(folder: Path) -> Run:
    """Runs a command in a process of its own, as a user does; `before` is Python that runs first."""

    def start(*arguments: str, before: str = "", env: Mapping[str, str] | None = None) -> Ran:
        code = f"{before}\nfrom archdsl.cli import main\nmain()"
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code, *arguments],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **(env or {})},
            timeout=120,
            check=False,
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    return start
