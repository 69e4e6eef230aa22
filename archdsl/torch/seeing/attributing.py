"""Attribution: how much each pixel speaks for a class or against it, by the methods of captum."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError
from archdsl.torch.seeing.colors import inferno
from archdsl.torch.seeing.images import Normalization
from archdsl.torch.seeing.maximizing import checked_seed
from archdsl.torch.seeing.pictures import LARGE, Section, Seen, Tile, number, of_images, one_of, page, photo
from archdsl.torch.seeing.scores import meant, of

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image
    from torch import Tensor

    from archdsl.torch.seeing.twin import Twin

STEPS = 50
"""Of integrated gradients, and samples of smoothgrad: captum's and the paper's."""
NOISE = 0.15
"""The deviation of smoothgrad's noise, as a part of the image's range (Smilkov et al., 2017)."""
_AT_ONCE = 10
_WINDOWS = 7
"""How many windows of occlusion lie side by side without overlapping; they overlap by half."""
_CUT = 0.995
"""The part of the pixels that the colours tell apart: a few always stand out by far."""


@dataclass(frozen=True, eq=False, repr=False)
class Attribution(Seen):
    """How much each number of each image speaks for a class."""

    network: str
    method: str
    values: Tensor
    """As the input: N x channels x space."""
    targets: tuple[int, ...]
    scores: tuple[float, ...]
    """What the network said of each image's class."""
    images: Tensor
    normalization: Normalization

    @property
    def signed(self) -> bool:
        """Whether a number below 0 speaks against the class; else it says how much, and not in which direction."""
        return METHODS[self.method].signed

    def picture(self, image: int = 0) -> Image.Image:
        """One image of the batch, and beside it what speaks for the class and, where that is known, against it."""
        of_images(self.images.shape[2:])
        values = one_of(self.values, image).double().cpu()
        plain = values.sum(0) if self.signed else values.abs().amax(0)
        most = torch.quantile(plain.abs().flatten()[:_QUANTILE], _CUT)
        tiles = [Tile(photo(self.normalization.visible(self.images[image]), LARGE), "what the network sees")]
        parts = [(plain, "what speaks for the class"), (-plain, "what speaks against it")] if self.signed else []
        for part, caption in parts or [(plain, "how much the class depends on it")]:
            shown = part.clamp(min=0) / most if most > 0 else torch.zeros_like(part)
            tiles.append(Tile(photo(inferno(shown), LARGE), caption))
        over_channels = "summed over the channels" if self.signed else "the largest of its channels"
        return page(
            f"{self.network}: class {self.targets[image]}",
            f"{METHODS[self.method].title}, score {number(self.scores[image])}; each pixel is {over_channels}",
            [Section("", tiles)],
            ("0", f"{number(most)} and more"),
        )

    def __repr__(self) -> str:
        return f"<Attribution of {self.network} by {self.method}: class {', '.join(map(str, self.targets))}>"


_QUANTILE = 16_000_000
"""How many numbers torch takes a quantile of."""


class Method(NamedTuple):
    """A method of captum, and what of it there is to know."""

    title: str
    signed: bool
    run: Callable[[Any, Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]
    """From captum.attr, the function to explain, the image and the classes."""


def _saliency(attr: Any, score: Any, image: Tensor, targets: Tensor) -> Any:
    return attr.Saliency(score).attribute(image, target=targets)


def _smoothgrad(attr: Any, score: Any, image: Tensor, targets: Tensor) -> Any:
    range_ = float(image.detach().max() - image.detach().min())
    return attr.NoiseTunnel(attr.Saliency(score)).attribute(
        image, target=targets, nt_type="smoothgrad", nt_samples=STEPS, nt_samples_batch_size=_AT_ONCE,
        stdevs=NOISE * range_ or NOISE,
    )  # fmt: skip


def _input_x_gradient(attr: Any, score: Any, image: Tensor, targets: Tensor) -> Any:
    return attr.InputXGradient(score).attribute(image, target=targets)


def _integrated_gradients(attr: Any, score: Any, image: Tensor, targets: Tensor) -> Any:
    batch = max(_AT_ONCE, len(image))
    return attr.IntegratedGradients(score).attribute(image, target=targets, n_steps=STEPS, internal_batch_size=batch)


def _occlusion(attr: Any, score: Any, image: Tensor, targets: Tensor) -> Any:
    channels, *space = image.shape[1:]
    window = [max(1, -(-extent // _WINDOWS)) for extent in space]
    strides = [max(1, extent // 2) for extent in window]
    with torch.no_grad():
        return attr.Occlusion(score).attribute(
            image, target=targets, sliding_window_shapes=(channels, *window), strides=(channels, *strides),
            perturbations_per_eval=_AT_ONCE,
        )  # fmt: skip


METHODS = {
    "saliency": Method("Saliency", False, _saliency),
    "smoothgrad": Method("SmoothGrad", False, _smoothgrad),
    "input_x_gradient": Method("Input times gradient", True, _input_x_gradient),
    "integrated_gradients": Method("Integrated gradients", True, _integrated_gradients),
    "occlusion": Method("Occlusion", True, _occlusion),
}

_RULES = (
    "it replaces the rules of differentiation at modules, and sums, products and concatenations of a generated forward "
    "are no modules: it would go past them without a word"
)
_EDGES = (
    "it changes the gradient of relu alone, and restores the image rather than explains the class (Nie et al., 2018, "
    "https://arxiv.org/abs/1805.07039; Adebayo et al., 2018, https://arxiv.org/abs/1810.03292)"
)
REFUSED = {
    "deeplift": _RULES,
    "deeplift_shap": _RULES,
    "lrp": _RULES,
    "guided_backprop": _EDGES,
    "guided_gradcam": _EDGES,
    "deconvolution": _EDGES,
    "gradcam": "it is a method of its own: see.gradcam(image, path), archdsl see --gradcam PATH",
}
"""What captum has and is not offered here, and why."""


def check_method(method: str) -> None:
    """Refuses a method that there is not, or that would not be right.

    Raises:
        ArchError: with the reason.
    """
    if method in METHODS:
        return
    if (reason := REFUSED.get(method)) is not None:
        raise ArchError(f"{method} is not offered: {reason}")
    near = nearest(method, METHODS)
    hint = f"did you mean {near}?" if near else f"choose from {', '.join(METHODS)}"
    raise ArchError(f"there is no method {method}; {hint}")


def attribution(
    twin: Twin,
    image: Tensor,
    method: str,
    target: int | None,
    seed: int,
    normalization: Normalization,
) -> Attribution:
    """What each number of an image has to do with the score of a class.

    Raises:
        ArchError: where there is no such class or method, or captum is not installed.
    """
    check_method(method)
    checked_seed(seed)
    captum = _captum()
    looked = image.detach().clone()
    with torch.no_grad():
        scores = twin.scores(looked)
        targets = meant(scores, target)
        chosen = of(scores, targets)
    devices = [looked.device] if looked.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.enable_grad():
        torch.manual_seed(seed)
        found = METHODS[method].run(captum, twin.scores, looked.requires_grad_(), targets)
    return Attribution(
        twin.graph.name,
        method,
        found.detach().to(image.dtype),
        tuple(targets.tolist()),
        tuple(chosen.tolist()),
        image.detach(),
        normalization,
    )


def _captum() -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what captum itself imports
            return import_module("captum.attr")
    except ModuleNotFoundError as problem:
        raise ArchError(f"attribution needs the package {problem.name}: pip install 'archdsl[see]'") from None
