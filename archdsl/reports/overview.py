"""A network in one line: what a list of networks, or a gallery, says of each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archdsl.analyses.facts import last_axes
from archdsl.reports.build import field_report
from archdsl.reports.numbers import shape
from archdsl.reports.schema import FieldReport

if TYPE_CHECKING:
    from archdsl.network import Network

_YEAR = re.compile(r"\((?:[^()]*, )?((?:19|20)\d\d)\)")
_REFERENCE = re.compile(r"\s*\([^()]*\)|,? as torchvision.*$")


class Overview(BaseModel):
    """What a network is, and what it costs at the input that its spec gives."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    family: str = Field(description="the file that it stands in, without its ending")
    title: str = Field(description="the first sentence of its documentation, without the reference")
    year: int | None = Field(description="of the publication that the documentation names")
    input: str
    parameters: int
    macs: int | None = Field(description="multiply-accumulates for one sample; null where a size is open")
    field: FieldReport | None = Field(description="the local receptive field of the last layer that has one")


def overview(network: Network) -> Overview:
    """The overview of a network without errors."""
    graph, totals = network.checked().graph, network.totals
    axes = last_axes(network.fields)
    sentence = " ".join(graph.doc.split()).partition(". ")[0].removesuffix(".")
    year = _YEAR.search(" ".join(graph.doc.split()))
    return Overview(
        name=graph.name,
        family=graph.span.source.name.replace("\\", "/").rpartition("/")[2].removesuffix(".arch"),
        title=_REFERENCE.sub("", sentence),
        year=int(year[1]) if year else None,
        input=", ".join(shape(port.tensor.dims) for port in graph.inputs),
        parameters=totals.parameters,
        macs=totals.macs,
        field=None if axes is None else field_report(axes),
    )
