"""A network that is cut at one of its layers gives what torchvision's own has there, and the same gradients."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest
import torch
from proofs import NAMES, alike, image, running, theirs
from special import special
from torch import Tensor, nn

import archdsl
from archdsl import project
from archdsl.network import Network

CUTS = 3
"""How many layers of each network are tried: other ones for another name, and always the last of the first ones."""


EACH = 40
"""At how many of its layers each network is cut without running it."""
LARGE, SOME = 40_000_000, 16
"""Beyond so many parameters the gradients of so many tensors are compared, spread over all of them: each takes room."""
CHANNELS_LAST = ("swin", "maxvit", "convnext")
"""Networks of torchvision's that have the channels behind the axes of space between some of their layers."""
WINDOWS = ("maxvit",)
"""Those that hand on the windows of a map, between the parts of attention, in the place of samples."""


def parts(name: str) -> tuple[str, ...]:
    """The layers and modules of a network that torchvision's has by the same path, but for heads of training alone."""
    graph = around(name, [], []).graph
    paths = [node.path for node in graph.nodes if node.inputs and not node.reused]
    modules = [each.path for each in graph.activations if each.path and not each.transparent and not each.reused]
    known = {path for path, _ in theirs_bare(name).named_modules()}
    inside = [path.removeprefix("body.") for path in dict.fromkeys([*paths, *modules])]
    return tuple(path for path in inside if path in known)


def theirs_bare(name: str) -> nn.Module:
    from proofs import bare

    return bare(name, running(name, ""))


def cut(name: str, path: str) -> Network:
    """The network, as an element, until a path."""
    return around(name, [f'until="{path}"'], [])


def tapped(name: str, paths: Iterable[str]) -> Network:
    """The network, as an element, with what comes out of some of its layers for outputs."""
    named = [f"body.{path} as tap{number}" for number, path in enumerate(paths)]
    return around(name, [], [*named, f"output {', '.join(line.rpartition(' ')[2] for line in named)}"])


def around(name: str, arguments: list[str], lines: list[str]) -> Network:
    shape = "x".join(map(str, special(name).shape))
    given = ", ".join([*arguments, *(f"{key}={_written(value)}" for key, value in running(name, "").spec.items())])
    use = f'use {name} from "{project.shipped()[name].name}"'
    body = "\n".join([f"  input {shape}", f"  {name}({given}) as body", *lines])
    return archdsl.parse(f"{use}\nnet around {{\n{body}\n}}\n", "around")


def _written(value: Any) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else json.dumps(value)


def load(model: nn.Module, state: dict[str, Tensor]) -> None:
    """Gives the part of a network that is there its weights."""
    model.load_state_dict({key: state[key.removeprefix("body.")] for key in model.state_dict()}, assign=True)


def laid_out(name: str, path: str, given: Tensor, shape: torch.Size) -> Tensor | None:
    """What comes out of a layer of theirs, its axes in the order of ours; None where it hands on windows."""
    if given.shape == shape:
        return given
    assert name.startswith(CHANNELS_LAST), path
    if given.dim() == 4 and given.permute(0, 3, 1, 2).shape == shape:
        return given.permute(0, 3, 1, 2)
    assert name.startswith(WINDOWS), path
    return None


def heard(model: nn.Module, paths: Iterable[str], x: Tensor) -> dict[str, Tensor]:
    """What comes out of some modules, before what follows may write over it; of those that run once and give one."""
    found: dict[str, list[Any]] = {}

    def listener(path: str) -> Any:
        def hear(module: nn.Module, given: Any, result: Any) -> None:
            found.setdefault(path, []).append(result.clone() if isinstance(result, Tensor) else None)

        return hear

    modules = dict(model.named_modules())
    handles = [modules[path].register_forward_hook(listener(path)) for path in paths]
    model(x)
    for handle in handles:
        handle.remove()
    return {path: results[0] for path, results in found.items() if len(results) == 1 and results[0] is not None}


def chosen(name: str, paths: tuple[str, ...], count: int) -> list[str]:
    """Some of the paths: one of the outermost, and others at random, the same ones in each run."""
    random = Random(zlib.crc32(name.encode()))
    top = [path for path in paths if "." not in path]
    return list(dict.fromkeys([random.choice(top), *random.sample(paths, min(count - 1, len(paths)))]))


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_cut_at_each_of_its_layers(name: str) -> None:
    """What is left is what that layer follows from, in the whole network, and nothing else."""
    whole = archdsl.load(name, input="x".join(map(str, special(name).shape)), **running(name, "").spec).graph
    before: dict[int, frozenset[str]] = {}
    for node, applied in zip(whole.nodes, whole.applied, strict=True):
        own = frozenset([node.path]) if applied.inputs else frozenset()
        before[node.index] = own.union(*(before[value.node] for value in node.inputs))
    ends = {node.path: [node.index] for node in whole.nodes if node.inputs and not node.reused}
    ends |= {
        module.path: [value.node for value in module.outputs]
        for module in whole.activations
        if module.path and not module.transparent and not module.reused
    }
    for path in Random(zlib.crc32(name.encode())).sample(parts(name), min(EACH, len(parts(name)))):
        net = cut(name, path)
        assert net.ok, (path, net.diagnostics[0])
        left = {node.path.removeprefix("body.") for node in net.graph.nodes if node.inputs}
        assert left == frozenset().union(*(before[end] for end in ends[path])), path


@pytest.mark.parametrize("name", NAMES)
def test_what_comes_out_of_its_layers_is_what_comes_out_of_torchvisions(name: str) -> None:
    """Of every layer in one run, and of some with the network cut there, gradients included."""
    reference = theirs(name, running(name, ""))
    compare_all(name, reference)
    compare(name, chosen(name, parts(name), CUTS), reference)


def compare_all(name: str, reference: nn.Module) -> None:
    """Compares what comes out of each layer, in one run of the whole network."""
    case, x = running(name, ""), image(name)
    with torch.inference_mode():
        expected = heard(reference, parts(name), x)
        net = tapped(name, expected)
        assert net.graph.outputs, net.diagnostics[0]
        with torch.device("meta"):
            model = net.compile().eval()
        load(model, reference.state_dict())
        given = model(x)
    compared = 0
    for (path, wanted), one in zip(expected.items(), given, strict=True):
        arranged = laid_out(name, path, wanted, one.shape)
        if arranged is not None:
            compared += 1
            assert alike(one, arranged, case), f"{path}: {(one - arranged).abs().max()}"
    assert compared > len(expected) / 2


def compare(name: str, paths: Iterable[str], reference: nn.Module) -> None:
    """Compares results and gradients of the network cut at some layers."""
    case, x = running(name, ""), image(name)
    expected = heard(reference, paths, x)
    state = reference.state_dict()
    weights = dict(reference.named_parameters())
    for path, wanted in expected.items():
        net = cut(name, path)
        assert net.ok, net.diagnostics[0]
        with torch.device("meta"):
            model = net.compile().eval()
        load(model, state)
        given = model(x)
        assert given.shape == (2, *net.graph.tensor(net.graph.outputs[0].value).dims), path
        arranged = laid_out(name, path, wanted, given.shape)
        if arranged is None:
            continue
        wanted = arranged
        assert alike(given, wanted, case), f"{path}: results differ by up to {(given - wanted).abs().max()}"
        own = {key.removeprefix("body."): parameter for key, parameter in model.named_parameters()}
        if not own:
            continue
        if sum(parameter.numel() for parameter in own.values()) > LARGE:
            own = dict(list(own.items())[:: -(-len(own) // SOME)])
        # Theirs may run further weights before that layer; those have nothing to do with it.
        slopes = torch.autograd.grad(wanted.sum(), [weights[key] for key in own], retain_graph=True)
        for key, one, other in zip(own, slopes, torch.autograd.grad(given.sum(), list(own.values())), strict=True):
            same = alike(other, one, case) or (case.reason and torch.allclose(other, one, rtol=1e-3, atol=1e-4))
            assert same, f"{path}: the gradient of {key} differs by up to {(other - one).abs().max()}"


def test_what_is_compared_is_what_comes_out_of_that_layer() -> None:
    """The comparison can fail: one layer is another's neighbour."""
    reference = theirs("resnet18", running("resnet18", ""))
    found = heard(reference, ["layer1.0", "layer1.1"], image("resnet18"))
    assert found["layer1.0"].shape == found["layer1.1"].shape
    assert not torch.equal(found["layer1.0"], found["layer1.1"])


def test_almost_every_module_can_be_cut_at() -> None:
    names = {path for path, _ in theirs_bare("resnet50").named_modules()} - {""}
    missing = names - set(parts("resnet50"))
    assert {path.rpartition(".")[2] for path in missing} == {"relu", "maxpool"}  # the spec leaves them their counters
