"""`expect` over what is known of a network: at a path, on memory, on all sizes of the input."""

from __future__ import annotations

import pytest

import archdsl
from archdsl.diagnostics.model import Diagnostic
from archdsl.layers.tensor import Tensor
from archdsl.network import Network

BODY = """
  input 3x64x64
  conv 8 k3 s2 p1 as a -> bn -> relu
  (conv 16 k3 p1 -> relu -> conv 16 k3 p1) as stage -> pool 2 -> upsample 2 as up
  (up | a -> conv 16) -> add
"""
"""Height and width are halved twice, the second time rounding down, and doubled again: 4*k - 1 and 4*k."""


def network(expectation: str, body: str = BODY) -> Network:
    return archdsl.parse(f"net n {{{body}  expect {expectation}\n}}")


def finding(expectation: str, body: str = BODY) -> Diagnostic:
    (found,) = network(expectation, body).diagnostics
    return found


@pytest.mark.parametrize(
    ("fact", "value"),
    [
        ("params at stage", (8 * 9 + 1) * 16 + (16 * 9 + 1) * 16),
        ("params at stage.conv1", (8 * 9 + 1) * 16),
        ("macs at stage.conv1", 32 * 32 * 16 * 8 * 9),
        ("flops at stage.conv1", 2 * 32 * 32 * 16 * 8 * 9),
        ("layers at stage", 3),
        ("field at stage", 3 + 2 * 2 + 2 * 2),
        ("field at a", 3),
        ("smallest_field at stage", 11),
        ("buffers at bn1", 17),
        ("out.c at a", 8),
        ("out.h at stage", 32),
        ("dropped", 0),
    ],
)
def test_what_stands_at_a_path(fact: str, value: int) -> None:
    name, _, path = fact.partition(" at ")
    at = f" at {path}" if path else ""
    assert network(f"{name} == {value}{at}").ok
    found = finding(f"{name} > {value}{at}")
    assert (found.code, found.notes) == ("expectation", (f"{name} = {value:,}",))


def test_the_smallest_field_is_that_of_the_shortest_way() -> None:
    assert network("smallest_field == 3 and field > 11").ok


def test_branches_that_look_at_different_places() -> None:
    body = "\n  input 3x16x16\n  (conv 4 k3 p1 s2 | pool 2 -> conv 4) -> add\n"
    assert network("misaligned == 1", body).ok
    assert network("misaligned == 0", body.replace("pool 2", "conv 3 k3 p1 s2")).ok
    assert network("misaligned == 0 at conv1", body).ok


def test_rows_that_no_window_covers() -> None:
    assert network("dropped == 2", "\n  input 3x15x15\n  conv 4 k2 s2\n").ok
    assert finding("dropped == 0", "\n  input 3xHxW\n  conv 4 k2 s2\n").code == "undecided"


def test_a_path_that_is_not_there() -> None:
    found = finding("params < 5 at stge.conv1")
    assert (found.code, found.help) == ("unknown-name", "did you mean `stage.conv1`?")
    assert found.span.text == "stge.conv1"


def test_paths_as_networks_have_them() -> None:
    body = (
        "\n  input 3x8x8\n  ((conv 4) as 0[] -> (conv 4 -> (relu -> conv 2) as Mixed_5b) as block1-0[]) as features[]\n"
    )
    graph = network("params > 0", body).graph
    paths = [node.path for node in graph.nodes if node.inputs]
    assert "features.0.0" in paths
    for path in paths:
        assert network(f"layers == 1 at {path}", body).ok, path


# ---------------------------------------------------------------- multiples


def test_multiples_of_numbers() -> None:
    assert network("out.c multiple_of 8").ok
    assert network("out.shape multiple_of 2*8").ok
    found = finding("out.c multiple_of 5")
    assert (found.code, found.notes) == ("expectation", ("out.c = 16",))
    assert found.span.text == "out.c multiple_of 5"
    assert finding("out.c multiple_of 0").code == "bad-expression"
    assert finding("out multiple_of 3").code == "bad-expression"
    assert finding("out.h multiple_of 4", "\n  input 3xHxW\n  conv 4\n").code == "undecided"


@pytest.mark.parametrize("divisor", range(1, 40))
def test_sizes_are_promised_if_each_multiple_builds(divisor: int) -> None:
    """Each multiple up to 160 is tried, from the least size on that is taken."""
    plain = archdsl.parse(f"net n {{{BODY}}}")
    (port,) = plain.graph.inputs

    def taken(size: int) -> bool:
        return plain.at({port.name: Tensor("map", (3, size, size))}).ok

    least = next(size for size in range(1, 100) if taken(size))
    tried = {size: taken(size) for size in range(divisor, 161, divisor) if size >= least}
    promised = network(f"sizes multiple_of {divisor}")
    assert promised.ok == all(tried.values())
    if not promised.ok:
        first = min(size for size, fits in tried.items() if not fits)
        (found,) = promised.diagnostics
        refused = f"{first} = {first // divisor}*{divisor} is refused"
        assert (found.notes[0], found.notes[2]) == (f"H = {refused}", f"W = {refused}")
        assert found.notes[1].startswith("add at")
        assert found.notes[1].endswith("takes 4*k - 1 to 4*k, from 3 on")


def test_sizes_that_are_open() -> None:
    body = "\n  input 3xHxW\n  conv 4 k3 p1 as a -> pool 2 -> pool 2 -> conv 8 k3 p1 -> upsample 4 -> cat a\n"
    for divisor, holds in ((4, True), (32, True), (2, False), (6, False)):
        assert network(f"sizes multiple_of {divisor}", body).ok == holds


def test_sizes_that_cannot_be_promised() -> None:
    assert finding("sizes multiple_of 8", "\n  input 784\n  fc 10\n").code == "undecided"
    for wrong in ("sizes > 3", "sizes multiple_of 2 at stage", "sizes + 1 multiple_of 2"):
        assert finding(wrong).code == "bad-expression", wrong
    assert network("sizes == 4", "\n  input 3x8x8\n  let sizes = 4\n  conv sizes\n").ok


def test_the_words_of_a_contract_are_names_elsewhere() -> None:
    text = "net n(multiple_of=4) {{ input 3x8x8\n conv multiple_of as at -> relu\n expect {} }}"
    assert archdsl.parse(text.format("at.c == multiple_of and multiple_of == 4")).ok
    assert archdsl.parse(text.format("at.c multiple_of multiple_of at at")).ok
    (found,) = archdsl.parse(text.format("at.c == multiple_of + 1")).diagnostics
    assert found.code == "expectation"


def test_a_blocks_contract_is_a_plain_condition() -> None:
    text = "block b { expect in.c multiple_of 3\n relu }\nnet n { input 3x8x8\n b }"
    (found,) = archdsl.parse(text).diagnostics
    assert found.code == "misplaced"


# ---------------------------------------------------------------- memory


def test_memory_is_that_of_the_report() -> None:
    plain = archdsl.parse(f"net n {{{BODY}}}")
    for asked, report in (
        ("peak_memory()", plain.memory().inference),
        ("peak_memory(batch=32)", plain.memory(batch=32).inference),
        ("peak_memory(batch=32, train)", plain.memory(batch=32).training),
        ("peak_memory(train, sgd, bfloat16)", plain.memory(optimizer="sgd", dtype="bfloat16").training),
        ("peak_memory(run=train, optimizer=adam)", plain.memory(optimizer="adam").training),
    ):
        assert network(f"{asked} == {report.peak}").ok, asked
        found = finding(f"{asked} < {report.peak}")
        assert found.code == "expectation"
        assert found.notes[0] == f"{asked} = {report.peak:,}"
        assert found.notes[1].endswith((report.layer, f"{report.layer}, on the way back", "while the optimizer steps"))


def test_units_of_memory() -> None:
    assert network("8GiB == 8 * 1024 * 1024 * 1024 and 1.5MiB == 1572864 and 2KB == 2000 and 1T == 1TB").ok


@pytest.mark.parametrize(
    "asked",
    [
        "peak_memory <= 8GiB",
        "peak_memory(fast) <= 8GiB",
        "peak_memory(batch=0) <= 8GiB",
        "peak_memory(batch=1.5) <= 8GiB",
        "peak_memory(batch=9999999) <= 8GiB",
        "peak_memory(dtype=float17) <= 8GiB",
        "peak_memory(train, inference) <= 8GiB",
        "peak_memory(train) <= 8GiB at stage",
        "peak_memory(train)",
    ],
)
def test_memory_asked_wrongly(asked: str) -> None:
    assert finding(asked).code == "bad-expression"


def test_a_word_nearly_right_is_told() -> None:
    found = finding("peak_memory(batch=32, trian) <= 8GiB")
    assert (found.span.text, found.help) == ("trian", "did you mean `train`?")
    found = finding("peak_memory(bach=32) <= 8GiB")
    assert (found.span.text, found.help) == ("bach=32", "did you mean `batch`?")


def test_memory_of_open_sizes_is_undecided() -> None:
    assert finding("peak_memory() < 1GiB", "\n  input 3xHxW\n  conv 4\n").code == "undecided"


def test_many_contracts_end() -> None:
    """Each answer is work, and there is only so much of it."""
    many = "\n".join(f"  expect peak_memory(batch={n + 1}) >= 0" for n in range(2000))
    text = f"net n {{\n  input 3x8x8\n  (conv 3 -> relu) x2000\n{many}\n}}"
    assert [found.code for found in archdsl.parse(text).diagnostics] == ["too-many-layers"]


# ---------------------------------------------------------------- cost


def test_costs_are_those_of_the_report() -> None:
    plain = archdsl.parse(f"net n {{{BODY}}}")
    for asked, value in (
        ("operations()", plain.cost().totals.flops),
        ("operations(all, batch=4)", plain.cost(batch=4, rule="all").totals.flops),
        ("operations(rule=macs)", plain.totals.macs),
        ("bytes_moved(batch=2, float16)", plain.cost(batch=2, dtype="float16").totals.bytes),
    ):
        assert network(f"{asked} == {value}").ok, asked
        assert finding(f"{asked} < {value}").notes[0] == f"{asked} = {value:,}"
    totals = plain.cost(device="h100-pcie", dtype="tf32", batch=8).totals
    assert totals.seconds is not None
    assert totals.flops is not None
    assert totals.bytes is not None
    for asked, exact in (
        ("seconds(h100_pcie, tf32, batch=8)", totals.seconds),
        ("intensity(batch=8)", totals.flops / totals.bytes),
    ):
        assert network(f"{asked} > {0.999 * exact:.12f} and {asked} < {1.001 * exact:.12f}").ok, asked
    assert "at the roof of NVIDIA H100 PCIe" in finding("seconds(h100_pcie) < 0.0000001").notes[1]


def test_seconds_need_a_device() -> None:
    found = finding("seconds(batch=3) < 1")
    assert (found.code, found.message) == ("bad-expression", "seconds needs a device")
    assert "h200" in (found.help or "")
    assert finding("seconds(h300) < 1").code == "bad-expression"
    assert finding("seconds(t4, float64) < 1").message.startswith("t4 has no peak rate for float64; it has float32")
