"""Generated source as it stands in the process."""

from __future__ import annotations

import linecache
import pickle
import sys

import pytest  # noqa: TC002  # a fixture of it is asked for by its type
import torch

import archdsl
from archdsl.torch import execute


def compiled(channels: int) -> torch.nn.Module:
    return archdsl.parse(f"net n {{ input 3x8x8\n conv {channels} k3 -> relu }}").compile()


def test_one_text_is_one_class() -> None:
    assert type(compiled(5)) is type(compiled(5))
    assert type(compiled(5)) is not type(compiled(6))


def test_a_search_over_many_networks_does_not_fill_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(execute, "KEPT", 3)
    x = torch.ones(1, 3, 8, 8)
    models = [compiled(channels) for channels in range(20, 30)]
    made = [name for name in sys.modules if name.startswith("archdsl.compiled.")]
    assert len(made) == 3
    assert sum(name.startswith("<archdsl ") for name in linecache.cache) == 3
    oldest = models[0]
    assert oldest.training
    assert torch.equal(pickle.loads(pickle.dumps(oldest))(x), oldest(x))
    oldest(x).sum().backward()
