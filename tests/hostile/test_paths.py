"""A spec reads nothing outside its folder and the shipped specs, whatever its `use` says, and waits for nothing."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from archdsl import limits, project
from archdsl.diagnostics import Diagnostic
from archdsl.source import Source

SECRET = "net secret { input 3x8x8\n relu }\n"


def found(written: str, folder: Path | None) -> tuple[project.Module, tuple[Diagnostic, ...]]:
    text = f'use secret from "{written}"\nnet n {{ input 3x8x8\n relu }}\n'
    module = project.open_source(Source("spec.arch", text, None if folder is None else str(folder)))
    return module, module.diagnostics


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project, and a secret beside it."""
    (tmp_path / "secret.arch").write_text(SECRET)
    inside = tmp_path / "project"
    (inside / "parts").mkdir(parents=True)
    (inside / "ok.arch").write_text(SECRET)
    return inside


OUTSIDE = {
    "above": "../secret.arch",
    "above, from a folder": "parts/../../secret.arch",
    "above, with a dot": "./../secret.arch",
    "absolute": "{secret}",
    "absolute, two slashes": "/{secret}",
    "backslashes": "..\\secret.arch",
    "a drive": "C:\\secret.arch",
    "a NUL": "ok.arch\0.txt",
    "nothing": "",
    "a device": "/dev/zero",
    "a process": "/proc/self/environ",
}


@pytest.mark.parametrize("in_folder", [True, False])
@pytest.mark.parametrize("way", OUTSIDE)
def test_no_path_leads_outside(way: str, in_folder: bool, folder: Path) -> None:
    written = OUTSIDE[way].replace("{secret}", str(folder.parent / "secret.arch"))
    module, findings = found(written, folder if in_folder else None)
    assert [finding.code for finding in findings] == ["outside-project"]
    assert module.uses == ()


@pytest.mark.parametrize("way", ["to a file", "to a folder", "to a link", "to a device"])
def test_no_link_leads_outside(way: str, folder: Path) -> None:
    links = {"to a file": "../secret.arch", "to a folder": "..", "to a link": "other", "to a device": "/dev/zero"}
    (folder / "other").symlink_to("../secret.arch")
    (folder / "link.arch").symlink_to(links[way])
    module, findings = found("link.arch/secret.arch" if way == "to a folder" else "link.arch", folder)
    assert [finding.code for finding in findings] == ["outside-project"]
    assert module.uses == ()


def test_a_link_inside_is_followed(folder: Path) -> None:
    (folder / "link.arch").symlink_to("ok.arch")
    _, findings = found("link.arch", folder)
    assert findings == ()


def test_a_link_to_itself_is_a_missing_file(folder: Path) -> None:
    (folder / "link.arch").symlink_to("link.arch")
    _, findings = found("link.arch", folder)
    assert [finding.code for finding in findings] == ["missing-file"]


# fmt: off
MISSING = ["parts", ".", "**", "**x.arch", "*", "[a-", "~/ok.arch", "%2e%2e/ok.arch", "file:///etc/passwd", "a" * 300,
           "-", "a/" * 3000, "ok.arch/", "OK.ARCH.", "é\u202e\x1b[31m.arch", "$(id)", "`id`", "|id", "{0}", "%s%n"]
# fmt: on


@pytest.mark.parametrize("written", MISSING, ids=range(len(MISSING)))
def test_what_is_no_file_is_said_so(written: str, folder: Path) -> None:
    for place in (folder, None):
        module, findings = found(written, place)
        if written == "ok.arch/" and place is not None:  # the file itself, as Path reads it
            assert findings == ()
            assert len(module.uses) == 1
            continue
        assert [finding.code for finding in findings] == ["missing-file"]
        assert module.uses == ()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with pipes that have names")
def test_a_pipe_is_not_waited_for(folder: Path) -> None:
    os.mkfifo(folder / "pipe.arch")
    done: list[tuple[Diagnostic, ...]] = []
    thread = threading.Thread(target=lambda: done.append(found("pipe.arch", folder)[1]), daemon=True)
    thread.start()
    thread.join(30)
    assert [finding.code for finding in done[0]] == ["missing-file"]
    with pytest.raises(project.ReadError, match="no such file"):
        project.read(folder / "pipe.arch")


def test_a_long_row_of_files_is_refused(folder: Path) -> None:
    for number in range(limits.FILES + 50):
        (folder / f"f{number}.arch").write_text(f'use secret from "f{number + 1}.arch"\n')
    (folder / f"f{limits.FILES + 50}.arch").write_text(SECRET)
    module = project.open_file(folder / "f0.arch")
    (finding,) = module.diagnostics
    assert finding.code == "missing-file"
    assert str(limits.FILES) in finding.message


def test_many_files_are_refused(folder: Path) -> None:
    text = ""
    for number in range(limits.FILES + 5):
        (folder / f"f{number}.arch").write_text(f"let a{number} = 1\n")
        text += f'use a{number} from "f{number}.arch"\n'
    (folder / "all.arch").write_text(text)
    module = project.open_file(folder / "all.arch")
    assert {finding.code for finding in module.diagnostics} == {"missing-file"}
    assert len(module.uses) < limits.FILES


def test_files_are_counted_together(folder: Path) -> None:
    large = "# " + "x" * (limits.FILE_CHARACTERS // 2) + "\n"
    for name in ("a", "b"):
        (folder / f"{name}.arch").write_text(large + f"let {name} = 1\n")
    (folder / "both.arch").write_text('use a from "a.arch"\nuse b from "b.arch"\n')
    (finding,) = project.open_file(folder / "both.arch").diagnostics
    assert finding.code == "missing-file"
    assert f"{limits.FILE_CHARACTERS:,} characters together" in finding.message
    assert finding.span.line == 2


def test_a_file_of_many_mistakes_is_told_once_for_many_uses(folder: Path) -> None:
    (folder / "bad.arch").write_text("let a = = 1\n" * 50 + "let b = 1\n")
    (folder / "uses.arch").write_text('use b from "bad.arch"\n' * 300)
    findings = project.open_file(folder / "uses.arch").diagnostics
    assert len(findings) <= limits.SHARED_PROBLEMS
    assert sum(finding.code == "syntax" for finding in findings) == 50
