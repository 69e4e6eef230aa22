"""The report as data: what `net.report()` returns and `--format json` prints.

The schema is versioned: a field may be added within a major version, none is renamed or removed.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from archdsl.records import Record, record

SCHEMA_VERSION = "1.2"

COUNTING_RULE = (
    "multiplications of convolutions, linear layers and matrix products (torchvision's rule); FLOPs = 2 MACs"
)

Extents = tuple[int | str, ...]
"""The sizes of a tensor without the batch axis; where one is open, a symbol ("H"), a formula ("H/2") or "?"."""


_STRICT = ConfigDict(frozen=True, extra="forbid")


class _Model(BaseModel):
    model_config = _STRICT


@record
class FieldReport(Record):
    """The receptive field of an output, one number for each spatial axis."""

    size: Annotated[tuple[int, ...], Field(description="inputs seen along the axis")]
    stride: Annotated[tuple[int | float, ...], Field(description="step in the input from one output to the next")]
    padding: Annotated[
        tuple[int | float, ...], Field(description="how far the first output's field reaches before the input")
    ]
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@record
class LayerReport(Record):
    """One layer, in the order of the network."""

    path: Annotated[str, Field(description="the module's path in named_modules(), and the layer's name everywhere")]
    layer: Annotated[str, Field(description="the layer's word in the language")]
    text: Annotated[str, Field(description="the layer with its arguments: conv 64 k7 s2 p3")]
    inputs: Annotated[tuple[str, ...], Field(description="the paths of what flows in")]
    output: Annotated[Extents, Field(description="the sizes that come out, without the batch axis")]
    outputs: Annotated[
        tuple[Extents, ...], Field(description="the sizes of all results, of a layer with more than one")
    ]
    parameters: Annotated[int, Field(description="learned numbers; 0 for a later use of a shared module")]
    buffers: Annotated[int, Field(description="numbers in state_dict() that are not learned")]
    macs: Annotated[int | None, Field(description="multiply-accumulates for one sample; null where a size is open")]
    field: Annotated[
        FieldReport | None,
        Field(description="the local receptive field; null where a position has no one field (the table says mixed)"),
    ]
    everywhere: Annotated[str | None, Field(description="the layer by which the whole input has its say, if it has")]
    line: Annotated[int, Field(description="line of the spec")]
    file: Annotated[str, Field(description="file of the spec")]
    reused: Annotated[bool, Field(description="a later use of a shared module")] = False
    frozen: Annotated[bool, Field(description="its parameters do not train")] = False
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


@record
class ModuleReport(Record):
    """A use of a module that holds layers: a block, a named group, the network itself (its path is empty)."""

    path: str
    kind: Literal["net", "block", "group"]
    definition: Annotated[str, Field(description="the block's name; of a group, its own")]
    call: Annotated[str, Field(description="the block with its arguments: basic(128, s=2)")]
    parent: Annotated[str | None, Field(description="the path of the module around it; null for the network")]
    layers: Annotated[
        tuple[int, ...], Field(description="the numbers of its layers in `layers`, inner modules' included")
    ]
    output: Extents
    parameters: int
    macs: int | None
    __pydantic_config__: ClassVar[ConfigDict] = _STRICT


class Port(_Model):
    """An input or an output of the network."""

    name: str
    kind: str = Field(description="map, tokens, vector or ids")
    shape: Extents
    training_only: bool = False


class Totals(_Model):
    """Sums over the network; each shared parameter counts once, each use counts in the MACs."""

    layers: int
    parameters: int
    trainable: int = Field(description="the parameters that no network inside freezes")
    buffers: int
    macs: int | None
    flops: int | None
    bytes: dict[str, int] = Field(description="size of parameters and buffers by dtype")


class Report(_Model):
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
    sizes: dict[str, str] = Field({}, description="what the network takes for each size that is open, in words")
