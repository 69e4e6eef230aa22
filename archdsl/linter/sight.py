"""Rules about receptive fields: too small at the head, no longer growing to any use, and shifted against each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.analyses.fields import CONSTANT
from archdsl.analyses.units import largest, seeing, shifts, smallest
from archdsl.diagnostics.model import Label
from archdsl.layers.convolution import Conv
from archdsl.layers.tensor import AXIS_NAMES, Tensor
from archdsl.linter.model import Facts, Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from archdsl.analyses.fields import AxisField
    from archdsl.analyses.units import Steps
    from archdsl.graph import Graph, Node


def small_field(facts: Facts) -> Iterator[Finding]:
    """Global pooling at the head over positions none of which sees the whole input."""
    graph, space = facts.graph, facts.input_space
    if space is None:
        return
    maps = _leads_to_a_map(facts)
    for node in graph.nodes:
        if node.layer.family != "pooling" or maps[node.index]:
            continue
        applied = graph.applied[node.index]
        if set(applied.outputs[0].space) != {1} or set(applied.inputs[0].space) == {1} or not applied.reach.everywhere:
            continue
        axes, everywhere = facts.fields[node.inputs[0].node]
        if not axes or everywhere is not None or len(axes) != len(space):
            continue
        sizes = [axis.size for axis in axes]
        if all(seen >= size for seen, size in zip(sizes, space, strict=True)):
            continue
        yield Finding(
            node.index,
            f"at the head no position sees the whole input: a field of {_times(sizes)} of {_times(space)}",
            notes=(f"{node.layer.word} takes each position by itself, so parts farther apart are never seen together",),
            help="add layers, strides or dilation before it, or take a smaller input",
        )


def _leads_to_a_map(facts: Facts) -> list[bool]:
    """For each node whether something behind it is a map of several positions again: it is a gate then, not a head."""
    graph = facts.graph
    leads = [False] * len(graph.nodes)
    for index in range(len(graph.nodes) - 1, -1, -1):
        leads[index] = any(leads[user] or _has_positions(graph.applied[user].outputs[0]) for user in facts.users[index])
    return leads


def _has_positions(x: Tensor) -> bool:
    return x.rank > 0 and any(size != 1 for size in x.space)


def _times(sizes: list[int] | tuple[int, ...]) -> str:
    return "x".join(map(str, sizes))


def saturated_field(facts: Facts) -> Iterator[Finding]:
    """The border layer: the first convolution that is given values all of which see the whole input already."""
    graph, space = facts.graph, facts.input_space
    if space is None:
        return
    least = smallest(graph, facts.fields)
    border, further = _first(graph, least, space)
    if border is None:
        return
    sizes = [axis.size for axis in _axes(least[border.inputs[0].node])]
    more = f", nor can {further} more" if further else ""
    notes = [f"{border.path} is the border layer: its kernel cannot make that more{more}"]
    critical, _ = _first(graph, largest(graph, facts.fields), space)
    if critical is not None and critical.index != border.index:
        notes.append(f"along the widest path this is so from {critical.path} on: the critical layers")
    yield Finding(
        border.index,
        f"what comes into this layer has seen the whole input: a field of {_times(sizes)} of {_times(space)}",
        notes=tuple(notes),
        help="take a larger input, fewer layers, or less stride before them",
    )


def _first(graph: Graph, steps: Sequence[Steps], space: tuple[int, ...]) -> tuple[Node | None, int]:
    """The first convolution whose kernel adds nothing in any of its uses, and how many more there are."""
    wide = [node for node in graph.nodes if _widens(node)]
    gaining = {node.path for node in wide if not _covers(steps[node.inputs[0].node], space)}
    saturated = [node for node in wide if node.path not in gaining and not node.reused]
    return (saturated[0], len(saturated) - 1) if saturated else (None, 0)


def _widens(node: Node) -> bool:
    kernel = node.layer.kernel if isinstance(node.layer, Conv) else 1
    return any(k > 1 for k in (kernel if isinstance(kernel, tuple) else (kernel,)))


def _covers(steps: Steps, space: tuple[int, ...]) -> bool:
    axes = _axes(steps)
    return len(axes) == len(space) and all(axis.size >= size for axis, size in zip(axes, space, strict=True))


def _axes(steps: Steps) -> list[AxisField]:
    return [step.axis for step in steps or ()]


def misaligned_merge(facts: Facts) -> Iterator[Finding]:
    """Branches that meet and look at different places, or move over the input at different paces."""
    graph, fields = facts.graph, facts.fields
    reported: set[int] = set()
    for shift in shifts(graph, fields):
        axes = fields[shift.first.node].axes
        if axes is None or shift.node in reported or 2 * abs(shift.by) < axes[shift.axis].advance:
            continue
        reported.add(shift.node)
        axis_name = AXIS_NAMES[len(axes)][shift.axis]
        one, other = graph.nodes[shift.first.node], graph.nodes[shift.second.node]
        by, step = abs(shift.by), axes[shift.axis].advance
        where = "further on than" if shift.by > 0 else "before"
        yield Finding(
            shift.node,
            f"the branches look at places {float(abs(shift.by)):g} positions of the input apart along {axis_name}",
            notes=(f"{other.path} looks {where} {one.path}, by {float(by / step):g} of the step of {step}",),
            help="give the branches padding that keeps them centred: k//2 for an odd kernel k",
            labels=(Label(one.span, "this branch"), Label(other.span, "and this one")),
        )
    for node in graph.nodes:
        if node.index in reported or len(node.inputs) < 2:
            continue
        seen = [v for v in seeing(graph, node) if fields[v.node].axes and fields[v.node] != CONSTANT]
        for other_value in seen[1:]:
            a, b = fields[seen[0].node].axes or (), fields[other_value.node].axes or ()
            paces = [(p.advance, q.advance) for p, q in zip(a, b, strict=False) if p.period == q.period == 1]
            apart = [pair for pair in paces if pair[0] != pair[1]]
            if not apart or _is_small(graph.outputs_of(node)[0]):
                continue
            one, other = graph.nodes[seen[0].node], graph.nodes[other_value.node]
            yield Finding(
                node.index,
                f"the branches move over the input in steps of {apart[0][0]} and {apart[0][1]}",
                notes=(f"{one.path} and {other.path} have equal sizes here, but their positions do not correspond",),
                help="give the branches the same strides",
                labels=(Label(one.span, "this branch"), Label(other.span, "and this one")),
            )
            break


def _is_small(x: Tensor) -> bool:
    return all(size == 1 for size in x.space)
