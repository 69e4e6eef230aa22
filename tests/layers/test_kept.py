"""What a layer holds in memory, against torch: views, what evaluation leaves out, what the backward pass needs."""

from __future__ import annotations

from typing import Any

from torch import nn

from .examples import Example
from .test_against_torch import build, each_example, values


def storages(result: Any) -> set[int]:
    several = result if isinstance(result, tuple | list) else (result,)
    return {x.untyped_storage().data_ptr() for x in several}


@each_example()
def test_a_view_lies_in_the_memory_of_its_input(example: Example) -> None:
    layer, tensors = example
    module, inputs = build(layer, tensors), values(tensors)
    assert (storages(module(*inputs)) <= storages(inputs)) == layer.is_view


@each_example()
def test_what_works_while_training_only_hands_on_its_input_in_evaluation(example: Example) -> None:
    layer, tensors = example
    module, inputs = build(layer, tensors), values(tensors)
    if isinstance(module, nn.Module):
        module.eval()
    assert (storages(module(*inputs)) <= storages(inputs)) == (layer.is_view or layer.trains_only)
