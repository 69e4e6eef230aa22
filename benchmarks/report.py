"""Parse, check and report resnet50 from its text, against building torchvision's and running torchinfo on it."""

from __future__ import annotations

import time
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

    def family() -> Any:
        return ours(FAMILY)

    def anew() -> Any:
        MEMORY.clear()
        return ours()

    first, their_first = timed(ours), timed(theirs)
    assert ours().totals == family().totals
    bar = Bar("least", 100)
    case = "resnet50: parse, check, full report"
    cpu = in_turns(ours, theirs, seconds, least=10, settle=0.05, clock=time.process_time)
    return [
        in_turns(ours, theirs, 2 * seconds, least=10, settle=0.05).row(case, peer, True, bar, "wall clock"),
        cpu.row(case, peer, True, bar, "CPU time of all threads"),
        in_turns(family, theirs, 2 * seconds, least=10, settle=0.05).row(
            "the same, from the text of all ten that ship", peer, True, note="wall clock"
        ),
        in_turns(anew, theirs, seconds, settle=0.05).row(
            "the same, no layer remembered from before", peer, True, note="wall clock"
        ),
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
