"""What a spec says of a network besides its layers: weights and what of them trains, stages of training, images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from archdsl.graph import shown

if TYPE_CHECKING:
    from archdsl.graph import Graph, Settings, Stage


def statements(graph: Graph) -> dict[str, str]:
    """The statements by what they are about, each as the language writes it."""
    said: dict[str, str] = {}
    for backbone in graph.backbones:
        given = {
            "weights": backbone.weights and shown(backbone.weights),
            "freeze": "yes" if "" in backbone.frozen else ", ".join(backbone.frozen),
            "bn": "" if backbone.norms == "train" else backbone.norms,
        }
        said |= {f"{backbone.path} {name}": text for name, text in given.items() if text}
    for stage in graph.recipe.stages if graph.recipe is not None else ():
        said[f"stage {stage.name}"] = _stage(stage)
    if graph.preprocess is not None:
        said["preprocess"] = _settings(graph.preprocess)
    return said


def _stage(stage: Stage) -> str:
    parts = "; ".join(f"{part.path} {_settings(part.settings)}".rstrip() for part in stage.parts)
    return f"{_settings(stage.settings)} {{ {parts} }}".lstrip()


def _settings(settings: Settings) -> str:
    return " ".join(f"{each.name}={shown(each.value)}" for each in settings.values)
