"""The command line: `archdsl check`, `report`, `draw`, `compile`, `build`, `fmt`, `list`, `explain`."""

from __future__ import annotations

import io
import sys


def main() -> None:
    """The entry point; leaves the process with 0 where all is clean, 1 where there are findings, 2 for wrong usage."""
    sys.stdout = sys.stdout or io.StringIO()  # closed by the shell: `>&-`
    sys.stderr = sys.stderr or io.StringIO()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an old terminal cannot show is written out, not an error
            stream.reconfigure(errors="backslashreplace")
    from archdsl.cli.app import app

    app(prog_name="archdsl")
