"""A first run of a module: what it gives, and what it finds wrong."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import archdsl
from archdsl.torch.trial import best_device, trial

CPU = torch.device("cpu")
NET = "net n {\n  input 3x8x8\n  conv 4 k3 -> bn -> gap -> flatten -> fc 2\n}\n"


class Other(nn.Module):
    """A module that does not do what the spec says."""

    def __init__(self, features: int, *, unused: bool = False) -> None:
        super().__init__()
        self.fc = nn.Linear(3, features)
        self.unused = nn.Linear(1, 1) if unused else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc(x.mean((2, 3)))
        return result


def test_a_right_module_has_no_problems() -> None:
    net = archdsl.parse(NET)
    tried = trial(net.compile(), net.graph, CPU)
    assert tried.problems == ()
    assert tried.outputs == ((2, 2),)
    assert (tried.device, tried.batch) == ("cpu", 2)
    assert tried.forward > 0 < tried.backward


def test_another_shape_is_a_problem() -> None:
    tried = trial(Other(5), archdsl.parse(NET).graph, CPU)
    assert len(tried.problems) == 1
    assert "2x5, where the graph says 2x2" in tried.problems[0]


def test_a_parameter_that_no_gradient_reaches_is_a_problem() -> None:
    tried = trial(Other(2, unused=True), archdsl.parse(NET).graph, CPU)
    assert tried.problems == ("no gradient reaches unused.weight, unused.bias",)


def test_several_inputs_outputs_and_ids() -> None:
    net = archdsl.parse(
        "net n {\n  input words : ids 6 of 11\n  input image : 1x8x8\n"
        "  words -> embedding 3 -> fc 4 as a\n  image -> conv 2 k3 as b\n  output a, b\n}\n"
    )
    assert net.diagnostics == ()
    tried = trial(net.compile(), net.graph, CPU, batch=3)
    assert tried.outputs == ((3, 6, 4), (3, 2, 6, 6))
    assert tried.problems == ()


def test_an_open_size_is_refused() -> None:
    net = archdsl.parse("net n {\n  input 3xHxW\n  conv 4 k3\n}\n")
    with pytest.raises(ValueError, match="open"):
        trial(net.compile(), net.graph, CPU)


def test_the_best_device_is_the_accelerator_if_there_is_one() -> None:
    expected = "cpu" if not torch.accelerator.is_available() else torch.accelerator.current_accelerator().type  # type: ignore[union-attr]
    assert best_device().type == expected
