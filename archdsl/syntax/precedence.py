"""How tightly operators bind, and a flat row of operands and operators made into a tree by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl.syntax import tree
from archdsl.syntax.tokens import Token

if TYPE_CHECKING:
    from collections.abc import Sequence

PRECEDENCE = {
    "or": 1,
    "and": 2,
    "==": 4,
    "!=": 4,
    "<": 4,
    "<=": 4,
    ">": 4,
    ">=": 4,
    "+": 5,
    "-": 5,
    "*": 6,
    "/": 6,
    "//": 6,
    "%": 6,
}
"""How tightly the operators bind, as in Python."""

NOT, COMPARISON, NEGATION = 3, 4, 7


def by_precedence(row: Sequence[Any]) -> Any:
    """The tree that a row of operands and operators stands for, as Python would nest it."""
    value, rest = _Row(row).expression(0)
    assert rest == len(row)
    return value


class _Row:
    """A row, and how far it has been read."""

    def __init__(self, row: Sequence[Any]) -> None:
        self.row = row
        self.at = 0

    def expression(self, loosest: int) -> tuple[Any, int]:
        left = self.operand()
        while self.at < len(self.row):
            operator = self.row[self.at].text
            level = PRECEDENCE[operator]
            if level < loosest or level == 0:
                break
            self.at += 1
            right, _ = self.expression(level + 1)
            if level == COMPARISON and self.follows_comparison():
                left = self.chained(left, operator, right)
            else:
                left = tree.Binary(left.start, right.end, operator, left, right)
        return left, self.at

    def follows_comparison(self) -> bool:
        return self.at < len(self.row) and PRECEDENCE[self.row[self.at].text] == COMPARISON

    def chained(self, left: Any, operator: str, right: Any) -> Any:
        """a < b < c is (a < b) and (b < c)."""
        whole = tree.Binary(left.start, right.end, operator, left, right)
        while self.follows_comparison():
            operator = self.row[self.at].text
            self.at += 1
            following, _ = self.expression(COMPARISON + 1)
            step = tree.Binary(right.start, following.end, operator, right, following)
            whole = tree.Binary(whole.start, step.end, "and", whole, step)
            right = following
        return whole

    def operand(self) -> Any:
        first = self.row[self.at]
        self.at += 1
        if type(first) is not Token:
            return first
        operand, _ = self.expression(NOT if first.text == "not" else NEGATION)
        return tree.Unary(first.start, operand.end, first.text, operand)
