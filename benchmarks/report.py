"""Parse, check and report resnet50 from its text, against building torchvision's and running torchinfo on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.measure import ROOT, Bar, Row, in_turns, timed

SIZE = (1, 3, 224, 224)
SPEC = ROOT / "benchmarks" / "resnet50.arch"
"""One network, as the peer builds one."""
FAMILY = ROOT / "specs" / "resnet.arch"
"""The file that ships: resnet50 and its relations."""


def rows(seconds: float) -> list[Row]:
    import archdsl.reports.table
    from archdsl.layers.applied import MEMORY
    from archdsl.torch.vision import import_torchvision

    torchvision = import_torchvision()
    from torchinfo import summary

    peer = "torchinfo.summary(torchvision's)"

    def theirs() -> object:
        return summary(torchvision.models.resnet50(), SIZE, verbose=0)

    def their_text() -> str:
        return str(theirs())

    def our_text() -> str:
        return archdsl.reports.table.render(ours(), width=120)

    def anew() -> Any:
        MEMORY.clear()
        return ours(FAMILY)

    first, their_first = timed(anew), timed(theirs)
    assert ours().totals == ours(FAMILY).totals
    bar = Bar("least", 100)
    case = "resnet50, from the file that ships: parse, check, full report"
    cpu = in_turns(anew, theirs, seconds, least=10, settle=0.05, clock=time.process_time)

    def beside(do: Callable[[], Any], case: str) -> Row:
        return in_turns(do, theirs, seconds, settle=0.05).row(case, peer, True, note="wall clock")

    return [
        in_turns(anew, theirs, 2 * seconds, least=10, settle=0.05).row(case, peer, True, bar, "wall clock"),
        cpu.row(case, peer, True, bar, "CPU time of all threads"),
        beside(lambda: ours(FAMILY), "the same, its layers remembered from before"),
        beside(ours, "resnet50 alone in its file, its layers remembered from before"),
        Row(
            "the same, the first time in a process",
            first,
            "s",
            peer,
            their_first,
            True,
            their_first / first,
            note="all imported; once",
        ),
        in_turns(our_text, their_text, seconds, settle=0.05).row(
            "the same, and the table as text", f"str({peer})", True
        ),
    ]


def ours(spec: Path = SPEC) -> Any:
    """The report of resnet50 from its text: read, parsed, checked and worked out anew."""
    from archdsl import project
    from archdsl.layers.catalog import STANDARD
    from archdsl.network import Network
    from archdsl.source import Source

    source = Source(spec.name, spec.read_text(encoding="utf-8"), str(spec.parent))
    return Network(project.open_source(source), "resnet50", STANDARD).report()
