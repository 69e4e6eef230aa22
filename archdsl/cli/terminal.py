"""What is said, and where: results on standard output, errors and progress on standard error."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from archdsl.diagnostics.model import Diagnostic

FINDINGS, USAGE = 1, 2
"""Exit codes: the spec has findings; the command was not used rightly."""

_PIECE = 32_768
"""Characters: a pipe that closes amid one write is not an error to Python before the next."""


def colored(stream: TextIO) -> bool:
    """Whether to write colours: as NO_COLOR and FORCE_COLOR say, or else to a terminal that has them."""
    if os.environ.get("NO_COLOR"):
        return False
    return bool(os.environ.get("FORCE_COLOR")) or (stream.isatty() and os.environ.get("TERM") != "dumb")


def put(text: str) -> None:
    """Writes a result. It is handed over at once and in pieces, so that a closed pipe is noticed here."""
    for start in range(0, len(text), _PIECE):
        sys.stdout.write(text[start : start + _PIECE])
        sys.stdout.flush()


def note(text: str) -> None:
    """Writes a line about how it goes."""
    print(shown(text), file=sys.stderr, flush=True)


def shown(text: str) -> str:
    """Lines as a terminal may show them: names of files can hold what it would obey."""
    from archdsl.diagnostics.escape import printable

    return "\n".join(map(printable, text.split("\n")))


def complain(text: str) -> None:
    """Writes an error that is about no place in a spec."""
    head = "\x1b[1;31merror\x1b[0m" if colored(sys.stderr) else "error"
    print(f"{head}: {shown(text)}", file=sys.stderr, flush=True)


def show_findings(diagnostics: Sequence[Diagnostic], stream: TextIO) -> None:
    """Writes findings for people, with a summary."""
    from archdsl.diagnostics import text

    if diagnostics:
        width = shutil.get_terminal_size((text.WIDTH, 24)).columns if stream.isatty() else text.WIDTH
        stream.write(text.render(diagnostics, color=colored(stream), width=width) + "\n")
        stream.write(text.summary(diagnostics) + "\n")
        stream.flush()


@contextmanager
def step(doing: str) -> Iterator[None]:
    """Says on standard error what is being done: while it lasts on a terminal, or else as a line with its time."""
    began = perf_counter()
    if sys.stderr.isatty():
        from rich.console import Console

        with Console(stderr=True).status(doing):
            yield
    else:
        yield
        note(f"{doing}: {perf_counter() - began:.2f} s")
