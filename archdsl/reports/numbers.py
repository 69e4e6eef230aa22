"""How numbers, shapes and names are written, in every format alike.

A number that is not known is `?`; zero is `-`, so that the rows that matter stand out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from archdsl.diagnostics.escape import printable
from archdsl.reports.schema import Extents, FieldReport, Port, Totals

UNKNOWN = "?"
NONE = "-"
MIXED = "mixed"
"""Stands for the field of a map whose positions have no one field."""


def clean(text: str) -> str:
    """The text on one line, with what steers a terminal, reorders a line or is no character spelled out: `\\x1b`."""
    return printable(text.replace("\n", " ").replace("\t", " "))


def first_line(doc: str) -> str:
    """The first line of a documentation text, which says in short what the network is."""
    return clean(next(iter(doc.strip().splitlines()), "").strip())


def thousands(number: int | None) -> str:
    """Every digit: 11,689,512."""
    return UNKNOWN if number is None else f"{number:,}" if number else NONE


def engineering(number: int | None) -> str:
    """Three digits and a unit: 4.09 G, 118 M, 9.41 K, 512."""
    return _scaled(number, 1000, ("", " K", " M", " G", " T", " P")) if number else thousands(number)


def binary_bytes(number: int) -> str:
    """A size in memory or on disk: 97.5 MiB."""
    return _scaled(number, 1024, (" B", " KiB", " MiB", " GiB", " TiB"))


def sizes(totals: Totals) -> list[str]:
    """The size in single and in half precision: 97.5 MiB float32."""
    usual = [dtype for dtype in ("float32", "float16") if dtype in totals.bytes]
    return [f"{binary_bytes(totals.bytes[dtype])} {clean(dtype)}" for dtype in usual or totals.bytes]


def _scaled(number: float, base: int, units: tuple[str, ...]) -> str:
    step = 0
    while round(number) >= base and step < len(units) - 1:
        number, step = number / base, step + 1
    if not step:
        return f"{number}{units[0]}"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f}{units[step]}"


def moved(number: int | None) -> str:
    """Bytes read and written: 97.5 MiB."""
    return binary_bytes(number) if number else thousands(number)


def ratio(number: float | None) -> str:
    """Three digits, and every digit before the point: 14, 206, 0.083."""
    return "" if number is None else f"{number:.0f}" if number >= 99.95 else f"{number:.3g}"


def rate(number: float) -> str:
    """Three or four digits and a prefix: 4.8 T, 989.5 T."""
    step = 0
    while number >= 999.95 and step < 5:
        number, step = number / 1000, step + 1
    return f"{number:.4g} {' KMGTP'[step]}".strip()


def duration(seconds: float | None) -> str:
    """Three digits and a unit: 1.2 s, 34.5 ms, 17.1 µs, 3 ns."""
    if seconds is None:
        return UNKNOWN
    if not seconds:
        return NONE
    unit, size = next(
        (each for each in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)) if seconds >= 0.9995 * each[1]), ("ns", 1e-9)
    )
    return f"{ratio(seconds / size)} {unit}"


def percent(share: float | None) -> str:
    """A part of the whole: 12%, 0.4%, <0.1%; empty where the whole is not known."""
    if not share:
        return ""
    if share < 0.001:
        return "<0.1%"
    return f"{share:.1%}" if share < 0.0995 else f"{share:.0%}"


def shape(extents: Extents) -> str:
    """Sizes as the language writes them: 64x56x56; with formulas apart: 64 x H/2 x ceil(W/2)."""
    between = " x " if any(isinstance(size, str) and not _is_word(size) for size in extents) else "x"
    return clean(between.join(map(_extent, extents))) or "scalar"


def _extent(size: int | str) -> str:
    return f"({size})" if isinstance(size, str) and _SUM.search(_INNER.sub("", size)) else str(size)


_INNER = re.compile(r"\((?:[^()]|\([^()]*\))*\)")
"""What stands in brackets, which may have some inside."""
_SUM = re.compile(r" [+-] ")


def _is_word(size: str) -> bool:
    return size.isalnum() or size == UNKNOWN


def shapes(output: Extents, outputs: Sequence[Extents] = ()) -> str:
    """The first result, and how many more there are: 64x56x56 +1."""
    return shape(output) + (f" +{len(outputs) - 1}" if len(outputs) > 1 else "")


def axes(numbers: Sequence[int | float]) -> str:
    """One number where all axes agree, else one for each: 43, 1x7."""
    written = [f"{number:.6g}" if isinstance(number, float) else str(number) for number in numbers]
    return written[0] if len(set(written)) == 1 else "x".join(written)


def field(region: FieldReport | None, everywhere: str | None = None, output: Extents = ()) -> str:
    """A receptive field and its stride, `43 /4`; `*` says that the whole input has its say as well.

    Of a map, by its sizes, whose positions have no one field it says so.
    """
    if region is None:
        return "all" if everywhere else MIXED if len(output) > 2 else ""
    stride = f" /{axes(region.stride)}" if any(step != 1 for step in region.stride) else ""
    return axes(region.size) + stride + ("*" if everywhere else "")


def port(end: Port) -> str:
    """An input or an output of the network: image 3x224x224."""
    return f"{clean(end.name)} {shape(end.shape)}" + (" (when training)" if end.training_only else "")
