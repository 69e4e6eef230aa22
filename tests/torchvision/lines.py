"""How long the text of a family is, here and in torchvision."""

from __future__ import annotations

import ast
import importlib
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from archdsl import project
from archdsl.syntax import tree
from archdsl.torch.vision import import_torchvision

import_torchvision()

from torchvision import models  # noqa: E402


@dataclass(frozen=True)
class Family:
    """The networks of a spec file and its lines, those of torchvision that have these networks, and their lines."""

    spec: str
    sources: tuple[str, ...]
    networks: tuple[str, ...]
    lines: int
    theirs: int
    layers: int
    """Of theirs, those that build the network: without imports, and without what describes published weights."""

    @property
    def ratio(self) -> float:
        return self.lines / self.theirs


def families(names: Iterable[str]) -> tuple[Family, ...]:
    """The families of these networks, by their spec file."""
    shipped = project.shipped()
    found = []
    for spec, members in groupby(sorted(names, key=lambda name: (shipped[name].name, name)), key=shipped.__getitem__):
        networks = tuple(members)
        modules = sorted({models.get_model_builder(name).__module__ for name in networks})
        sources = [Path(str(importlib.import_module(module).__file__)) for module in modules]
        counted = [lines_of_python(source.read_text(encoding="utf-8")) for source in sources]
        found.append(
            Family(
                spec.name,
                tuple(source.name for source in sources),
                networks,
                lines_of_spec(spec.read_text(encoding="utf-8")) + lines_of_uses(project.open_shipped(spec)),
                sum(every for every, _ in counted),
                sum(building for _, building in counted),
            )
        )
    return tuple(found)


def lines_of_spec(text: str) -> int:
    """The lines of a spec that are neither blank nor a comment."""
    return sum(1 for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def lines_of_uses(module: project.Module) -> int:
    """The lines of what a spec uses from other files."""
    total = 0
    for use in module.parsed.file.definitions:
        for name in use.names if isinstance(use, tree.Use) else ():
            definition, origin = module.definitions[name.text]
            total += lines_of_spec(origin.source.text[definition.start : definition.end])
    return total


def lines_of_python(text: str) -> tuple[int, int]:
    """The lines of a Python file that are neither blank nor comment nor docstring, and those that build networks."""
    lines = text.splitlines()
    kept = {number for number, line in enumerate(lines, 1) if line.strip() and not line.strip().startswith("#")}
    module = ast.parse(text)
    for node in ast.walk(module):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False):
            kept -= _of(node.body[0])
    building = set(kept)
    for statement in module.body:
        described = isinstance(statement, ast.ClassDef) and statement.name.endswith("_Weights")
        if described or isinstance(statement, ast.Import | ast.ImportFrom | ast.Assign):
            building -= _of(statement)
    return len(kept), len(building)


def _of(node: ast.stmt) -> set[int]:
    assert node.end_lineno is not None
    return set(range(node.lineno, node.end_lineno + 1))
