"""Two ways of writing one network: what must be equal, whatever the network."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import archdsl
from archdsl.network import Network
from tests.language.specs import named_substance, network, paths, substance

few = settings(max_examples=40, deadline=None)

# Rows that take a map with 8 channels of 8x8 and give one.
ELEMENTS = [
    "relu",
    "conv 8 k3 p1",
    "conv 8 k1 bias=no -> bn",
    "pool 3 s1 p1",
    "conv 8 k3 p2 d2 -> gelu",
    "( id | relu ) -> add",
    "( conv 4 k1 | conv 4 k3 p1 -> relu ) -> cat",
    "( id | gap -> conv 8 k1 -> sigmoid ) -> mul",
    "pool 2 -> upsample 2",
    "split 2 -> ( relu | tanh ) -> cat",
    "(conv 8 k1 -> relu -> bn)",
    "cell(8)",
    "cell(4) -> cell(8)",
    "short(8)",
    "fitted(6)",
    "two(8) -> add",
    "if yes { cell(8) } else { relu }",
]
BLOCKS = """
block cell(c, k=1) { conv c k=k -> relu }
block short(c) { if in.c != c { (conv c k1 -> bn) as fit[] } }
block fitted(c) { short(c) -> cell(8) }
block two(c) { ( conv c k1 | cell(c) ) }
"""
rows = st.lists(st.sampled_from(ELEMENTS), min_size=1, max_size=4).map(" -> ".join)


def on_a_map(lines: str, blocks: str = "") -> Network:
    return network(f"{BLOCKS}{blocks}net a {{\ninput image : 8x8x8\nelu\n{lines}\n}}")


# ---------------------------------------------------------------- repeats, loops, conditions


@few
@given(rows, st.integers(0, 4))
def test_a_repeat_is_its_unrolling(row: str, count: int) -> None:
    written_out = "\n".join(["tanh", *[f"({row})"] * count])
    assert named_substance(on_a_map(f"tanh -> ({row}) x{count}")) == named_substance(on_a_map(written_out))


@few
@given(rows, st.integers(1, 4))
def test_a_numbered_repeat_is_its_unrolling(row: str, count: int) -> None:
    written_out = " -> ".join([f"({row})"] * count)
    repeated = on_a_map(f"(({row}) x({count})) as body[]")
    assert named_substance(repeated) == named_substance(on_a_map(f"({written_out}) as body[]"))


@few
@given(rows, st.lists(st.integers(1, 9), max_size=4))
def test_a_loop_is_its_rows_written_out(row: str, channels: list[int]) -> None:
    looped = f"tanh\nfor c in [{', '.join(map(str, channels))}] {{ conv c k1 -> conv 8 k1 as last{{c}} -> {row} }}"
    if len(set(channels)) < len(channels):
        assert {
            finding.code for finding in archdsl.parse(f"{BLOCKS}net a {{ input 8x8x8\n{looped} }}").diagnostics
        } == {"duplicate-name"}
        return
    written_out = [f"conv {c} k1 -> conv 8 k1 as last{c} -> {row}" for c in channels]
    assert named_substance(on_a_map(looped)) == named_substance(on_a_map("\n".join(["tanh", *written_out])))


@few
@given(rows, st.integers(-2, 4), st.integers(-2, 4))
def test_a_range_is_a_list_of_its_numbers(row: str, first: int, last: int) -> None:
    body = f"{{ conv i + 3 k1 -> conv 8 k1 -> {row} }}"
    numbers = ", ".join(map(str, range(first, last)))
    in_range = on_a_map(f"tanh\nfor i in {first}..{last} {body}")
    assert named_substance(in_range) == named_substance(on_a_map(f"tanh\nfor i in [{numbers}] {body}"))


@few
@given(rows, rows, st.booleans())
def test_a_condition_is_the_body_that_it_chooses(then: str, otherwise: str, test: bool) -> None:
    chosen = on_a_map(f"tanh\nif {'yes' if test else 'no'} {{ {then} }} else {{ {otherwise} }}")
    assert named_substance(chosen) == named_substance(on_a_map(f"tanh\n{then if test else otherwise}"))


@few
@given(rows, rows)
def test_a_newline_is_an_arrow(first: str, second: str) -> None:
    assert named_substance(on_a_map(f"{first}\n{second}")) == named_substance(on_a_map(f"{first} -> {second}"))


@few
@given(rows, rows)
def test_brackets_around_a_row_change_nothing(first: str, second: str) -> None:
    assert named_substance(on_a_map(f"({first} -> ({second}))")) == named_substance(on_a_map(f"{first} -> {second}"))


@few
@given(rows)
def test_a_merge_by_name_is_a_merge_of_branches(row: str) -> None:
    by_name = on_a_map(f"conv 8 k1 as e\n{row}\nadd e")
    assert named_substance(by_name) == named_substance(on_a_map(f"conv 8 k1 as e\n{row}\n( id | e ) -> add"))


# ---------------------------------------------------------------- blocks


@few
@given(rows)
def test_a_block_is_its_body_in_a_group(row: str) -> None:
    called = on_a_map("once as b", f"block once {{ {row} -> tanh }}\n")
    assert named_substance(called) == named_substance(on_a_map(f"({row} -> tanh) as b"))


def modules(net: Network) -> list[tuple[object, ...]]:
    """The modules of a network, less what their definitions are called and where they stand."""
    return [
        (a.index, a.path, a.kind, a.inputs, a.outputs, a.numbered, a.parent, a.reused, a.transparent, a.parameters)
        for a in net.graph.activations
    ]


def everything(net: Network) -> tuple[object, ...]:
    graph = net.graph
    return (
        named_substance(net),
        modules(net),
        dict(graph.names),
        dict(graph.local_names),
        net.totals,
        [node.activation for node in graph.nodes],
    )


# Bodies of a block with parameters c and n, that take any map and give one with c channels.
BODIES = [
    "conv c k3 p1 -> bn -> relu",
    "(conv c k1 as a -> relu as b) as g\nadd a",
    "(conv c k1 -> relu) x(n) as body[]\nconv c k1",
    "( conv c k3 p1 -> bn | short(c) ) -> add -> relu",
    "conv c k1 as e\nfor i in 0..n { cell(c) as u{i} }\nadd e",
    "short(c) -> short(c + 1) -> cell(c)",
    "share s = conv c k3 p1\nconv c k1 -> s -> s x(n)\nrelu",
    "share s = cell(c)\nconv c k1 -> s -> cell(c) -> s",
    "cell(c)\nupsample like=in",
    "if n > 1 { two(c) -> mul } else { two(c) -> cat -> conv c k1 }",
    "conv c k1 -> split 2 -> ( relu | tanh ) -> cat",
    "expect in.h == 8 and c == 8\nlet m = 2*c\ndefault conv bias=no\nconv m k1 -> conv c k1",
    "deep(c) -> deep(c)",
    "two(c) -> join(c)",
    "conv c k1 as e\n( e | e ) -> join(c)",
    "conv c k1 -> relu as e\nin -> conv c k1\nadd e",
]
MORE = """
block deep(c) { (cell(c) -> short(c)) x2 -> inner(c) as i }
block inner(c) { two(c) -> add as sum }
block join(c) takes a, b { a -> conv c k1 as left -> add b -> add left }
"""


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.sampled_from(BODIES), min_size=1, max_size=2),
    st.lists(st.tuples(st.booleans(), st.integers(1, 2)), min_size=2, max_size=5),
)
def test_a_block_called_often_is_as_many_blocks(bodies: list[str], calls: list[tuple[bool, int]]) -> None:
    row = "\n".join(bodies) if len(bodies) == 1 else bodies[0]
    second = bodies[-1]
    once = f"block one(c, n) {{\n{row}\n}}\nblock other(c, n) {{\n{second}\n}}\n"
    lines = [f"{'one' if first else 'other'}(8, {n}) as b{i}" for i, (first, n) in enumerate(calls)]
    many = [f"block v{i}(c, n) {{\n{row if first else second}\n}}\n" for i, (first, _) in enumerate(calls)]
    copied = [f"v{i}(8, {n}) as b{i}" for i, (_, n) in enumerate(calls)]
    end = "\nadd b0 as end"
    repeated = on_a_map("\n".join(lines) + end, MORE + once)
    assert everything(repeated) == everything(on_a_map("\n".join(copied) + end, MORE + "".join(many)))


def test_blocks_that_are_copied_compile_like_blocks_that_are_written_out() -> None:
    for row in BODIES:
        once = on_a_map("b(8, 2) as b0\nb(8, 2) as b1\nb(8, 1) as b2", f"{MORE}block b(c, n) {{\n{row}\n}}\n")
        blocks = "".join(f"block v{i}(c, n) {{\n{row}\n}}\n" for i in range(3))
        many = on_a_map("v0(8, 2) as b0\nv1(8, 2) as b1\nv2(8, 1) as b2", MORE + blocks)
        weights, other = once.compile().state_dict(), many.compile().state_dict()
        assert {name: tensor.shape for name, tensor in weights.items()} == {
            name: tensor.shape for name, tensor in other.items()
        }


@pytest.mark.parametrize("flow", ["( id | e )", "( e | id )", "( e | e )", "( id | id )"])
def test_a_copy_does_not_confuse_what_it_takes(flow: str) -> None:
    lines = "conv 8 k1 as e -> relu\n( id | e ) -> {} as j0\n{} -> {} as j1\n( e | e ) -> {} as j2\nadd j0 j1"
    block = "block {}(c) takes a, b {{ b -> conv c k1 -> sub a }}\n"
    once = on_a_map(lines.format("j(8)", flow, "j(8)", "j(8)"), block.format("j"))
    many = on_a_map(lines.format("p(8)", flow, "q(8)", "r(8)"), "".join(map(block.format, "pqr")))
    assert everything(once) == everything(many)


def test_a_block_that_gives_its_input_is_copied_rightly() -> None:
    block = "block {}(c) {{ ( conv c k1 | in | relu ) }}\n"
    lines = "tanh -> {} -> cat as x\n tanh -> {} -> cat as y\n conv 24 k1 -> {} -> cat"
    once = on_a_map(lines.format(*["g(8) as g1", "g(8) as g2", "g(8) as g3"]), block.format("g"))
    many = on_a_map(lines.format(*["p(8) as g1", "q(8) as g2", "r(8) as g3"]), "".join(map(block.format, "pqr")))
    assert everything(once) == everything(many)


def test_equal_numbers_of_other_types_are_other_arguments() -> None:
    text = "block b(n) { if n == 1 { relu } else { tanh } }\nnet a { input 8\n b(1) -> b(1.0) -> b(2) -> b(1) }"
    assert [path.rpartition(".")[2] for path in paths(network(text))] == ["relu1", "relu1", "tanh1", "relu1"]
    text = "block b(n) { dropout p=0.5 -> fc 8 bias=n }\nnet a { input 8\n b(yes) -> b(no) -> b(yes) }"
    assert [count.parameters for count in network(text).counts if count.parameters] == [72, 64, 72]


def test_the_same_block_on_other_shapes_is_another() -> None:
    text = "block b { conv in.c + 1 k3 }\nnet a { input 3x9x9\n b -> b -> pool 2 s1 -> b }"
    assert [node.layer.channels for node in network(text).graph.nodes if node.layer.word == "conv"] == [4, 5, 6]


def test_a_block_of_two_files_with_one_name_is_two_blocks() -> None:
    text = 'use resnet18 from "resnet.arch"\nblock basic(c) { conv c k1 }\nnet a { input 8x8x8\n basic(8) -> basic(8) }'
    assert paths(network(text)) == ["basic1.conv1", "basic2.conv1"]


# ---------------------------------------------------------------- variants and arguments


@few
@given(rows, st.integers(1, 9), st.integers(0, 2))
def test_a_variant_is_its_call(row: str, c: int, n: int) -> None:
    text = f"{BLOCKS}net base(c, n=1) {{\ninput 8x8x8\nconv c k1 -> conv 8 k1\n({row}) x(n)\n}}\n"
    text += f"net v = base({c}, n={n})\nnet w = base(n={n}, c={c})\nnet x = v()\nnet y = base({c + 1}, {n + 1})\n"
    text += f"net z = y(c={c}, n={n})\n"
    direct = named_substance(network(text, "base", c=c, n=n))
    for name in "vwxz":
        assert named_substance(network(text, name)) == direct
    assert named_substance(network(text, "y", c=c, n=n)) == direct


OPTIONS = ["kernel=3", "stride=2", "padding=1", "groups=2", "bias=no"]


def test_named_arguments_mean_the_same_in_any_order() -> None:
    expected = named_substance(on_a_map("conv 4 " + " ".join(OPTIONS)))
    for order in permutations(OPTIONS):
        assert named_substance(on_a_map("conv 4 " + " ".join(order))) == expected
        assert named_substance(on_a_map(f"conv({', '.join(order)}, channels=4)")) == expected


def test_named_arguments_of_blocks_mean_the_same_in_any_order() -> None:
    block = "block b(c, k=1, act=relu, n=1) { conv c k=k -> act x(n) }\n"
    expected = named_substance(on_a_map("b(4, 3, tanh, 2)", block))
    for order in permutations(["c=4", "k=3", "act=tanh", "n=2"]):
        assert named_substance(on_a_map(f"b({', '.join(order)})", block)) == expected
        assert named_substance(on_a_map(f"b {' '.join(order)}", block)) == expected


@few
@given(rows)
def test_a_shared_module_used_once_is_that_module(row: str) -> None:
    shared = on_a_map(f"share s = ({row} -> conv 8 k1)\ntanh -> s")
    assert named_substance(shared) == named_substance(on_a_map(f"tanh -> ({row} -> conv 8 k1) as s"))


@few
@given(rows, st.integers(2, 3))
def test_a_shared_module_counts_its_parameters_once_and_its_macs_each_time(row: str, uses: int) -> None:
    once = on_a_map(f"({row} -> conv 8 k1) as s").totals
    often = on_a_map(f"share s = ({row} -> conv 8 k1)\ns x{uses}").totals
    assert (often.parameters, often.buffers) == (once.parameters, once.buffers)
    assert often.macs is not None
    assert once.macs is not None
    assert often.macs == uses * once.macs


@few
@given(rows)
def test_the_names_of_a_network_do_not_change_what_it_computes(row: str) -> None:
    named = on_a_map(f"conv 8 k1 as first\n({row}) as group\n(relu -> tanh) as rest[]")
    assert substance(named) == substance(on_a_map(f"conv 8 k1\n{row}\nrelu -> tanh"))


@few
@given(rows)
def test_a_given_input_is_a_written_one(row: str) -> None:
    text = f"{BLOCKS}net a {{ input 8xHxW\n tanh -> {row} }}"
    written = text.replace("8xHxW", "8x16x12")
    assert named_substance(network(text, input="8x16x12")) == named_substance(network(written))
