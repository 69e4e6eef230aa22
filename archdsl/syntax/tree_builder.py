"""The rules of the grammar, made into the syntax tree as the parser reduces them: one method a rule.

Every method takes the children of its rule, keywords and signs included, and returns a node.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.diagnostics.model import Diagnostic, error
from archdsl.source import Source, Span
from archdsl.syntax import tree
from archdsl.syntax.precedence import by_precedence
from archdsl.syntax.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Iterator

_SCALES = {"K": 3, "M": 6, "G": 9, "T": 12}
_BINARY = {"K": 10, "M": 20, "G": 30, "T": 40}

Children = list[Any]


def _names(children: Children) -> tuple[tree.Name, ...]:
    return tuple(_name(c) for c in children if type(c) is Token and c.type == "NAME")


def _name(token: Token) -> tree.Name:
    return tree.Name(token.start, token.end, token.text)


class TreeBuilder:
    """The callbacks of the parser. What a rule cannot accept is put down in `problems`, and a Mistake stands for it."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Diagnostic] = []
        self.depths: dict[int, tuple[tree.Node, int]] = {}
        self.longest = 0  # the most nodes that nest without brackets

    def refuse(self, code: str, message: str, start: int, end: int, help: str | None = None) -> tree.Mistake:
        self.problems.append(error(code, message, Span(self.source, start, end), help=help))
        return tree.Mistake(start, end)

    def nested(self, inner: Any, outer: Any) -> Any:
        """The outer node, or a Mistake where such nodes stand one in the other too deep to be worked on."""
        depth = self.depths.get(id(inner), (inner, 0))[1] + 1
        self.longest = max(self.longest, depth)
        if depth > limits.NESTING:
            if depth == limits.NESTING + 1:
                help = "name an inner part with `let` or as a block"
                message = f"this nests more than {limits.NESTING} deep"
                outer = self.refuse("too-deep", message, inner.start, outer.end, help)
            else:
                outer = tree.Mistake(outer.start, outer.end)
        self.depths[id(outer)] = (outer, depth)
        return outer

    @staticmethod
    def doc(children: Children) -> str:
        """Takes the documentation off the front of a rule's children."""
        count = 0
        while type(children[count]) is Token and children[count].type == "DOC":
            count += 1
        lines = [token.text[2:].strip() for token in children[:count]]
        del children[:count]
        return "\n".join(lines)

    # ------------------------------------------------------------ definitions

    def start(self, children: Children) -> tree.File:
        definitions = tuple(c for c in children if type(c) is not Token)
        return tree.File(0, len(self.source.text), definitions)

    def use(self, children: Children) -> tree.Use:
        doc = self.doc(children)
        path = children[-1]
        string = tree.String(path.start, path.end, path.text[1:-1])
        return tree.Use(children[0].start, path.end, _names(children), string, doc)

    def net(self, children: Children) -> tree.Net:
        doc = self.doc(children)
        parameters = children[2] if type(children[2]) is tuple else ()
        return tree.Net(children[0].start, children[-1].end, _name(children[1]), parameters, children[-1], doc)

    def variant(self, children: Children) -> tree.Variant:
        doc = self.doc(children)
        arguments = next((c for c in children if type(c) is tuple), ())
        start, end = children[0].start, children[-1].end
        body = children[-1] if type(children[-1]) is tree.Body else None
        return tree.Variant(start, end, _name(children[1]), _name(children[3]), arguments, body, doc)

    def block(self, children: Children) -> tree.Block:
        doc = self.doc(children)
        parameters = next((c for c in children if type(c) is tuple), ())
        takes = next((tuple(c) for c in children if type(c) is list), ())
        return tree.Block(children[0].start, children[-1].end, _name(children[1]), parameters, takes, children[-1], doc)

    def parameters(self, children: Children) -> tuple[tree.Parameter, ...]:
        return tuple(c for c in children if type(c) is tree.Parameter)

    def parameter(self, children: Children) -> tree.Parameter:
        default = children[2] if len(children) == 3 else None
        return tree.Parameter(children[0].start, children[-1].end, _name(children[0]), default)

    def takes(self, children: Children) -> list[tree.Name]:
        return list(_names(children))

    # ------------------------------------------------------------ statements

    def body(self, children: Children) -> tree.Body:
        statements = tuple(c for c in children if type(c) is not Token)
        return tree.Body(children[0].start, children[-1].end, statements)

    def input(self, children: Children) -> tree.Input:
        doc = self.doc(children)
        kind, shape, of, vocabulary = children[-1]
        name = _name(children[1]) if len(children) > 2 else None
        last = vocabulary or shape
        return tree.Input(children[0].start, last.end, name, kind, shape, of, vocabulary, doc)

    def input_type(self, children: Children) -> tuple[Any, ...]:
        if len(children) == 1:
            return None, children[0], None, None
        kind = _name(children[0])
        if len(children) == 2:
            return kind, children[1], None, None
        return kind, children[1], _name(children[2]), children[3]

    def bare_name(self, children: Children) -> tree.Name:
        return _name(children[0])

    def output(self, children: Children) -> tree.Output:
        doc = self.doc(children)
        names = _names(children)
        when = None
        if any(type(c) is Token and c.type == "WHEN" for c in children):
            names, when = names[:-1], names[-1]
        return tree.Output(children[0].start, children[-1].end, names, when, doc)

    def let(self, children: Children) -> tree.Let:
        doc = self.doc(children)
        return tree.Let(children[0].start, children[-1].end, _name(children[1]), children[3], doc)

    def default(self, children: Children) -> tree.Default:
        doc = self.doc(children)
        return tree.Default(children[0].start, children[-1].end, _name(children[1]), tuple(children[2:]), doc)

    def share(self, children: Children) -> tree.Share:
        doc = self.doc(children)
        return tree.Share(children[0].start, children[-1].end, _name(children[1]), children[3], doc)

    def expect(self, children: Children) -> tree.Expect:
        doc = self.doc(children)
        further = {c.type: children[i + 1] for i, c in enumerate(children) if type(c) is Token and c.type != "EXPECT"}
        multiple, at = further.get("MULTIPLE_OF"), further.get("AT")
        return tree.Expect(children[0].start, children[-1].end, children[1], multiple, at, doc)

    def preprocess(self, children: Children) -> tree.Preprocess:
        doc = self.doc(children)
        return tree.Preprocess(children[0].start, children[-1].end, tuple(children[1:]), doc)

    def recipe(self, children: Children) -> tree.Recipe:
        doc = self.doc(children)
        stages = tuple(c for c in children if type(c) is tree.Stage)
        return tree.Recipe(children[0].start, children[-1].end, stages, doc)

    def stage(self, children: Children) -> tree.Stage:
        doc = self.doc(children)
        settings = tuple(c for c in children if type(c) is tree.Argument)
        parts = tuple(c for c in children if type(c) is tree.Part)
        return tree.Stage(children[0].start, children[-1].end, _name(children[0]), settings, parts, doc)

    def part(self, children: Children) -> tree.Part:
        path = children[0]
        if type(path) is tree.String:
            path = tree.Path(path.start, path.end, path.value)
        return tree.Part(path.start, children[-1].end, path, tuple(children[1:]))

    def setting(self, children: Children) -> tree.Argument:
        return tree.Argument(children[0].start, children[-1].end, _name(children[0]), children[2])

    def path(self, children: Children) -> tree.Path:
        return tree.Path(children[0].start, children[-1].end, "".join(child.text for child in children))

    def line(self, children: Children) -> tree.Line:
        doc = self.doc(children)
        return tree.Line(children[0].start, children[0].end, children[0], doc)

    def mistake(self, children: Children) -> tree.Mistake:
        return tree.Mistake(children[0].start, children[0].end)

    # ------------------------------------------------------------ the flow

    def chain(self, children: Children) -> tree.Chain:
        return tree.Chain(children[0].start, children[-1].end, tuple(children[::2]))

    def call(self, children: Children) -> tree.Call:
        arguments: tuple[tree.Argument, ...] = ()
        rest = 1
        if len(children) > 1 and type(children[1]) is Token:
            if type(children[2]) is tuple:
                arguments, rest = children[2], 4
            else:
                rest = 3
        if len(children) > rest:
            arguments += tuple(children[rest:])
        first = children[0]
        return tree.Call(first[2], children[-1].end, tree.Name(first[2], first[3], first[1]), arguments)

    def tap(self, children: Children) -> tree.Tap | tree.Mistake:
        name, dot, path = children
        if name.end != dot.start or dot.end != path.start:
            is_number = path.text[0].isdigit()
            help = f"a number begins with a digit: `0.{path.text}`" if is_number else "leave no blanks beside the dot"
            return self.refuse("syntax", f"`.` cannot follow `{name.text}`", dot.start, dot.end, help)
        return tree.Tap(name.start, path.end, _name(name), path)

    def group(self, children: Children) -> tree.Group:
        return tree.Group(children[0].start, children[-1].end, tuple(children[1:-1:2]))

    def condition(self, children: Children) -> Any:
        otherwise = children[4] if len(children) == 5 else None
        start, end = children[0].start, children[-1].end
        if type(otherwise) is tree.Body or otherwise is None:
            return tree.Condition(start, end, children[1], children[2], otherwise)
        # else if: a body that holds one condition
        chain = tree.Chain(otherwise.start, otherwise.end, (otherwise,))
        body = tree.Body(otherwise.start, otherwise.end, (tree.Line(otherwise.start, otherwise.end, chain, ""),))
        outer = tree.Condition(start, end, children[1], children[2], body)
        return self.nested(otherwise, outer)

    def loop(self, children: Children) -> tree.Loop:
        names = _names(children)
        inside = next(i for i, c in enumerate(children) if type(c) is Token and c.type == "IN")
        rows = children[inside + 1]
        stop = children[inside + 3] if type(children[inside + 2]) is Token else None
        return tree.Loop(children[0].start, children[-1].end, names, rows, stop, children[-1])

    def repeat(self, children: Children) -> Any:
        element = children[0]
        if len(children) == 2:
            times = children[1]
            number = self.number([Token("NUMBER", times.text[1:], times.start + 1, times.end)])
            return self.nested(element, tree.Repeat(element.start, times.end, element, number))
        return self.nested(element, tree.Repeat(element.start, children[-1].end, element, children[3]))

    def named(self, children: Children) -> Any:
        element, label = children[0], children[2]
        numbered = len(children) > 3
        return self.nested(element, tree.Named(element.start, children[-1].end, element, label, numbered))

    def checked(self, children: Children) -> Any:
        element, shape = children[0], children[2]
        return self.nested(element, tree.Checked(element.start, shape.end, element, shape))

    def label(self, children: Children) -> tree.Label:
        parts: list[Any] = []
        for child in children:
            if type(child) is not Token:
                parts.append(child)
            elif child.type not in ("LBRACE", "RBRACE"):
                parts[-1:] = [parts[-1] + child.text] if parts and type(parts[-1]) is str else [*parts[-1:], child.text]
        return tree.Label(children[0].start, children[-1].end, tuple(parts))

    # ------------------------------------------------------------ arguments and expressions

    def arguments(self, children: Children) -> tuple[tree.Argument, ...]:
        return tuple(children[::2])

    def argument(self, children: Children) -> tree.Argument:
        value = children[-1]
        if len(children) == 1:
            return tree.Argument(value.start, value.end, None, value)
        name = children[0]
        return tree.Argument(name[2], value.end, tree.Name(name[2], name[3], name[1]), value)

    enclosed_argument = argument

    def number(self, children: Children) -> tree.Number | tree.Mistake:
        token = children[0]
        text = token[1]
        if len(text) <= limits.NUMBER_CHARACTERS and (text.isdigit() or text.replace("_", "").isdigit()):
            return tree.Number(token[2], token[3], int(text))
        if len(text) > limits.NUMBER_CHARACTERS:
            message = f"this number has more than {limits.NUMBER_CHARACTERS} characters"
            return self.refuse("bad-number", message, token.start, token.end)
        value = decimal(text)
        if value is None:
            return self.refuse("bad-number", f"`{text}` is too large", token.start, token.end)
        return tree.Number(token.start, token.end, value)

    def size(self, children: Children) -> tree.Size | tree.Mistake:
        token = children[0]
        extents = token.text.split("x")
        if any(len(extent) > limits.NUMBER_CHARACTERS for extent in extents):
            message = f"a size here has more than {limits.NUMBER_CHARACTERS} digits"
            return self.refuse("bad-number", message, token.start, token.end)
        return tree.Size(token.start, token.end, tuple(int(e) if e.isdigit() else e for e in extents))

    def string(self, children: Children) -> tree.String:
        token = children[0]
        return tree.String(token.start, token.end, token.text[1:-1])

    def constant(self, children: Children) -> tree.Constant:
        token = children[0]
        return tree.Constant(token.start, token.end, token.type == "YES")

    def name(self, children: Children) -> tree.Name:
        token = children[0]
        return tree.Name(token[2], token[3], token[1])

    def symbol(self, children: Children) -> tree.Symbol | tree.Mistake:
        token = children[0]
        if len(token.text) == 1 or token.text[1:].isdigit():
            return tree.Symbol(token.start, token.end, token.text)
        message = f"`{token.text}` begins with a capital letter"
        yes_no = {"True": "yes", "False": "no"}.get(token.text)
        help = f"write `{token.text.lower()}`; a single capital stands for any size in an input's shape, nothing else"
        if yes_no:
            help = f"write `{yes_no}`"
        elif token.text.isupper():
            help = f'a text stands in quotes: `"{token.text}"`'
        elif token.text == "None":
            help = "the element that changes nothing is `id`; an option that is not wanted is left out"
        return self.refuse("capital", message, token.start, token.end, help)

    def list(self, children: Children) -> tree.List:
        return tree.List(children[0].start, children[-1].end, tuple(children[1:-1:2]))

    def parenthesized(self, children: Children) -> Any:
        """The brackets belong to the place of what stands in them."""
        inner = children[1]
        whole = copy(inner)
        whole.start, whole.end = children[0].start, children[2].end
        if id(inner) in self.depths:
            self.depths[id(whole)] = (whole, self.depths[id(inner)][1])
        return whole

    def attribute(self, children: Children) -> Any:
        base, _, name = children
        return self.nested(base, tree.Attribute(base.start, name.end, base, name.text))

    def index(self, children: Children) -> Any:
        base = children[0]
        return self.nested(base, tree.Index(base.start, children[-1].end, base, children[2]))

    def slice(self, children: Children) -> Any:
        base, end = children[0], children[-1].end
        first = children[2] if type(children[2]) is not Token else None
        stop = children[-2] if type(children[-2]) is not Token else None
        return self.nested(base, tree.Slice(base.start, end, base, first, stop))

    def function(self, children: Children) -> tree.Function:
        arguments = children[2] if type(children[2]) is tuple else ()
        return tree.Function(children[0].start, children[-1].end, _name(children[0]), arguments)

    def operation(self, children: Children) -> Any:
        if len(children) > 2 * limits.NESTING:
            message = f"this expression has more than {2 * limits.NESTING} operands and operators"
            help = "name a part of it with `let`"
            return self.refuse("too-deep", message, children[0].start, children[-1].end, help)
        self.longest = max(self.longest, len(children) // 2)
        if len(children) == 3 and type(children[0]) is not Token:
            left, operator, right = children
            return tree.Binary(left.start, right.end, operator.text, left, right)
        return by_precedence(children)

    bare_operation = operation


def decimal(text: str) -> int | float | None:
    """A written number as the integer that it is, or else as a float; None where it is too large."""
    if text.endswith("iB"):
        return _binary(text[:-2])
    text = text.removesuffix("B")
    scale = _SCALES.get(text[-1], 0)
    mantissa, _, exponent = text.rstrip("KMGT").lower().partition("e")
    whole, _, fraction = mantissa.partition(".")
    power = int(exponent or 0) + scale - len(fraction)
    digits = int(whole + fraction)
    if digits and len(str(digits)) + power > limits.NUMBER_CHARACTERS:
        return None
    if exponent or (fraction and not scale):
        return float(f"{digits}e{power}")
    if power >= 0:
        return digits * int(10**power)
    unit = int(10**-power)
    return digits / unit if digits % unit else digits // unit


def _binary(text: str) -> int | float | None:
    """A number in units of 1024: 8Gi."""
    factor = decimal(text[:-1])
    if factor is None:
        return None
    size = factor * (1 << _BINARY[text[-1]])
    return int(size) if size == int(size) and abs(size) < 2**63 else size


def too_deep(file: tree.File, source: Source, problems: list[Diagnostic]) -> tree.File:
    """The file with a Mistake for each definition that nests deeper than what works on trees can follow."""
    definitions = []
    for definition in file.definitions:
        level: list[Any] = [definition]
        for _ in range(limits.TREE_DEPTH):
            level = [child for node in level for child in _children(node)]
            if not level:
                definitions.append(definition)
                break
        else:
            message = "brackets, operators and what follows them nest too deep here"
            help = "name an inner part with `let` or as a block"
            place = min(level, key=lambda node: node.start)
            problems.append(error("too-deep", message, Span(source, place.start, place.end), help=help))
            definitions.append(tree.Mistake(definition.start, definition.end))
    return tree.File(file.start, file.end, tuple(definitions))


def _children(node: tree.Node) -> Iterator[tree.Node]:
    names: tuple[str, ...] = type(node).__match_args__
    for name in names[2:]:  # without start and end
        value = getattr(node, name)
        if isinstance(value, tree.Node):
            yield value
        elif type(value) is tuple:
            yield from (item for item in value if isinstance(item, tree.Node))
