"""What is accepted runs, what is refused would have failed, and every number is torch's."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest

import archdsl.elaborate.networks
import archdsl.lowering.modules
from archdsl.elaborate.naming import Frame
from archdsl.layers import STANDARD, Layer, Problem, Tensor, Window
from archdsl.layers.applied import MEMORY
from archdsl.layers.convolution import Conv
from archdsl.layers.geometry import outputs
from archdsl.layers.merge import Merge
from archdsl.layers.normalization import BatchNorm
from archdsl.layers.pooling import MaxPool
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree

from .__main__ import ENDED, REGRESSIONS, Found, outcomes, run
from .compare import judge
from .generate import generate
from .shrink import shrink

PARTS = 10
EACH = 250
FRESH = 100


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("part", range(PARTS))
def test_the_checker_and_torch_agree(part: int) -> None:
    counted, found = run(0, part * EACH, (part + 1) * EACH)
    assert not found, "\n\n".join(f"{one.seed}: {one.kind}: {one.details}\n{one.text}" for one in found[:3])
    assert min(counted["accepted"], counted["refused"]) > EACH // 5, "about half of the networks are to be broken"


@pytest.mark.parametrize("part", range(PARTS))
def test_they_agree_on_networks_never_seen_before(part: int, request: pytest.FixtureRequest) -> None:
    _, found = run(request.config.getoption("--networks"), part * FRESH, (part + 1) * FRESH)
    assert not found, "\n\n".join(f"{one.seed}: {one.kind}: {one.details}\n{one.text}" for one in found[:3])


def ends(seed: int, first: int, last: int) -> tuple[Counter[str], list[Found]]:
    """Stands for `run` where torch ends the process at some networks."""
    if any(number in (7, 31) for number in range(first, last)):
        os._exit(1)
    return Counter(accepted=last - first), []


def test_a_process_that_ends_is_found_and_the_others_go_on() -> None:
    counted: Counter[str] = Counter()
    found: list[Found] = []
    for counts, some in outcomes(1, [(first, first + 10) for first in range(0, 100, 10)], 2, ends):
        counted += counts
        found += some
    assert counted == {"accepted": 98, ENDED: 2}
    assert sorted((one.seed, one.kind) for one in found) == [("1/31", ENDED), ("1/7", ENDED)]


@pytest.mark.parametrize("path", sorted(REGRESSIONS.glob("*.arch")), ids=lambda path: path.stem)
def test_they_agree_where_they_once_did_not(path: Path) -> None:
    assert judge(path.read_text("utf-8")).disagreement is None


def test_every_layer_is_among_them() -> None:
    words: set[str] = set()
    for number in range(600):
        words |= {node.name.text for node in _nodes(generate(Random(number))) if isinstance(node, tree.Call)}
    missing = [layer.word for layer in STANDARD.layers if not words & {layer.word, *layer.aliases}]
    assert not missing


def test_networks_inside_others_are_among_them() -> None:
    found: Counter[str] = Counter()
    for number in range(600):
        file = generate(Random(number))
        nets = {each.name.text for each in file.definitions if isinstance(each, tree.Net | tree.Variant)}
        nodes = _nodes(file)
        kinds = {
            "network": any(isinstance(node, tree.Call) and node.name.text in nets for node in nodes),
            "until": any(isinstance(n, tree.Argument) and n.name and n.name.text == "until" for n in nodes),
            "tap": any(isinstance(node, tree.Tap) for node in nodes),
            "variant": len(nets) > 2,
        }
        found.update(kind for kind, there in kinds.items() if there)
        found["any"] += any(kinds.values())
    assert found["any"] > 600 // 7
    assert min(found.values()) > 600 // 40, found


def _nodes(node: tree.Node) -> list[tree.Node]:
    found = [node]
    for name in type(node).__match_args__:
        value = getattr(node, name)
        for inner in value if isinstance(value, tuple) else (value,):
            if isinstance(inner, tree.Node):
                found += _nodes(inner)
    return found


def test_a_disagreement_is_made_small() -> None:
    text = print_tree(
        parse(Source("a.arch", "net main {\n  input 3x8x8\n  (conv 4 k3 -> bn) x2 -> tanh as t\n}\n")).file
    )
    small = shrink(parse(Source("a.arch", text)).file, lambda text: "tanh" in text)
    assert "tanh" in small
    assert not any(word in small for word in ("conv", "bn", "x2", "as t"))


def _wider(self: Conv, *inputs: Tensor) -> Tensor:
    return Tensor("map", (self.channels + 1, *outputs(self.windows(inputs[0].rank), inputs[0].space)))


def _nothing(*_: Any) -> Any:
    yield from ()


MUTATIONS: dict[str, tuple[Any, str, Any, set[str]]] = {
    "a wrong size": (Conv, "output", _wider, {"shape", "accepted", "parameters", "state_dict"}),
    "a check that is left out": (Merge, "check", _nothing, {"accepted", "crash"}),
    "a check too many": (
        MaxPool,
        "check",
        lambda self, *_: iter([Problem("bounds", "no pools today")]),
        {"refused-bounds"},
    ),
    "a wrong weight": (BatchNorm, "weights", lambda self, *_: {"weight": (1,)}, {"parameters"}),
    "a wrong count": (Layer, "macs", lambda self, *_: 1, {"macs"}),
    "a wrong field": (
        Window,
        "taps",
        lambda self, _: range(1 - self.before, 1 - self.before + self.extent, self.dilation),
        {"field"},
    ),
    "overwriting what is still needed": (
        archdsl.lowering.modules,
        "_overwriting",
        lambda graph, *_: [bool(node.inputs) for node in graph.nodes],
        {"values", "gradient", "crash"},
    ),
    "a network that is not cut": (archdsl.elaborate.networks, "cut", lambda *_: False, {"layers"}),
    "another end": (
        archdsl.elaborate.networks.Entrance,
        "leaving",
        lambda self, flow: flow,
        {"layers", "outputs", "values", "accepted", "refused-wrong-inputs"},
    ),
    "a wrong name": (Frame, "default_name", lambda self, word, span, is_module: f"{word}{span.start}", {"layers"}),
}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_what_is_wrong_would_be_found(mutation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison has teeth: with one rule changed it finds networks that show it."""
    owner, name, instead, kinds = MUTATIONS[mutation]
    monkeypatch.setattr(MEMORY, "applied", {})
    monkeypatch.setattr(MEMORY, "layers", {})
    monkeypatch.setattr(owner, name, instead)
    for part in range(10):
        _, found = run(0, part * 30, part * 30 + 30)
        if {one.kind for one in found} & kinds:
            return
    pytest.fail("it was not found")
