"""Stages of training: what of a module trains in each, and the groups that an optimizer takes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.errors import ArchError

if TYPE_CHECKING:
    from torch import nn

    from archdsl.analyses.stages import Plan
    from archdsl.graph import Graph


def enter(model: nn.Module, graph: Graph, stage: Plan) -> list[dict[str, Any]]:
    """Puts a module of a network into a stage, whatever it was in before, and gives its groups of parameters.

    Each has `params`, `lr`, the path as `name`, and `weight_decay` where the recipe says it; always in one order, so
    that the state of an optimizer fits again when training is resumed.

    Raises:
        ArchError: where the module has not the parameters of the network; then nothing has been changed.
    """
    known = dict(model.named_parameters())
    modules = dict(model.named_modules())
    names = {
        node.index: [f"{node.path}.{name}" if name else node.path for name in graph.applied[node.index].weights]
        for node in graph.nodes
    }
    norms = [node for node in graph.nodes if node.layer.tracks and not node.reused]
    missing = [name for each in names.values() for name in each if name not in known]
    missing += [node.path for node in norms if not hasattr(modules.get(node.path), "kept")]
    if missing:
        raise ArchError(f"the module is not one of {graph.name}: it has no {missing[0]}; compile it from this network")
    for index, each in names.items():
        for name in each:
            known[name].requires_grad_(index not in stage.parameters)
            if index in stage.parameters:
                known[name].grad = None
    for node in norms:
        norm: Any = modules[node.path]
        norm.kept = node.index in stage.statistics
        norm.train(model.training)
    groups: list[dict[str, Any]] = []
    for group in stage.groups:
        parameters = [known[name] for index in group.nodes for name in names[index]]
        decay = {} if group.weight_decay is None else {"weight_decay": group.weight_decay}
        groups.append({"params": parameters, "lr": group.lr, **decay, "name": group.path or "all"})
    return groups
