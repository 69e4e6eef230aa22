"""Syntax tree to text: for trees that were made or changed by a program.

What a person wrote is laid out by the formatter, which keeps comments and line breaks. Here the text is made anew, and
reading it gives the same tree.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from archdsl.syntax import tree
from archdsl.syntax.precedence import COMPARISON, NEGATION, NOT, PRECEDENCE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_BARE = (tree.Number, tree.Name, tree.Size, tree.String, tree.Constant, tree.Symbol)
_PATH = re.compile(r"(?!\d)(?:(?:(?!x\d)[a-z_][A-Za-z0-9_]*|\d+)(?:\.(?!$)|$))+")
_NO_PART = {"from", "input", "output", "if", "else", "for", "in", "as", "and", "or", "not", "yes", "no"}
_POSTFIX = (tree.Attribute, tree.Index, tree.Slice)


def print_tree(file: tree.File) -> str:
    """The canonical text of a tree without Mistakes; `parse` gives the tree back."""
    parts: list[str] = []
    for before, definition in zip((None, *file.definitions), file.definitions, strict=False):
        together = type(before) is type(definition) and type(definition) in (tree.Use, tree.Let, tree.Default)
        if before is not None and not (together or type(before) is type(definition) is tree.Variant):
            parts.append("\n")
        parts.append(_statement(definition, "") + "\n")
    return "".join(parts)


def print_expression(node: tree.Expression) -> str:
    """The canonical text of an expression without Mistakes, on one line."""
    return _expression(node)


# ---------------------------------------------------------------- definitions and statements


def _statement(node: tree.Definition | tree.Statement, indent: str) -> str:
    if isinstance(node, tree.Mistake):
        raise ValueError("a tree with a Mistake has no text")
    return _doc(node.doc, indent) + _without_doc(node, indent)


def _doc(text: str, indent: str) -> str:
    return "".join(f"## {line}".rstrip() + f"\n{indent}" for line in text.split("\n")) if text else ""


def _without_doc(node: tree.Definition | tree.Statement, indent: str) -> str:
    match node:
        case tree.Use():
            return f'use {_names(node.names)} from "{node.path.value}"'
        case tree.Net():
            return f"net {_head(node.name, node.parameters)} {_body(node.body, indent)}"
        case tree.Variant():
            base = _applied(node.base.text, node.arguments) if node.arguments else node.base.text
            return f"net {node.name.text} = {base}" + (f" {_body(node.body, indent)}" if node.body else "")
        case tree.Block():
            takes = f" takes {_names(node.takes)}" if node.takes else ""
            return f"block {_head(node.name, node.parameters)}{takes} {_body(node.body, indent)}"
        case tree.Input():
            return "input " + _input(node)
        case tree.Output():
            return f"output {_names(node.names)}" + (f" when {node.when.text}" if node.when else "")
        case tree.Let():
            return f"let {node.name.text} = {_expression(node.value)}"
        case tree.Default():
            return f"default {node.layer.text} {_bare_arguments(node.arguments)}"
        case tree.Share():
            return f"share {node.name.text} = {_element(node.element, indent)}"
        case tree.Expect():
            multiple = "" if node.multiple is None else f" multiple_of {_expression(node.multiple)}"
            return f"expect {_expression(node.condition)}{multiple}{f' at {node.at.text}' if node.at else ''}"
        case tree.Preprocess():
            return f"preprocess {_bare_arguments(node.settings)}"
        case tree.Recipe():
            return f"recipe {_braced(node.stages, indent, _stage)}"
        case tree.Line():
            return _chain(node.chain, indent)
    raise TypeError(type(node).__name__)


def _names(names: Sequence[tree.Name]) -> str:
    return ", ".join(name.text for name in names)


def _head(name: tree.Name, parameters: Sequence[tree.Parameter]) -> str:
    texts = [p.name.text + ("" if p.default is None else f"={_expression(p.default)}") for p in parameters]
    return f"{_opened(name.text)}{', '.join(texts)})" if texts else name.text


def _input(node: tree.Input) -> str:
    text = f"{node.name.text} : " if node.name else ""
    if node.kind:
        text += f"{node.kind.text} "
    text += _expression(node.shape)
    if node.of and node.vocabulary:
        text += f" {node.of.text} {_expression(node.vocabulary)}"
    return text


def _body(body: tree.Body, indent: str) -> str:
    return _braced(body.statements, indent, _statement)


def _stage(stage: tree.Stage, indent: str) -> str:
    settings = f" {_bare_arguments(stage.settings)}" if stage.settings else ""
    return f"{_doc(stage.doc, indent)}{stage.name.text}{settings} {_braced(stage.parts, indent, _part)}"


def _part(part: tree.Part, indent: str) -> str:
    path = part.path.text
    plain = _PATH.fullmatch(path) and _NO_PART.isdisjoint(path.split("."))
    return " ".join(filter(None, (path if plain else f'"{path}"', _bare_arguments(part.settings))))


def _braced(items: Sequence[Any], indent: str, printed: Callable[[Any, str], str]) -> str:
    if not items:
        return "{}"
    inner = indent + "  "
    return "{\n" + "".join(f"{inner}{printed(item, inner)}\n" for item in items) + indent + "}"


# ---------------------------------------------------------------- the flow


def _chain(chain: tree.Chain, indent: str) -> str:
    return " -> ".join(_element(element, indent) for element in chain.elements)


def _element(node: tree.Element, indent: str) -> str:
    match node:
        case tree.Call():
            return _call(node)
        case tree.Tap():
            return f"{node.name.text}.{node.path.text}"
        case tree.Group(branches=(only,)):
            return f"({_chain(only, indent + '  ')})"
        case tree.Group():
            branches = [_chain(branch, indent + "  ") for branch in node.branches]
            text = f"({' | '.join(branches)})"
            if "\n" not in text and len(indent) + len(text) <= 88:
                return text
            return "( " + f"\n{indent}| ".join(branches) + f"\n{indent})"
        case tree.Condition():
            return _condition(node, indent)
        case tree.Loop():
            stop = "" if node.stop is None else f"..{_expression(node.stop)}"
            return f"for {_names(node.names)} in {_expression(node.rows)}{stop} {_body(node.body, indent)}"
        case tree.Repeat():
            count = node.count
            times = f"x{count.value}" if isinstance(count, tree.Number) and isinstance(count.value, int) else None
            return f"{_element(node.element, indent)} {times or f'x({_expression(count)})'}"
        case tree.Named():
            return f"{_element(node.element, indent)} as {_label(node.label)}" + ("[]" if node.numbered else "")
        case tree.Checked():
            return f"{_element(node.element, indent)} : {_expression(node.shape)}"
    raise ValueError("a tree with a Mistake has no text")


def _condition(node: tree.Condition, indent: str) -> str:
    text = ""
    while True:  # an `else if` is a body that holds nothing but one condition
        text += f"if {_expression(node.test)} {_body(node.then, indent)}"
        match node.otherwise:
            case None:
                return text
            case tree.Body(statements=(tree.Line(chain=tree.Chain(elements=(tree.Condition() as after,)), doc=""),)):
                text += " else "
                node = after
            case body:
                return f"{text} else {_body(body, indent)}"


def _label(label: tree.Label) -> str:
    return "".join(part if isinstance(part, str) else f"{{{_expression(part)}}}" for part in label.parts)


def _call(node: tree.Call) -> str:
    if not node.arguments:
        return node.name.text
    if all(map(_is_bare, node.arguments)):
        return f"{node.name.text} {_bare_arguments(node.arguments)}"
    return _applied(node.name.text, node.arguments)


def _applied(name: str, arguments: Sequence[tree.Argument]) -> str:
    return f"{_opened(name)}{_arguments(arguments)})"


def _opened(name: str) -> str:
    return f"{name} (" if name == "x" else f"{name}("  # x( would be a repeat


def _arguments(arguments: Sequence[tree.Argument]) -> str:
    return ", ".join(map(_argument, arguments))


def _argument(argument: tree.Argument) -> str:
    name = f"{argument.name.text}=" if argument.name else ""
    return name + _expression(argument.value)


def _is_bare(argument: tree.Argument) -> bool:
    """Whether an argument may stand beside others without a comma."""
    value = argument.value
    if argument.name and isinstance(value, tree.List):
        return True
    while isinstance(value, _POSTFIX):
        value = value.base
    return isinstance(value, _BARE) or (isinstance(value, tree.Function) and value.name.text != "x")


def _bare_arguments(arguments: Sequence[tree.Argument]) -> str:
    return " ".join(map(_argument, arguments))


# ---------------------------------------------------------------- expressions


def _expression(node: tree.Expression, loosest: int = 0) -> str:
    """The text of an expression, in parentheses where its operator binds looser than what is around it."""
    match node:
        case tree.Name() | tree.Symbol():
            return node.text
        case tree.Number():
            return repr(node.value)
        case tree.Size():
            return "x".join(map(str, node.extents))
        case tree.String():
            return f'"{node.value}"'
        case tree.Constant():
            return "yes" if node.value else "no"
        case tree.List():
            return f"[{', '.join(map(_expression, node.items))}]"
        case tree.Attribute(base=base):
            ends = isinstance(base, tree.Number) or (isinstance(base, tree.Attribute) and base.name[0].isdigit())
            apart = " " * (ends and node.name[0].isdigit())  # 1 .2 is no 1.2
            return f"{_expression(base)}{apart}.{node.name}"
        case tree.Index():
            return f"{_expression(node.base)}[{_expression(node.index)}]"
        case tree.Slice():
            first, stop = ("" if end is None else _expression(end) for end in (node.first, node.stop))
            return f"{_expression(node.base)}[{first}..{stop}]"
        case tree.Function():
            return _applied(node.name.text, node.arguments)
        case tree.Unary():
            level, word = (NOT, "not ") if node.operator == "not" else (NEGATION, node.operator)
            text = word + _expression(node.operand, level)
        case tree.Binary():
            level = PRECEDENCE[node.operator]
            left = _expression(node.left, level + 1 if level == COMPARISON else level)
            text = f"{left} {node.operator} {_expression(node.right, level + 1)}"
        case _:
            raise ValueError("a tree with a Mistake has no text")
    return f"({text})" if level < loosest else text
