"""What was written for use elsewhere, and how near it comes to the module, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.reports.numbers import clean, shape

if TYPE_CHECKING:
    from archdsl.torch.exporting import Exported


def render(done: Exported) -> str:
    """The file, what goes in and comes out, and each comparison."""
    ports = ", ".join(f"{clean(name)} {shape(sizes)}" for name, sizes in done.inputs)
    lines = [f"wrote {clean(str(done.path))} ({done.format})", f"  takes {ports}"]
    lines += [f"    {name}: {what}" for name, what in done.sizes]
    lines.append(f"  gives {', '.join(map(clean, done.outputs))}")
    for each in done.checks:
        shapes = ", ".join(map(shape, each.inputs))
        lines.append(
            f"  on {shapes}: differs by {each.difference:.1e} at most, where the largest is {each.largest:.3g}"
        )
    return "\n".join(lines) + "\n"
