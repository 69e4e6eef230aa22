"""Calls of every layer that ships, and inputs for each: what all tests over the catalog run on."""

from __future__ import annotations

from typing import Any, NamedTuple

from archdsl.layers import STANDARD, Layer, Tensor


class Example(NamedTuple):
    layer: Layer
    inputs: tuple[Tensor, ...]

    def __str__(self) -> str:
        arguments = " ".join(f"{name}={getattr(self.layer, name)}" for name in sorted(self.layer.model_fields_set))
        return f"{self.layer.word} {arguments} on {', '.join(map(str, self.inputs))}"


def tensor(text: str) -> Tensor:
    """`8x9x10` is a map, `tokens 5x8`, `vector 8`, `ids 6 of 11` are what they say."""
    kind, _, rest = text.rpartition(" ") if "ids" not in text else ("ids", "", text.split()[1])
    dims = tuple(int(size) if size.isdigit() else size for size in rest.split("x"))
    return Tensor(kind or "map", dims, int(text.split()[-1]) if kind == "ids" else None)  # type: ignore[arg-type]


def example(word: str, arguments: dict[str, Any], *inputs: str) -> Example:
    layer = STANDARD.find(word)
    assert layer is not None, word
    return Example(layer(**arguments), tuple(map(tensor, inputs)))


MAPS = ("8x9", "8x9x8", "8x5x6x7")
VECTOR = ("vector 8",)
TOKENS = ("tokens 5x8",)
ALL = (*MAPS, *TOKENS, *VECTOR)

# word: arguments, and the inputs to run each on; inputs of several values are joined by a bar.
TABLE: dict[str, list[tuple[dict[str, Any], tuple[str, ...]]]] = {
    "conv": [
        ({"channels": 4}, MAPS),
        ({"channels": 4, "kernel": 3, "stride": 2, "padding": 1}, MAPS),
        ({"channels": 4, "kernel": 4, "padding": "same", "dilation": 2, "bias": False}, MAPS[:2]),
        ({"channels": 4, "kernel": (1, 3), "padding": (0, 2), "stride": (2, 1), "groups": 4}, ("8x9x8",)),
        ({"channels": 8, "kernel": 3, "padding": 1, "groups": 8, "padding_mode": "reflect"}, MAPS),
        ({"channels": 4, "kernel": 3, "init": "kaiming"}, MAPS),
    ],
    "upconv": [
        ({"channels": 4, "kernel": 2, "stride": 2}, MAPS),
        ({"channels": 4, "kernel": 3, "stride": 2, "padding": 1, "output_padding": 1, "bias": False}, MAPS),
        (
            {"channels": 6, "kernel": (3, 2), "stride": (2, 3), "dilation": (3, 2), "groups": 2, "init": "xavier"},
            ("8x9x8",),
        ),
    ],
    "pool": [
        ({"kernel": 2}, MAPS),
        ({"kernel": 3, "stride": 2, "padding": 1}, MAPS),
        ({"kernel": 3, "stride": 2, "ceil": True}, MAPS),
        ({"kernel": (3, 2), "stride": (1, 3), "padding": (1, 0), "dilation": (2, 1)}, ("8x9x8",)),
    ],
    "avgpool": [
        ({"kernel": 2}, MAPS),
        ({"kernel": 3, "stride": 2, "padding": 1, "count_include_pad": False}, MAPS),
        ({"kernel": 2, "stride": 3, "ceil": True}, MAPS),
    ],
    "adaptive_avgpool": [({"size": 3}, MAPS), ({"size": 1}, MAPS), ({"size": (9, 4)}, ("8x9x8",))],
    "adaptive_maxpool": [({"size": 3}, MAPS), ({"size": (2, 5)}, ("8x9x8",))],
    "gap": [({}, MAPS)],
    "gmp": [({}, MAPS)],
    "bn": [
        ({}, (*MAPS, *VECTOR)),
        ({"eps": 0.001, "momentum": 0.01}, MAPS),
        ({"affine": False}, MAPS),
        ({"track": False}, VECTOR),
    ],
    "instancenorm": [({}, MAPS), ({"affine": True, "track": True, "eps": 0.1, "momentum": 0.2}, MAPS)],
    "groupnorm": [({"groups": 4}, (*MAPS, *VECTOR)), ({"groups": 8, "affine": False, "eps": 0.1}, MAPS)],
    "layernorm": [({}, ALL), ({"affine": False}, ALL), ({"eps": 1e-6, "bias": False}, ALL)],
    "rmsnorm": [({}, ALL), ({"eps": 1e-6, "affine": False}, ALL)],
    "lrn": [({"size": 5}, MAPS), ({"size": 3, "alpha": 0.1, "beta": 0.5, "k": 2}, MAPS)],
    "leaky_relu": [({}, ALL), ({"negative_slope": 0.2}, ALL)],
    "rrelu": [({}, ALL), ({"lower_bound": 0.1, "upper_bound": 0.2}, ALL)],
    "elu": [({}, ALL), ({"alpha": 0.5}, ALL)],
    "celu": [({}, ALL), ({"alpha": 0.5}, ALL)],
    "gelu": [({}, ALL), ({"approximate": "tanh"}, ALL)],
    "hardtanh": [({}, ALL), ({"min_val": 0, "max_val": 2}, ALL)],
    "hardshrink": [({}, ALL), ({"lambd": 0.2}, ALL)],
    "softshrink": [({}, ALL), ({"lambd": 0.2}, ALL)],
    "softplus": [({}, ALL), ({"beta": 2, "threshold": 10}, ALL)],
    "threshold": [({"threshold": 0.1, "value": -1}, ALL)],
    "glu": [({}, ALL)],
    "prelu": [({}, ALL), ({"per_channel": True, "init": 0.1}, (*MAPS, *VECTOR))],
    "dropout": [({}, ALL), ({"p": 0.2}, ALL), ({"p": 1}, ALL)],
    "channel_dropout": [({}, MAPS), ({"p": 0.2}, MAPS)],
    "alpha_dropout": [({"p": 0.2}, ALL)],
    "stochastic_depth": [({"p": 0.2}, ALL), ({"p": 1}, ALL), ({"p": 0.2, "mode": "batch"}, ALL)],
    "fc": [({"features": 3}, (*TOKENS, *VECTOR)), ({"features": 3, "bias": False, "init": "zero"}, VECTOR)],
    "pointwise": [({"features": 3}, MAPS), ({"features": 3, "bias": False, "init": "zero"}, ("8x9x8",))],
    "layer_scale": [({}, ALL), ({"value": 0.1}, ALL)],
    "positions": [({}, TOKENS), ({"std": 0.5}, TOKENS)],
    "l2norm": [({}, ALL), ({"value": 20}, ALL)],
    "class_token": [({}, TOKENS)],
    "queries": [({"count": 3}, ALL), ({"count": 100, "std": 1}, TOKENS)],
    "position_encoding": [
        ({}, ("8x9", "8x9x8", "6x3x2x2", "tokens 5x8")),
        ({"temperature": 100, "normalize": True}, ("8x9x8", "tokens 7x8")),
    ],
    "attention": [
        ({"heads": 2}, TOKENS),
        ({"heads": 4, "dropout": 0.5, "bias": False}, ("tokens 7x8",)),
        ({"heads": 2}, ("tokens 7x8|tokens 5x8", "tokens 7x8|tokens 5x8|tokens 5x8", "tokens 1x8|tokens 5x8")),
    ],
    "window_attention": [
        ({"heads": 2}, ("8x14x21", "8x9x8", "8x5x5")),
        ({"heads": 4, "window": 4, "shift": 2}, ("8x8x8", "8x9x3", "8x9x10", "8x4x3")),
        ({"heads": 2, "window": 4, "cosine": True}, ("8x8x8",)),
        ({"heads": 2, "window": 4, "shift": 1, "cosine": True}, ("8x9x10",)),
    ],
    "partition_attention": [
        ({"heads": 2}, ("8x14x21", "8x7x7")),
        ({"heads": 4, "window": 3, "grid": True}, ("8x9x6", "8x3x3")),
    ],
    "embedding": [({"features": 3}, ("ids 6 of 11",)), ({"features": 3, "padding_idx": 0}, ("ids 6 of 11",))],
    "id": [({}, (*ALL, "ids 6 of 11"))],
    "sub": [({}, tuple(f"{x}|{x}" for x in ALL)), ({}, ("8x9x8|8x1x1", "1x9x8|8x9x8"))],
    "div": [({}, tuple(f"{x}|{x}" for x in ALL))],
    "cat": [
        ({}, tuple(f"{x}|{x}" for x in ALL)),
        ({}, ("8x9x8|3x9x8|1x9x8", "tokens 5x8|tokens 5x3", "vector 3|vector 5")),
    ],
    "flatten": [({}, ALL)],
    "reshape": [
        ({"size": (2, 2, 2)}, VECTOR),
        ({"size": 8}, VECTOR),
        ({"size": (4, 10)}, TOKENS),
        ({"size": (12, 2, 3)}, ("8x9", "2x6x6", "6x3x2x2")),
    ],
    "to_tokens": [({}, MAPS)],
    "to_map": [({}, TOKENS), ({"size": 5}, TOKENS), ({"size": (2, 3)}, ("tokens 6x8",))],
    "token": [({"index": 0}, TOKENS), ({"index": -1}, TOKENS), ({"index": 3}, TOKENS)],
    "patches": [({}, ("8x8x6", "8x9x8", "8x9x7")), ({"size": 3}, ("8x9x8",)), ({"size": 1}, ("8x9x8",))],
    "split": [({"parts": 2}, ALL), ({"parts": (5, 2, 1)}, ALL)],
    "shuffle": [({"groups": 4}, MAPS), ({"groups": 1}, MAPS)],
    "pad": [
        ({"amounts": 1}, MAPS),
        ({"amounts": 0}, MAPS),
        ({"amounts": (1, 2)}, ("8x9x8", "8x9")),
        ({"amounts": (1, 2, 3, 0)}, ("8x9x8",)),
        ({"amounts": (1, 2, 3, 0, 1, 4), "value": 0.5}, ("8x5x6x7",)),
        ({"amounts": 4, "mode": "reflect"}, MAPS),
        ({"amounts": 5, "mode": "circular"}, MAPS),
        ({"amounts": 7, "mode": "replicate"}, MAPS),
    ],
    "crop": [
        ({"amounts": 1}, MAPS),
        ({"amounts": (1, 2, 3, 0)}, ("8x9x8",)),
        ({"like": True}, ("8x9|3x4", "8x9x8|4x9x3", "8x5x6x7|8x4x3x2")),
    ],
    "upsample": [
        ({"factor": 2}, MAPS),
        ({"factor": 3, "mode": "linear"}, MAPS),
        ({"factor": (2, 1), "mode": "bilinear", "align_corners": True}, ("8x9x8",)),
        ({"size": 11, "mode": "area"}, MAPS),
        ({"size": (11, 4), "mode": "bicubic"}, ("8x9x8",)),
        ({"size": 4, "mode": "trilinear"}, ("8x5x6x7",)),
        ({"like": True}, ("8x9|3x4", "8x9x8|4x19x3", "8x5x6x7|8x7x3x12")),
        ({"like": True, "mode": "linear", "align_corners": True}, ("8x9|3x4", "8x9x8|4x19x3")),
    ],
    "pixel_shuffle": [({"factor": 2}, ("8x9x8",)), ({"factor": 1}, ("8x9x8",))],
    "pixel_unshuffle": [({"factor": 2}, ("8x6x8",)), ({"factor": 1}, ("8x6x8",))],
}

# Layers that need no argument and take every kind.
_PLAIN = (
    "relu",
    "relu6",
    "selu",
    "silu",
    "mish",
    "hardswish",
    "hardsigmoid",
    "tanhshrink",
    "sigmoid",
    "logsigmoid",
    "tanh",
    "softsign",
    "softmax",
    "log_softmax",
    "softmin",
    "abs",
    "square",
    "sqrt",
    "exp",
    "log",
    "neg",
)
TABLE |= {word: [({}, ALL)] for word in _PLAIN}

# Merges of any number of values, of which some stretch.
_STRETCHED = ("8x9x8|8x1x1", "8x1x1|8x9x8", "1x9x1|8x1x1|1x1x8", "tokens 5x8|tokens 1x8", "vector 8|vector 1")
TABLE |= {
    word: [({}, (*(f"{x}|{x}" for x in ALL), *(f"{x}|{x}|{x}" for x in ALL), *_STRETCHED))]
    for word in ("add", "mul", "maximum", "minimum", "mean")
}

EXAMPLES = [
    example(word, arguments, *inputs.split("|"))
    for word, calls in TABLE.items()
    for arguments, several in calls
    for inputs in several
]
