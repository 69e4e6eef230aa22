"""What is done with each text: everything that archdsl does with one, short of torch and of Graphviz's layout."""

from __future__ import annotations

import ast
import json
import re
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple
from zlib import crc32

from archdsl import limits
from archdsl.diagnostics import as_json, github, sarif, text
from archdsl.diagnostics.model import Diagnostic
from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import scene
from archdsl.errors import SpecError
from archdsl.layers.catalog import STANDARD
from archdsl.linter.lint import fixable, fixed
from archdsl.loading import buildable
from archdsl.network import Network
from archdsl.project import open_source
from archdsl.reports import FORMATS, renderer
from archdsl.reports.sizes import render as render_sizes
from archdsl.reports.stages import build_stages
from archdsl.reports.stages import render as render_stages
from archdsl.source import Source
from archdsl.syntax.formatter import format_text
from archdsl.syntax.parser import Parsed, parse
from archdsl.syntax.printer import print_tree

LAYOUTS = 4
"""The formatter, the printer and the findings for machines are tried on one text of so many."""

SIZED = 8
"""Of one text of so many it is asked which sizes its network takes, in place of what is made of it otherwise."""

LONG = 100_000
"""Whether what is longer keeps its layout and its tree is not asked: it would be parsed five times."""

WHOLE = 1_000_000
"""Of what is longer than so many characters, pieces are read back: what reads Python and JSON is not archdsl's."""

COLORINGS = ("kind", "parameters", "macs", "field")
SMALL = {"LAYERS": 300, "STEPS": 5_000, "LIST_ITEMS": 5_000}
"""Limits for a run of many texts in a short time: what is large is refused soon."""


class Examined(NamedTuple):
    """How far a text comes, "unread", "wrong", "empty" or "built", and the layers of its largest network."""

    stage: str
    layers: int


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


def examine(spec: str) -> Examined:
    """What users do with a text: all its networks are checked, and one without errors is reported, drawn and compiled.

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
    names = buildable(module)
    first = turn // 128 % max(1, len(names))
    chosen: Network | None = None
    steps = layers = 0
    for name in (*names[first:], *names[:first]):
        network = Network(module, name, STANDARD)
        findings(network.diagnostics, turn)
        layers = max(layers, len(network.graph.nodes))
        if network.ok:
            chosen = chosen or network
        elif stage == "empty":
            stage = "wrong"
        if chosen is None and turn // 64 % SIZED == 0:
            sized(network)
        steps += network.steps
        if steps > limits.STEPS:  # as `archdsl check` does
            break
        del network
    if chosen is not None:
        if turn // 64 % SIZED == 0:
            sized(chosen)
        else:
            built(chosen, turn)
        linted(chosen, turn)
        staged(chosen)
        stage = "built"
    return Examined(stage, layers)


def linted(network: Network, turn: int) -> None:
    """What the linter finds. With its fixes made, the text is still one without mistakes."""
    found = network.lint()
    findings(found, turn)
    own = network.module.source
    mended = fixed(own.text, [fix for fix in fixable(found, unsafe=True) if fix.span.source is own])
    assert mended == own.text or not open_source(Source("spec.arch", mended)).diagnostics, "a fix breaks the text"


def staged(network: Network) -> None:
    """What its recipe comes to: what a stage trains by its groups is what its report says."""
    for stage in network.stages[:3]:
        assert {node for group in stage.groups for node in group.nodes}.isdisjoint(stage.parameters)
        assert "\n" in render_stages(build_stages(network))
        inside = network.at_stage(stage.number)
        trained = sum(network.counts[node].parameters for group in stage.groups for node in group.nodes)
        assert inside.report().totals.trainable == trained, "a stage trains something else than its report says"
        compile(inside.source(), "stage.py", "exec", dont_inherit=True)


def sized(network: Network) -> None:
    """Which sizes a network takes; of one with errors, which others would suit it."""
    with suppress(SpecError):  # where other sizes do not suit it either
        shown = render_sizes(network.sizes())
        assert all(line.isprintable() for line in shown.split("\n")), "a character that a terminal obeys"


def laid_out(source: Source, parsed: Parsed) -> None:
    """What the formatter and the printer give."""
    formatted = format_text(source)
    if formatted is None:
        assert parsed.diagnostics
        return
    if len(formatted) > LONG:
        return
    again = Source("spec.arch", formatted)
    assert parse(again).file == parsed.file, "another layout, another tree"
    assert format_text(again) == formatted, "the layout is not stable"
    printed = print_tree(parsed.file)
    if len(printed) <= limits.FILE_CHARACTERS:
        assert parse(Source("spec.arch", printed)).file == parsed.file, "printed, it is another tree"


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
    reported(network, FORMATS[turn % len(FORMATS)])
    depth = (None, None, 0, 1)[turn // 8 % 4]
    drawn(network, depth, COLORINGS[turn // 32 % len(COLORINGS)])
    source = network.source()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for piece in [source] if len(source) <= WHOLE else pieces(source):
            ast.parse(piece)


def reported(network: Network, name: str) -> None:
    """A report in one format."""
    rendered = renderer(name)(network.report(batch=2))
    assert rendered.encode()
    if name == "json" and len(rendered) <= WHOLE:
        json.loads(rendered)


def pieces(source: str, count: int = 20, lines: int = 200) -> Iterator[str]:
    """Some of a long program that can be parsed by itself: its head, and statements from all over its methods."""
    yield source[: source.index("\nclass ")]
    for part in range(count):
        start = _STATEMENT.search(source, len(source) * part // count)
        if start is None:
            return
        end = start.start()
        for _ in range(lines):
            end = max(end, source.find("\n", end + 1))
        body = re.split(r"\n(?= {0,7}\S)", source[start.start() + 1 : end])[0]  # the next method is left out
        whole = [*_STATEMENT.finditer("\n" + body)]
        yield textwrap.dedent(body[: whole[-1].start()])  # the last statement may go on beyond


_STATEMENT = re.compile(r"\n {8}(?=[^ )\n])")


def drawn(network: Network, depth: int | None, color_by: str) -> None:
    """The diagram, if it has no more boxes than it may have."""
    try:
        text = dot(scene(network, depth), color_by)
    except ValueError as refused:
        if "too many to draw" not in str(refused):
            raise
    else:
        assert text.encode()
