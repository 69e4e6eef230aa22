"""Atomic writing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from archdsl.files import staged, write_atomically


def test_text_and_bytes_are_written(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, "ä\n")
    assert path.read_bytes() == "ä\n".encode()
    write_atomically(str(path), b"\xff")
    assert path.read_bytes() == b"\xff"
    assert os.listdir(tmp_path) == ["a"]


def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a"
    path.write_text("earlier")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device", "elsewhere")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="No space") as caught:
        write_atomically(path, "later")
    assert caught.value.filename == str(path)
    assert path.read_text() == "earlier"
    assert os.listdir(tmp_path) == ["a"]


def test_permissions_follow_the_mask_and_then_stay(tmp_path: Path) -> None:
    path = tmp_path / "a"
    mask = os.umask(0o027)
    try:
        write_atomically(path, "new")
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
    finally:
        os.umask(mask)
    path.chmod(0o604)
    write_atomically(path, "again")
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("earlier")
    (tmp_path / "link").symlink_to("real")
    write_atomically(tmp_path / "link", "later")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "later"


def test_a_device_is_written_to(tmp_path: Path) -> None:
    write_atomically(os.devnull, "gone")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


@pytest.mark.parametrize("name", ["missing/a", "."])
def test_what_cannot_be_written_says_its_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"\[Errno") as caught:
        write_atomically(tmp_path / name, "text")
    assert caught.value.filename == str(tmp_path / name)


def test_staged_files_take_their_places_together_and_the_file_last(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("earlier")
    (tmp_path / "a.onnx").chmod(0o640)
    with staged(tmp_path / "a.onnx") as place:
        assert place.name == "a.onnx"
        place.write_text("new")
        place.with_name("a.onnx.data").write_text("more")
        assert (tmp_path / "a.onnx").read_text() == "earlier"
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.onnx": "new", "a.onnx.data": "more"}
    assert stat.S_IMODE((tmp_path / "a.onnx").stat().st_mode) == 0o640


def test_where_staging_fails_nothing_is_moved(tmp_path: Path) -> None:
    (tmp_path / "a.onnx").write_text("earlier")

    def interrupted() -> None:
        with staged(tmp_path / "a.onnx") as place:
            place.write_text("new")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a.onnx": "earlier"}


def test_staging_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("earlier")
    (tmp_path / "link").symlink_to("real")
    with staged(tmp_path / "link") as place:
        place.write_text("new")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


@pytest.mark.parametrize("name", ["", "none/a"])
def test_staging_says_the_name_of_what_cannot_be_written(tmp_path: Path, name: str) -> None:
    with pytest.raises(OSError, match=r"regular file|No such file") as problem, staged(tmp_path / name):
        raise AssertionError("it was entered")
    assert problem.value.filename == str(tmp_path / name)
