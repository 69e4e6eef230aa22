"""What a rule is given, and what it gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

from archdsl.graph import Value
from archdsl.layers.convolution import Conv, ConvTranspose
from archdsl.layers.linear import Linear, Pointwise

if TYPE_CHECKING:
    from archdsl.analyses.fields import Field
    from archdsl.diagnostics.model import Label
    from archdsl.graph import Graph
    from archdsl.layers.applied import Counts

WEIGHTED = (Conv, ConvTranspose, Linear, Pointwise)
"""The layers that multiply with a learned matrix or kernel, and are nothing but linear (or affine, with a bias)."""


Edit: TypeAlias = tuple[int, int, str]
"""What is between two offsets of a source becomes the text."""


@dataclass(frozen=True, slots=True)
class Options:
    """The numbers that rules go by; pyproject.toml may give others."""

    channel_multiple: int = field(default=8, metadata={"rule": "tensor-core-channels"})
    depthwise_channels: int = field(default=16, metadata={"rule": "narrow-depthwise"})
    flatten_share: float = field(default=0.5, metadata={"rule": "heavy-flatten"})


@dataclass(frozen=True, eq=False)
class Facts:
    """A network without errors, with what is known of it. Rules write nothing on it."""

    graph: Graph
    fields: Sequence[Field]
    counts: Sequence[Counts]
    options: Options = Options()

    @cached_property
    def users(self) -> list[list[int]]:
        """For each node those that read what it gives, by their numbers; who asks for its sizes only is none."""
        users: list[list[int]] = [[] for _ in self.graph.nodes]
        for node in self.graph.nodes:
            for value in self.read(node.index):
                users[value.node].append(node.index)
        return users

    def read(self, node: int) -> tuple[Value, ...]:
        """The values that a node reads; of a reference, as in `upsample like=e1`, it takes the sizes only."""
        inputs = self.graph.nodes[node].inputs
        return inputs[:1] if self.graph.nodes[node].layer.inputs[1] == 1 else inputs

    @cached_property
    def given(self) -> frozenset[int]:
        """The nodes whose values are results of the network."""
        return frozenset([output.value.node for output in self.graph.outputs])

    def alone(self, value: Value) -> int | None:
        """The one node that reads a value, if nothing else does."""
        users = self.users[value.node]
        if len(users) != 1 or value.node in self.given or len(self.graph.outputs_of(self.graph.nodes[value.node])) > 1:
            return None
        return users[0]

    @cached_property
    def total(self) -> int:
        """The parameters of the network."""
        return sum([each.parameters for each in self.counts])

    @cached_property
    def macs(self) -> int | None:
        """The multiply-accumulates of the network; None where a size is open."""
        known = [each.macs for each in self.counts if each.macs is not None]
        return sum(known) if len(known) == len(self.counts) else None

    @cached_property
    def input_space(self) -> tuple[int, ...] | None:
        """The spatial sizes of the input; None where one is open, or several inputs differ."""
        spaces = {port.tensor.space for port in self.graph.inputs}
        space = spaces.pop() if len(spaces) == 1 else ()
        known = tuple([size for size in space if isinstance(size, int)])
        return known if space and len(known) == len(space) else None


class Finding(NamedTuple):
    """What a rule found at one node."""

    node: int
    message: str
    notes: tuple[str, ...] = ()
    help: str | None = None
    label: str = ""
    labels: tuple[Label, ...] = ()
    fix: Edit | None = None


Find: TypeAlias = Callable[[Facts], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule by its slug. Its page, `pages/SLUG.md`, says what it finds and why.

    A fix is `safe` if the network afterwards computes and learns the same, and `unsafe` if it is another network.
    """

    slug: str
    find: Find | None
    default: bool = True
    fix: Literal["safe", "unsafe"] | None = None
