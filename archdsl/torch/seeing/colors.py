"""Colours for numbers from 0 to 1.

The map is `inferno` of Nathaniel Smith and Stéfan van der Walt (https://bids.github.io/colormap/, CC0): perceptually
uniform, readable in gray and to the colour-blind. Here it is every eighth of its 256 colours, with straight lines
between them.
"""

from __future__ import annotations

import torch
from torch import Tensor

_INFERNO = (
    "000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e 7d1e6d 8a226a 972766 a32c61 b0315b "
    "bc3754 c63d4d d04545 da4e3c e35933 eb6429 f1711f f67e14 f98c0a fb9b06 fcaa0f fbba1f f9c932 f5d949 f2e865 f3f586 "
    "fcffa4"
)
_KNOTS = torch.tensor([list(bytes.fromhex(color)) for color in _INFERNO.split()], dtype=torch.float64) / 255


def inferno(values: Tensor) -> Tensor:
    """The colours of H x W numbers, 3 x H x W from 0 to 1; what lies outside of 0 to 1 is cut off, NaN is 0."""
    at = values.detach().double().cpu().nan_to_num(0).clamp(0, 1) * (len(_KNOTS) - 1)
    below = at.floor().long().clamp(max=len(_KNOTS) - 2)
    part = (at - below)[..., None]
    return (_KNOTS[below] * (1 - part) + _KNOTS[below + 1] * part).movedim(-1, 0)
