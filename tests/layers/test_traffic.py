"""What a layer reads and writes, against torch: the tensors that flow in and out, and those that it holds."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from archdsl.layers.base import Traffic

from .examples import Example
from .test_against_torch import build, each_example, values

BATCH = 2


def numbers(tensors: list[torch.Tensor], whole: bool) -> int:
    return sum(x.numel() for x in tensors if x.is_floating_point() is not whole)


@each_example()
def test_traffic_is_that_of_the_tensors(example: Example) -> None:
    """An input counts if its values have a say; what is handed on, as it is or as a view, counts nothing."""
    layer, tensors = example
    module, inputs = build(layer, tensors), values(tensors, BATCH)
    held: list[torch.Tensor] = []
    if isinstance(module, nn.Module):
        module.eval()
        held = [x for name, x in module.state_dict().items() if not name.endswith("num_batches_tracked")]
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.uniform_(0.5, 1)  # one of zeros would hide what flows in
    result = module(*inputs)
    results = list(result) if isinstance(result, tuple | list) else [result]
    lying = {x.untyped_storage().data_ptr() for x in (*inputs, *held)}
    traffic = layer.traffic(*tensors)
    assert traffic is not None
    if {x.untyped_storage().data_ptr() for x in results} <= lying:
        assert traffic == Traffic()
        return
    read = [x for number, x in enumerate(inputs) if has_a_say(module, inputs, number, results)]
    if layer.word == "embedding":  # of its table only the rows that are looked up
        held = []
        assert traffic.values * BATCH == 2 * numbers(results, False)
    else:
        assert traffic.values * BATCH == numbers(read, False) + numbers(results, False)
    assert traffic.ids * BATCH == numbers(read, True)
    assert (traffic.weights, traffic.integers) == (numbers(held, False), numbers(held, True))


def has_a_say(module: object, inputs: list[torch.Tensor], number: int, before: list[torch.Tensor]) -> bool:
    other = [x.roll(1, -1) * 3 + 1 if i == number and x.is_floating_point() else x for i, x in enumerate(inputs)]
    if not inputs[number].is_floating_point():
        other[number] = (inputs[number] + 1) % 11
    result = module(*other)  # type: ignore[operator]
    results = list(result) if isinstance(result, tuple | list) else [result]
    return not all(torch.equal(a, b) for a, b in zip(results, before, strict=True))


@pytest.mark.parametrize("batch", [1, 5])
def test_what_a_batch_shares_is_read_once(batch: int) -> None:
    from archdsl.analyses.cost import RULES, works
    from archdsl.loading import parse

    graph = parse("net a {\n  input ids 6 of 11\n  embedding 4 -> attention 2 -> token 0 -> fc 3\n}").graph
    found = [work.bytes for work in works(graph, RULES["all"], batch, 2)]
    embedding, attention, fc = 2 * 2 * 24 * batch, 2 * 2 * 24 * batch, 2 * (4 + 3) * batch
    assert found == [0, embedding + 8 * 6 * batch, attention + 2 * (4 * 16 + 4 * 4), 0, fc + 2 * (12 + 3)]
