"""The commands, in the order of the help, and what becomes of the errors that they let through."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

import archdsl
from archdsl.cli import (
    build,
    check,
    cost,
    diff,
    draw,
    explain,
    explain_count,
    field,
    fmt,
    lint,
    memory,
    report,
    sizes,
    stages,
)
from archdsl.cli import compile as compile_
from archdsl.cli import list as list_
from archdsl.cli.terminal import FINDINGS, USAGE, complain, show_findings
from archdsl.errors import ArchError, SpecError

INTERRUPTED, PIPE_CLOSED = 130, 141
"""As a shell reports the signals SIGINT and SIGPIPE."""


class Group(TyperGroup):
    """Turns what a command raises into a message on standard error and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except SpecError as problem:
            show_findings(problem.diagnostics, sys.stderr)
            raise typer.Exit(FINDINGS) from None
        except ArchError as problem:
            complain(str(problem))
            raise typer.Exit(USAGE) from None
        except BrokenPipeError:
            _discard_output()
            raise typer.Exit(PIPE_CLOSED) from None
        except (MemoryError, RecursionError):
            complain("this needs more memory than there is")
            raise typer.Exit(FINDINGS) from None
        except OSError as problem:
            if problem.filename is None:  # standard output itself
                _discard_output()
            place = f"{problem.filename}: " if problem.filename is not None else ""
            complain(f"{place}{(problem.strerror or str(problem)).lower()}")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None


def _discard_output() -> None:
    """Keeps the interpreter from complaining, as it ends, of output that nobody takes any more."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


app = typer.Typer(
    cls=Group,
    name="archdsl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"archdsl {archdsl.__version__}")
        raise typer.Exit


@app.callback()
def _archdsl(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and leave.")
    ] = False,
) -> None:
    """Neural networks written as text: checked, reported, drawn, and compiled into torch modules.

    NET is a network that ships (resnet50), a file with one network, or file.arch::name.
    Exit codes: 0 clean, 1 findings, 2 wrong usage.
    """


_COMMANDS: dict[str, Callable[..., None]] = {
    "check": check.command,
    "lint": lint.command,
    "report": report.command,
    "draw": draw.command,
    "compile": compile_.command,
    "build": build.command,
    "fmt": fmt.command,
    "list": list_.command,
    "sizes": sizes.command,
    "field": field.command,
    "memory": memory.command,
    "stages": stages.command,
    "cost": cost.command,
    "diff": diff.command,
    "explain": explain.command,
    "explain-count": explain_count.command,
}
for _name, _command in _COMMANDS.items():
    app.command(_name)(_command)
