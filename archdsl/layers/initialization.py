"""The named initialisations of weights: `conv 64 k3 init=kaiming`."""

from __future__ import annotations

from typing import Literal, TypeAlias

from archdsl.layers.call import Initializer

Initialization: TypeAlias = Literal[
    "default",
    "kaiming",
    "kaiming_uniform",
    "xavier",
    "xavier_uniform",
    "trunc_normal",
    "normal",
    "zero",
    "one",
]
"""Torch's own default, or: kaiming (normal, fan out, for relu), kaiming_uniform (the same, uniform), xavier (normal),
xavier_uniform, trunc_normal (deviation 0.02), normal (deviation 0.02), zero, one. Other than with `default`, a bias
becomes zero."""

_RULES: dict[str, tuple[str, tuple[tuple[str, int | float | bool | str | None], ...]]] = {
    "kaiming": ("nn.init.kaiming_normal_", (("mode", "fan_out"), ("nonlinearity", "relu"))),
    "kaiming_uniform": ("nn.init.kaiming_uniform_", (("mode", "fan_out"), ("nonlinearity", "relu"))),
    "xavier": ("nn.init.xavier_normal_", ()),
    "xavier_uniform": ("nn.init.xavier_uniform_", ()),
    "trunc_normal": ("nn.init.trunc_normal_", (("std", 0.02),)),
    "normal": ("nn.init.normal_", (("std", 0.02),)),
    "zero": ("nn.init.zeros_", ()),
    "one": ("nn.init.ones_", ()),
}


def initializers(init: str, bias: bool) -> tuple[Initializer, ...]:
    """The lines that a layer with a `weight`, and perhaps a `bias`, adds for its initialisation."""
    if init == "default":
        return ()
    function, options = _RULES[init]
    weight = Initializer(function, "weight", options)
    return (weight, Initializer("nn.init.zeros_", "bias")) if bias else (weight,)
