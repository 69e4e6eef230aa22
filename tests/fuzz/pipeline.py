"""What is done with each text: everything that archdsl does with one, short of torch and of Graphviz's layout."""

from __future__ import annotations

import ast
import json
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from zlib import crc32

from archdsl import limits
from archdsl.diagnostics import as_json, github, sarif, text
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import scene
from archdsl.layers.catalog import STANDARD
from archdsl.loading import buildable
from archdsl.network import Network
from archdsl.project import open_source
from archdsl.reports import FORMATS, renderer
from archdsl.source import Source
from archdsl.syntax.formatter import format_text
from archdsl.syntax.parser import Parsed, parse
from archdsl.syntax.printer import print_tree

NETWORKS = 2
"""How many networks of a text are built."""

LAYOUTS = 4
"""The formatter, the printer and the findings for machines are tried on one text of so many."""

COLORINGS = ("kind", "parameters", "macs", "field")
SMALL = {"LAYERS": 300, "STEPS": 5_000, "LIST_ITEMS": 5_000}
"""Limits for a run of many texts: what is large is refused soon; tests/hostile holds the true limits."""


@contextmanager
def small_limits() -> Iterator[None]:
    """Lets networks be small, so that a run spends its time on many texts."""
    before = {name: getattr(limits, name) for name in SMALL}
    for name, value in SMALL.items():
        setattr(limits, name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            setattr(limits, name, value)


def examine(spec: str) -> str:
    """How far a text comes: "unread", "wrong", "empty" or "built".

    Whatever it says, nothing here may raise. What comes out must be whole: findings with places in the text, a layout
    that is stable, reports that can be read back, Python that can be parsed.
    """
    source = Source("spec.arch", spec)
    module = open_source(source)
    turn = crc32(spec.encode("utf-8", "surrogatepass"))
    if turn % LAYOUTS == 0:
        laid_out(source, module.parsed)
    stage = "unread" if module.parsed.diagnostics else "empty"
    findings(module.diagnostics, turn)
    for name in buildable(module)[:NETWORKS]:
        network = Network(module, name, STANDARD)
        findings(network.diagnostics, turn)
        if network.ok:
            built(network, turn)
            stage = "built"
        elif stage == "empty":
            stage = "wrong"
    return stage


def laid_out(source: Source, parsed: Parsed) -> None:
    """What the formatter and the printer give."""
    formatted = format_text(source)
    if formatted is None:
        assert parsed.diagnostics
        return
    again = Source("spec.arch", formatted)
    assert parse(again).file == parsed.file, "another layout, another tree"
    assert format_text(again) == formatted, "the layout is not stable"
    assert parse(Source("spec.arch", print_tree(parsed.file))).file == parsed.file, "printed, it is another tree"


def findings(diagnostics: tuple[Diagnostic, ...], turn: int) -> None:
    """The ways to print findings; those for machines on some texts only."""
    for finding in diagnostics:
        whole = len(finding.span.source.text)
        assert 0 <= finding.span.start <= finding.span.end <= whole, finding
    shown = text.render(diagnostics)
    assert all(line.isprintable() for line in shown.split("\n")), "a character that a terminal obeys"
    if turn % LAYOUTS:
        return
    text.render(diagnostics, color=True, width=40)
    json.loads(as_json.render(diagnostics))
    json.loads(sarif.render(diagnostics))
    commands = github.render(diagnostics)
    assert commands.count("\n") == len(diagnostics)
    assert all(command.startswith("::") for command in commands.splitlines())


def built(network: Network, turn: int) -> None:
    """What is made of a network without errors: its source, and one report and one diagram, others at each turn."""
    report = network.report(batch=2)
    name = FORMATS[turn % len(FORMATS)]
    rendered = renderer(name)(report)
    assert rendered.encode()
    if name == "json":
        json.loads(rendered)
    depth = (None, None, 0, 1)[turn // 8 % 4]
    assert dot(scene(network, depth), COLORINGS[turn // 32 % len(COLORINGS)]).encode()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ast.parse(network.source())
