"""Weights of an earlier checkpoint, also of another spec, put into a module as far as they fit."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import nn

from archdsl.analyses.transfer import Plan, plan
from archdsl.diagnostics.escape import printable
from archdsl.errors import NotFoundError, WeightsError
from archdsl.torch.files import is_alike, read_file
from archdsl.torch.saving import own_state
from archdsl.torch.weights import adapted

if TYPE_CHECKING:
    from archdsl.graph import Graph


def transfer(graph: Graph, model: nn.Module, checkpoint: Path, renamed: Mapping[str, str]) -> Plan:
    """Copies what fits of a checkpoint into a module, and says what became of every tensor.

    `renamed` are tensors of the module whose layers have other names in the checkpoint, with these.

    Raises:
        NotFoundError: where there is no such file.
        WeightsError: where it holds no weights, or nothing of them fits; then nothing has been changed.
    """
    if not checkpoint.is_file():
        raise NotFoundError(f"cannot read {printable(str(checkpoint))}: there is no such file")
    own = own_state(model)
    state = {k: v for k, v in read_file(checkpoint).items() if k not in own or is_alike(own[k], v)}
    shapes = {key: tuple(value.shape) for key, value in own.items()}
    found = plan(graph, shapes, {key: tuple(value.shape) for key, value in state.items()}, checkpoint.name, renamed)
    if len(found.of("new")) == len(found.rows) and found.rows:
        raise WeightsError(
            f"nothing in {printable(checkpoint.name)} fits {graph.name}: no tensor has its name and shape"
        )
    with torch.no_grad():
        for row in found.rows:
            if row.what != "new":
                given = state[row.source or ""]
                own[row.key].copy_(
                    adapted(given.to(own[row.key].dtype), row.shape[1]) if row.what == "adapted" else given
                )
    return found
