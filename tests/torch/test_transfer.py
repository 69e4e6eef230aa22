"""Weights of an earlier checkpoint: what fits is taken and nothing else, and the plan says what became of each."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

import archdsl
from archdsl import NotFoundError, WeightsError
from archdsl.analyses.transfer import Plan, Row
from archdsl.network import Network
from archdsl.reports.transfer import render, render_json

OLD = """
net old {
  input 3x16x16
  conv 4 k3 p1 as stem -> bn as norm -> relu
  conv 6 k3 p1 as deep -> relu
  gap -> flatten -> fc 7 as head
}
"""


def changed(*pairs: tuple[str, str]) -> Network:
    text = OLD.replace("net old", "net new")
    for old, new in pairs:
        assert old in text
        text = text.replace(old, new)
    return archdsl.parse(text)


def old_state() -> dict[str, Tensor]:
    torch.manual_seed(1)
    state: dict[str, Tensor] = archdsl.parse(OLD).compile().state_dict()
    for value in state.values():
        if value.is_floating_point():
            value.uniform_(-1, 1)
    state["norm.num_batches_tracked"].fill_(17)
    return state


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """Without a spec."""
    save_file(old_state(), tmp_path / "old.safetensors")
    return tmp_path / "old.safetensors"


@pytest.fixture
def with_spec(tmp_path: Path) -> Path:
    net = archdsl.parse(OLD)
    model = net.compile()
    model.load_state_dict(old_state())
    return net.save(model, tmp_path / "with_spec.safetensors")


def transferred(net: Network, path: Path) -> tuple[Plan, dict[str, Tensor], dict[str, Tensor]]:
    """The plan, and the state before and after."""
    model = net.compile()
    before = copy.deepcopy(model.state_dict())
    plan = net.transfer(model, path)
    return plan, before, model.state_dict()


def test_what_fits_is_kept_and_all_else_stays(checkpoint: Path) -> None:
    plan, before, after = transferred(changed(("fc 7", "fc 5")), checkpoint)
    old = old_state()
    assert plan.of("new") == ("head.weight", "head.bias")
    assert [key for key, _ in plan.unused] == ["head.bias", "head.weight"]
    assert not plan.of("adapted")
    for key, value in after.items():
        assert torch.equal(value, before[key] if key.startswith("head") else old[key]), key
    assert {row.key for row in plan.rows} == after.keys()
    assert Row("new", "head.bias", (5,), "head.bias", (7,)) in plan.rows


@pytest.mark.parametrize("channels", [1, 2, 4, 6])
def test_the_first_convolution_is_adapted_to_other_channels(checkpoint: Path, channels: int) -> None:
    plan, _, after = transferred(changed(("3x16x16", f"{channels}x16x16")), checkpoint)
    assert plan.of("adapted") == ("stem.weight",)
    assert not plan.of("new")
    old = old_state()["stem.weight"]
    if channels == 1:
        torch.testing.assert_close(after["stem.weight"][:, 0], old.sum(1))
    else:
        for number in range(channels):
            torch.testing.assert_close(after["stem.weight"][:, number], old[:, number % 3] * 3 / channels)


def test_other_convolutions_are_not_adapted(checkpoint: Path) -> None:
    """And their biases, though of the same shape, mean nothing without them."""
    plan, before, after = transferred(changed(("conv 4", "conv 5")), checkpoint)
    assert not plan.of("adapted")
    assert "deep.weight" in plan.of("new")
    assert torch.equal(after["deep.weight"], before["deep.weight"])
    assert torch.equal(after["deep.bias"], before["deep.bias"])
    assert "deep.bias" in plan.of("new")
    assert ("deep.bias", (4,)) not in plan.of("kept")


RENAMED = changed(("as stem", "as first"), ("as deep", "as later"))


def test_renamed_layers_are_found_where_the_checkpoint_carries_its_spec(checkpoint: Path, with_spec: Path) -> None:
    plan, _, after = transferred(RENAMED, with_spec)
    old = old_state()
    assert plan.count("kept") == len(old)
    assert not plan.unused
    assert torch.equal(after["first.weight"], old["stem.weight"])
    assert torch.equal(after["later.bias"], old["deep.bias"])
    plan, _, _ = transferred(RENAMED, checkpoint)
    assert plan.of("new") == ("first.weight", "first.bias", "later.weight", "later.bias")


def test_a_renamed_first_convolution_of_other_channels(with_spec: Path) -> None:
    """It is no longer the same layer to a comparison of the two specs, and so it is new; no other takes its place."""
    plan, _, _ = transferred(changed(("as stem", "as first"), ("3x16x16", "4x16x16")), with_spec)
    assert plan.of("new") == ("first.weight", "first.bias")


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
@pytest.mark.parametrize("kind", ["plain", "state_dict"])
def test_what_training_scripts_write(tmp_path: Path, prefix: str, kind: str) -> None:
    state = {prefix + key: value for key, value in old_state().items()}
    torch.save(state if kind == "plain" else {"epoch": 3, "state_dict": state}, tmp_path / "last.pt")
    plan, _, after = transferred(changed(), tmp_path / "last.pt")
    assert plan.count("kept") == len(state)
    assert torch.equal(after["deep.weight"], old_state()["deep.weight"])
    assert plan.rows[0].source == f"{prefix}stem.weight"


def test_a_prefix_that_only_some_names_have_is_part_of_them(tmp_path: Path) -> None:
    state = {("model." if key.startswith("deep") else "") + key: value for key, value in old_state().items()}
    torch.save(state, tmp_path / "last.pt")
    plan, _, _ = transferred(changed(), tmp_path / "last.pt")
    assert plan.of("new") == ("deep.weight", "deep.bias")


def test_precision_is_the_modules(checkpoint: Path) -> None:
    net = changed()
    model = net.compile().double()
    net.transfer(model, checkpoint)
    assert model.deep.weight.dtype == torch.float64
    assert torch.equal(model.deep.weight, old_state()["deep.weight"].double())


def test_a_count_of_batches_alone_fits_nothing(checkpoint: Path) -> None:
    net = archdsl.parse("net other {\n  input 3x8x8\n  conv 5 -> bn as norm\n}")
    with pytest.raises(WeightsError, match="nothing in"):
        net.transfer(net.compile(), checkpoint)


def test_a_network_inside_takes_a_checkpoint_of_it_alone(tmp_path: Path) -> None:
    body = archdsl.load("resnet18", input="3x64x64").compile()
    torch.save(body.state_dict(), tmp_path / "r18.pth")
    text = (
        "net outer {\n  input 3x64x64\n  pretrained resnet18(until=layer4) as body\n  gap -> flatten -> fc 5 as head\n}"
    )
    net = archdsl.parse(text)
    model = net.compile(weights=False)
    plan = net.transfer(model, tmp_path / "r18.pth")
    assert plan.of("new") == ("head.weight", "head.bias")
    assert [key for key, _ in plan.unused] == ["fc.weight", "fc.bias"]
    for key, value in model.body.state_dict().items():
        assert torch.equal(value, body.state_dict()[key]), key


def test_what_is_no_plain_tensor_or_of_another_kind(tmp_path: Path) -> None:
    net = archdsl.parse(OLD)
    state = old_state()
    for odd, said in (
        (torch.eye(4).to_sparse(), "holds stem.bias, which is no plain tensor"),
        (torch.zeros(4, device="meta"), "holds stem.bias, which is no plain tensor"),
    ):
        torch.save({**state, "stem.bias": odd}, tmp_path / "odd.pt")
        with pytest.raises(WeightsError, match=said):
            net.transfer(net.compile(), tmp_path / "odd.pt")
    torch.save({**state, "stem.bias": torch.ones(4, dtype=torch.int8)}, tmp_path / "odd.pt")
    model = net.compile()
    before = model.stem.bias.clone()
    assert net.transfer(model, tmp_path / "odd.pt").of("new") == ("stem.bias",)
    assert torch.equal(model.stem.bias, before)
    with pytest.raises(WeightsError, match=r"stem\.bias: float32 in the network, int8 in the file"):
        net.filled(tmp_path / "odd.pt")
    torch.save({**state, "x" * 1000: torch.ones(1)}, tmp_path / "odd.pt")
    with pytest.raises(WeightsError, match="whose name has 1,000 characters"):
        net.transfer(model, tmp_path / "odd.pt")


def test_a_compressed_archive_is_not_unpacked(tmp_path: Path) -> None:
    """torch compresses nothing; a megabyte of zeros may otherwise become a gigabyte."""
    torch.save(old_state(), tmp_path / "plain.pt")
    with ZipFile(tmp_path / "plain.pt") as plain, ZipFile(tmp_path / "small.pt", "w", ZIP_DEFLATED) as small:
        for each in plain.infolist():
            small.writestr(each.filename, plain.read(each))
    net = archdsl.parse(OLD)
    with pytest.raises(WeightsError, match="is compressed, as torch never writes it"):
        net.transfer(net.compile(), tmp_path / "small.pt")


def test_numbers_that_share_memory_are_trained_apart(tmp_path: Path) -> None:
    state = old_state()
    state["stem.weight"] = torch.ones(1).expand(4, 3, 3, 3)
    torch.save(state, tmp_path / "shared.pt")
    (tmp_path / "inner.arch").write_text(OLD)
    use = 'use old from "inner.arch"\nnet outer {\n  input 3x16x16\n  old(weights="file:shared.pt") as body\n}'
    (tmp_path / "outer.arch").write_text(use)
    for model in (archdsl.load(tmp_path / "outer.arch").compile(), archdsl.parse(OLD).filled(tmp_path / "shared.pt")):
        model.train()
        model(torch.randn(2, 3, 16, 16)).sum().backward()
        torch.optim.SGD(model.parameters(), 0.1).step()


def test_where_nothing_fits_it_is_an_error_and_nothing_changes(checkpoint: Path, tmp_path: Path) -> None:
    net = archdsl.parse("net other {\n  input 4\n  fc 3\n}")
    model = net.compile()
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(WeightsError, match=r"nothing in old\.safetensors fits other"):
        net.transfer(model, checkpoint)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    with pytest.raises(NotFoundError, match="no such file"):
        net.transfer(model, tmp_path / "none.pt")
    (tmp_path / "noise.pt").write_bytes(b"noise")
    with pytest.raises(WeightsError, match="holds no weights") as problem:
        net.transfer(model, tmp_path / "noise.pt")
    assert "weights_only" not in str(problem.value)


def test_a_checkpoint_whose_spec_has_errors_by_now_is_taken_by_name(with_spec: Path) -> None:
    from safetensors import safe_open

    with safe_open(with_spec, "pt") as file:  # type: ignore[no-untyped-call]
        data = json.loads(file.metadata()["archdsl"])
    data["files"][0]["text"] = OLD.replace("relu", "rlu")
    save_file(old_state(), with_spec, metadata={"archdsl": json.dumps(data)})
    plan, _, _ = transferred(RENAMED, with_spec)
    assert plan.count("kept") == len(plan.rows) - 4


def test_a_module_of_several_uses_and_several_inputs(tmp_path: Path) -> None:
    net = archdsl.load("examples/siamese.arch")
    model = net.compile()
    save_file({key: value + 1 for key, value in model.state_dict().items()}, tmp_path / "a.safetensors")
    before = copy.deepcopy(model.state_dict())
    plan = net.transfer(model, tmp_path / "a.safetensors")
    assert plan.count("kept") == len(before)
    assert all(torch.equal(value, before[key] + 1) for key, value in model.state_dict().items())


# ---------------------------------------------------------------- as text

PLAN = Plan(
    "new\x1b",
    "old.pt",
    (
        Row("kept", "a.weight", (2, 2), "a.weight", (2, 2)),
        Row("kept", "b.weight", (2, 3), "c.weight", (2, 3)),
        Row("adapted", "stem.weight", (4, 1, 3, 3), "stem.weight", (4, 3, 3, 3)),
        Row("new", "head.weight", (5, 2), "head.weight", (7, 2)),
        Row("new", "[bold]x", (5,), None, None),
    ),
    (("head.weight", (7, 2)), ("other", ())),
)


def test_the_plan_for_people() -> None:
    text = render(PLAN, width=100)
    rows = [line.split() for line in text.splitlines()]
    assert ["kept", "b.weight", "2x3", "c.weight", "2x3"] in rows
    assert ["adapted", "stem.weight", "4x1x3x3", "4x3x3x3"] in rows
    assert ["new", "head.weight", "5x2", "7x2"] in rows
    assert ["new", "[bold]x", "5", "nothing"] in rows
    assert any(row[:3] == ["unused", "other", "nothing"] for row in rows)
    assert not any("a.weight" in row for row in rows)
    assert "2 kept, 1 adapted, 2 new, 2 of the checkpoint unused" in text
    assert "\x1b" not in text


def test_a_long_plan_is_cut() -> None:
    rows = tuple(Row("new", f"layer{n}.weight", (n,), None, None) for n in range(100))
    text = render(Plan("new", "old.pt", rows, ()), width=100)
    assert "layer39.weight" in text
    assert "layer40.weight" not in text
    assert "and 60 lines more" in text


def test_the_plan_as_data() -> None:
    data = json.loads(render_json(PLAN))
    assert [row["what"] for row in data["tensors"]] == ["kept", "kept", "adapted", "new", "new"]
    assert data["tensors"][1] == {
        "what": "kept",
        "key": "b.weight",
        "shape": [2, 3],
        "source": "c.weight",
        "source_shape": [2, 3],
    }
    assert data["unused"] == [{"key": "head.weight", "shape": [7, 2]}, {"key": "other", "shape": []}]


def test_nothing_to_tell_is_one_line() -> None:
    plan = Plan("new", "old.pt", PLAN.rows[:1], ())
    assert render(plan, width=100) == "old.pt -> new: 1 kept\n"


def test_a_model_is_no_network(checkpoint: Path) -> None:
    with pytest.raises(WeightsError, match="nothing in"):
        archdsl.parse(OLD).transfer(nn.Linear(2, 2), checkpoint)
