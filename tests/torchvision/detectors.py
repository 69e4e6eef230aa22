"""Proofs that a detector that ships is torchvision's detector of that name, up to the raw answers of its heads.

Each takes a name, raises an AssertionError where the two differ, and returns what the table says where they do not.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import archdsl
from archdsl.torch.vision import import_torchvision

import_torchvision()

import proofs  # noqa: E402
from proofs import REFUSALS, Row  # noqa: E402
from special import Case  # noqa: E402
from torchvision import models  # noqa: E402
from torchvision.ops.misc import FrozenBatchNorm2d  # noqa: E402

ALL = tuple(models.list_models(module=models.detection))
"""Every network of torchvision's that finds things in images, some of them with masks or key points."""
NAMES = tuple(sorted(set(ALL) & set(archdsl.shipped_networks())))
"""Those that ship here."""
CASE = Case(theirs={"weights_backbone": None})
SHAPES = {"ssd300_vgg16": (3, 300, 300)}
"""Of the images that run, where (3, 128, 128) is too small for the last convolution."""
PROPOSALS = 1000
"""In an image, where the published multiply-accumulates were counted."""
ANSWERS = {"cls_logits": ("logits", 91), "bbox_regression": ("boxes", 4), "bbox_ctrness": ("centre", 1)}
"""What theirs calls the answers of its heads, how the outputs of ours begin, and the numbers for each anchor."""


# ---------------------------------------------------------------- the two networks


def bare(name: str) -> nn.Module:
    """torchvision's network on the meta device."""
    with torch.device("meta"):
        return proofs.bare(name, CASE)


def theirs(name: str) -> nn.Module:
    """torchvision's network in eval mode, with weights and statistics that keep activations in range."""
    with torch.device("meta"):  # else SSD looks for its sizes with numbers, of which it has not all yet
        return proofs.theirs(name, CASE)


def ours(name: str) -> nn.Module:
    """The spec's network, on the meta device: the weights come from theirs."""
    return proofs.ours(name, CASE)


def published(name: str) -> nn.Module:
    """torchvision's network as it builds it for published weights, which here are those of `theirs`.

    Its batch normalizations are frozen: all their numbers are buffers, and they do not count batches.
    """
    state = {key: each for key, each in theirs(name).state_dict().items() if not key.endswith("num_batches_tracked")}
    with mock.patch.object(models.WeightsEnum, "get_state_dict", return_value=state):
        model: nn.Module = models.get_model(name, weights="DEFAULT")
    return model.eval()


def normalizations(model: nn.Module) -> list[nn.BatchNorm2d]:
    return [module for module in model.modules() if isinstance(module, nn.BatchNorm2d)]


def inputs(name: str) -> tuple[Tensor, ...]:
    """Two images; for Faster R-CNN what is pooled of the maps at three proposals as well."""
    random = torch.Generator().manual_seed(2)
    images = torch.rand(2, *SHAPES.get(name, (3, 128, 128)), generator=random)
    return (images, torch.rand(3, 256, 7, 7, generator=random)) if name.startswith("fasterrcnn") else (images,)


def raw_of_theirs(model: Any, images: Tensor, pooled: Tensor | None = None) -> tuple[Tensor, ...]:
    """What their backbone and their heads give."""
    maps = model.backbone(images)
    if pooled is not None:
        objects, boxes = model.rpn.head(list(maps.values()))
        return (*maps.values(), *objects, *boxes, *model.roi_heads.box_predictor(model.roi_heads.box_head(pooled)))
    given = model.head(list(maps.values()))
    return tuple(given[answer] for answer in ANSWERS if answer in given)


def raw_of_ours(model: nn.Module, images: Tensor, pooled: Tensor | None = None) -> tuple[Tensor, ...]:
    """The outputs of ours; those for each map as one, of N x (H*W*anchors) x numbers, as theirs has them."""
    if pooled is not None:
        return tuple(model(images, pooled))
    given = model(images)._asdict()
    answers = (
        [rows(each, numbers) for field, each in given.items() if field.startswith(start)]
        for start, numbers in ANSWERS.values()
    )
    return tuple(torch.cat(answer, 1) for answer in answers if answer)


def rows(answers: Tensor, numbers: int) -> Tensor:
    """A map whose channels are so many numbers for each anchor as a row for each anchor at each place."""
    samples, _, height, width = answers.shape
    split = answers.view(samples, -1, numbers, height, width)
    return split.permute(0, 3, 4, 1, 2).reshape(samples, -1, numbers)


def both(name: str) -> tuple[nn.Module, nn.Module]:
    """Theirs and ours with the same weights."""
    reference, model = theirs(name), ours(name).to_empty(device="cpu")
    model.load_state_dict(reference.state_dict(), strict=True)
    return reference, model.eval()


# ---------------------------------------------------------------- proofs


def parameters(name: str) -> str:
    """As many as of the published weights, and those of batch normalizations, which are no parameters there."""
    found = archdsl.load(name).report().totals.parameters
    frozen = sum(each.numel() for module in normalizations(bare(name)) for each in module.parameters())
    for weights in models.get_model_weights(name):
        expected = weights.meta["num_params"] + frozen
        assert found == expected, f"{found:,} parameters, theirs {expected:,}"
    return f"{found:,}"


def macs(name: str) -> str:
    """The published multiply-accumulates, in thousands of millions; what is said of a proposal counts for each."""
    layers = archdsl.load(name).report().layers
    total = sum((PROPOSALS if layer.path.startswith("roi_heads.") else 1) * (layer.macs or 0) for layer in layers)
    found = round(total / 1e9, 3)
    for weights in models.get_model_weights(name):
        expected = weights.meta["_ops"]
        assert found == expected, f"{found:.3f} G MACs, theirs {expected}"
    return f"{found:.3f}"


def keys(name: str) -> int:
    """The state has the same names in the same order, for tensors of the same shapes and types."""
    reference, given = bare(name).state_dict(), ours(name).state_dict()
    for one, other in zip(reference, given, strict=False):
        assert one == other, f"{other} stands where theirs has {one}"
        expected, found = ((tuple(state[one].shape), state[one].dtype) for state in (reference, given))
        assert found == expected, f"{one} is {found}, theirs {expected}"
    assert len(reference) == len(given), f"{len(given)} entries, theirs {len(reference)}"
    return len(given)


def bits(name: str) -> str:
    """Their weights load strictly, and in evaluation the raw answers have the same bits."""
    reference, model = both(name)
    with torch.inference_mode():
        expected, given = raw_of_theirs(reference, *inputs(name)), raw_of_ours(model, *inputs(name))
    assert len(given) == len(expected), f"{len(given)} results, theirs {len(expected)}"
    for one, other in zip(expected, given, strict=True):
        assert one.isfinite().all(), "theirs leaves the range of numbers"
        assert one.std() > 1e-3, "theirs gives the same for everything"
        assert other.shape == one.shape, f"a result is {tuple(other.shape)}, theirs {tuple(one.shape)}"
        assert torch.equal(other, one), f"results differ by up to {(other - one).abs().max()}"
    return "equal"


def gradients(name: str) -> str:
    """In training, gradients of a loss of all raw answers have the same bits, and statistics are the same."""
    reference, model = both(name)
    torch.manual_seed(1)
    expected = gradients_of(reference, raw_of_theirs(reference.train(), *inputs(name)))
    torch.manual_seed(1)
    given = gradients_of(model, raw_of_ours(model.train(), *inputs(name)))
    for key, one in expected.items():
        assert one.isfinite().all(), f"theirs leaves the range of numbers in {key}"
        assert one.any(), f"theirs has a gradient of zeros for {key}"
        difference = length(given[key] - one) / length(one)
        assert torch.equal(given[key], one), f"gradients of {key} differ by {difference:.1e} of their length"
    buffers = dict(reference.named_buffers())
    for key, buffer in model.named_buffers():
        assert torch.equal(buffer, buffers[key]), f"{key} differs after training"
    return "equal"


def gradients_of(model: nn.Module, answers: tuple[Tensor, ...]) -> dict[str, Tensor]:
    """The gradients of a loss in which each answer has its part."""
    learned = dict(model.named_parameters())
    loss = torch.stack([answer.square().mean() for answer in answers]).sum()
    return dict(zip(learned, torch.autograd.grad(loss, list(learned.values())), strict=True))


def length(tensor: Tensor) -> float:
    return float(tensor.double().norm())


def loads(name: str) -> str:
    """A file of a state as published weights have it loads strictly, and the answers are the same but for rounding.

    A frozen normalization takes other steps, so each answer may differ by a hundred-thousandth of its length. What it
    adds to the variance is not in the state, and is set here to what torchvision sets for these weights.
    """
    reference, model = published(name), ours(name).to_empty(device="cpu").eval()
    file = io.BytesIO()
    torch.save(reference.state_dict(), file)
    file.seek(0)
    model.load_state_dict(torch.load(file, weights_only=True), strict=True)
    for module in normalizations(model):
        module.eps = max(added(reference), 1e-12)  # some versions of torch take no 0
    with torch.inference_mode():
        expected, given = raw_of_theirs(reference, *inputs(name)), raw_of_ours(model, *inputs(name))
    worst = max(length(other - one) / length(one) for one, other in zip(expected, given, strict=True))
    assert worst <= 1e-5, f"results differ by {worst:.1e} of their length"
    return "equal" if worst == 0 else "close"


def added(model: nn.Module) -> float:
    """What frozen normalizations add to the variance."""
    (found,) = {module.eps for module in model.modules() if isinstance(module, FrozenBatchNorm2d)}
    return float(found)


# ---------------------------------------------------------------- all of them


EACH: dict[str, Callable[[str], object]] = {
    "parameters": parameters,
    "G MACs": macs,
    "keys": keys,
    "bits": bits,
    "gradients": gradients,
    "published": loads,
}
"""The proofs of a detector."""
COLUMNS = ("network", *EACH)


def prove(name: str) -> Row:
    """All proofs of a detector."""
    cells, failures = [], []
    for what, proof in EACH.items():
        try:
            cells.append(str(proof(name)))
        except REFUSALS as problem:
            failures.append(f"{name}: {what}: {problem}")
            cells.append("no")
    return Row(name, tuple(cells), tuple(failures))
