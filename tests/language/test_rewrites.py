"""Whole files written in two ways: what each construct stands for, over networks of every kind."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from archdsl.layers import STANDARD, Layer, Tensor
from archdsl.network import Network
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.formatter import format_text
from archdsl.syntax.parser import parse
from archdsl.syntax.printer import print_tree
from tests.language import networks, rewrites
from tests.language.networks import call, chain, line, name, named, number
from tests.language.specs import named_substance, network, paths, substance
from tests.layers.examples import EXAMPLES, Example
from tests.syntax import strategies
from tests.syntax.test_formatter import messy

many = settings(max_examples=150, deadline=None)
Rewrite = Callable[[tree.File], tree.File]


def read(file: tree.File, **options: Any) -> Network:
    return network(print_tree(file), "main", **options)


def shown(file: tree.File) -> str:
    """A file as a failing test shows it."""
    return "\n" + print_tree(file)


# ---------------------------------------------------------------- constructs and what they stand for


@many
@given(networks.files())
def test_what_is_generated_has_no_mistake(file: tree.File) -> None:
    net = read(file)
    assert net.ok
    assert len(paths(net)) == net.report().totals.layers


each_rewrite = pytest.mark.parametrize(
    "rewrite",
    [
        rewrites.without_repeats,
        rewrites.without_loops,
        rewrites.without_conditions,
        rewrites.without_lets,
        rewrites.without_defaults,
        rewrites.without_parameters,
    ],
    ids=lambda rewrite: rewrite.__name__,
)


@each_rewrite
def test_there_is_something_to_rewrite(rewrite: Rewrite) -> None:
    found = settings(max_examples=1000, phases=[Phase.generate], derandomize=True, database=None)
    find(networks.files(), lambda file: rewrite(file) != file, settings=found)


@each_rewrite
@many
@given(file=networks.files())
def test_a_construct_is_what_it_stands_for(rewrite: Rewrite, file: tree.File) -> None:
    other = rewrite(file)
    assert named_substance(read(other)) == named_substance(read(file)), shown(file) + shown(other)


@many
@given(networks.files())
def test_a_block_is_its_body_put_in_its_place(file: tree.File) -> None:
    other = rewrites.without_blocks(file)
    called = {part.name.text for part in rewrites.parts_of(other.definitions[-1]) if isinstance(part, tree.Call)}
    kept = {part.name.text for part in rewrites.parts_of(other.definitions[-1]) if isinstance(part, tree.Share)}
    blocks = {one.name.text for one in other.definitions if isinstance(one, tree.Block)}
    assert kept or not called & blocks
    assert substance(read(other)) == substance(read(file)), shown(file) + shown(other)


@many
@given(networks.files())
def test_a_network_is_what_is_left_when_all_is_written_out(file: tree.File) -> None:
    other = rewrites.without_conditions(rewrites.without_blocks(file))
    left = {type(part) for part in rewrites.parts_of(other.definitions[-1])}
    assert not left & {tree.Default, tree.Parameter}
    assert substance(read(other)) == substance(read(file)), shown(file) + shown(other)


ARGUMENTS = st.fixed_dictionaries(
    {},
    optional={
        "c": st.integers(1, 6),
        "n": st.integers(0, 3),
        "act": st.sampled_from(networks.ACTIVATIONS),
        "norm": st.booleans(),
    },
)


def literal(value: Any) -> Any:
    if isinstance(value, bool):
        return networks.constant(value)
    return name(value) if isinstance(value, str) else number(value)


@many
@given(networks.files(), ARGUMENTS, ARGUMENTS)
def test_a_variant_is_its_call_and_its_defaults(file: tree.File, first: dict[str, Any], then: dict[str, Any]) -> None:
    main = file.definitions[-1]
    assert isinstance(main, tree.Net)

    def variant(label: str, base: str, values: dict[str, Any]) -> tree.Variant:
        arguments = tuple(networks.given(literal(value), key) for key, value in values.items())
        return tree.Variant(0, 0, name(label), name(base), arguments, None, "")

    given_here = tuple(
        replace(one, default=literal({**first, **then}[one.name.text])) if one.name.text in {**first, **then} else one
        for one in main.parameters
    )
    direct = replace(file, definitions=(*file.definitions[:-1], replace(main, parameters=given_here)))
    expected = named_substance(read(direct))
    once = replace(file, definitions=(*file.definitions, variant("once", "main", {**first, **then})))
    twice = replace(file, definitions=(*file.definitions, variant("w", "main", first), variant("twice", "w", then)))
    assert named_substance(network(print_tree(once), "once")) == expected
    assert named_substance(network(print_tree(twice), "twice")) == expected
    assert named_substance(network(print_tree(twice), "w", **then)) == expected
    assert named_substance(read(file, **{**first, **then})) == expected


# ---------------------------------------------------------------- arguments


class Styles:
    """Writes the arguments of layers in other ways."""

    def __init__(self, draw: st.DataObject) -> None:
        self.draw = draw

    def pick(self, *things: Any) -> Any:
        return self.draw.draw(st.sampled_from(things))

    def written(self, layer: type[Layer], arguments: dict[str, Any]) -> tuple[tree.Argument, ...]:
        """Arguments for the fields of a layer: by place, compactly, by letter or by name, in any order."""
        by_place, named_ones = [], []
        places = list(layer.signature().positional)
        for declared in layer.signature().arguments.values():
            if declared.name not in arguments:
                continue
            value = arguments[declared.name]
            ways = [networks.given(value, declared.name)]
            if declared.letter:
                ways.append(networks.given(value, declared.letter))
                compact = self.compact(value)
                ways += [networks.given(name(declared.letter + compact))] * 2 if compact else []
            if places and places[0].name == declared.name and not isinstance(value, tree.List):
                ways += [networks.given(value)] * 2
            chosen = self.pick(*ways)
            if chosen.name is None and chosen.value is value:
                places.pop(0)
                by_place.append(chosen)
            else:
                places = [] if places and places[0].name == declared.name else places
                named_ones.append(chosen)
        return self.mixed(by_place, self.draw.draw(st.permutations(named_ones)))

    def mixed(self, first: list[tree.Argument], second: list[tree.Argument]) -> tuple[tree.Argument, ...]:
        """Two rows as one, in which each keeps its order."""
        mixed = []
        first, second = list(first), list(second)
        while first and second:
            mixed.append(self.pick(first, second).pop(0))
        return (*mixed, *first, *second)

    @staticmethod
    def compact(value: Any) -> str | None:
        if isinstance(value, tree.Number) and isinstance(value.value, int):
            return str(value.value)
        if isinstance(value, tree.Size) and all(isinstance(extent, int) for extent in value.extents):
            return "x".join(map(str, value.extents))
        return None


def expression(value: Any) -> Any:
    """An option's value as the language writes it."""
    if isinstance(value, bool):
        return networks.constant(value)
    if isinstance(value, str):
        return name(value)
    if isinstance(value, tuple):
        return tree.List(0, 0, tuple(map(expression, value)))
    return number(value) if value >= 0 else tree.Unary(0, 0, "-", number(-value))


def port(index: int, one: Tensor) -> str:
    kind = "" if one.kind == "vector" else f"{one.kind} "
    of = f" of {one.vocabulary}" if one.kind == "ids" else ""
    return f"input i{index} : {kind}{'x'.join(map(str, one.dims))}{of}"


CALLS = [one for one in EXAMPLES if one.layer.model_fields_set and getattr(one.layer, "like", None) is not True]


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(CALLS), st.data())
def test_the_four_ways_to_give_an_argument_are_one(case: Example, data: st.DataObject) -> None:
    layer, inputs = case
    values = {key: expression(getattr(layer, key)) for key in layer.model_fields_set}
    for key, value in values.items():
        if isinstance(value, tree.List) and len(value.items) < 5 and data.draw(st.booleans()):
            sizes = tuple(getattr(layer, key))
            if len(sizes) > 1 and all(isinstance(size, int) and size >= 0 for size in sizes):
                values[key] = tree.Size(0, 0, sizes)
    arguments = Styles(data).written(type(layer), values)
    word = data.draw(st.sampled_from([layer.word, *layer.aliases]))
    bare = (
        print_tree(tree.File(0, 0, (tree.Default(0, 0, name(word), arguments, ""),))).removeprefix("default ").strip()
    )
    branches = " | ".join(f"i{index}" for index in range(len(inputs)))
    ports = "\n".join(port(index, one) for index, one in enumerate(inputs))
    texts = [bare] if all(not isinstance(a.value, tree.Unary) for a in arguments if not a.name) else []
    texts.append(print_tree(_a_line(call(word, *arguments))).split("\n")[1].strip())
    texts.append(f"{word}({', '.join(map(_argument, arguments))})")
    for text in texts:
        net = network(f"net a {{\n{ports}\n( {branches} ) -> {text}\n}}")
        assert [node.layer for node in net.graph.nodes if node.inputs] == [layer], text


def _a_line(element: Any) -> tree.File:
    return tree.File(0, 0, (tree.Net(0, 0, name("n"), (), networks.body(line(element)), ""),))


def _argument(argument: tree.Argument) -> str:
    value = print_tree(tree.File(0, 0, (tree.Let(0, 0, name("v"), argument.value, ""),))).removeprefix("let v = ")
    return (f"{argument.name.text}=" if argument.name else "") + value.strip()


@many
@given(networks.files(), st.data())
def test_arguments_may_be_given_in_other_ways_everywhere(file: tree.File, data: st.DataObject) -> None:
    styles = Styles(data)

    def change(part: Any) -> Any:
        layer = STANDARD.find(part.name.text) if isinstance(part, tree.Call) else None
        if layer is None or layer.inputs[1] != 1 or not part.arguments:
            return part
        signature, values, place = layer.signature(), {}, 0
        for argument in part.arguments:
            text = argument.value.text if isinstance(argument.value, tree.Name) else ""
            if argument.name:
                found = signature.find(argument.name.text)
                assert found is not None
                values[found.name] = argument.value
            elif text[:1] in signature.letters and text[1:].isdigit():
                values[signature.letters[text[0]].name] = number(int(text[1:]))
            else:
                values[signature.positional[place].name], place = argument.value, place + 1
        return replace(part, arguments=styles.written(layer, values))

    other = rewrites.rebuilt(file, change)
    assert named_substance(read(other)) == named_substance(read(file)), shown(file) + shown(other)


# ---------------------------------------------------------------- order


@many
@given(networks.files(), st.randoms(use_true_random=False))
def test_the_order_of_definitions_means_nothing(file: tree.File, shuffle: random.Random) -> None:
    shuffled = list(file.definitions)
    shuffle.shuffle(shuffled)
    ordered = iter([one for one in file.definitions if isinstance(one, tree.Let | tree.Default)])
    other = tuple(next(ordered) if isinstance(one, tree.Let | tree.Default) else one for one in shuffled)
    assert named_substance(read(tree.File(0, 0, other))) == named_substance(read(file))


def terms(net: Network) -> tuple[list[str], list[str]]:
    """The outputs, and all values, as what is done to the inputs, whatever the order in which it is written."""
    graph = net.graph
    known: list[str] = []
    for node, applied, counts, field in zip(graph.nodes, graph.applied, net.counts, net.fields, strict=True):
        inputs = [(hash(known[value.node]), value.output) for value in node.inputs]
        known.append(repr((node.layer, inputs, applied.outputs, counts, field.axes)))
    return [known[output.value.node] for output in graph.outputs], sorted(known)


@st.composite
def independent(draw: Any) -> tuple[list[Any], list[list[int]], Any]:
    """Lines that begin with a value's name, of which lines above each goes on from, and the line that ends them."""
    maker = networks.Maker(draw)
    channels = networks.whole(3)
    scope = networks.Scope(channels=(channels,), names=False, axes=(16, 16))
    lines, needs = [], []
    for index in range(draw(st.integers(2, 5))):
        known = draw(st.lists(st.integers(0, index - 1), max_size=2, unique=True)) if index else []
        first = f"v{known[0]}" if known else "image"
        elements = maker.row(channels, channels, scope, 1)
        merge = [call("add", *[networks.given(name(f"v{one}")) for one in known[1:]])] if known[1:] else []
        lines.append(line(call(first), *elements, *merge, named(call("relu"), f"v{index}")))
        needs.append(known)
    end = line(networks.group(*[chain(call(f"v{index}")) for index in range(len(lines))]), call("cat"))
    return lines, needs, end


@many
@given(independent(), st.randoms(use_true_random=False))
def test_the_order_of_independent_lines_means_nothing(made: Any, shuffle: random.Random) -> None:
    lines, needs, end = made
    order: list[int] = []
    while len(order) < len(lines):
        ready = [i for i in range(len(lines)) if i not in order and all(need in order for need in needs[i])]
        order.append(shuffle.choice(ready))
    port = tree.Input(0, 0, name("image"), None, tree.Size(0, 0, (3, 16, 16)), None, None, "")

    def written(rows: list[Any]) -> Network:
        return network(print_tree(tree.File(0, 0, (tree.Net(0, 0, name("main"), (), networks.body(port, *rows), ""),))))

    straight, other = written([*lines, end]), written([*[lines[index] for index in order], end])
    assert terms(other) == terms(straight)
    assert other.totals == straight.totals
    given_names = {f"v{index}" for index in range(len(lines))}
    assert given_names <= set(paths(other))


# ---------------------------------------------------------------- layout


@settings(max_examples=200, deadline=None)
@given(strategies.files, st.data())
def test_line_ends_trailing_spaces_and_indentation_mean_nothing(file: tree.File, data: st.DataObject) -> None:
    rows = print_tree(file).removesuffix("\n").split("\n")
    ends = data.draw(st.sampled_from([["\n"], ["\r\n"], ["\n", "\r\n"]]))
    spaces = ["", "  ", "\t", " \t "]
    text = "".join(
        data.draw(st.sampled_from(spaces))
        + row.lstrip(" ")
        + data.draw(st.sampled_from(spaces))
        + data.draw(st.sampled_from(ends))
        for row in rows
    )
    parsed = parse(Source("spec.arch", data.draw(st.sampled_from(["", "\ufeff"])) + text))
    assert parsed.diagnostics == ()
    assert parsed.file == file


@many
@given(messy(networks.files()))
def test_the_report_of_a_formatted_file_differs_in_lines_only(text: str) -> None:
    formatted = format_text(Source("<text>", text))
    assert formatted is not None
    first, second = network(text, "main"), network(formatted, "main")
    reports = [net.report().model_dump() for net in (first, second)]
    for report in reports:
        for layer in report["layers"]:
            del layer["line"]
    assert reports[0] == reports[1]
    assert named_substance(first) == named_substance(second)


def test_an_element_as_a_value_is_shown_on_one_line() -> None:
    text = "block b(c, act) { conv c -> act }\nnet a { input 3x8x8\n b(4, act=leaky_relu (  # why\n  0.2)) }"
    assert network(text).report().modules[-1].call == "b(4, act=leaky_relu(0.2))"


# ---------------------------------------------------------------- what runs


@settings(max_examples=60, deadline=None)
@given(networks.files(ranks=(1, 2)))
def test_the_source_is_the_module(file: tree.File) -> None:
    net = read(file)
    module = net.compile().eval()
    space: dict[str, Any] = {"__name__": "written_to_a_file"}
    exec(compile(net.source(), "model.py", "exec"), space)
    other = space[type(module).__name__]().eval()
    weights = module.state_dict()
    shapes = {key: tuple(value.shape) for key, value in weights.items()}
    assert {key: tuple(value.shape) for key, value in other.state_dict().items()} == shapes
    assert sum(one.numel() for one in module.parameters()) == net.totals.parameters
    other.load_state_dict(weights, strict=True)
    (size,) = [one.shape for one in net.report().inputs]
    image = torch.randn(2, *map(int, size))
    with torch.inference_mode():
        torch.testing.assert_close(other(image), module(image), rtol=0, atol=0, equal_nan=True)
        assert tuple(module(image).shape[1:]) == net.report().outputs[0].shape
    assert [path for path, _ in other.named_modules()] == [path for path, _ in module.named_modules()]
