"""A part of the graph without what its end does not need: a network that is cut at one of its layers."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from typing import TYPE_CHECKING

from archdsl.graph import SizeRead, Value

if TYPE_CHECKING:
    from archdsl.elaborate.builder import Builder, Flow


def cut(builder: Builder, ends: Flow, nodes: int, activations: int, named: int, reads: int) -> bool:
    """Takes out of the last part of the graph whatever `ends` does not follow from; whether there was any.

    The part begins at these numbers of nodes, activations, names and reads of sizes; its first activation holds it all.
    """
    for module in builder.activations[activations:]:
        if not module.outputs or module.index == activations:  # it was left open where the network ends
            builder.activations[module.index] = module.giving(ends)
    needed = _needed(builder, ends, nodes, activations)
    if len(needed) == len(builder.nodes) - nodes:
        return False
    kept = sorted(needed)
    to = {old: nodes + number for number, old in enumerate(kept)}

    def is_there(value: Value) -> bool:
        return value.node < nodes or value.node in to

    def moved(values: Flow) -> Flow:
        return tuple([Value(to.get(value.node, value.node), value.output) for value in values if is_there(value)])

    homes = _homes(builder, kept, activations)
    home_to = {old: activations + number for number, old in enumerate(homes)}
    left = [builder.nodes[old] for old in kept]
    applied = [builder.applied[old] for old in kept]
    del builder.nodes[nodes:], builder.applied[nodes:]
    builder.applied += applied
    met = {node.path for node in builder.nodes} if any(node.reused for node in left) else set()
    for node in left:
        home, again = home_to[node.activation], node.reused and node.path in met
        met.add(node.path)
        builder.nodes.append(
            node._replace(index=to[node.index], inputs=moved(node.inputs), activation=home, reused=again)
        )
    modules = [builder.activations[old] for old in homes]
    starts = [nodes + bisect_left(kept, builder.starts[old]) for old in homes]
    builder.forget(activations)
    builder.starts += starts
    builder.known_parts = {index: parts for index, parts in builder.known_parts.items() if index < activations}
    modules_met = {module.path for module in builder.activations} if any(m.reused for m in modules) else set()
    for module in modules:
        taken = [is_there(value) for value in module.inputs]
        outputs = moved(module.outputs) if all(map(is_there, module.outputs)) else ()
        again = module.reused and module.path in modules_met
        modules_met.add(module.path)
        assert module.parent is not None
        builder.activations.append(
            module._replace(
                index=home_to[module.index],
                parent=home_to.get(module.parent, module.parent),
                inputs=moved(module.inputs),
                outputs=outputs,
                reused=again,
                takes=tuple([name for name, here in zip(module.takes, taken, strict=False) if here]),
            )
        )
    names = builder.named[named:]
    del builder.named[named:]
    for home, value, _ in names:
        builder.local_names.pop((home, value), None)
        if value.node >= nodes:
            builder.names.pop(value, None)
    for home, value, label in names:
        if is_there(value) and (home in home_to or home < activations):
            builder.name(home_to.get(home, home), moved((value,))[0], label)
    asked = builder.size_reads[reads:]
    del builder.size_reads[reads:]
    for read in asked:
        if read.value is None or is_there(read.value):
            at = None if read.value is None else moved((read.value,))[0]
            builder.size_reads.append(SizeRead(at, read.axis, read.span))
    paths = {module.path for module in builder.activations[activations:]}
    head = builder.activations[activations].path
    builder.backbones = [each for each in builder.backbones if each.path in paths or not _is_in(each.path, head)]
    builder.branches = ((), list)
    return True


def _is_in(path: str, head: str) -> bool:
    """Whether a path is that of a module or of something in it."""
    return path == head or path.startswith(f"{head}.")


def _needed(builder: Builder, ends: Flow, first: int, activations: int) -> set[int]:
    """The numbers of the nodes, from one on, that some values follow from; a shared module is needed as a whole."""
    whole = _wholes(builder, first, activations)
    needed: set[int] = set()
    waiting = [value.node for value in ends]
    while waiting:
        at = waiting.pop()
        if at >= first and at not in needed:
            needed.add(at)
            waiting += [value.node for value in builder.nodes[at].inputs]
            waiting += whole.get(at, ())
    return needed


def _wholes(builder: Builder, first: int, activations: int) -> dict[int, list[int]]:
    """For each node inside a module that is used several times, all nodes of that use of it."""
    counts = Counter(module.path for module in builder.activations[activations:] if not module.transparent)
    use: dict[int, int] = {}
    for module in builder.activations[activations:]:  # outer ones first
        around = None if module.parent is None else use.get(module.parent)
        if around is not None:
            use[module.index] = around
        elif counts[module.path] > 1:
            use[module.index] = module.index
    members: dict[int, list[int]] = {}
    for node in builder.nodes[first:] if use else ():
        if node.activation in use:
            members.setdefault(use[node.activation], []).append(node.index)
    return {node: nodes for nodes in members.values() for node in nodes}


def _homes(builder: Builder, kept: list[int], first: int) -> list[int]:
    """The activations, from one on, that hold some nodes."""
    homes = {first}
    for node in kept:
        at: int | None = builder.nodes[node].activation
        while at is not None and at >= first and at not in homes:
            homes.add(at)
            at = builder.activations[at].parent
    return sorted(homes)
