"""Syntax trees of every kind, as hypothesis makes them: whatever the parser can give, apart from Mistakes."""

from __future__ import annotations

import re

from hypothesis import strategies as st

from archdsl.syntax import tree
from archdsl.syntax.precedence import PRECEDENCE
from archdsl.syntax.tables import load_tables

KEYWORDS = {text for kind, text in load_tables().terminals.values() if kind == "str" and text.isalpha()}


def node(kind, *fields):
    return st.builds(kind, st.just(0), st.just(0), *fields)


def tuples_of(item, least=0, most=3):
    return st.lists(item, min_size=least, max_size=most).map(tuple)


def is_name(text):
    return text not in KEYWORDS and not re.fullmatch(r"x[0-9]+", text)


words = st.one_of(
    st.sampled_from(["a", "x", "e1", "k3", "conv", "relu", "classes", "of", "_", "s_2"]),
    st.from_regex(r"[a-z_][A-Za-z0-9_]{0,5}", fullmatch=True).filter(is_name),
)
capitals = st.from_regex(r"[A-Z][0-9]{0,2}", fullmatch=True)
whole = st.integers(0, 10**32 - 1) | st.integers(0, 64)

names = node(tree.Name, words)
values = node(tree.Name, words | st.just("in"))
numbers = node(tree.Number, whole | st.floats(0, 1e31, allow_nan=False))
symbols = node(tree.Symbol, capitals)
sizes = node(tree.Size, tuples_of(st.integers(0, 999) | capitals, 2, 4))
strings = node(tree.String, st.text(st.characters(exclude_characters='"\r\n'), max_size=8))
constants = node(tree.Constant, st.booleans())
atoms = values | numbers | sizes | strings | constants | symbols


def arguments_of(value):
    return tuples_of(node(tree.Argument, st.none() | names, value))


parts = words | st.sampled_from(["0", "17", "0.1", "2.0"])
"""What may stand behind a dot in an expression; two numbers in turn are one."""


def attributes_of(base):
    return st.one_of(
        node(tree.Attribute, base, words),
        node(tree.Attribute, values, parts),
        node(tree.Attribute, node(tree.Attribute, values, parts), words),
        node(tree.Attribute, node(tree.Attribute, values, words), parts),
    )


def postfixes(base, inside):
    return st.one_of(
        base,
        attributes_of(base),
        node(tree.Index, base, inside),
        node(tree.Index, attributes_of(base), inside),
        node(tree.Slice, base, st.none() | inside, st.none() | inside),
    )


def larger_expressions(inner):
    return st.one_of(
        postfixes(atoms | node(tree.List, tuples_of(inner)) | node(tree.Function, names, arguments_of(inner)), inner),
        node(tree.Unary, st.sampled_from(["-", "not"]), inner),
        node(tree.Binary, st.sampled_from(sorted(PRECEDENCE)), inner, inner),
    )


expressions = st.recursive(atoms, larger_expressions, max_leaves=6)
bare_values = postfixes(atoms | node(tree.Function, names, arguments_of(expressions)), expressions)
bare_arguments = st.one_of(node(tree.Argument, st.none(), bare_values), node(tree.Argument, names, expressions))
docs = st.just("") | st.lists(
    st.text(st.characters(exclude_characters="\r\n"), max_size=9).map(str.strip), min_size=1, max_size=3
).map("\n".join)


@st.composite
def labels(draw):
    """What follows `as`: words, dashes between them, and computed parts; text that meets is one part."""
    word = words | st.sampled_from(["0", "17", "5M", "Mixed_5b", "block", "net", "default"])
    parts = [draw(word | expressions)]
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.booleans()):
            dash, after = draw(st.sampled_from(["", "-"])), draw(st.just("") | word)
            before = parts.pop() if isinstance(parts[-1], str) else ""
            parts += [part for part in (before + dash, draw(expressions), after) if part]
        elif isinstance(parts[-1], str):
            parts[-1] += f"-{draw(word)}"
    return tree.Label(0, 0, tuple(parts))


@st.composite
def paths(draw):
    word = words | st.sampled_from(["0", "17", "Mixed_5b", "block", "net", "at", "multiple_of"])
    text = draw(word)
    for _ in range(draw(st.integers(0, 3))):
        text += draw(st.sampled_from([".", "-"])) + draw(word)
    return text


def larger_elements(inner):
    chains = node(tree.Chain, tuples_of(inner, 1))
    bodies = bodies_of(inner)
    after = node(tree.Chain, st.tuples(node(tree.Condition, expressions, bodies, st.none() | bodies)))
    else_if = node(tree.Body, st.tuples(node(tree.Line, after, st.just(""))))
    return st.one_of(
        node(tree.Group, tuples_of(chains, 1)),
        node(tree.Condition, expressions, bodies, st.none() | bodies | else_if),
        node(tree.Loop, tuples_of(names, 1), expressions, st.none() | expressions, bodies),
        node(tree.Repeat, inner, expressions),
        node(tree.Named, inner, labels(), st.booleans()),
        node(tree.Checked, inner, expressions),
    )


def bodies_of(element):
    return node(tree.Body, tuples_of(statements_of(element)))


lets = node(tree.Let, names, expressions, docs)
defaults = node(tree.Default, names, tuples_of(bare_arguments, 1), docs)
inputs = st.one_of(
    node(tree.Input, st.none() | names, st.none(), expressions, st.none(), st.none(), docs),
    st.tuples(names, expressions).flatmap(
        lambda of: node(
            tree.Input,
            st.none() | names,
            names,
            numbers | sizes | symbols | names,
            *([st.none()] * 2 if len(of[0].text) % 2 else [st.just(of[0]), st.just(of[1])]),
            docs,
        )
    ),
)


def statements_of(element):
    return st.one_of(
        node(tree.Line, node(tree.Chain, tuples_of(element, 1)), docs),
        inputs,
        node(tree.Output, tuples_of(names, 1), st.none() | names, docs),
        lets,
        defaults,
        node(tree.Share, names, element, docs),
        node(tree.Expect, expressions, st.none() | expressions, st.none() | node(tree.Path, paths()), docs),
    )


calls = node(tree.Call, values, arguments_of(expressions))
taps = node(tree.Tap, names, node(tree.Path, paths()))
elements = st.recursive(calls | taps, larger_elements, max_leaves=4)
bodies = bodies_of(elements)
parameters = tuples_of(node(tree.Parameter, names, st.none() | expressions))
definitions = st.one_of(
    node(tree.Net, names, parameters, bodies, docs),
    node(tree.Block, names, parameters, tuples_of(names), bodies, docs),
    node(tree.Variant, names, names, arguments_of(expressions), st.none() | bodies, docs),
    node(tree.Use, tuples_of(names, 1), strings, docs),
    lets,
    defaults,
)
files = node(tree.File, tuples_of(definitions))
