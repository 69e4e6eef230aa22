"""torchvision imports, whether or not its compiled library loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# A healthy torchvision, a broken one and a half-broken one, each a package on disk that a fresh process imports.
HEALTHY = "__version__ = 'healthy'\n"
NEEDS_OPERATORS = """
import torch
from torchvision import part                       # stays half imported when the next line fails
torch.library.register_fake("torchvision::nms")(lambda *a: None)
torch.library.register_fake("torchvision::qnms")(lambda *a: None)
assert part.count == 1, "an old part was kept"
"""
OTHER_ERROR = "raise RuntimeError('operator torchvision::roi_align does not exist')\n"


def run(code: str, path: Path | None = None) -> str:
    """Runs code in a fresh process, with a folder before all others to import from; its output, or its error."""
    head = f"import sys; sys.path.insert(0, {str(path)!r})\n" if path else ""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", head + code], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    return done.stdout if done.returncode == 0 else done.stderr


def package(folder: Path, source: str) -> Path:
    (folder / "torchvision").mkdir()
    (folder / "torchvision" / "__init__.py").write_text(source)
    (folder / "torchvision" / "part.py").write_text("count = 1\n")
    return folder


LOADED = """
from archdsl.torch.vision import _declared, import_torchvision
torchvision = import_torchvision()
"""


def test_models_and_transforms_work_and_a_second_call_gives_the_same_module() -> None:
    code = """
assert import_torchvision() is torchvision is sys.modules["torchvision"]
import torch
from torchvision import models
from torchvision.transforms import v2
image = v2.Compose([v2.Resize(40), v2.CenterCrop(32), v2.Normalize([0.5], [0.5])])(torch.rand(1, 3, 64, 64))
print(tuple(models.resnet18(weights=None).eval()(image).shape))
"""
    assert run("import sys" + LOADED + code) == "(1, 1000)\n"


def test_it_helps_after_a_plain_import_has_failed() -> None:
    code = """
try:
    import torchvision
except RuntimeError:
    pass
"""
    assert run(code + LOADED + "print(torchvision.models.resnet18.__name__)") == "resnet18\n"


def test_a_healthy_torchvision_is_left_alone(tmp_path: Path) -> None:
    code = LOADED + "print(torchvision.__version__, _declared)"
    assert run(code, package(tmp_path, HEALTHY)) == "healthy []\n"


def test_operators_are_declared_where_the_import_fails_for_want_of_them(tmp_path: Path) -> None:
    package(tmp_path, NEEDS_OPERATORS)
    plain = run("import torchvision", tmp_path)
    assert plain.endswith("RuntimeError: operator torchvision::nms does not exist\n")
    assert run(LOADED + "print(len(_declared))", tmp_path) == "1\n"


@pytest.mark.parametrize(
    ("source", "error"),
    [
        (OTHER_ERROR, "RuntimeError: operator torchvision::roi_align does not exist\n"),
        ("import torchvision_is_incomplete\n", "ModuleNotFoundError: No module named 'torchvision_is_incomplete'\n"),
        (NEEDS_OPERATORS + OTHER_ERROR, "RuntimeError: operator torchvision::roi_align does not exist\n"),
        (
            "raise RuntimeError('operator torchvision::nms does not exist')",
            "operator torchvision::nms does not exist\n",
        ),
    ],
)
def test_other_errors_are_not_hidden(tmp_path: Path, source: str, error: str) -> None:
    assert run(LOADED, package(tmp_path, source)).endswith(error)
