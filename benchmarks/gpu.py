"""Training and inference as a GPU is used, img/s, against torchvision's own class under the same settings.

`python -m benchmarks.gpu` runs on whatever device is there: bfloat16 (autocast to train, weights for inference) and
channels last, eager and compiled. Both modules have the same weights and the same images, and take turns. They are made
anew a few times, each first in turn: where a module happens to lie in memory can be worth a percent.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from benchmarks.machine import machine
from benchmarks.measure import Pairs, in_turns

NETWORKS = ("resnet50", "efficientnet_b0", "convnext_tiny", "vit_b_16")
PASSES = ("training", "inference", "folded")
"""`folded` is inference with batch norms and layer scales folded, against torchvision's class, which has them."""
MODES = ("eager", "default", "reduce-overhead", "max-autotune")
_DTYPES = {"training": "autocast", "inference": "bfloat16", "folded": "bfloat16"}
_WARM = 3
_RESAMPLES = 2000


class Result(NamedTuple):
    """One comparison; a ratio above 1 says that archdsl is faster, or holds more memory."""

    network: str
    what: str
    mode: str
    batch: int
    ours: float
    """Images per second, the median."""
    theirs: float
    ratio: float
    """The median of the paired ratios of images per second."""
    interval: tuple[float, float]
    """The 95 % bootstrap interval of that, over builds and pairs."""
    memory: float
    """The most bytes that a step of ours holds over those of theirs, the module's own included."""
    pairs: int


def main(arguments: list[str] | None = None) -> int:
    options = _options(arguments)
    warnings.simplefilter("ignore")  # the peers' own
    import torch

    from archdsl.torch.trial import best_device, name_of

    device = torch.device(options.device) if options.device else best_device()
    if options.threads:
        torch.set_num_threads(options.threads)
    facts = {**machine(), "device": name_of(device)}
    results = []
    if not options.json:
        print("".join(f"{name}: {fact}\n" for name, fact in facts.items()))
        print(_HEAD)
    for network in options.networks:
        for mode in options.modes:
            for what in options.passes:
                for peer in ("ours", "control") if options.control else ("ours",):
                    results.append(_compared(network, what, mode, device, options, peer == "control"))
                    if not options.json:
                        print(_line(results[-1]), flush=True)
    if options.json:
        print(json.dumps({"machine": facts, "results": [each._asdict() for each in results]}, indent=2))
    return 0


def _compared(network: str, what: str, mode: str, device: Any, options: Any, control: bool) -> Result:
    import torch

    torch.manual_seed(0)
    reference = _published(network, options.size)
    size = (options.batch, 3, options.size, options.size)
    images = torch.randn(size, generator=torch.Generator().manual_seed(1)).to(device)
    images = images.contiguous(memory_format=torch.channels_last)
    makers = [partial(_theirs if control else _ours, network), partial(_theirs, network)]
    builds: list[Pairs] = []
    peaks = [0, 0]
    for number in range(options.builds):
        runs: dict[int, Callable[[], object]] = {}
        for side in (number % 2, 1 - number % 2):
            module, forward = makers[side](reference, what, mode, device, options.size)
            do = _training(module, forward, images) if what == "training" else _inference(forward, images)
            peaks[side] = _peak(do, module, device)
            runs[side] = partial(_several, do, options.steps, device)
            del module, forward, do
        least = -(-options.pairs // options.builds)
        builds.append(in_turns(runs[0], runs[1], options.seconds / options.builds, least=least))
        del runs
        gc.collect()
        torch._dynamo.reset()
    return _result(f"{network}{' (control)' if control else ''}", what, mode, options, builds, peaks)


def _published(network: str, size: int) -> Any:
    """torchvision's class; a vision transformer is made for one size of images."""
    from archdsl.torch.vision import import_torchvision

    options = {"image_size": size} if network.startswith("vit_") else {}
    return getattr(import_torchvision().models, network)(**options)


def _ours(network: str, reference: Any, what: str, mode: str, device: Any, size: int) -> tuple[Any, Any]:
    """The module, and what is called."""
    import archdsl

    settings = {"dtype": _DTYPES[what], "memory_format": "channels_last", "mode": mode, "fold": what == "folded"}
    module = archdsl.load(network, input=f"3x{size}x{size}").compile(reference, device=device, **settings)
    module = module.train() if what == "training" else module.eval().requires_grad_(False)
    return module, module


def _theirs(network: str, reference: Any, what: str, mode: str, device: Any, size: int) -> tuple[Any, Any]:
    """torchvision's class in the same types, statistics in float32; to train, autocast is around its forward."""
    import torch

    module = _published(network, size)
    module.load_state_dict(reference.state_dict())
    module = module.to(device, memory_format=torch.channels_last)
    if what != "training":
        module.to(torch.bfloat16).eval().requires_grad_(False)
        for norm in module.modules():
            if isinstance(norm, torch.nn.BatchNorm2d):
                norm.float()
    if mode != "eager":
        module.compile(mode=mode)
    if what != "training":
        return module, module

    def forward(images: Any) -> Any:
        with torch.autocast(images.device.type, torch.bfloat16):
            return module(images)

    return module.train(), forward


def _training(module: Any, forward: Any, images: Any) -> Callable[[], object]:
    import torch

    optimizer = torch.optim.SGD(module.parameters(), lr=1e-6, momentum=0.9)
    target = torch.arange(len(images), device=images.device)

    def do() -> None:
        optimizer.zero_grad(set_to_none=True)
        torch.nn.functional.cross_entropy(forward(images).float(), target).backward()
        optimizer.step()

    return do


def _inference(forward: Any, images: Any) -> Callable[[], object]:
    """A forward; its result is wanted in float32, as in training, which ours already is."""
    import torch

    images = images.to(torch.bfloat16)

    def do() -> None:
        with torch.inference_mode():
            forward(images).float()

    return do


def _peak(do: Callable[[], object], module: Any, device: Any) -> int:
    """The most bytes that are held at once: the module's own and, after some first steps, what a step asks for."""
    import torch

    own = sum(each.nbytes for each in (*module.parameters(), *module.buffers()))
    gc.collect()
    if device.type == "cpu":
        for _ in range(_WARM):
            do()
        return own + _peak_on_cpu(do)
    torch.accelerator.synchronize(device)
    before: int = torch.accelerator.memory_allocated(device)
    for number in range(_WARM + 1):
        if number == _WARM:  # what compiling took is over
            torch.accelerator.synchronize(device)
            torch.accelerator.reset_peak_memory_stats(device)
        do()
    torch.accelerator.synchronize(device)
    return own + int(torch.accelerator.max_memory_allocated(device)) - before


def _peak_on_cpu(do: Callable[[], object]) -> int:
    """The CPU's allocator keeps no such count; torch's profiler writes down what it gives out and takes back."""
    import torch

    with tempfile.TemporaryDirectory() as folder, _quiet():
        with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
            do()
        path = Path(folder, "trace.json")
        profile.export_chrome_trace(str(path))
        events = json.loads(path.read_bytes())["traceEvents"]
    changes = [event for event in events if event["name"] == "[memory]"]
    held: dict[int, int] = {}
    now = most = 0
    for change in sorted(changes, key=lambda event: float(event["ts"])):
        address, size = change["args"]["Addr"], change["args"]["Bytes"]
        if size > 0:
            held[address] = size
            now += size
        else:
            now -= held.pop(address, 0)  # what was there before is not of this step
        most = max(most, now)
    return most


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing reaches the standard error, from outside Python too: the profiler says when it starts and stops."""
    sys.stderr.flush()
    kept = os.dup(2)
    try:
        with open(os.devnull, "wb") as nothing:
            os.dup2(nothing.fileno(), 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)


def _several(do: Callable[[], object], steps: int, device: Any) -> None:
    import torch

    for _ in range(steps):
        do()
    if device.type != "cpu":
        torch.accelerator.synchronize(device)


def _result(network: str, what: str, mode: str, options: Any, builds: list[Pairs], peaks: list[int]) -> Result:
    pairs = Pairs([t for each in builds for t in each.ours], [t for each in builds for t in each.theirs])
    row = pairs.row(network, "torchvision", times_faster=True)
    images = options.batch * options.steps
    assert row.ours
    assert row.theirs
    assert row.ratio
    memory = peaks[0] / peaks[1]
    rates = images / row.ours, images / row.theirs
    return Result(network, what, mode, options.batch, *rates, row.ratio, _interval(builds), memory, len(pairs.ours))


def _interval(builds: list[Pairs]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the median, over the builds and the pairs in each."""
    random = Random(0)
    ratios = [[theirs / ours for ours, theirs in zip(*each, strict=True)] for each in builds]
    medians = sorted(
        statistics.median(
            [ratio for drawn in random.choices(ratios, k=len(ratios)) for ratio in random.choices(drawn, k=len(drawn))]
        )
        for _ in range(_RESAMPLES)
    )
    return medians[_RESAMPLES // 40], medians[-_RESAMPLES // 40 - 1]


_HEAD = (
    f"{'network':26}{'pass':11}{'mode':17}{'batch':>6}{'archdsl':>12}{'torchvision':>14}   {'ratio (95 %)':22}memory"
)


def _line(result: Result) -> str:
    low, high = result.interval
    ratio = f"{result.ratio:.3f} ({low:.3f}-{high:.3f})"
    head = f"{result.network:26}{result.what:11}{result.mode:17}{result.batch:6}"
    return f"{head}{result.ours:6.1f} img/s{result.theirs:8.1f} img/s   {ratio:22}{result.memory:.4f}"


def _options(arguments: list[str] | None) -> Any:
    parser = argparse.ArgumentParser("python -m benchmarks.gpu", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), metavar="NAME", help="of torchvision's names")
    parser.add_argument("--passes", nargs="+", default=list(PASSES), choices=PASSES)
    parser.add_argument("--modes", nargs="+", default=["eager", "default"], choices=MODES, help="eager default")
    parser.add_argument("--device", help="cuda, cpu ...; the accelerator that torch finds, or else the CPU")
    parser.add_argument("--batch", type=int, default=128, help="images at a time (128)")
    parser.add_argument("--size", type=int, default=224, help="their height and width (224)")
    parser.add_argument("--steps", type=int, default=10, help="steps that are timed together (10)")
    parser.add_argument("--pairs", type=int, default=10, help="the least number of pairs (10)")
    parser.add_argument("--seconds", type=float, default=10.0, help="about how long each comparison runs (10)")
    parser.add_argument("--builds", type=int, default=4, help="how often both modules are made (4)")
    parser.add_argument("--threads", type=int, help="of a CPU")
    parser.add_argument("--control", action="store_true", help="torchvision against itself as well")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    start = time.perf_counter()
    code = main()
    print(f"{time.perf_counter() - start:.0f} s", file=sys.stderr)
    sys.exit(code)
