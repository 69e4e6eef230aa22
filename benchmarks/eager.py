"""Forward and training step of the compiled module against torchvision's own class, on the same weights."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from benchmarks.build import NETWORKS
from benchmarks.measure import Bar, Row, in_turns

THREADS = 2
_BAR = Bar("most", 1.01)
_FORWARD = (1, 3, 224, 224)
_STEP = (4, 3, 96, 96)


def rows(seconds: float) -> list[Row]:
    import torch

    from archdsl.torch.vision import import_torchvision

    models = import_torchvision().models
    before = torch.get_num_threads()
    torch.set_num_threads(THREADS)
    try:
        return [row for name in NETWORKS for row in _rows_of(name, models, torch, seconds)]
    finally:
        torch.set_num_threads(before)


def _rows_of(name: str, models: Any, torch: Any, seconds: float) -> list[Row]:
    import archdsl

    print(f"  {name}", file=sys.stderr, flush=True)
    torch.manual_seed(0)
    theirs = getattr(models, name)()
    ours, control = archdsl.load(name).compile(), getattr(models, name)()
    for module in (ours, control):
        # The very same memory, so that neither has the luckier addresses.
        module.load_state_dict(theirs.state_dict(), strict=True, assign=True)
    peer = f"torchvision's {name}"
    found = []
    for what, making, size in (("forward", forward, _FORWARD), ("training step", step, _STEP)):
        x = torch.randn(size, generator=torch.Generator().manual_seed(1))
        ours_do, theirs_do, control_do = (making(module, x) for module in (ours, theirs, control))
        shown = "x".join(map(str, size))
        pairs = in_turns(ours_do, theirs_do, 2 * seconds, least=10)
        found.append(pairs.row(f"{name}: {what}, {shown}", peer, bar=_BAR, note=f"{THREADS} threads"))
        torch.set_num_threads(1)
        pairs = in_turns(ours_do, theirs_do, 2 * seconds, least=10, clock=time.process_time)
        found.append(pairs.row(f"{name}: {what}, {shown}", peer, bar=_BAR, note="1 thread, CPU time"))
        torch.set_num_threads(THREADS)
        pairs = in_turns(control_do, theirs_do, seconds, least=10)
        found.append(pairs.row(f"control: torchvision's {name} against itself, {what}", "another instance"))
    return found + _overhead(name, models, torch, seconds)


def forward(module: Any, x: Any) -> Callable[[], object]:
    import torch

    def do() -> object:
        with torch.no_grad():
            return module(x)

    module.eval()
    do()
    return do


def step(module: Any, x: Any) -> Callable[[], object]:
    import torch

    # So small a rate that the weights, which both share, stay where they are.
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-12, momentum=0.9)
    target = torch.arange(len(x), device=x.device)

    def do() -> object:
        module.train()
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(module(x), target)
        loss.backward()
        optimizer.step()
        return loss

    do()
    return do


def _overhead(name: str, models: Any, torch: Any, seconds: float) -> list[Row]:
    """What Python and the dispatcher cost: on the meta device nothing is computed."""
    import archdsl

    program = archdsl.load(name)
    with torch.device("meta"):
        ours, theirs, x = program.compile(), getattr(models, name)(), torch.empty(_FORWARD)
    peer = f"torchvision's {name}"
    found = []
    for mode in ("eval", "train"):
        # .train() goes over all modules and is no part of the forward
        ours_do, theirs_do = (forward(module, x) for module in (ours, theirs))
        ours.train(mode == "train"), theirs.train(mode == "train")
        pairs = in_turns(ours_do, theirs_do, seconds, least=20, clock=time.thread_time)
        note = "CPU time of Python and dispatch"
        found.append(pairs.row(f"{name}: forward on the meta device, {mode}", peer, bar=_BAR, note=note))
        calls, their_calls = _calls(ours_do), _calls(theirs_do)
        case = f"{name}: calls of a forward, {mode}"
        found.append(Row(case, calls, "calls", peer, their_calls, ratio=calls / their_calls, bar=_BAR, note="exact"))
        found.append(_same_operators(f"{name}: operators of a forward, {mode}", peer, ours_do, theirs_do))
    ours_do, theirs_do = (step(module, x) for module in (ours, theirs))
    return [*found, _same_operators(f"{name}: operators of a training step", peer, ours_do, theirs_do)]


def _same_operators(case: str, peer: str, ours_do: Callable[[], object], theirs_do: Callable[[], object]) -> Row:
    ours, theirs = _operators(ours_do), _operators(theirs_do)
    note = (
        "exact: the same, on the same shapes, in the same order" if ours == theirs else "exact: they are not the same"
    )
    return Row(case, len(ours), "operators", peer, len(theirs), ratio=len(ours) / len(theirs), bar=_BAR, note=note)


def _calls(do: Callable[[], object]) -> int:
    """The calls of functions, Python's and C's, that one run makes."""
    count = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    counts = []
    for _ in range(3):
        count = 0
        sys.setprofile(see)
        try:
            do()
        finally:
            sys.setprofile(None)
        counts.append(count)
    return int(statistics.median(counts))


def _operators(do: Callable[[], object]) -> list[object]:
    """The operators of ATen that one run dispatches, with the shapes, strides and numbers that they are given."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    def described(given: Any) -> object:
        if isinstance(given, torch.Tensor):
            return given.shape, given.stride(), given.dtype
        if isinstance(given, list | tuple):
            return tuple(map(described, given))
        return given if isinstance(given, int | float | str | None) else type(given)

    seen: list[object] = []

    class Look(TorchDispatchMode):
        def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
            options = options or {}
            seen.append(
                (operator, described(arguments), [(name, described(options[name])) for name in sorted(options)])
            )
            return operator(*arguments, **options)

    with Look():
        do()
    return seen
