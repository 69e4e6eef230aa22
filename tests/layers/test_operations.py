"""The operations of every layer against torch: what its own decompositions compute, counted one by one.

A layer's module is traced to torch's core operators, with activations, normalizations and softmaxes taken apart as
torch._decomp says, and each operator is counted by what it is: an elementwise one once for each value, a sum of n terms
as n - 1, a matrix product by its sizes. What does not depend on the input is left out, as the rule says.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch._decomp import core_aten_decompositions, decomposition_table
from torch.fx.experimental.proxy_tensor import make_fx

from archdsl import limits
from archdsl.layers import STANDARD, Layer, Tensor
from archdsl.layers.base import Traffic
from archdsl.layers.geometry import TransposedWindow, Window
from archdsl.layers.operations import parts_inside, taps_falling_inside, taps_inside

from .examples import Example, example
from .test_against_torch import build, each_example, values

aten, F = torch.ops.aten, nn.functional


# ---------------------------------------------------------------- what torch computes


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
    """What the page of torch.nn.functional.scaled_dot_product_attention says that it is."""
    scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
    return torch.softmax(scores, dim=-1) @ v


def batch_norm(x: torch.Tensor, weight: Any, bias: Any, mean: Any, variance: Any, training: bool, *rest: Any) -> Any:
    """By running statistics a scale and a shift for each channel, as torch's kernel on the CPU computes it."""
    shape = [1, -1] + [1] * (x.dim() - 2)
    if training:  # the statistics of what comes in, over all but the channels
        result = standardized(x.transpose(0, 1).flatten(1), -1, rest[1]).view_as(x.transpose(0, 1)).transpose(0, 1)
        result = result if weight is None else result * weight.view(shape)
        return (result if bias is None else result + bias.view(shape)), mean, variance
    scale = (variance + rest[1]).rsqrt() * (1 if weight is None else weight)
    shift = -mean * scale + (0 if bias is None else bias)
    return x * scale.view(shape) + shift.view(shape), mean, variance


def standardized(x: torch.Tensor, dim: Any, eps: float) -> torch.Tensor:
    difference = x - x.mean(dim, keepdim=True)
    return difference * ((difference * difference).mean(dim, keepdim=True) + eps).rsqrt()


def layer_norm(x: torch.Tensor, shape: list[int], weight: Any, bias: Any, eps: float) -> Any:
    result = standardized(x, -1, eps)
    result = result if weight is None else result * weight
    return (result if bias is None else result + bias), x, x


def group_norm(x: torch.Tensor, weight: Any, bias: Any, n: int, c: int, space: int, groups: int, eps: float) -> Any:
    result = standardized(x.reshape(n, groups, -1), -1, eps).view_as(x)
    shape = [1, -1] + [1] * (x.dim() - 2)
    result = result if weight is None else result * weight.view(shape)
    return (result if bias is None else result + bias.view(shape)), x, x


DECOMPOSED = [
    aten._softmax.default,
    aten._log_softmax.default,
    aten.gelu.default,
    aten.elu.default,
    aten.leaky_relu.default,
    aten.hardtanh.default,
    aten.upsample_bilinear2d.default,
    aten.upsample_bicubic2d.default,
    aten.upsample_trilinear3d.default,
]
"""What core operators are taken apart further, as torch itself would; the normalizations by their formulas above."""

OWN = {
    aten.sigmoid.default: lambda x: 1 / (1 + (-x).exp()),
    aten.rrelu_with_noise.default: lambda x, noise, low=1 / 8, high=1 / 3, *_: torch.where(
        x > 0, x, x * ((low + high) / 2)
    ),
    aten.native_layer_norm.default: layer_norm,
    aten.native_group_norm.default: group_norm,
    aten.native_batch_norm.default: batch_norm,
}


def traced(
    layer: Layer, tensors: tuple[Tensor, ...], monkeypatch: pytest.MonkeyPatch
) -> tuple[torch.fx.GraphModule, list[torch.Tensor]]:
    """The layer in core operators, and inputs for it; its parameters are constants of the graph."""
    monkeypatch.setattr(F, "scaled_dot_product_attention", attention)
    monkeypatch.setattr(F, "_verify_batch_size", lambda size: None)  # one vector may be a batch: nothing is trained
    module, inputs = build(layer, tensors), values(tensors, batch=1)
    if isinstance(module, nn.Module):
        module.eval()
    table = {**core_aten_decompositions(), **{op: decomposition_table[op] for op in DECOMPOSED}, **OWN}
    return make_fx(lambda *x: module(*x), decomposition_table=table)(*inputs), inputs


# ---------------------------------------------------------------- counting

Counter = Callable[[list[Any], Any, torch.fx.Node], int]


def elements(result: Any) -> int:
    return int(result.numel())


def once(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    """One for each value that comes out; a factor of 1 or 0 that a decomposition carries along is idle."""
    if node.target in (aten.mul.Tensor, aten.mul.Scalar) and not isinstance(arguments[1], torch.Tensor):
        return 0 if arguments[1] in (0, 1) else elements(result)
    return elements(result)


def twice(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    return 2 * elements(result)


def nothing(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    return 0


def summed(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    """A sum or the greatest of n values takes n - 1."""
    return elements(arguments[0]) - elements(result)


def mean(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    return elements(arguments[0])


def length(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    """Squares, their sums, roots."""
    return 2 * elements(arguments[0])


def bounds(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    """A comparison for each bound."""
    return elements(result) * sum(bound is not None for bound in arguments[1:])


def product(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    """Each value is a sum of products; addmm adds a bias."""
    a = arguments[1] if node.target is aten.addmm.default else arguments[0]
    bias = node.target is aten.addmm.default
    return elements(result) * (2 * a.shape[-1] - 1 + bias)


def convolution(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    x, weight, bias, stride, padding, dilation, transposed, output_padding, groups = arguments
    if not transposed:
        return elements(result) * (2 * elements(weight[0]) - (bias is None))
    total = 0
    inside = x.shape[1] // groups
    # One position of the input after the other: its products, their sums over channels, what falls on the result.
    for place in range(elements(x[0, 0])):
        spot = torch.zeros_like(x[:1, :1]).flatten()
        spot[place] = 1
        ones = torch.ones_like(weight[:1, :1])
        falls = F_TRANSPOSED[x.dim()](spot.view_as(x[:1, :1]), ones, None, stride, padding, output_padding, 1, dilation)
        columns = elements(weight[0]) * groups
        total += columns * (2 * inside - 1) + int(falls.sum()) * weight.shape[1] * groups
    return total + (elements(result) if bias is not None else 0)


F_TRANSPOSED: dict[int, Any] = {3: F.conv_transpose1d, 4: F.conv_transpose2d, 5: F.conv_transpose3d}


def taps(x: torch.Tensor, result: torch.Tensor, kernel: Any, stride: Any, padding: Any, dilation: Any) -> int:
    """How many values inside the map all windows see: window after window, tap after tap."""
    rank = x.dim() - 2
    kernel, padding = ((v * rank)[:rank] for v in (list(kernel), list(padding)))
    stride, dilation = list(stride) or kernel, (list(dilation) * rank)[:rank]
    inside = 1
    for axis in range(rank):
        inside *= sum(
            0 <= i * stride[axis] - padding[axis] + t * dilation[axis] < x.shape[2 + axis]
            for i in range(result.shape[2 + axis])
            for t in range(kernel[axis])
        )
    return inside * x.shape[1]


def max_pool(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    x, kernel, stride, padding, dilation, *_ = [*arguments, *([], [0], [1])[max(0, len(arguments) - 2) :]]
    return taps(x, result[0], kernel, stride, padding, dilation) - elements(result[0])


def avg_pool(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    x, kernel, stride, padding, *_ = [*arguments, *([], [0])[max(0, len(arguments) - 2) :]]
    return taps(x, result, kernel, stride, padding, [1])


def seen(x: torch.Tensor, size: Any) -> int:
    """How many values the windows of an adaptive mean see: those whose change changes it."""
    pool = {3: F.adaptive_avg_pool1d, 4: F.adaptive_avg_pool2d, 5: F.adaptive_avg_pool3d}[x.dim()]
    jacobian = torch.autograd.functional.jacobian(lambda y: pool(y, size), torch.ones_like(x[:, :1]))
    return int(jacobian.count_nonzero()) * x.shape[1]


def adaptive_max(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    return seen(arguments[0], arguments[1]) - elements(result[0])


def adaptive_mean(arguments: list[Any], result: Any, node: torch.fx.Node) -> int:
    return seen(arguments[0], arguments[1])


COUNTED: dict[Counter, str] = {
    once: (
        "add.Tensor add_.Scalar sub.Tensor mul.Tensor mul.Scalar div.Tensor neg abs sign maximum minimum relu exp "
        "expm1 log log1p tanh erf sqrt reciprocal pow.Tensor_Scalar gt.Scalar le.Scalar"
    ),
    twice: "rsqrt",  # a root and a reciprocal
    nothing: (
        "view permute clone expand unsqueeze squeeze.dims slice.Tensor select.int cat index.Tensor "
        "_unsafe_index.Tensor embedding constant_pad_nd where.self alias split_with_sizes _to_copy index_select copy_"
    ),
    summed: "sum.dim_IntList amax",
    mean: "mean.dim",
    length: "linalg_vector_norm",
    bounds: "clamp",
    product: "mm bmm addmm",
    convolution: "convolution",
    max_pool: "max_pool2d_with_indices max_pool3d_with_indices",
    avg_pool: "avg_pool2d avg_pool3d",
    adaptive_max: "adaptive_max_pool2d adaptive_max_pool3d",
    adaptive_mean: "_adaptive_avg_pool2d _adaptive_avg_pool3d",
}
COUNTERS = {name: counter for counter, names in COUNTED.items() for name in names.split()}
"""How each operator is counted; one that is not here fails the test."""

ALWAYS = (product, convolution)
"""These count wherever they stand, as torchvision's rule has them: the network that gives cosine attention its biases
works on a constant."""


class Counting(torch.fx.Interpreter):
    """Runs a graph and counts what depends on its input."""

    def __init__(self, graph: torch.fx.GraphModule) -> None:
        super().__init__(graph)
        self.total = 0
        self.depends: set[torch.fx.Node] = set()

    def run_node(self, n: torch.fx.Node) -> Any:
        result = super().run_node(n)
        name = str(n.target).removeprefix("aten.").removesuffix(".default")
        takes_shape_only = name.startswith(("full_like", "new_"))
        if n.op == "placeholder" or (self.depends.intersection(n.all_input_nodes) and not takes_shape_only):
            self.depends.add(n)
        if n.op == "call_function" and n.target is not operator.getitem:
            counter = COUNTERS[name] if n in self.depends else COUNTERS.get(name, nothing)
            if n in self.depends or counter in ALWAYS:
                self.total += counter(list(self.fetch_args_kwargs_from_env(n)[0]), result, n)
        return result


IDLE = {"alpha": 0.5, "beta": 2.0}
"""Arguments of 1, with which torch leaves out what they multiply; the count is that of any other number."""


@each_example()
def test_operations_are_those_that_torch_computes(example: Example, monkeypatch: pytest.MonkeyPatch) -> None:
    layer, tensors = example
    idle = {name: value for name, value in IDLE.items() if getattr(layer, name, None) == 1}
    graph, inputs = traced(layer.model_copy(update=idle), tensors, monkeypatch)
    counting = Counting(graph)
    counting.run(*inputs)
    assert layer.operations(*tensors) == counting.total


def test_a_wrong_count_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, inputs = traced(*example("hardswish", {}, "8x9"), monkeypatch)
    counting = Counting(graph)
    counting.run(*inputs)
    assert [number for number in range(9) if number * 72 == counting.total] == [5]
    unknown = make_fx(lambda x: x.cumsum(1))(*inputs)
    with pytest.raises(RuntimeError, match="cumsum"):
        Counting(unknown).run(*inputs)


# ---------------------------------------------------------------- what is counted of windows


@settings(max_examples=400)
@given(st.data())
def test_what_windows_see_is_counted_one_by_one(data: st.DataObject) -> None:
    """Against a count of each pair of a window and a tap."""
    number = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    kernel, stride, dilation, ceil = number(1, 6), number(1, 5), number(1, 4), data.draw(st.booleans())
    before, after = number(0, kernel), number(0, kernel)
    window = Window(kernel, stride, before, after, dilation, ceil)
    size = max(number(1, 20), window.extent - before - after)
    count = window.output(size)
    assert isinstance(count, int)
    pairs = [i * stride - before + t * dilation for i in range(count) for t in range(kernel)]
    assert taps_inside([window], [size]) == sum(0 <= at < size for at in pairs)
    transposed = TransposedWindow(kernel, stride, before, number(0, max(stride, dilation) - 1), dilation)
    result = transposed.output(size)
    assert isinstance(result, int)
    assume(result > 0)
    falls = [i * stride - before + t * dilation for i in range(size) for t in range(kernel)]
    assert taps_falling_inside([transposed], [size]) == sum(0 <= at < result for at in falls)


@given(st.integers(1, 40), st.integers(1, 40))
def test_what_the_parts_of_a_map_see_is_counted_one_by_one(size: int, parts: int) -> None:
    seen = sum(-(-(i + 1) * size // parts) - i * size // parts for i in range(parts))
    assert parts_inside([size], [parts]) == seen


def test_the_largest_windows_are_counted_at_once() -> None:
    size = limits.SIZE
    assert taps_inside([Window(size // 2)], [size]) == (size // 2 + 1) * (size // 2)
    assert taps_inside([Window(2**24, 2**24)], [size]) == size
    assert taps_falling_inside([TransposedWindow(2**20, 2**20)], [2**20]) == 2**40


# ---------------------------------------------------------------- layers that say nothing, and open sizes


class Silent(Layer):
    """A layer of a user, which does not say what it computes."""

    word: ClassVar[str] = "silent"


class Projection(Layer):
    """A layer of a user with a matrix."""

    word: ClassVar[str] = "projection"

    def weights(self, *inputs: Tensor) -> dict[str, tuple[int, ...]]:
        return {"weight": (8, 8)}


def test_what_a_layer_does_not_say_is_not_known() -> None:
    assert Silent().operations(Tensor("vector", (8,))) is None
    assert Projection().operations(Tensor("vector", (8,))) == 8 * 15


@each_example()
def test_with_a_size_open_nothing_is_made_up(example: Example) -> None:
    layer, tensors = example
    if any(x.kind == "vector" or x.kind == "ids" for x in tensors) or layer.word in ("reshape", "to_map", "positions"):
        return
    opened = tuple(
        x.with_space(("?",) * x.rank) if x.kind == "map" else Tensor("tokens", ("?", x.dims[-1])) for x in tensors
    )
    known = layer.operations(*opened)
    assert known in (None, 0) or isinstance(layer, tuple(map(STANDARD.find, FIXED)))  # type: ignore[arg-type]
    traffic = layer.traffic(*opened)
    assert traffic in (None, Traffic()) or isinstance(layer, tuple(map(STANDARD.find, FIXED)))  # type: ignore[arg-type]


FIXED = ("upsample", "queries")
"""What these give may have a size, whatever comes in."""
