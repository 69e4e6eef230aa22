"""What the benchmarks ran on, without names of hosts or paths."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_PACKAGES = ("torch", "torchvision", "torchinfo", "fvcore", "torchview", "pydantic", "lark", "rich")


def machine() -> dict[str, str]:
    """Processor, cores, memory, system and versions, each in words."""
    facts = {
        "processor": _processor(),
        "cores": f"{os.cpu_count()}, of which {_usable()} for this process",
        "memory": _memory(),
        "load": _load(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
    }
    for package in _PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            facts[package] = "not installed"
    return facts


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine() or "unknown"


def _usable() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown"


def _load() -> str:
    try:
        return f"{os.getloadavg()[0]:.1f} jobs wanted a core in the minute before the start"
    except (AttributeError, OSError):
        return "unknown"
