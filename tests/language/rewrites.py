"""A file written in another way that must mean the same: each construct replaced by what it stands for.

The rewrites work on syntax trees and know nothing of how the language is elaborated. They rely on one thing: that all
names of a file are different, apart from those of parameters.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from itertools import count
from typing import Any

from archdsl.layers import STANDARD
from archdsl.syntax import tree

from .networks import body, call, chain, constant, name, named, row

OPERATORS: Mapping[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "//": operator.floordiv,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">=": operator.ge,
    "and": lambda a, b: a and b,
    "or": lambda a, b: a or b,
}


def value(node: Any) -> Any:
    """What an expression comes to, or None where it needs a name."""
    match node:
        case tree.Number() | tree.Constant():
            return node.value
        case tree.Unary():
            operand = value(node.operand)
            if operand is not None:
                return not operand if node.operator == "not" else -operand
        case tree.Binary():
            left, right = value(node.left), value(node.right)
            if left is not None and right is not None:
                return OPERATORS[node.operator](left, right)
        case tree.Index():
            if isinstance(node.base, tree.List):
                return value(node.base.items[value(node.index)])
        case tree.Function(name=tree.Name(text="sum"), arguments=(tree.Argument(value=tree.Slice(base=tree.List())),)):
            part = node.arguments[0].value
            first = 0 if part.first is None else value(part.first)
            stop = len(part.base.items) if part.stop is None else value(part.stop)
            return sum(value(item) for item in part.base.items[first:stop])
        case tree.Function(name=tree.Name(text="max")):
            parts = [value(argument.value) for argument in node.arguments]
            if None not in parts:
                return max(parts)
    return None


def rebuilt(node: Any, change: Callable[[Any], Any]) -> Any:
    """A tree with every part changed, from the leaves up."""
    if isinstance(node, tuple):
        return tuple(rebuilt(part, change) for part in node)
    if not isinstance(node, tree.Node):
        return node
    parts = {
        field.name: rebuilt(old, change)
        for field in fields(node)  # type: ignore[arg-type]
        if isinstance(old := getattr(node, field.name), tree.Node | tuple)
    }
    return change(replace(node, **parts))  # type: ignore[type-var]


def parts_of(node: Any) -> list[Any]:
    """A tree and everything in it."""
    found: list[Any] = []
    rebuilt(node, lambda part: found.append(part) or part)
    return found


def substituted(node: Any, values: Mapping[str, Any]) -> Any:
    """A tree with expressions in the place of names; also of the names that are called."""
    return _Substitution(values).of(node)


class _Substitution:
    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def of(self, node: Any) -> Any:
        match node:
            case tuple():
                return tuple(map(self.of, node))
            case tree.Name():
                return self.values.get(node.text, node)
            case tree.Argument():  # the names of arguments are other names
                return replace(node, value=self.of(node.value))
            case tree.Parameter():
                return replace(node, default=self.of(node.default))
            case tree.Loop():
                return replace(node, rows=self.of(node.rows), stop=self.of(node.stop), body=self.of(node.body))
            case tree.Call() | tree.Function():
                arguments = self.of(node.arguments)
                match self.of(node.name):
                    case tree.Function() as partial:
                        return replace(node, name=partial.name, arguments=partial.arguments + arguments)
                    case head:
                        return replace(node, name=head, arguments=arguments)
            case tree.Label():
                parts = [part if isinstance(part, str) else self.of(part) for part in node.parts]
                first = self.values.get(parts[0])
                return replace(node, parts=(first.text if isinstance(first, tree.Name) else parts[0], *parts[1:]))
            case tree.Node():
                parts = {field.name: self.of(getattr(node, field.name)) for field in fields(node)[2:]}  # type: ignore[arg-type]
                return replace(node, **parts)  # type: ignore[type-var]
        return node


def in_a_row(statements: Sequence[Any]) -> Any:
    """Statements as one element."""
    if all(isinstance(s, tree.Line) and not _begins_with_a_value(s) for s in statements):
        elements = [element for statement in statements for element in statement.chain.elements]
        return row(*elements) if elements else row(call("id"))
    return tree.Condition(0, 0, constant(True), body(*statements), None)


def _begins_with_a_value(statement: tree.Line) -> bool:
    first = statement.chain.elements[0]
    return isinstance(first, tree.Call) and re.fullmatch(r"v[0-9].*|in|a|b|image", first.name.text) is not None


# ---------------------------------------------------------------- the rewrites


def without_defaults(file: tree.File) -> tree.File:
    """Each `default` written at the layers that it is for."""

    def written_at(node: tree.Call, known: Mapping[str, tuple[tree.Argument, ...]]) -> tree.Call:
        layer = STANDARD.find(node.name.text)
        if layer is None or node.name.text not in known:
            return node
        signature, given, place = layer.signature(), set(), 0
        for argument in node.arguments:
            text = argument.value.text if isinstance(argument.value, tree.Name) else ""
            compact = signature.letters.get(text[:1]) if text[1:].isdigit() else None
            found = signature.find(argument.name.text) if argument.name else compact
            if found is None:
                found, place = signature.positional[place], place + 1
            given.add(found.name)
        more = [a for a in known[node.name.text] if a.name is not None and a.name.text not in given]
        return replace(node, arguments=(*node.arguments, *more))

    def through(node: Any, known: dict[str, tuple[tree.Argument, ...]]) -> Any:
        match node:
            case tree.File() | tree.Body():
                kept, inside = [], dict(known)
                parts = node.definitions if isinstance(node, tree.File) else node.statements
                if isinstance(node, tree.File):  # those of a file are for all of it
                    parts = sorted(parts, key=lambda part: not isinstance(part, tree.Default))
                for part in parts:
                    if isinstance(part, tree.Default):
                        names = {a.name.text for a in part.arguments if a.name}
                        before = inside.get(part.layer.text, ())
                        outer = [a for a in before if a.name and a.name.text not in names]
                        inside[part.layer.text] = (*outer, *part.arguments)
                    else:
                        kept.append(through(part, inside))
                return type(node)(0, 0, tuple(kept))
            case tree.Call():
                return written_at(node, known)
            case tuple():
                return tuple(through(part, known) for part in node)
            case tree.Node():
                parts = {field.name: through(getattr(node, field.name), known) for field in fields(node)[2:]}  # type: ignore[arg-type]
                return replace(node, **parts)  # type: ignore[type-var]
        return node

    return through(file, {})  # type: ignore[no-any-return]


def without_lets(file: tree.File) -> tree.File:
    """The values of `let`s in the place of their names."""
    values: dict[str, Any] = {}
    for part in parts_of(file):
        if isinstance(part, tree.Let):
            values[part.name.text] = substituted(part.value, values)

    def change(part: Any) -> Any:
        if isinstance(part, tree.File):
            return replace(part, definitions=tuple(d for d in part.definitions if not isinstance(d, tree.Let)))
        if isinstance(part, tree.Body):
            return replace(part, statements=tuple(s for s in part.statements if not isinstance(s, tree.Let)))
        return part

    return substituted(rebuilt(file, change), values)  # type: ignore[no-any-return]


def without_parameters(file: tree.File) -> tree.File:
    """The last network with the default values of its parameters in their place."""
    *others, main = file.definitions
    assert isinstance(main, tree.Net)
    values = {parameter.name.text: parameter.default for parameter in main.parameters}
    filled = replace(main, parameters=(), body=substituted(main.body, values))
    return replace(file, definitions=(*others, filled))


def without_repeats(file: tree.File) -> tree.File:
    """What is repeated, written as often as the repeat says where that is a number."""

    def change(part: Any) -> Any:
        if isinstance(part, tree.Repeat):
            times = value(part.count)
            if times is not None:
                return row(*[part.element] * times) if times else row(call("id"))
        return part

    return rebuilt(file, change)  # type: ignore[no-any-return]


def without_loops(file: tree.File) -> tree.File:
    """The bodies of loops written out, where it is known how often."""

    def change(part: Any) -> Any:
        if not isinstance(part, tree.Loop):
            return part
        if part.stop is not None:
            ends = value(part.rows), value(part.stop)
            if None in ends:
                return part
            rows: list[tuple[Any, ...]] = [(_number(i),) for i in range(*ends)]
        else:
            assert isinstance(part.rows, tree.List)
            rows = [one.items for one in part.rows.items if isinstance(one, tree.List)]
        names = [one.text for one in part.names]
        turns = [substituted(part.body, dict(zip(names, one, strict=True))) for one in rows]
        return in_a_row([statement for turn in turns for statement in turn.statements])

    return rebuilt(file, change)  # type: ignore[no-any-return]


def _number(whole: int) -> Any:
    return tree.Number(0, 0, whole) if whole >= 0 else tree.Unary(0, 0, "-", tree.Number(0, 0, -whole))


def without_conditions(file: tree.File) -> tree.File:
    """The body that a condition chooses, where no size has to be asked for."""

    def change(part: Any) -> Any:
        if isinstance(part, tree.Condition):
            truth = value(part.test)
            if truth is not None:
                chosen = part.then if truth else part.otherwise
                return in_a_row(chosen.statements if chosen else [])
        return part

    return rebuilt(file, change)  # type: ignore[no-any-return]


def without_blocks(file: tree.File) -> tree.File:
    """The bodies of blocks in the place of their calls, repeats and loops written out; only paths change."""
    file = without_parameters(without_lets(without_defaults(file)))
    blocks = {one.name.text: one for one in file.definitions if isinstance(one, tree.Block)}
    fresh = count(1)

    def in_place(node: tree.Call) -> Any:
        """A block's body with what it is given, and the names under which it knows what flows in."""
        block, mark = blocks[node.name.text], f"{next(fresh)}x"
        values: dict[str, Any] = {}
        places = [parameter.name.text for parameter in block.parameters]
        place = 0
        for argument in node.arguments:
            text = argument.value.text if isinstance(argument.value, tree.Name) else ""
            if argument.name:
                values[argument.name.text] = argument.value
            elif text[:1] in places and text[1:].isdigit():
                values[text[0]] = tree.Number(0, 0, int(text[1:]))
            else:
                values[places[place]], place = argument.value, place + 1
        for parameter in block.parameters:
            values.setdefault(parameter.name.text, parameter.default)
        takes = [name(f"v{mark}{one}") for one in ("in", "a", "b")]
        values |= dict(zip(("in", "a", "b"), takes, strict=True))
        for part in parts_of(block.body):
            if isinstance(part, tree.Named):
                text = str(part.label.parts[0])
                values[text] = name(f"{text}{mark}")
            elif isinstance(part, tree.Share):
                values[part.name.text] = name(f"{part.name.text}{mark}")
        inside = substituted(block.body, values)
        if block.takes:
            return inside, takes[1:]
        asks = any(isinstance(part, tree.Name) and part.text == "in" for part in parts_of(block.body))
        return inside, takes[:1] if asks else []

    def through(node: Any) -> Any:
        """Calls are replaced where they happen once."""
        match node:
            case tree.Repeat() | tree.Loop() | tree.Share():
                return node
            case tree.Chain():
                elements: list[Any] = []
                for element in node.elements:
                    inner = element
                    while isinstance(inner, tree.Named | tree.Checked):
                        inner = inner.element
                    if isinstance(inner, tree.Call) and inner.name.text in blocks:
                        inside, takes = in_place(inner)
                        if len(takes) == 1:
                            elements.append(named(row(call("id")), takes[0].text))
                        elif takes:
                            branches = elements.pop().branches
                            groups = [
                                named(tree.Group(0, 0, (b,)), t.text) for b, t in zip(branches, takes, strict=True)
                            ]
                            elements.append(tree.Group(0, 0, tuple(chain(g) for g in groups)))
                        called = tree.Condition(0, 0, constant(True), through(inside), None)
                        element = _instead(element, called)
                    else:
                        element = through(element)
                    elements.append(element)
                return replace(node, elements=tuple(elements))
            case tuple():
                return tuple(map(through, node))
            case tree.Node():
                parts = {field.name: through(getattr(node, field.name)) for field in fields(node)[2:]}  # type: ignore[arg-type]
                return replace(node, **parts)  # type: ignore[type-var]
        return node

    *others, main = file.definitions
    for _ in range(6):
        main = without_loops(without_repeats(through(main)))  # type: ignore[arg-type, assignment]
    return replace(file, definitions=(*others, main))


def _instead(element: Any, called: Any) -> Any:
    if isinstance(element, tree.Named | tree.Checked):
        return replace(element, element=_instead(element.element, called))
    return row(called)
