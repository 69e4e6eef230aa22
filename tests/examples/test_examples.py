"""The files of examples/ are clean, compile, run, and the training loop learns."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

import archdsl
from archdsl.layers.tensor import Tensor

EXAMPLES = Path(__file__).parents[2] / "examples"
SPECS = sorted(EXAMPLES.glob("*.arch"))
OPEN_SIZE = 24
"""What stands for a size that a spec leaves open."""


def test_there_are_examples() -> None:
    assert len(SPECS) >= 5


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_an_example_is_clean_and_runs(path: Path) -> None:
    networks = archdsl.networks(path)
    assert networks
    for net in networks:
        assert [str(finding) for finding in net.diagnostics] == []
        inputs = []
        shapes_in = {}
        for port in net.graph.inputs:
            sizes = [size if isinstance(size, int) else OPEN_SIZE for size in port.tensor.dims]
            shapes_in[port.name] = Tensor(port.tensor.kind, tuple(sizes), port.tensor.vocabulary)
            vocabulary = port.tensor.vocabulary
            inputs.append(torch.randint(vocabulary, (2, *sizes)) if vocabulary else torch.randn(2, *sizes))
        model = net.compile(weights=False)
        outputs = model(*inputs)  # a module begins in training mode, so that all outputs are there
        shapes = [tuple(each.shape) for each in ([outputs] if isinstance(outputs, torch.Tensor) else outputs)]
        assert shapes == [(2, *port.shape) for port in net.at(shapes_in).report().outputs]
        assert sum(parameter.numel() for parameter in model.parameters()) == net.report().totals.parameters


def test_the_training_loop_learns() -> None:
    losses = runpy.run_path(str(EXAMPLES / "train.py"))["train"](steps=6, batch=8, unseen=8)
    assert losses[-1] < 0.8 * losses[0]


def test_fine_tuning_goes_through_its_stages_and_resumes(capsys: pytest.CaptureFixture[str]) -> None:
    train = runpy.run_path(str(EXAMPLES / "finetune.py"))["train"]
    model = train(batches=1)
    assert [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()] == ["warmup", "deepest", "whole"]
    train(first=2, batches=1, model=model)
    assert all(parameter.requires_grad for parameter in model.parameters())
