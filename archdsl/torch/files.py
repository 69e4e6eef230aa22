"""Files of weights, read as nothing but tensors."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError
from zipfile import ZIP_STORED, BadZipFile, ZipFile

import torch

from archdsl import limits
from archdsl.diagnostics.escape import printable
from archdsl.errors import WeightsError

State = Mapping[str, torch.Tensor]


def read_file(path: Path) -> State:
    """The tensors of a file by their names: of safetensors, or a `state_dict()` that torch saved.

    Raises:
        WeightsError: where it holds something else.
    """
    _check_archive(path)
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            # In memory of their own, as torch lays it out: where they begin decides in which order sums are made.
            state: Any = {key: value.clone() for key, value in load_file(path).items()}
        else:
            with warnings.catch_warnings():  # of sparse tensors, which are refused below
                warnings.filterwarnings("ignore", ".*[Ss]parse.*", UserWarning)
                state = torch.load(path, map_location="cpu", weights_only=True)
    except ModuleNotFoundError:
        raise WeightsError(f"{path.name} needs the package safetensors: pip install safetensors") from None
    except Exception as problem:  # noqa: BLE001  # of any kind: what a file holds is not ours
        raise WeightsError(f"{path.name} holds no weights: {reason(problem)}") from None
    for name in ("state_dict", "model"):  # what training scripts put them in
        if isinstance(state, Mapping) and isinstance(state.get(name), Mapping):
            state = state[name]
    if not isinstance(state, Mapping) or not all(isinstance(each, torch.Tensor) for each in state.values()):
        raise WeightsError(f"{path.name} holds no weights: it is no mapping of names to tensors")
    found = {str(key): value for key, value in state.items()}
    for key, value in found.items():
        if len(key) > _LONGEST:
            raise WeightsError(f"{path.name} holds a tensor whose name has {len(key):,} characters")
        if value.layout != torch.strided or value.is_nested or value.is_quantized or value.is_meta:
            raise WeightsError(f"{path.name} holds {printable(key)}, which is no plain tensor of numbers")
    return renamed(found)


_LONGEST = 8 * limits.NAME_CHARACTERS
"""The longest name of a tensor, as of a path in a spec."""


def _check_archive(path: Path) -> None:
    """Sees that an archive of torch's holds what it weighs: torch compresses nothing, and what is compressed may grow.

    Raises:
        WeightsError: where it does not.
    """
    try:
        with ZipFile(path) as archive:
            entries = archive.infolist()
    except (BadZipFile, OSError, ValueError, NotImplementedError):
        return  # what reads it says what it is instead
    if any(each.compress_type != ZIP_STORED for each in entries):
        raise WeightsError(f"{path.name} is compressed, as torch never writes it; it is not unpacked")


_FLOATS = frozenset({torch.float64, torch.float32, torch.float16, torch.bfloat16})
_WHOLES = frozenset({torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool})


def is_alike(here: torch.Tensor, given: torch.Tensor) -> bool:
    """Whether a tensor may take the place of another: fractions of any precision those of fractions."""
    return any(here.dtype in kind and given.dtype in kind for kind in (_FLOATS, _WHOLES))


def typed(tensor: torch.Tensor) -> str:
    """The type of a tensor's numbers."""
    return str(tensor.dtype).removeprefix("torch.")


_OLD_DENSENET = re.compile(
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var))$"
)


def renamed(state: State) -> State:
    """The tensors by the names that they have today: of DenseNet old files are published."""
    return {_OLD_DENSENET.sub(r"\1\2", key): value for key, value in state.items()}


def reason(problem: BaseException) -> str:
    """What went wrong, in a line."""
    text = str(problem.reason) if isinstance(problem, URLError) else str(problem)
    if text.startswith("Weights only load failed"):  # torch goes on to advise what runs code of the file
        return "it is no file of torch's, or holds more than tensors"
    return text.partition("\n")[0] or type(problem).__name__
