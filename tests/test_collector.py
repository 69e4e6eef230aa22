"""The garbage collector while much is made, and after."""

import gc
import weakref

import pytest

import archdsl
from archdsl import collector
from archdsl.collector import paused


class Node:
    def __init__(self) -> None:
        self.itself = self


def collections() -> list[int]:
    return [generation["collections"] for generation in gc.get_stats()]


def test_nothing_is_collected_meanwhile_and_it_is_on_again_after() -> None:
    assert gc.isenabled()
    with paused():
        before = collections()
        kept = [[] for _ in range(100_000)]
        with paused():
            pass
        assert not gc.isenabled(), "the outer one still holds"
        assert collections() == before
    assert gc.isenabled()
    assert len(kept) == 100_000


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_it_is_on_again_after_a_failure() -> None:
    try:
        with paused():
            raise ValueError
    except ValueError:
        pass
    assert gc.isenabled()


def test_what_was_made_is_old_at_once() -> None:
    """So that no collection of young objects goes through a large graph; a full one still does."""
    with paused():
        kept = [[] for _ in range(50_000)]
    assert len(gc.get_objects(generation=0)) < 10_000
    assert gc.get_freeze_count() == 0
    assert gc.is_tracked(kept)


def test_cycles_made_meanwhile_are_still_found() -> None:
    with paused():
        kept = [[] for _ in range(50_000)]
        one = weakref.ref(Node())
    assert one() is not None
    gc.collect()
    assert one() is None
    assert len(kept) == 50_000


def test_what_a_program_has_frozen_stays_frozen() -> None:
    gc.freeze()
    try:
        count = gc.get_freeze_count()
        with paused():
            kept = [[] for _ in range(50_000)]
        assert gc.get_freeze_count() == count
        assert len(kept) == 50_000
    finally:
        gc.unfreeze()


def test_large_networks_made_and_dropped_do_not_fill_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a full collection by archdsl itself nothing would ever collect them: Python does not count them."""
    monkeypatch.setattr(collector, "_ENOUGH", 100_000)
    text = "net large {{\n  input 8x32x32\n  (conv 8 k3 p1 -> relu) x2000 -> conv {}\n}}\n"
    networks = []
    for channels in range(1, 21):
        network = archdsl.parse(text.format(channels))
        network.report()
        networks.append(weakref.ref(network.elaboration.walker))
        del network
    assert sum(each() is not None for each in networks) < 10
