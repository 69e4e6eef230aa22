"""Texts that ask for as much as the limits allow: every step stays within its memory, and its work grows as they do."""

from __future__ import annotations

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from archdsl import limits
from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import scene
from archdsl.layers.applied import MEMORY
from archdsl.layers.catalog import STANDARD
from archdsl.loading import buildable
from archdsl.network import Network
from archdsl.project import open_source
from archdsl.reports import FORMATS, renderer
from archdsl.source import Source
from tests.work import calls

ROOT = Path(__file__).resolve().parents[2]
MEGABYTES = 1024
DEEP = 40


def nested(depth: int) -> str:
    """Blocks inside each other; the innermost, b and the depth, is still to be written."""
    return "".join(f"block b{i} {{ relu -> b{i + 1} }}\n" for i in range(depth))


def net(body: str, before: str = "") -> str:
    return f"{before}net n {{\ninput 8x32x32\n{body}\n}}\n"


LARGE: dict[str, Callable[[int], str]] = {
    "layers in pairs": lambda n: net(f"(conv 8 k3 p1 -> relu) x{n // 2 - 1}"),
    "layers that all differ": lambda n: net(f"for i in 1..{n - 2} {{ conv i k1 }}"),
    "blocks that all differ": lambda n: net(
        f"for i in 1..{n // 3 - 1} {{ b(i) }}", "block b(c) { conv c k1 -> bn -> relu }\n"
    ),
    "named groups": lambda n: net(f"for i in 0..{n // 2 - 1} {{ (conv 8 k1 -> relu) as g{{i}} }}"),
    "deep in blocks": lambda n: net("b0", f"{nested(DEEP)}block b{DEEP} {{ relu x{n - DEEP - 2} }}\n"),
    "blocks deep in blocks": lambda n: net(
        "b0", f"{nested(DEEP)}block b{DEEP} {{ b x{n // 2 - DEEP} }}\nblock b {{ bn -> relu }}\n"
    ),
    "branches": lambda n: net(f"({'|'.join(['relu'] * (n - 2))}) -> cat"),
    "branches in a row": lambda n: net(f"((relu | relu | relu) -> add) x{n // 4 - 1}"),
    "a shared block": lambda n: net(f"share e = b\ne x{n // 2 - 1}", "block b { bn -> relu }\n"),
    "outputs": lambda n: net(
        f"for i in 0..{n // 2 - 1} {{ relu as o{{i}} -> bn }}\noutput {', '.join(f'o{i}' for i in range(n // 2 - 1))}"
    ),
    "texts": lambda n: net(f'b("{"x" * 300}") x{n // 2 - 1}', "block b(s) { bn -> relu }\n"),
}
"""Texts of a network of so many layers."""
LARGEST = (
    "layers that all differ",
    "blocks that all differ",
    "blocks deep in blocks",
    "branches",
    "a shared block",
    "outputs",
)
"""Those of which one step or another takes the most."""


def network(text: str) -> Network:
    module = open_source(Source("spec.arch", text))
    made = Network(module, buildable(module)[0], STANDARD)
    assert made.ok, made.diagnostics[0]
    return made


def drawn(network: Network, depth: int | None) -> object:
    """The diagram, or what refuses it."""
    try:
        return dot(scene(network, depth), "macs")
    except ValueError as refused:
        return refused


STAGES: dict[str, Callable[[Network], object]] = {
    **{format: lambda made, format=format: renderer(format)(made.report()) for format in FORMATS},  # type: ignore[misc]
    "diagram": lambda made: drawn(made, None),
    "diagram, opened": lambda made: drawn(made, 2),
    "source": lambda made: made.source(),
}


@pytest.mark.parametrize("name", LARGEST)
def test_a_network_at_the_limit_stays_within_its_memory(name: str) -> None:
    """Everything is made of it in one process, which a user would do with several."""
    command = [sys.executable, "-c", f"from tests.hostile.test_size import child; child({name!r})"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    layers, megabytes = map(int, done.stdout.split())
    assert layers > limits.LAYERS * 0.9
    assert megabytes < MEGABYTES


def child(name: str) -> None:
    """Prints the layers of a network at the limit, and the memory that the process took for what is made of it."""
    made = network(LARGE[name](limits.LAYERS))
    for stage in ("table", "json", "html", "diagram", "source"):
        STAGES[stage](made)
    print(len(made.graph.nodes), peak() // 2**20)


def peak() -> int:
    """The bytes that this program has held at most, not those of the process before it became this program."""
    status = Path("/proc/self/status")
    if status.exists():
        (line,) = (line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def work(text: str, stage: str) -> int:
    """What a stage does, without what is done but once in a process, and whatever the process remembers so far."""
    MEMORY.clear()  # or it is trimmed where the tests before have filled it, perhaps between the two lines below
    STAGES[stage](network(text))
    made = network(text)
    return calls(lambda: STAGES[stage](made))


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("name", LARGE)
def test_twice_the_layers_are_twice_the_work(name: str, stage: str) -> None:
    small, large = (work(LARGE[name](layers), stage) for layers in (800, 1600))
    assert large < 2.3 * small


@pytest.mark.parametrize("stage", STAGES)
def test_what_lies_deep_takes_hardly_more_work(stage: str) -> None:
    flat, deep = (
        work(net("b0", nested(depth) + f"block b{depth} {{ (bn -> relu) x3000 }}\n"), stage) for depth in (4, 44)
    )
    assert deep < 2 * flat
