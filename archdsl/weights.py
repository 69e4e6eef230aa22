"""The pretrained weights that torchvision has for networks that ship: a table, so that nothing here asks torchvision.

The table is specs/weights.json; `python -m tests.torchvision.weights --write` takes it from torchvision anew.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from archdsl.resources import specs_folder

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind = Literal["ImageClassification", "ObjectDetection", "SemanticSegmentation", "VideoClassification"]
"""What torchvision calls a preprocessing, by the task of its networks."""

DEFAULT = "DEFAULT"
"""The other name of the weights that torchvision recommends for a network."""


class Preprocessing(NamedTuple):
    """What weights expect of an image: it is resized, cropped in its middle, scaled to 0..1, and normalized.

    In this order, and each only where its numbers are given. ObjectDetection has none: images of any size are only
    scaled to 0..1, as torchvision's detectors resize and normalize them themselves, before what the specs of these
    networks describe.
    """

    kind: Kind
    resize_size: tuple[int, ...] | None = None
    """One number: the pixels of the shorter edge, of which the other follows; two: height and width in pixels."""
    crop_size: tuple[int, ...] | None = None
    """Pixels. One number: a square's edge; two: height and width."""
    interpolation: str | None = None
    """How it is resized: "bilinear", "bicubic"."""
    mean: tuple[float, ...] | None = None
    """What is subtracted of each channel (red, green, blue), whose values are 0..1 before."""
    std: tuple[float, ...] | None = None
    """What each channel is then divided by."""
    antialias: bool | None = None
    """Whether an image that shrinks is smoothed; a video never is."""


class Weights(NamedTuple):
    """A file of pretrained weights, and what torchvision says of it."""

    name: str
    """IMAGENET1K_V1: what torchvision's `weights=` takes."""
    url: str
    """Where the file is published: a `state_dict()` as `torch.load` reads it."""
    parameters: int
    """As many as were published. Frozen batch normalizations, which detectors have, are not among them."""
    dataset: str
    """What the weights were measured on: ImageNet-1K."""
    metrics: Mapping[str, float]
    """What was measured, in percent, by torchvision's names: acc@1 and acc@5, miou and pixel_acc, box_map.

    It is empty where nothing was.
    """
    preprocessing: Preprocessing
    classes: int | None = None
    """What the network tells apart, a class of background included; None where weights are not for classifying."""
    hash: str | None = None
    """The first hexadecimal digits of the file's SHA-256, as its name has them; None where it has none."""
    min_size: tuple[int, int] | None = None
    """The smallest height and width in pixels that the network takes; None where torchvision does not say."""
    min_frames: int | None = None
    """The fewest frames of a video that the network takes; None where torchvision does not say."""
    eps: float | None = None
    """What torchvision sets the epsilon of its frozen batch normalizations to with these; None where it leaves it."""
    license: str | None = None
    """Where the license is that the weights have of their own, if they do; such a one may forbid commercial use."""
    default: bool = False
    """Whether they are torchvision's DEFAULT for the network."""

    @property
    def file(self) -> str:
        """The name of the file."""
        return self.url.rpartition("/")[2]


def known(network: str) -> tuple[Weights, ...]:
    """The weights of a network that ships, in torchvision's order; none where torchvision has none under its name."""
    return _table().networks.get(network, ())


def find(network: str, name: str) -> Weights | None:
    """The weights of that name, or the default ones for `DEFAULT`; None where there are none."""
    return next((each for each in known(network) if name == each.name or (name == DEFAULT and each.default)), None)


def version() -> str:
    """The version of torchvision that the table was taken from: 0.28.0."""
    return _table().version


class _Table(NamedTuple):
    version: str
    networks: Mapping[str, tuple[Weights, ...]]


@cache
def _table() -> _Table:
    content = json.loads((specs_folder() / "weights.json").read_text(encoding="utf-8"))
    networks = {network: tuple(map(_weights, entries)) for network, entries in content["networks"].items()}
    return _Table(content["source"]["version"], networks)


def _weights(facts: dict[str, Any]) -> Weights:
    preprocessing = Preprocessing(**_frozen(facts["preprocessing"]))
    return Weights(**{**_frozen(facts), "preprocessing": preprocessing})


def _frozen(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in facts.items()}
