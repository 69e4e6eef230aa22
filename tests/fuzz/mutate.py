"""Changes to a spec that keep it nearly a spec: of its characters, its tokens and its tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any

from archdsl import limits
from archdsl.source import Source
from archdsl.syntax import tree
from archdsl.syntax.parser import parse, read_tokens
from archdsl.syntax.printer import print_tree

from .corpus import words

LONGEST = 2_500
"""A text does not grow beyond so many characters by mutation."""

WORDS = words()
NUMBERS = (0, 1, 2, 3, 4, 7, 8, 16, 64, 255, 1000, 70_000, -1, 0.5, 1e-3, 2**31, 2**48, 2**63, 10**30)
MANY = (1000, 3000, 10_000, 20_000, 33_000, 50_000, 70_000, 99_999, 100_000, 150_000)
"""How often something stands in a text that asks for much, near the limits and beyond."""
CHARACTERS = "()[]{}|->:=,.x3aN \n\t\r\"'#;\\/%*\0\x1b\u202e\ufeffé\U0001f600"


def mutated(text: str, random: Random, others: Sequence[str]) -> str:
    """The text with a few changes; pieces may come from other texts."""
    for _ in range(random.choice((1, 1, 1, 1, 2, 2, 4))):
        change = random.choices((of_tree, of_tokens, of_characters), (8, 4, 1))[0]
        text = change(text, random, others)[:LONGEST]
    return text


def scrambled(text: str, random: Random, others: Sequence[str]) -> str:
    """A piece of the text with many changes, most of which leave no spec; or words in a row."""
    if random.random() < 0.3:
        return " ".join(random.choices([*WORDS, "\n"], k=random.randint(1, 60)))
    at = random.randrange(len(text) + 1)
    text = text[at : at + random.choice((20, 100, 400))]
    for _ in range(random.randint(1, 12)):
        text = of_characters(text, random, others)
    return text


def enlarged(text: str, random: Random) -> str:
    """The text with a network that is many times as large, or with a piece of it many times."""
    many = random.choice(MANY)
    parsed = parse(Source("spec.arch", text))
    nodes = [node for node in walk(parsed.file) if isinstance(node, (*_ELEMENTS, tree.Number))]
    numbers = [node for node in nodes if isinstance(node, tree.Number)]
    elements = [node for node in nodes if isinstance(node, _ELEMENTS)]
    match random.randrange(8):
        case 0:
            lines = text.splitlines(keepends=True) or [text]
            at = random.randrange(len(lines))
            lines[at:at] = lines[at : at + random.choice((1, 1, 1, 2, 3))] * many
            return "".join(lines)[: limits.FILE_CHARACTERS + random.choice((0, 1))]
        case 1 | 2 if numbers:
            old = random.choice(numbers)
            return f"{text[: old.start]}{many}{text[old.end :]}"
        case _ if elements:
            old = random.choice(elements)
            inner = text[old.start : old.end]
            new = random.choice((f"({inner}) x{many}", f"({inner} -> {inner}) x{many}", f"{inner}\nrelu x{many}"))
            if random.random() < 0.3:
                new = f"for i in 0..{many} {{ {inner}{random.choice(('', ' as many{i}', ' -> relu'))} }}"
            return f"{text[: old.start]}{new}{text[old.end :]}"
    return text


# ---------------------------------------------------------------- characters and tokens


def of_characters(text: str, random: Random, others: Sequence[str]) -> str:
    """A stretch left out, doubled, or replaced by a character."""
    at = random.randint(0, len(text))
    stop = min(len(text), at + random.choice((0, 0, 1, 1, 2, 8, 40)))
    new = random.choice(("", random.choice(CHARACTERS), random.choice(CHARACTERS), text[at:stop] * 2))
    return text[:at] + new + text[stop:]


def of_tokens(text: str, random: Random, others: Sequence[str]) -> str:
    """A token left out, doubled, replaced or moved; the rest of the text stays as it is written."""
    tokens = [token for token in read_tokens(Source("spec.arch", text)).tokens if token.end > token.start]
    if not tokens:
        return random.choice(others)
    first = random.randrange(len(tokens))
    last = min(len(tokens) - 1, first + random.choice((0, 0, 0, 1, 3, 10)))
    start, end = tokens[first].start, tokens[last].end
    piece = text[start:end]
    match random.randrange(6):
        case 0:
            new = ""
        case 1:
            new = f"{piece} {piece}"
        case 2:
            new = random.choice(WORDS)
        case 3:
            new = f"{piece} {random.choice(WORDS)}"
        case 4:
            other = random.choice(tokens)
            new = text[other.start : other.end]
        case _:
            new = str(random.choice(NUMBERS))
    return text[:start] + new + text[end:]


# ---------------------------------------------------------------- the tree


def of_tree(text: str, random: Random, others: Sequence[str]) -> str:
    """A node replaced by another that could stand there, wrapped, left out or doubled; the text is printed anew."""
    parsed = parse(Source("spec.arch", text))
    if parsed.diagnostics:
        return of_tokens(text, random, others)
    nodes = [node for node in walk(parsed.file) if type(node) in CHANGES]
    if not nodes:
        return text
    old = random.choice(nodes)
    new = random.choice(CHANGES[type(old)])(old, nodes, random)
    file = replaced(parsed.file, old, new)
    try:
        return print_tree(file)
    except (ValueError, TypeError, AttributeError):  # such a tree has no text
        return of_tokens(text, random, others)


def walk(node: Any) -> Iterator[Any]:
    """A node and all in it, but for names where nothing but a name can stand."""
    if isinstance(node, tuple):
        for item in node:
            yield from walk(item)
    elif isinstance(node, tree.Node):
        yield node
        for name in type(node).__match_args__[2:]:
            if name not in _NAMING:
                yield from walk(getattr(node, name))


def replaced(node: Any, old: Any, new: Any) -> Any:
    """The tree with one node, by its identity, replaced."""
    if node is old:
        return new
    if isinstance(node, tuple):
        return tuple(replaced(item, old, new) for item in node)
    if isinstance(node, tree.Node):
        names = type(node).__match_args__
        return type(node)(*(replaced(getattr(node, name), old, new) for name in names))
    return node


_NAMING = {"name", "names", "takes", "layer", "when", "kind", "of"}
Change = Callable[[Any, list[Any], Random], Any]

_EXPRESSIONS = (tree.Name, tree.Number, tree.Size, tree.String, tree.Constant, tree.Symbol, tree.List, tree.Attribute)
_EXPRESSIONS += (tree.Index, tree.Slice, tree.Function, tree.Unary, tree.Binary)
_ELEMENTS = (tree.Call, tree.Group, tree.Condition, tree.Loop, tree.Repeat, tree.Named, tree.Checked)


def _another(*kinds: type) -> Change:
    """One of the file's own nodes of these kinds."""

    def change(node: Any, nodes: list[Any], random: Random) -> Any:
        return random.choice([n for n in nodes if type(n) in kinds and n is not node] or [node])

    return change


def _number(node: Any, nodes: list[Any], random: Random) -> tree.Number:
    value = random.choice(NUMBERS)
    return tree.Number(0, 0, abs(value))


def _operated(node: Any, nodes: list[Any], random: Random) -> tree.Node:
    match random.randrange(6):
        case 0:
            operator = random.choice(("+", "-", "*", "/", "//", "%", "==", "!=", "<", "<=", ">", ">=", "and", "or"))
            return tree.Binary(0, 0, operator, node, _another(*_EXPRESSIONS)(node, nodes, random))
        case 1:
            return tree.Unary(0, 0, random.choice(("-", "not")), node)
        case 2:
            return tree.List(0, 0, (node,) * random.randrange(4))
        case 3 if isinstance(node, tree.Name):
            return tree.Attribute(0, 0, node, random.choice(("c", "h", "w", "d", "l", "shape", "q")))
        case 4:
            name = tree.Name(0, 0, random.choice(("min", "max", "sum", "ceil", "round", "len", "round_to", "relu")))
            return tree.Function(0, 0, name, (tree.Argument(0, 0, None, node),) * random.randrange(1, 3))
        case _ if isinstance(node, tree.Name | tree.List):
            first, stop = (random.choice((None, tree.Number(0, 0, random.randrange(4)))) for _ in range(2))
            return random.choice((tree.Index(0, 0, node, first or node), tree.Slice(0, 0, node, first, stop)))
        case _:
            return random.choice((tree.Constant(0, 0, True), tree.String(0, 0, "a b"), tree.Symbol(0, 0, "H")))


def _word(node: tree.Call, nodes: list[Any], random: Random) -> tree.Call:
    words = [word for word in WORDS if word.isidentifier()] + [n.text for n in nodes if isinstance(n, tree.Name)]
    return tree.Call(0, 0, tree.Name(0, 0, random.choice(words)), node.arguments)


def _arguments(node: Any, nodes: list[Any], random: Random) -> Any:
    own = list(node.arguments)
    pool = [n for n in nodes if isinstance(n, tree.Argument)]
    if own and random.random() < 0.5:
        own.pop(random.randrange(len(own)))
    elif pool:
        own.insert(random.randint(0, len(own)), random.choice(pool))
    return type(node)(0, 0, node.name, tuple(own))


def _wrapped(node: Any, nodes: list[Any], random: Random) -> tree.Node:
    chain = tree.Chain(0, 0, (node,))
    body = tree.Body(0, 0, (tree.Line(0, 0, chain, ""),))
    expression = _another(*_EXPRESSIONS)(node, nodes, random)
    expression = expression if isinstance(expression, _EXPRESSIONS) else tree.Constant(0, 0, True)
    label = tree.Label(0, 0, (random.choice(("a", "b1", "0", "conv1", "forward", "x")),))
    number = tree.Number(0, 0, random.choice((0, 1, 2, 3, 20, 100)))
    names = tuple(tree.Name(0, 0, name) for name in ("i", "j")[: random.randint(1, 2)])
    return random.choice(
        (
            tree.Group(0, 0, (chain,) * random.randint(1, 3)),
            tree.Group(0, 0, (chain, tree.Chain(0, 0, (tree.Call(0, 0, tree.Name(0, 0, "id"), ()),)))),
            tree.Repeat(0, 0, node, random.choice((number, expression))),
            tree.Named(0, 0, node, label, random.random() < 0.3),
            tree.Checked(0, 0, node, expression),
            tree.Condition(0, 0, expression, body, random.choice((None, body))),
            tree.Loop(0, 0, names, expression, None, body),
            tree.Loop(0, 0, names[:1], tree.Number(0, 0, 0), number, body),
        )
    )


def _row(field: str, least: int) -> Change:
    """Leaves one of a node's children out, doubles it, or lets two change places."""

    def change(node: Any, nodes: list[Any], random: Random) -> Any:
        items = list(getattr(node, field))
        if not items:
            return node
        at, other = random.randrange(len(items)), random.randrange(len(items))
        match random.randrange(3):
            case 0 if len(items) > least:
                items.pop(at)
            case 1:
                items.insert(other, items[at])
            case _:
                items[at], items[other] = items[other], items[at]
        values = (getattr(node, name) for name in type(node).__match_args__)
        at_field = type(node).__match_args__.index(field)
        return type(node)(*(tuple(items) if n == at_field else value for n, value in enumerate(values)))

    return change


def _statement(node: tree.Body, nodes: list[Any], random: Random) -> tree.Body:
    kinds = (tree.Input, tree.Output, tree.Let, tree.Default, tree.Share, tree.Expect, tree.Line)
    pool = [n for n in nodes if isinstance(n, kinds)]
    at = random.randint(0, len(node.statements))
    return tree.Body(0, 0, (*node.statements[:at], random.choice(pool), *node.statements[at:])) if pool else node


def _bound(node: Any, nodes: list[Any], random: Random) -> Any:
    """A statement that names something, about something else."""
    element = _another(*_ELEMENTS)(node, nodes, random)
    expression = _another(*_EXPRESSIONS)(node, nodes, random)
    name = tree.Name(0, 0, random.choice(("a", "b", "c", "conv", "forward")))
    if isinstance(element, _ELEMENTS) and random.random() < 0.5:
        return tree.Share(0, 0, name, element, "")
    if isinstance(expression, _EXPRESSIONS):
        return random.choice((tree.Let(0, 0, name, expression, ""), tree.Expect(0, 0, expression, None, None, "")))
    return node


_QUESTIONS = ("peak_memory", "operations", "bytes_moved", "intensity", "seconds")


def _contract(node: tree.Expect, nodes: list[Any], random: Random) -> tree.Expect:
    """Another contract: at a path, on multiples, on memory."""
    of = random.choice(("sizes", "out", "field", "smallest_field", "misaligned", "dropped", *_QUESTIONS))
    words = random.sample(
        ("train", "inference", "adam", "float16", "cuda", "batch", "all", "h200", "x"), random.randint(0, 3)
    )
    given = tuple(tree.Argument(0, 0, None, tree.Name(0, 0, word)) for word in words)
    asked = tree.Name(0, 0, of) if of not in _QUESTIONS else tree.Function(0, 0, tree.Name(0, 0, of), given)
    number = tree.Number(0, 0, random.choice((0, 1, 3, 32, 10**9)))
    condition = random.choice((node.condition, asked, tree.Binary(0, 0, "<=", asked, number)))
    at = tree.Path(0, 0, random.choice(("conv1", "layer1", "0", "b1.conv1", "forward")))
    return tree.Expect(0, 0, condition, random.choice((None, number)), random.choice((None, at)), node.doc)


def _line(node: Any, nodes: list[Any], random: Random) -> tree.Line:
    chains = [n for n in nodes if isinstance(n, tree.Chain)]
    call = tree.Call(0, 0, tree.Name(0, 0, random.choice([w for w in WORDS if w.isidentifier()])), ())
    chain = random.choice(chains) if chains else tree.Chain(0, 0, (call,))
    return tree.Line(0, 0, tree.Chain(0, 0, (*chain.elements, call) if random.random() < 0.5 else chain.elements), "")


CHANGES: dict[type, tuple[Change, ...]] = {
    **dict.fromkeys(_EXPRESSIONS, (_another(*_EXPRESSIONS), _number, _operated)),
    **dict.fromkeys(_ELEMENTS, (_another(*_ELEMENTS), _wrapped)),
    tree.Call: (_another(*_ELEMENTS), _wrapped, _word, _arguments),
    tree.Function: (_another(*_EXPRESSIONS), _operated, _arguments),
    tree.Argument: (_another(tree.Argument),),
    tree.Chain: (_row("elements", 1), _another(tree.Chain)),
    tree.Group: (_row("branches", 1), _wrapped),
    tree.Body: (_row("statements", 0), _statement, _statement),
    tree.Label: (_another(tree.Label),),
    tree.Line: (_line, _bound),
    tree.Let: (_bound,),
    tree.Expect: (_bound, _contract),
    tree.Share: (_bound,),
    tree.Input: (_another(tree.Input),),
    tree.Output: (_row("names", 1), _another(tree.Output)),
    tree.File: (_row("definitions", 1),),
    tree.Block: (_row("parameters", 0), _row("takes", 0)),
    tree.Net: (_row("parameters", 0),),
}
"""What can become of a node of each kind."""
