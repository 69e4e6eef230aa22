"""A network as data inside a file of weights: the texts of its spec, its name, its arguments, its input shapes."""

from __future__ import annotations

import json
from importlib import metadata as metadata_of
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from archdsl import limits, project
from archdsl.diagnostics.escape import printable
from archdsl.errors import ArchError, NotFoundError, WeightsError
from archdsl.layers.tensor import Tensor

if TYPE_CHECKING:
    from archdsl.network import Network

KEY = "archdsl"
"""Under this name it stands in the metadata of a file."""

FORMAT = 1
"""Which form the data has. A file of a later one is refused, since it may mean something else."""

HEADER_BYTES = 24_000_000
"""The longest header of safetensors that is read; that library's own limit is 100 MB."""

_TEXT_BYTES = 4 * limits.FILE_CHARACTERS + 1_000_000
"""The longest data: so many texts as a spec may have, and what else there is."""

Size = Annotated[int, Field(ge=1, le=limits.SIZE)] | Annotated[str, Field(pattern=r"^([A-Z]|\?)$")]
Number = Annotated[int, Field(ge=0, le=limits.FILES)]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True)


class CarriedText(_Model):
    """A file of the spec."""

    name: str
    text: str
    ships: bool = Field(description="whether it came with the package")
    uses: dict[str, Number] = Field(description="for what a `use` writes, the number of the file that is meant")


class CarriedInput(_Model):
    """The shape that was given for an input."""

    kind: Literal["map", "tokens", "vector", "ids"]
    dims: list[Size] = Field(min_length=1, max_length=4)
    vocabulary: Annotated[int, Field(ge=1, le=limits.SIZE)] | None


class Carried(_Model):
    """What a file of weights carries of the network that they are of."""

    format: int
    archdsl: str = Field(description="the version that wrote it")
    network: str
    arguments: dict[str, Any]
    inputs: dict[str, CarriedInput]
    files: list[CarriedText] = Field(
        min_length=1, max_length=limits.FILES + 1, description="the one with the network first"
    )
    pretrained: dict[str, Number] = Field(description="the files of networks that `pretrained` takes without a `use`")

    def text(self) -> str:
        """As it is written into a file: one line of JSON."""
        return json.dumps(self.model_dump(mode="json"), ensure_ascii=False)

    def module(self, path: Path) -> project.Module:
        """The file with the network, with all that it uses: out of the texts here, and none on disk."""
        texts = tuple([project.Text(each.name, each.text, each.ships, each.uses) for each in self.files])
        module = project.open_bundle(project.Bundle(texts, self.pretrained), str(path))
        inputs = {name: Tensor(each.kind, tuple(each.dims), each.vocabulary) for name, each in self.inputs.items()}
        object.__setattr__(module, "saved", project.Saved(path, self.network, self.arguments, inputs))
        return module


def carried(network: Network) -> Carried:
    """A network without errors as data.

    Raises:
        SpecError: where it has errors.
        ArchError: where an argument cannot be written, or the texts alone give another network.
    """
    whole = type(network)(network.module, network.name, network.catalog, network.arguments, network.inputs)
    program = whole.program  # in no stage of its recipe, as the texts alone give it
    arguments = {name: _plain(name, value) for name, value in network.arguments.items()}
    inputs = {
        name: CarriedInput(kind=each.kind, dims=list(each.dims), vocabulary=each.vocabulary)  # type: ignore[arg-type]
        for name, each in network.inputs.items()
    }
    texts, pretrained = project.bundle(network.module)
    files = [CarriedText(name=t.name, text=t.text, ships=t.ships, uses=dict(t.uses)) for t in texts]
    found = Carried(
        format=FORMAT,
        archdsl=_version(),
        network=network.name,
        arguments=arguments,
        inputs=inputs,
        files=files,
        pretrained=dict(pretrained),
    )
    again = type(network)(read(found.text(), "the spec").module(Path("-")), network.name, network.catalog)
    if not again.ok or again.program != program:
        raise ArchError(
            f"the texts of {network.name} alone do not give the same network; it cannot be carried in a file"
        )
    return found


def _version() -> str:
    try:
        return metadata_of.version("archdsl")
    except metadata_of.PackageNotFoundError:  # a checkout on the path, not installed
        return "unknown"


def _plain(name: str, value: object) -> object:
    """An argument as JSON has it."""
    if isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value)):
        return value
    if isinstance(value, list | tuple):
        return [_plain(name, item) for item in value]
    raise ArchError(f"the argument {name}={value!r} cannot be saved: only numbers, texts, names and lists of them can")


# ---------------------------------------------------------------- reading


def read(text: str, where: str) -> Carried:
    """The data out of a file that anybody may have written.

    Raises:
        WeightsError: where it is no such data, or of a later form.
    """
    if len(text) > _TEXT_BYTES:
        raise WeightsError(f"{where} carries a spec that is too large: {len(text):,} characters")
    try:
        data = json.loads(text, parse_constant=_no_number)
        if isinstance(data, dict) and isinstance(data.get("format"), int) and data["format"] > FORMAT:
            raise WeightsError(f"{where} was written by a later archdsl ({printable(str(data.get('archdsl')))[:40]})")
        if _longest(data) > _ENTRIES:
            raise WeightsError(f"{where} carries a spec that is too large: more than {_ENTRIES:,} of one kind")
        found = Carried.model_validate(data)
        arguments = {name: _plain(name, value) for name, value in found.arguments.items()}
    except ValidationError as problem:
        first = problem.errors()[0]
        place = ".".join(map(str, first["loc"])) or "all of it"
        raise WeightsError(f"{where} carries a spec of a wrong form: {printable(place)[:80]}: {first['msg']}") from None
    except (ValueError, RecursionError, ArchError) as problem:
        if isinstance(problem, WeightsError):
            raise
        reason = printable(str(problem))[:200] if not isinstance(problem, RecursionError) else "it nests too deep"
        raise WeightsError(f"{where} carries a spec of a wrong form: {reason}") from None
    if sum(len(each.text) for each in found.files) > limits.FILE_CHARACTERS:
        raise WeightsError(f"{where} carries a spec of more than {limits.FILE_CHARACTERS:,} characters")
    return found.model_copy(update={"arguments": arguments})


_ENTRIES = 10 * limits.FILES
"""How many files, arguments, inputs or names of files there may be; each that is wrong would be put into words."""


def _longest(data: object) -> int:
    """The most entries of anything in the data."""
    if not isinstance(data, dict):
        return 0
    files = data.get("files")
    uses = [each.get("uses") for each in files if isinstance(each, dict)] if isinstance(files, list) else []
    return max(len(each) for each in ([], *data.values(), *uses) if isinstance(each, dict | list))


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")


def metadata(path: Path) -> dict[str, str]:
    """The texts that a file of safetensors carries beside its tensors; only its header is read.

    Raises:
        NotFoundError: where there is no such file.
        WeightsError: where it is no such file, or cut off.
    """
    shown = printable(str(path))
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            length = int.from_bytes(file.read(8), "little")
            if size < 8:
                raise WeightsError(f"{shown} is no file of safetensors")
            if HEADER_BYTES < length < size:
                raise WeightsError(f"{shown} has a header of {length:,} bytes, more than {HEADER_BYTES:,}")
            if 8 + length > size:
                raise WeightsError(f"{shown} is no file of safetensors, or is cut off")
            header = json.loads(file.read(length))
    except FileNotFoundError:
        raise NotFoundError(f"cannot read {shown}: there is no such file") from None
    except OSError as problem:
        raise NotFoundError(f"cannot read {shown}: {(problem.strerror or str(problem)).lower()}") from None
    except (ValueError, RecursionError):
        raise WeightsError(f"{shown} is no file of safetensors") from None
    texts = header.pop("__metadata__", {}) if isinstance(header, dict) else None
    if texts is not None and 8 + length + _data_bytes(header) > size:
        raise WeightsError(f"{shown} is cut off: its header tells of more tensors than there are")
    if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
        raise WeightsError(f"{shown} is no file of safetensors")
    return texts


def _data_bytes(header: dict[str, Any]) -> int:
    """How many bytes the tensors take that a header tells of; what has a wrong form tells of none."""
    entries = [each.get("data_offsets") for each in header.values() if isinstance(each, dict)]
    ends = [each[-1] for each in entries if isinstance(each, list) and each]
    return max((end for end in ends if isinstance(end, int)), default=0)


def inside(path: Path) -> Carried | None:
    """The network that a file of safetensors carries; None where it carries none.

    Raises:
        NotFoundError: where there is no such file.
        WeightsError: where it is no such file, or what it carries has a wrong form.
    """
    text = metadata(path).get(KEY)
    return None if text is None else read(text, printable(str(path)))


# ---------------------------------------------------------------- what changed since


def renamed(network: Network, checkpoint: Path) -> dict[str, str]:
    """For tensors of a network those of a checkpoint that have other names and are of the same layer.

    Known only where the checkpoint carries its spec.
    """
    found = inside(checkpoint) if checkpoint.suffix == ".safetensors" else None
    if found is None:
        return {}
    old = type(network)(_module(found, checkpoint), found.network, network.catalog)
    if not old.ok:
        return {}
    changes = old.diff(network).tensors
    return {each.new_key: each.old_key for each in changes if each.new_key is not None and each.old_key is not None}


def _module(found: Carried, path: Path) -> project.Module:
    """The file with the network.

    Raises:
        WeightsError: where the texts have no network of that name.
    """
    module = found.module(path)
    if found.network not in module.networks:
        raise WeightsError(
            f"{printable(str(path))} carries a spec without its network, {printable(found.network)[:80]}"
        )
    return module


def module_inside(path: Path) -> project.Module:
    """The file with the network that a file of weights carries.

    Raises:
        NotFoundError: where there is no such file.
        WeightsError: where it is no such file, or carries no network.
    """
    found = inside(path)
    if found is None:
        raise WeightsError(f"{printable(str(path))} carries no spec: it was not written by archdsl (net.save)")
    return _module(found, path)


def changes(network: Network) -> str:
    """What is different in the spec of a network out of a file of weights, as it is now; "" where it is the same.

    That is the file of the same name beside the weights, or of a spec that ships, today's. Where there is none, nothing
    is said.
    """
    module, saved = network.module, network.module.saved
    if saved is None or module.carried is None:
        return ""
    name = module.carried.name
    try:
        if module.carried.ships:
            path = project.shipped().get(network.name)
            path = path or next((each for each in project.shipped().values() if each.name == name), None)
            now = None if path is None else project.open_shipped(path)
            what = f"{name}, as it ships today"
        else:
            path = _beside(saved.path.parent, name)
            now = None if path is None else project.open_file(path)
            what = str(path)
    except project.ReadError:
        return ""
    if now is None:
        return ""
    texts, old_texts = project.bundle(now)[0], project.bundle(module)[0]
    if sorted(t.text for t in texts) == sorted(t.text for t in old_texts):
        return ""
    if network.name not in now.networks:
        return f"{printable(what)} has no network {network.name} any more"
    new = type(network)(now, network.name, network.catalog, network.arguments, network.inputs)
    if not new.ok or not network.ok:
        return f"{printable(what)} has errors"
    return _difference(network, new, printable(what))


def _beside(folder: Path, name: str) -> Path | None:
    """The spec of a name in a folder; None where there is none, or the name or a link leads out of the folder."""
    try:
        path = (folder / name).resolve()
        is_there = path.suffix == ".arch" and path.is_relative_to(folder.resolve()) and path.is_file()
    except (OSError, RuntimeError, ValueError):  # too long, links in a circle, a NUL
        return None
    return folder / name if is_there else None


def _difference(old: Network, new: Network, what: str) -> str:
    from archdsl.reports.difference import difference, render

    found = difference(old, new, "saved", what)
    if not found.is_empty:
        return render(found).rstrip("\n")
    ports = [
        ([(each.name, each.tensor) for each in net.graph.inputs], [each.name for each in net.graph.outputs])
        for net in (old, new)
    ]
    return "" if ports[0] == ports[1] else f"saved -> {what}\n\n  other names of inputs or outputs"


# ---------------------------------------------------------------- the card of a folder for the Hub


def card(network: Network) -> str:
    """The page of a folder for the Hugging Face Hub."""
    from archdsl.reports.markdown import escaped
    from archdsl.reports.numbers import engineering, shape

    report = network.report()
    totals = report.totals
    lines = [
        "---",
        "library_name: archdsl",
        "tags:",
        "- archdsl",
        "- pytorch",
        "---",
        "",
        f"# {escaped(report.network)}",
    ]
    lines += ["", escaped(report.doc)] if report.doc else []
    lines += ["", "| | |", "| :-- | :-- |"]
    for kind, ports in (("input", report.inputs), ("output", [p for p in report.outputs if not p.training_only])):
        lines += [f"| {kind} {escaped(port.name)} | {shape(port.shape)} |" for port in ports]
    lines.append(f"| parameters | {totals.parameters:,} |")
    lines += [f"| MACs for one sample | {engineering(totals.macs)} |"] if totals.macs is not None else []
    lines += [
        "",
        "The weights carry their spec, so that this gives network and weights:",
        "",
        "```python",
        "import archdsl",
        "",
        'network, model, _ = archdsl.open("model.safetensors")',
        "```",
        "",
        'Or, from the Hub: `archdsl.torch.hub.HubNetwork.from_pretrained("owner/name")`.',
    ]
    return "\n".join(lines) + "\n"
