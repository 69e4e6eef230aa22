"""The layers: what each is called, takes, gives, weighs and becomes in torch."""

from archdsl.layers.base import (
    GLOBAL,
    POINTWISE,
    UNKNOWN_REACH,
    Argument,
    Layer,
    Problem,
    Reach,
    Signature,
    option,
    positional,
    reference,
)
from archdsl.layers.call import Call, Expression, Initializer
from archdsl.layers.catalog import STANDARD, Catalog, installed
from archdsl.layers.geometry import Adaptive, Geometry, Resampled, TransposedWindow, Window
from archdsl.layers.tensor import ANY, UNKNOWN, Kind, Size, Tensor

__all__ = [
    "ANY",
    "GLOBAL",
    "POINTWISE",
    "STANDARD",
    "UNKNOWN",
    "UNKNOWN_REACH",
    "Adaptive",
    "Argument",
    "Call",
    "Catalog",
    "Expression",
    "Geometry",
    "Initializer",
    "Kind",
    "Layer",
    "Problem",
    "Reach",
    "Resampled",
    "Signature",
    "Size",
    "Tensor",
    "TransposedWindow",
    "Window",
    "installed",
    "option",
    "positional",
    "reference",
]
