"""From networks to findings: one for each place of the text and rule, less what is switched off."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from archdsl.collector import paused
from archdsl.diagnostics.model import Diagnostic, Fix, in_order, warning
from archdsl.linter.model import Facts, Finding
from archdsl.linter.rules import RULES
from archdsl.linter.switches import Index, Switch, lines_with, read_switches, removed
from archdsl.project import is_shipped, opened_by_name
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from archdsl.graph import Graph, Node
    from archdsl.project import Module
    from archdsl.source import Source

Place: TypeAlias = tuple[str, int, int]
"""A stretch of a text: the name of the source, start and end. A file that two others use is opened for each."""


class Hit(NamedTuple):
    """What a rule found at one node of a network."""

    rule: str
    path: str
    written: Span
    """Where the node is written."""
    span: Span
    """Where the reader is told so: the same, or what brings a layer of a shipped file into the reader's own text."""
    finding: Finding


class Looked(NamedTuple):
    """One network, looked at."""

    name: str
    module: Module
    hits: tuple[Hit, ...]
    places: Mapping[Place, int]
    """How many nodes stand at each place of the text."""
    rules: frozenset[str]
    """The rules that were asked."""


def look(name: str, module: Module, facts: Facts, rules: frozenset[str]) -> Looked:
    """Asks the rules of one network without errors."""
    hits: list[Hit] = []
    nodes = facts.graph.nodes
    shown = _Shown(name, module, facts.graph)
    with paused():
        for rule in RULES:
            if rule.slug in rules and rule.find is not None:
                for finding in rule.find(facts):
                    node = nodes[finding.node]
                    hits.append(Hit(rule.slug, node.path, node.span, shown.span(node), shown.finding(finding)))
        return Looked(name, module, tuple(hits), Counter([_place(shown.span(node)) for node in nodes]), rules)


def _place(span: Span) -> Place:
    source, start, end = span
    return source.name, start, end


class _Shown:
    """Where findings are shown: in files that the reader has.

    A layer of a file that ships is shown at what brings it in; if it is such a file that is looked at, at itself.
    """

    def __init__(self, name: str, module: Module, graph: Graph) -> None:
        self.activations = graph.activations
        self.is_shipped = is_shipped(module)
        self.own = {id(each.source) for each in _files(module) if not is_shipped(each)}
        definition, owner = module.definitions[name]
        self.definition = Span(owner.source, definition.name.start, definition.name.end)
        self.calls: dict[int, Span] = {}

    def is_own(self, span: Span) -> bool:
        return self.is_shipped or id(span.source) in self.own

    def span(self, node: Node) -> Span:
        return node.span if self.is_own(node.span) else self.call(node.activation)

    def call(self, index: int) -> Span:
        """The innermost call around that stands in a file of the reader's, or else the network's name."""
        if index not in self.calls:
            activation = self.activations[index]
            if activation.parent is None:
                self.calls[index] = self.definition
            else:
                self.calls[index] = activation.span if self.is_own(activation.span) else self.call(activation.parent)
        return self.calls[index]

    def finding(self, finding: Finding) -> Finding:
        """A finding whose labels stand in the reader's files; the others are told as notes."""
        kept = tuple([label for label in finding.labels if self.is_own(label.span)])
        if len(kept) == len(finding.labels):
            return finding
        told = [f"{label.span}: {label.text}" for label in finding.labels if label not in kept]
        return finding._replace(labels=kept, notes=(*finding.notes, *told))


def findings(looked: Sequence[Looked], whole: Collection[str] = ()) -> tuple[Diagnostic, ...]:
    """One finding for each place and rule of some networks, in the order of the text.

    `whole` are the names of the files all of whose networks are among them, as they stand: there a switch that silences
    nothing is found.
    """
    silenced = _Silenced()
    kept: dict[tuple[str, Place], list[tuple[str, Hit]]] = {}
    for one in looked:
        named = _definitions(one)
        switches = silenced.of(one.module)
        for hit in one.hits:
            if not silenced.silences(hit, switches, named):
                kept.setdefault((hit.rule, _place(hit.span)), []).append((one.name, hit))
    standing: Counter[Place] = Counter()
    for one in looked:
        standing.update(one.places)
    several = len({one.name for one in looked}) > 1
    found = [_diagnostic(hits, standing[place], several) for (_, place), hits in kept.items()]
    reached = _reached(looked)
    for name, one in {one.module.source.name: one for one in looked}.items():
        own = silenced.of(one.module)[name]
        if "bad-switch" in one.rules:
            found += own.switches.problems
        if name in whole and "unused-switch" in one.rules:
            found += _unused(own.switches.known, silenced.used, reached, one.rules)
    return in_order(found)


def misunderstood(module: Module) -> tuple[Diagnostic, ...]:
    """Of a file with no network to look at, the comments that cannot be understood."""
    return read_switches(module.parsed).problems


# ---------------------------------------------------------------- one for each place


_NAMED = 3
"""So many layers or networks are named; the others are counted."""


def _diagnostic(hits: Sequence[tuple[str, Hit]], standing: int, several: bool) -> Diagnostic:
    """What was found at one place, with the numbers of the first of the layers that stand there."""
    _, first = hits[0]
    finding = first.finding
    notes = list(finding.notes)
    is_inside = first.written != first.span
    if is_inside:
        notes.insert(0, f"the layer is {first.path}, written at {first.written}")
    paths = list(dict.fromkeys(hit.path for _, hit in hits))
    networks = list(dict.fromkeys(name for name, _ in hits))
    if len(paths) > 1:
        notes.append(f"so in {len(paths)} layers: {_listed(paths)}")
    if len(networks) > 1:
        notes.append(f"so in {len(networks)} networks: {_listed(networks)}")
    elif several:
        notes.append(f"in the network {networks[0]}")
    fix = None
    is_all = standing == len(hits)  # else the fix would change what is right elsewhere
    if finding.fix is not None and is_all and not is_inside:
        start, end, text = finding.fix
        fix = Fix(Span(first.span.source, start, end), text)
    return warning(
        first.rule,
        finding.message,
        first.span,
        label=finding.label,
        labels=finding.labels,
        notes=notes,
        help=finding.help,
        fix=fix,
    )


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_NAMED])
    return shown if len(names) <= _NAMED else f"{shown} and {len(names) - _NAMED} more"


# ---------------------------------------------------------------- switches


_Key: TypeAlias = tuple[str, int, str]
"""A switch: the name of its source, where its comment stands, and the rule."""


class _Silenced:
    """The switches of all files that networks are made of, and those that silenced something."""

    def __init__(self) -> None:
        self.used: set[_Key] = set()
        self.known: dict[int, dict[str, Index]] = {}
        self.shipped: dict[str, Index | None] = {}

    def of(self, module: Module) -> dict[str, Index]:
        """The switches of a file and of those that it uses, by the names of the sources."""
        if id(module) not in self.known:
            self.known[id(module)] = {each.source.name: Index(read_switches(each.parsed)) for each in _files(module)}
        return self.known[id(module)]

    def of_shipped(self, source: Source) -> Index | None:
        """The switches of a shipped file that a network came from by its name, without a `use`."""
        if source.name not in self.shipped:
            module = opened_by_name(source)
            self.shipped[source.name] = Index(read_switches(module.parsed)) if module else None
        return self.shipped[source.name]

    def silences(self, hit: Hit, switches: Mapping[str, Index], named: frozenset[tuple[str, int]]) -> bool:
        """Whether a finding is switched off; every switch that does so counts as used."""
        found: list[Switch] = []
        for name, offset in named:
            if name in switches:
                found += switches[name].of_network(hit.rule, offset)
        for span in dict.fromkeys((hit.span, hit.written)):
            if (own := switches.get(span.source.name) or self.of_shipped(span.source)) is not None:
                found += own.at(hit.rule, span)
        self.used.update(map(_key, found))
        return bool(found)


def _key(switch: Switch) -> _Key:
    return switch.comment.source.name, switch.comment.start, switch.rule


def _files(module: Module) -> Iterator[Module]:
    """A file and those that it uses, each once."""
    seen: set[int] = set()
    waiting = [module]
    while waiting:
        each = waiting.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            waiting += each.uses


def _definitions(one: Looked) -> frozenset[tuple[str, int]]:
    """Where a network is defined, and what it is a variant of: the source's name and the offset of each."""
    found: set[tuple[str, int]] = set()
    name, module = one.name, one.module
    while name in module.definitions:
        definition, owner = module.definitions[name]
        key = (owner.source.name, definition.start)
        if key in found or not isinstance(definition, tree.Variant):
            found.add(key)
            break
        found.add(key)
        name, module = definition.base.text, owner
    return frozenset(found)


class _Reached(NamedTuple):
    """What was looked at: where elements stand in each source, in order, and the definitions of the networks."""

    starts: Mapping[str, list[int]]
    definitions: frozenset[tuple[str, int]]


def _reached(looked: Sequence[Looked]) -> _Reached:
    starts: dict[str, set[int]] = {}
    for one in looked:
        for source, start, _ in one.places:
            starts.setdefault(source, set()).add(start)
    definitions = frozenset[tuple[str, int]]().union(*map(_definitions, looked))
    return _Reached({source: sorted(known) for source, known in starts.items()}, definitions)


def _unused(
    switches: Iterable[Switch], used: set[_Key], reached: _Reached, rules: frozenset[str]
) -> Iterator[Diagnostic]:
    """Comments that silence nothing, though what they are about was looked at."""
    by_comment: dict[Span, list[Switch]] = {}
    for switch in switches:
        by_comment.setdefault(switch.comment, []).append(switch)
    for comment, together in by_comment.items():
        name = comment.source.name
        starts = reached.starts.get(name, [])
        idle = [
            switch.rule
            for switch in together
            if switch.rule in rules
            and _key(switch) not in used
            and (lines_with(starts, switch) or (name, switch.start) in reached.definitions)
        ]
        if not idle:
            continue
        start, end, text = removed(comment, frozenset(idle), tuple(switch.rule for switch in together))
        yield warning(
            "unused-switch",
            f"nothing here is found by {', '.join(idle)}",
            comment,
            help="leave the comment out" if not text else f"keep {text} alone",
            fix=Fix(Span(comment.source, start, end), text),
        )


# ---------------------------------------------------------------- fixes


def fixable(found: Iterable[Diagnostic], unsafe: bool = False) -> list[Fix]:
    """The edits that mend findings: safe ones, and with `unsafe` those that give another network too."""
    kinds = {"safe", "unsafe"} if unsafe else {"safe"}
    allowed = {rule.slug for rule in RULES if rule.fix in kinds}
    return [each.fix for each in found if each.fix is not None and each.code in allowed]


def fixed(text: str, fixes: Iterable[Fix]) -> str:
    """A text with edits made; of two that meet, the first."""
    parts: list[str] = []
    at = 0
    for span, new in sorted({(fix.span[1:], fix.text) for fix in fixes}):
        start, end = span
        if start < at:
            continue
        parts += [text[at:start], new]
        at = end
    return "".join((*parts, text[at:]))
