"""What cannot be said while a size of the inputs is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.errors import ArchError

if TYPE_CHECKING:
    from archdsl.graph import Graph


def check_sizes(graph: Graph, asked: str) -> None:
    """Every size of the inputs must be known for what is asked: "the cost".

    Raises:
        ArchError: where one is open.
    """
    for port in graph.inputs:
        if port.tensor.elements is None:
            opened = [size for size in port.tensor.dims if not isinstance(size, int)]
            example = "x".join(str(size) if isinstance(size, int) else "224" for size in port.tensor.dims)
            named = f"{port.name}={example}" if len(graph.inputs) > 1 else example
            raise ArchError(
                f"{asked} depends on {' and '.join(dict.fromkeys(map(str, opened)))} of {port.name}, {port.tensor}, "
                f"which {'are' if len(set(opened)) > 1 else 'is'} open; give a size: --input {named}"
            )
