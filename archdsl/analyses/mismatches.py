"""What is wrong with what a spec says of its images, and where it differs from what its weights were trained with."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from archdsl.analyses.preprocess import slips, stated
from archdsl.analyses.preprocessing import expected, image_ports, name, normalization, published, seen
from archdsl.diagnostics.model import Diagnostic, Label, error, warning
from archdsl.graph import shown

if TYPE_CHECKING:
    from archdsl.analyses.preprocessing import Seen
    from archdsl.graph import Graph, GraphInput, Setting, Settings
    from archdsl.weights import Preprocessing

ALIKE = 0.02
"""How far two normalizations may be apart, as a part of the range of a pixel, to be taken for the same."""
LARGER = Fraction(4, 3)
"""By which factor an input may be larger or smaller than what its weights were measured at, unremarked.

Networks are published that were trained at 176 pixels and measured at 224, which is a factor of 1.27:
https://pytorch.org/blog/how-to-train-state-of-the-art-models-using-torchvision-latest-primitives/
"""


def differences(graph: Graph) -> Iterator[Diagnostic]:
    """Where what a sound network does with its images is not what the weights inside it were trained with."""
    settings, said = graph.preprocess, stated(graph.preprocess)
    sights = [(each, known) for each in seen(graph) if (known := published(each.backbone)) is not None]
    for each, known in sights:
        if settings is not None and ("mean" in said or "std" in said):
            yield from _stated_otherwise(graph, settings, said, each, known)
        if "crop_size" not in said:
            yield from _of_another_size(each, known)
    if "mean" not in said and "std" not in said:
        yield from _at_odds(sights)


# ---------------------------------------------------------------- what cannot be


def impossible(graph: Graph, settings: Settings, is_sized: bool = False) -> Iterator[Diagnostic]:
    """Words and numbers of a statement that cannot be, do not go together, or not with the input.

    `is_sized`: whether the size of the input is given from outside; then it is none of the statement's.
    """
    yield from slips(settings)
    ports, said = image_ports(graph), stated(settings)
    if not ports:
        message = "preprocess is about images, and no input of this network takes any"
        yield error("bad-preprocess", message, settings.span, help="leave it out")
        return
    yield from _counts(ports, settings, said)
    for port in ports:
        found = expected(graph, port, said)
        resize, crop, written = found.preprocessing.resize_size, found.preprocessing.crop_size, settings.find("crop")
        size = port.tensor.dims[-2:]
        if written is not None and "crop_size" in said and not is_sized:
            edges = (said["crop_size"][0], said["crop_size"][-1])
            if any(isinstance(there, int) and there != edge for there, edge in zip(size, edges, strict=True)):
                yield _crop_of_another_size(port, written, edges)
                continue
        at = settings.find("resize")
        if at is not None and resize is not None and crop is not None and _would_pad(resize, crop):
            message = f"images resized to {_pixels(resize)} are smaller than the crop of {_pixels(crop)}"
            notes = ["where an image ends, the crop would be black, which is not what any weights have seen"]
            edge = max(crop)
            yield error("bad-preprocess", message, at.span, notes=notes, help=f"resize to no less: `resize={edge}`")


def _counts(ports: tuple[GraphInput, ...], settings: Settings, said: dict[str, Any]) -> Iterator[Diagnostic]:
    """As many means and deviations as the images have channels."""
    channels = {port.tensor.dims[0] for port in ports}
    for word in ("mean", "std"):
        setting, values = settings.find(word), said.get(word, ())
        if setting is None or len(values) < 2 or not all(isinstance(each, int) for each in channels):
            continue
        if len(values) not in channels:
            port = ports[0]
            count = "1 channel" if port.tensor.dims[0] == 1 else f"{port.tensor.dims[0]} channels"
            label = Label(port.span, f"images of {count}")
            message = f"`{word}` has {len(values)} numbers, and the images have {count}"
            help = f"give one number for each channel, or a single one for all: `{word}={values[0]:g}`"
            yield error("bad-preprocess", message, setting.span, labels=[label], help=help)


def _crop_of_another_size(port: GraphInput, written: Setting, edges: tuple[int, int]) -> Diagnostic:
    there = _pixels(tuple(edge for edge in port.tensor.dims[-2:] if isinstance(edge, int)))
    message = f"images are cropped to {_pixels(edges)}, and the network takes {there}"
    sizes = port.tensor.dims[-2:]
    value = f"{sizes[0]}" if sizes[0] == sizes[1] else f"[{sizes[0]}, {sizes[1]}]"
    label = Label(port.span, f"takes {'x'.join(map(str, port.tensor.dims))}")
    help = f"`crop={value}`, or leave it out: the input says it" if all(isinstance(s, int) for s in sizes) else None
    return error("bad-preprocess", message, written.span, labels=[label], help=help)


def _would_pad(resize: tuple[int, ...], crop: tuple[int, ...]) -> bool:
    """Whether every image is smaller than the crop at an edge. One number is the shorter edge, whichever it is."""
    if len(resize) == 1:
        return min(crop) > resize[0]
    return crop[0] > resize[0] or crop[-1] > resize[-1]


# ---------------------------------------------------------------- what differs


def _stated_otherwise(
    graph: Graph, settings: Settings, said: dict[str, Any], each: Seen, known: Preprocessing
) -> Iterator[Diagnostic]:
    """The statement beside the weights of a network that sees the image."""
    channels = each.port.tensor.dims[0]
    if known.mean is None or known.std is None or not isinstance(channels, int):
        return
    theirs = normalization(known.mean, known.std, channels)
    ours = expected(graph, each.port, said).preprocessing
    if ours.mean is None or ours.std is None or len(ours.mean) != channels or len(ours.std) != channels:
        return  # it is of another input
    if is_alike((ours.mean, ours.std), theirs):
        return
    words = [word for word in ("mean", "std") if word in said and not _is_near(said[word], theirs, word)]
    first = settings.find((words or ["mean"])[0]) or settings.find("std")
    assert first is not None
    message = f"images are normalized by {_normalization(ours.mean, ours.std)}, and {name(each.backbone)} "
    message += f"was trained with {_normalization(*theirs)}"
    label = Label(each.backbone.span, f"trained with {_normalization(*theirs)}")
    help = f"write `mean={_listed(theirs[0])} std={_listed(theirs[1])}`, or leave both out"
    yield warning("preprocessing-mismatch", message, first.span, labels=[label], help=help)


def _is_near(given: tuple[float, ...], theirs: tuple[tuple[float, ...], tuple[float, ...]], word: str) -> bool:
    wanted = theirs[0] if word == "mean" else theirs[1]
    given = given * len(wanted) if len(given) == 1 else given
    return all(abs(a - b) <= ALIKE for a, b in zip(given, wanted, strict=True))


def _of_another_size(each: Seen, known: Preprocessing) -> Iterator[Diagnostic]:
    """An image that flows into a network in another size than its weights were measured at."""
    space = each.tensor.dims[-2:]
    if known.crop_size is None or not all(isinstance(edge, int) for edge in space):
        return
    edges = (known.crop_size[0], known.crop_size[-1])
    factors = [Fraction(int(here), there) for here, there in zip(space, edges, strict=True)]
    if all(1 / LARGER <= factor <= LARGER for factor in factors):
        return
    message = f"{name(each.backbone)} was measured on images of {_pixels(edges)}, and sees {_pixels(space)} here"
    label = Label(each.port.span, f"images of {_pixels(each.port.tensor.dims[-2:])}")
    height, width = each.port.tensor.dims[-2:]
    crop = f"{height}" if height == width else f"[{height}, {width}]"
    help = f"give it larger images, or say that this is meant: `preprocess crop={crop}`"
    if factors[0] > 1:
        help = help.replace("larger", "smaller")
    yield warning("preprocessing-mismatch", message, each.backbone.span, labels=[label], help=help)


def _at_odds(sights: list[tuple[Seen, Preprocessing]]) -> Iterator[Diagnostic]:
    """Two networks that see the same image, whose weights want it normalized in two ways."""
    firsts: dict[object, tuple[Seen, Preprocessing]] = {}
    for each, known in sights:
        if known.mean is None or known.std is None:
            continue
        first, other = firsts.setdefault(each.port.value, (each, known))
        assert other.mean is not None
        assert other.std is not None
        if first is each or len(known.mean) != len(other.mean):
            continue
        if not is_alike((known.mean, known.std), (other.mean, other.std)):
            mine, theirs = _normalization(known.mean, known.std), _normalization(other.mean, other.std)
            message = f"{name(each.backbone)} was trained with {mine}, and {name(first.backbone)}, which sees the same "
            message += f"images, with {theirs}"
            label = Label(first.backbone.span, f"trained with {theirs}")
            help = "begin both with weights that were trained alike, or say what the images get: `preprocess mean=... "
            help += "std=...`"
            yield warning("preprocessing-mismatch", message, each.backbone.span, labels=[label], help=help)


def is_alike(
    one: tuple[tuple[float, ...], tuple[float, ...]], other: tuple[tuple[float, ...], tuple[float, ...]]
) -> bool:
    """Whether two normalizations, each means and deviations, give black and white about the same values."""
    return all(
        abs((pixel - m) / s - (pixel - mean) / std) * std <= ALIKE
        for m, s, mean, std in zip(*one, *other, strict=True)
        for pixel in (0, 1)
    )


# ---------------------------------------------------------------- how it is written


def _normalization(mean: tuple[float, ...], std: tuple[float, ...]) -> str:
    return f"mean {_listed(mean)} and std {_listed(std)}"


def _listed(numbers: tuple[float, ...]) -> str:
    return shown(tuple([float(f"{number:.4g}") for number in numbers]))


def _pixels(edges: tuple[object, ...]) -> str:
    return f"{edges[0]}x{edges[-1]} pixels" if len(edges) > 1 else f"{edges[0]} pixels"
