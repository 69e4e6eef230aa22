"""Random networks: the linter copes with each, and what it says of weights is what torch's gradients say."""

from __future__ import annotations

from collections import Counter
from random import Random

import torch

import archdsl
from archdsl.linter.lint import findings, fixable, fixed
from archdsl.linter.model import Options
from archdsl.syntax.printer import print_tree
from tests.differential.generate import generate

from .helpers import ALL

COUNT = 500


def networks() -> list[archdsl.Network]:
    """Networks without errors, the same in every run."""
    found = []
    for seed in range(COUNT):
        network = archdsl.parse(print_tree(generate(Random(seed))))
        if network.ok:
            found.append(network)
    return found


def gradients(network: archdsl.Network) -> dict[str, torch.Tensor] | None:
    """The gradients of a random sum of the results in training; None of a network that torch cannot train so."""
    tensors = [port.tensor for port in network.graph.inputs]
    if not all(isinstance(size, int) for tensor in tensors for size in tensor.dims):
        return None
    torch.manual_seed(0)
    module = network.compile().double().train()
    inputs = [
        torch.randint(0, tensor.vocabulary, (3, *tensor.dims))
        if tensor.vocabulary
        else torch.randn(3, *tensor.dims, dtype=torch.float64)
        for tensor in tensors
    ]
    results = module(*inputs)
    results = results if isinstance(results, tuple) else (results,)
    loss = sum((result * torch.randn_like(result)).sum() for result in results)
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad or not torch.isfinite(loss):
        return None
    loss.backward()
    return {name: p.grad for name, p in module.named_parameters() if p.grad is not None}


def test_what_is_said_of_weights_holds_for_random_networks() -> None:
    seen: Counter[str] = Counter()
    for network in networks():
        looked = network.looked_at(ALL, Options())
        found = findings([looked])
        seen.update(finding.code for finding in found)
        text = network.module.source.text
        assert archdsl.parse(fixed(text, fixable(found))).ok
        idle = [hit for hit in looked.hits if hit.rule in ("bias-before-norm", "unused-taps")]
        known = gradients(network) if idle else None
        for hit in idle if known is not None else ():
            weight, bias = (known.get(f"{hit.path}.{name}") for name in ("weight", "bias"))
            if weight is None:
                continue
            seen["judged"] += 1
            if hit.rule == "unused-taps":
                wasted = int(hit.finding.notes[0].split()[1].replace(",", ""))
                assert int((weight == 0).sum()) >= wasted, text
            else:
                assert bias is not None
                assert bias.abs().max() <= 1e-7 * max(1.0, float(weight.abs().max())), text
    assert seen["judged"] > 5
    assert len(seen) > 8, "most rules find something"
