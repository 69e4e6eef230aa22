"""What makes of an image what a network expects: for inference as its weights have it, for training as is usual.

The training transforms are those that torchvision trains with, by the task of the weights:
https://github.com/pytorch/vision/tree/main/references. For images of up to 64 pixels they are those of He et al., Deep
Residual Learning for Image Recognition (2015), section 4.2: a crop of the image with a border, or its mirror image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.analyses.preprocess import stated
from archdsl.analyses.preprocessing import expected, image_ports, published
from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError, NotFoundError
from archdsl.torch.transforms import ChannelsFirst, Resize, Scale, Transforms, tv_tensors, v2

__all__ = ["Transforms", "transforms_of"]

if TYPE_CHECKING:
    from archdsl.analyses.preprocessing import Expected
    from archdsl.graph import Backbone, Graph, GraphInput
    from archdsl.weights import Preprocessing

SMALL = 64
"""Pixels of the longer edge up to which an image is not cropped from a part of it, but with a border."""
BORDER = 8
"""The border of a small image, as a part of its edge: 4 pixels of 32, as in the paper."""
POLICIES = {
    "auto": v2.AutoAugment,
    "rand": v2.RandAugment,
    "trivial": v2.TrivialAugmentWide,
    "augmix": v2.AugMix,
}
_NOT_COUNTED = 255
"""What stands in a mask where there is no image; torchvision's losses leave it out."""


def transforms_of(
    graph: Graph, input: str | None = None, train: bool = False, augment: str | None = None, flip: float = 0.5
) -> Transforms:
    """The transforms for one input of a network.

    Raises:
        NotFoundError: where it has no such input.
        ArchError: where the input takes no images, or training needs a size that is open.
        WeightsError: where the weights are timm's, and that is not installed or does not know them.
    """
    _check(train, augment, flip)
    found = expected(graph, _port(graph, input), stated(graph.preprocess), _lookup)
    steps = _training(found, augment, flip) if train else _inference(found)
    return Transforms([*_colors(found), *steps, *_numbers(found)], found.source, _given(found))


def _check(train: bool, augment: str | None, flip: float) -> None:
    if augment is not None and not train:
        raise ArchError("augment is of training: transforms(train=True, augment=...)")
    if augment is not None and augment not in POLICIES:
        near = nearest(augment, POLICIES)
        hint = f"did you mean {near!r}?" if near else f"choose from {', '.join(POLICIES)}"
        raise ArchError(f"there is no augment {augment!r}; {hint}")
    if not 0 <= flip <= 1:
        raise ArchError(f"flip is how often an image is mirrored, from 0 to 1, not {flip}")


def _port(graph: Graph, name: str | None) -> GraphInput:
    """The input that is meant."""
    names = [port.name for port in graph.inputs]
    ports = image_ports(graph)
    if name is not None:
        if name not in names:
            near = nearest(name, names)
            known = f"did you mean {near}?" if near else f"it has {', '.join(names)}"
            raise NotFoundError(f"{graph.name} has no input called {name}; {known}")
        ports = tuple([port for port in ports if port.name == name])
    if not ports:
        shapes = ", ".join("x".join(map(str, each.tensor.dims)) for each in graph.inputs if name in (None, each.name))
        raise ArchError(f"{graph.name} takes no images, which are of channels, height and width; its input is {shapes}")
    if len(ports) > 1:
        several = ", ".join(port.name for port in ports)
        raise ArchError(f"{graph.name} takes images at {several}; name one: transforms(input={ports[0].name!r})")
    return ports[0]


def _lookup(backbone: Backbone) -> Preprocessing | None:
    """What the weights of a network inside expect; those of timm are asked of timm."""
    from archdsl.torch import from_timm

    return from_timm.preprocessing(backbone) if from_timm.is_meant(backbone) else published(backbone)


# ---------------------------------------------------------------- the steps


def _colors(found: Expected) -> list[Any]:
    """What gives an image the colours that the network takes."""
    if found.channels == 1:
        return [v2.Grayscale(1)]
    return [v2.RGB()] if found.channels == 3 and not found.is_video else []


def _given(found: Expected) -> tuple[int, ...]:
    """How many channels an image may have before its colours are made the network's."""
    if not isinstance(found.channels, int):
        return ()
    return (
        (found.channels, 4 - found.channels) if found.channels in (1, 3) and not found.is_video else (found.channels,)
    )


def _inference(found: Expected) -> list[Any]:
    said = found.preprocessing
    steps: list[Any] = []
    if said.resize_size is not None:
        steps.append(_resize(said, said.resize_size))
    if said.crop_size is not None:
        steps.append(v2.CenterCrop(list(_both(said.crop_size))))
    return steps


def _training(found: Expected, augment: str | None, flip: float) -> list[Any]:
    said = found.preprocessing
    mode = v2.InterpolationMode(said.interpolation or "bilinear")
    steps: list[Any] = []
    if said.kind == "ObjectDetection" and said.crop_size is None:
        pass  # boxes are of the whole image
    elif said.kind == "SemanticSegmentation" and said.resize_size is not None:
        base = said.resize_size[0]
        crop = _both(said.crop_size) if said.crop_size else (base * 12 // 13,) * 2  # 480 of 520
        border = {tv_tensors.Mask: _NOT_COUNTED, "others": 0}
        steps.append(v2.RandomResize(base // 2, base * 2, interpolation=mode, antialias=True))
        steps.append(v2.RandomCrop(crop, pad_if_needed=True, fill=border))
    elif said.crop_size is None:
        raise ArchError(
            f"the input {found.input} leaves its size open, and training needs one: "
            'load(..., input="3x224x224"), or `preprocess crop=224` in the spec'
        )
    elif found.is_video and said.resize_size is not None and len(said.resize_size) == 2:
        low, high = sorted(said.resize_size)
        steps.append(v2.RandomShortestSize(list(range(low, high + 1)), interpolation=mode, antialias=True))
        steps.append(v2.RandomCrop(_both(said.crop_size), pad_if_needed=True))
    elif max(said.crop_size) <= SMALL:
        edges = _both(said.crop_size)
        steps.append(_resize(said, edges))
        steps.append(v2.RandomCrop(edges, padding=max(edges) // BORDER))
    else:
        steps.append(v2.RandomResizedCrop(_both(said.crop_size), interpolation=mode, antialias=True))
    if flip:
        steps.append(v2.RandomHorizontalFlip(flip))
    if augment is not None:
        steps.append(POLICIES[augment](interpolation=mode))
    return steps


def _numbers(found: Expected) -> list[Any]:
    """What makes numbers of pixels."""
    said = found.preprocessing
    steps: list[Any] = [v2.ToImage(), Scale()]
    if said.mean is not None and said.std is not None:
        steps.append(v2.Normalize(list(said.mean), list(said.std)))
    if found.is_video:
        steps.append(ChannelsFirst())
    return [*steps, v2.ToPureTensor()]


def _resize(said: Preprocessing, size: tuple[int, ...]) -> Resize:
    mode = v2.InterpolationMode(said.interpolation or "bilinear")
    return Resize(list(size), interpolation=mode, antialias=said.antialias)


def _both(edges: tuple[int, ...]) -> tuple[int, int]:
    return edges[0], edges[-1]
