"""The compiled module is an ordinary torch module: in its names, and in all that torch can do with one."""

from __future__ import annotations

import copy
import math
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl.layers import STANDARD
from archdsl.reports.schema import LayerReport

ROOT = Path(__file__).parents[2]


def buildable() -> tuple[str, ...]:
    """The networks that ship, without those that need arguments."""
    return tuple(name for name in archdsl.shipped_networks() if archdsl.load(name).ok)


TRUNK = """
block trunk(c) {
  conv c k5 s2 p2 -> bn -> relu -> pool 3 s2 p1
  conv 2*c k3 p1 -> bn -> relu
}
"""
TWO_STREAM = (
    TRUNK
    + """
net two_stream(classes=101) {
  input rgb  : 3x224x224
  input flow : 20x224x224
  rgb  -> trunk(64) as appearance
  flow -> trunk(64) as motion
  (appearance | motion) -> cat -> gap -> flatten -> fc classes as logits
  output logits, motion
}
"""
)
SIAMESE = (
    TRUNK
    + """
net siamese {
  input a : 1x105x105
  input b : 1x105x105
  share encoder = trunk(64)
  a -> encoder as ea
  b -> encoder as eb
  (ea | eb) -> sub -> abs -> gap -> flatten -> fc 1
}
"""
)

# The numbered children of VGG without its hundred million dense weights.
SMALL_VGG = """
net small_vgg {
  input 3x32x32
  for c, n in [[8, 1], [16, 1], [32, 2], [64, 2], [64, 2]] { (conv c k3 p1 -> relu) x(n) -> pool 2 } as features[]
  flatten
  ((fc 32 -> relu -> dropout 0.5) x2 -> fc 10) as classifier[]
}
"""

NETS: dict[str, tuple[Callable[..., archdsl.Network], dict[str, str]]] = {
    "resnet18": (partial(archdsl.load, "resnet18", classes=10), {"input": "3x64x64"}),
    "small_vgg": (partial(archdsl.parse, SMALL_VGG), {"input": "3x32x32"}),
    "unet": (partial(archdsl.load, "unet", c=4), {"image": "3x32x48"}),
    "two_stream": (partial(archdsl.parse, TWO_STREAM), {"rgb": "3x32x32", "flow": "20x32x32"}),
    "siamese": (partial(archdsl.parse, SIAMESE), {"a": "1x40x40", "b": "1x40x40"}),
}

each_net = pytest.mark.parametrize("name", NETS)
every_net = pytest.mark.parametrize("name", [*NETS, *(name for name in buildable() if name not in NETS)])


def network(name: str) -> archdsl.Network:
    """The network, with inputs small enough to run."""
    if name not in NETS:
        return archdsl.load(name)
    load, shapes = NETS[name]
    return load(input=shapes)


def skeleton(name: str) -> nn.Module:
    """The module without memory for its weights."""
    with torch.device("meta"):
        return network(name).compile()


def model(name: str, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return network(name).compile()


def inputs(name: str, batch: int = 2) -> tuple[Tensor, ...]:
    generator = torch.Generator().manual_seed(7)
    shapes = [tuple(map(int, shape.split("x"))) for shape in NETS[name][1].values()]
    return tuple(torch.rand(batch, *shape, generator=generator) for shape in shapes)


def flat(result: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return (result,) if isinstance(result, Tensor) else tuple(result)


def same(one: Tensor | tuple[Tensor, ...], other: Tensor | tuple[Tensor, ...]) -> bool:
    return all(map(torch.equal, flat(one), flat(other))) and len(flat(one)) == len(flat(other))


def is_module(layer: LayerReport) -> bool:
    kind = STANDARD.find(layer.layer)
    assert kind is not None
    return kind.is_module and not (
        layer.layer == "upsample" and len(layer.inputs) == 2
    )  # `like` makes a function of it


def python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---------------------------------------------------------------- names


@every_net
def test_the_paths_of_the_report_are_those_of_named_modules(name: str) -> None:
    report = network(name).report()
    layers = {layer.path for layer in report.layers if is_module(layer)}
    holders = {module.path for module in report.modules}
    inner = tuple(f"{path}." for path in layers)  # an attention is made of modules, which are its own affair
    assert {path for path, _ in skeleton(name).named_modules() if not path.startswith(inner)} == layers | holders


@every_net
def test_the_keys_of_state_dict_are_the_layers_that_have_parameters_or_buffers(name: str) -> None:
    paths = {layer.path for layer in network(name).report().layers}
    held: dict[str, int] = {}
    for key, tensor in skeleton(name).state_dict().items():
        path = key  # of a parameter that stands in the flow by itself
        while path not in paths:
            path = path.rpartition(".")[0]
        held[path] = held.get(path, 0) + tensor.numel()
    reported = {
        layer.path: layer.parameters + layer.buffers
        for layer in network(name).report().layers
        if not layer.reused and layer.parameters + layer.buffers
    }
    assert held == reported


@each_net
def test_the_module_gives_the_shapes_of_the_report(name: str) -> None:
    results = flat(model(name).eval()(*inputs(name)))
    assert [tuple(result.shape[1:]) for result in results] == [port.shape for port in network(name).report().outputs]


def test_several_outputs_are_a_named_tuple() -> None:
    result = model("two_stream").eval()(*inputs("two_stream"))
    assert result._fields == ("logits", "motion")
    assert result.logits.shape == (2, 101)


def test_blocks_alike_are_of_one_class() -> None:
    layer3 = model("resnet18").get_submodule("layer3")
    kinds = {type(block).__name__ for block in layer3.children()}
    assert isinstance(layer3, nn.Sequential)
    assert all(kind.startswith("Basic") for kind in kinds)


NUMBERED = """
block in_order(c) {{ conv c k3 p1 as 0 -> bn as 1 -> relu as 2 }}
block other(c) {{ {} }}
net n {{ input 3x8x8
  in_order(4) as first -> other(4) as second }}
"""
BODIES = {
    "in order": ("conv c k3 p1 as 0 -> gelu as 1", True),
    "a number left out": ("conv c k3 p1 as 0 -> gelu as 2", True),
    "a block inside": ("in_order(c) as 0 -> gelu as 1", True),
    "a name among the numbers": ("conv c k3 p1 as 0 -> gelu as act", False),
    "an expression among them": ("conv c k3 p1 as 0 -> square as 1 -> gelu as 2", False),
    "a shortcut": ("conv c k3 p1 as 0 -> (bn as 1 | id) -> add", False),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_block_whose_modules_have_numbers_alone_is_a_sequential_of_its_name(body: str) -> None:
    """As torchvision has it for a convolution with its norm; other blocks have a forward that says what runs."""
    inner, sequential = BODIES[body]
    net = archdsl.parse(NUMBERED.format(inner))
    module = net.compile().eval()
    first, second = module.get_submodule("first"), module.get_submodule("second")
    assert isinstance(first, nn.Sequential)
    assert type(first).__name__ == "InOrder"
    assert [type(child) for child in first] == [nn.Conv2d, nn.BatchNorm2d, nn.ReLU]
    assert isinstance(second, nn.Sequential) == sequential
    image = torch.arange(2.0 * 3 * 8 * 8).sin().view(2, 3, 8, 8)
    x = first[2](first[1](first[0](image)))
    children = dict(second.named_children())
    for name in children:
        if body != "a shortcut":
            x = children[name](x.square() if body == "an expression among them" and name == "2" else x)
    if body == "a shortcut":
        x = children["0"](x)
        x = children["1"](x) + x
    assert torch.equal(module(image), x)


def test_a_sequential_that_is_computed_again_is_one_too() -> None:
    net = archdsl.parse(NUMBERED.format("conv c k3 p1 as 0 -> gelu as 1 -> conv c k3 p1 as 2"))
    assert net.units == ("second",)
    plain = net.compile()
    again = net.compile(plain, checkpoint=True)
    assert isinstance(again.get_submodule("second"), nn.Sequential)
    kept: list[list[Tensor]] = []
    image = torch.arange(2.0 * 3 * 8 * 8).sin().view(2, 3, 8, 8)
    gradients = []
    for module in (plain, again):
        kept.append([])
        with torch.autograd.graph.saved_tensors_hooks(lambda t: (kept[-1].append(t.detach()), t)[1], lambda t: t):
            given = module(image)
        gradients.append(torch.autograd.grad(given.square().sum(), list(module.parameters())))
    assert all(map(torch.equal, *gradients))
    assert len(kept[1]) < len(kept[0])


# ---------------------------------------------------------------- what torch does with a module


@each_net
def test_pickling_keeps_the_module_and_its_weights(name: str) -> None:
    before = model(name)
    before(*inputs(name))  # so that statistics are no longer the fresh ones
    after = pickle.loads(pickle.dumps(before))
    assert type(after) is type(before)
    assert same(after.eval()(*inputs(name)), before.eval()(*inputs(name)))


def test_a_pickle_opens_in_a_fresh_process(tmp_path: Path) -> None:
    before = model("resnet18").eval()
    expected = before(*inputs("resnet18"))
    torch.save((before, inputs("resnet18"), expected.detach()), tmp_path / "model.pt")
    code = """
import sys, torch
model, inputs, expected = torch.load(sys.argv[1], weights_only=False)
print(torch.equal(model(*inputs), expected), type(model.layer1[0]).__name__)
"""
    assert python(code, str(tmp_path / "model.pt")) == "True Basic\n"


def test_weights_alone_are_saved_and_loaded_safely(tmp_path: Path) -> None:
    before, after = model("unet"), model("unet", seed=1)
    assert not same(before.eval()(*inputs("unet")), after.eval()(*inputs("unet")))
    torch.save(before.state_dict(), tmp_path / "weights.pt")
    after.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True), strict=True)
    assert same(before(*inputs("unet")), after(*inputs("unet")))


@each_net
def test_a_deep_copy_is_equal_and_its_own(name: str) -> None:
    before = model(name).eval()
    after = copy.deepcopy(before)
    expected = before(*inputs(name))
    assert same(after(*inputs(name)), expected)
    with torch.no_grad():
        for parameter in after.parameters():
            parameter.fill_(0.5)
    assert same(before(*inputs(name)), expected)
    assert not same(after(*inputs(name)), expected)


@each_net
def test_it_exports(name: str) -> None:
    module = model(name).eval()
    exported = torch.export.export(module, inputs(name))
    assert set(exported.state_dict) == set(module.state_dict())
    assert same(exported.module()(*inputs(name)), module(*inputs(name)))


@each_net
def test_it_compiles_in_one_graph(name: str) -> None:
    module = model(name).eval()
    expected = module(*inputs(name))
    module.compile(fullgraph=True, backend="eager")
    assert same(module(*inputs(name)), expected)
    assert not any(key.startswith("_orig_mod") for key in module.state_dict())


# Inductor imports torch.utils.mkldnn, which still uses torch.jit.
@pytest.mark.filterwarnings("ignore:.torch.jit.script:DeprecationWarning")
@pytest.mark.skipif(shutil.which("c++") is None and shutil.which("g++") is None, reason="inductor needs a C++ compiler")
def test_it_compiles_with_inductor() -> None:
    torch.manual_seed(0)
    text = "net small { input 1x8x8\n (conv 4 k3 p1 -> bn -> relu | conv 4 k1) -> add -> gap -> flatten -> fc 3 }"
    module = archdsl.parse(text).compile().eval()
    image = torch.rand(2, 1, 8, 8)
    with torch.inference_mode():
        expected = module(image)
        module.compile(fullgraph=True)
        torch.testing.assert_close(module(image), expected)


@each_net
def test_every_parameter_gets_a_gradient(name: str) -> None:
    module = model(name)
    sum(result.mean() for result in flat(module(*inputs(name)))).backward()  # type: ignore[union-attr]
    assert [key for key, p in module.named_parameters() if p.grad is None] == []


def test_a_hook_on_a_block_sees_what_the_report_says() -> None:
    report = network("resnet18").report()
    module = model("resnet18").eval()
    seen: dict[str, tuple[int, ...]] = {}
    for path, child in module.named_modules():
        child.register_forward_hook(
            lambda _module, _inputs, output, path=path: seen.__setitem__(path, tuple(output.shape[1:]))
        )
    module(*inputs("resnet18"))
    ours = {m.path: m.output for m in report.modules if m.path} | {
        layer.path: layer.output for layer in report.layers if is_module(layer)
    }
    del seen[""]
    assert seen == ours


def test_gradients_reach_a_hook_on_a_stage() -> None:
    """What Grad-CAM needs: a stage's output and the gradient of a class by it."""
    module = model("resnet18").eval()
    seen: list[Tensor] = []
    stage = module.get_submodule("layer4")
    stage.register_forward_hook(lambda _module, _inputs, output: seen.append(output))
    stage.register_full_backward_hook(lambda _module, _inputs, outputs: seen.append(outputs[0]))
    module(*inputs("resnet18"))[:, 3].sum().backward()
    assert [tuple(tensor.shape) for tensor in seen] == [(2, 512, 2, 2)] * 2


def test_a_shared_module_is_one_module_that_runs_twice() -> None:
    module = model("siamese").eval()
    runs: list[int] = []
    module.get_submodule("encoder").register_forward_hook(lambda *_: runs.append(1))
    left, right = inputs("siamese")
    module(left, right)
    assert len(runs) == 2
    bias = module.get_parameter("fc1.bias")
    assert torch.equal(module(left, left), bias.expand(2, 1))  # a - a = 0


# ---------------------------------------------------------------- training and evaluation


def test_dropout_drops_while_training_alone() -> None:
    module = model("small_vgg").train()
    (image,) = inputs("small_vgg")
    assert not torch.equal(module(image), module(image))
    module.eval()
    assert torch.equal(module(image), module(image))
    assert not any(child.training for child in module.modules())


DROPS = ("dropout 0", "channel_dropout 0", "alpha_dropout 0", "stochastic_depth 0", "stochastic_depth 0 mode=batch")
AROUND_A_DROP = {
    "nobody else reads": ("(conv 3 k3 p1 as a -> drop as b | id) -> add", True),
    "what was dropped is read again": ("(conv 3 k3 p1 as a -> drop as b | id) -> add as c -> (b | id) -> cat", False),
    "what came before is read again": ("(conv 3 k3 p1 as a -> drop as b | id) -> add as c -> (a | id) -> cat", False),
    "the derivative is taken of what came before": ("(conv 3 k3 p1 -> sigmoid -> drop as b | id) -> add", False),
    "what came before is the input": ("(drop as b | conv 3 k3 p1) -> add", False),
    "what came before came out of a module": ("((conv 3 k3 p1 -> bn) as m -> drop as b | id) -> add", False),
}


@pytest.mark.parametrize("drop", DROPS)
@pytest.mark.parametrize("around", AROUND_A_DROP)
def test_what_is_dropped_is_overwritten_where_nobody_else_needs_what_it_may_be_itself(around: str, drop: str) -> None:
    """In evaluation a dropout hands on its input itself; the networks without it say what is right."""
    body, in_place = AROUND_A_DROP[around]
    net, plain = (archdsl.parse("net n { input 3x8x8\n" + body.replace("drop", word) + " }") for word in (drop, "id"))
    assert ("+=" in net.source()) == in_place
    module, expected = net.compile(), plain.compile()
    expected.load_state_dict(module.state_dict())
    for training in (False, True):
        results = []
        for one in (module.train(training), expected.train(training)):
            image = torch.arange(2.0 * 3 * 8 * 8).sin().view(2, 3, 8, 8).requires_grad_()
            given = one(image)
            weights = torch.arange(given.numel(), dtype=given.dtype).cos().view(given.shape)
            grads = torch.autograd.grad((given * weights).sum(), [image, *one.parameters()])
            results.append([given, *grads])
        assert all(map(torch.equal, *results))


def test_batch_normalization_learns_statistics_while_training_alone() -> None:
    module = model("unet")
    before = {key: tensor.clone() for key, tensor in module.named_buffers()}
    module.eval()(*inputs("unet"))
    assert all(torch.equal(tensor, before[key]) for key, tensor in module.named_buffers())
    module.train()(*inputs("unet"))
    assert not any(torch.equal(tensor, before[key]) for key, tensor in module.named_buffers())


def test_a_gradient_step_lowers_the_loss() -> None:
    module = model("resnet18")
    optimizer = torch.optim.SGD(module.parameters(), lr=0.01)
    losses = []
    for _ in range(4):
        loss = nn.functional.cross_entropy(module(*inputs("resnet18", batch=4)), torch.tensor([1, 2, 3, 4]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.7 * losses[0]


# ---------------------------------------------------------------- how weights begin

FEATURES, CHANNELS = 400, 300
DEVIATIONS = {
    "kaiming": math.sqrt(2 / CHANNELS),
    "kaiming_uniform": math.sqrt(2 / CHANNELS),
    "xavier": math.sqrt(2 / (FEATURES + CHANNELS)),
    "xavier_uniform": math.sqrt(2 / (FEATURES + CHANNELS)),
    "trunc_normal": 0.02,
    "normal": 0.02,
    "zero": 0.0,
    "one": 0.0,
}


@pytest.mark.parametrize("init", DEVIATIONS)
def test_a_named_initialisation_has_its_statistics(init: str) -> None:
    torch.manual_seed(0)
    layer = archdsl.parse(f"net n {{ input {FEATURES}\n fc {CHANNELS} init={init} }}").compile().get_submodule("fc1")
    assert isinstance(layer, nn.Linear)
    deviation, mean = layer.weight.std().item(), layer.weight.mean().item()
    assert deviation == pytest.approx(DEVIATIONS[init], rel=0.02)
    assert mean == pytest.approx(float(init == "one"), abs=0.001)
    if init.endswith("uniform"):
        assert layer.weight.abs().max().item() == pytest.approx(math.sqrt(3) * deviation, rel=0.02)
    assert layer.bias.abs().max() == 0


def test_without_a_name_weights_begin_as_torch_begins_them() -> None:
    torch.manual_seed(0)
    module = archdsl.parse("net n { input 3x8x8\n conv 5 k3 -> flatten -> fc 4 }").compile()
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 5, 3), nn.Linear(180, 4)]
    expected = [parameter for layer in layers for parameter in layer.parameters()]
    assert all(map(torch.equal, module.parameters(), expected))


def test_resnet_begins_as_torchvision_begins_it() -> None:
    module = model("resnet18")
    for path in ("conv1", "layer2.0.conv1", "layer4.1.conv2"):
        weight = module.get_parameter(f"{path}.weight")
        fan_out = weight.shape[0] * weight.shape[2] * weight.shape[3]
        assert weight.std().item() == pytest.approx(math.sqrt(2 / fan_out), rel=0.03), path
    assert module.get_parameter("bn1.weight").eq(1).all()


def test_two_modules_of_one_network_share_nothing() -> None:
    net = network("resnet18")
    first, second = net.compile(), net.compile()
    assert type(first) is type(second)
    pointers = {parameter.data_ptr() for parameter in first.parameters()}
    assert not any(parameter.data_ptr() in pointers for parameter in second.parameters())


# ---------------------------------------------------------------- the source

ALONE = """
import sys

class NoArchdsl:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("archdsl", "lark", "pydantic"):
            raise ImportError(f"the source needs {name}")

sys.meta_path.insert(0, NoArchdsl())
import importlib.util, torch
spec = importlib.util.spec_from_file_location("generated", sys.argv[1])
generated = importlib.util.module_from_spec(spec)
spec.loader.exec_module(generated)
model = getattr(generated, sys.argv[2])().eval()
weights, inputs, expected = torch.load(sys.argv[3], weights_only=True)
model.load_state_dict(weights, strict=True)
result = model(*inputs)
result = result if isinstance(result, tuple) else (result,)
print(all(map(torch.equal, result, expected)) and len(result) == len(expected))
"""


@each_net
def test_the_source_runs_alone(name: str, tmp_path: Path) -> None:
    net, module = network(name), model(name).eval()
    expected = [result.detach() for result in flat(module(*inputs(name)))]
    (tmp_path / "model.py").write_text(net.source(), encoding="utf-8")
    torch.save((module.state_dict(), list(inputs(name)), expected), tmp_path / "data.pt")
    assert python(ALONE, str(tmp_path / "model.py"), type(module).__name__, str(tmp_path / "data.pt")) == "True\n"


def test_the_check_that_the_source_runs_alone_can_fail(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text("import archdsl\n")
    with pytest.raises(AssertionError, match="the source needs archdsl"):
        python(ALONE, str(tmp_path / "model.py"), "Model", "")


WIDE = f"""
## {"A line of a text that goes on. " * 4}It ends
## here.
##
## What is short - stays
## as it is.
block unit(c, {", ".join(f"width_of_the_layer_{number}" for number in range(6))}) {{
{"".join(f"  conv width_of_the_layer_{number} k3 p1" + chr(10) for number in range(6))}  conv c k3 p1
}}
net wide {{
  input 4x8x8
  unit(4, 1, 2, 3, 4, 5, 6) as first -> unit(4, 6, 5, 4, 3, 2, 1) as second
{"".join(f"  second -> relu as what_a_long_name_of_a_result_{number}" + chr(10) for number in range(5))}
  output {", ".join(f"what_a_long_name_of_a_result_{number}" for number in range(5))}
}}
"""


def test_heads_results_and_documentation_are_no_wider_than_a_line() -> None:
    net = archdsl.parse(WIDE)
    source = net.source()
    assert max(map(len, source.splitlines())) <= 120
    assert "    def __init__(\n        self,\n        width_of_the_layer_0: int,\n" in source
    assert "        return WideOutput(\n            what_a_long_name_of_a_result_0,\n" in source
    text = type(net.compile().first).__doc__
    assert text is not None
    long, short = text.split("\n\n")
    assert " ".join(long.split()) == "A line of a text that goes on. " * 4 + "It ends here."
    assert short == "    What is short - stays\n    as it is."
    assert len(net.compile()(torch.zeros(1, 4, 8, 8))) == 5
