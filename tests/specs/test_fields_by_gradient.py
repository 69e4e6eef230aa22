"""The receptive fields of every shipped network, against its gradients: a unit has one exactly where it sees.

Weights are positive, so that no two ways cancel, and a maximum, which sees its whole window but passes its gradient to
one position, is taken as a mean. What makes everything see everything, a global pooling, passes no gradient on.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analyses.units import box
from archdsl.graph import Node
from archdsl.layers.call import Call
from archdsl.layers.tensor import Tensor
from archdsl.loading import shipped_networks
from archdsl.network import Network

pytestmark = pytest.mark.usefixtures("one_thread")

MOST = 4_000_000_000
"""So many multiply-accumulates up to the layer that is looked at are small enough to run."""
SIDES = (320, 224, 192, 160, 128, 96, 64, 32)


class Done(Exception):  # noqa: N818  # it is no error
    """The layer that is looked at has run."""


def is_global(network: Network, node: Node) -> bool:
    return network.graph.applied[node.index].reach.everywhere


def is_pooling(network: Network, node: Node) -> bool:
    """Whether one number for each channel comes out of the whole map."""
    (output, *_) = network.graph.applied[node.index].outputs
    return is_global(network, node) and output.kind == "map" and all(size == 1 for size in output.space)


def local(network: Network) -> list[int]:
    """The modules that see a part of the input, but for global poolings above them, in the order of the network."""
    graph = network.graph
    mixed: set[int] = set()
    run = graph.evaluated()
    found = []
    for node in graph.nodes:
        pools = is_pooling(network, node)
        if any(value.node in mixed for value in node.inputs) or (is_global(network, node) and not pools):
            mixed.add(node.index)
            continue
        (output, *_) = graph.applied[node.index].outputs
        is_map = output.kind == "map" and any(size != 1 for size in output.space)
        is_module = isinstance(node.layer.lower(*graph.inputs_of(node)), Call) if node.inputs else False
        is_named = is_module and not node.reused and node.index in run
        if is_named and is_map and not pools and network.fields[node.index].axes:
            found.append(node.index)
    return found


def cost(network: Network, last: int) -> int:
    return sum(count.macs or 0 for count in network.counts[: last + 1])


def smaller(tensor: Tensor, side: int) -> Tensor:
    space = [side if not isinstance(size, int) or size > 32 else size for size in tensor.space]
    return Tensor("map", (tensor.dims[0], *space))


def runnable(name: str) -> tuple[Network, list[int]]:
    """The network at its own size or at a smaller one, and its local layers that can be run there."""
    network = archdsl.load(name)
    maps = {port.name: port.tensor for port in network.graph.inputs if port.tensor.kind == "map"}
    best: tuple[Network, list[int]] | None = None
    for side in (None, *SIDES):
        tried = network if side is None else network.at({key: smaller(x, side) for key, x in maps.items()})
        if not tried.ok or any(port.tensor.elements is None for port in tried.graph.inputs):
            continue
        layers = local(tried)
        fit = [index for index in layers if cost(tried, index) <= MOST]
        if best is None or len(fit) > len(best[1]):
            best = (tried, fit)
        if len(fit) == len(layers):
            break
    assert best is not None
    return best


# ---------------------------------------------------------------- torch


def emptied(network: Network) -> nn.Module:
    """The module in double precision; of most, only the weights that are used are ever made."""
    looks_up = any(node.layer.family == "attention" for node in network.graph.nodes)  # in tables that it makes
    with torch.device("cpu" if looks_up else "meta"):
        model = network.compile().double()
    return (model if looks_up else model.to_empty(device="cpu")).eval()


def make_positive(model: nn.Module, used: set[str]) -> None:
    """Weights between 0.2 and 0.6 of an average, statistics that change nothing; of the layers at these paths."""
    torch.manual_seed(0)

    def runs(name: str) -> bool:
        parts = name.split(".")
        return any(".".join(parts[:count]) in used for count in range(1, len(parts) + 1))

    for name, parameter in model.named_parameters():
        if runs(name):
            values = torch.ones_like(parameter)
            if parameter.ndim > 1:
                layer = model.get_submodule(name.rpartition(".")[0])
                fan_in = parameter.shape[0] if isinstance(layer, nn.ConvTranspose2d) else parameter[0].numel()
                values = (0.2 + 0.4 * torch.rand_like(parameter)) / fan_in
            elif name.endswith("bias"):
                values = 0.05 * torch.rand_like(parameter)
            parameter.data = values
    for name, buffer in model.named_buffers():
        if name.endswith(("running_mean", "running_var")) and runs(name):
            buffer.fill_(float(name.endswith("var")))
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d):
                setattr(parent, name, Averaged(child))


class Averaged(nn.Module):
    """A mean over the windows of a maximum."""

    def __init__(self, pool: Any) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pool, rank = self.pool, x.ndim - 2
        space = pool(x.detach()).shape[2:]
        kernel = (pool.kernel_size,) * rank if isinstance(pool.kernel_size, int) else pool.kernel_size
        weight = x.new_ones(x.shape[1], 1, *kernel)
        if pool.ceil_mode:
            x = nn.functional.pad(x, (0, 8) * rank)
        convolve = (nn.functional.conv1d, nn.functional.conv2d, nn.functional.conv3d)[rank - 1]
        result = convolve(x, weight, None, pool.stride, pool.padding, pool.dilation, x.shape[1])
        return result[(..., *(slice(size) for size in space))] / weight[0].numel()


class Reached:
    """A network run up to a layer, and which positions of its first input have a gradient from a unit."""

    def __init__(self, network: Network, layers: list[Node]) -> None:
        last = layers[-1].index
        model = emptied(network)
        make_positive(model, {node.path for node in network.graph.nodes[: last + 1] if node.inputs})
        self.of_words = network.graph.inputs[0].tensor.kind == "ids"
        self.results: dict[str, torch.Tensor] = {}
        for node in network.graph.nodes[:last]:
            if is_pooling(network, node) and not node.reused:
                self.at(model, node, lambda output: output.detach())
            elif node.layer.word == "embedding":
                self.at(model, node, self.begin)
        for node in layers:
            self.at(model, node, lambda output, path=node.path: self.keep(path, output, layers[-1].path))
        given = [
            torch.arange(port.tensor.elements).remainder(port.tensor.vocabulary)[None]  # type: ignore[arg-type]
            if port.tensor.vocabulary
            else 0.5 + torch.rand(1, *port.tensor.dims, dtype=torch.float64)  # type: ignore[arg-type]
            for port in network.graph.inputs
        ]
        if given[0].is_floating_point():
            given[0] = self.begin(given[0])
        with pytest.raises(Done):
            model(*given)

    def at(self, model: nn.Module, node: Node, change: Any) -> None:
        model.get_submodule(node.path).register_forward_hook(lambda module, given, output: change(output))

    def begin(self, x: torch.Tensor) -> torch.Tensor:
        """From here on gradients are taken: from a picture, or from what stands for words."""
        self.leaf = x.detach().requires_grad_()
        self.channels = -1 if x.ndim == 3 and self.of_words else 0
        return self.leaf

    def keep(self, path: str, output: torch.Tensor, last: str) -> None:
        self.results[path] = output
        if path == last:
            raise Done

    def ends(self, path: str, at: tuple[int, ...]) -> list[tuple[int, int]]:
        """The first and the last position along each axis."""
        self.leaf.grad = None
        unit = self.results[path][(0, slice(None), *at)]
        (unit * torch.rand_like(unit)).sum().backward(retain_graph=True)  # the plain sum may be a constant
        assert self.leaf.grad is not None
        reached = self.leaf.grad[0].ne(0).any(self.channels)
        found = []
        for axis in range(reached.ndim):
            others = tuple(other for other in range(reached.ndim) if other != axis)
            places = (reached.any(dim=others) if others else reached).nonzero().flatten().tolist()
            found.append((places[0], places[-1]))
        return found


def middle(network: Network, node: Node) -> tuple[int, ...]:
    (output, *_) = network.graph.applied[node.index].outputs
    return tuple(int(size) // 2 for size in output.space)


def boxes(network: Network, node: Node) -> list[Any]:
    """What the unit in the middle sees along each axis, the borders considered and not."""
    axes = network.fields[node.index].axes
    assert axes
    sizes = network.graph.inputs[0].tensor.space
    return [box(axis, at, int(size)) for axis, at, size in zip(axes, middle(network, node), sizes, strict=True)]


@pytest.mark.parametrize("name", shipped_networks())
def test_a_unit_sees_where_its_gradient_is(name: str) -> None:
    """The last layer that can be run, and the last of which a unit's box does not reach over the border."""
    network, layers = runnable(name)
    nodes = [network.graph.nodes[index] for index in layers]
    inner = [node for node in nodes if all(each and each.inside == each.whole for each in boxes(network, node))]
    chosen = [*inner[-1:], nodes[-1]]
    reached = Reached(network, chosen)
    for node in chosen:
        expected = [each.inside for each in boxes(network, node)]
        assert reached.ends(node.path, middle(network, node)) == expected, node.path
