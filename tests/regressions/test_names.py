"""What a name stands for."""

from __future__ import annotations

from tests.language.specs import codes


def test_several_values_have_no_name_together() -> None:
    assert codes("net n { input 1x3\n (id | sigmoid) as both\n add\n output both }") == ["unknown-name"]
    assert codes("net n { input 1x3\n (id | sigmoid) as both\n add }") == []
