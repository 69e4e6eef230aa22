"""Networks on the Hugging Face Hub: folders that `from_pretrained` reads and `push_to_hub` uploads."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from archdsl.diagnostics.escape import printable
from archdsl.errors import ArchError, WeightsError
from archdsl.files import staged_folder
from archdsl.torch.exporting import Job, Runner
from archdsl.torch.files import reason
from archdsl.torch.saving import save

try:
    from huggingface_hub import ModelHubMixin, hf_hub_download
except ModuleNotFoundError:
    raise ArchError("the Hub needs huggingface_hub: pip install huggingface_hub") from None

import torch
from torch import nn

if TYPE_CHECKING:
    from archdsl.network import Network

WEIGHTS, CONFIG, CARD = "model.safetensors", "config.json", "README.md"


class HubNetwork(nn.Module, ModelHubMixin):
    """A network with its module, as the Hub's tools want it: `from_pretrained`, `save_pretrained`, `push_to_hub`.

    The folder holds `model.safetensors` with the spec inside, `config.json` and a model card.
    """

    def __init__(self, network: Network, model: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.model = model

    def forward(self, *inputs: Any) -> Any:
        return self.model(*inputs)

    def _save_pretrained(self, save_directory: Path) -> None:
        self.network.export(save_directory, self.model, format="hub")

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: str | Path, **options: Any) -> HubNetwork:
        """The network of a folder, or of a repository on the Hub.

        Raises:
            ArchError: where it holds none, or a `config.json` that cannot be read.
        """
        try:
            return super().from_pretrained(pretrained_model_name_or_path, **options)
        except ArchError:
            raise
        except (ValueError, TypeError, AttributeError, RecursionError) as problem:  # the mixin reads it, and trusts it
            place = printable(str(pretrained_model_name_or_path))
            raise WeightsError(
                f"{place} holds no network, or no {CONFIG} that can be read: {reason(problem)}"
            ) from None

    @classmethod
    def _from_pretrained(
        cls,
        *,
        model_id: str,
        revision: str | None,
        cache_dir: str | Path | None,
        force_download: bool,
        local_files_only: bool,
        token: str | bool | None,
        **options: Any,
    ) -> HubNetwork:
        if os.path.isdir(model_id):
            path = Path(model_id) / WEIGHTS
        else:
            path = Path(
                hf_hub_download(
                    model_id,
                    WEIGHTS,
                    revision=revision,
                    cache_dir=cache_dir,
                    force_download=force_download,
                    local_files_only=local_files_only,
                    token=token,
                )
            )
        network, model, _ = import_module("archdsl").open(path)  # as any caller does: what opens files stands above
        return cls(network, model)


def write(job: Job, compare: Callable[[Runner], None]) -> None:
    """Writes the folder, made where it is not there; files of other names in it stay.

    Raises:
        ArchError: where the path is a file.
        OSError: where it cannot be written.
    """
    if job.path.exists() and not job.path.is_dir():
        raise ArchError(f"{printable(str(job.path))} is a file; what is for the Hub is a folder")
    job.path.parent.mkdir(parents=True, exist_ok=True)
    with staged_folder(job.path, last=WEIGHTS) as place:
        save(job.network.program, job.model, place / WEIGHTS, job.carried)
        (place / CONFIG).write_text(json.dumps(_config(job), indent=2) + "\n", encoding="utf-8")
        (place / CARD).write_text(job.card(), encoding="utf-8")
        compare(_runner(HubNetwork.from_pretrained(place)))


def _config(job: Job) -> dict[str, object]:
    """What a reader of the folder may want to know without the package; all that counts is inside the weights."""
    inputs = [
        {"name": port.name, "kind": port.tensor.kind, "shape": port.tensor.dims} for port in job.network.graph.inputs
    ]
    return {
        "library_name": "archdsl",
        "architectures": [job.network.graph.name],
        "inputs": inputs,
        "outputs": list(job.outputs),
    }


def _runner(again: Any) -> Runner:
    inner = again.model.to(torch.device("cpu"))

    def run(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        result = inner(*[each.cpu() for each in inputs])
        return [result] if isinstance(result, torch.Tensor) else [each for each in result if each is not None]

    return run
