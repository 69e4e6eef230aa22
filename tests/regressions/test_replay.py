"""Blocks that are copied instead of walked through again."""

from __future__ import annotations

from tests.language.specs import codes


def test_a_block_that_hides_a_mistake_reported_before_is_not_copied() -> None:
    text = """
block bad(c) { relu -> conv c k9 }
block unit(c) {
  in -> bad(c)
  in -> relu
}
net n {
  input 3x4x4
  relu as x
  x -> bad(8)
  x -> unit(8)
  unit(8)
  unit(8)
}
"""
    assert codes(text) == ["window-too-large"]
