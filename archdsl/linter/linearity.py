"""Rules about what is linear: layers that come to one, and a softmax before a loss that has its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.diagnostics.model import Label
from archdsl.layers.base import each
from archdsl.layers.border import Crop, Pad
from archdsl.layers.channel_activation import Softmax, Softmin
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.linear import Identity
from archdsl.layers.normalization import BatchNorm
from archdsl.layers.parameter import LayerScale
from archdsl.layers.pooling import AdaptiveAvgPool, AvgPool, GlobalAvgPool
from archdsl.layers.regularization import AlphaDropout, ChannelDropout, Dropout, StochasticDepth
from archdsl.layers.resampling import PixelShuffle, PixelUnshuffle, Upsample
from archdsl.layers.reshape import Flatten, Patches, Reshape, Shuffle, Token, ToMap, ToTokens
from archdsl.linter.edits import without
from archdsl.linter.model import WEIGHTED, Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from archdsl.graph import Node

_SAME_VALUES = (Flatten, Reshape, ToTokens, ToMap, Token, Identity)
_LINEAR = (
    *_SAME_VALUES,
    *(AvgPool, AdaptiveAvgPool, GlobalAvgPool, Pad, Crop, Upsample, PixelShuffle, PixelUnshuffle, Shuffle, Patches),
    *(Dropout, ChannelDropout, AlphaDropout, StochasticDepth, LayerScale, BatchNorm),
)
"""What is linear, or affine, once the network is trained: in evaluation a batch norm is."""


def linear_after_linear(facts: Facts) -> Iterator[Finding]:
    """Learned linear layers in a row that one would replace: nothing else reads what is between them."""
    graph = facts.graph
    for node in graph.nodes:
        if not isinstance(node.layer, WEIGHTED):
            continue
        before = _linear_before(facts, node)
        if before is None or _is_factorization(facts, before, node):
            continue
        label = Label(before.span, f"{before.layer.word} is linear, and so is all up to here")
        yield Finding(
            node.index,
            f"nothing non-linear stands between {before.layer.word} and {node.layer.word}",
            notes=(f"from {before.path} to {node.path} all is linear, W2(W1 x) = (W2 W1) x: one layer does the same",),
            help="put an activation between them, or leave one out",
            labels=() if before.span == node.span else (label,),
        )


def _linear_before(facts: Facts, node: Node) -> Node | None:
    """The learned linear layer of whose values this one is given a linear function, and nothing else is given any."""
    graph = facts.graph
    value = node.inputs[0]
    while facts.alone(value) is not None:
        before = graph.nodes[value.node]
        if isinstance(before.layer, WEIGHTED):
            return before
        if not isinstance(before.layer, _LINEAR) or not before.inputs:
            return None
        value = before.inputs[0]
    return None


def _is_factorization(facts: Facts, first: Node, second: Node) -> bool:
    """Whether two linear layers are cheaper than one, or of lower rank: so designed."""
    a, b = first.layer, second.layer
    if getattr(a, "groups", 1) > 1 or getattr(b, "groups", 1) > 1:
        return True  # depthwise and pointwise
    x, y = facts.graph.inputs_of(first)[0].channels, facts.graph.outputs_of(second)[0].channels
    inner = facts.graph.outputs_of(first)[0].channels
    if isinstance(x, int) and isinstance(y, int) and isinstance(inner, int) and inner < min(x, y):
        return True  # a bottleneck: a matrix of low rank
    if isinstance(a, Conv | ConvTranspose) and isinstance(b, Conv | ConvTranspose):
        rank = facts.graph.inputs_of(second)[0].rank
        kernels = list(zip(each(a.kernel, rank), each(b.kernel, rank), strict=False))
        is_wide = [any(kernel[i] > 1 for kernel in kernels) for i in (0, 1)]
        return all(is_wide) and not any(k > 1 and m > 1 for k, m in kernels)  # 1x7 and 7x1
    return False


def softmax_output(facts: Facts) -> Iterator[Finding]:
    """A softmax whose values are a result of the network, and perhaps reshaped before."""
    graph = facts.graph
    several = len(graph.outputs) > 1
    seen: set[int] = set()
    for output in graph.outputs:
        node = graph.nodes[output.value.node]
        while isinstance(node.layer, _SAME_VALUES) and node.inputs:
            node = graph.nodes[node.inputs[0].node]
        if not isinstance(node.layer, Softmax | Softmin) or node.index in seen:
            continue
        seen.add(node.index)
        yield Finding(
            node.index,
            f"the output {output.name} is a {node.layer.word}" if several else f"the output is a {node.layer.word}",
            notes=("torch.nn.CrossEntropyLoss takes the values before it and has a log_softmax of its own",),
            help="give the values before it, and take the softmax where probabilities are shown; or end with "
            "`log_softmax` for torch.nn.NLLLoss",
            fix=without(node.span),
        )
