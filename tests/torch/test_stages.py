"""Stages of training: what a recipe says of them is what a module does, whatever it did before."""

from __future__ import annotations

import copy
from collections.abc import Iterable

import pytest
import torch
from torch import Tensor, nn

import archdsl
from archdsl import ArchError, NotFoundError
from archdsl.network import Network

TEXT = """
default conv bias=no
net outer(classes=5, base=0.1) {
  input 3x16x16
  (conv 4 k3 p1 -> bn -> relu -> dropout 0.1) as stem
  (conv 6 k3 p1 -> bn -> relu) as low
  (conv 8 k3 p1 -> bn -> relu) as deep
  gap -> flatten -> fc classes as head
  recipe {
    ## The head alone.
    warmup epochs=3 bn=frozen { head lr=base }
    tail epochs=5 bn=affine weight_decay=1e-4 lr=base/10 {
      deep
      "head" lr=base weight_decay=0
    }
    whole epochs=2 {
      all lr=base/100
      low freeze=yes
      deep.conv1 lr=base/50
    }
    layers { all lr=base layer_decay=0.5 }
  }
}
"""


@pytest.fixture
def net() -> Network:
    return archdsl.parse(TEXT)


TRAINED = {
    "warmup": {"head.weight", "head.bias"},
    "tail": {"deep.conv1.weight", "deep.bn1.weight", "deep.bn1.bias", "head.weight", "head.bias"},
    "whole": {
        *("stem.conv1.weight", "stem.bn1.weight", "stem.bn1.bias"),
        *("deep.conv1.weight", "deep.bn1.weight", "deep.bn1.bias", "head.weight", "head.bias"),
    },
}
AVERAGED = {
    "warmup": set(),
    "tail": set(),
    "whole": {"stem.bn1", "deep.bn1"},
    "layers": {"stem.bn1", "low.bn1", "deep.bn1"},
}


def steps(model: nn.Module, groups: Iterable[dict[str, object]], seed: int = 1, count: int = 3) -> None:
    torch.manual_seed(seed)
    model.train()
    optimizer = torch.optim.SGD(list(groups), lr=100.0, momentum=0.9)
    for _ in range(count):
        optimizer.zero_grad()
        model(torch.randn(4, 3, 16, 16)).square().mean().backward()
        optimizer.step()


def moved(before: dict[str, Tensor], model: nn.Module) -> set[str]:
    return {name for name, value in model.state_dict().items() if not torch.equal(before[name], value)}


@pytest.mark.parametrize("stage", ["warmup", "tail", "whole"])
def test_what_a_stage_names_trains_and_nothing_else(net: Network, stage: str) -> None:
    model = net.compile()
    groups = net.parameter_groups(stage, model)
    assert {name for name, each in model.named_parameters() if each.requires_grad} == TRAINED[stage]
    before = copy.deepcopy(model.state_dict())
    steps(model, groups)
    statistics = ("running_mean", "running_var", "num_batches_tracked")
    assert moved(before, model) == TRAINED[stage] | {f"{norm}.{s}" for norm in AVERAGED[stage] for s in statistics}


def test_groups_are_those_of_the_recipe(net: Network) -> None:
    model = net.compile()
    named = {id(parameter): name for name, parameter in model.named_parameters()}

    def groups(stage: str) -> list[tuple[object, ...]]:
        return [
            (g["name"], g["lr"], g.get("weight_decay"), {named[id(p)] for p in g["params"]})
            for g in net.parameter_groups(stage, model)
        ]

    deep = {name for name in named.values() if name.startswith("deep.")}
    stem = {name for name in named.values() if name.startswith("stem.")}
    head = {"head.weight", "head.bias"}
    assert groups("warmup") == [("head", 0.1, None, head)]
    assert groups("tail") == [("deep", 0.1 / 10, 1e-4, deep), ("head", 0.1, 0.0, head)]
    conv = {"deep.conv1.weight"}
    whole = ("all", 0.1 / 100, None, stem | (deep - conv) | head)
    assert groups("whole") == [whole, ("deep.conv1", 0.1 / 50, None, conv)]
    assert [(name, rate) for name, rate, *_ in groups("layers")] == [
        ("stem", 0.0125),
        ("low", 0.025),
        ("deep", 0.05),
        ("head", 0.1),
    ]
    for stage in net.stages:
        every = [id(p) for g in net.parameter_groups(stage.number, model) for p in g["params"]]
        assert len(every) == len(set(every)), "no parameter is in two groups"


def test_a_stage_depends_on_nothing_before_it(net: Network) -> None:
    """A run that is resumed in a stage is in the state of one that came through all stages before it."""
    fresh, walked = net.compile(), net.compile()
    walked.load_state_dict(fresh.state_dict())
    for stage in ("layers", "warmup", "whole", "tail"):
        groups = net.parameter_groups(stage, walked)
    again = net.parameter_groups(1, fresh)
    steps(fresh, again, seed=3)
    steps(walked, groups, seed=3)
    for name, value in fresh.state_dict().items():
        assert torch.equal(value, walked.state_dict()[name]), name
    for one, other in zip(fresh.modules(), walked.modules(), strict=True):
        assert one.training == other.training


def test_the_state_of_an_optimizer_fits_when_training_is_resumed(net: Network) -> None:
    model = net.compile()
    optimizer = torch.optim.AdamW(net.parameter_groups("tail", model))
    model(torch.randn(2, 3, 16, 16)).sum().backward()
    optimizer.step()
    other = net.compile()
    resumed = torch.optim.AdamW(net.parameter_groups("tail", other))
    resumed.load_state_dict(optimizer.state_dict())
    first, second = (o.state_dict()["state"] for o in (optimizer, resumed))
    assert all(torch.equal(first[at]["exp_avg"], second[at]["exp_avg"]) for at in first)


@pytest.mark.parametrize("stage", ["warmup", "tail", "whole", "layers"])
def test_reports_and_sources_of_a_stage_agree_with_the_module(net: Network, stage: str) -> None:
    model = net.compile()
    groups = net.parameter_groups(stage, model)
    trainable = sum(p.numel() for p in model.parameters() if p.requires_grad)
    inside = net.at_stage(stage)
    assert inside.report().totals.trainable == trainable == sum(p.numel() for g in groups for p in g["params"])  # type: ignore[attr-defined]
    held = {layer.path for layer in inside.report().layers if layer.frozen}
    assert held == {
        name
        for name, module in model.named_modules()
        if list(module.parameters(recurse=False)) and not any(p.requires_grad for p in module.parameters(recurse=False))
    }
    begun = inside.compile()
    for name, parameter in begun.named_parameters():
        assert parameter.requires_grad == dict(model.named_parameters())[name].requires_grad, name
    for module in (begun, model):
        module.train()
    kept = [{name for name, m in each.named_modules() if not m.training} for each in (begun, model)]
    assert kept[0] == kept[1] == {"stem.bn1", "low.bn1", "deep.bn1"} - AVERAGED[stage]


def test_evaluation_stays_evaluation(net: Network) -> None:
    model = net.compile().eval()
    net.parameter_groups("whole", model)
    assert not any(module.training for module in model.modules())


def test_what_a_network_inside_freezes_stays_frozen() -> None:
    net = archdsl.parse(
        """
net inner {
  input 3x8x8
  conv 4 k3 p1 as one -> bn as norm
  conv 4 k3 p1 as two
}
net outer {
  input 3x8x8
  inner(freeze=[one], bn=affine) as body
  gap -> flatten -> fc 2 as head
  recipe { whole { all lr=1 } }
}
""",
        "outer",
    )
    model = net.compile()
    (group,) = net.parameter_groups("whole", model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    trained = {"body.norm.weight", "body.norm.bias", "body.two.weight", "body.two.bias", "head.weight", "head.bias"}
    assert {names[id(p)] for p in group["params"]} == trained
    assert {name for name, p in model.named_parameters() if p.requires_grad} == trained
    assert not model.train().get_submodule("body.norm").training


def test_shared_layers_are_in_one_group() -> None:
    net = archdsl.parse(
        "net n {\n input 4\n share s = fc 4\n s -> relu -> s\n fc 2 as head\n recipe { go { all lr=1 } }\n}"
    )
    (group,) = net.parameter_groups("go", net.compile())
    assert len(group["params"]) == 4


def test_a_variant_has_a_recipe_of_its_own() -> None:
    net = archdsl.parse(TEXT + "net mine = outer(classes=3, base=2) { recipe { only { head lr=base } } }", "mine")
    assert [stage.name for stage in net.stages] == ["only"]
    assert net.stages[0].groups[0].lr == 2
    assert archdsl.parse(TEXT + "net mine = outer(classes=3)", "mine").stages[0].name == "warmup"


def test_a_stage_that_is_not_there_is_named(net: Network) -> None:
    for stage in ("wramup", 4, -1):
        with pytest.raises(NotFoundError, match="it has 4, from 0 up: warmup, tail, whole, layers"):
            net.stage(stage)
    with pytest.raises(NotFoundError, match="has no recipe"):
        archdsl.load("lenet5").stage(0)


def test_a_module_of_another_network_is_refused_as_it_is(net: Network) -> None:
    other = archdsl.parse(TEXT.partition("  recipe")[0] + "}").compile()
    with pytest.raises(ArchError, match=r"it has no stem\.bn1"):  # its norms cannot keep their statistics
        net.parameter_groups("warmup", other)
    assert all(p.requires_grad for p in other.parameters())
    with pytest.raises(ArchError, match="compile it from this network"):
        net.parameter_groups("warmup", nn.Linear(2, 2))


def test_the_memory_of_a_stage_has_no_gradients_of_what_it_leaves_out(net: Network) -> None:
    training = net.at_stage("warmup").memory(optimizer="adamw").training
    assert training.optimizer == 2 * 4 * (8 * 5 + 5)
    whole = net.at_stage("layers").memory(optimizer="adamw").training
    assert whole.optimizer == 2 * 4 * net.totals.parameters
    assert training.saved < whole.saved
