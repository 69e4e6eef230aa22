"""The table of devices for people: peak rates, bandwidths, and where the numbers stand."""

from __future__ import annotations

from archdsl.analyses.devices import DTYPES, devices
from archdsl.reports.numbers import rate


def render() -> str:
    """A line for each device, then its sources."""
    titles = ("device", "memory", "bandwidth", *DTYPES)
    lines = [titles]
    for each in devices().values():
        peaks = {str(dtype): rate(peak) for dtype, peak in each.peak.items()}
        memory = f"{rate(each.memory)}B" if each.memory else ""
        lines.append((each.name, memory, f"{rate(each.bandwidth)}B/s", *(peaks.get(dtype, "-") for dtype in DTYPES)))
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["Peak rates in operations a second, without sparsity.", ""]
    for first, *rest in lines:
        cells = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=True)]
        text.append("  ".join([first.ljust(widths[0]), *cells]))
    text += ["", "Sources:"]
    for each in devices().values():
        also = f" (also {', '.join(each.aliases)})" if each.aliases else ""
        text += [f"  {each.name}{also}: {each.title}. {each.source}", f"    {each.url}"]
        text += [f"    {each.note}"] if each.note else []
    return "\n".join(text) + "\n"
