"""What `compile()` is asked for beyond the plain module: types, memory formats, devices, compilers, presets."""

from __future__ import annotations

import copy
import pickle
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from typer.testing import CliRunner

import archdsl
from archdsl import ArchError, WeightsError
from archdsl.cli.app import app
from archdsl.cli.options import PRESETS as OPTIONS
from archdsl.lowering.modes import PRESETS, Settings, settings
from archdsl.torch.vision import import_torchvision
from tests.torch.small import distance, images, lived_in, small

torchvision = import_torchvision()

EVERY: list[dict[str, Any]] = [
    {},
    {"dtype": "autocast"},
    {"dtype": "bfloat16"},
    {"dtype": "float16"},
    {"memory_format": "channels_last"},
    {"checkpoint": True},
    {"fold": True, "dtype": "bfloat16", "memory_format": "channels_last"},
    {"checkpoint": True, "dtype": "autocast", "memory_format": "channels_last"},
]


def text_of(settings: dict[str, Any]) -> str:
    return "-".join(map(str, settings.values())) or "plain"


every = pytest.mark.parametrize("how", EVERY, ids=text_of)


def operators(module: nn.Module, x: Tensor) -> list[str]:
    seen = []

    class Look(TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, arguments=(), options=None):  # type: ignore[no-untyped-def]
            seen.append(str(operator))
            return operator(*arguments, **(options or {}))

    with Look(), torch.no_grad():
        module(x)
    return seen


def in_place(names: list[str]) -> list[str]:
    """Operators by one name, whether they overwrite or not."""
    return [name.replace("_.", ".") for name in names]


# ---------------------------------------------------------------- all of them


@every
def test_the_names_and_shapes_of_the_state_stay(how: dict[str, Any]) -> None:
    plain, found = small().compile(), small().compile(**how)
    left = {key: value.shape for key, value in plain.state_dict().items() if not how.get("fold") or ".bn" not in key}
    shapes = {key: value.shape for key, value in found.state_dict().items()}
    if how.get("fold"):
        left = {key: shape for key, shape in left.items() if not key.startswith("bn")}
        assert left.items() <= shapes.items()
    else:
        assert shapes == left
        assert [name for name, _ in plain.named_modules()] == [name for name, _ in found.named_modules()]


@every
def test_it_is_copied_pickled_and_exported(how: dict[str, Any]) -> None:
    x = images()
    module = small().compile(lived_in(small().compile()), **how).eval()
    expected = module(x)
    assert torch.equal(copy.deepcopy(module)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(module))(x), expected)
    assert distance(torch.export.export(module, (x,)).module()(x), expected) < 1e-6


@every
def test_the_whole_graph_can_be_captured(how: dict[str, Any]) -> None:
    torch.compiler.reset()
    x = images()
    module = small().compile(lived_in(small().compile()), **how).eval()
    expected = module(x)
    module.compile(fullgraph=True, backend="aot_eager")
    assert distance(module(x), expected) < (1e-5 if "dtype" not in how else 2e-2)


@every
def test_results_are_float32_whatever_flows_in(how: dict[str, Any]) -> None:
    module = small().compile(**how).eval()
    assert module(images()).dtype == torch.float32
    assert module(x=images()).dtype == torch.float32
    if "dtype" in how and how["dtype"] != "autocast":
        assert module(images().to(getattr(torch, how["dtype"]))).dtype == torch.float32


def test_without_arguments_it_is_the_module_that_it_was() -> None:
    torch.manual_seed(0)
    first = small().compile()
    torch.manual_seed(0)
    second = small().compile(
        device="cpu", dtype="float32", memory_format="contiguous", mode="eager", fold=False, checkpoint=False
    )
    assert type(first) is type(second)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert first.training
    assert first._compiled_call_impl is None


# ---------------------------------------------------------------- types


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_weights_are_rounded_to_the_type_and_statistics_are_not(dtype: str) -> None:
    module = lived_in(small().compile())
    found = small().compile(module, dtype=dtype)
    kind = getattr(torch, dtype)
    for (name, ours), theirs in zip(found.state_dict().items(), module.state_dict().values(), strict=True):
        expected = theirs if "bn" in name else theirs.to(kind)
        assert ours.dtype == expected.dtype, name
        assert torch.equal(ours, expected), name


@pytest.mark.parametrize(("dtype", "most"), [("autocast", 2e-2), ("bfloat16", 2e-2), ("float16", 3e-3)])
def test_a_result_is_off_by_some_roundings_of_the_type(dtype: str, most: float) -> None:
    """bfloat16 has 8 significant bits, so that one rounding is off by up to 2**-9; float16 has 11."""
    module = lived_in(small().compile()).eval()
    with torch.no_grad():
        off = distance(small().compile(module, dtype=dtype).eval()(images()), module(images()))
    assert 1e-5 < off < most


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v2", "vit_b_16"])
def test_what_each_changes(name: str) -> None:
    """The bounds of docs/gpu.md, against float64."""
    net = archdsl.load(name, input="3x64x64")
    torch.manual_seed(0)
    module = lived_in(net.compile()).eval()
    if name == "vit_b_16":  # whose last layer begins with zeros
        nn.init.normal_(module.heads.head.weight, std=0.02)
    x = images(2, 3, 64, 64)
    with torch.no_grad():
        expected = copy.deepcopy(module).double()(x.double())
        for how, most in (
            ({}, 5e-6),
            ({"memory_format": "channels_last"}, 5e-6),
            ({"fold": True}, 5e-6),
            ({"dtype": "float16"}, 3e-3),
            ({"dtype": "bfloat16"}, 2e-2),
            ({"dtype": "autocast"}, 2e-2),
        ):
            found = net.compile(module, **how).eval()(x)  # type: ignore[arg-type]
            assert 0 < distance(found, expected) < most, how


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("conv 4 k3 -> bn", (2, 9)),
        ("conv 4 k3 -> bn", (2, 5, 5, 5)),
        ("fc 6 -> bn", (4,)),
        ("conv 4 k3 -> bn affine=no", (2, 9, 9)),
        ("conv 4 k3 -> instancenorm track=yes affine=yes", (2, 9, 9)),
        ("conv 4 k3 -> groupnorm 2", (2, 9, 9)),
        ("conv 4 k3 -> layernorm", (2, 9, 9)),
        ("conv 4 k3 -> bn track=no", (2, 9, 9)),
    ],
)
def test_norms_of_all_kinds_take_values_in_half(body: str, shape: tuple[int, ...], dtype: str) -> None:
    net = archdsl.parse(f"net n {{\n  input {'x'.join(map(str, shape))}\n  {body}\n}}")
    assert net.ok
    module = lived_in(net.compile())
    found = net.compile(module, dtype=dtype)
    x = images(8, *shape)
    for training in (True, False):
        assert distance(found.train(training)(x), module.train(training)(x)) < 3e-2
    found.train()(x).square().mean().backward()
    assert all(parameter.grad is not None for parameter in found.parameters())


def test_autocast_is_torchs_own() -> None:
    module = lived_in(small().compile()).eval()
    with torch.no_grad():
        found = small().compile(module, dtype="autocast").eval()(images())
        with torch.autocast("cpu", torch.bfloat16):
            expected = module(images())
    assert torch.equal(found, expected.float())


def test_a_step_under_autocast_is_torchs_own() -> None:
    module = lived_in(small().compile())
    found = small().compile(module, dtype="autocast")
    torch.manual_seed(3)
    with torch.autocast("cpu", torch.bfloat16):
        result = module(images())
    result.float().square().mean().backward()
    torch.manual_seed(3)
    found(images()).square().mean().backward()
    for (name, ours), theirs in zip(found.named_parameters(), module.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert ours.grad is not None
        assert theirs.grad is not None
        assert torch.equal(ours.grad, theirs.grad), name


def test_several_results_and_whole_numbers() -> None:
    net = archdsl.parse(
        "net n {\n  input words : ids 6 of 11\n  input image : 1x8x8\n"
        "  words -> embedding 3 -> fc 4 as a\n  image -> conv 2 k3 as b\n  b -> relu as c\n"
        "  output a, b\n  output c when training\n}\n"
    )
    words, image = torch.randint(11, (2, 6)), torch.randn(2, 1, 8, 8)
    plain = net.compile()
    for dtype in ("autocast", "bfloat16"):
        module = net.compile(plain, dtype=dtype)
        for mode in (True, False):
            ours, theirs = module.train(mode)(words, image), plain.train(mode)(words, image)
            assert ours._fields == theirs._fields
            for one, other in zip(ours, theirs, strict=True):
                assert (one is None) is (other is None)
                if one is not None:
                    assert one.dtype == torch.float32
                    assert distance(one, other) < 2e-2


@pytest.mark.parametrize("name", ["resnet18", "efficientnet_b0"])
def test_in_bfloat16_torchvisions_operators_run_and_one_conversion(name: str) -> None:
    theirs = getattr(torchvision.models, name)()
    ours = archdsl.load(name, input="3x32x32").compile(theirs, dtype="bfloat16").eval()
    seen = operators(ours, images(1, 3, 32, 32).bfloat16())
    expected = operators(theirs.eval().bfloat16(), images(1, 3, 32, 32).bfloat16())
    assert seen[-1] == "aten._to_copy.default"
    assert Counter(in_place(seen[:-1])) == Counter(in_place(expected))


# ---------------------------------------------------------------- memory formats


def test_channels_last_reaches_the_last_map() -> None:
    found = []
    module = small().compile(memory_format="channels_last").eval()
    module.unit3.register_forward_hook(lambda module, inputs, result: found.append(result))
    module(images())
    assert found[0].is_contiguous(memory_format=torch.channels_last)
    assert not found[0].is_contiguous()


def test_channels_last_has_the_strides_that_torch_gives() -> None:
    """Also where one channel or one place makes several orders the same: what torch chooses is faster there."""
    net = archdsl.parse("net n {\n  input 8x9x9\n  conv 8 k3 g=8 -> conv 4 k1 -> upconv 4 k2 s2 g=4 -> conv 1 k3\n}")
    ours = net.compile(memory_format="channels_last")
    theirs = net.compile().to(memory_format=torch.channels_last)
    assert [p.stride() for p in ours.parameters()] == [p.stride() for p in theirs.parameters()]
    assert [p.stride() for p in ours.parameters()] != [p.stride() for p in net.compile().parameters()]


def test_channels_last_of_volumes_and_of_lines() -> None:
    volumes = archdsl.parse("net n {\n  input 2x6x6x6\n  conv 3 k3 -> bn -> relu\n}").compile(
        memory_format=torch.channels_last
    )
    assert volumes(images(2, 2, 6, 6, 6)).is_contiguous(memory_format=torch.channels_last_3d)
    lines = archdsl.parse("net n {\n  input 2x9\n  conv 3 k3 -> bn -> relu\n}").compile(memory_format="channels_last")
    assert lines(images(2, 2, 9)).is_contiguous()


def test_channels_last_changes_the_order_of_sums_only() -> None:
    module = lived_in(small().compile()).eval()
    with torch.no_grad():
        assert (
            distance(small().compile(module, memory_format="channels_last").eval()(images()), module(images())) < 1e-5
        )


# ---------------------------------------------------------------- the compiler


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, about itself
def test_a_compiled_module_gives_what_the_plain_one_gives() -> None:
    net = archdsl.parse("net n {\n  input 3x8x8\n  conv 4 k3 -> bn -> relu -> gap -> flatten -> fc 2\n}")
    torch.compiler.reset()
    plain = lived_in(net.compile())
    module = net.compile(plain, mode="default")
    assert list(module.state_dict()) == list(plain.state_dict())
    x = images(4, 3, 8, 8)
    assert distance(module(x), plain(x)) < 1e-5
    for key, value in plain.state_dict().items():
        assert torch.allclose(module.state_dict()[key], value, atol=1e-6), key
    assert pickle.loads(pickle.dumps(module))._compiled_call_impl is None


# ---------------------------------------------------------------- devices


def test_a_module_on_meta_has_shapes_and_no_numbers() -> None:
    module = small().compile(device="meta")
    assert all(parameter.is_meta for parameter in module.parameters())
    assert all(buffer.is_meta for buffer in module.buffers())
    assert {k: v.shape for k, v in module.state_dict().items()} == {
        k: v.shape for k, v in small().compile().state_dict().items()
    }


@pytest.mark.parametrize("name", ["fold", "checkpoint"])
def test_yes_and_no_are_pythons(name: str) -> None:
    with pytest.raises(ArchError, match=f"{name}='no' means nothing here; write True or False"):
        small().compile(**{name: "no"})  # type: ignore[arg-type]


def test_gpu_is_cuda_to_torch() -> None:
    with pytest.raises(ArchError, match="did you mean 'cuda'"):
        small().compile(device="gpu")


def test_a_device_that_is_not_there_is_an_error_in_words() -> None:
    missing = "cuda" if not torch.cuda.is_available() else "xpu"
    with pytest.raises(ArchError, match=f"cannot be put on {missing}: "):
        small().compile(device=missing)


# ---------------------------------------------------------------- words


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"dtype": "bfloat"}, "dtype='bfloat' means nothing here; did you mean 'bfloat16'?"),
        ({"dtype": torch.int8}, "dtype='int8' means nothing here; choose from 'float32', 'autocast', "),
        ({"memory_format": "channels-last"}, "did you mean 'channels_last'?"),
        ({"mode": "reduce_overhead"}, "did you mean 'reduce-overhead'?"),
        ({"preset": "train"}, "did you mean 'training'?"),
        ({"device": "cudo"}, "device='cudo' means nothing here; did you mean 'cuda'?"),
        ({"fold": True, "checkpoint": True}, "checkpoint=True and fold=True do not go together"),
        ({"preset": "inference", "fold": False, "checkpoint": True}, 'preset="inference" do not go together'),
    ],
)
def test_a_word_that_means_nothing_is_an_error_with_the_right_one(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchError) as problem:
        small().compile(**given)
    assert message in str(problem.value)


def test_the_source_refuses_them_too() -> None:
    with pytest.raises(ArchError, match="did you mean 'autocast'"):
        small().source(dtype="autocasts")


def test_torchs_own_names_are_the_words() -> None:
    module = small().compile(dtype=torch.bfloat16, memory_format=torch.channels_last)
    assert type(module) is type(small().compile(dtype="bfloat16"))


# ---------------------------------------------------------------- presets


def test_the_presets_on_an_accelerator() -> None:
    cuda = {"device": "cuda"}
    assert settings(cuda, "training", fast=True) == Settings("cuda", "autocast", "channels_last", "default")
    assert settings(cuda, "inference", fast=True) == Settings(
        "cuda", "bfloat16", "channels_last", "default", fold=True, inference=True
    )


def test_an_argument_goes_before_its_preset() -> None:
    given = {"device": "cuda", "dtype": "float32", "mode": "eager", "fold": False}
    assert settings(given, "inference", fast=True) == Settings("cuda", memory_format="channels_last", inference=True)


def test_the_presets_on_a_cpu() -> None:
    training, inference = (small().compile(preset=preset, device="cpu") for preset in PRESETS)
    assert type(training) is type(small().compile())
    assert training.training
    assert not inference.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in inference.modules())
    assert not any(parameter.requires_grad for parameter in inference.parameters())


def test_the_command_lines_words_are_the_presets() -> None:
    assert OPTIONS == PRESETS


def test_build_runs_a_module_as_a_preset_says(tmp_path: Path) -> None:
    (tmp_path / "a.arch").write_text("net a {\n  input 3x8x8\n  conv 4 k3 -> bn -> gap -> flatten -> fc 2\n}\n")
    for preset, backward in (("training", True), ("inference", False)):
        arguments = ["build", str(tmp_path / "a.arch"), "-o", str(tmp_path / "out"), "--preset", preset]
        with warnings.catch_warnings():
            result = CliRunner().invoke(app, arguments)
        assert result.exit_code == 0, result.output
        assert "output 2x2" in result.output
        assert ("backward" in result.output) is backward


# ---------------------------------------------------------------- weights of another module


def test_weights_are_copied_from_a_module_or_its_state() -> None:
    module = lived_in(small().compile())
    for given in (module, module.state_dict()):
        found = small().compile(given)
        for key, value in found.state_dict().items():
            assert torch.equal(value, module.state_dict()[key])
            assert value.data_ptr() != module.state_dict()[key].data_ptr()
        assert all(parameter.requires_grad for parameter in found.parameters())


def test_weights_of_another_type_are_converted() -> None:
    module = small().compile().double()
    found = small().compile(module)
    assert {value.dtype for value in found.state_dict().values()} == {torch.float32, torch.int64}


def test_weights_of_another_network_are_an_error_that_lists_them() -> None:
    state = dict(small().compile().state_dict())
    state["fc1.weight"] = state["fc1.weight"][:3]
    state["more"] = state.pop("fc1.bias")
    with pytest.raises(WeightsError) as problem:
        small().compile(state)
    assert str(problem.value).splitlines() == [
        "the weights are not those of this network:",
        "  fc1.bias: 5 here, nothing among the weights",
        "  more: nothing here, 5 among the weights",
        "  fc1.weight: 5x16 here, 3x16 among the weights",
    ]
