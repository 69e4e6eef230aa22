"""What torch holds in memory while it runs, tensor by tensor, on any device, `meta` included."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


def tensors(result: Any) -> list[torch.Tensor]:
    return [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor)]


class Tracker(TorchDispatchMode):
    """Counts the bytes of all storages that are alive; `peak` is the most that was after any one operation."""

    def __init__(self, before: Iterable[torch.Tensor]) -> None:
        super().__init__()
        self.alive: dict[int, Any] = {}
        self.now = self.peak = 0
        for tensor in before:
            self.add(tensor)

    def add(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        if key in self.alive:
            return

        def gone(_: object) -> None:
            if self.alive.pop(key, None) is not None:
                self.now -= size

        self.alive[key] = weakref.ref(storage, gone)
        self.now += size
        self.peak = max(self.peak, self.now)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for tensor in tensors(result):
            self.add(tensor)
        return result
