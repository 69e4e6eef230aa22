"""Parse, check and report resnet50 from its text, against building torchvision's and running torchinfo on it."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.measure import ROOT, Bar, Row, in_turns, timed

SIZE = (1, 3, 224, 224)
SPEC = ROOT / "specs" / "resnet.arch"


def rows(seconds: float) -> list[Row]:
    import archdsl.reports.build
    import archdsl.reports.table
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

    first, their_first = timed(ours), timed(theirs)
    bar = Bar("least", 100)
    case = "resnet50: parse, check, full report"
    cpu = in_turns(ours, theirs, seconds, least=10, clock=time.process_time)
    return [
        in_turns(ours, theirs, 2 * seconds, least=10).row(case, peer, True, bar, "wall clock"),
        cpu.row(case, peer, True, bar, "CPU time of all threads"),
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
        in_turns(our_text, their_text, seconds).row("the same, and the table as text", f"str({peer})", True),
    ]


def ours() -> Any:
    """The report of resnet50 from its text, nothing kept from before."""
    from archdsl import project
    from archdsl.layers.catalog import STANDARD
    from archdsl.network import Network
    from archdsl.source import Source

    source = Source(SPEC.name, SPEC.read_text(encoding="utf-8"), str(SPEC.parent))
    return Network(project.open_source(source), "resnet50", STANDARD).report()
