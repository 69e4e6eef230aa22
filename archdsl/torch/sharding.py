"""A module spread over the processes of a group, unit by unit: torch's FSDP2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.distributed.fsdp import FSDPModule, fully_shard

from archdsl.errors import ArchError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn
    from torch.distributed.device_mesh import DeviceMesh


def shard(module: nn.Module, units: Sequence[str], mesh: DeviceMesh | None, **options: Any) -> nn.Module:
    """The module itself, of which each process then holds a part: of each unit, and of what stands in none.

    Raises:
        ArchError: where there is no group of processes, or the module is not of these units, is compiled or sharded.
    """
    if mesh is None and not torch.distributed.is_initialized():
        raise ArchError(
            "there is no group of processes to shard over: start the program by torchrun and call "
            "torch.distributed.init_process_group(), or give mesh="
        )
    if isinstance(module, FSDPModule):
        raise ArchError("the module is sharded already")
    if module._compiled_call_impl is not None:
        raise ArchError(
            'a compiled module cannot be sharded: take mode="eager", shard it, and then compile its units: '
            "for path in net.units: model.get_submodule(path).compile()"
        )
    try:
        parts = [module.get_submodule(path) for path in units]
    except AttributeError as problem:
        raise ArchError(f"the module is not of this network: {problem}") from None
    for part in parts:
        fully_shard(part, mesh=mesh, **options)
    fully_shard(module, mesh=mesh, **options)
    return module
