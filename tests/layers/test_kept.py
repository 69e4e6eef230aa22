"""What a layer holds in memory, against torch: views, what evaluation leaves out, what the backward pass needs."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from archdsl.layers import STANDARD
from archdsl.layers.base import elements

from .examples import Example, example
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


@each_example()
def test_what_the_backward_pass_needs_is_kept(example: Example) -> None:
    """Every tensor that autograd saves is an input, a result, a parameter, or counted as declared."""
    check_kept(example, inplace=False)


@each_example(*(layer.word for layer in STANDARD.layers if layer.has_inplace))
def test_what_is_overwritten_is_kept_as_a_copy(example: Example) -> None:
    """But where torch differentiates the result."""
    if example.layer.works_in_place:
        check_kept(example, inplace=True)


def check_kept(example: Example, inplace: bool) -> None:
    layer, tensors = example
    batch = 3
    module, inputs = build(layer, tensors, inplace), values(tensors, batch)
    own = set()
    if isinstance(module, nn.Module):
        own = {x.untyped_storage().data_ptr() for x in (*module.parameters(), *module.buffers())}
        if layer.word == "attention":
            module.dropout = 0.0  # with it torch computes otherwise on a CPU than on a GPU
    leaves = [x.requires_grad_() if x.is_floating_point() else x for x in inputs]
    given = [x * 1 if x.is_floating_point() else x for x in leaves]
    if layer.wants_channels_last:
        given = [x.movedim(1, -1).contiguous().movedim(-1, 1) for x in given]
    saved: dict[int, torch.UntypedStorage] = {}
    kinds: dict[int, torch.dtype] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        saved[storage.data_ptr()] = storage
        kinds[storage.data_ptr()] = tensor.dtype
        return tensor.detach()  # itself, it would hold itself

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = module(*given)
    results = storages(result)
    places = [x.untyped_storage().data_ptr() for x in given]
    kept = layer.keeps(*tensors)
    if inplace and kept.inputs and not layer.differentiates_result:
        kept = kept._replace(inputs=(), values=kept.values + elements(tensors[0]))
    if inplace and not layer.is_view:
        kept = kept._replace(output=bool(kept.inputs) or kept.output, inputs=(0,) if kept.inputs or kept.output else ())
    assert {at for at in places if at in saved} == {places[number] for number in kept.inputs}
    assert bool(results & saved.keys()) == (kept.output and not layer.is_view)
    further = {at: storage.nbytes() for at, storage in saved.items() if at not in {*places, *results, *own}}
    whole = sum(size for at, size in further.items() if kinds[at] == torch.int64)
    assert whole == 8 * batch * kept.indices
    expected = batch * (kept.values + kept.on_cpu) + kept.statistics
    assert sum(further.values()) - whole == 4 * expected


def test_a_copy_with_its_channels_last_is_kept_in_place_of_a_map() -> None:
    layer, tensors = example("pointwise", {"features": 3}, "8x9x8")
    assert type(layer).wants_channels_last
    saved = []
    (x,) = values(tensors)
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        build(layer, tensors)(x.requires_grad_())
    copies = [y for y in saved if y.numel() == x.numel()]
    assert len(copies) == 1
    assert storages(copies).isdisjoint(storages(x))
