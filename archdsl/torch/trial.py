"""One forward and one backward pass of a module, on random inputs: that it runs, and gives what the graph says."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import nn

    from archdsl.graph import Graph
    from archdsl.layers.tensor import Size, Tensor


@dataclass(frozen=True, slots=True)
class Trial:
    """What a pass gave. Times are those of a first pass, in seconds."""

    device: str
    batch: int
    forward: float
    backward: float
    outputs: tuple[tuple[int, ...], ...]
    """The shapes that came out, with the batch axis."""
    problems: tuple[str, ...]
    """Where the module differs from its graph; empty for a right one."""


def trial(
    module: nn.Module, graph: Graph, device: torch.device | None = None, batch: int = 2, training: bool = True
) -> Trial:
    """Runs a module in training mode, forward and backward, on `device` or else the best one there is.

    One that is not for `training` runs as it is, and backward only as far as its parameters ask for gradients.

    The loss is the sum of the squared means of all floating outputs. The module is left on that device, its statistics
    (as of batch normalization) changed by the pass.

    Raises:
        ValueError: where a size of an input is open.
        RuntimeError: where the module fails, or the device has too little memory.
    """
    device = device or best_device()
    generator = torch.Generator().manual_seed(0)
    inputs = [_random(each.tensor, batch, generator).to(device) for each in graph.inputs]
    module = module.to(device)
    if training:
        module.train()
    began = _now(device)
    result = module(*inputs)
    between = _now(device)
    outputs = [result] if isinstance(result, torch.Tensor) else list(result)
    floating = [output for output in outputs if output.is_floating_point() and output.requires_grad]
    if floating:
        torch.stack([output.float().mean().square() for output in floating]).sum().backward()  # type: ignore[no-untyped-call]
    ended = _now(device)
    shapes = tuple(tuple(output.shape) for output in outputs)
    problems = (*_differences(graph, shapes, batch), *_unreached(module))
    return Trial(name_of(device), batch, between - began, ended - between, shapes, problems)


def best_device() -> torch.device:
    """The accelerator that torch finds (cuda, mps, xpu), or else the CPU."""
    found = torch.accelerator.current_accelerator(check_available=True)
    return found or torch.device("cpu")


def name_of(device: torch.device) -> str:
    """A device for readers: `cuda (NVIDIA H200)`."""
    return f"cuda ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def _now(device: torch.device) -> float:
    """The time, once the device has done all that it was given."""
    if device.type != "cpu":
        torch.accelerator.synchronize(device)
    return perf_counter()


def _random(tensor: Tensor, batch: int, generator: torch.Generator) -> torch.Tensor:
    sizes = [size for size in tensor.dims if isinstance(size, int)]
    if len(sizes) != len(tensor.dims):
        raise ValueError(f"a size of the input is open: {tensor}")
    shape = (batch, *sizes)
    if tensor.kind == "ids":
        return torch.randint(tensor.vocabulary or 1, shape, generator=generator)
    return torch.randn(shape, generator=generator)


def _differences(graph: Graph, shapes: Sequence[tuple[int, ...]], batch: int) -> list[str]:
    expected: list[tuple[str, tuple[Size, ...]]] = [
        (output.name, (batch, *graph.tensor(output.value).dims)) for output in graph.outputs
    ]
    if len(expected) != len(shapes):
        return [f"the module gives {len(shapes)} results, the graph {len(expected)}"]
    return [
        f"{name} is {_written(shape)}, where the graph says {_written(said)}"
        for (name, said), shape in zip(expected, shapes, strict=True)
        if len(said) != len(shape) or any(isinstance(s, int) and s != got for s, got in zip(said, shape, strict=True))
    ]


def _unreached(module: nn.Module) -> list[str]:
    """The parameters that no gradient reached: what depends on them is not in any output."""
    names = [
        name for name, parameter in module.named_parameters() if parameter.requires_grad and parameter.grad is None
    ]
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return [f"no gradient reaches {shown}"] if names else []


def _written(shape: Sequence[Size]) -> str:
    return "x".join(map(str, shape))
