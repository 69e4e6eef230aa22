"""The texts to begin with: every spec of this project, and what has been found before."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from archdsl.layers.catalog import STANDARD
from archdsl.resources import specs_folder
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse
from archdsl.syntax.tables import load_tables

ROOT = Path(__file__).resolve().parents[2]
FOUND = ROOT / "tests" / "corpus" / "found"
"""Small texts that once made something fail; each is run by test_corpus.py."""


def seeds() -> list[Path]:
    """The files of the project that hold specs, each once. They are read where they stand and not copied."""
    folders = (specs_folder(), ROOT / "examples", ROOT / "tests" / "syntax" / "corpus", FOUND)
    return sorted(path for folder in folders for path in folder.rglob("*.arch"))


@cache
def texts() -> list[str]:
    """What these files say, as far as it is text: one text for each network, without the others."""
    whole = [path.read_bytes().decode("utf-8", "replace") for path in seeds()]
    return list(dict.fromkeys(part for text in whole for part in parts(text)))


def parts(text: str) -> list[str]:
    """A text for each network of a file, in which the other networks and variants are left out."""
    file = parse(Source("spec.arch", text)).file
    networks = [definition for definition in file.definitions if isinstance(definition, tree.Net | tree.Variant)]
    found = []
    for kept in networks[:6]:
        needed = {kept.name.text, kept.base.text if isinstance(kept, tree.Variant) else ""}
        part, at = [], 0
        for other in networks:
            if other.name.text not in needed:
                part.append(text[at : other.start])
                at = other.end
        found.append("".join([*part, text[at:]]))
    return found or [text]


def words() -> list[str]:
    """The words and signs of the grammar, the words and options of the layers, and what is rarely written."""
    fixed = [text for kind, text in load_tables().terminals.values() if kind == "str"]
    layers: set[str] = set()
    for layer in STANDARD.layers:
        signature = layer.signature()
        layers |= {layer.word, *signature.arguments}
        layers |= {f"{letter}3" for letter in signature.letters}
    rare = [
        "x0",
        "x3",
        "x70000",
        "x(",
        "3xHxW",
        "5M",
        "1e-3",
        '"text"',
        "##",
        "#",
        "in.c",
        "when training",
        "0",
        "-1",
        "1T",
        "body.conv1",
        "g.0.relu1",
        "until=conv1",
        'until="features.0"',
        "pretrained",
        "resnet18",
        "vgg11_bn",
        'weights="IMAGENET1K_V1"',
        'weights="file:w.pt"',
        "freeze=[conv1, layer1]",
        "freeze=yes",
        "bn=frozen",
    ]
    functions = ["min", "max", "sum", "ceil", "floor", "round", "abs", "len", "round_to"]
    return [*fixed, *sorted(layers), *functions, *rare]
