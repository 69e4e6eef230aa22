"""The linter's work grows with the network and the text, and no faster."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import process_time

import pytest

import archdsl
from archdsl.linter.lint import findings
from archdsl.linter.model import Options
from archdsl.linter.rules import RULES

from .helpers import ALL, net


def calls(work: Callable[[], object]) -> int:
    """How many calls of functions it takes."""
    count = 0

    def counted(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


CHAINS = {
    "layers": "for i in 0..{n} {{ conv 8 k3 p1 -> bn -> relu }}",
    "poolings": "conv 8\nfor i in 0..{n} {{ pool 1 }}\nbn",
    "dropouts": "for i in 0..{n} {{ dropout 0.1 }}\nbn",
    "linear layers": "for i in 0..{n} {{ conv 8 }}",
    "paddings": "for i in 0..{n} {{ pad 0 }}\npool 1 s2",
    "shortcuts": "conv 8\nfor i in 0..{n} {{ ( conv 8 k3 p1 -> relu | id ) -> add }}",
    "gaps": "for i in 0..{n} {{ ( conv 8 k1 s2 | conv 8 k1 s2 ) -> add -> upsample 2 }}",
}


@pytest.mark.parametrize("name", CHAINS)
def test_the_work_grows_with_the_network(name: str) -> None:
    small, large = (net(CHAINS[name].format(n=n), "8x32x32") for n in (100, 400))
    for network in (small, large):
        assert network.fields
        assert network.counts
        network.looked_at(ALL, Options())
    few, many = (
        calls(lambda network=network: findings([network.looked_at(ALL, Options())], ["a"]))
        for network in (small, large)
    )
    assert many < 4.6 * few


def test_many_readers_of_one_value_are_looked_at_once() -> None:
    def wide(n: int) -> archdsl.Network:
        return net(f"( {' | '.join(['conv 8 k1 s2'] * n)} ) -> add", "8x32x32")

    few, many = (
        calls(lambda network=network: network.looked_at(ALL, Options()))
        for network in (wide(50), wide(200))
        if network.fields and network.counts
    )
    assert many < 4.6 * few


def test_many_comments_are_found_by_their_line() -> None:
    def commented(n: int) -> archdsl.Network:
        lines = "# lint: off unused-taps\n" * n + "conv 8 k3 p1 -> bn -> relu  # lint: off bias-before-norm\n" * n
        return net(lines, "8x32x32")

    few, many = (
        calls(lambda network=network: findings([network.looked_at(ALL, Options())], ["<text>"]))
        for network in (commented(50), commented(200))
        if network.fields and network.counts
    )
    assert many < 4.6 * few


def test_a_deep_network_is_linted_in_a_moment() -> None:
    """A twentieth of a second is allowed; the least of several tries counts, as the machine may be busy."""
    network = archdsl.load("resnet152")
    assert network.fields
    assert network.counts
    times = []
    for _ in range(10):
        began = process_time()
        network.lint()
        times.append(process_time() - began)
    assert min(times) < 0.05


def test_extreme_numbers_do_no_harm() -> None:
    for body, input in (
        ("pad 281474976710656 -> conv 1 k281474976710655 p3", "1x1"),
        ("upconv 1 k1 s281474976710656", "1x1"),
        ("conv 1 k1 s281474976710656", "1xL"),
        ("pool 1 s281474976710656", "1x281474976710656"),
        ("conv 4 k3 p281474976710656 d281474976710656", "1x7"),
    ):
        network = archdsl.parse(f"net a {{\n  input {input}\n  {body}\n}}\n")
        if network.ok:
            network.lint()


def test_rules_write_nothing_on_the_graph() -> None:
    network = archdsl.load("googlenet")
    before = repr(network.graph.nodes)
    assert all(rule.find is None or network.looked_at(frozenset({rule.slug}), Options()) for rule in RULES)
    assert repr(network.graph.nodes) == before
