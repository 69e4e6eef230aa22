"""Constructing a module, once its class is there, against torchvision's constructor."""

from __future__ import annotations

import time
from functools import partial

from benchmarks.measure import Bar, Row, in_turns

NETWORKS = ("resnet18", "resnet50", "vgg16")


def rows(seconds: float) -> list[Row]:
    import archdsl
    from archdsl.torch.execute import build
    from archdsl.torch.vision import import_torchvision

    models = import_torchvision().models
    found = []
    for name in NETWORKS:
        program = archdsl.load(name).program
        theirs = getattr(models, name)
        build(program)  # the class is generated here
        theirs()
        # CPU time: filling weights with random numbers is work of one thread, and other jobs then disturb it less
        pairs = in_turns(partial(build, program), theirs, seconds, clock=time.process_time)
        peer = f"torchvision's {name}()"
        found.append(pairs.row(f"{name}: constructor", peer, bar=Bar("most", 1.1), note="CPU time"))
    theirs = models.resnet50
    pairs = in_turns(theirs, theirs, seconds / 2, clock=time.process_time)
    found.append(pairs.row("control: torchvision's resnet50() against itself", "itself", note="CPU time"))
    return found
