"""What a name stands for."""

from __future__ import annotations

import archdsl


def test_several_values_have_no_name_together() -> None:
    network = archdsl.parse("net n { input 1x3\n (id | sigmoid) as both\n add\n output both }")
    assert [finding.code for finding in network.diagnostics if finding.is_error] == ["unknown-name"]
    assert archdsl.parse("net n { input 1x3\n (id | sigmoid) as both\n add }").ok
