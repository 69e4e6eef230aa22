"""What images a network expects: by its spec, by the weights inside it, or by the shape of its input alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from archdsl import weights
from archdsl.analyses.inside import around
from archdsl.graph import Value
from archdsl.weights import Preprocessing

if TYPE_CHECKING:
    from archdsl.graph import Backbone, Graph, GraphInput
    from archdsl.layers.tensor import Size, Tensor

_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
_HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
NORMALIZED_INSIDE = {
    "fasterrcnn_resnet50_fpn": _IMAGENET,
    "fcos_resnet50_fpn": _IMAGENET,
    "googlenet": _HALF,
    "inception_v3": _HALF,
    "retinanet_resnet50_fpn": _IMAGENET,
    "ssd300_vgg16": ((0.48235, 0.45882, 0.40784), (1 / 255, 1 / 255, 1 / 255)),
}
"""Means and deviations of networks that torchvision normalizes in their `forward`, where the specs that ship do not.

The detectors do all of it there; GoogLeNet and Inception v3 with published weights turn ImageNet's normalization into
their own (`transform_input`).
"""
KEEPING = frozenset({"upsample", "pad", "crop"})
"""The layers that an image passes and remains an image of the same values."""


class Expected(NamedTuple):
    """What an input of a network expects of an image."""

    input: str
    preprocessing: Preprocessing
    source: str
    """What says so: "preprocess", "resnet50 IMAGENET1K_V2", both, or "input", the shape alone."""
    channels: Size
    """1 is a gray image, 3 are red, green and blue."""
    size: tuple[int, int] | None
    """Height and width as they flow in; None where the network leaves one open, or the weights take any."""

    @property
    def is_video(self) -> bool:
        return self.preprocessing.kind == "VideoClassification"


class Seen(NamedTuple):
    """A network inside that has weights of others and looks at an image as it comes, or resampled."""

    backbone: Backbone
    port: GraphInput
    tensor: Tensor
    """What flows into it."""


Lookup = Callable[["Backbone"], Preprocessing | None]
"""What is known of the preprocessing of the weights of a network inside."""


def published(backbone: Backbone) -> Preprocessing | None:
    """What published weights expect; of those in files, and of timm's, nothing is known here."""
    if backbone.weights is None or not backbone.ships:
        return None
    found = weights.find(backbone.network, backbone.weights)
    if found is None:
        return None
    inside = NORMALIZED_INSIDE.get(backbone.network)
    said = found.preprocessing
    return said if inside is None else said._replace(mean=inside[0], std=inside[1])


def image_ports(graph: Graph) -> tuple[GraphInput, ...]:
    """The inputs that take images, or videos."""
    return tuple([port for port in graph.inputs if port.tensor.kind == "map" and len(port.tensor.dims) in (3, 4)])


def seen(graph: Graph) -> tuple[Seen, ...]:
    """Which networks inside look at which inputs, in the order of `graph.backbones`."""
    known = {backbone.path: backbone for backbone in graph.backbones if backbone.weights is not None}
    if not known:
        return ()
    images: dict[Value, GraphInput] = {port.value: port for port in image_ports(graph)}
    found: dict[str, dict[Value, Seen]] = {path: {} for path in known}
    for node in graph.nodes:
        looked = [value for value in node.inputs if value in images]
        if not looked:
            continue
        if node.layer.word in KEEPING and node.inputs[0] in images:
            images[Value(node.index)] = images[node.inputs[0]]
        for backbone in around(node, known):
            prefix = f"{backbone.path}."
            for value in looked:
                if not graph.nodes[value.node].path.startswith(prefix):
                    found[backbone.path].setdefault(value, Seen(backbone, images[value], graph.tensor(value)))
    return tuple([each for path in known for each in found[path].values()])


def expected(graph: Graph, port: GraphInput, said: Mapping[str, Any], lookup: Lookup = published) -> Expected:
    """What an input expects: what the spec has `said`, and for the rest what the weights behind it were trained with.

    Of several networks that see it, the first whose weights say something decides. `said` are fields of
    `Preprocessing`, as `archdsl.analyses.preprocess.stated` reads them.
    """
    says, who = None, ""
    for each in seen(graph):
        if each.port.value == port.value and (says := lookup(each.backbone)) is not None:
            who = name(each.backbone)
            break
    is_video = len(port.tensor.dims) == 4
    base = says or Preprocessing("VideoClassification" if is_video else "ImageClassification")
    sources = ["preprocess"] if said else []
    if says is not None:
        sources.append(who)
    channels, size = port.tensor.dims[0], _closed(port.tensor.dims[-2:])
    if says is not None and says.crop_size is None and "crop_size" not in said:
        size = None  # such weights take images of any size
    merged = base._replace(**_sizes(base, said, size))
    merged = merged._replace(**_values(base, said, channels))
    merged = merged._replace(**{key: said[key] for key in ("interpolation", "antialias") if key in said})
    if merged.resize_size is not None:
        merged = merged._replace(
            interpolation=merged.interpolation or "bilinear",
            antialias=merged.antialias if merged.antialias is not None else not is_video,
        )
    return Expected(port.name, merged, " over ".join(sources) or "input", channels, size)


def name(backbone: Backbone) -> str:
    """The weights of a network inside, as a reader would call them: resnet50 IMAGENET1K_V2."""
    found = weights.find(backbone.network, backbone.weights or "") if backbone.ships else None
    return f"{backbone.network} {found.name if found is not None else backbone.weights}"


# ---------------------------------------------------------------- sizes


def _sizes(base: Preprocessing, said: Mapping[str, Any], size: tuple[int, int] | None) -> dict[str, Any]:
    """To what an image is resized and cropped.

    The input's own size is what it is cropped to. Where that is another than the one that belongs to the resizing, it
    is resized in the same proportion; where nothing says how, to the size itself.
    """
    crop = said.get("crop_size", base.crop_size)
    if size is not None and (crop is None or _two(crop) != size):
        crop = (size[0],) if size[0] == size[1] and len(base.crop_size or ()) < 2 else size
    resize, of = base.resize_size, base.crop_size
    if "resize_size" in said:
        resize, of = said["resize_size"], said.get("crop_size")
    if crop is not None and resize is None:
        resize = crop
    elif crop is not None and resize is not None and of is not None:
        resize = _in_proportion(resize, of, crop)
    return {"resize_size": resize, "crop_size": crop}


def _in_proportion(resize: tuple[int, ...], old: tuple[int, ...], new: tuple[int, ...]) -> tuple[int, ...]:
    """What weights resize to, for another crop; of one that is no square both edges are given."""
    if old == new:
        return resize
    before, after = _two(old), _two(new)
    is_square = len(resize) == 1 and after[0] == after[1]
    edges = [round(r * a / b) for r, a, b in zip(_two(resize), after, before, strict=True)]
    return tuple(edges[:1]) if is_square else tuple(edges)


def _two(edges: tuple[int, ...]) -> tuple[int, int]:
    return edges[0], edges[-1]


def _closed(space: tuple[Size, ...]) -> tuple[int, int] | None:
    height, width = space
    return (height, width) if isinstance(height, int) and isinstance(width, int) else None


# ---------------------------------------------------------------- values


def _values(base: Preprocessing, said: Mapping[str, Any], channels: Size) -> dict[str, Any]:
    mean, std = said.get("mean"), said.get("std")
    if base.mean is not None and base.std is not None and isinstance(channels, int):
        usual: tuple[tuple[float, ...] | None, tuple[float, ...] | None] = normalization(base.mean, base.std, channels)
    else:
        usual = base.mean, base.std
    if mean is None and std is None:
        return {"mean": usual[0], "std": usual[1]}
    mean = mean or usual[0] or (0.0,)
    std = std or usual[1] or (1.0,)
    count = channels if isinstance(channels, int) else max(len(mean), len(std))
    return {"mean": mean * count if len(mean) == 1 else mean, "std": std * count if len(std) == 1 else std}


def normalization(
    mean: tuple[float, ...], std: tuple[float, ...], channels: int
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Means and deviations for images of other channels than the weights were trained on, as their layer is adapted.

    For one channel its weights are summed, so the layer would see the same image in all of them, each normalized in its
    own way. The one image that is nearest to these is their mean: that is `(gray - mean) / std` with 1 / std the mean
    of the reciprocals, and mean / std that of the quotients. For other numbers of channels the weights are taken in
    turn, and so are these.
    """
    old = len(mean)
    if channels == old:
        return mean, std
    if channels == 1:
        one = old / sum(1 / each for each in std)
        return (one * sum(m / s for m, s in zip(mean, std, strict=True)) / old,), (one,)
    turns = [number % old for number in range(channels)]
    return tuple([mean[turn] for turn in turns]), tuple([std[turn] for turn in turns])
