"""On a full disk every output is an error that names it: nothing is left of it, and what was there stays."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("resource", reason="needs a system that limits the size of files")

SPEC = "net n {\n  input 3x8x8\n  conv 64 k3 -> relu -> conv 64 k3 -> gap -> flatten -> fc 4\n}\n"
EARLIER = "what was there before"

# No file may become longer than this: the system refuses to write on, and says so with another number.
RUN = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
from archdsl.cli import main
main()
"""
COMMANDS = {
    "out.pt2": ("export", "n.arch", "-o"),
    "out.onnx": ("export", "n.arch", "-o"),
    "hub": ("export", "n.arch", "--format", "hub", "-o"),
    "out.safetensors": ("transfer", "n.arch", "old.safetensors", "-o"),
}


@pytest.mark.parametrize("output", COMMANDS)
def test_a_full_disk_is_an_error_that_names_the_output(output: str, tmp_path: Path) -> None:
    import archdsl

    (tmp_path / "n.arch").write_text(SPEC)
    network = archdsl.load(tmp_path / "n.arch")
    network.save(network.compile(), tmp_path / "old.safetensors")
    earlier = tmp_path / ("hub/model.safetensors" if output == "hub" else output)
    earlier.parent.mkdir(exist_ok=True)
    earlier.write_text(EARLIER)
    before = sorted(tmp_path.rglob("*"))
    ran = subprocess.run(
        [sys.executable, "-c", RUN, *COMMANDS[output], output],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.splitlines()[-1] == f"error: {output}: file too large"
    assert sorted(tmp_path.rglob("*")) == before
    assert earlier.read_text() == EARLIER
