"""Finding a network by what a user calls it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from archdsl import limits, project
from archdsl.diagnostics.escape import printable, well_formed
from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError, NotFoundError, SpecChangedWarning, SpecError
from archdsl.layers.catalog import STANDARD
from archdsl.layers.tensor import Tensor
from archdsl.network import Network
from archdsl.source import Source

if TYPE_CHECKING:
    from torch import nn

    from archdsl.layers.catalog import Catalog

Shape = str | int | tuple[int, ...] | list[int]


def load(
    spec: str | Path,
    net: str | None = None,
    *,
    input: Shape | Mapping[str, Shape] | None = None,
    catalog: Catalog = STANDARD,
    **parameters: object,
) -> Network:
    """A network by its name or its file.

    `spec` is a network that ships (`"resnet50"`), a file with one network (`"my.arch"`), or `"my.arch::unet"`, the same
    as `load("my.arch", "unet")`, or the network inside a file of weights (`"model.safetensors"`). `input` replaces the
    input's shape (`"3x320x320"`), or those of several by name. Further keywords are parameters of the network.

    Raises:
        NotFoundError: where there is no such file or network.
        SpecError: where the file has errors that leave no network to choose.
    """
    module, name = locate(str(spec), net)
    return check_inputs(Network(module, name, catalog, parameters, shapes(input)))


def parse(
    text: str,
    net: str | None = None,
    *,
    name: str = "<text>",
    input: Shape | Mapping[str, Shape] | None = None,
    catalog: Catalog = STANDARD,
    **parameters: object,
) -> Network:
    """A network from the text of a spec; `net` chooses one where there are several (without it, the last is meant).

    Raises:
        NotFoundError: where the text has no network of that name.
        SpecError: where the text has errors that leave no network.
    """
    module = project.open_source(Source(printable(name), well_formed(text)))
    return check_inputs(Network(module, chosen(module, net, last=True), catalog, parameters, shapes(input)))


class Opened(NamedTuple):
    """What a file of weights gives back."""

    network: Network
    model: nn.Module
    """With the weights, in evaluation mode."""
    changes: str
    """What is different in the spec since then, in words; "" where nothing is, or there is none to compare with."""


def open(path: str | Path, catalog: Catalog = STANDARD) -> Opened:
    """The network and the weights of a file that `net.save` wrote.

    The network is that of the texts inside; no other file is read for it. Where the spec of its name beside the file,
    or that ships, is another now, there is a `SpecChangedWarning`.

    Raises:
        NotFoundError: where there is no such file.
        WeightsError: where it is no such file, carries no network, or other weights than the network's.
        SpecError: where the network inside has errors.
    """
    from archdsl.reports.carried import changes, module_inside
    from archdsl.torch.saving import loaded

    module = module_inside(Path(path))
    assert module.saved is not None
    network = Network(module, module.saved.network, catalog).checked()
    model = loaded(network.program, Path(path))
    changed = changes(network)
    if changed:
        warnings.warn(
            f"the spec of {path} has changed since it was saved:\n{changed}", SpecChangedWarning, stacklevel=2
        )
    return Opened(network, model, changed)


def networks(path: str | Path, catalog: Catalog = STANDARD) -> tuple[Network, ...]:
    """Every network of a file that can be built without arguments, in the order of the file.

    Raises:
        NotFoundError: where there is no such file.
    """
    module = _open(Path(path))
    return tuple(Network(module, name, catalog) for name in buildable(module))


def shipped_networks() -> tuple[str, ...]:
    """The names of the networks that ship, those that need no arguments."""
    shipped = project.shipped()
    ready = {name for path in set(shipped.values()) for name in buildable(project.open_shipped(path))}
    return tuple(sorted(ready & shipped.keys()))


# ---------------------------------------------------------------- names


def is_saved(spec: str) -> bool:
    """Whether a text names a file of weights, which carries its network, or a network in one."""
    return (spec.rpartition("::")[0] or spec).endswith(".safetensors")


def locate(spec: str, net: str | None = None) -> tuple[project.Module, str]:
    """The file and the name that a user means."""
    path, separator, inner = spec.rpartition("::")
    if is_saved(spec):
        from archdsl.reports.carried import module_inside

        module = module_inside(Path(path or spec))
        saved = module.saved
        return _chosen_in(module, net or (inner if separator else saved and saved.network))
    if separator:
        return _chosen_in(_open(Path(path)), net or inner)
    hint = _meant(spec)
    if spec.endswith(".arch") or hint or "/" in spec or "\\" in spec:
        return _chosen_in(_open(Path(spec), hint), net)
    shipped = project.shipped()
    if spec in shipped:
        return _chosen_in(project.open_shipped(shipped[spec]), net or spec)
    near = nearest(spec, shipped)
    known = f"did you mean {near}?" if near else "`archdsl list` shows those that ship"
    if Path(spec).is_file():
        known = f"the file of that name is taken for a spec as ./{spec}, or with the ending .arch"
    raise NotFoundError(f"there is no network called {spec}; {known}")


def _meant(spec: str) -> str:
    """What was meant where a network's name stands behind a file's with another sign: `nets.arch:unet`."""
    file, sign, name = spec.rpartition(".arch")
    return (
        f"; did you mean {file}{sign}::{name[1:]}?" if name[:1] in (":", "#", "/") and name[1:].isidentifier() else ""
    )


def _open(path: Path, hint: str = "") -> project.Module:
    try:
        return project.open_file(path)
    except project.ReadError as problem:
        raise NotFoundError(f"{problem}{hint}") from None


def _chosen_in(module: project.Module, net: str | None) -> tuple[project.Module, str]:
    return module, chosen(module, net)


def buildable(module: project.Module) -> tuple[str, ...]:
    """The networks whose parameters all have a default, and variants; if there are none, all."""
    from archdsl.syntax import tree

    def complete(name: str) -> bool:
        definition = module.definitions[name][0]
        return not isinstance(definition, tree.Net) or all(p.default is not None for p in definition.parameters)

    names = tuple(name for name in module.networks if name in module.definitions)
    return tuple(name for name in names if complete(name)) or names


def chosen(module: project.Module, net: str | None, last: bool = False) -> str:
    """The network of a file that is meant: the one named, or the only one.

    Raises:
        NotFoundError: where it is not there, or there are several and none is named.
        SpecError: where the file has errors and no network.
    """
    names = [name for name in module.networks if name in module.definitions]
    if net is not None:
        if net in names:
            return net
        near = nearest(net, names)
        known = f"did you mean {near}?" if near else f"it has {', '.join(names) or 'none'}"
        if any(d.is_error for d in module.diagnostics):
            raise SpecError(module.diagnostics)
        raise NotFoundError(f"{module.source.name} has no network called {net}; {known}")
    if not names:
        if any(d.is_error for d in module.diagnostics):
            raise SpecError(module.diagnostics)
        raise NotFoundError(f"{module.source.name} has no network; write `net name {{ ... }}`")
    ready = buildable(module)
    if len(ready) == 1 or last:
        return ready[-1]
    raise NotFoundError(
        f"{module.source.name} has several networks; choose one: "
        + ", ".join(f"{module.source.name}::{name}" for name in ready)
    )


# ---------------------------------------------------------------- shapes from outside


def check_inputs(network: Network) -> Network:
    """The network, if the shapes given for its inputs are for inputs that it has.

    Raises:
        NotFoundError: where one is not.
    """
    if not network.inputs:
        return network
    names = [each.name for each in network.graph.inputs]
    for name, shape in network.inputs.items():
        if name and name not in names and network.ok:  # an input with an error is not among the names
            near = nearest(name, names)
            known = f"did you mean {near}?" if near else f"it has {', '.join(names) or 'none'}"
            raise NotFoundError(f"{network.name} has no input called {name}; {known}")
        if not name and len(names) > 1:
            raise NotFoundError(f"{network.name} has several inputs; name one: {names[0]}={shape}")
    return network


_SHAPE = re.compile(r"[1-9][0-9]{0,14}(x[1-9][0-9]{0,14}){0,3}")


def shapes(given: Shape | Mapping[str, Shape] | None) -> dict[str, Tensor]:
    """Shapes of inputs as a user gives them, by the input's name; "" is the only input."""
    if given is None:
        return {}
    if isinstance(given, Mapping):
        return {name: _shape(shape) for name, shape in given.items()}
    return {"": _shape(given)}


def _shape(given: Shape) -> Tensor:
    if isinstance(given, str):
        if not _SHAPE.fullmatch(given):
            raise ArchError(f"{given!r} is not a shape; write it like 3x224x224")
        dims = tuple(map(int, given.split("x")))
    else:
        dims = (given,) if isinstance(given, int) else tuple(given)
    if not dims or not all(isinstance(d, int) and 1 <= d <= limits.SIZE for d in dims):
        raise ArchError(f"{given!r} is not a shape; its sizes are whole numbers from 1 up")
    return Tensor("map" if len(dims) > 1 else "vector", dims)
