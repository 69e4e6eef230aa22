"""A part of the graph without what its end does not need: a network that is cut at one of its layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.graph import SizeRead, Value

if TYPE_CHECKING:
    from archdsl.elaborate.builder import Builder, Flow


def cut(builder: Builder, ends: Flow, nodes: int, activations: int, named: int, reads: int) -> bool:
    """Takes out of the last part of the graph whatever `ends` does not follow from; whether there was any.

    The part begins at these numbers of nodes, activations, names and reads of sizes; its first activation holds it all.
    """
    needed = _needed(builder, ends, nodes)
    if len(needed) == len(builder.nodes) - nodes:
        builder.activations[activations] = builder.activations[activations].giving(ends)
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
    open_ones = {at for at in homes if not builder.activations[at].outputs}
    del builder.nodes[nodes:], builder.applied[nodes:]
    builder.applied += applied
    for node in left:
        home = home_to[node.activation]
        builder.nodes.append(node._replace(index=to[node.index], inputs=moved(node.inputs), activation=home))
    modules = [builder.activations[old] for old in homes]
    del builder.activations[activations:]
    for module in modules:
        taken = [is_there(value) for value in module.inputs]
        outputs = moved(module.outputs)
        if module.index == activations or module.index in open_ones or not outputs:
            outputs = moved(ends)
        assert module.parent is not None
        builder.activations.append(
            module._replace(
                index=home_to[module.index],
                parent=home_to.get(module.parent, module.parent),
                inputs=moved(module.inputs),
                outputs=outputs,
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
    builder.backbones = [each for each in builder.backbones if each.path in paths or not each.path.startswith(head)]
    builder.branches = ((), list)
    return True


def _needed(builder: Builder, ends: Flow, first: int) -> set[int]:
    """The numbers of the nodes, from one on, that some values follow from."""
    needed: set[int] = set()
    waiting = [value.node for value in ends]
    while waiting:
        at = waiting.pop()
        if at >= first and at not in needed:
            needed.add(at)
            waiting += [value.node for value in builder.nodes[at].inputs]
    return needed


def _homes(builder: Builder, kept: list[int], first: int) -> list[int]:
    """The activations, from one on, that hold some nodes."""
    homes = {first}
    for node in kept:
        at: int | None = builder.nodes[node].activation
        while at is not None and at >= first and at not in homes:
            homes.add(at)
            at = builder.activations[at].parent
    return sorted(homes)
