"""What a contract may ask of the finished network: `expect peak_memory(batch=32, train) <= 8GiB`."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from archdsl.elaborate.values import OPEN, Question

if TYPE_CHECKING:
    from archdsl.graph import Graph
    from archdsl.lowering.modules import Plan

_ASKED = 16
"""To follow the memory of a run takes so many steps for each layer."""


def questions(graph: Graph) -> Mapping[str, Question]:
    """The questions, by the name that a contract writes."""
    from archdsl.lowering.memory import ITEM_BYTES, OPTIMIZERS
    from archdsl.lowering.modules import planned

    memory: dict[str, tuple[str, ...] | None] = {
        "batch": None,
        "run": ("inference", "train"),
        "dtype": tuple(ITEM_BYTES),
        "optimizer": tuple(OPTIMIZERS),
        "device": ("cuda", "cpu"),
    }
    asked = Question("peak_memory", memory, partial(_peak_memory, planned(graph)), _ASKED * len(graph.nodes))
    return {asked.name: asked}


def _peak_memory(plan: Plan, batch: int = 1, run: str = "inference", **given: Any) -> tuple[Any, tuple[str, ...]]:
    """The most bytes that a run holds at once, and when."""
    from archdsl.lowering.memory import inference, training
    from archdsl.reports.numbers import binary_bytes

    graph = plan.graph
    if any(port.tensor.elements is None for port in graph.inputs):
        return OPEN, ()
    if run == "inference":
        given.pop("optimizer", None)
    timeline = training(plan, **given) if run == "train" else inference(plan, **given)
    most = timeline.at(batch)
    where = f"at {graph.nodes[most.node].path}" if most.node >= 0 else "while the optimizer steps"
    back = ", on the way back" if most.phase == "backward" else ""
    peak = timeline.peak(batch)
    return peak, (f"{binary_bytes(peak)}, {where}{back}",)
