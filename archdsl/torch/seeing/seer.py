"""One object with every way of seeing what a module of a network learned."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from archdsl.analyses.preprocess import stated
from archdsl.analyses.preprocessing import expected
from archdsl.errors import ArchError
from archdsl.layers.tensor import Tensor as Shape
from archdsl.torch.seeing import attributing, cam, feature_maps, images, maximizing
from archdsl.torch.seeing.filters import Filters, filters
from archdsl.torch.seeing.places import place, with_places
from archdsl.torch.seeing.twin import twin

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn

    from archdsl.network import Network

MOST = 512
"""How large the longer side of an image is at most, where the network leaves its size open."""
COLORS = 3
STEP = 32
"""What an open size is then a multiple of: most networks halve it five times."""


class Seeing:
    """What a module of a network learned, seen on images and without.

    An image is a file, a PIL image, or a tensor as the network takes it, with or without a batch axis. The module is
    only read: its mode, its gradients and torch's random numbers stay as they are.
    """

    def __init__(self, network: Network, model: nn.Module) -> None:
        self.network = network
        self.model = model

    def features(self, image: str | Path | Image.Image | Tensor, *paths: str) -> feature_maps.Features:
        """What flows at some places, by their paths in the report, in one pass.

        Raises:
            NotFoundError: where the network has nothing at a path, or there is no such file.
            ArchError: where the image is not to be read, or does not fit.
        """
        if not paths:
            raise ArchError("name a layer or a module by its path; the report shows them")
        network, given = self._looking_at(image)
        places = tuple(place(network.graph, path) for path in dict.fromkeys(paths))
        return feature_maps.features(twin(network, self.model, places), given, places)

    def filters(self, path: str | None = None) -> Filters:
        """The filters of a convolution, by its path, or of the first one.

        Raises:
            NotFoundError: where the network has nothing at that path.
            ArchError: where there is no convolution.
        """
        return filters(self.network.graph, self.model, path)

    def gradcam(self, image: str | Path | Image.Image | Tensor, path: str, target: int | None = None) -> cam.ClassMap:
        """Where a layer or a module finds what speaks for a class: by default for the one with the highest score.

        Raises:
            NotFoundError: where the network has nothing at that path, or there is no such file.
            ArchError: where there are no places in the image, or no such class.
        """
        network, given = self._looking_at(image)
        at = with_places(network.graph, path)
        return cam.class_map(twin(network, self.model, [at]), given, at, target, self._normalization())

    def maximized(self, path: str, unit: int, steps: int = maximizing.STEPS, seed: int = 0) -> maximizing.Maximized:
        """An image to which a unit answers, a channel of what a layer or a module gives, by gradient ascent.

        Raises:
            NotFoundError: where the network has nothing at that path.
            ArchError: where there is no such unit.
        """
        shape = _closed(self._input())
        at = place(self.network.graph, path)
        made = twin(self.network, self.model, [at])
        return maximizing.maximized(made, shape, at, unit, steps, seed, self._like(), self._normalization())

    def attribution(
        self, image: str | Path | Image.Image | Tensor, method: str = "integrated_gradients",
        target: int | None = None, seed: int = 0,
    ) -> attributing.Attribution:  # fmt: skip
        """How much each pixel has to do with a class: by default with the one with the highest score.

        Raises:
            NotFoundError: where there is no such file.
            ArchError: where there is no such method or class, or captum is not installed.
        """
        attributing.check_method(method)
        network, given = self._looking_at(image)
        seen = twin(network, self.model)
        return attributing.attribution(seen, given, method, target, seed, self._normalization())

    def __repr__(self) -> str:
        return f"<Seeing {self.network.name}>"

    # ------------------------------------------------------------ what it looks at

    def _input(self) -> Shape:
        ports = self.network.graph.inputs
        if len(ports) != 1:
            names = ", ".join(port.name for port in ports)
            raise ArchError(f"{self.network.name} takes {names}; only networks with one input can be looked into")
        return ports[0].tensor

    def _like(self) -> Tensor:
        """A tensor of the module's device and its type of floating numbers."""
        state = [each for each in self.model.state_dict().values() if each.is_floating_point()]
        return state[0] if state else torch.zeros(0)

    def _prepared(self, image: Image.Image, wanted: Shape) -> Tensor:
        """An image as the network takes it: what `net.transforms()` gives at the size at which it looks at it."""
        size = _size_of(image, wanted)
        channels = wanted.dims[0] if isinstance(wanted.dims[0], int) else COLORS
        sized = self.network.at({"": wanted._replace(dims=(channels, *size))}).checked()
        made: Tensor = sized.transforms()(images.plain(image, channels))
        return made

    def _normalization(self) -> images.Normalization:
        """By what the network's images are normalized, as far as its spec and its weights say."""
        graph = self.network.graph
        said = expected(graph, graph.inputs[0], stated(graph.preprocess)).preprocessing
        is_image = graph.inputs[0].tensor.kind == "map" and graph.inputs[0].tensor.rank == 2
        if not is_image or said.mean is None or said.std is None:
            return images.Normalization()
        return images.Normalization(said.mean, said.std)

    def _looking_at(self, image: str | Path | Image.Image | Tensor) -> tuple[Network, Tensor]:
        """The network at the size of an image, and the image as it takes it, a batch of one at least."""
        wanted = self._input()
        if isinstance(image, str | Path):
            image = images.read(image)
        if isinstance(image, Image.Image):
            image = self._prepared(image, wanted)
        given = _batched(image, wanted)
        like = self._like()
        given = given.to(like.device) if wanted.kind == "ids" else given.to(like)
        dims = tuple(given.shape[1:])
        if dims == wanted.dims:
            return self.network, given
        inputs: Mapping[str, Shape] = {"": wanted._replace(dims=dims)}
        return self.network.at(inputs).checked(), given


def _size_of(image: Image.Image, wanted: Shape) -> tuple[int, int]:
    """The size at which a network looks at an image: its own, or where that is open about that of the image.

    Raises:
        ArchError: where the network takes no images.
    """
    if wanted.kind != "map" or wanted.rank != 2:
        raise ArchError(f"the network takes {wanted}, which is no image; give it a tensor")
    own = (image.height, image.width)
    shrink = min(1.0, MOST / max(own))
    height, width = (
        asked if isinstance(asked, int) else max(1, round(extent * shrink / STEP)) * STEP
        for asked, extent in zip(wanted.dims[1:], own, strict=True)
    )
    return height, width


def _closed(wanted: Shape) -> tuple[int, ...]:
    """The sizes of the input.

    Raises:
        ArchError: where one is open, or there is nothing to search for in it.
    """
    sizes = tuple(size for size in wanted.dims if isinstance(size, int))
    if wanted.kind != "map":
        raise ArchError(f"the network takes {wanted}; only images can be searched for")
    if len(sizes) != len(wanted.dims):
        raise ArchError(f'the network leaves sizes open, {wanted}; say which: load(..., input="3x224x224")')
    return sizes


def _batched(image: Tensor, wanted: Shape) -> Tensor:
    if not isinstance(image, torch.Tensor):
        raise ArchError(f"an image is a file, a PIL image or a tensor, not {type(image).__name__}")
    if not image.is_floating_point() and wanted.kind != "ids":
        raise ArchError(f"the tensor has whole numbers ({image.dtype}); the network takes floating ones, normalized")
    given = image[None] if image.dim() == len(wanted.dims) else image
    fits = given.dim() == len(wanted.dims) + 1 and given.shape[0] > 0
    if not fits or (isinstance(wanted.dims[0], int) and wanted.kind == "map" and given.shape[1] != wanted.dims[0]):
        raise ArchError(
            f"the tensor is {'x'.join(map(str, image.shape))}; the network takes {wanted}, or a batch of it"
        )
    return given
