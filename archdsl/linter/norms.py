"""Rules about normalisation: biases that it takes away, statistics of nothing, dropout before it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.layers.border import Crop
from archdsl.layers.linear import Identity
from archdsl.layers.normalization import BatchNorm, GroupNorm, InstanceNorm
from archdsl.layers.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
)
from archdsl.layers.regularization import AlphaDropout, ChannelDropout, Dropout
from archdsl.layers.resampling import Upsample
from archdsl.linter.edits import with_argument
from archdsl.linter.model import WEIGHTED, Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.layers.applied import Applied
    from archdsl.linter.model import Edit
    from archdsl.source import Span

_CARRIES = (MaxPool, AdaptiveAvgPool, AdaptiveMaxPool, GlobalAvgPool, GlobalMaxPool, Crop, Upsample, Identity)
"""What gives `f(x) + b` for `x + b`: the largest and the mean of values move with all of them."""
_DROPS = (Dropout, ChannelDropout, AlphaDropout)


def bias_before_norm(facts: Facts) -> Iterator[Finding]:
    """Biases whose every way leads into a normalisation that subtracts the mean of each channel."""
    graph = facts.graph
    void = _swallowed(facts)
    edits: dict[Span, Edit | None] = {}
    kept = {node.path for node in graph.nodes if void[node.index] is None}
    for node in graph.nodes:
        norm = void[node.index]
        if norm is None or node.path in kept or not isinstance(node.layer, WEIGHTED) or not node.layer.bias:
            continue
        by = graph.nodes[norm]
        count = graph.outputs_of(node)[0].channels
        if node.span not in edits:
            edits[node.span] = with_argument(node.span, (node.layer.word, *node.layer.aliases), "bias", "no")
        taken = f"{by.path} subtracts each channel's mean, and with it the {count} numbers of the bias"
        yield Finding(
            node.index,
            f"the bias of {node.layer.word} is taken away again by {_named(by.layer.word)}",
            notes=(f"{taken}: (x + b) - mean(x + b) = x - mean(x)",),
            help=f"write `bias=no`: {count} parameters less, and the same function",
            fix=edits[node.span],
        )


def _named(word: str) -> str:
    return {"bn": "batch norm", "instancenorm": "instance norm", "groupnorm": "group norm"}.get(word, word)


def _swallowed(facts: Facts) -> list[int | None]:
    """For each node a normalisation that takes away what is added to each channel, if all ways lead to one."""
    graph = facts.graph
    found: list[int | None] = [None] * len(graph.nodes)
    for index in range(len(graph.nodes) - 1, -1, -1):
        users = facts.users[index]
        if not users or index in facts.given:
            continue
        norms: list[int | None] = []
        for user in users:
            applied = graph.applied[user]
            if _subtracts(applied):
                norms.append(user)
            else:
                norms.append(found[user] if _carries(applied) else None)
        found[index] = None if None in norms else norms[0]
    return found


def _subtracts(applied: Applied) -> bool:
    layer = applied.layer
    if isinstance(layer, GroupNorm):  # a group of one channel
        return applied.inputs[0].kind == "map" and layer.groups == applied.inputs[0].channels
    return isinstance(layer, BatchNorm | InstanceNorm)


def _carries(applied: Applied) -> bool:
    layer = applied.layer
    if isinstance(layer, AvgPool):  # padding that counts in the mean is not moved
        return not layer.count_include_pad or layer.padding in (0, (0,), (0, 0), (0, 0, 0))
    return isinstance(layer, _CARRIES)


def norm_of_one_position(facts: Facts) -> Iterator[Finding]:
    """Batch norms over maps of a single position."""
    graph = facts.graph
    for node in graph.nodes:
        if not isinstance(node.layer, BatchNorm):
            continue
        x = graph.inputs_of(node)[0]
        if x.kind == "map" and set(x.space) == {1}:
            yield Finding(
                node.index,
                f"batch norm over {x} has one value for each sample and channel",
                notes=("its statistics are those of the batch alone, and torch refuses to train on a batch of one",),
                help="leave it out, or put it before the pooling",
            )


def dropout_before_norm(facts: Facts) -> Iterator[Finding]:
    """Dropout from which a way leads to a batch norm with running statistics."""
    graph = facts.graph
    after: list[int | None] = [None] * len(graph.nodes)
    for index in range(len(graph.nodes) - 1, -1, -1):
        for user in facts.users[index]:
            layer = graph.nodes[user].layer
            norm = user if isinstance(layer, BatchNorm) and layer.track else after[user]
            if norm is not None and (after[index] is None or norm < after[index]):  # type: ignore[operator]
                after[index] = norm
    for node in graph.nodes:
        norm = after[node.index]
        if isinstance(node.layer, _DROPS) and node.layer.p > 0 and norm is not None:
            yield Finding(
                node.index,
                f"{node.layer.word} stands before batch norm",
                notes=(
                    f"in training {node.layer.p:g} of the values are dropped and the others scaled up, later none are",
                    f"{graph.nodes[norm].path} goes by the variance of training, which is larger",
                ),
                help="put dropout behind the last batch norm, or leave it out",
            )
