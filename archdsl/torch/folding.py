"""The numbers of batch norms and layer scales, taken over by the convolutions and matrices before them."""

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
    takers: dict[str, list[str]] = {}
    for path, taken in pairs:
        takers.setdefault(path, []).append(taken)
    for path, others in takers.items():
        layer: Any = module.get_submodule(path)
        weight, bias = _exact(layer.weight), _exact(layer.bias)
        for taken in others:
            if taken in state:  # a scale is no module, but a parameter of the one that holds it
                weight, bias = _scaled(layer, weight, bias, _exact(state.pop(taken)))
                continue
            norm = module.get_submodule(taken)
            weight, bias = _normalized(layer, weight, bias, norm)
            for name in norm.state_dict():
                del state[f"{taken}.{name}"]
        kind = layer.weight.dtype
        state[f"{path}.weight"] = weight.to(kind)
        if bias is not None:
            state[f"{path}.bias"] = bias.to(kind)
    return state


def _exact(tensor: torch.Tensor | None) -> Any:
    return None if tensor is None else tensor.detach().double()


def _scaled(
    layer: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None, scale: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Weight and bias of a layer whose channels are multiplied, each by its number."""
    scale = scale.flatten()
    axis = 1 if _is_transposed(layer) else 0
    along = [-1 if each == axis else 1 for each in range(weight.ndim)]
    return weight * scale.view(along), None if bias is None else bias * scale


def _normalized(
    layer: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None, norm: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weight and bias of a layer and a norm together."""
    mean, variance = _exact(norm.running_mean), _exact(norm.running_var)
    scale = torch.ones_like(mean) if norm.weight is None else _exact(norm.weight)
    shift = torch.zeros_like(mean) if norm.bias is None else _exact(norm.bias)
    given = (weight, bias, mean, variance, norm.eps, scale, shift)
    if isinstance(layer, nn.Linear):
        fused = fuse_linear_bn_weights(*given)
    else:
        fused = fuse_conv_bn_weights(*given, transpose=_is_transposed(layer))
    return fused[0].detach(), fused[1].detach()


def _is_transposed(layer: nn.Module) -> bool:
    return isinstance(layer, nn.modules.conv._ConvTransposeNd)
