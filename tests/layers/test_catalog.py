"""The catalog: words are found, kept apart, and added by value."""

from __future__ import annotations

from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest

from archdsl.layers import STANDARD, Layer, catalog, installed

from .examples import TABLE


class Doubled(Layer):
    """A layer that a user adds."""

    word: ClassVar[str] = "doubled"
    aliases: ClassVar[tuple[str, ...]] = ("twice",)
    family: ClassVar[str] = "elementwise"


class Impostor(Layer):
    word: ClassVar[str] = "another"
    aliases: ClassVar[tuple[str, ...]] = ("relu",)


def test_every_layer_has_an_example() -> None:
    assert {layer.word for layer in STANDARD.layers} == set(TABLE)


def test_a_layer_is_found_by_its_word_and_its_aliases() -> None:
    for layer in STANDARD.layers:
        assert all(STANDARD.find(word) is layer for word in (layer.word, *layer.aliases))
    assert STANDARD.find("convolve") is None
    assert sum(map(len, STANDARD.families().values())) == len(STANDARD.layers)


def test_every_layer_says_what_it_is() -> None:
    for layer in STANDARD.layers:
        assert layer.__doc__, layer.word
        assert layer.__doc__ != Layer.__doc__, layer.word
        assert layer.family, layer.word
        assert layer.torch_name, layer.word
        assert not set(layer.conversions) & set(layer.accepts), layer.word
        assert all(argument.doc for argument in layer.signature().arguments.values() if not argument.reference)


def test_letters_and_names_of_arguments_do_not_collide() -> None:
    for layer in STANDARD.layers:
        signature = layer.signature()
        letters = [a.letter for a in signature.arguments.values() if a.letter]
        assert len(letters) == len(set(letters))
        assert not set(letters) & set(signature.arguments), layer.word


def test_a_catalog_is_extended_without_changing_the_first() -> None:
    more = STANDARD.extended_with(Doubled)
    assert more.find("twice") is Doubled
    assert STANDARD.find("twice") is None


def test_two_layers_cannot_share_a_word() -> None:
    with pytest.raises(ValueError, match="'relu' names both ReLU and Impostor"):
        STANDARD.extended_with(Impostor)


def test_a_layer_needs_a_word() -> None:
    with pytest.raises(ValueError, match="must be a lower-case name"):
        STANDARD.extended_with(Layer)


def test_installed_packages_add_layers(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("doubled", f"{__name__}:Doubled", catalog.ENTRY_POINTS)
    monkeypatch.setattr("importlib.metadata.entry_points", lambda group: [entry] if group == entry.group else [])
    installed.cache_clear()
    try:
        found = installed().find("doubled")
        assert found is not None
        assert found.__name__ == "Doubled"
    finally:
        installed.cache_clear()
