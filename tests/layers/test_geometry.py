"""Output sizes and what an output sees, against what torch computes and where its gradients are."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from archdsl.layers import Reach, Resampled, Tensor, TransposedWindow, Window

from .examples import EXAMPLES, Example, example
from .test_against_torch import build

if TYPE_CHECKING:
    from archdsl.layers import Geometry

SMALL = st.integers(1, 5)


@settings(max_examples=300, deadline=None)
@given(
    size=st.integers(1, 20), kernel=SMALL, stride=SMALL, padding=st.integers(0, 2), dilation=SMALL, ceil=st.booleans()
)
def test_a_pool_gives_the_size_that_torch_gives(
    size: int, kernel: int, stride: int, padding: int, dilation: int, ceil: bool
) -> None:
    arguments = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil": ceil}
    layer, (x,) = example("pool", arguments, f"1x{size}")
    module = nn.MaxPool1d(kernel, stride, padding, dilation, ceil_mode=ceil)
    if [problem for problem in layer.check(x) if problem.parameter != "dilation"]:
        with pytest.raises(RuntimeError):
            module(torch.rand(2, 1, size))
    else:
        assert layer.output(x).dims == module(torch.rand(2, 1, size)).shape[1:]  # type: ignore[union-attr]


@pytest.mark.parametrize("ceil", [False, True])
def test_a_pool_is_refused_where_a_window_sees_nothing_but_padding(ceil: bool) -> None:
    """Torch makes minus infinity of it, and writes anywhere in the backward pass."""
    seen = set()
    for size, kernel, stride, dilation in product(range(1, 9), range(1, 8), range(1, 10), range(1, 10)):
        for padding in range(kernel // 2 + 1):
            arguments = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation, "ceil": ceil}
            window = Window(kernel, stride, padding, padding, dilation, ceil)
            if window.output(size) < 1:  # type: ignore[operator]
                continue
            given = nn.functional.max_pool1d(torch.zeros(1, size), kernel, stride, padding, dilation, ceil)
            misses = bool(given.isneginf().any())
            assert window.misses(size) == misses, arguments
            seen.add(misses)
    assert seen == {False, True}


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 20), kernel=SMALL, stride=SMALL, padding=st.integers(0, 4), dilation=SMALL)
def test_a_convolution_gives_the_size_that_torch_gives(
    size: int, kernel: int, stride: int, padding: int, dilation: int
) -> None:
    window = Window(kernel, stride, padding, padding, dilation)
    module = nn.Conv1d(1, 1, kernel, stride, padding, dilation)
    if window.output(size) < 1:  # type: ignore[operator]
        with pytest.raises(RuntimeError):
            module(torch.rand(2, 1, size))
    else:
        assert window.output(size) == module(torch.rand(2, 1, size)).shape[2]


@settings(max_examples=200, deadline=None)
@given(size=st.integers(1, 8), kernel=SMALL, stride=SMALL, padding=st.integers(0, 3), extra=SMALL, dilation=SMALL)
def test_a_transposed_convolution_sees_what_its_gradient_sees(
    size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int
) -> None:
    extra = min(extra, max(stride, dilation)) - 1
    window = TransposedWindow(kernel, stride, padding, extra, dilation)
    count = window.output(size)
    if isinstance(count, int) and count >= 1:
        module = nn.ConvTranspose1d(1, 1, kernel, stride, padding, extra, dilation=dilation, bias=False)
        assert module(torch.rand(2, 1, size)).shape[2] == count
        nn.init.ones_(module.weight)
        assert_sees(window, module.double(), size, count)


@settings(max_examples=100, deadline=None)
@given(source=st.integers(1, 12), target=st.integers(1, 12), support=st.integers(0, 1), aligned=st.booleans())
def test_resampling_sees_what_its_gradient_sees(source: int, target: int, support: int, aligned: bool) -> None:
    options = {"align_corners": aligned} if support else {}
    module = nn.Upsample(size=target, mode="linear" if support else "nearest", **options)
    assert_sees(Resampled(source, target, support, aligned), module, source, target)


def seen(geometry: Geometry, index: int, size: int) -> set[int]:
    """The inputs that the geometry says an output sees; positions outside the input are its border."""
    step, phase = divmod(index, geometry.up)
    return {p for tap in geometry.taps(phase) if 0 <= (p := geometry.down * step + tap) < size}


def assert_sees(geometry: Geometry, module: nn.Module, size: int, count: int) -> None:
    """Of a linear module: each input in turn is one, and all others zero."""
    reached = module(torch.eye(size, dtype=torch.float64)[:, None])[:, 0] != 0
    for index in range(count):
        support = set(reached[:, index].nonzero().flatten().tolist())
        inside = seen(geometry, index, size)
        if len(inside) == len(geometry.taps(index % geometry.up)) or not isinstance(geometry, Resampled):
            assert support == inside
        else:  # Beyond the border, resampling repeats it.
            assert support <= inside | {0, size - 1}


SPATIAL = [
    e
    for e in EXAMPLES
    if e.layer.family in ("convolution", "pooling", "resampling") and isinstance(e.layer.reach(*e.inputs), Reach)
    if e.layer.reach(*e.inputs).axes is not None and getattr(e.layer, "padding_mode", "zeros") == "zeros"
]


@pytest.mark.parametrize("example", SPATIAL, ids=str)
def test_an_interior_output_sees_what_its_gradient_sees(example: Example) -> None:
    """Along each axis: the support of the gradient, summed over the other axes and all channels."""
    layer, tensors = example
    module = build(layer, tensors)
    if isinstance(module, nn.Module):
        module.double()
        for parameter in module.parameters():
            nn.init.uniform_(parameter, 0.5, 1)
    geometries = layer.reach(*tensors).axes
    assert geometries is not None
    space = [int(size) for size in tensors[0].space]
    inputs = [torch.rand(1, *x.dims, dtype=torch.float64, requires_grad=True) for x in tensors]  # type: ignore[arg-type]
    result = module(*inputs).sum(1)
    indices = [range(1, n - 1) if n > 2 else range(n) for n in result.shape[1:]]
    checked = 0
    for index in product(*indices):
        expected = [seen(g, i, size) for g, i, size in zip(geometries, index, space, strict=True)]
        whole = [len(g.taps(i % g.up)) for g, i in zip(geometries, index, strict=True)]
        if [len(e) for e in expected] != whole or checked > 40:
            continue
        checked += 1
        (gradient,) = torch.autograd.grad(result[(0, *index)], inputs[0], retain_graph=True, allow_unused=True)
        gradient = torch.zeros_like(inputs[0]) if gradient is None else gradient
        for axis, positions in enumerate(expected):
            others = [a for a in range(gradient.ndim) if a != axis + 2]
            support = set(gradient.abs().sum(others).nonzero().flatten().tolist())
            if layer.word in ("pool", "adaptive_maxpool"):
                assert support <= positions
            else:
                assert support == (positions if all(expected) else set())
    assert checked or layer.word in ("upconv", "upsample", "pad")


def test_a_max_pool_sees_every_position_of_its_window() -> None:
    """The gradient of a maximum has one position; the windows are those of a mean, but for dilation."""
    x = torch.arange(11.0)[None, None]
    module = nn.MaxPool1d(3, 2, 1, dilation=2)
    for index, value in enumerate(module(x)[0, 0].tolist()):
        assert value == max(seen(Window(3, 2, 1, 1, 2), index, 11))


@pytest.mark.parametrize(
    ("text", "formula"),
    [
        (Window(7, 2, 3, 3).formula(224), "floor((224 + 2*3 - 7) / 2) + 1 = 112"),
        (Window(3).formula(32), "(32 - 3) + 1 = 30"),
        (Window(2, 2, ceil=True).formula(5), "ceil((5 - 2) / 2) + 1 = 3"),
        (TransposedWindow(2, 2).formula(28), "(28 - 1)*2 - 2*0 + 1*(2 - 1) + 0 + 1 = 56"),
    ],
)
def test_formulas_are_written_out(text: str, formula: str) -> None:
    assert text == formula


def test_open_sizes_stay_open_where_they_change() -> None:
    assert Window(3, 1, 1, 1).output("H") == "H"
    assert Window(3, 2, 1, 1).output("H") == "?"
    assert Resampled(1, 2).output("H") == "?"
    assert example("gap", {}, "8xHxW").layer.output(example("gap", {}, "8xHxW").inputs[0]).dims == (8, 1, 1)  # type: ignore[union-attr]
    x = example("flatten", {}, "8xHxW")
    assert x.layer.output(*x.inputs).dims == ("?",)  # type: ignore[union-attr]


def test_a_huge_kernel_costs_nothing() -> None:
    assert len(TransposedWindow(2**48, 3, 0, 0, 2).taps(1)) == 2**48 // 3


def on_its_side(tensor: Tensor) -> Tensor:
    if tensor.kind != "map" or tensor.rank != 2:
        return tensor
    channels, height, width = tensor.dims
    return Tensor("map", (channels, width, height))


@pytest.mark.parametrize("example", EXAMPLES, ids=str)
def test_what_treats_axes_alike_gives_the_same_on_its_side(example: Example) -> None:
    """Which sizes are legal along one axis is taken from the other."""
    layer, tensors = example
    if not layer.is_isotropic or any(tensor.kind != "map" or tensor.rank != 2 for tensor in tensors):
        return
    turned = tuple(map(on_its_side, tensors))
    assert [p.code for p in layer.check(*turned)] == []
    assert layer.output(*turned) == on_its_side(layer.output(*tensors))  # type: ignore[arg-type]
    for fact in ("weights", "buffers", "lower"):
        assert getattr(layer, fact)(*turned) == getattr(layer, fact)(*tensors)


def test_most_layers_treat_axes_alike() -> None:
    known = {e.layer.word for e in EXAMPLES if e.layer.is_isotropic}
    assert {"conv", "upconv", "pool", "avgpool", "bn", "relu", "add", "cat", "upsample", "pad", "gap"} <= known
    assert not example("conv", {"channels": 4, "kernel": (1, 3)}, "8x9x8").layer.is_isotropic
