"""The report as data: what `net.report()` returns and `--format json` prints.

The schema is versioned: a field may be added within a major version, none is renamed or removed.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = "1.0"

COUNTING_RULE = (
    "multiplications of convolutions, linear layers and matrix products (torchvision's rule); FLOPs = 2 MACs"
)

Extents = tuple[int | str, ...]
"""The sizes of a tensor without the batch axis; a symbol ("H") or "?" stands where a size is open."""


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldReport(_Record):
    """The receptive field of an output, one number for each spatial axis."""

    size: tuple[int, ...] = Field(description="inputs seen along the axis")
    stride: tuple[int | float, ...] = Field(description="step in the input from one output to the next")
    padding: tuple[int | float, ...] = Field(description="how far the first output's field reaches before the input")


class LayerReport(_Record):
    """One layer, in the order of the network."""

    path: str = Field(description="the module's path in named_modules(), and the layer's name everywhere")
    layer: str = Field(description="the layer's word in the language")
    text: str = Field(description="the layer with its arguments: conv 64 k7 s2 p3")
    inputs: tuple[str, ...] = Field(description="the paths of what flows in")
    output: Extents = Field(description="the sizes that come out, without the batch axis")
    outputs: tuple[Extents, ...] = Field((), description="the sizes of all results, of a layer with more than one")
    parameters: int = Field(description="learned numbers; 0 for a later use of a shared module")
    buffers: int = Field(description="numbers in state_dict() that are not learned")
    macs: int | None = Field(description="multiply-accumulates for one sample; null where a size is open")
    field: FieldReport | None = Field(description="the local receptive field; null where position has no meaning")
    everywhere: str | None = Field(None, description="the layer by which the whole input has its say, if it has")
    line: int = Field(description="line of the spec")
    file: str = Field(description="file of the spec")
    reused: bool = Field(False, description="a later use of a shared module")


class ModuleReport(_Record):
    """A module that holds layers: a block, a named group, the network itself (its path is empty)."""

    path: str
    kind: Literal["net", "block", "group"]
    definition: str = Field(description="the block's name; of a group, its own")
    call: str = Field(description="the block with its arguments: basic(128, s=2)")
    parent: str | None = Field(description="the path of the module around it; null for the network")
    layers: tuple[int, ...] = Field(description="the numbers of its layers in `layers`, inner modules' included")
    output: Extents
    parameters: int
    macs: int | None


class Port(_Record):
    """An input or an output of the network."""

    name: str
    kind: str = Field(description="map, tokens, vector or ids")
    shape: Extents
    training_only: bool = False


class Totals(_Record):
    """Sums over the network; each shared parameter counts once, each use counts in the MACs."""

    layers: int
    parameters: int
    trainable: int
    buffers: int
    macs: int | None
    flops: int | None
    bytes: dict[str, int] = Field(description="size of parameters and buffers by dtype")


class Report(_Record):
    """All that is known of a network without running it."""

    schema_version: str = SCHEMA_VERSION
    network: str
    doc: str = ""
    file: str
    batch: int = Field(1, description="samples that macs and flops are for")
    rule: str = Field(COUNTING_RULE, description="what macs count")
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]
    totals: Totals
    layers: tuple[LayerReport, ...]
    modules: tuple[ModuleReport, ...]
