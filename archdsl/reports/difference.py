"""What changed between two networks: their layers, their sums, and the tensors of their checkpoints."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from archdsl.analyses.facts import last_axes
from archdsl.layers.text import differing, layer_text
from archdsl.lowering.memory import inference, training
from archdsl.lowering.modules import planned
from archdsl.reports.build import dims_of, field_report
from archdsl.reports.numbers import clean, field, shape, thousands
from archdsl.reports.schema import Extents, FieldReport
from archdsl.reports.statements import statements

if TYPE_CHECKING:
    from archdsl.graph import Node
    from archdsl.network import Network

SCHEMA_VERSION = "1.2"

_BATCH = 32
"""For so many samples the memory of training is compared."""

ALIGNED = 4000
"""Where more layers than this have another path, it is not looked for which of them were only renamed."""

Change = Literal["added", "removed", "changed", "renamed", "affected"]
"""What became of a layer; an affected one is the same, with another size, field or cost because of one before it."""


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class LayerState(_Model):
    """A layer as it is in one of the two networks."""

    path: str
    text: str = Field(description="the layer with its arguments, and those in which the other network's differs")
    output: Extents
    parameters: int
    macs: int | None
    field: FieldReport | None
    file: str
    line: int


class LayerChange(_Model):
    """A layer that is not the same in both networks."""

    change: Change
    old: LayerState | None
    new: LayerState | None
    block: str | None = Field(description="the largest module that was added or removed with it, by its path")


class TensorChange(_Model):
    """A tensor of `state_dict()` that cannot be kept as it is."""

    change: Literal["renamed", "reshaped", "new", "gone"]
    old_key: str | None
    new_key: str | None
    old_shape: tuple[int, ...] | None
    new_shape: tuple[int, ...] | None


class StatementChange(_Model):
    """What is said of weights, of training or of images, and is not the same in both networks."""

    about: str
    old: str | None
    new: str | None


class NumberChange(_Model):
    """A sum over the network."""

    name: str
    old: int | None
    new: int | None


class Difference(_Model):
    """What changed from one network to another."""

    schema_version: str = SCHEMA_VERSION
    old: str
    new: str
    totals: tuple[NumberChange, ...] = Field(
        description="layers, parameters, macs, bytes (of float32), inference_memory (the peak for 1 sample, in bytes), "
        "training_memory (for 32, with adamw), field"
    )
    layers: tuple[LayerChange, ...]
    statements: tuple[StatementChange, ...] = Field(
        (), description="what is said besides the layers: weights, what of them trains, stages of a recipe, preprocess"
    )
    kept: int = Field(description="tensors with the same name and shape in both")
    tensors: tuple[TensorChange, ...]

    @property
    def is_empty(self) -> bool:
        """Whether the two are the same network."""
        changes = self.layers or self.tensors or self.statements
        return not changes and all(each.old == each.new for each in self.totals)


class Pair(NamedTuple):
    """The same layer in both networks; None where one has none."""

    old: Node | None
    new: Node | None


def difference(old: Network, new: Network, old_name: str = "", new_name: str = "") -> Difference:
    """What changed from one network to another.

    Layers are the same where their paths are, and else where they stand in the same order with the same arguments and
    sizes: those were renamed.

    Raises:
        SpecError: where one of them has errors.
    """
    old.checked(), new.checked()
    pairs = paired(old, new)
    tensors, kept = _tensors(old, new, pairs)
    return Difference(
        old=old_name or old.graph.name,
        new=new_name or new.graph.name,
        totals=tuple(_totals(old, new)),
        layers=tuple(_layers(old, new, pairs)),
        statements=tuple(_statements(old, new)),
        kept=kept,
        tensors=tensors,
    )


def paired(old: Network, new: Network) -> list[Pair]:
    """The layers of both networks, in the order of the new one; what was removed stands where it was."""
    olds, news = _by_path(old), _by_path(new)
    renamed = _renamed(old, new, [p for p in olds if p not in news], [p for p in news if p not in olds])
    pairs: list[Pair] = []
    left = iter(olds.items())
    partner = {before: after for after, before in renamed.items()}

    def removed_before(path: str | None) -> Iterator[Pair]:
        for before, node in left:
            if before == path:
                return
            if before not in news and before not in partner:
                yield Pair(node, None)

    places = {path: number for number, path in enumerate(olds)}
    reached = -1
    for path, node in news.items():
        before = path if path in olds else renamed.get(path)
        if before is not None and places[before] > reached:
            reached = places[before]
            pairs += removed_before(before)
        pairs.append(Pair(None if before is None else olds[before], node))
    return [*pairs, *removed_before(None)]


def _by_path(network: Network) -> dict[str, Node]:
    """The layers at their first use."""
    found: dict[str, Node] = {}
    for node in network.graph.nodes:
        if node.inputs:
            found.setdefault(node.path, node)
    return found


def _renamed(old: Network, new: Network, gone: list[str], come: list[str]) -> dict[str, str]:
    """For new paths the old ones of the same layers."""
    if not gone or not come or max(len(gone), len(come)) > ALIGNED:
        return {}
    olds, news = _by_path(old), _by_path(new)

    def key(network: Network, node: Node) -> tuple[object, ...]:
        applied = network.graph.applied[node.index]
        return (applied.text, applied.outputs, tuple(applied.weights.items()))

    matcher = SequenceMatcher(
        None, [key(old, olds[path]) for path in gone], [key(new, news[path]) for path in come], autojunk=False
    )
    return {come[b + k]: gone[a + k] for a, b, size in matcher.get_matching_blocks() for k in range(size)}


# ---------------------------------------------------------------- layers and sums


def _layers(old: Network, new: Network, pairs: Sequence[Pair]) -> Iterator[LayerChange]:
    old_modules, new_modules = _modules(old), _modules(new)
    for before, after in pairs:
        said = differing(before.layer, after.layer) if before and after else frozenset[str]()
        was = None if before is None else _state(old, before, said)
        now = None if after is None else _state(new, after, said)
        if was is None or now is None:
            state = now or was
            assert state is not None
            ours, theirs = (new_modules, old_modules) if now else (old_modules, new_modules)
            block = _largest(state.path, ours, theirs)
            yield LayerChange(change="added" if now else "removed", old=was, new=now, block=block)
        elif said or (was.text, was.parameters) != (now.text, now.parameters):
            yield LayerChange(change="changed", old=was, new=now, block=None)
        elif was.path != now.path:
            yield LayerChange(change="renamed", old=was, new=now, block=None)
        elif (was.output, was.macs, was.field) != (now.output, now.macs, now.field):
            yield LayerChange(change="affected", old=was, new=now, block=None)


def _modules(network: Network) -> set[str]:
    return {each.path for each in network.graph.activations if each.path}


def _largest(path: str, ours: set[str], theirs: set[str]) -> str | None:
    """The outermost module around a path that only one of the networks has."""
    parts = path.split(".")
    prefixes = (".".join(parts[:count]) for count in range(1, len(parts)))
    return next((prefix for prefix in prefixes if prefix in ours and prefix not in theirs), None)


def _state(network: Network, node: Node, said: frozenset[str]) -> LayerState:
    from archdsl.graph import Value

    count, axes = network.counts[node.index], network.fields[node.index].axes
    return LayerState(
        path=node.path,
        text=layer_text(node.layer, said) if said else network.graph.applied[node.index].text,
        output=dims_of(network, Value(node.index)),
        parameters=count.parameters,
        macs=count.macs,
        field=field_report(axes) if axes else None,
        file=node.span.source.name,
        line=node.span.line,
    )


def _statements(old: Network, new: Network) -> Iterator[StatementChange]:
    before, after = statements(old.graph), statements(new.graph)
    for about in dict.fromkeys((*before, *after)):
        was, now = before.get(about), after.get(about)
        if was != now:
            yield StatementChange(about=about, old=was, new=now)


def _totals(old: Network, new: Network) -> Iterator[NumberChange]:
    def sums(network: Network) -> dict[str, int | None]:
        totals = network.totals
        axes = last_axes(network.fields)
        floats = totals.parameters + totals.buffers - totals.integers
        plan = planned(network.graph)
        return {
            "layers": sum(bool(node.inputs) for node in network.graph.nodes),
            "parameters": totals.parameters,
            "macs": totals.macs,
            "bytes": 4 * floats + 8 * totals.integers,
            "inference_memory": inference(plan).peak(1) if network.graph.is_closed else None,
            "training_memory": training(plan).peak(_BATCH) if network.graph.is_closed else None,
            "field": min(axis.size for axis in axes) if axes else None,
        }

    before, after = sums(old), sums(new)
    return (NumberChange(name=name, old=before[name], new=after[name]) for name in before)


# ---------------------------------------------------------------- checkpoints


def _tensors(old: Network, new: Network, pairs: Iterable[Pair]) -> tuple[tuple[TensorChange, ...], int]:
    changes: list[TensorChange] = []
    kept = 0
    for before, after in pairs:
        was = {} if before is None else _state_dict(old, before)
        now = {} if after is None else _state_dict(new, after)
        for name in dict.fromkeys((*was, *now)):
            old_key = f"{before.path}.{name}".rstrip(".") if before is not None and name in was else None
            new_key = f"{after.path}.{name}".rstrip(".") if after is not None and name in now else None
            shapes = was.get(name), now.get(name)
            if shapes[0] == shapes[1] and old_key == new_key:
                kept += 1
                continue
            change: Literal["renamed", "reshaped", "new", "gone"] = (
                "new" if old_key is None else "gone" if new_key is None
                else "renamed" if shapes[0] == shapes[1] else "reshaped"
            )  # fmt: skip
            changes.append(
                TensorChange(change=change, old_key=old_key, new_key=new_key, old_shape=shapes[0], new_shape=shapes[1])
            )
    return tuple(changes), kept


def _state_dict(network: Network, node: Node) -> dict[str, tuple[int, ...]]:
    applied = network.graph.applied[node.index]
    return {**applied.weights, **node.layer.buffers(*applied.inputs)}


# ---------------------------------------------------------------- as text

_SIGNS: dict[Change, str] = {"added": "+", "removed": "-", "changed": "~", "renamed": ">", "affected": " "}
_NAMES = {
    "macs": "MACs",
    "bytes": "bytes (float32)",
    "inference_memory": "memory, inference",
    "training_memory": f"memory, training x{_BATCH}",
}
_SHOWN = 40
"""So many tensors are listed for people."""


_LONGEST = 300
"""So many characters of a statement are shown to people."""


class _Line(NamedTuple):
    """One change, or those of a whole module."""

    change: Change
    name: str
    what: str
    output: str
    parameters: int


def render(found: Difference) -> str:
    """The differences for people."""
    lines = [f"{clean(found.old)} -> {clean(found.new)}", ""]
    if found.is_empty:
        return lines[0] + "\n\n  the same network\n"
    lines += _aligned([("", "old", "new", "change"), *(_number(each) for each in found.totals)], "lrrr")
    if found.layers:
        rows = [
            (f"{_SIGNS[line.change]} {line.name}", line.what, line.output, _signed(line.parameters))
            for line in _lines(found.layers)
        ]
        lines += ["", *_aligned([("", "layer", "output", "parameters"), *rows], "lllr")]
    if found.statements:
        said = [_said(each) for each in found.statements]
        lines += ["", *_aligned([(f"{sign} {about}", text) for sign, about, text in said], "ll")]
    lines += ["", f"  checkpoint: {_summary(found)}"]
    lines += [f"    {line}" for line in _tensor_lines(found.tensors)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def render_markdown(found: Difference) -> str:
    """The differences as a comment on a pull request."""
    lines = [f"### {_cell(found.old)} → {_cell(found.new)}", ""]
    if found.is_empty:
        return "\n".join([*lines, "The same network."]) + "\n"
    lines += ["| | old | new | change |", "| :-- | --: | --: | --: |"]
    lines += [f"| {' | '.join(_number(each))} |" for each in found.totals]
    if found.layers:
        lines += ["", "| | layer | | output | parameters |", "| :-: | :-- | :-- | :-- | --: |"]
        lines += [
            f"| {_SIGNS[line.change]} | {_cell(line.name)} | {_cell(line.what)} | {_cell(line.output)} "
            f"| {_signed(line.parameters)} |"
            for line in _lines(found.layers)
        ]
    if found.statements:
        lines += ["", "| | statement | |", "| :-: | :-- | :-- |"]
        lines += [f"| {sign} | {_cell(about)} | {_cell(text)} |" for sign, about, text in map(_said, found.statements)]
    lines += ["", f"Checkpoint: {_summary(found)}."]
    if found.tensors:
        lines += ["", "<details><summary>Tensors</summary>", "", "| | old | new |", "| :-- | :-- | :-- |"]
        lines += [
            f"| {each.change} | {_cell(_tensor(each.old_key, each.old_shape))} "
            f"| {_cell(_tensor(each.new_key, each.new_shape))} |"
            for each in found.tensors[:1000]
        ]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _said(each: StatementChange) -> tuple[str, str, str]:
    """The sign of a change, what it is about, and what was and is said; of what is long the beginning."""
    old, new = (
        text and clean(text[:_LONGEST]) + (" ..." if len(text) > _LONGEST else "") for text in (each.old, each.new)
    )
    sign = "+" if old is None else "-" if new is None else "~"
    return sign, clean(each.about), f"{old} -> {new}" if sign == "~" else (new or old or "")


def _cell(text: str) -> str:
    from archdsl.reports.markdown import escaped

    return escaped(text)


def _number(each: NumberChange) -> tuple[str, str, str, str]:
    name = _NAMES.get(each.name, each.name)
    if each.old is None or each.new is None or each.old == each.new:
        change = "" if each.old == each.new else "?"
    else:
        by = each.new - each.old
        share = f" ({by / each.old:+.1%})" if each.old else ""
        change = f"{'+' if by > 0 else '-'}{abs(by):,}{share}"
    return (name, thousands(each.old), thousands(each.new), change)


def _lines(changes: Sequence[LayerChange]) -> Iterator[_Line]:
    """The changes, those of a module that came or went as one."""
    at = 0
    while at < len(changes):
        each = changes[at]
        end = at + 1
        if each.change == "affected":
            while end < len(changes) and changes[end].change == "affected":
                end += 1
            yield _consequence(changes[at:end])
        elif each.block is None:
            yield _line(each)
        else:
            while end < len(changes) and (changes[end].block, changes[end].change) == (each.block, each.change):
                end += 1
            states = [state for change in changes[at:end] if (state := change.new or change.old)]
            parameters = sum(state.parameters for state in states)
            sign = -1 if each.change == "removed" else 1
            layers = f"{len(states)} layers" if len(states) > 1 else "1 layer"
            yield _Line(each.change, clean(each.block), layers, shape(states[-1].output), sign * parameters)
        at = end


def _consequence(changes: Sequence[LayerChange]) -> _Line:
    """Layers in a row that are the same, and have other sizes, fields or costs because of those before them."""
    first, last = changes[0].new, changes[-1]
    assert first is not None
    assert last.old is not None
    assert last.new is not None
    count = f"{len(changes)} layers" if len(changes) > 1 else "1 layer"
    what = f"{count} affected"
    if last.old.field != last.new.field:
        what += f": field {_both(field(last.old.field) or 'all', field(last.new.field) or 'all')}"
    name = clean(first.path) + (f" ... {clean(last.new.path)}" if len(changes) > 1 else "")
    return _Line("affected", name, what, _both(shape(last.old.output), shape(last.new.output)), 0)


def _line(each: LayerChange) -> _Line:
    old, new = each.old, each.new
    if old is None or new is None:
        state = new or old
        assert state is not None
        sign = 1 if new else -1
        return _Line(each.change, clean(state.path), clean(state.text), shape(state.output), sign * state.parameters)
    text = _both(clean(old.text), clean(new.text))
    output = _both(shape(old.output), shape(new.output))
    return _Line(each.change, _both(clean(old.path), clean(new.path)), text, output, new.parameters - old.parameters)


def _both(old: str, new: str) -> str:
    return new if old == new else f"{old} -> {new}"


def _signed(number: int) -> str:
    return f"{number:+,}" if number else ""


def _summary(found: Difference) -> str:
    counted = [f"{found.kept:,} kept"]
    for change in ("renamed", "reshaped", "new", "gone"):
        count = sum(each.change == change for each in found.tensors)
        counted += [f"{count:,} {change}"] if count else []
    return ", ".join(counted)


def _tensor_lines(tensors: Sequence[TensorChange]) -> Iterator[str]:
    lines: dict[str, int] = {}
    for each in tensors:
        old, new = _tensor(each.old_key, each.old_shape), _tensor(each.new_key, each.new_shape)
        if old and new:
            same = each.old_key == each.new_key
            lines[f"{each.change}: {old} -> {shape(each.new_shape or ()) if same else new}"] = 1
        else:
            layer = clean(each.new_key or each.old_key or "").rpartition(".")[0]
            lines[f"{each.change}: {layer}"] = lines.get(f"{each.change}: {layer}", 0) + 1
    for line, count in list(lines.items())[:_SHOWN]:
        yield line + (f", {count} tensors" if count > 1 else "")
    if len(lines) > _SHOWN:
        yield f"and {len(lines) - _SHOWN:,} lines more; --format json has every tensor"


def _tensor(key: str | None, sizes: tuple[int, ...] | None) -> str:
    return "" if key is None or sizes is None else f"{clean(key)} {shape(sizes)}"


def _aligned(rows: Sequence[tuple[str, ...]], sides: str) -> list[str]:
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    return [
        "  " + "  ".join(
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, sides, strict=True)
        )
        for row in rows
    ]  # fmt: skip
