"""A module made ready to run as its settings say: on a device, in a type, laid out, folded, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError
from archdsl.torch.trial import best_device

if TYPE_CHECKING:
    from archdsl.lowering.modes import Settings

_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
_DEVICES = ("cpu", "cuda", "xpu", "mps", "meta")
_COMPILED = ("cuda", "xpu")
"""The accelerators for which torch's compiler writes kernels and that have bfloat16."""
_FIRST_WITH_BFLOAT16 = (8, 0)
"""The compute capability of CUDA devices from which on they compute in bfloat16 (Ampere)."""


def chosen_device(written: object, preset: str | None) -> tuple[str | None, bool]:
    """The device that is meant, and whether it is fast; with a preset and without a word the best one there is.

    Raises:
        ArchError: for a word that is no device.
    """
    if written is None and preset is None:
        return None, False
    device = best_device() if written is None else _device(written)
    return str(device), _is_fast(device)


def _device(written: object) -> torch.device:
    try:
        return torch.device(written)  # type: ignore[call-overload,no-any-return]
    except (RuntimeError, TypeError):
        word = str(written).partition(":")[0]
        near = "cuda" if word == "gpu" else nearest(word, _DEVICES)
        hint = f"did you mean {near!r}?" if near else f"choose from {', '.join(map(repr, _DEVICES))}"
        raise ArchError(f"device={written!r} means nothing here; {hint}") from None


def _is_fast(device: torch.device) -> bool:
    """Whether a device computes in bfloat16, and torch compiles for it."""
    if device.type != "cuda":
        return device.type in _COMPILED
    return torch.cuda.is_available() and torch.cuda.get_device_capability(device) >= _FIRST_WITH_BFLOAT16


def placed(module: nn.Module, how: Settings) -> nn.Module:
    """The module itself, as its settings say; its source says the rest.

    Raises:
        ArchError: where its device is not to be had.
    """
    if how.dtype in ("bfloat16", "float16"):
        _cast(module, getattr(torch, how.dtype))
    if how.device is not None:
        try:
            module.to(how.device)
        except (RuntimeError, AssertionError) as problem:  # the latter where torch is built without CUDA
            reason = str(problem).partition("\n")[0]
            raise ArchError(f"the module cannot be put on {how.device}: {reason}") from None
    if how.memory_format == "channels_last":
        _turn(module)
    if how.inference:
        module.eval().requires_grad_(False)
    if how.mode != "eager":
        module.compile(fullgraph=True, mode=how.mode)
    return module


def _cast(module: nn.Module, kind: torch.dtype) -> None:
    """Weights in another type; normalizations by running statistics keep theirs, since an average needs the digits."""
    for part in module.modules():
        if isinstance(part, nn.modules.batchnorm._NormBase):
            continue
        for parameter in part.parameters(recurse=False):
            parameter.data = parameter.data.to(kind)
        for name, buffer in part.named_buffers(recurse=False):
            if buffer.is_floating_point():
                setattr(part, name, buffer.to(kind))


def _turn(module: nn.Module) -> None:
    """Weights that go over maps lie in memory with their channels last; what they give then does so too.

    As `nn.Module.to` does it: with one channel or one place, where several orders are the same, strides tell which.
    """
    for parameter in module.parameters():
        if parameter.dim() in _LAST:
            parameter.data = parameter.data.to(memory_format=_LAST[parameter.dim()])
