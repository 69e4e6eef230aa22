"""Specs that ask for too much are refused after a bounded amount of work, and the page of the limits is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import archdsl
from archdsl import limits, project
from archdsl.diagnostics import Diagnostic
from archdsl.layers.catalog import STANDARD
from archdsl.loading import buildable
from archdsl.network import Network
from archdsl.source import Source
from archdsl.syntax.formatter import format_text

ROOT = Path(__file__).resolve().parents[2]
N = 2_000


def net(body: str, before: str = "") -> str:
    return f"{before}net n {{\n  input 8x32x32\n{body}\n}}\n"


def checked(text: str) -> tuple[Network, tuple[Diagnostic, ...]]:
    module = project.open_source(Source("spec.arch", text))
    network = Network(module, buildable(module)[-1], STANDARD)
    return network, network.diagnostics


# ---------------------------------------------------------------- the page


def constants() -> dict[str, int]:
    return {name: value for name, value in vars(limits).items() if name.isupper()}


def test_the_page_has_every_limit_with_its_value() -> None:
    page = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([A-Z_]+)` \| ([\d,]+) \|", page, re.MULTILINE)
    assert {name: int(value.replace(",", "")) for name, value in rows} == constants()
    assert len(rows) == len(constants())


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("grammar/README.md", ["FILE_CHARACTERS", "TOKENS", "FILES", "LAYERS", "STEPS", "LIST_ITEMS", "PROBLEMS"]),
        ("archdsl/diagnostics/pages/too-large.md", ["FILE_CHARACTERS", "TOKENS"]),
        ("archdsl/diagnostics/pages/too-many-layers.md", ["LAYERS", "STEPS"]),
    ],
)
def test_other_pages_name_the_same_numbers(page: str, names: list[str]) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for name in names:
        assert re.search(rf"(?<![\d,]){constants()[name]:,}(?![\d,]\d)", text), name


def test_every_limit_is_used() -> None:
    package = ROOT / "archdsl"
    code = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py") if path.name != "limits.py")
    assert [name for name in constants() if f"limits.{name}" not in code] == []


# ---------------------------------------------------------------- work

LOOP = "for i in 0..700000"
NUMBERS = "[" + "1, " * N * 4 + "]"
ENDLESS = {
    "lets": net(f"{LOOP} {{\n" + "".join(f"let a{i} = i + {i}\n" for i in range(N)) + "}"),
    "sums": net(f"{LOOP} {{ let b = sum(a) }}", f"let a = {NUMBERS}\n"),
    "equal lists": net(f"{LOOP} {{ let b = a == c }}", f"let a = {NUMBERS}\nlet c = {NUMBERS}\n"),
    "lists made": net(f"{LOOP} {{ let b = {NUMBERS} }}"),
    "lists joined": net(f"{LOOP} {{ let b = a + a }}", f"let a = {NUMBERS}\n"),
    "lists that grow": net(
        "relu", f"let a0 = {NUMBERS}\n" + "".join(f"let a{i + 1} = a{i} + [1]\n" for i in range(4 * N))
    ),
    "elements": net(f"{LOOP} {{\n" + "id\n" * N + "}"),
    "values": net(f"relu as a\n{LOOP} {{\n" + "a\n" * N + "}"),
    "conditions": net(f"{LOOP} {{\n" + "if i > 3 { id }\n" * N + "}"),
    "branches": net(f"{LOOP} {{ ({'|'.join(['id'] * N)}) -> add x0 }}"),
    "values that double": net(
        "c",
        f"block a {{ ({'|'.join(['id'] * 1000)}) }}\nblock b {{ ({'|'.join(['a'] * 1000)}) }}\nblock c {{ (b | b) }}\n",
    ),
    "parameters": net("b\n" * N, f"block b({', '.join(f'p{i}=1' for i in range(N))}) {{ relu }}\n"),
    "arguments": net(
        f"{LOOP} {{ b({', '.join(['1'] * N)}) }}", f"block b({', '.join(f'p{i}' for i in range(N))}) {{ relu x0 }}\n"
    ),
    "defaults": net(f"{LOOP} {{\n default conv k3 p1\n default bn eps=0.1\n}}"),
    "nested loops": net(f"{LOOP} {{ {LOOP} {{ relu x0 }} }}"),
    "nested blocks": net(
        "b0(1)",
        "".join(f"block b{i}(n) {{ b{i + 1}(2*n) -> b{i + 1}(2*n + 1) }}\n" for i in range(40))
        + "block b40(n) { relu x0 }\n",
    ),
    "a list as an argument": net(f"{LOOP} {{ b(a) }}", f"let a = {NUMBERS}\nblock b(s) {{ relu x0 }}\n"),
    "inputs": "net n {\n" + "".join(f"input a{i} : 8\n" for i in range(4 * N)) + "relu\n}\n",
    "elements that grow": net(
        "relu", "let p0 = conv(1)\n" + "".join(f"let p{i + 1} = p{i}(1)\n" for i in range(2 * N))
    ),
    "contracts": net("relu\n" + "expect sum(a) > 0 and params == 0\n" * N, f"let a = {NUMBERS}\n"),
    "contracts of blocks": net(f"{LOOP} {{ b }}", "block b { relu x0\n" + "expect in.c > 3\n" * N + "}\n"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_endless_work_is_given_up_after_so_many_steps(name: str) -> None:
    network, findings = checked(ENDLESS[name])
    assert [finding.code for finding in findings] == ["too-many-layers"]
    assert f"{limits.STEPS:,} steps" in findings[0].message
    assert limits.STEPS <= network.elaboration.walker.builder.steps < 2 * limits.STEPS
    assert len(network.graph.nodes) <= limits.LAYERS + 1


# What is repeated without a change is not done again, and a mistake that is met again and again ends the network.
SOON = {
    "nested repeats": ("empty-net", net("(((b x90) x90) x90) x90", "block b { relu x0 }\n")),
    "nested blocks": (
        "empty-net",
        net("b0", "".join(f"block b{i} {{ b{i + 1} x3 }}\n" for i in range(40)) + "block b40 { relu x0 }\n"),
    ),
    "a wrong list": ("bad-argument", net(f"{LOOP} {{ reshape a }}", f"let a = {NUMBERS}\n")),
}


@pytest.mark.parametrize("name", SOON)
def test_other_work_comes_to_an_end_long_before(name: str) -> None:
    code, text = SOON[name]
    network, findings = checked(text)
    assert [finding.code for finding in findings] == [code]
    assert network.elaboration.walker.builder.steps < limits.STEPS // 5


def test_a_large_network_stays_below_the_limit() -> None:
    block = "block b(c, act=relu) { ( conv c k3 p1 -> bn | id ) -> add -> act }\n"
    network, findings = checked(net(f"b(8) x{limits.LAYERS // 4 - 1}", block))
    assert findings == ()
    assert network.steps < limits.STEPS


# ---------------------------------------------------------------- findings

WRONG = {
    "unknown layers": net("".join(f"abcdefgh{i}\n" for i in range(N))),
    "unknown layers beside known names": net(
        "".join(f"conv abcdefgx{i}\n" for i in range(N)), "".join(f"let abcdefgh{i} = 1\n" for i in range(N))
    ),
    "one line": net("relu" + "".join(f" -> abc{i}" for i in range(N))),
    "wrong shapes": net("conv 8 : 9x9x9\n" * N),
    "one wrong element in a loop": net(f"{LOOP} {{ conv abc }}"),
    "long texts": net("conv s\n" * N, f'let s = "{"a" * 100_000}"\n'),
    "a long name": net("a" * 500_000),
    "long lists": net("conv a\n" * N, f"let a = {NUMBERS}\n"),
    "defined twice": "let a = 1\n" * N + net("relu"),
    "missing files": 'use a from "nothing.arch"\n' * N + net("relu"),
    "missing names": f'use {", ".join(f"a{i}" for i in range(N))} from "resnet.arch"\n' + net("relu"),
    "nothing uses them": net("relu as a\n" + "a -> relu\n" * N),
    "contracts that fail": net("relu\n" + "".join(f"expect params > {i}\n" for i in range(N))),
}


@pytest.mark.parametrize("name", WRONG)
def test_findings_are_few_and_short_however_much_is_wrong(name: str) -> None:
    _, findings = checked(WRONG[name])
    assert 0 < len(findings) <= limits.SHARED_PROBLEMS + limits.PROBLEMS
    for finding in findings:
        for text in (finding.message, *finding.notes, finding.help or ""):
            assert len(text) <= limits.MESSAGE_CHARACTERS + 1


def test_many_warnings_leave_a_network_whole() -> None:
    network, findings = checked(WRONG["nothing uses them"])
    assert len(findings) == limits.PROBLEMS
    assert network.ok
    assert network.graph.outputs


def test_too_many_words_are_refused_by_every_reader() -> None:
    text = net("relu\n" * (limits.TOKENS // 2))
    module = project.open_source(Source("spec.arch", text))
    assert [finding.code for finding in module.diagnostics] == ["too-large"]
    assert format_text(Source("spec.arch", text)) is None


def test_a_row_of_variants_has_an_end() -> None:
    variants = "".join(f"net v{i + 1} = v{i}\n" for i in range(1000))
    _, findings = checked(net("relu").replace("net n ", "net v0 ") + variants)
    assert [finding.code for finding in findings] == ["too-deep"]


def test_documentation_of_many_lines_is_read() -> None:
    network, findings = checked("## a\n" * 100_000 + net("relu"))
    assert findings == ()
    assert network.graph.doc.count("\n") == 99_999


@pytest.mark.parametrize(
    "text",
    [
        "net n {\n  input 1000x4\n  (split 1000 -> cat) x50000\n}\n",
        "block b { split 1000 -> cat }\nnet n {\n  input 1000x4\n  b x30000\n}\n",
    ],
)
def test_values_that_flow_are_steps(text: str) -> None:
    network = archdsl.parse(text)
    assert [finding.code for finding in network.diagnostics] == ["too-many-layers"]
    assert sum(len(node.inputs) for node in network.graph.nodes) <= limits.STEPS


def test_a_step_in_the_input_that_grows_without_end_is_given_up() -> None:
    network = archdsl.parse("net n {\n  input 3xHxW\n  (conv 8 k3 s3) x9500\n}\n")
    fields = [layer.field for layer in network.report().layers]
    assert fields[30] is not None
    assert fields[30].stride == (3**31, 3**31)
    assert fields[-1] is None


def test_a_long_argument_is_cut_in_the_text_of_a_call() -> None:
    items = ", ".join(["[1, 2]"] * 3000)
    block = f"let t = [{items}]\nblock b(t, s) {{ relu }}\n"
    text = f'{block}net n {{\n  input 3x4x4\n  b(t, "{"x" * 30_000}") x5000\n}}\n'
    report = archdsl.parse(text).report()
    assert max(len(module.call) for module in report.modules) < 300
    assert report.modules[1].call.startswith("b([[1, 2], [1, 2], ")
