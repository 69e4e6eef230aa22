"""What the fuzzer has found stays mended, and some thousands of changed texts go through on every run."""

from __future__ import annotations

from pathlib import Path
from random import SystemRandom

import pytest

from .corpus import FOUND, seeds, texts, words
from .mutate import LONGEST, mutated
from .pipeline import examine, small_limits
from .shrink import shrunk
from .sweep import sweep

FIXED = 1
COUNT = 1_500


@pytest.mark.parametrize("path", sorted(FOUND.glob("*.arch")), ids=lambda path: path.stem)
def test_what_has_been_found_stays_mended(path: Path) -> None:
    with small_limits():
        examine(path.read_bytes().decode("utf-8", "replace"))


def test_the_corpus_has_every_kind_of_spec() -> None:
    stages = set()
    with small_limits():
        for path in seeds():
            stages.add(examine(path.read_bytes().decode("utf-8", "replace")).stage)
    assert stages >= {"built", "unread"}
    assert {"->", "conv", "kernel", "k3", "net"} <= set(words())


@pytest.mark.parametrize("kind", ["specs", "bytes"])
@pytest.mark.parametrize("which", ["fixed", "fresh"])
def test_changed_texts_go_through(kind: str, which: str) -> None:
    seed = FIXED if which == "fixed" else SystemRandom().randrange(1, 10**9)
    print(f"python -m tests.fuzz --plain --small-limits --seed {seed}")  # shown where this fails
    swept = sweep(seed, kind, 0, COUNT if kind == "bytes" else COUNT // 2)
    assert not swept.found
    assert swept.stages["unread"] > 20
    if kind == "specs":  # the changes leave specs that are wrong in what they mean, and some that are right
        assert swept.stages["wrong"] > COUNT // 10
        assert swept.stages["built"] > COUNT // 50


def test_a_failure_is_found_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(text: str) -> None:
        raise RecursionError("deep")

    monkeypatch.setattr(f"{sweep.__module__}.examine", broken)
    (found,) = sweep(FIXED, "specs", 0, 20).found
    assert found.problem == "RecursionError: deep"
    assert found.seed.startswith(f"{FIXED}/specs/")


def test_a_failing_text_is_made_smaller() -> None:
    text = "\n".join(f"line {number}" for number in range(50)) + " needle\n"
    assert shrunk(text, lambda tried: "needle" in tried) == "needle"


def test_a_changed_text_is_the_same_for_the_same_seed() -> None:
    from random import Random

    others = texts()
    made = [[mutated(others[0], Random(seed), others) for seed in range(30)] for _ in range(2)]
    assert made[0] == made[1]
    assert len(set(made[0])) > 20
    assert all(len(text) <= LONGEST for text in made[0])
