"""Writing files so that a reader finds the old one or the new one, never a part of it."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator
from errno import EACCES, EISDIR, EXDEV
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

    For what a library writes by itself. It is in a fresh folder beside the file; the file itself is moved last. Where
    the block ends with an exception, nothing is moved, and what was there stays as it was.

    Raises:
        OSError: where it cannot be written; its `filename` is `path`.
    """
    target = Path(os.path.realpath(path))
    _replaceable(target, path)
    with _fresh(target, path) as folder:
        yield folder / target.name
        _move(_places(folder, target.parent, target.name))


@contextlib.contextmanager
def staged_folder(path: str | Path, last: str) -> Iterator[Path]:
    """A folder to write files to; at the end they take their places in the one of this name, the file `last` as last.

    That one is made where it is not there; files of other names in it stay. Where the block ends with an exception,
    nothing is moved, and what was there stays as it was.

    Raises:
        OSError: where it cannot be written; its `filename` is `path`, or what is in the way there.
    """
    target = Path(os.path.realpath(path))
    with _fresh(target, path) as folder:
        yield folder
        if target.is_dir():
            _move(_places(folder, Path(path), last))
        else:
            _places(folder, folder, last)
            os.replace(folder, target)


@contextlib.contextmanager
def _fresh(target: Path, path: str | Path) -> Iterator[Path]:
    """An empty folder beside the target, gone at the end; errors of writing in it are of `path`."""
    folder = target.parent / f".{target.name[:100]}.{os.urandom(6).hex()}"
    try:
        try:
            folder.mkdir()
            yield folder
        except OSError as problem:
            at = problem.filename
            if problem.errno is None or (at is not None and not str(at).startswith(str(folder))):
                raise
            raise OSError(problem.errno, problem.strerror, str(path)) from None
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:  # once more, as a signal may have come before the first, or amid it
        shutil.rmtree(folder, ignore_errors=True)


def _places(folder: Path, into: Path, last: str) -> list[tuple[Path, Path]]:
    """The files of a folder, ready to be moved, each with where it goes. A link there stays, and its target is written.

    Each has the permissions of the file that it replaces, or else those of the last one, or else the usual ones: some
    libraries let nobody else read what they write.

    Raises:
        OSError: where one cannot go; its `filename` says where.
    """
    places: list[tuple[Path, Path]] = []
    usual = stat.S_IMODE(folder.stat().st_mode) & 0o666
    for file in sorted(folder.iterdir(), key=lambda each: each.name != last):
        target = Path(os.path.realpath(into / file.name))
        there = None if into == folder else _replaceable(target, into / file.name)
        if target.parent.stat().st_dev != folder.stat().st_dev:
            raise OSError(EXDEV, "it is a link to another file system", str(into / file.name))
        mode = usual if there is None else stat.S_IMODE(there)
        usual = mode if file.name == last else usual
        os.chmod(file, mode)
        places.insert(0, (file, target))
    return places


def _move(places: list[tuple[Path, Path]]) -> None:
    """Moves files to where they go; a signal amid them is heard when all are there, as they belong together."""
    try:
        for file, target in places:
            os.replace(file, target)
    except OSError:
        raise
    except BaseException:
        for file, target in places:
            if file.exists():
                os.replace(file, target)
        raise


def _replaceable(target: Path, path: str | Path) -> int | None:
    """The mode of the file at the target, None where there is none.

    Raises:
        OSError: where it is no regular file or may not be written; its `filename` is `path`.
    """
    try:
        mode = _mode(target)
    except OSError as problem:
        raise OSError(problem.errno, problem.strerror, str(path)) from None
    if mode is not None and not stat.S_ISREG(mode):
        raise IsADirectoryError(EISDIR, "it is no regular file", str(path))
    if mode is not None and not os.access(target, os.W_OK):  # to replace it, the folder's permission would do
        raise PermissionError(EACCES, os.strerror(EACCES), str(path))
    return mode


def _mode(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None
