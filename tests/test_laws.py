"""The laws of docs/architecture.md, each held by a test here."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from dataclasses import fields
from pathlib import Path
from typing import ClassVar

import pytest
import torch

import archdsl
from archdsl.layers import STANDARD, Expression, Layer, Tensor
from archdsl.layers.page import page

ROOT = Path(__file__).parent.parent
PYPROJECT = ROOT / "pyproject.toml"

WITHOUT_TORCH = """
import importlib.abc, sys

class Blocked(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "torchvision"):
            raise ImportError(name + " is blocked")

sys.meta_path.insert(0, Blocked())

import archdsl
from archdsl.reports import FORMATS, renderer

net = archdsl.load("resnet18", classes=10)
assert not net.diagnostics
assert not net.lint()
assert net.sizes().axes and net.memory().saved and net.cost(device="h200").totals.seconds and net.explain_count()
assert net.field("layer4.0.conv1").unit and net.explain("conv1") and net.diff(archdsl.load("resnet18")).totals
asked = "expect peak_memory(train) < 1GiB and seconds(h200) < 1"
assert archdsl.parse("net a { input 3x8x8\\n conv 8 k3\\n " + asked + "\\n expect sizes multiple_of 2 }").ok
assert archdsl.parse("net a { input 3x8x8\\n conv 8 k9 }").diagnostics
for format in FORMATS:
    assert renderer(format)(net.report())
assert "nn.Conv2d" in net.source()
net.draw(sys.argv[1])
assert not {"torch", "torchvision"} & set(sys.modules)
"""


def run(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)


# ---------------------------------------------------------------- 1. data flows one way


def lint_imports(config: Path) -> subprocess.CompletedProcess[str]:
    program = "import sys; sys.path.insert(0, '.'); from importlinter.cli import lint_imports_command as c; c()"
    return run(program, "--config", str(config), "--no-cache")


def test_the_rooms_import_only_downwards() -> None:
    result = lint_imports(PYPROJECT)
    assert result.returncode == 0, result.stdout


def test_the_import_contract_can_be_broken(tmp_path: Path) -> None:
    text = PYPROJECT.read_text(encoding="utf-8")
    turned = text.replace('  "loading",\n  "network",\n', '  "network",\n  "loading",\n')
    assert turned != text
    (tmp_path / "pyproject.toml").write_text(turned, encoding="utf-8")
    result = lint_imports(tmp_path / "pyproject.toml")
    assert result.returncode == 1
    assert "archdsl.loading -> archdsl.network" in result.stdout


def test_every_room_but_one_is_kept_from_torch() -> None:
    rooms = {
        path.stem for path in (ROOT / "archdsl").iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()
    }
    contracts = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"]
    kept = next(contract["source_modules"] for contract in contracts if contract["type"] == "forbidden")
    assert {room.removeprefix("archdsl.") for room in kept} == rooms - {"__init__", "torch"}


# ---------------------------------------------------------------- 2. the core never imports torch


def test_checking_reporting_drawing_and_writing_source_need_no_torch(tmp_path: Path) -> None:
    result = run(WITHOUT_TORCH, str(tmp_path / "net.svg"))
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "net.svg").stat().st_size > 1000


def test_the_test_without_torch_can_fail(tmp_path: Path) -> None:
    result = run(WITHOUT_TORCH + "net.compile()\n", str(tmp_path / "net.dot"))
    assert result.returncode == 1
    assert "torch is blocked" in result.stderr


# ---------------------------------------------------------------- 3. each fact has one home


class Halve(Layer):
    """Halves every value."""

    word: ClassVar[str] = "halve"
    family: ClassVar[str] = "elementwise"
    is_module: ClassVar[bool] = False
    torch_name: ClassVar[str] = "torch.div"

    def lower(self, *inputs: Tensor) -> Expression:
        return Expression("{0} / 2")


def test_a_layer_that_is_declared_once_is_known_everywhere() -> None:
    net = archdsl.parse("net a { input 4\n halve -> halve }", catalog=STANDARD.extended_with(Halve))
    assert net.ok
    assert [layer.path for layer in net.report().layers] == ["halve1", "halve2"]
    assert net.compile()(torch.ones(1, 4)).tolist() == [[0.25] * 4]
    assert "Halves every value." in page(Halve)
    unknown = archdsl.parse("net a { input 4\n halv }", catalog=STANDARD.extended_with(Halve)).diagnostics
    assert [finding.help for finding in unknown] == ["did you mean `halve`?"]


# ---------------------------------------------------------------- 4. nodes are frozen, facts stand beside the graph


def test_analyses_write_nothing_on_the_graph() -> None:
    net = archdsl.load("lenet5")
    graph = net.graph
    before = repr([getattr(graph, part.name) for part in fields(graph)])
    net.report()
    net.source()
    assert net.graph is graph
    assert repr([getattr(graph, part.name) for part in fields(graph)]) == before
    assert len(net.counts) == len(net.fields) == len(graph.nodes)


def test_nodes_layers_and_graphs_are_frozen() -> None:
    graph = archdsl.load("lenet5").graph
    node = graph.nodes[1]
    for thing, name in ((graph, "nodes"), (node, "path"), (node.layer, "channels"), (graph.activations[0], "path")):
        with pytest.raises((AttributeError, TypeError, ValueError), match=r"frozen|can't set|cannot assign"):
            setattr(thing, name, None)


# ---------------------------------------------------------------- 5. only the public edge raises

BROKEN = "net a {\n  input 3x8x8\n  conv 8 k9 -> bn -> relu as e\n  flatten -> fc 10\n  cat e\n}"


def test_a_mistake_is_found_and_not_raised() -> None:
    net = archdsl.parse(BROKEN)
    assert not net.ok
    for use in (net.report, net.source, net.compile):
        with pytest.raises(archdsl.SpecError) as raised:
            use()
        assert raised.value.diagnostics == net.diagnostics


def test_what_follows_from_a_mistake_is_not_reported() -> None:
    assert [finding.code for finding in archdsl.parse(BROKEN).diagnostics] == ["window-too-large"]


# ---------------------------------------------------------------- 6. what runs is what you read


@pytest.mark.usefixtures("one_thread")
@pytest.mark.parametrize("name", ["lenet5", "resnet18", "unet"])
def test_the_source_is_what_runs(name: str) -> None:
    net = archdsl.load(name, input="3x64x64") if name != "lenet5" else archdsl.load(name)
    scope: dict[str, object] = {}
    exec(net.source(), scope)
    written = scope[net.program.class_name]()  # type: ignore[operator]
    compiled = net.compile()
    written.load_state_dict(compiled.state_dict(), strict=True, assign=True)  # the same memory: kernels heed alignment
    sizes = [int(size) for size in net.report().inputs[0].shape]
    image = torch.randn(1, *sizes, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert torch.equal(written.eval()(image), compiled.eval()(image))


@pytest.mark.parametrize("name", ["lenet5", "alexnet", "vgg16_bn", "resnext50_32x4d", "unet_valid"])
def test_the_source_needs_only_torch(name: str) -> None:
    imported = set()
    for node in ast.walk(ast.parse(archdsl.load(name).source())):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(str(node.module))
    standard = {name for name in imported if name.partition(".")[0] in sys.stdlib_module_names}
    assert {name.partition(".")[0] for name in imported - standard} == {"torch"}
