"""Files of weights, read as nothing but tensors."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.error import URLError

import torch

from archdsl.errors import WeightsError

State = Mapping[str, torch.Tensor]


def read_file(path: Path) -> State:
    """The tensors of a file by their names: of safetensors, or a `state_dict()` that torch saved.

    Raises:
        WeightsError: where it holds something else.
    """
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
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
    return renamed({str(key): value for key, value in state.items()})


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
