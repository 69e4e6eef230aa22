"""The numbers of batch norms, taken over by the convolutions and matrices before them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.utils.fusion import fuse_conv_bn_weights, fuse_linear_bn_weights

if TYPE_CHECKING:
    from collections.abc import Iterable

    from archdsl.lowering.folding import Pair


def folded_state(module: nn.Module, pairs: Iterable[Pair]) -> dict[str, torch.Tensor]:
    """The tensors of the folded module, from one that is not folded, which stays as it is.

    What is folded is computed in float64 and rounded once.
    """
    state = {key: value.detach().clone() for key, value in module.state_dict().items()}
    for layer_path, norm_path in pairs:
        layer, norm = module.get_submodule(layer_path), module.get_submodule(norm_path)
        weight, bias = _fused(layer, norm)
        kind = state[f"{layer_path}.weight"].dtype
        state[f"{layer_path}.weight"], state[f"{layer_path}.bias"] = weight.to(kind), bias.to(kind)
        for name in norm.state_dict():
            del state[f"{norm_path}.{name}"]
    return state


def _fused(layer: Any, norm: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a layer and a norm together, in float64."""
    mean, variance = norm.running_mean.double(), norm.running_var.double()
    scale = torch.ones_like(mean) if norm.weight is None else norm.weight.double()
    shift = torch.zeros_like(mean) if norm.bias is None else norm.bias.double()
    weight = layer.weight.double()
    bias = None if layer.bias is None else layer.bias.double()
    given = (weight, bias, mean, variance, norm.eps, scale, shift)
    if isinstance(layer, nn.Linear):
        fused = fuse_linear_bn_weights(*given)
    else:
        fused = fuse_conv_bn_weights(*given, transpose=isinstance(layer, nn.modules.conv._ConvTransposeNd))
    return fused[0].detach(), fused[1].detach()
