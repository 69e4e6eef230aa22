"""The command line: `archdsl check`, `report`, `draw`, `compile`, `build`, `fmt`, `list`, `explain`."""

from __future__ import annotations

import io
import os
import sys


def main() -> None:
    """The entry point; leaves the process with 0 where all is clean, 1 where there are findings, 2 for wrong usage."""
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115 - as after `>&-`
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what an old terminal cannot show is written out, not an error
            stream.reconfigure(errors="backslashreplace")
    from archdsl.cli.app import app

    app(prog_name="archdsl")
