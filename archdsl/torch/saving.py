"""Weights of a module in a file of safetensors, with what the file carries besides, and back into a module."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from torch import nn

from archdsl.diagnostics.escape import printable
from archdsl.errors import WeightsError
from archdsl.files import staged
from archdsl.torch.execute import empty, filled
from archdsl.torch.files import is_alike, read_file, typed

if TYPE_CHECKING:
    import torch

    from archdsl.lowering.program import Program

_SHOWN = 6
_KEY = "archdsl"


def save(program: Program, model: nn.Module, path: Path, carried: str) -> Path:
    """Writes the weights of a module, and beside them a text.

    Tensors that share memory are written each on its own, and those of other devices or with channels last as usual.

    Raises:
        WeightsError: where the module is not one of the program's, or the name is another format's.
        OSError: where the file cannot be written.
    """
    if path.suffix != ".safetensors":
        raise WeightsError(f"what is written is safetensors: save(model, {str(path.with_suffix('.safetensors'))!r})")
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    state = own_state(model)
    check(program, state, "the module", "in the module")
    with staged(path) as place:
        try:
            save_file(_apart(state), place, metadata={_KEY: carried, "format": "pt"})
        except SafetensorError as problem:
            raise _of_the_system(problem) from None
    return path


def loaded(program: Program, path: Path) -> nn.Module:
    """A new module of the program with the weights of a file, in their own precision, ready for evaluation.

    Raises:
        WeightsError: where the file holds no weights, or others.
    """
    state = read_file(path)
    check(program, state, printable(path.name), "in the file")
    return filled(program, {key: value.contiguous() for key, value in state.items()}).eval()


def own_state(model: nn.Module) -> dict[str, torch.Tensor]:
    """The tensors of a module by name; of one that `torch.compile` wrapped, those of the module inside.

    Raises:
        WeightsError: where it is on the meta device, and has none.
    """
    inner = getattr(model, "_orig_mod", model)
    if not isinstance(inner, nn.Module):
        raise WeightsError(f"a module of the network is meant, not {type(model).__name__}")
    state: dict[str, torch.Tensor] = inner.state_dict()
    if any(value.is_meta for value in state.values()):
        raise WeightsError("the module is on the meta device: it has shapes and no weights")
    return state


def check(program: Program, state: Mapping[str, torch.Tensor], what: str, where: str) -> None:
    """Sees that tensors are those of a program's module, by name and shape.

    Raises:
        WeightsError: where they are not; it lists what differs.
    """
    meant = empty(program).state_dict()
    own = {key: tuple(value.shape) for key, value in meant.items()}
    given = {key: tuple(value.shape) for key, value in state.items()}
    wrong = [
        f"{printable(key)}: {_sized(own.get(key))} in the network, {_sized(given.get(key))} {where}"
        for key in (*own, *(key for key in given if key not in own))
        if own.get(key) != given.get(key)
    ]
    wrong += [
        f"{printable(key)}: {typed(value)} in the network, {typed(state[key])} {where}"
        for key, value in meant.items()
        if key in state and not is_alike(value, state[key])
    ]
    if wrong:
        listed = "".join(f"\n  {line}" for line in wrong[:_SHOWN])
        more = f"\n  ... and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
        count = "1 tensor differs" if len(wrong) == 1 else f"{len(wrong)} tensors differ"
        raise WeightsError(f"{what} is not of this network; {count}:{listed}{more}")


def _apart(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The tensors as a file has them: on the CPU, in the usual order, each in memory of its own."""
    seen: set[int] = set()
    apart = {}
    for key, value in state.items():
        plain = value.detach().cpu().contiguous()
        storage = plain.untyped_storage().data_ptr()
        apart[key] = plain.clone() if storage in seen else plain
        seen.add(storage)
    return apart


def _of_the_system(problem: Exception) -> Exception:
    """An error of the system as Python has it, where safetensors says: No space left on device (os error 28)."""
    code = re.search(r"\(os error (\d+)\)", str(problem))
    return OSError(int(code[1]), os.strerror(int(code[1]))) if code else problem


def _sized(shape: tuple[int, ...] | None) -> str:
    if shape is None:
        return "nothing"
    return "x".join(map(str, shape)) or "one number"
