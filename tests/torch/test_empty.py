"""Modules that are made on `meta` and take their tensors as they are, where all of them are given."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import archdsl
from archdsl import WeightsError
from archdsl.lowering.program import Program
from archdsl.network import Network
from archdsl.torch.execute import build, complete, empty, filled
from tests.torch.small import SMALL, images, lived_in, small


def whole(folder: Path, line: str, rest: str = "relu") -> Network:
    """A network that is nothing but another with weights, in a file beside these."""
    text = f"{SMALL}\nnet outer {{\n  input 3x16x16\n  {line} as body\n  {rest}\n}}\n"
    (folder / "spec.arch").write_text(text, encoding="utf-8")
    return archdsl.load(folder / "spec.arch", "outer")


@pytest.fixture
def weights(tmp_path: Path) -> dict[str, Tensor]:
    state = {key: value.contiguous() for key, value in lived_in(small().compile()).state_dict().items()}
    save_file(state, tmp_path / "small.safetensors")
    return state


def drawn(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is drawn at random from now on, outside `meta`."""
    seen: list[str] = []
    usual = nn.init.kaiming_uniform_

    def counted(tensor: Tensor, *arguments: object, **options: object) -> Tensor:
        if not tensor.is_meta:
            seen.append(str(tuple(tensor.shape)))
        return usual(tensor, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(nn.init, "kaiming_uniform_", counted)
    return seen


def test_an_empty_module_has_the_shapes_of_a_full_one() -> None:
    program = small().program
    made = empty(program)
    assert all(tensor.is_meta for tensor in made.state_dict().values())
    shapes = {key: (value.shape, value.dtype) for key, value in made.state_dict().items()}
    assert shapes == {key: (value.shape, value.dtype) for key, value in build(program).state_dict().items()}


def test_it_holds_the_very_tensors_that_it_is_given() -> None:
    state = small().compile().state_dict()
    module = filled(small().program, state)
    assert all(value.data_ptr() == state[key].data_ptr() for key, value in module.state_dict().items())
    assert all(isinstance(parameter, nn.Parameter) and parameter.requires_grad for parameter in module.parameters())


def test_a_whole_network_with_weights_draws_nothing(
    tmp_path: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = whole(tmp_path, 'small(weights="file:small.safetensors")')
    seen = drawn(monkeypatch)
    module = net.compile()
    assert seen == []
    for key, value in weights.items():
        assert torch.equal(module.body.state_dict()[key], value)
    assert module.training
    module(images()).sum().backward()
    net.compile(weights=False)
    assert seen


def test_a_head_of_ones_own_is_drawn(
    tmp_path: Path, weights: dict[str, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    net = whole(tmp_path, 'small(weights="file:small.safetensors")', "fc 3 as own")
    seen = drawn(monkeypatch)
    module = net.compile()
    assert seen
    assert not any(parameter.is_meta for parameter in module.parameters())
    assert torch.equal(module.body.fc1.weight, weights["fc1.weight"])


def test_what_is_frozen_stays_frozen(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    net = whole(tmp_path, 'small(weights="file:small.safetensors", freeze=[conv1, bn1, unit1], bn=affine)')
    found, expected = net.compile(), net.compile(weights=False)
    assert [p.requires_grad for p in found.parameters()] == [p.requires_grad for p in expected.parameters()]
    assert not all(p.requires_grad for p in found.parameters())
    before = found.body.bn1.running_mean.clone()
    found.train()(images())
    assert torch.equal(found.body.bn1.running_mean, before)


def test_other_types_and_shared_memory_in_a_file_do_not_matter(tmp_path: Path) -> None:
    state = {key: value for key, value in small().compile().state_dict().items() if "num_batches" not in key}
    state["unit3.bn1.weight"] = state["unit2.bn2.weight"]
    state["fc1.weight"] = state["fc1.weight"].half()
    torch.save(state, tmp_path / "small.pth")
    module = whole(tmp_path, 'small(weights="file:small.pth")').compile()
    assert module.body.fc1.weight.dtype == torch.float32
    assert module.body.bn1.num_batches_tracked.dtype == torch.int64
    assert module.body.bn1.num_batches_tracked == 0
    with torch.no_grad():
        module.body.unit3.bn1.weight.zero_()
    assert torch.equal(module.body.unit2.bn2.weight, state["unit2.bn2.weight"])


def test_a_file_that_does_not_fit_is_an_error_as_before(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    del weights["fc1.bias"]
    save_file(weights, tmp_path / "small.safetensors")
    with pytest.raises(WeightsError, match=r"fc1\.bias: 5 here, nothing in the file"):
        whole(tmp_path, 'small(weights="file:small.safetensors")').compile()


def test_buffers_that_no_state_has_are_made() -> None:
    program = small().program
    module = empty(program)
    state = build(program).state_dict()
    module.register_buffer("table", torch.empty(3, device="meta"), persistent=False)
    module.load_state_dict(state, assign=True)

    before = "        super().__init__()\n        self.conv1 = nn.Conv2d(3, 8"
    line = "\n        self.register_buffer('table', torch.arange(3.0), persistent=False)"
    text = program.text.replace(before, before.replace("\n", f"{line}\n")).replace(
        "from torch", "import torch\nfrom torch"
    )
    assert text.count("'table'") == 1
    assert torch.equal(complete(module, Program(text, program.class_name)).table, torch.arange(3.0))
