"""Writing files so that a reader finds the old one or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from errno import EACCES, EISDIR
from pathlib import Path


def write_atomically(path: str | Path, data: bytes | str) -> None:
    """Replaces a file by `data`, text as UTF-8. If that fails, the earlier file stays as it was.

    The new text is written beside the file and then takes its place, with its permissions; a symbolic link stays one.
    What is no regular file (`/dev/stdout`, a pipe) is written to directly; one that may not be written stays.

    Raises:
        OSError: where it cannot be written; its `filename` is `path`.
    """
    content = data.encode() if isinstance(data, str) else data
    try:
        _write(Path(os.path.realpath(path)), content)
    except OSError as problem:
        raise type(problem)(problem.errno, problem.strerror, str(path)) from None


def _write(path: Path, content: bytes) -> None:
    mode = _mode(path)
    if mode is not None and not stat.S_ISREG(mode):
        path.write_bytes(content)
        return
    if mode is not None and not os.access(path, os.W_OK):  # to replace it, the folder's permission would do
        raise PermissionError(EACCES, os.strerror(EACCES))
    name = path.parent / f".{path.name[:100]}.{os.urandom(6).hex()}"
    try:  # from here on, as a signal may come between any two lines
        descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o666)
        with open(descriptor, "wb") as file:
            file.write(content)
        if mode is not None:
            os.chmod(name, stat.S_IMODE(mode))
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


@contextlib.contextmanager
def staged(path: str | Path) -> Iterator[Path]:
    """A place to write a file of this name to, with others beside it; what is there at the end takes its place.

    For what a library writes by itself. It is a fresh folder beside the file; the file itself is moved last. Where the
    block ends with an exception, nothing is moved, and what was there stays as it was.

    Raises:
        OSError: where it cannot be written; its `filename` is `path`.
    """
    target = Path(os.path.realpath(path))
    folder = target.parent / f".{target.name[:100]}.{os.urandom(6).hex()}"
    try:
        mode = _mode(target)
        if mode is not None and not stat.S_ISREG(mode):
            raise IsADirectoryError(EISDIR, "it is no regular file")
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(EACCES, os.strerror(EACCES))
        folder.mkdir()
    except OSError as problem:
        raise type(problem)(problem.errno, problem.strerror, str(path)) from None
    try:
        yield folder / target.name
        usual = stat.S_IMODE(folder.stat().st_mode) & 0o666  # some libraries let nobody else read what they write
        for each in folder.iterdir():
            os.chmod(each, usual if mode is None else stat.S_IMODE(mode))
        for each in sorted(folder.iterdir(), key=lambda each: each.name == target.name):
            os.replace(each, target.parent / each.name)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
