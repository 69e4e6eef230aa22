"""A network that stands as an element in another, where it ends, and what comes out of its layers."""

from __future__ import annotations

import pytest
import torch

import archdsl
from archdsl.network import Network
from tests.language.specs import codes, named_substance, network, one, out, paths, shapes, substance, wired

INNER = """
net inner(c=8, act=relu) {
  input 3x32x32
  conv c k3 p1 as stem -> act
  (conv 2*c k3 s2 p1 -> bn as norm) as down -> act
  gap -> flatten -> fc 10 as head
}
net narrow = inner(c=4)
"""
OUTER = "net outer {\ninput 3x32x32\n"


def outer(lines: str, before: str = INNER, **options: object) -> Network:
    return network(f"{before}{OUTER}{lines}\n}}", "outer", **options)


# ---------------------------------------------------------------- what it is


def test_a_network_inside_is_what_it_is_alone() -> None:
    alone, inside = network(INNER, "inner"), outer("inner as body")
    assert substance(inside) == substance(alone)
    assert paths(inside) == [f"body.{path}" for path in paths(alone)]
    state, other = alone.compile().state_dict(), inside.compile().state_dict()
    assert list(other) == [f"body.{name}" for name in state]
    assert [v.shape for v in other.values()] == [v.shape for v in state.values()]


def test_it_computes_what_it_does_alone() -> None:
    alone, inside = network(INNER, "inner").compile().eval(), outer("inner as body").compile().eval()
    inside.load_state_dict({f"body.{name}": value for name, value in alone.state_dict().items()})
    image = torch.randn(2, 3, 32, 32)
    assert torch.equal(alone(image), inside(image))


def test_a_variant_and_arguments_count() -> None:
    assert shapes(outer("narrow"))[0] == "4x32x32"
    assert shapes(outer("narrow(c=6)"))[0] == "6x32x32"
    assert shapes(outer("inner(16, act=tanh)"))[0] == "16x32x32"
    assert outer("inner 16").report().layers[0].path == "inner.stem"


def test_its_own_defaults_hold_in_it_and_nowhere_else() -> None:
    text = "net inner { default conv bias=no\ninput 3x8x8\nconv 4 k1 as a }\n"
    net = network(f"{text}{OUTER}inner\nconv 4 k1 as b\n}}", "outer")
    parameters = {layer.path: layer.parameters for layer in net.report().layers}
    assert (parameters["inner.a"], parameters["b"]) == (12, 4 * 4 + 4)


def test_each_use_without_a_name_gets_one_and_weights_of_its_own() -> None:
    net = outer("inner(until=down)\ninner(until=stem)")
    assert [path.partition(".")[0] for path in paths(net)] == ["inner"] * 4 + ["inner_2"]


def test_in_a_group_with_numbered_children_it_is_one_of_them() -> None:
    net = outer("(conv 3 k1 -> inner(until=stem) -> relu) as row[]")
    assert paths(net) == ["row.0", "row.1.stem", "row.2"]


def test_a_shared_network_has_one_set_of_weights() -> None:
    text = "net twin {\ninput a : 3x32x32\ninput b : 3x32x32\nshare body = inner\na -> body as x\nb -> body as y\n"
    net = network(f"{INNER}{text}( x | y ) -> sub\n}}", "twin")
    assert net.totals.parameters == network(INNER, "inner").totals.parameters


def test_other_channels_and_sizes_are_inferred() -> None:
    net = network(f"{INNER}net outer {{\ninput 1x20x24\ninner(until=down)\n}}", "outer")
    assert shapes(net) == ["8x20x24", "8x20x24", "16x10x12", "16x10x12"]


def test_symbols_are_what_flows() -> None:
    text = "net inner { input 3xHxW\nconv 4 k3 s2 p1\nupsample size=[H, W] }\n"
    assert out(outer("inner", text)) == "4x32x32"
    assert out(network(f"{text}net outer {{ input 3xHxW\ninner }}", "outer", input="3x20x26")) == "4x20x26"


def test_several_inputs_take_several_values() -> None:
    text = "net pair { input a : 3x32x32\ninput b : 4x32x32\n( b | a ) -> cat }\n"
    net = outer("( conv 3 k1 as left | conv 4 k1 as right ) -> pair as both", text)
    assert wired(net)["both.cat1"] == ["right", "left"]


def test_its_outputs_flow_on_but_for_those_of_training() -> None:
    text = (
        "net two { input 3x32x32\nconv 4 k1 as a -> conv 5 k1 as b\nfc 2 as c\noutput b, a\noutput c when training }\n"
    )
    net = outer("two as body -> cat", text.replace("fc 2", "gap -> flatten -> fc 2"))
    assert paths(net) == ["body.a", "body.b", "cat1"]
    assert wired(net)["cat1"] == ["body.b", "body.a"]


def test_what_it_expects_of_itself_alone_does_not_count() -> None:
    assert out(outer("inner(c=3)", INNER.replace("-> fc 10 as head", "-> fc 10 as head\nexpect params == 1"))) == "10"


def test_its_checked_shapes_are_about_the_sizes_that_it_was_written_for() -> None:
    text = "net inner { input 3x32x32\nconv 4 k3 : 4x30x30 }\n"
    assert out(outer("inner", text)) == "4x30x30"
    assert out(network(f"{text}net outer {{ input 3x20x20\ninner }}", "outer")) == "4x18x18"
    assert codes(f"{text.replace('4x30x30', '4x31x31')}{OUTER}inner }}", "outer") == ["shape-mismatch"]


def test_it_is_passed_as_an_argument() -> None:
    text = f"{INNER}block head(body, classes) {{ body -> fc classes }}\n"
    assert shapes(outer("head(inner(16), 5)", text))[0] == "16x32x32"
    assert shapes(outer("head(narrow(until=flatten1), 5)", text))[-1] == "5"


def test_a_network_of_another_file(tmp_path: object) -> None:
    assert isinstance(tmp_path, object)
    net = network('use resnet18 from "resnet.arch"\n' + OUTER + "resnet18(until=layer1) as body\n}")
    assert [path for path in paths(net) if path.count(".") == 1][:4] == [
        "body.conv1",
        "body.bn1",
        "body.relu1",
        "body.pool1",
    ]
    assert out(net) == "64x8x8"


# ---------------------------------------------------------------- what is wrong with a call

SHOWN = "net n {{\n input 3x64x64\n pretrained resnet18({}) as body\n}}"


@pytest.mark.parametrize(
    ("given", "message", "help"),
    [
        ("freze=[conv1]", "no parameter `freze`", "did you mean `freeze`?"),
        ("trainable=no", "no parameter `trainable`", "it takes classes, until, weights, freeze, bn"),
        (
            "until=layer2, freeze=[layer3]",
            "no layer `layer3` up to `layer2`, where it ends",
            "what stands behind `layer2`",
        ),
        ("weights=IMAGENET1K_V1", "begins with a capital letter", 'a text stands in quotes: `"IMAGENET1K_V1"`'),
        ('weights="r18.pth"', 'no weights "r18.pth"', 'a file is named so: `weights="file:r18.pth"`'),
        ('weights="some/r18"', 'no weights "some/r18"', 'weights="file:some/r18"'),
    ],
)
def test_the_help_names_what_is_meant(given: str, message: str, help: str) -> None:
    (finding,) = archdsl.parse(SHOWN.format(given)).diagnostics
    assert message in finding.message
    assert help in (finding.help or "")


# ---------------------------------------------------------------- where it ends


@pytest.mark.parametrize(
    ("until", "last", "count"),
    [
        ("until=stem", "body.stem", 1),
        ("until=down", "body.down.norm", 4),
        ('until="down.conv1"', "body.down.conv1", 3),
        ("until=down.norm", "body.down.norm", 4),
        ("until=gap1", "body.gap1", 6),
        ("until=head", "body.head", 8),
    ],
)
def test_it_ends_at_a_layer_or_a_module(until: str, last: str, count: int) -> None:
    net = outer(f"inner({until}) as body")
    whole = outer("inner as body")
    assert paths(net) == paths(whole)[:count]
    assert paths(net)[-1] == last
    assert named_substance(net)[: count + 1][1:] != []
    assert net.totals.parameters == sum(counts.parameters for counts in whole.counts[: count + 1])


def test_the_path_may_be_a_parameter() -> None:
    text = f"{INNER}block part(at) {{ inner(until=at) }}\n"
    assert paths(outer('part("down.conv1")', text))[-1] == "part1.inner.down.conv1"


def test_what_the_end_does_not_need_is_left_out() -> None:
    text = "net wide { input 3x32x32\n( conv 4 k1 as a -> relu | conv 5 k1 as b -> tanh as c ) -> cat as d }\n"
    net = outer("wide(until=c) as body", text)
    assert paths(net) == ["body.b", "body.c"]
    assert list(net.compile().state_dict()) == ["body.b.weight", "body.b.bias"]


def test_what_would_fail_behind_the_end_does_not_count() -> None:
    text = "net deep { input 3x32x32\nconv 4 k3 as a -> (relu -> conv 4 k1 as b -> pool 40) as c -> fc 2 }\n"
    assert codes(f"{text}{OUTER}deep\n}}", "outer") == ["window-too-large"]
    assert paths(outer("deep(until=a) as body", text)) == ["body.a"]
    assert paths(outer("deep(until=c.b) as body", text)) == ["body.a", "body.c.relu1", "body.c.b"]


def test_what_would_fail_beside_the_way_to_the_end_does_not_count() -> None:
    text = "net aside { input 3x32x32\nconv 4 k1 as a\nconv 4 k40 as b\na -> conv 5 k1 as c\n( b | c ) -> cat }\n"
    assert paths(outer("aside(until=c) as body", text)) == ["body.a", "body.c"]
    assert codes(f"{text}{OUTER}aside(until=b)\n}}", "outer") == ["window-too-large"]
    # What was pardoned for one use is told of another.
    assert codes(f"{text}{OUTER}aside(until=c) as one\nconv 3 k1\naside\n}}", "outer") == ["window-too-large"]


def test_heads_of_training_need_not_fit() -> None:
    text = "net heads { input 3x32x32\nconv 4 k1 as a\nconv 4 k40 as b\noutput a\noutput b when training }\n"
    assert paths(outer("heads as body", text)) == ["body.a"]


def test_it_ends_inside_a_block_that_has_been_met_before() -> None:
    text = "block unit { conv 4 k3 p1 -> relu }\nnet rows { input 4x32x32\n(unit x3) as row[] }\n"
    net = network(f"{text}net outer {{ input 4x32x32\nrows(until=row.1.conv1) as body\n}}", "outer")
    assert paths(net) == ["body.row.0.conv1", "body.row.0.relu1", "body.row.1.conv1"]
    net = network(f"{text}net outer {{ input 4x32x32\nrows(until=row.2) as body\n}}", "outer")
    assert len(paths(net)) == 6


def test_a_block_used_again_after_a_cut_is_whole() -> None:
    """What was remembered of a block inside a network does not outlive what was cut out."""
    text = "block unit { (conv 4 k3 p1 -> relu | conv 4 k1 as side) -> add }\n"
    text += "net rows { input 4x32x32\nunit as u\nconv 4 k1 as v }\n"
    net = network(f"{text}net outer {{ input 4x32x32\nrows(until=u.side) as body\nunit as w\n}}", "outer")
    assert paths(net) == ["body.u.side", "w.conv1", "w.relu1", "w.side", "w.add1"]
    model = net.compile()
    assert model(torch.randn(1, 4, 32, 32)).shape == (1, 4, 32, 32)


def test_networks_nest_and_each_ends_where_it_says() -> None:
    text = f"{INNER}net middle {{ input 3x32x32\ninner(until=down) as deep\nconv 4 k1 as own -> relu }}\n"
    assert paths(outer("middle(until=own) as body", text))[-1] == "body.own"
    assert paths(outer("middle(until=deep.stem) as body", text)) == ["body.deep.stem"]


# ---------------------------------------------------------------- what comes out of its layers


def test_what_comes_out_of_a_layer_is_a_value() -> None:
    net = outer("inner(until=down) as body\nbody.stem -> conv 16 k1 s2\nadd body.down")
    assert wired(net)["add1"] == ["conv1", "body.down.norm"]


def test_a_tap_is_an_argument_and_has_sizes() -> None:
    net = outer(
        "inner(until=down) as body\nupsample like=body.stem\nconv body.down.conv1.c + 1 k1\n( id | body.stem ) -> cat"
    )
    assert shapes(net)[-2:] == ["17x32x32", "25x32x32"]


def test_taps_of_blocks_and_groups() -> None:
    text = "block unit { conv 4 k3 p1 as inner -> relu }\n"
    net = outer("(conv 5 k1 -> relu) as stem\nunit as u\n( u.inner | stem.conv1 | id ) -> cat", text)
    assert wired(net)["cat1"] == ["u.inner", "stem.conv1", "u.relu1"]


def test_a_tap_at_numbers() -> None:
    net = outer(
        "(conv 4 k1 x2 -> (conv 5 k1 x2) as more[]) as row[]\nrow.1 -> relu\n( id | row.more.0 | row ) -> cat", ""
    )
    assert wired(net)["relu1"] == ["row.1"]
    assert wired(net)["cat1"] == ["relu1", "row.more.0", "row.more.1"]


def test_a_tap_may_be_an_output_under_a_name() -> None:
    net = outer("inner(until=down) as body\nbody.stem as low\nbody.down as high\noutput low, high")
    assert [(o.name, str(net.graph.tensor(o.value))) for o in net.graph.outputs] == [
        ("low", "8x32x32"),
        ("high", "16x16x16"),
    ]


def test_the_compiled_module_gives_what_is_tapped() -> None:
    net = outer("inner(until=down.conv1) as body\nbody.stem as low\nbody.down.conv1 as high\noutput low, high")
    model = net.compile().eval()
    image = torch.randn(2, 3, 32, 32)
    low = model.body.stem(image)
    high = model.body.down.conv1(torch.relu(low))
    assert torch.equal(model(image).low, low)
    assert torch.equal(model(image).high, high)


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("lines", "code", "text", "help"),
    [
        ("inner(until=dwon)", "unknown-name", "dwon", "did you mean `down`?"),
        ("inner(until=zebra)", "unknown-name", "zebra", "it has stem, relu1, down"),
        ("inner(until=3 + 4)", "bad-argument", "until=3 + 4", "write `until=layer4`"),
        ("inner(until=down) as body\nbody.dwon", "unknown-name", "body.dwon", "did you mean `body.down`?"),
        ("inner(until=down) as body\nbody.head", "unknown-name", "body.head", None),
        ("inner as body\nrelu -> body.down", "misplaced", "body.down", None),
        ("relu as r\nr.conv1 -> relu", "unknown-name", "r", "name a network, a block or a group with `as`"),
        ("inner\ninner.down -> relu", "unknown-name", "inner", None),
        ("outer", "recursion", "outer", None),
        ("conv 3 k1 as a\n( a | id ) -> inner", "wrong-inputs", "inner", "merge the branches before it"),
        ("gap -> flatten -> inner", "wrong-kind", "inner", None),
        ("inner(depth=3)", "unknown-option", "depth", None),
        ("inner(until=down) as body\nbody . down", "syntax", ".", "leave no blanks beside the dot"),
        ("dropout.5", "unknown-name", "dropout", "a number begins with a digit: `dropout 0.5`"),
    ],
)
def test_mistakes_are_told_at_their_place(lines: str, code: str, text: str, help: str | None) -> None:
    finding = one(f"{INNER}{OUTER}{lines}\n}}", "outer")
    assert (finding.code, finding.span.text) == (code, text)
    assert help is None or (finding.help or "").startswith(help)


def test_networks_inside_each_other_are_refused() -> None:
    text = "net a { input 3x8x8\nb }\nnet b { input 3x8x8\na }\n"
    assert codes(text, "a") == ["recursion"]


def test_a_network_into_which_nothing_flows() -> None:
    assert codes(f"{INNER}net outer {{ inner }}", "outer") == ["no-input"]


def test_the_trail_says_through_which_network(tmp_path: object) -> None:
    text = "net inner { input 3x32x32\nconv 4 k40 }\n"
    finding = one(f"{text}{OUTER}inner as body\n}}", "outer")
    assert finding.code == "window-too-large"
    assert any("in inner, written at <text>:5:1, as body" in note for note in finding.notes)


def test_parse_and_print_know_taps() -> None:
    assert archdsl.parse(f"{INNER}{OUTER}inner as b\nb.down.norm -> relu\n}}", "outer").ok


# ---------------------------------------------------------------- found by random networks


def test_an_output_that_is_refused_is_not_left_out() -> None:
    text = "net h {{ input 3x32x32\nconv 4 k1 as a\nconv 4 k40 as b\noutput {} }}\n"
    for outputs in ("a, b", "b"):
        assert codes(f"{text.format(outputs)}{OUTER}h -> relu\n}}", "outer") == ["window-too-large"]


def test_a_block_that_gives_a_part_and_is_not_needed() -> None:
    text = (
        "block p { (conv 4 -> conv 5) as g\ng.conv1 }\nnet n { input i : 3x8x8\ni -> p as q\ni -> relu as r\noutput r }"
    )
    model = archdsl.parse(text).compile()
    assert model(torch.randn(1, 3, 8, 8)).shape == (1, 3, 8, 8)


def test_a_network_of_no_layers_has_none_to_end_at() -> None:
    finding = one(f"net n {{ input 3x8x8 }}\n{OUTER}n until=conv1\n}}", "outer")
    assert (finding.code, finding.help) == ("unknown-name", "it has no layers")


def test_nothing_may_be_left() -> None:
    text = "net n { input i : 3x32x32\nrelu\noutput i }\n"
    net = outer("n -> tanh", text)
    assert paths(net) == ["tanh1"]
    assert [module.path for module in net.report().modules] == [""]
    assert paths(outer("(n as a) as g\nconv 3 k1 as k\nrelu as g", text)) == ["k", "g"]


def test_a_shared_module_whose_first_use_is_left_out_has_its_parameters() -> None:
    text = "net n { input i : 3x32x32\nshare s = conv 3 k1\ni -> s -> relu as u\ni -> tanh -> s }\n"
    net = outer("n -> relu", text)
    assert net.totals.parameters == 12 == sum(p.numel() for p in net.compile().parameters())
    block = "block q { conv 3 k1 -> relu }\n"
    net = outer("n -> relu", block + text.replace("= conv 3 k1", "= q"))
    assert net.totals.parameters == 12 == sum(p.numel() for p in net.compile().parameters())


def test_two_networks_may_end_at_one_layer() -> None:
    text = "net a { input 3x32x32\nrelu }\nnet b { input 3x32x32\na until=relu1\ntanh }\n"
    assert paths(outer("b until=a.relu1", text)) == ["b.a.relu1"]
    text = "net a { input 3x32x32\nrelu }\nnet b { input 3x32x32\na(until=nope) as x\ntanh }\n"
    assert codes(f"{text}{OUTER}b(until=x)\n}}", "outer") == ["unknown-name"]


def test_a_module_in_which_a_network_ends_gives_its_end() -> None:
    text = "net a { input 3x32x32\n(conv 4 -> relu) as g }\n"
    assert wired(outer("a until=g.conv1 as body\ncat body.g", text))["cat1"] == ["body.g.conv1"] * 2


def test_a_module_whose_result_is_left_out_is_no_part() -> None:
    text = "net n { input 3x32x32\n(conv 4 k1 as a -> conv 5 k1) as g\ng.a -> conv 6 k1 }\n"
    net = outer("n as body\n( id | body.g.a ) -> cat", text)
    assert paths(net) == ["body.g.a", "body.conv1", "cat1"]
    assert "4x" in net.explain("body.g.a")
    assert net.compile()(torch.randn(1, 3, 32, 32)).shape == (1, 10, 32, 32)
    assert codes(f"{text}{OUTER}n as body\nbody.g -> conv 2 k1\n}}", "outer") == ["unknown-name"]


def test_the_end_may_be_called_like_a_value_outside() -> None:
    assert paths(outer("tanh as b\na until=b", "net a { input 3x32x32\nrelu as b -> tanh }\n")) == ["b", "a.b"]


def test_compact_arguments() -> None:
    text = "net n(s=1, c=3) { input 3x32x32\nconv c k1 s=s }\nnet v = n(c16)\n"
    assert shapes(outer("n c16", text)) == ["16x32x32"]
    assert shapes(outer("n(c16, 2)", text)) == ["16x16x16"]
    assert shapes(outer("v", text)) == ["16x32x32"]


def test_an_inputs_name_is_taken_as_it_is_alone() -> None:
    text = "net n { input conv1 : 3x32x32\nconv 3 k1 }\n"
    assert paths(outer("n", text)) == [f"n.{path}" for path in paths(network(text))] == ["n.conv2"]
    taken = "net n { input x : 3x32x32\nconv 3 k1 as x }\n"
    assert codes(taken) == codes(f"{taken}{OUTER}n\n}}", "outer") == ["duplicate-name"]


def test_taps_of_a_name_that_is_given_again() -> None:
    lines = "((conv 3 k1 as cc -> relu) as a -> tanh) as g\n(relu as a) as h\na.cc"
    assert codes(f"{OUTER}{lines}\n}}") == ["unknown-name"]
    lines = "share s = ((conv 3 k1 as cc -> relu) as g -> tanh)\ns -> sigmoid\ns\ng.cc -> relu as r\ncat s"
    net = archdsl.parse(f"{OUTER}{lines.replace('cat s', 'relu')}\n}}")
    (tap,) = [node for node in net.graph.nodes if node.path == "r"]
    assert net.graph.nodes[tap.inputs[0].node].reused


def test_what_is_shared_inside_what_is_shared_counts_once() -> None:
    net = outer("share t = q\nt\nt", "block q { share s = conv 3 k1\ns -> s -> relu }\n")
    assert net.totals.parameters == 12 == sum(p.numel() for p in net.compile().parameters())


# ---------------------------------------------------------------- what is said of networks at their ends

DEEP = """
net inner {
  input 3x8x8
  conv 4 k1 as a -> bn as n -> conv 4 k1 as b -> conv 5 k1 as c
}
net middle {
  input 3x8x8
  inner(freeze=[a, c], bn=frozen, weights="file:w.pt") as deep
}
"""


@pytest.mark.parametrize("until", ["deep.b", "deep.c"])
def test_a_network_that_ends_inside_another_keeps_what_is_said_of_that(until: str) -> None:
    net = archdsl.parse(f'{DEEP}net outer {{\n  input 3x8x8\n  middle(until="{until}") as body\n}}', "outer")
    assert net.ok, net.diagnostics
    (said,) = net.graph.backbones
    assert (said.path, said.until, said.weights, said.norms) == ("body.deep", until[-1], "file:w.pt", "frozen")
    assert said.frozen == (("a", "c") if until == "deep.c" else ("a",))
    frozen = {layer.path for layer in net.report().layers if layer.frozen}
    assert frozen == {"body.deep.a", "body.deep.n"} | ({"body.deep.c"} if until == "deep.c" else set())
    assert {n for n, p in net.compile(weights=False).named_parameters() if not p.requires_grad} == {
        f"{path}.{kind}" for path in frozen for kind in ("weight", "bias")
    }


def test_a_cut_says_nothing_of_networks_whose_names_begin_alike() -> None:
    inner = "net inner {\n  input 3x8x8\n  conv 4 k1 as a -> (conv 4 k1 as p | conv 4 k1 as q) -> add\n}\n"
    body = "x -> inner(freeze=yes) as body2\n  x -> inner(until=q) as body\n  (body2 | body) -> cat"
    net = archdsl.parse(f"{inner}net outer {{\n  input x : 3x8x8\n  {body}\n}}", "outer")
    assert [each.path for each in net.graph.backbones] == ["body2"]
    assert net.report().totals.trainable == 36


def test_what_is_frozen_may_be_a_parameter() -> None:
    text = (
        "net inner {\n  input 3x8x8\n  conv 4 k1 as a\n}\nnet outer(f=yes) {\n  input 3x8x8\n  inner(freeze=f) as c\n}"
    )
    assert archdsl.parse(text, "outer").report().totals.trainable == 0
    assert archdsl.parse(text, "outer", f=False).report().totals.trainable == 16
