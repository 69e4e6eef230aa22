"""The command line: `archdsl check`, `lint`, `report`, `draw`, `compile`, `build`, `fmt`, `list`, `explain`."""

from __future__ import annotations

import io
import signal
import sys
from types import FrameType

TERMINATED = 143
"""As a shell reports the signal SIGTERM."""


def main() -> None:
    """The entry point; leaves the process with 0 where all is clean, 1 where there are findings, 2 for wrong usage."""
    signal.signal(signal.SIGTERM, _leave)
    sys.stdout = sys.stdout or io.StringIO()  # closed by the shell: `>&-`
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an old terminal cannot show is written out, not an error
            stream.reconfigure(errors="backslashreplace")
    from archdsl.cli.app import app

    app(prog_name="archdsl")


def _leave(number: int, frame: FrameType | None) -> None:
    """Ends the process as an error would, so that what is half written is taken away."""
    raise SystemExit(TERMINATED)
