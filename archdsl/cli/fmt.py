"""archdsl fmt: the one layout of specs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from archdsl import project
from archdsl.cli.paths import specs
from archdsl.cli.terminal import FINDINGS, note, put, show_findings
from archdsl.diagnostics.escape import printable
from archdsl.errors import NotFoundError
from archdsl.files import write_atomically


def command(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="Specs, or folders of specs.")],
    check: Annotated[bool, typer.Option("--check", help="Change nothing; list the files that would change.")] = False,
) -> None:
    """Lay specs out; their meaning stays."""
    from archdsl.syntax.formatter import format_text
    from archdsl.syntax.parser import parse

    changed = broken = total = 0
    for path in [spec for named in files for spec in specs(named)]:
        try:
            source = project.read(Path(path))
        except project.ReadError as problem:
            raise NotFoundError(str(problem)) from None
        total += 1
        text = format_text(source)
        if text is None:
            broken += 1
            show_findings(parse(source).diagnostics, sys.stderr)
        elif text != source.text:
            changed += 1
            if not check:
                write_atomically(path, text)
            put(f"{'would change' if check else 'changed'} {printable(str(path))}\n")
    note(f"{total} file{'' if total == 1 else 's'}, {changed} {'to change' if check else 'changed'}")
    raise typer.Exit(FINDINGS if broken or (check and changed) else 0)
