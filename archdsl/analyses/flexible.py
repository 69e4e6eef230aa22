"""Which sizes an exported network may take: its open sizes as `step * k + rest`, as exporters have them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, islice
from typing import TYPE_CHECKING, NamedTuple

from archdsl.analyses.laws import Law

if TYPE_CHECKING:
    from archdsl.analyses.sizes import AxisSizes
    from archdsl.graph import Graph


class Flexible(NamedTuple):
    """A size of the inputs that stays open: `step * k + rest`, from `least` on."""

    name: str
    places: tuple[tuple[int, int], ...]
    """The inputs that have it, by their number, each with the number of the dimension behind the batch."""
    step: int
    rest: int
    least: int
    """From here on no layer's output has a size of 1: exporters treat those apart."""

    def sizes(self, number: int, start: int = 1) -> tuple[int, ...]:
        """The first sizes of it that are not below `start`."""
        return tuple(islice((n for n in count(max(start, self.least)) if n % self.step == self.rest), number))

    @property
    def described(self) -> str:
        """In words."""
        if self.step == 1:
            return f"from {self.least}"
        plus = f" + {self.rest}" if self.rest else ""
        return f"{self.step}*k{plus}, from {self.least}"


def flexible(graph: Graph, known: Sequence[AxisSizes]) -> tuple[Flexible, ...]:
    """The open sizes of a network; one that takes no sizes by a rule, or of which nothing is decided, is left out."""
    ports = {port.value.node: number for number, port in enumerate(graph.inputs)}
    found = []
    for each in known:
        law = each.accepted
        rests = sorted({n % law.period for n in range(law.start, law.end + 1) if law(n) == 0})
        if not rests or not isinstance(each.axis.size, str):
            continue
        step, rest = law.period, rests[0]
        least = next(n for n in count(max(law.start, _last_of_one(each, step, rest) + 1)) if n % step == rest)
        places = tuple((ports[node], number) for node, number in each.axis.places)
        found.append(Flexible(each.axis.name, places, step, rest, least))
    return tuple(found)


def _last_of_one(each: AxisSizes, step: int, rest: int) -> int:
    """The greatest size for which a layer that follows from it gives a size of 1; 0 where there is none."""
    return max((_last(law, step, rest) for law in _laws(each)), default=0)


def _laws(each: AxisSizes) -> Iterator[Law]:
    """The sizes that grow with the axis, each rule once."""
    seen = {dim for outputs in each.shapes for dims in outputs for dim in dims if isinstance(dim, Law)}
    return (law for law in seen if law.advance > 0)


def _last(law: Law, step: int, rest: int) -> int:
    most = law.start + law.period * (2 + 2 // law.advance)
    return max((n for n in range(1, most + 1) if n % step == rest and law(n) == 1), default=0)
