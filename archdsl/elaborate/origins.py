"""Where the value of an expression comes from in the text: an error is made in one place and found in another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.elaborate.values import MISSING, SILENT, Env
from archdsl.graph import shown
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Iterator

_FAR = 100
"""Through how many calls an argument is followed."""


def entered(node: tree.Node, env: Env) -> tuple[tree.Node, Env] | None:
    """Where a parameter's value was written, if a name stands for one: an argument of a call, or the default."""
    place: tuple[tree.Node, Env] | None = None
    for _ in range(_FAR):
        if type(node) is not tree.Name:
            break
        owner: Env | None = env
        while owner is not None and node.text not in owner.names:
            owner = owner.parent
        if owner is None or owner.given is None:
            break
        found = owner.given.argument(node.text)
        if found is not None:
            place = found
            node, env = found[0].value, found[1]
            continue
        default = owner.given.default(node.text)
        if default is None:
            break
        place = (default, owner)
        node, env = default, owner
    return place


def facts(node: tree.Node, env: Env) -> list[str]:
    """What the names in an expression stand for, and where they were given that."""
    notes = []
    for name in dict.fromkeys(_names(node)):
        value = env.find(name)
        if value is MISSING or not isinstance(value, int | float | str):
            continue
        place = entered(tree.Name(0, 0, name), env)
        at = f", given at {Span(place[1].source, place[0].start, place[0].end)}" if place else ""
        notes.append(f"{name} = {shown(value)}{', given from outside' if from_outside(place) else at}")
    return notes[:4]


def from_outside(place: tuple[tree.Node, Env] | None) -> bool:
    """Whether an argument stands nowhere in the text: `-p width=64`."""
    if place is None or not isinstance(at := place[0], tree.Argument) or at.name is None:
        return False
    return (at.name.start, at.name.end) == (at.value.start, at.value.end)


def blamed(node: tree.Node, env: Env) -> tuple[tree.Node, Env, list[str]] | None:
    """Where a wrong value was written, if a parameter's name stands for it, and notes; no more is said of it then."""
    place = entered(node, env)
    if place is None:
        return None
    assert isinstance(node, tree.Name)
    owner: Env | None = env
    while owner is not None and node.text not in owner.names:
        owner = owner.parent
    if owner is not None:
        owner.names[node.text] = SILENT
    return *place, ["it is given from outside"] if from_outside(place) else []


def _names(node: tree.Node) -> Iterator[str]:
    match node:
        case tree.Name(text=text):
            yield text
        case tree.Unary(operand=operand):
            yield from _names(operand)
        case tree.Binary(left=left, right=right):
            yield from _names(left)
            yield from _names(right)
        case tree.Index(base=base, index=index):
            yield from _names(base)
            yield from _names(index)
        case tree.Slice(base=base, first=first, stop=stop):
            for part in (base, first, stop):
                if part is not None:
                    yield from _names(part)
        case tree.Function(arguments=arguments):
            for argument in arguments:
                yield from _names(argument.value)
        case tree.Argument(value=value):
            yield from _names(value)


def rounded_down(node: tree.Node, env: Env) -> str | None:
    """How a division is made whole."""
    if isinstance(node, tree.Argument):
        node = node.value
    if not isinstance(node, tree.Binary) or node.operator != "/":
        return None
    text = env.source.text
    left, right = text[node.left.start : node.left.end], text[node.right.start : node.right.end]
    return f"`{left} // {right}` rounds down"
