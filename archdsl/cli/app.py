"""The commands, in the order of the help, and what becomes of the errors that they let through."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

import archdsl
from archdsl.cli import (
    build,
    check,
    cost,
    diff,
    draw,
    explain,
    explain_count,
    export,
    field,
    fmt,
    lint,
    memory,
    report,
    see,
    sizes,
    stages,
    transfer,
)
from archdsl.cli import compile as compile_
from archdsl.cli import list as list_
from archdsl.cli.terminal import FINDINGS, USAGE, complain, show_findings, shown
from archdsl.errors import ArchError, SpecError

INTERRUPTED, PIPE_CLOSED = 130, 141
"""As a shell reports the signals SIGINT and SIGPIPE."""


OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory", "size calculation overflowed")
"""What torch says in a RuntimeError."""

READ = ("net", "image", "weights")
"""The arguments that name a file to read; a checkpoint may be written anew with what `transfer` makes of it."""


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
        except OSError as problem:
            if problem.filename is None:  # standard output itself
                _discard_output()
            place = f"{problem.filename}: " if problem.filename is not None else ""
            complain(f"{place}{(problem.strerror or str(problem)).lower()}")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        except Exception as problem:
            if _is_of_memory(problem):
                complain("this needs more memory than there is")
                raise typer.Exit(FINDINGS) from None
            if isinstance(said := getattr(problem, "message", None), str):  # of wrong usage, with what was given
                problem.message = shown(said)  # type: ignore[attr-defined]
            raise


class Command(TyperCommand):
    """A command that does not write over the files that it reads."""

    def invoke(self, ctx: Any) -> Any:
        output = ctx.params.get("output")
        for given in map(ctx.params.get, READ):
            if isinstance(output, Path) and isinstance(given, str | Path):
                with contextlib.suppress(OSError, ValueError):  # where one of them is not there
                    if os.path.samefile(output, str(given).partition("::")[0]):
                        raise ArchError(f"{output} is what is read; name another file to write")
        return super().invoke(ctx)


def _is_of_memory(problem: Exception) -> bool:
    """Whether there was too little of it: torch says so by kinds of its own, and it is not imported here."""
    if isinstance(problem, MemoryError | RecursionError) or type(problem).__name__ == "OutOfMemoryError":
        return True
    return isinstance(problem, RuntimeError) and any(text in str(problem) for text in OUT_OF_MEMORY)


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

    NET is a network that ships (resnet50), a file with one network, file.arch::name, or a file of weights that carries
    its network (model.safetensors).
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
    "see": see.command,
    "explain": explain.command,
    "explain-count": explain_count.command,
    "export": export.command,
    "transfer": transfer.command,
}
for _name, _command in _COMMANDS.items():
    app.command(_name, cls=Command)(_command)
