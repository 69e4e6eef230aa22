"""What is special of a network in the proofs; one that is not named here is as `Special()` says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

Arguments = Mapping[str, Any]


@dataclass(frozen=True)
class Case:
    """A network as both sides build it: the arguments of the spec, and those of torchvision's constructor."""

    spec: Arguments = field(default_factory=dict)
    theirs: Arguments = field(default_factory=dict)
    reason: str = ""
    """Why a training step of theirs runs other operators; without a reason they are the same, one by one."""
    apart: frozenset[str] = frozenset()
    """The operators by which they differ, none if in their order; of all others there are as many, given the same."""


@dataclass(frozen=True)
class Special:
    """How a network is proven."""

    case: Case = Case()
    """The network of the published weights."""
    shape: tuple[int, ...] = (3, 64, 64)
    """Of the image or the video that runs through it."""
    sized: str = ""
    """The parameter of the spec that sets the size of images, where the shape of the input is not enough."""
    smaller: Case | None = None
    """What runs in its place, where the network itself takes no small image."""
    counted: Arguments = field(default_factory=dict)
    """Arguments of the spec where multiplications are counted."""
    order: str = ""
    """Why the entries of the state stand in another order; without a reason they stand in the same."""
    calls: str = ""
    """Why a forward calls more functions; without a reason at most one in a hundred more."""
    variants: Mapping[str, Case] = field(default_factory=dict)
    """Other forms of the network, proven in all but the published counts."""


# Why operators differ. Whether something happens in place changes what a step holds, not what it gives.
CONCATENATED = (
    "theirs puts all maps of a block together anew before each layer, ours the newest behind the others; "
    "ours keeps what `features` gives when it is rectified"
)
SHUFFLED = "theirs shuffles channels by views and a copy, ours by torch's operator for that"
AVERAGED = "theirs takes the mean over the image with other operators than global pooling has"
DROPPED = "ours drops in place where nobody else needs the values"
DROPPED_THERE = "theirs drops in place, in what ours keeps"
ADDED_THERE = "theirs adds in place, to what ours keeps"
GATED = "ours rectifies in place in a gate"
RECTIFIED = "ours rectifies in place in the heads"
PERMUTED = "theirs makes tokens by `permute`, ours by `transpose`"
VIEWED = "theirs moves the channels to the end once, ours for each layer that wants them there: more views"
MASKED = "theirs scales and masks products in another order of the same steps"
PARTITIONED = "theirs cuts the map into windows before the norm, ours in the attention"
MODULES = "theirs calls a function where ours has a module with a path of its own"
TAPPED = "theirs goes through its modules in a loop, ours names each, since what some of them give goes elsewhere too"
LATER = "theirs runs the heads where they branch off, ours after the rest"

OF_CATS = frozenset({"add", "cat", "relu", "relu_", "slice"})
OF_SHUFFLES = frozenset({"_unsafe_view", "channel_shuffle", "clone", "transpose", "view"})
OF_MEANS = frozenset({"mean", "unsqueeze"})
OF_DROPS = frozenset({"mul", "mul_"})
OF_DROPS_IN_VIEWS = OF_DROPS | {"as_strided", "clone", "copy_", "new_empty_strided", "new_zeros", "view"}
OF_ADDS = frozenset({"add", "add_"})
OF_TOKENS = frozenset({"add", "native_layer_norm", "native_layer_norm_backward", "permute", "transpose"})
OF_PARTITIONS = frozenset(
    "_softmax_backward_data _unsafe_view add clone expand gelu gelu_backward mul native_layer_norm "
    "native_layer_norm_backward permute squeeze transpose unsqueeze view".split()
)
OF_GATES = frozenset({"relu", "relu_"})

_DENSENET = Case(reason=CONCATENATED, apart=OF_CATS | {"convolution_backward"})


VIDEO = Special(Case(reason=ADDED_THERE, apart=OF_ADDS), shape=(3, 8, 64, 64))


def _smaller(image: int) -> Case:
    """A vision transformer on smaller images, which has fewer positions."""
    return Case({"image": image}, {"image_size": image}, PERMUTED, OF_TOKENS)


def _labels(aux_loss: bool, *reasons: str, apart: frozenset[str] = frozenset()) -> Case:
    """A network that labels pixels; the published weights have the auxiliary head."""
    theirs = {"aux_loss": aux_loss, "weights_backbone": None}
    return Case({"aux_loss": aux_loss}, theirs, "; ".join((RECTIFIED, *reasons)), OF_GATES | apart)


SPECIAL: dict[str, Special] = {
    "densenet121": Special(
        _DENSENET,
        variants={
            "with dropout": Case(
                {"dropout_rate": 0.1}, {"drop_rate": 0.1}, f"{CONCATENATED}; {DROPPED}", OF_CATS | OF_DROPS
            )
        },
    ),
    "densenet*": Special(_DENSENET),
    "googlenet": Special(
        Case(theirs={"aux_logits": False, "init_weights": False}),
        calls=MODULES,
        # One dropout at a time: theirs draws those of the heads first, ours that of the main line.
        variants={
            "with heads, their dropout": Case(
                {"aux": True, "dropout_rate": 0},
                {"aux_logits": True, "init_weights": False, "dropout": 0.0},
                LATER,
            ),
            "with heads, the other dropout": Case(
                {"aux": True, "aux_dropout_rate": 0},
                {"aux_logits": True, "init_weights": False, "dropout_aux": 0.0},
                LATER,
            ),
        },
    ),
    "inception_v3": Special(
        Case(theirs={"init_weights": False}, reason=f"{LATER}; {DROPPED}", apart=OF_DROPS),
        shape=(3, 299, 299),  # the least that the head takes
        calls=MODULES,
        counted={"aux": False},  # theirs are those of evaluation, which runs no head
        variants={
            "without the head": Case({"aux": False}, {"aux_logits": False, "init_weights": False}, DROPPED, OF_DROPS)
        },
    ),
    "shufflenet_*": Special(Case(reason=f"{SHUFFLED}; {AVERAGED}", apart=OF_SHUFFLES | OF_MEANS), calls=MODULES),
    "efficientnet_*": Special(
        Case(
            reason=f"{ADDED_THERE}; {DROPPED_THERE}",
            apart=OF_ADDS | OF_DROPS_IN_VIEWS,
        )
    ),
    "mnasnet*": Special(Case(reason=f"{AVERAGED}; {DROPPED_THERE}", apart=OF_MEANS | OF_DROPS | {"view"})),
    "mobilenet_v3_*": Special(
        Case(
            reason=f"{ADDED_THERE}; {GATED}",
            apart=OF_ADDS | OF_GATES,
        )
    ),
    "vit_h_14": Special(Case(reason=PERMUTED), shape=(3, 56, 56), sized="image", smaller=_smaller(56)),
    "vit_*": Special(Case(reason=PERMUTED), sized="image", smaller=_smaller(64)),
    "convnext_*": Special(Case(reason=VIEWED, apart=frozenset({"permute"}))),
    "swin_*": Special(
        Case(reason=f"{VIEWED}; {MASKED}", apart=frozenset({"add", "mul", "new_zeros", "permute", "view"})),
        sized="image",
        order="theirs makes a linear layer before the norm that runs first",
    ),
    "maxvit_t": Special(
        Case(reason=f"{VIEWED}; {PARTITIONED}; {GATED}", apart=OF_PARTITIONS | {"silu", "silu_"}),
        shape=(3, 224, 224),  # its windows divide no other
    ),
    "fcn_*": Special(_labels(True), variants={"alone": _labels(False)}),
    "deeplabv3_mobilenet_v3_large": Special(
        _labels(True, ADDED_THERE, apart=OF_ADDS),
        calls=TAPPED,
        variants={"alone": _labels(False, ADDED_THERE, apart=OF_ADDS)},
    ),
    "deeplabv3_*": Special(_labels(True), variants={"alone": _labels(False)}),
    "lraspp_*": Special(
        Case(
            theirs={"weights_backbone": None},
            reason=f"{ADDED_THERE}; {GATED}",
            apart=OF_ADDS | OF_GATES,
        ),
        calls=TAPPED,
    ),
    "r3d_18": VIDEO,
    "mc3_18": VIDEO,
    "r2plus1d_18": VIDEO,
    "s3d": Special(
        Case(reason=AVERAGED, apart=OF_MEANS | {"view"}),
        shape=(3, 13, 209, 209),  # the least that its last pooling takes
    ),
    "regnet_y_*": Special(Case(reason=GATED, apart=OF_GATES)),
}
"""By name, or by a pattern; the first that fits counts."""


def special(name: str) -> Special:
    """What is special of a network."""
    return next((found for pattern, found in SPECIAL.items() if fnmatchcase(name, pattern)), Special())


def cases(name: str) -> dict[str, Case]:
    """Every form in which a network is proven, the network itself under no name."""
    found = special(name)
    return {"": found.case, **found.variants}
