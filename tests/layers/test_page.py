"""The page of each layer: made from its declaration, with an example that checks clean."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.layers import STANDARD, Layer
from archdsl.layers.page import example, page

LAYERS = pytest.mark.parametrize("layer", STANDARD.layers, ids=lambda layer: layer.word)


@LAYERS
def test_the_example_checks_clean_and_uses_the_layer(layer: type[Layer]) -> None:
    network = archdsl.parse(example(layer))
    assert network.diagnostics == ()
    used = {type(node.layer) for node in network.graph.nodes}
    assert layer in used or layer.word == "id"  # which leaves no node


@LAYERS
def test_the_page_names_every_argument_with_its_letter_and_words(layer: type[Layer]) -> None:
    text = page(layer)
    assert text.startswith(f"# {layer.word}\n")
    assert example(layer) in text
    for argument in layer.signature().arguments.values():
        (row,) = [line for line in text.splitlines() if line.startswith(f"| `{argument.name}` |")]
        assert argument.doc in row
        assert row.count("|") == 6
        assert (f"| `{argument.letter}` |" in row) is bool(argument.letter)
        assert all(f"`{word}`" in row for word in argument.words)
        assert ("must be given" in row) is argument.required
    for alias in layer.aliases:
        assert f"`{alias}`" in text


def test_the_values_of_an_argument_in_words() -> None:
    def row(word: str, name: str) -> str:
        layer = STANDARD.find(word)
        assert layer is not None
        return next(line for line in page(layer).splitlines() if line.startswith(f"| `{name}` |"))

    assert "a whole number, or several (`1x7`) or `same`" in row("conv", "padding")
    assert "| `yes` or `no` | `yes` |" in row("conv", "bias")
    assert "| a number |" in row("dropout", "p")
    assert "| a whole number |" in row("fc", "features")
    assert "the name of a value" in row("upsample", "like")
    assert "several" in row("reshape", "size")
