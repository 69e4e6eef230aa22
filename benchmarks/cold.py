"""Whole processes, as a user at a terminal waits for them."""

from __future__ import annotations

import statistics
import time

from benchmarks.measure import Bar, ChildError, Ended, Pairs, Row, child

_COMMAND = "import sys; from archdsl.cli import main; sys.argv[0] = 'archdsl'; sys.exit(main())"
"""What the console script does."""

_LIBRARY = """
import archdsl
from archdsl.reports import renderer
print(renderer("table")(archdsl.load("resnet50").report(), width=120))
"""

_TORCHINFO = """
import torch
{declare}
import torchvision
from torchinfo import summary
print(summary(torchvision.models.resnet50(), (1, 3, 224, 224), verbose=0))
"""

# PyPI's torchvision beside a CPU-only torch does not import by itself; the cheapest way round it, so that the peer is
# not slowed down. See archdsl/torch/vision.py.
_DECLARE = """
library = torch.library.Library("torchvision", "FRAGMENT")
library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def rows(seconds: float) -> list[Row]:
    try:
        child("-c", "import torchvision")
        script = _TORCHINFO.format(declare="")
    except ChildError:
        script = _TORCHINFO.format(declare=_DECLARE)
    half = Bar("most", 0.5)
    found: list[Row] = []
    for case, arguments in (
        ("archdsl report resnet50", ("-c", _COMMAND, "report", "resnet50")),
        ("the same by the library: load, report, print", ("-c", _LIBRARY)),
    ):
        found += _against(case, arguments, script, seconds)
    for case, arguments, bar in (
        ("archdsl check resnet50", ("-c", _COMMAND, "check", "resnet50"), half),
        ("python -c 'import archdsl'", ("-c", "import archdsl"), half),
        ("python -c 'import archdsl.cli'", ("-c", "import archdsl.cli"), None),
        ("python -c pass (the floor)", ("-c", "pass"), None),
        ("python -c 'import torch' (for comparison)", ("-c", "import torch"), None),
    ):
        found.append(_alone(case, arguments, bar, seconds / 3))
    return found


def _against(case: str, arguments: tuple[str, ...], script: str, seconds: float) -> list[Row]:
    """A process against torchinfo's script, by wall clock and by CPU time; a first pair warms the disk."""
    peer = "a script: torchinfo.summary(torchvision's)"
    wall, cpu = Pairs([], []), Pairs([], [])
    end = time.perf_counter() + 2 * seconds
    try:
        child(*arguments)
        child("-c", script)
        while len(wall.ours) < 4 or time.perf_counter() < end:
            one, other, again = child(*arguments), child("-c", script), child(*arguments)
            wall.ours.append((one.wall + again.wall) / 2)
            wall.theirs.append(other.wall)
            cpu.ours.append((one.cpu + again.cpu) / 2)
            cpu.theirs.append(other.cpu)
    except ChildError as problem:
        return [Row(case, None, "s", peer, bar=Bar("least", 8), note=f"failed: {problem}")]
    return [
        wall.row(case, peer, True, Bar("least", 8), "wall clock"),
        cpu.row(case, peer, True, None, "CPU time"),
    ]


def _alone(case: str, arguments: tuple[str, ...], bar: Bar | None, seconds: float) -> Row:
    try:
        child(*arguments)
        ended: list[Ended] = []
        end = time.perf_counter() + seconds
        while len(ended) < 5 or time.perf_counter() < end:
            ended.append(child(*arguments))
    except ChildError as problem:
        return Row(case, None, "s", bar=bar, note=f"failed: {problem}")
    cpu = statistics.median(one.cpu for one in ended)
    wall = statistics.median(one.wall for one in ended)
    return Row(case, wall, "s", bar=bar, note=f"CPU {cpu:.3f} s, {len(ended)} runs")
