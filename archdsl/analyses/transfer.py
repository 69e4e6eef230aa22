"""Which tensors of a checkpoint of another spec a network can take: by name and shape, and decided without them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

from archdsl.analyses.pretrained import differs_in_channels

if TYPE_CHECKING:
    from archdsl.graph import Graph

Shape = tuple[int, ...]
What = Literal["kept", "adapted", "new"]

PREFIXES = ("module.", "_orig_mod.", "model.")
"""What wrappers put before every name: DataParallel, torch.compile, Lightning."""


class Row(NamedTuple):
    """A tensor of the network, and where it comes from."""

    what: What
    """Taken as it is, made to fit other channels, or left as the network has it."""
    key: str
    shape: Shape
    source: str | None
    """The tensor of the checkpoint, by its name there; of a new one, that which is not taken."""
    source_shape: Shape | None


class Plan(NamedTuple):
    """What becomes of every tensor of a network and of a checkpoint."""

    network: str
    checkpoint: str
    rows: tuple[Row, ...]
    """In the order of `state_dict()`."""
    unused: tuple[tuple[str, Shape], ...]
    """The tensors of the checkpoint that the network does not take, with their shapes."""

    def count(self, what: What) -> int:
        return sum(row.what == what for row in self.rows)

    def of(self, what: What) -> tuple[str, ...]:
        """The tensors of the network of which one thing becomes."""
        return tuple([row.key for row in self.rows if row.what == what])


def plan(
    graph: Graph, own: Mapping[str, Shape], checkpoint: Mapping[str, Shape], name: str, renamed: Mapping[str, str]
) -> Plan:
    """What a network takes of a checkpoint.

    `own` are the tensors of its module. A tensor is taken where name and shape are the same, or where `renamed` says
    that a layer has another name there; a network inside also takes a checkpoint of that network alone. The weight of a
    first convolution is also taken for other channels. A layer of which one tensor has another shape is new as a whole:
    its bias means nothing without the weight that it was trained with.
    """
    prefix = next((each for each in PREFIXES if checkpoint and all(key.startswith(each) for key in checkpoint)), "")
    names = {key.removeprefix(prefix): key for key in checkpoint}
    first = frozenset(first_convolutions(graph))
    inside = [f"{backbone.path}." for backbone in graph.backbones]
    rows = []
    for key, shape in own.items():
        also = [key.removeprefix(path) for path in inside if key.startswith(path)]
        source = next((names[each] for each in (renamed.get(key, key), key, *also) if each in names), None)
        there = None if source is None else tuple(checkpoint[source])
        what: What = "new"
        if there == shape:
            what = "kept"
        elif there is not None and key in first and differs_in_channels(shape, there):
            what = "adapted"
        rows.append(Row(what, key, shape, source, there))
    unfit = {_layer(row.key) for row in rows if row.what == "new" and row.source is not None}
    rows = [row._replace(what="new") if _layer(row.key) in unfit else row for row in rows]
    taken = {row.source for row in rows if row.what != "new"}
    unused = tuple([(key, tuple(shape)) for key, shape in checkpoint.items() if key not in taken])
    return Plan(graph.name, name, tuple(rows), unused)


def _layer(key: str) -> str:
    """The path of the layer that a tensor belongs to."""
    return key.rpartition(".")[0]


def first_convolutions(graph: Graph) -> Iterable[str]:
    """The weights of the layers that see an input itself."""
    inputs = {port.value.node for port in graph.inputs}
    return (
        f"{node.path}.weight"
        for node in graph.nodes
        if node.inputs and all(value.node in inputs for value in node.inputs)
    )
