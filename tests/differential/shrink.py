"""A spec on which the two judges disagree, made as small as it can be."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from archdsl.syntax import tree
from archdsl.syntax.printer import print_tree


def shrink(file: tree.File, still: Callable[[str], bool]) -> str:
    """The text of a smaller file that is `still` what it was."""
    text = print_tree(file)
    found = True
    while found:
        found = False
        for smaller in _smaller(file):
            try:
                candidate = print_tree(smaller)
            except ValueError:
                continue
            if len(candidate) < len(text) and still(candidate):
                file, text, found = smaller, candidate, True
                break
    return text


def _smaller(node: Any) -> Iterator[Any]:
    """Every tree with one thing less."""
    yield from _simpler(node)
    for name in type(node).__match_args__[2:]:  # without start and end
        value = getattr(node, name)
        if isinstance(value, tree.Node):
            yield from (replace(node, **{name: inner}) for inner in _smaller(value))
        elif type(value) is tuple:
            least = _LEAST.get((type(node), name), 0)
            if len(value) > least:
                yield from (replace(node, **{name: value[:i] + value[i + 1 :]}) for i in range(len(value)))
            for i, item in enumerate(value):
                if isinstance(item, tree.Node):
                    yield from (
                        replace(node, **{name: (*value[:i], inner, *value[i + 1 :])}) for inner in _smaller(item)
                    )


_LEAST = {
    (tree.File, "definitions"): 1,
    (tree.Chain, "elements"): 1,
    (tree.Group, "branches"): 1,
    (tree.Body, "statements"): 1,
    (tree.Loop, "names"): 1,
    (tree.Output, "names"): 1,
    (tree.Size, "extents"): 2,
    (tree.Label, "parts"): 1,
    (tree.Default, "arguments"): 1,
}


def _simpler(node: Any) -> Iterator[Any]:
    """What may stand in a node's place."""
    match node:
        case tree.Named() | tree.Checked() | tree.Repeat():
            yield node.element
        case tree.Tap():
            yield tree.Call(0, 0, node.name, ())
        case tree.Group(branches=(only,)) if len(only.elements) == 1:
            yield only.elements[0]
        case tree.Group(branches=branches) if len(branches) > 1:
            yield from (tree.Group(0, 0, (branch,)) for branch in branches)
        case tree.Condition():
            for body in filter(None, (node.then, node.otherwise)):
                yield from _lines(body)
            if node.otherwise:
                yield replace(node, otherwise=None)
        case tree.Loop():
            yield from _lines(node.body)
        case tree.Number(value=value) if value not in (0, 1):
            yield tree.Number(0, 0, 1)
            yield tree.Number(0, 0, int(value) // 2)
        case tree.Size(extents=extents):
            for i, extent in enumerate(extents):
                if isinstance(extent, int) and extent > 1:
                    yield tree.Size(0, 0, (*extents[:i], extent - 1, *extents[i + 1 :]))
        case tree.Binary():
            yield from (node.left, node.right)
        case tree.Unary():
            yield node.operand


def _lines(body: tree.Body) -> Iterator[tree.Group]:
    for statement in body.statements:
        if isinstance(statement, tree.Line):
            yield tree.Group(0, 0, (statement.chain,))
