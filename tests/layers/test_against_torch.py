"""Every layer against torch: what is declared is what the module does."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from archdsl.layers import STANDARD, Call, Layer, Tensor
from archdsl.layers.call import Parameter
from archdsl.lowering.helpers import HELPERS

from .examples import EXAMPLES, Example, example

SCOPE: dict[str, Any] = {"torch": torch, "nn": nn, "F": nn.functional}
for _source in HELPERS.values():
    exec(_source, SCOPE)

BATCH = 2


def values(tensors: tuple[Tensor, ...], batch: int = BATCH) -> list[torch.Tensor]:
    """Random inputs, positive so that every function is defined; a batch of two."""
    torch.manual_seed(0)
    return [
        torch.randint(0, x.vocabulary, (batch, *x.dims)) if x.vocabulary else torch.rand(batch, *x.dims) + 0.1
        for x in tensors
    ]


class Held(nn.Module):
    """A module that holds a parameter and uses it as its layer says."""

    def __init__(self, lowered: Parameter) -> None:
        super().__init__()
        self.parameter = eval(lowered.call.text(), SCOPE)
        self.use = eval(f"lambda x, parameter: {lowered.using('parameter').text(['x'])}", SCOPE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.use(x, self.parameter)


def build(layer: Layer, tensors: tuple[Tensor, ...], inplace: bool = False) -> Any:
    """The layer as a module, or as a function of its inputs."""
    lowered = layer.lower(*tensors)
    if isinstance(lowered, Parameter):
        return Held(lowered)
    if isinstance(lowered, Call):
        options = dict(lowered.options) | ({"inplace": True} if inplace else {})
        return eval(Call(lowered.constructor, *lowered.arguments, **options).text(), SCOPE)
    names = [f"x{i}" for i in range(len(tensors))]
    return eval(f"lambda {', '.join(names)}: {lowered.text(names)}", SCOPE)


def shapes(result: Any) -> list[tuple[int, ...]]:
    results = result if isinstance(result, tuple | list) else [result]
    return [tuple(x.shape[1:]) for x in results]


def each_example(*words: str) -> Any:
    chosen = [e for e in EXAMPLES if not words or e.layer.word in words]
    return pytest.mark.parametrize("example", chosen, ids=str)


def test_every_layer_is_run_on_every_kind_and_rank_that_it_takes() -> None:
    for layer in STANDARD.layers:
        runs = [e.inputs[0] for e in EXAMPLES if isinstance(e.layer, layer)]
        assert {x.kind for x in runs} == set(layer.accepts), layer.word
        assert {x.rank for x in runs if x.kind == "map"} == (set(layer.ranks) if "map" in layer.accepts else set())
        used = {name for e in EXAMPLES if isinstance(e.layer, layer) for name in e.layer.model_fields_set}
        assert used == set(layer.model_fields), f"{layer.word}: arguments that no example uses"


@each_example()
def test_the_declaration_is_what_torch_does(example: Example) -> None:
    layer, tensors = example
    assert not list(layer.check(*tensors))
    module = build(layer, tensors)
    result = module(*values(tensors))
    declared = layer.output(*tensors)
    assert shapes(result) == [x.dims for x in ((declared,) if isinstance(declared, Tensor) else declared)]
    state = module.state_dict() if isinstance(module, nn.Module) else {}
    weights = {name or "parameter": shape for name, shape in layer.weights(*tensors).items()}
    buffers = dict(layer.buffers(*tensors))
    expected = {**weights, **buffers}
    assert {name: tuple(x.shape) for name, x in state.items()} == expected
    assert [name for name in state if name in weights] == list(weights)
    assert [name for name in state if name in buffers] == list(buffers)
    parameters = [name for name, _ in module.named_parameters()] if isinstance(module, nn.Module) else []
    assert parameters == list(weights)
    is_module = isinstance(module, nn.Module) and not isinstance(module, Held)
    assert is_module == layer.is_module or isinstance(layer, STANDARD.find("upsample"))  # type: ignore[arg-type]


MULTIPLYING = ("convolution", "linear", "attention")


@each_example(*(layer.word for layer in STANDARD.layers if layer.family in MULTIPLYING))
def test_multiplications_are_those_that_torch_counts(example: Example) -> None:
    layer, tensors = example
    module, inputs = build(layer, tensors), values(tensors, batch=1)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):  # the products as they are
        module(*inputs)
    assert layer.macs(*tensors) == counter.get_total_flops() / 2


def test_other_layers_multiply_nothing() -> None:
    for layer, tensors in EXAMPLES:
        if layer.family not in MULTIPLYING:
            assert layer.macs(*tensors) == 0


@each_example()
def test_what_is_rewritable_can_be_overwritten(example: Example) -> None:
    """Before the backward pass the result is overwritten: the input stays, and no gradient is missing."""
    layer, tensors = example
    if not layer.rewritable:
        return
    for inplace in (False, True) if layer.works_in_place else (False,):
        module = build(layer, tensors, inplace)
        for training in (True, False) if isinstance(module, nn.Module) else (True,):
            if isinstance(module, nn.Module):
                module.train(training)
            leaves = [x.requires_grad_() if x.is_floating_point() else x for x in values(tensors)]
            inputs = [x * 1 for x in leaves]
            before = [x.clone() for x in inputs]
            result = module(*inputs)
            result.mul_(2)
            assert inplace or all(torch.equal(a, b) for a, b in zip(inputs, before, strict=True))
            if result.requires_grad:
                result.sum().backward()


@pytest.mark.parametrize("word", [layer.word for layer in STANDARD.layers if layer.has_inplace])
def test_what_takes_inplace_works_in_place(word: str) -> None:
    for layer, tensors in EXAMPLES:
        if layer.word == word:
            leaves = [x.requires_grad_() for x in values(tensors)]
            inputs = [x * 1 for x in leaves]
            result = build(layer, tensors, inplace=True)(*inputs)
            assert result.data_ptr() == inputs[0].data_ptr()
            result.sum().backward()


def test_every_layer_with_torchs_inplace_says_so() -> None:
    for layer, tensors in EXAMPLES:
        if layer.is_module and isinstance(module := build(layer, tensors), nn.Module):
            # Torch's alpha dropout takes inplace, and copies all the same.
            expected = hasattr(module, "inplace") and layer.word != "alpha_dropout"
            assert layer.has_inplace == expected, layer.word


@each_example("add", "sub")
def test_a_merge_in_place_gives_the_same(example: Example) -> None:
    layer, tensors = example
    lowered = layer.lower(*tensors)
    if lowered.inplace:  # type: ignore[union-attr]
        x, y = values(tensors)
        expected = build(layer, tensors)(x, y)
        scope = {"x": x, "y": y}
        exec(lowered.inplace_text(["x", "y"]), scope)  # type: ignore[union-attr]
        assert torch.equal(scope["x"], expected)


REFUSED = [
    ("wrong-axes", "conv", {"channels": 4, "kernel": (1, 3)}, "8x9"),
    ("wrong-axes", "pool", {"kernel": (1, 2, 3)}, "8x9x9"),
    ("wrong-axes", "adaptive_avgpool", {"size": (2, 3)}, "8x9"),
    ("wrong-axes", "upsample", {"factor": (2, 3)}, "8x9"),
    ("groups", "conv", {"channels": 4, "groups": 3}, "6x9x9"),
    ("groups", "conv", {"channels": 6, "groups": 3}, "8x9x9"),
    ("groups", "groupnorm", {"groups": 3}, "8x9x9"),
    ("groups", "shuffle", {"groups": 3}, "8x9x9"),
    ("window-too-large", "conv", {"channels": 4, "kernel": 3}, "8x2x9"),
    ("window-too-large", "pool", {"kernel": 3}, "8x2x9"),
    ("window-too-large", "avgpool", {"kernel": 4, "stride": 1, "ceil": True}, "8x3"),
    ("pool-padding", "pool", {"kernel": 2, "padding": 2}, "8x9x9"),
    ("pool-padding", "pool", {"kernel": 3, "padding": 2, "dilation": 3}, "8x9x9x9"),
    ("pool-padding", "avgpool", {"kernel": 3, "padding": 2}, "8x9"),
    ("padding-mode", "conv", {"channels": 4, "padding": 9, "padding_mode": "reflect"}, "8x9x9"),
    ("padding-mode", "conv", {"channels": 4, "padding": 10, "padding_mode": "circular"}, "8x9x9"),
    ("padding-mode", "pad", {"amounts": 9, "mode": "reflect"}, "8x9x9"),
    ("padding-mode", "pad", {"amounts": 10, "mode": "circular"}, "8x9x9x9"),
    ("same-with-stride", "conv", {"channels": 4, "kernel": 3, "stride": 2, "padding": "same"}, "8x9x9"),
    ("output-padding", "upconv", {"channels": 4, "kernel": 2, "output_padding": 1}, "8x9x9"),
    ("empty-output", "upconv", {"channels": 4, "kernel": 1, "padding": 2}, "8x2x2"),
    ("single-position", "instancenorm", {}, "8x1x1"),
    ("bounds", "hardtanh", {"min_val": 2}, "8x9"),
    ("bounds", "rrelu", {"lower_bound": 0.5}, "8x9"),
    ("bounds", "celu", {"alpha": 0}, "8x9"),
    ("odd-channels", "glu", {}, "7x9x9"),
    ("padding-idx", "embedding", {"features": 3, "padding_idx": 11}, "ids 6 of 11"),
    ("merge-shapes", "add", {}, "8x9x9|4x9x9"),
    ("merge-shapes", "mul", {}, "1x3x1|1x1x4|1x5x1"),
    ("merge-shapes", "maximum", {}, "8x9x9|vector 7"),
    ("merge-shapes", "cat", {}, "8x9x9|8x9x8"),
    ("merge-shapes", "attention", {"heads": 2}, "tokens 7x8|tokens 5x6"),
    ("merge-shapes", "attention", {"heads": 2}, "tokens 7x8|tokens 5x8|tokens 4x8"),
    ("channels-mismatch", "position_encoding", {}, "6x9x9"),
    ("channels-mismatch", "position_encoding", {}, "8x5x6x7"),
    ("channels-mismatch", "position_encoding", {}, "tokens 5x7"),
    ("merge-shapes", "cat", {}, "8x9x1|8x9x9"),
    ("reshape-size", "reshape", {"size": (2, 2, 3)}, "vector 11"),
    ("reshape-size", "to_map", {"size": (2, 3)}, "tokens 5x8"),
    ("split-sizes", "split", {"parts": (5, 2)}, "8x9"),
    ("wrong-rank", "upsample", {"factor": 2, "mode": "bicubic"}, "8x9"),
    ("wrong-rank", "upsample", {"factor": 2, "mode": "bilinear"}, "8x9x9x9"),
    ("wrong-rank", "upsample", {"like": True}, "8x9x9|8x9"),
    ("align-corners", "upsample", {"factor": 2, "align_corners": True}, "8x9x9"),
    ("channels-mismatch", "pixel_shuffle", {"factor": 3}, "8x9x9"),
    ("channels-mismatch", "pixel_unshuffle", {"factor": 2}, "8x9x9"),
]


@pytest.mark.parametrize(("code", "word", "arguments", "inputs"), REFUSED)
def test_what_is_refused_fails_in_torch(code: str, word: str, arguments: dict[str, Any], inputs: str) -> None:
    layer, tensors = example(word, arguments, *inputs.split("|"))
    problems = list(layer.check(*tensors))
    assert [problem.code for problem in problems] == [code]
    assert all(p.parameter is None or p.parameter in type(layer).model_fields for p in problems)
    if code == "padding-mode" and word == "conv":
        # Where reflection does not reach, torch fails only as it runs.
        layer = layer.model_copy(update={"kernel": 3})
    with pytest.raises(
        (RuntimeError, ValueError, TypeError, AssertionError, IndexError, NotImplementedError, ZeroDivisionError)
    ):
        build(layer, tensors)(*values(tensors))


# What torch would run, but as something that nobody asked for.
REFUSED_BY_THE_LANGUAGE = [
    ("wrong-axes", "pad", {"amounts": (1, 2, 3)}, "8x9"),
    ("empty-output", "upconv", {"channels": 4, "kernel": 1, "padding": 1}, "8x2x2"),
    ("split-sizes", "split", {"parts": 3}, "8x9"),
    ("bounds", "position_encoding", {"temperature": 0}, "8x9"),
    ("empty-output", "crop", {"amounts": 5}, "8x9x9"),
    ("empty-output", "crop", {"like": True}, "8x9x9|8x9x10"),
    ("wrong-rank", "crop", {"like": True}, "8x9x9|8x9"),
    ("wrong-axes", "crop", {"amounts": (1, 2, 3)}, "8x9"),
    ("one-of", "crop", {}, "8x9"),
    ("one-of", "upsample", {}, "8x9"),
    ("one-of", "upsample", {"factor": 2, "size": 3}, "8x9"),
    ("padding-mode", "pad", {"amounts": 1, "mode": "reflect", "value": 1}, "8x9"),
    ("wrong-kind", "prelu", {"per_channel": True}, "tokens 5x8"),
    ("merge-shapes", "add", {}, "1x8|vector 8"),
    ("unknown-size", "fc", {"features": 3}, "vector ?"),
    ("unknown-size", "conv", {"channels": 3}, "Cx9x9"),
    ("unknown-size", "bn", {}, "vector ?"),
    ("unknown-size", "layernorm", {}, "tokens 5x?"),
    ("unknown-size", "split", {"parts": 2}, "vector ?"),
    ("unknown-size", "prelu", {"per_channel": True}, "vector ?"),
]


@pytest.mark.parametrize(("code", "word", "arguments", "inputs"), REFUSED_BY_THE_LANGUAGE)
def test_what_the_language_refuses(code: str, word: str, arguments: dict[str, Any], inputs: str) -> None:
    layer, tensors = example(word, arguments, *inputs.split("|"))
    assert [problem.code for problem in layer.check(*tensors)] == [code]


def test_embeddings_need_a_vocabulary() -> None:
    layer = example("embedding", {"features": 3}, "ids 6 of 11").layer
    assert [problem.code for problem in layer.check(Tensor("ids", (6,)))] == ["unknown-size"]


def test_helpers_compile_to_one_graph_and_export() -> None:
    for word in ("layernorm", "rmsnorm", "stochastic_depth"):
        e = example(word, {"p": 0.5} if word == "stochastic_depth" else {}, "8x9x8")
        module, inputs = build(*e), tuple(values(e.inputs))
        assert torch.equal(torch.compile(module.eval(), fullgraph=True, backend="eager")(*inputs), module(*inputs))
        torch.compile(module.train(), fullgraph=True, backend="eager")(*inputs)
        assert torch.equal(torch.export.export(module.eval(), inputs).module()(*inputs), module(*inputs))


def test_layer_norm_over_a_map_is_that_of_each_position() -> None:
    x = torch.randn(2, 8, 5, 6)
    result = SCOPE["ChannelLayerNorm"](8)(x)
    assert torch.allclose(result.mean(1), torch.zeros(2, 5, 6), atol=1e-6)
    assert torch.allclose(result.var(1, correction=0), torch.ones(2, 5, 6), atol=1e-3)


def test_positions_of_tokens_are_encoded_as_in_attention_is_all_you_need() -> None:
    encoded = SCOPE["PositionEncoding"](dim=-1)(torch.randn(2, 7, 6, dtype=torch.float64))
    for position in range(7):
        for pair in range(3):
            angle = position / 10_000 ** (2 * pair / 6)
            assert encoded[1, position, 2 * pair].item() == pytest.approx(math.sin(angle))
            assert encoded[1, position, 2 * pair + 1].item() == pytest.approx(math.cos(angle))


def test_positions_of_a_map_are_encoded_as_in_detr() -> None:
    """Section A.4 of the paper: each axis is one turn, and half of the channels are of the height."""
    encoded = SCOPE["PositionEncoding"](normalize=True)(torch.randn(2, 8, 5, 3, dtype=torch.float64))
    for axis, size in enumerate((5, 3)):
        for place in range(size):
            for pair in range(2):
                angle = 2 * math.pi * (place + 1) / size / 10_000 ** (2 * pair / 4)
                at = encoded[0].select(axis + 1, place)[4 * axis + 2 * pair :]
                assert at[0].tolist() == pytest.approx([math.sin(angle)] * at.shape[1])
                assert at[1].tolist() == pytest.approx([math.cos(angle)] * at.shape[1])


def test_stochastic_depth_keeps_the_mean() -> None:
    x = torch.ones(4000, 3)
    for mode, kept in (("row", {0.0, 2.0}), ("batch", None)):
        result = SCOPE["StochasticDepth"](0.5, mode)(x)
        assert kept is None or set(result.unique().tolist()) == kept
        assert len(result.unique(dim=0)) == (2 if mode == "row" else 1)
    assert abs(SCOPE["StochasticDepth"](0.5)(x).mean().item() - 1) < 0.1
