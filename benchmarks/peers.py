"""Parameters and multiply-accumulates of resnet50, asked of everything that answers it."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections.abc import Callable
from typing import Any

from benchmarks import report
from benchmarks.measure import Row, in_turns


def rows(seconds: float) -> list[Row]:
    import torch

    from archdsl.torch.vision import import_torchvision

    models = import_torchvision().models
    logging.getLogger("fvcore").setLevel(logging.ERROR)
    ours = report.ours().totals
    found = []
    for name, ask in _peers(torch, models).items():
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                parameters, macs = ask()
                pairs = in_turns(report.ours, ask, seconds / 2, least=3)
        except ImportError as problem:
            found.append(Row("resnet50's counts", None, "s", name, note=f"not installed: {problem.name}"))
            continue
        said = [_agreement("parameters", parameters, ours.parameters), _agreement("MACs", macs, ours.macs)]
        found.append(pairs.row("resnet50's counts", name, times_faster=True, note=", ".join(filter(None, said))))
    return found


def _agreement(what: str, theirs: int | None, ours: int) -> str:
    if theirs is None:
        return f"no {what}"
    return "" if theirs == ours else f"{what} {theirs - ours:+,}"


def _peers(torch: Any, models: Any) -> dict[str, Callable[[], tuple[int | None, int | None]]]:
    def torchinfo() -> tuple[int, int]:
        from torchinfo import summary

        result = summary(models.resnet50(), report.SIZE, verbose=0)
        return result.total_params, result.total_mult_adds

    def torchinfo_on_meta() -> tuple[int, int]:
        from torchinfo import summary

        with torch.device("meta"):
            model, x = models.resnet50(), torch.empty(report.SIZE)
        result = summary(model, input_data=x, device="meta", verbose=0)
        return result.total_params, result.total_mult_adds

    def fvcore() -> tuple[int, int]:
        from fvcore.nn import FlopCountAnalysis, parameter_count

        model = models.resnet50().eval()
        analysis = FlopCountAnalysis(model, torch.zeros(report.SIZE))
        analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False)
        return parameter_count(model)[""], int(analysis.total())

    def torchview() -> tuple[int, None]:
        from torchview import draw_graph

        with torch.device("meta"):
            model = models.resnet50()
        draw_graph(model, input_size=report.SIZE, device="meta")
        return sum(p.numel() for p in model.parameters()), None

    def meta() -> tuple[int, int]:
        from torch.utils.flop_counter import FlopCounterMode

        with torch.device("meta"):
            model, x = models.resnet50(), torch.empty(report.SIZE)
        with FlopCounterMode(display=False) as counter, contextlib.suppress(StopIteration):
            model(x)
        return sum(p.numel() for p in model.parameters()), counter.get_total_flops() // 2

    return {
        "torchinfo.summary": torchinfo,
        "torchinfo.summary on the meta device": torchinfo_on_meta,
        "fvcore's FlopCountAnalysis": fvcore,
        "torchview.draw_graph on the meta device": torchview,
        "FlopCounterMode on the meta device": meta,
    }
