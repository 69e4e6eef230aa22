"""Drawing a network into a file, or as SVG for a page."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from archdsl.diagrams.dot import dot
from archdsl.diagrams.scene import scene
from archdsl.errors import ArchError
from archdsl.files import write_atomically

if TYPE_CHECKING:
    from archdsl.network import Network

ENDINGS = (".svg", ".png", ".pdf", ".dot")

_WHEEL = (
    "import sys, pygraphviz; text = sys.stdin.buffer.read().decode(); format, *rest = sys.argv[1:]; "
    "sys.stdout.buffer.write(pygraphviz.AGraph(string=text).draw(format=format, prog='dot', args=' '.join(rest)))"
)
"""Graphviz as it comes in pygraphviz's wheel. In a process of its own its warnings and failures stay there."""


def draw(network: Network, path: str | Path, depth: int | None = None, color_by: str = "kind") -> Path:
    """Draws a network into a file, as its ending says: .svg, .png, .pdf or .dot.

    Modules deeper than `depth` are one box each; without a depth they are opened as far as the picture stays readable.
    An earlier file stays whole if drawing fails.

    Raises:
        ValueError: for another ending, another `color_by`, a depth below 0, or more boxes than can be laid out.
    """
    path = _checked(path)
    return write(dot(scene(network, depth), color_by), path)


def write(text: str, path: str | Path) -> Path:
    """Writes what DOT describes, as the file's ending says. An earlier file stays whole if drawing fails.

    Raises:
        ValueError: for another ending.
    """
    path = _checked(path)
    format = path.suffix.lower()[1:]
    write_atomically(path, text.encode() if format == "dot" else render(text, format))
    return path


def _checked(path: str | Path) -> Path:
    path = Path(path)
    if path.suffix.lower() not in ENDINGS:
        raise ValueError(f"cannot draw {path.name!r}: the name must end with {', '.join(ENDINGS)}")
    return path


def svg(network: Network, depth: int | None = None, color_by: str = "kind") -> str:
    """The picture as an element for a page: without prolog, comments and ids, no wider than the page."""
    text = render(dot(scene(network, depth), color_by), "svg").decode()
    text = re.sub(r"<!--.*?-->\s*", "", text[text.index("<svg") :], flags=re.DOTALL)
    text = re.sub(r'(<(?:svg|g|a)\b[^<>]*?) id="[^"<>]*"', r"\1", text)
    return text.replace("<svg", '<svg style="max-width:100%;height:auto"', 1)


def render(dot_text: str, format: str) -> bytes:
    """The picture that DOT describes, laid out by the system's Graphviz or else by that of pygraphviz.

    Raises:
        ArchError: where both fail, with what they say.
    """
    said = ""
    for command in _engines(format):
        done = subprocess.run(command, input=dot_text.encode(), capture_output=True, check=False)  # noqa: S603
        if done.returncode == 0 and done.stdout:
            return done.stdout
        said = done.stderr.decode(errors="replace").strip() or said
    raise ArchError(f"Graphviz cannot draw this: {said or 'it says nothing'}")


def _engines(format: str) -> Iterator[list[str]]:
    sharp = ["-Gdpi=144"] if format == "png" else []
    if system := shutil.which("dot"):
        yield [system, f"-T{format}", *sharp]
    yield [sys.executable, "-c", _WHEEL, format, *sharp]
