"""The modules of a network that are natural to take one at a time: to shard, to compute again, to compile."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from archdsl.errors import ArchError
from archdsl.graph import Node
from archdsl.lowering.modules import Run, planned

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.graph import Graph


def units(graph: Graph) -> tuple[str, ...]:
    """The paths of the units, in the order in which they run: in a resnet its residual blocks, in a vit its layers.

    A unit is a block with at least two layers that multiply with a matrix; the outermost one, but where a block is
    used only once or merely hands on from unit to unit (a stage), those inside it are taken. A module that is used
    again is none, and nothing inside it is: it runs at two places.
    """
    root = planned(graph).root
    times = Counter(run.path for run in _all(root))
    uses = Counter(run.activation.definition for run in _all(root) if run.activation.kind == "block")
    return tuple(_units(graph, root, times, uses))


def recomputed(graph: Graph) -> frozenset[str]:
    """The modules that `checkpoint=True` computes again in the backward pass: the units.

    Raises:
        ArchError: where there are none.
    """
    found = frozenset(units(graph))
    if not found:
        raise ArchError(
            f"with a checkpoint the blocks of a network are computed again, and {graph.name} has none with at least "
            "two layers that multiply with a matrix; write what is to be computed again as a block"
        )
    return found


def _all(run: Run) -> Iterator[Run]:
    yield run
    for step in run.steps:
        if isinstance(step, Run):
            yield from _all(step)


def _units(graph: Graph, run: Run, times: Counter[str], uses: Counter[str]) -> list[str]:
    """The units in a run, itself perhaps among them."""
    if times[run.path] > 1:
        return []
    inside = [path for step in run.steps if isinstance(step, Run) for path in _units(graph, step, times, uses)]
    if run.activation.kind != "block" or _matrices(graph, run) < 2:
        return inside
    is_chain = len(inside) > 1 and not _merges(run)
    return inside if inside and (is_chain or uses[run.activation.definition] == 1) else [run.path]


def _matrices(graph: Graph, run: Run) -> int:
    """How many weights of a run are matrices."""
    return sum(
        any(len(shape) > 1 for shape in graph.applied[index].weights.values()) for index in range(run.first, run.stop)
    )


def _merges(run: Run) -> bool:
    """Whether a block itself, or a group in it, brings several values together."""
    for step in run.steps:
        if isinstance(step, Node):
            if len(step.inputs) - step.layer.references > 1:
                return True
        elif step.activation.kind == "group" and _merges(step):
            return True
    return False
