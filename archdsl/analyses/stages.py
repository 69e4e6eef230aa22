"""The stages of training that a network's `recipe` gives: which layers train in each, and how fast."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from archdsl import limits
from archdsl.analyses.inside import around, kept
from archdsl.diagnostics.model import Diagnostic, Label, error, nearest

if TYPE_CHECKING:
    from archdsl.graph import Graph, Node, Part, Setting, Settings, Stage
    from archdsl.source import Span

NORMS = ("train", "affine", "frozen")
"""What a stage may say of normalizations by running statistics, as `bn=` of a network inside does."""
EVERYTHING = "all"
"""The word for the whole network, where no layer or module is called so."""
_STAGE_WORDS = ("epochs", "bn", "lr", "weight_decay")
_KNOWN_AS = {"rate": "lr", "learning_rate": "lr", "wd": "weight_decay", "decay": "weight_decay"}
"""What others call a setting."""
_PART_WORDS = ("lr", "weight_decay", "layer_decay", "freeze")


class Group(NamedTuple):
    """Layers that train at one rate: a group of an optimizer's parameters."""

    path: str
    """Of the module or layer that they stand in; "" is the whole network."""
    lr: float
    """The learning rate."""
    weight_decay: float | None
    """None where the recipe leaves it to the optimizer."""
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StagePlan:
    """A stage, worked out. It depends on nothing but the network and the stage's number."""

    number: int
    name: str
    doc: str
    epochs: int | None
    norms: str
    """What of the normalizations in the parts that train does so: "train", "affine", "frozen"."""
    groups: tuple[Group, ...]
    parameters: frozenset[int]
    """The nodes whose parameters stay as they are."""
    statistics: frozenset[int]
    """The normalizations that keep their running statistics."""


def plan(graph: Graph, number: int) -> StagePlan:
    """What a stage of a network without errors comes to.

    What a part of the recipe names trains, and nothing else does. Of several parts that hold a layer the innermost
    counts. What a network inside freezes for itself (`freeze=`, `bn=`) stays frozen in every stage.
    """
    assert graph.recipe is not None
    stage = graph.recipe.stages[number]
    norms = str(stage.settings.get("bn", "train"))
    alone = kept(graph)
    parts = {_path(graph, part): part for part in stage.parts}
    found: dict[str, list[Node]] = {path: [] for path in parts}
    parameters: set[int] = set()
    statistics: set[int] = set()
    for node in graph.nodes:
        has_weights, tracks = bool(graph.applied[node.index].weights), node.layer.tracks
        if not has_weights and not tracks:
            continue
        part = _part_of(node, parts)
        held = part is None or parts[part].settings.get("freeze") is True
        if has_weights and (held or node.index in alone.parameters or (tracks and norms == "frozen")):
            parameters.add(node.index)
        elif has_weights and part is not None and not node.reused:
            found[part].append(node)
        if tracks and (held or node.index in alone.statistics or norms != "train"):
            statistics.add(node.index)
    groups = [group for path, nodes in found.items() for group in _groups(path, parts[path], stage.settings, nodes)]
    epochs = stage.settings.get("epochs")
    return StagePlan(
        number,
        stage.name,
        stage.doc,
        epochs,
        norms,
        tuple(groups),
        frozenset(parameters),
        frozenset(statistics),
    )


def held(graph: Graph, stage: StagePlan) -> tuple[str, ...]:
    """The largest modules and layers in which a stage trains nothing, by their paths, in the order of the network."""
    trained: set[str] = set()
    for node in graph.nodes:
        weights, tracks = graph.applied[node.index].weights, node.layer.tracks
        if (weights and node.index not in stage.parameters) or (tracks and node.index not in stage.statistics):
            path = node.path
            while path and path not in trained:
                trained.add(path)
                path = path.rpartition(".")[0]
    found: dict[str, None] = {}
    for node in graph.nodes:
        if node.path in trained or not (graph.applied[node.index].weights or node.layer.tracks):
            continue
        path = node.path
        while (outer := path.rpartition(".")[0]) and outer not in trained:
            path = outer
        found[path] = None
    return tuple(found)


def _groups(path: str, part: Part, stage: Settings, nodes: Sequence[Node]) -> Iterator[Group]:
    """The layers of a part at one rate, or where it decays with depth, those of each child at its own."""
    if not nodes:
        return
    lr = float(part.settings.get("lr", stage.get("lr")))
    decay = part.settings.get("weight_decay", stage.get("weight_decay"))
    weight_decay = None if decay is None else float(decay)
    factor = part.settings.get("layer_decay")
    if factor is None:
        yield Group(path, lr, weight_decay, tuple([node.index for node in nodes]))
        return
    children: dict[str, list[int]] = {}
    prefix = f"{path}." if path else ""
    for node in nodes:
        child = prefix + node.path.removeprefix(prefix).partition(".")[0]
        children.setdefault(child, []).append(node.index)
    for depth, (child, inside) in enumerate(children.items()):
        yield Group(child, lr * float(factor) ** (len(children) - 1 - depth), weight_decay, tuple(inside))


def _part_of(node: Node, parts: Mapping[str, Part]) -> str | None:
    """The path of the innermost part that holds a node."""
    path = node.path
    while path:
        if path in parts:
            return path
        path = path.rpartition(".")[0]
    return "" if "" in parts else None


def _path(graph: Graph, part: Part) -> str:
    is_whole = part.path == EVERYTHING and all(node.path.partition(".")[0] != EVERYTHING for node in graph.nodes)
    return "" if is_whole else part.path


@dataclass(slots=True)
class _Content:
    """What can train at a path."""

    layers: int = 0
    """With parameters."""
    fixed: int = 0
    """Those of them that are frozen in every stage."""
    norms: int = 0
    """Those of them that are normalizations by running statistics."""
    by: Span | None = None
    """Where it is said of one of them that it is frozen."""


def _contents(graph: Graph) -> dict[str, _Content]:
    """The paths of all layers and modules, and "" for the network."""
    alone, backbones = kept(graph), {backbone.path: backbone for backbone in graph.backbones}
    known = {"": _Content()}
    known.update({each.path: _Content() for each in graph.activations if each.path and not each.transparent})
    for node in graph.nodes:
        if not node.inputs:
            continue
        path = node.path
        known.setdefault(path, _Content())
        if not graph.applied[node.index].weights:
            continue
        fixed = node.index in alone.parameters
        said = next((each.span for each in around(node, backbones)), None) if fixed else None
        while True:
            if (content := known.get(path)) is not None:
                content.layers += 1
                content.fixed += fixed
                content.by = content.by or said
                content.norms += node.layer.tracks
            if not path:
                break
            path = path.rpartition(".")[0]
    return known


# ---------------------------------------------------------------- findings


def problems(graph: Graph) -> Iterator[Diagnostic]:
    """What is wrong with the recipe of a network that is otherwise without errors."""
    recipe = graph.recipe
    if recipe is None:
        return
    if not recipe.stages:
        help = "write one, as `finetune epochs=10 { all lr=1e-4 }`"
        yield error("empty-stage", "this recipe has no stages", recipe.span, help=help)
    if len(recipe.stages) * len(graph.nodes) > limits.STEPS:
        message = (
            f"{len(recipe.stages):,} stages of {len(graph.nodes):,} layers are more than {limits.STEPS:,} together"
        )
        yield error("too-large", message, recipe.span, help="write fewer stages")
        return
    known = _contents(graph)
    names: dict[str, Stage] = {}
    for number, stage in enumerate(recipe.stages):
        before = names.setdefault(stage.name, stage)
        if before is not stage:
            labels = [Label(before.span, "the first")]
            message = f"there are two stages called `{stage.name}`"
            yield error("duplicate-name", message, stage.span, labels=labels, help="rename one")
        found = [
            *_unknown(stage.settings, _STAGE_WORDS, "a stage"),
            *_values(stage.settings),
            *_parts(graph, stage, known),
        ]
        yield from found
        if not found and not plan(graph, number).groups:
            help = "name what trains in it, a line each: `head lr=1e-3`, or `all lr=1e-4`"
            yield error("empty-stage", f"nothing trains in the stage `{stage.name}`", stage.span, help=help)


def _parts(graph: Graph, stage: Stage, known: Mapping[str, _Content]) -> Iterator[Diagnostic]:
    seen: dict[str, Part] = {}
    norms = stage.settings.get("bn", "train")
    for part in stage.parts:
        yield from _unknown(part.settings, _PART_WORDS, "a part of a stage")
        yield from _values(part.settings)
        path = _path(graph, part)
        before = seen.setdefault(path, part)
        if before is not part:
            labels = [Label(before.span, "the first")]
            message = f"`{part.path}` stands twice in the stage `{stage.name}`"
            yield error("duplicate-name", message, part.span, labels=labels, help="keep one of them")
        elif path not in known:
            near = nearest(path, [EVERYTHING, *known])
            help = f"did you mean `{near}`?" if near else "the report shows the paths; `all` is the whole network"
            yield error("unknown-name", f"nothing here has the path `{part.path}`", part.span, help=help)
        elif part.settings.get("freeze") is not True:
            yield from _trained(part, known[path], norms)
            named = {_KNOWN_AS.get(each.name, each.name) for each in (*part.settings.values, *stage.settings.values)}
            if "lr" not in named:
                help = "give it one, `lr=1e-3`, or give the stage one for all its parts"
                yield error("missing-argument", f"`{part.path}` has no learning rate", part.span, help=help)


def _trained(part: Part, content: _Content, norms: object) -> Iterator[Diagnostic]:
    """A finding where nothing in a part can train."""
    labels: list[Label] = []
    if not content.layers:
        message, help = f"nothing in `{part.path}` has parameters", "leave the line out"
    elif content.fixed == content.layers:
        message = f"`{part.path}` is frozen in every stage"
        labels = [Label(content.by, "frozen here")] if content.by is not None else []
        help = "take it out of `freeze=`; what no stage names does not train anyway"
    elif norms == "frozen" and content.norms == content.layers:
        message, help = f"`{part.path}` is all normalization, and this stage has `bn=frozen`", "leave the line out"
    else:
        return
    yield error("empty-stage", message, part.span, labels=labels, help=help)


def _unknown(settings: Settings, words: Sequence[str], what: str) -> Iterator[Diagnostic]:
    for setting in settings.values:
        if setting.name not in words:
            near = _KNOWN_AS.get(setting.name) or nearest(setting.name, words)
            help = f"did you mean `{near}`?" if near else f"it takes {', '.join(words)}"
            yield error("unknown-option", f"{what} has no `{setting.name}`", setting.span, help=help)


def _values(settings: Settings) -> Iterable[Diagnostic]:
    return filter(None, map(_value, settings.values))


def _value(setting: Setting) -> Diagnostic | None:
    """A finding where a word cannot have its value."""
    value = setting.value
    number = value if type(value) in (int, float) else None
    match setting.name:
        case "epochs":
            right, wanted = type(value) is int and value > 0, "a whole number from 1 up"
        case "bn":
            right, wanted = value in NORMS, f"{', '.join(NORMS[:-1])} or {NORMS[-1]}"
        case "lr":
            right, wanted = number is not None and number > 0, "a number above 0; what a stage does not name is frozen"  # type: ignore[operator]
        case "weight_decay":
            right, wanted = number is not None and number >= 0, "a number from 0 up"  # type: ignore[operator]
        case "layer_decay":
            right, wanted = number is not None and 0 < number <= 1, "a number above 0 and up to 1"  # type: ignore[operator]
        case "freeze":
            right, wanted = type(value) is bool, "yes or no"
        case _:
            return None
    if right:
        return None
    from archdsl.graph import shown

    return error("bad-argument", f"`{setting.name}` cannot be {shown(value)}", setting.span, help=f"it takes {wanted}")
