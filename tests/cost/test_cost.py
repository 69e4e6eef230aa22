"""What a network costs: by hand, against torch, and in what must hold of every network."""

from __future__ import annotations

import math
from collections import defaultdict
from itertools import pairwise
from typing import Any, ClassVar

import pytest
import torch
from torch import nn

import archdsl
from archdsl.analyses.cost import RULES, Roof, Work, kinds, works
from archdsl.analyses.devices import DTYPES, Device
from archdsl.cli import cost as command
from archdsl.cli import options
from archdsl.layers import STANDARD, Layer
from archdsl.reports.cost import Cost

SMALL = """
net small {
  input 3x8x8
  conv 4 k3 as a -> relu as b -> bn as c -> dropout as d -> gap as e -> flatten as f -> fc 5 as g
}
"""
NETWORKS = (
    "lenet5",
    "resnet18",
    "mobilenet_v3_small",
    "densenet121",
    "googlenet_aux",
    "vit_b_16",
    "swin_t",
    "swin_v2_t",
    "maxvit_t",
    "convnext_tiny",
    "shufflenet_v2_x0_5",
    "efficientnet_b0",
    "dcgan_generator",
    "text_cnn",
    "detr_resnet50",
)


def cost(text: str, **options: Any) -> Cost:
    return archdsl.parse(text).cost(**options)


# ---------------------------------------------------------------- by hand


def test_a_small_network_by_hand() -> None:
    found = cost(SMALL, batch=2, rule="all")
    flops = {layer.path: layer.flops for layer in found.layers}
    # 4 channels of 6x6; a sum of 27 products and a bias; a comparison; a scale and a shift; 35 additions and a division
    assert flops == {"a": 2 * 144 * 54, "b": 2 * 144, "c": 2 * 288, "d": 0, "e": 2 * 144, "f": 0, "g": 2 * 5 * 8}
    moved = {layer.path: layer.bytes for layer in found.layers}
    assert moved == {
        "a": 4 * (2 * (192 + 144) + 108 + 4),
        "b": 4 * 2 * (144 + 144),
        "c": 4 * (2 * (144 + 144) + 4 * 4),  # weight, bias, running mean and variance
        "d": 0,
        "e": 4 * 2 * (144 + 4),
        "f": 0,
        "g": 4 * (2 * (4 + 5) + 20 + 5),
    }
    assert found.totals.flops == sum(flops.values())  # type: ignore[arg-type]
    assert found.totals.bytes == sum(moved.values())  # type: ignore[arg-type]
    assert [layer.intensity for layer in found.layers][:2] == [2 * 144 * 54 / moved["a"], 288 / moved["b"]]  # type: ignore[operator]


def test_the_roofline_of_a_small_network_by_hand() -> None:
    """At 100 operations and 10 bytes a second the ridge is at 10 operations a byte."""
    device = Device(name="abacus", peak={"float32": 100.0}, bandwidth=10.0)
    found = cost(SMALL, device=device, rule="all")
    assert found.device is not None
    assert found.device.ridge == 10
    by = {layer.path: layer for layer in found.layers}
    a_bytes = 4 * (192 + 144 + 108 + 4)
    assert by["a"].seconds == a_bytes / 10  # 7776 operations take 77.76 s, 1792 bytes 179.2 s
    assert by["a"].bound == "memory"
    assert by["d"].seconds == 0
    assert by["d"].bound is None
    seconds = [a_bytes / 10, 4 * 288 / 10, 4 * 304 / 10, 0, 4 * 148 / 10, 0, 4 * 34 / 10]
    assert [layer.seconds for layer in found.layers] == pytest.approx(seconds)
    assert found.totals.seconds == pytest.approx(sum(seconds))
    assert found.totals.samples_per_second == pytest.approx(1 / sum(seconds))
    assert found.totals.memory_share == pytest.approx(1)
    fast = cost(SMALL, device=device.model_copy(update={"bandwidth": 100.0}), rule="all")
    assert [layer.bound for layer in fast.layers] == ["compute", *["memory"] * 2, None, "memory", None, "memory"]
    assert fast.layers[0].seconds == 7776 / 100
    assert fast.totals.memory_share == pytest.approx(1 - fast.layers[0].seconds / fast.totals.seconds)  # type: ignore[operator]


def test_the_rules_differ_by_what_they_say() -> None:
    text = "net n {\n  input 3x8x8\n  conv 4 k3 bias=no -> relu\n}\n"
    assert [cost(text, rule=rule).totals.flops for rule in ("macs", "torchvision", "all")] == [
        144 * 27,
        2 * 144 * 27,
        144 * 53 + 144,
    ]


@pytest.mark.parametrize(("dtype", "size"), DTYPES.items())
def test_bytes_follow_the_type_and_ids_have_eight(dtype: str, size: int) -> None:
    found = cost("net n {\n  input ids 6 of 11\n  embedding 4 -> fc 2\n}\n", dtype=dtype, batch=3)
    embedding, fc = found.layers
    assert embedding.bytes == 3 * (6 * 8 + size * 2 * 24)
    assert fc.bytes == size * (3 * (24 + 12) + 8 + 2)


def test_a_shared_module_is_paid_at_each_use() -> None:
    text = "net n {\n  input a : 1x8x8\n  input b : 1x8x8\n  share e = conv 2 k3\n  (a -> e | b -> e) -> sub\n}\n"
    once, again, _ = cost(text).layers
    assert (once.flops, once.bytes) == (again.flops, again.bytes)
    assert not once.reused
    assert again.reused


def test_heads_that_only_training_has_cost_nothing() -> None:
    """torchvision counts Inception v3 in evaluation: 5.713 G."""
    assert archdsl.load("inception_v3").cost(rule="macs").totals.flops == 5_713_216_096
    with_heads, without = archdsl.load("googlenet_aux").cost(), archdsl.load("googlenet").cost()
    assert with_heads.totals.model_dump(exclude={"layers"}) == without.totals.model_dump(exclude={"layers"})


# ---------------------------------------------------------------- of every network


@pytest.mark.parametrize("name", archdsl.shipped_networks())
def test_the_rules_of_every_network_that_ships(name: str) -> None:
    """Where all sizes are known: every layer says what it computes, and the parts of a difference add up to it."""
    net = archdsl.load(name)
    if any(not isinstance(size, int) for port in net.graph.inputs for size in port.tensor.dims):
        net = net.at({port.name: port.tensor.with_space((64,) * port.tensor.rank) for port in net.graph.inputs})
    if not net.ok:
        pytest.fail(f"{name} does not take 64")
    evaluated = len(net.graph.evaluated()) == len(net.graph.nodes)
    if evaluated:
        assert net.cost().totals.flops == net.report().totals.flops
    for first, second in (("torchvision", "all"), ("macs", "torchvision"), ("all", "macs")):
        told = net.explain_count(first, second)
        assert not told.silent
        totals = [net.cost(rule=rule).totals.flops for rule in (first, second)]
        assert [told.first.flops, told.second.flops] == totals
        assert sum(row.first for row in told.kinds) == totals[0]
        assert sum(row.second for row in told.kinds) == totals[1]
        assert sum(row.difference for row in told.kinds) == totals[1] - totals[0]  # type: ignore[operator]
        assert all(row.why != "as the layer says" for row in told.kinds)


@pytest.mark.parametrize("name", ["resnet50", "vit_b_16", "text_cnn"])
def test_sums_and_shares_add_up(name: str) -> None:
    found = archdsl.load(name).cost(device="a100", dtype="bfloat16", batch=4, rule="all")
    totals = found.totals
    assert totals.flops == sum(layer.flops or 0 for layer in found.layers)
    assert totals.bytes == sum(layer.bytes or 0 for layer in found.layers)
    assert totals.seconds == pytest.approx(sum(layer.seconds or 0 for layer in found.layers))
    assert sum(layer.share or 0 for layer in found.layers) == pytest.approx(1)
    memory = sum(layer.share or 0 for layer in found.layers if layer.bound == "memory")
    assert totals.memory_share == pytest.approx(memory)
    assert totals.layers == len(found.layers)


@pytest.mark.parametrize("name", ["resnet18", "vit_b_16", "text_cnn"])
@pytest.mark.parametrize("rule", RULES)
def test_a_larger_batch_never_has_a_lower_intensity(name: str, rule: str) -> None:
    """Weights are read once for the batch, and everything else grows with it."""
    net = archdsl.load(name)
    batches = [net.cost(batch=batch, rule=rule, device="t4") for batch in (1, 2, 7, 64)]
    for small, large in pairwise(batches):
        times = large.batch / small.batch
        for a, b in zip(small.layers, large.layers, strict=True):
            assert b.flops == times * a.flops  # type: ignore[operator]
            assert (a.bytes or 0) <= (b.bytes or 0) <= times * (a.bytes or 0)
            assert (b.intensity or 0) >= (a.intensity or 0)
        assert large.totals.samples_per_second >= small.totals.samples_per_second  # type: ignore[operator]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_layer_never_takes_fewer_operations_than_its_products(name: str) -> None:
    """Under `all` at least the products and all but one of each sum's additions."""
    graph = archdsl.load(name).graph
    for work, products in zip(works(graph, RULES["all"], 1, 4), works(graph, RULES["macs"], 1, 4), strict=True):
        assert work.flops is not None
        assert products.flops is not None
        assert products.flops <= work.flops
    assert all(found is not None for _, found in kinds(graph))


def test_time_is_at_the_roof() -> None:
    """Below the ridge the bandwidth is the limit, above it the arithmetic, and no point is above the roof."""
    roof = Roof(peak=1e12, bandwidth=1e11)
    assert roof.ridge == 10
    for intensity in (0, 1, 9, 10, 11, 1000):
        work = Work(intensity * 1000, 1000)
        seconds = roof.seconds(work)
        assert seconds is not None
        assert work.flops is not None
        assert work.flops / seconds == pytest.approx(min(roof.peak, intensity * roof.bandwidth))
        assert roof.bound(work) == ("compute" if intensity >= roof.ridge else "memory")
    assert roof.seconds(Work(None, 5)) is None
    assert roof.bound(Work(None, 5)) is None


# ---------------------------------------------------------------- against torch


class Moved:
    """The bytes of what flows in and out of each module that a report names, and of what it holds."""

    def __init__(self, model: nn.Module, paths: set[str]) -> None:
        self.bytes: dict[str, list[int]] = defaultdict(list)
        for path, module in model.named_modules():
            if path in paths:
                module.register_forward_hook(self.hook(path))

    def hook(self, path: str) -> Any:
        def run(module: nn.Module, inputs: Any, result: Any) -> None:
            held = [x for name, x in module.state_dict().items() if not name.endswith("num_batches_tracked")]
            self.bytes[path].append(sum(x.numel() * x.element_size() for x in (*inputs, result, *held)))

        return run


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "swin_t", "googlenet_aux", "convnext_tiny", "unet"])
def test_bytes_are_those_of_the_tensors_that_flow(name: str, batch: int) -> None:
    net = archdsl.load(name, input="3x64x96")
    model = net.compile().eval()
    found = net.cost(batch=batch)
    modules = {node.path for node in net.graph.nodes if node.layer.is_module and node.inputs}
    moved = Moved(model, modules)
    with torch.inference_mode():
        model(torch.randn(batch, 3, 64, 96))
    counted: dict[str, list[int]] = defaultdict(list)
    hands_on = {node.path for node in net.graph.nodes if node.layer.is_view or node.layer.trains_only}
    for layer in found.layers:
        if layer.path in moved.bytes and layer.path not in hands_on:
            counted[layer.path].append(layer.bytes or 0)
    assert len(counted) > 10
    assert counted == {path: each for path, each in moved.bytes.items() if path not in hands_on}


@pytest.mark.parametrize("name", ["resnet18", "swin_t", "swin_v2_t", "maxvit_t"])
def test_the_size_of_a_network_is_that_of_its_state(name: str) -> None:
    """The indices of window attention are whole numbers of eight bytes, as the counter of a batch norm is."""
    net = archdsl.load(name)
    held = sum(x.numel() * x.element_size() for x in net.compile().state_dict().values())
    assert net.report().totals.bytes["float32"] == held


# ---------------------------------------------------------------- what is not known


class Riddle(Layer):
    """A layer of a user, which does not say what it computes."""

    word: ClassVar[str] = "riddle"
    family: ClassVar[str] = "activation"


def test_what_a_layer_does_not_say_is_not_zero() -> None:
    net = archdsl.parse("net n {\n  input 3x8x8\n  conv 4 -> riddle\n}\n", catalog=STANDARD.extended_with(Riddle))
    everything = net.cost(rule="all", device="t4")
    assert everything.layers[1].flops is None
    assert everything.totals.flops is None
    assert everything.totals.seconds is None
    assert everything.totals.bytes is not None
    assert net.cost(device="t4").totals.flops == 2 * 4 * 64 * 3
    told = net.explain_count()
    assert told.silent == ("riddle",)
    assert told.second.flops is None
    assert told.first.flops == 2 * 4 * 64 * 3


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "input image : 3xHxW",
            "the cost depends on H and W of image, 3xHxW, which are open; give a size: --input 3x224x224",
        ),
        ("input 3xSxS", "which is open"),
    ],
)
def test_an_open_size_is_asked_for(text: str, said: str) -> None:
    net = archdsl.parse(f"net n {{\n  {text}\n  conv 4\n}}\n")
    for ask in (net.cost, net.explain_count):
        with pytest.raises(archdsl.ArchError) as problem:
            ask()
        assert said in str(problem.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rule": "al"}, "there is no counting rule al"),
        ({"rule": "torchvison"}, "did you mean torchvision?"),
        ({"dtype": "float31"}, "did you mean float32?"),
        ({"batch": 0}, "a batch has at least 1 sample, got 0"),
        ({"device": "h20"}, "did you mean h200?"),
        ({"device": "t4", "dtype": "bfloat16"}, "t4 has no peak rate for bfloat16; it has float32, float16, int8"),
    ],
)
def test_wrong_arguments_are_told(options: dict[str, Any], said: str) -> None:
    with pytest.raises(archdsl.ArchError) as problem:
        cost(SMALL, **options)
    assert said in str(problem.value)


def test_a_network_with_errors_has_no_cost() -> None:
    with pytest.raises(archdsl.SpecError):
        cost("net n {\n  input 3x8x8\n  conv 4 k9\n}\n")


def test_the_command_line_knows_the_rules_and_the_types() -> None:
    assert tuple(RULES) == options.RULES
    assert tuple(DTYPES) == command.DTYPES


def test_the_cost_reads_back() -> None:
    found = cost(SMALL, device="h200")
    assert Cost.model_validate_json(found.model_dump_json()) == found
    assert all(math.isfinite(layer.seconds or 0) for layer in found.layers)
