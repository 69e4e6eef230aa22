"""A network's module with its weights, as its settings say: the steps of `Network.compile` in their order."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

import torch

from archdsl.torch.execute import build, complete, empty, filled
from archdsl.torch.folding import folded_state
from archdsl.torch.modes import placed
from archdsl.torch.weights import are_all_given, load, taken

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from torch import nn

    from archdsl.graph import Graph
    from archdsl.lowering.folding import Pair
    from archdsl.lowering.modes import Settings
    from archdsl.lowering.program import Program
    from archdsl.torch.from_timm import Shipped


def compiled(
    graph: Graph,
    program_for: Callable[[Settings], Program],
    weights: bool | nn.Module | Mapping[str, Any],
    folder: Path | None,
    how: Settings,
    pairs: tuple[Pair, ...],
    shipped: Shipped,
) -> nn.Module:
    """The module; `pairs` are the layers that take over others. Only what comes out is put on a device or compiled.

    `shipped` gives the source of networks that ship, with which weights of timm are compared.

    Raises:
        WeightsError: where weights are not to be had, or do not fit.
        ArchError: where the device is not to be had.
    """
    with torch.device("meta") if how.device == "meta" else nullcontext():
        module = _weighted(graph, program_for(how.forward._replace(fold=False)), weights, folder, shipped)
        if how.fold:
            module = filled(program_for(how.forward), folded_state(module, pairs))
    return placed(module, how)


def _weighted(
    graph: Graph,
    program: Program,
    weights: bool | nn.Module | Mapping[str, Any],
    folder: Path | None,
    shipped: Shipped,
) -> nn.Module:
    """A module with its weights. Where all of them are given, none are drawn first."""
    if not isinstance(weights, bool):
        return filled(program, taken(empty(program).state_dict(), weights))
    if not weights or all(backbone.weights is None for backbone in graph.backbones):
        return build(program)
    whole = are_all_given(graph)
    module = empty(program) if whole else build(program)
    load(graph, module, folder, shipped, assign=whole)
    return complete(module, program) if whole else module
