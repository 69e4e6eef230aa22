"""Atomic writing."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from archdsl.files import staged, staged_folder, write_atomically


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


# ---------------------------------------------------------------- a folder of files


def write_folder(path: Path, text: str = "new") -> None:
    with staged_folder(path, last="b") as place:
        for name in ("a", "b", "c"):
            (place / name).write_text(text)
            (place / name).chmod(0o600)  # as some libraries do


def texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_a_folder_is_made_or_its_files_replaced(tmp_path: Path) -> None:
    mask = os.umask(0o022)
    try:
        write_folder(tmp_path / "hub")
    finally:
        os.umask(mask)
    assert texts(tmp_path / "hub") == {"a": "new", "b": "new", "c": "new"}
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "hub").iterdir()} == {0o644}
    (tmp_path / "hub/mine").write_text("earlier")
    (tmp_path / "hub/a").chmod(0o604)
    (tmp_path / "hub/b").chmod(0o640)
    (tmp_path / "hub/c").unlink()
    write_folder(tmp_path / "hub", "newer")
    assert texts(tmp_path / "hub") == {"a": "newer", "b": "newer", "c": "newer", "mine": "earlier"}
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "hub").iterdir()}
    assert (modes["a"], modes["b"], modes["c"]) == (0o604, 0o640, 0o640)
    assert os.listdir(tmp_path) == ["hub"]


@pytest.mark.parametrize("name", ["a", "b", "c"])
def test_a_folder_in_place_of_one_of_its_files_is_named_and_all_stays(tmp_path: Path, name: str) -> None:
    (tmp_path / "hub" / name).mkdir(parents=True)
    (tmp_path / "hub" / "abc".replace(name, "")[0]).write_text("earlier")
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(IsADirectoryError) as caught:
        write_folder(tmp_path / "hub")
    assert caught.value.filename == str(tmp_path / "hub" / name)
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / "hub" / "abc".replace(name, "")[0]).read_text() == "earlier"


def test_a_link_in_a_folder_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "target").write_text("earlier")
    (tmp_path / "hub").mkdir()
    (tmp_path / "hub/a").symlink_to("../target")
    write_folder(tmp_path / "hub")
    assert os.readlink(tmp_path / "hub/a") == "../target"
    assert (tmp_path / "target").read_text() == "new"


@pytest.mark.parametrize("code", [28, 122])
def test_what_fails_while_staging_names_the_file(tmp_path: Path, code: int) -> None:
    for writing in (staged(tmp_path / "a"), staged_folder(tmp_path / "a", "b")):
        with pytest.raises(OSError, match=os.strerror(code)) as caught, writing:
            raise OSError(code, os.strerror(code))
        assert caught.value.filename == str(tmp_path / "a")
    assert os.listdir(tmp_path) == []


def test_what_fails_elsewhere_keeps_its_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught, staged(tmp_path / "a"):
        (tmp_path / "elsewhere").read_text()
    assert caught.value.filename == str(tmp_path / "elsewhere")
