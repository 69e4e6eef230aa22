"""A run that is stopped at any moment leaves every output whole: the earlier one or the new one, never a part."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from archdsl.cli.app import app

SPEC = "net tiny {\n  input 3x8x8\n  conv 4   k3 -> relu\n}\n"
EARLIER = "what was there before\n"
COMMANDS = {
    "compile": (("compile", "tiny.arch", "-o", "model.py"), ["model.py"]),
    "draw": (("draw", "tiny.arch", "-o", "net.dot"), ["net.dot"]),
    "fmt": (("fmt", "tiny.arch"), ["tiny.arch"]),
    "staged": (("staged",), ["out/a.onnx.data", "out/a.onnx"]),
    "hub": (("hub",), ["out/hub/config.json", "out/hub/README.md", "out/hub/model.safetensors"]),
    "build": (("build", "tiny.arch", "-o", "out"), ["out/model.py", "out/report.html", "out/report.json"]),
}

# Runs a command once for each moment of writing and each signal: the signal comes at a certain line of files.py, for as
# long as there are more lines. The module is not run and the diagram of a build not laid out, which write nothing.
MOMENTS = """
import os, shutil, signal, sys
from pathlib import Path
import archdsl.cli.build as build
from archdsl.cli import main
from archdsl.files import staged, staged_folder

outputs, *arguments = sys.argv[1:]
outputs = outputs.split(":")
spec, earlier = Path("tiny.arch").read_text(), "what was there before\\n"
build._diagram = lambda network: None
build._tried = lambda *given: sys.exit(0)
sys.argv = ["archdsl", *arguments]

def exported():  # as what exports does, which writes several files
    signal.signal(signal.SIGTERM, lambda *given: sys.exit(143))
    several = staged(outputs[-1]) if arguments == ["staged"] else staged_folder("out/hub", last="model.safetensors")
    try:
        with several as place:
            for name in outputs:
                (place.parent if arguments == ["staged"] else place).joinpath(Path(name).name).write_text("new")
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)

if arguments in (["staged"], ["hub"]):
    main = exported

def begin():
    shutil.rmtree("out", ignore_errors=True)
    os.mkdir("out")
    for name in outputs:
        Path(name).parent.mkdir(exist_ok=True)
        Path(name).write_text(spec if name == "tiny.arch" else earlier)

def run(number, moment):
    begin()
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    lines = 0
    def trace(frame, event, argument):
        nonlocal lines
        if not frame.f_code.co_filename.endswith("files.py") or "archdsl" not in frame.f_code.co_filename:
            return None
        if event == "line":
            lines += 1
            if lines == moment:
                os.kill(os.getpid(), number)
        return trace
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    sys.settrace(trace)
    code = 70
    try:
        main()
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        code = 71
    os._exit(code)

begin()
try:
    main()  # here, so that every child has all modules
except SystemExit as end:
    assert not end.code
whole = {name: Path(name).read_text() for name in outputs}
assert all(whole.values())
for number, ended in ((signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -signal.SIGKILL)):
    moment = stopped = 0
    while True:
        moment += 1
        code = run(number, moment)
        is_new = [Path(name).read_text() == whole[name] for name in outputs]
        if main is exported and number != signal.SIGKILL:
            assert len(set(is_new)) == 1, (number, moment, is_new)
        elif main is exported:
            assert all(is_new) or not is_new[-1], (number, moment, is_new)
        for name in outputs:
            text = Path(name).read_text()
            assert text in (whole[name], spec if name == "tiny.arch" else earlier), (number, moment, name)
        left = [path for path in Path().rglob("*") if path.name.startswith(".")]
        if number != signal.SIGKILL:
            assert not left, (number, moment, left)
        for path in left:
            path.unlink() if path.is_file() else shutil.rmtree(path)
        if code == 0:
            break
        assert code == ended, (number, moment, code)
        stopped += 1
    print("::", number.name, stopped)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a system that forks")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_signal_at_any_moment_leaves_whole_files(command: str, tmp_path: Path) -> None:
    arguments, outputs = COMMANDS[command]
    (tmp_path / "tiny.arch").write_text(SPEC)
    done = subprocess.run(
        [sys.executable, "-c", MOMENTS, ":".join(outputs), *arguments],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    stopped = dict(line.split()[1:] for line in done.stdout.splitlines() if line.startswith("::"))
    assert set(stopped) == {"SIGINT", "SIGTERM", "SIGKILL"}
    assert all(int(count) >= 10 * len(outputs) for count in stopped.values()), stopped


# ---------------------------------------------------------------- a disk that refuses


class Full:
    """A file on a full disk: the first half of what is written arrives."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def __enter__(self) -> Full:
        return self

    def __exit__(self, *problem: object) -> None:
        os.close(self.descriptor)

    def write(self, content: bytes) -> None:
        os.write(self.descriptor, content[: len(content) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def refusing(code: int) -> Callable[..., Any]:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(code, os.strerror(code), str(arguments[0]))

    return refuse


REFUSALS: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "a full disk": lambda patch: patch.setattr("archdsl.files.open", lambda fd, mode: Full(fd), raising=False),
    "a folder without permission": lambda patch: patch.setattr("archdsl.files.os.open", refusing(errno.EACCES)),
    "a read-only file": lambda patch: patch.setattr("archdsl.files.os.access", lambda path, mode: mode != os.W_OK),
    "a file system that cannot rename": lambda patch: patch.setattr("archdsl.files.os.replace", refusing(errno.EXDEV)),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("tiny.arch").write_text(SPEC)
    return tmp_path


@pytest.mark.parametrize("refusal", REFUSALS)
@pytest.mark.parametrize("command", ["compile", "draw", "fmt"])
def test_what_cannot_be_written_leaves_what_was_there(
    command: str, refusal: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, (output,) = COMMANDS[command]
    if output != "tiny.arch":
        Path(output).write_text(EARLIER)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with monkeypatch.context() as patch:
        REFUSALS[refusal](patch)
        ran = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert ran.exit_code == 2
    assert output in ran.stderr
    assert "Traceback" not in ran.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_folder_in_place_of_an_output_stays(folder: Path) -> None:
    Path("model.py").mkdir()
    Path("model.py/inside").write_text(EARLIER)
    ran = CliRunner().invoke(app, ("compile", "tiny.arch", "-o", "model.py"), catch_exceptions=False)
    assert ran.exit_code == 2
    assert "model.py" in ran.stderr
    assert Path("model.py/inside").read_text() == EARLIER
    assert sorted(os.listdir(folder)) == ["model.py", "tiny.arch"]


def test_a_file_in_place_of_the_folder_of_a_build_stays(folder: Path) -> None:
    Path("out").write_text(EARLIER)
    ran = CliRunner().invoke(app, ("build", "tiny.arch", "-o", "out"), catch_exceptions=False)
    assert ran.exit_code == 2
    assert "out" in ran.stderr
    assert Path("out").read_text() == EARLIER
