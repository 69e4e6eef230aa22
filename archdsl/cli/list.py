"""archdsl list: the networks that ship."""

from __future__ import annotations

import shutil
import sys

from archdsl import project
from archdsl.cli.terminal import put
from archdsl.loading import shipped_networks
from archdsl.syntax import tree


def command() -> None:
    """List the networks that ship."""
    rows = []
    ready = set(shipped_networks())
    for name, path in project.shipped().items():
        if name not in ready:  # a family that needs arguments: its variants are listed
            continue
        module = project.open_shipped(path)
        definition = module.definitions[name][0]
        rows.append((name, _first_sentence(definition) or _variant(definition, module)))
    width = max((len(name) for name, _ in rows), default=0)
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    put("".join(f"{name:<{width}}  {about}".rstrip()[:room] + "\n" for name, about in rows))


def _first_sentence(definition: project.Definition) -> str:
    paragraph = " ".join(getattr(definition, "doc", "").strip().partition("\n\n")[0].split())
    return paragraph.partition(". ")[0].removesuffix(".")


def _variant(definition: project.Definition, module: project.Module) -> str:
    """What a variant says of itself: `resnet(bottleneck, [3, 4, 6, 3])`."""
    if not isinstance(definition, tree.Variant):
        return ""
    arguments = (module.source.text[argument.start : argument.end] for argument in definition.arguments)
    return " ".join(f"{definition.base.text}({', '.join(arguments)})".split())
