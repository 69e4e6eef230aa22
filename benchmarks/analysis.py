"""Everything that is known before the first tensor: report, legal sizes, memory over time, costs and lint together."""

from __future__ import annotations

import time
from typing import Any

from benchmarks.measure import Bar, Row, bootstrap, timed

NETWORKS = {"resnet152": None, "unet": "3x608x608"}
"""Each with the shape of its input where the spec leaves it open."""
PARTS = {
    "parse, check": lambda network: network.checked(),
    "report": lambda network: network.report(),
    "sizes": lambda network: network.sizes(),
    "memory": lambda network: network.memory(batch=32),
    "cost": lambda network: network.cost(device="h200", rule="all"),
    "lint": lambda network: network.lint(),
}


def rows(seconds: float) -> list[Row]:
    return [row for name, shape in NETWORKS.items() for row in _of(name, shape, seconds)]


def _of(name: str, shape: str | None, seconds: float) -> list[Row]:
    size = f" at {shape}" if shape else ""
    analysed(name, shape)  # imports
    end = time.perf_counter() + seconds
    found: list[dict[str, float]] = []
    while len(found) < 5 or time.perf_counter() < end:
        found.append(analysed(name, shape))
    wholes = sorted(sum(each.values()) for each in found)
    low, high = bootstrap(wholes)
    note = f"best {1000 * wholes[0]:.1f} ms, 95 % {1000 * low:.1f} to {1000 * high:.1f} ms, {len(found)} runs"
    whole = Row(f"{name}{size}: all of it", wholes[len(wholes) // 2], "s", bar=Bar("most", 0.05), note=note)
    parts = [Row(f"{name}: {part}", sorted(each[part] for each in found)[len(found) // 2], "s") for part in (*PARTS,)]
    return [whole, *parts]


def analysed(name: str, shape: str | None) -> dict[str, float]:
    """Seconds of each part of one analysis from the text, with nothing remembered from before."""
    import archdsl
    from archdsl.layers.applied import MEMORY

    MEMORY.clear()
    made: list[Any] = []
    load = timed(lambda: made.append(archdsl.load(name, input=shape)))
    (network,) = made
    taken = {part: timed(lambda do=do: do(network)) for part, do in PARTS.items()}  # type: ignore[misc]
    taken["parse, check"] += load
    return taken
