"""The automaton of the grammar as data. lark makes it when the grammar changes; it ships as JSON, so that reading a
spec needs neither lark nor the time that building it takes.

`python -m archdsl.syntax.tables` writes it anew.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NamedTuple

from archdsl.resources import grammar_text, tables_path


class Reduction(NamedTuple):
    """What a rule does with its children: `size` of them become one value.

    The children at `spliced` are lists (of a helper rule, whose name begins with _) that take part one by one.
    """

    origin: str
    size: int
    transparent: bool
    spliced: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Tables:
    """`states[s][symbol]` is the state to go to where it is not negative, and otherwise `~index` of a reduction."""

    terminals: dict[str, tuple[str, str]]
    reductions: list[Reduction]
    states: list[dict[str, int]]
    end: int


def load_tables() -> Tables:
    data = json.loads(tables_path().read_text(encoding="utf-8"))
    symbols = data["symbols"]
    states = [dict(zip(map(symbols.__getitem__, row[::2]), row[1::2], strict=True)) for row in data["states"]]
    reductions = [Reduction(origin, size, flag, tuple(at)) for origin, size, flag, at in data["reductions"]]
    return Tables(
        {name: tuple(pattern) for name, pattern in data["terminals"].items()}, reductions, states, data["end"]
    )


def build_tables() -> str:
    """The text of tables.json. States are numbered as a walk in the order of the symbols meets them, so that it
    depends on nothing but the grammar.
    """
    from lark import Lark
    from lark.parsers.lalr_analysis import Shift

    lark = Lark(grammar_text(), parser="lalr", lexer="basic", keep_all_tokens=True, maybe_placeholders=False)
    table: Any = lark.parser.parser.parser.parse_table
    reductions: dict[Reduction, int] = {}
    order = [table.start_states["start"]]
    numbers = {order[0]: 0}
    rows: list[dict[str, int]] = []
    for state in order:
        row = {}
        for symbol, (action, argument) in sorted((str(name), act) for name, act in table.states[state].items()):
            if action is Shift:
                if argument not in numbers:
                    numbers[argument] = len(order)
                    order.append(argument)
                row[symbol] = numbers[argument]
            else:
                row[symbol] = ~reductions.setdefault(_reduction(argument), len(reductions))
        rows.append(row)
    _skip_relabelling(rows, list(reductions))
    symbols = sorted({symbol for row in rows for symbol in row})
    index = {symbol: number for number, symbol in enumerate(symbols)}
    data = {
        "terminals": {t.name: [t.pattern.type, t.pattern.value] for t in sorted(lark.terminals, key=lambda t: t.name)},
        "symbols": symbols,
        "reductions": list(reductions),
        "states": [[number for symbol, to in row.items() for number in (index[symbol], to)] for row in rows],
        "end": numbers[table.end_states["start"]],
    }
    return json.dumps(data, separators=(",", ":")).replace("],", "],\n") + "\n"


def _skip_relabelling(rows: list[dict[str, int]], reductions: list[Reduction]) -> None:
    """Lets a state go straight to where a row of reductions that only give one value another name would lead.

    Half of all reductions are such (a call is an element is ...). An error is then found a state later, but still at
    the same token.
    """

    def renames(state: int) -> str | None:
        actions = set(rows[state].values())
        if len(actions) != 1:
            return None
        (action,) = actions
        if action >= 0 or reductions[~action].size != 1 or not reductions[~action].transparent:
            return None
        return reductions[~action].origin

    renamed = [renames(state) for state in range(len(rows))]
    for row in rows:
        for symbol in row:
            while row[symbol] >= 0 and (name := renamed[row[symbol]]) is not None and row.get(name, -1) >= 0:
                row[symbol] = row[name]


def _reduction(rule: Any) -> Reduction:
    helpers = tuple(i for i, symbol in enumerate(rule.expansion) if not symbol.is_term and symbol.name.startswith("_"))
    return Reduction(str(rule.origin.name), len(rule.expansion), bool(rule.options.expand1), helpers)


if __name__ == "__main__":
    tables_path().write_text(build_tables(), encoding="utf-8")
