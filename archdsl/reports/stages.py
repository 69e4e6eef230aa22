"""What a recipe trains in each stage: what `archdsl stages` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict, Field

from archdsl.errors import ArchError
from archdsl.reports.numbers import clean, percent, thousands

if TYPE_CHECKING:
    from archdsl.analyses.stages import Plan
    from archdsl.network import Network

SCHEMA_VERSION = "1.0"
_NORMS = {"affine": "keep their statistics", "frozen": "stay as they are"}


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class GroupReport(_Model):
    """Layers that train at one rate."""

    path: str = Field(description="of the layer or module; empty for the whole network")
    parameters: int
    lr: float = Field(description="the learning rate")
    weight_decay: float | None = Field(description="null where it is left to the optimizer")


class StageReport(_Model):
    """A stage of training."""

    number: int = Field(description="from 0 up")
    name: str
    doc: str
    epochs: int | None
    norms: str = Field(description="what of the batch norms that are not frozen trains: train, affine, frozen")
    trainable: int = Field(description="parameters that train in it")
    groups: tuple[GroupReport, ...]


class StagesReport(_Model):
    """The stages of a recipe."""

    schema_version: str = SCHEMA_VERSION
    network: str
    parameters: int = Field(description="of the whole network")
    stages: tuple[StageReport, ...]


def build_stages(network: Network) -> StagesReport:
    """The stages of a network's recipe.

    Raises:
        SpecError: where it has errors.
        ArchError: where it has no recipe.
    """
    stages = network.stages
    if not stages:
        raise ArchError(f"{network.name} has no recipe; write one: `recipe {{ finetune {{ all lr=1e-4 }} }}`")
    parameters = network.totals.parameters
    return StagesReport(
        network=network.name, parameters=parameters, stages=tuple([_stage(network, stage) for stage in stages])
    )


def _stage(network: Network, stage: Plan) -> StageReport:
    groups = tuple(
        [
            GroupReport(
                path=group.path,
                parameters=sum([network.counts[node].parameters for node in group.nodes]),
                lr=group.lr,
                weight_decay=group.weight_decay,
            )
            for group in stage.groups
        ]
    )
    return StageReport(
        number=stage.number,
        name=stage.name,
        doc=stage.doc,
        epochs=stage.epochs,
        norms=stage.norms,
        trainable=sum([group.parameters for group in groups]),
        groups=groups,
    )


# ---------------------------------------------------------------- text


def render(report: StagesReport) -> str:
    """The report as text."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: StagesReport) -> Iterator[str]:
    parameters = thousands(report.parameters)
    yield f"{clean(report.network)}  {_counted(len(report.stages), 'stage')}, {parameters} parameters"
    for stage in report.stages:
        epochs = "" if stage.epochs is None else f", {_counted(stage.epochs, 'epoch')}"
        norms = "" if stage.norms == "train" else f"; batch norms {_NORMS[stage.norms]}"
        share = percent(stage.trainable / report.parameters)
        yield ""
        yield f"{stage.number}  {clean(stage.name)}{epochs}: {thousands(stage.trainable)} train, {share}{norms}"
        yield from (f"   {clean(line)}" for line in stage.doc.splitlines())
        yield from _groups(stage)


def _groups(stage: StageReport) -> Iterator[str]:
    rows = [
        (clean(group.path) or "all", thousands(group.parameters), f"lr {group.lr:.4g}", _decay(group))
        for group in stage.groups
    ]
    wide = [max([len(row[at]) for row in rows], default=0) for at in range(3)]
    for path, parameters, rate, decay in rows:
        yield f"     {path:{wide[0]}}  {parameters:>{wide[1]}}  {rate:{wide[2]}}  {decay}".rstrip()


def _decay(group: GroupReport) -> str:
    return "" if group.weight_decay is None else f"weight decay {group.weight_decay:.4g}"


def _counted(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"
