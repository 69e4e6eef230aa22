"""Specs as they were: `HEAD~1:specs/unet.arch` is a file of a git revision, with the files that it uses."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from archdsl import limits, project
from archdsl.diagnostics.escape import printable
from archdsl.errors import ArchError, NotFoundError
from archdsl.loading import buildable, chosen, locate
from archdsl.source import Source

_REVISION = re.compile(r"(?P<revision>[^:\s-][^:\s]*):(?P<file>[^:]+?\.arch)(?:::(?P<net>\w+))?")


def is_revision(spec: str) -> bool:
    """Whether a text names a file of a git revision, rather than a file or a network."""
    return _REVISION.fullmatch(spec) is not None and not Path(spec).exists()


@contextmanager
def opened(spec: str) -> Iterator[tuple[project.Module, tuple[str, ...]]]:
    """The file that a user means, be it of a git revision, and the networks of it: the one named, or all.

    Raises:
        NotFoundError: where there is no such revision, file or network.
        SpecError: where the file has errors that leave no network to choose.
    """
    match = _REVISION.fullmatch(spec)
    if match is None or not is_revision(spec):
        if spec.endswith(".arch") and Path(spec).is_file():
            yield _chosen(project.open_file(Path(spec)), None)
        else:
            module, name = locate(spec)
            yield module, (name,)
        return
    with TemporaryDirectory() as folder:
        path = _written_out(match["revision"], match["file"], Path(folder))
        shown = printable(f"{match['revision']}:{match['file']}")
        source = project.read(path, shown)
        yield _chosen(project.open_source(Source(shown, source.text, str(path.parent))), match["net"])


def _chosen(module: project.Module, net: str | None) -> tuple[project.Module, tuple[str, ...]]:
    names = buildable(module)
    return module, names if net is None and len(names) > 1 else (chosen(module, net),)


def _written_out(revision: str, file: str, folder: Path) -> Path:
    """The specs beside a file as they were in a revision, in a folder of their own; the file's place there."""
    where = PurePosixPath(Path(file).as_posix())
    if where.is_absolute() or ".." in where.parts:
        raise NotFoundError(f"{printable(file)} is not a path inside the repository, from this folder on")
    known = _git("ls-tree", "-r", "-z", "--name-only", revision, "--", f"{where.parent}/")
    names = [name for name in known.decode(errors="replace").split("\0") if name.endswith(".arch")]
    if str(where) not in names:
        raise NotFoundError(f"there is no {printable(file)} in {printable(revision)}")
    for name in names[: limits.FILES]:
        _write(revision, name, folder)
    if str(where) not in names[: limits.FILES]:
        _write(revision, str(where), folder)
    return folder / where


def _write(revision: str, name: str, folder: Path) -> None:
    target = folder / name
    if not target.resolve().is_relative_to(folder.resolve()):
        return
    text = _git("cat-file", "blob", f"{revision}:./{name}")
    if len(text) <= limits.FILE_BYTES:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(text)


def _git(*arguments: str) -> bytes:
    """What git prints.

    Raises:
        ArchError: where there is no git.
        NotFoundError: where git refuses, with what it says.
    """
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=False)  # noqa: S603, S607
    except OSError:
        raise ArchError("a revision is read by git, which is not installed") from None
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0].removeprefix("fatal: ")
        raise NotFoundError(f"git: {printable(said)}")
    return done.stdout
