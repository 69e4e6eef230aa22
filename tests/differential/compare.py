"""A spec to both judges: the checker with what it compiles, and the reference that runs it in torch."""

from __future__ import annotations

import warnings
from random import Random
from typing import Any, NamedTuple

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

import archdsl
from archdsl.network import Network
from archdsl.source import Source
from archdsl.syntax.parser import parse

from .reference import BATCH, FAILURES, Op, Reference, TooLargeError, state_of

NET = "main"


class Disagreement(NamedTuple):
    """In what the two differ: a word for the kind, and the details."""

    kind: str
    details: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.details}"


class Verdict(NamedTuple):
    """Whether the network was accepted (None where it was too large to judge), and what the two do not agree on."""

    accepted: bool | None
    disagreement: Disagreement | None = None


def judge(text: str, random: Random | None = None, deep: bool = True) -> Verdict:
    """Compares the two on one spec, whose network is called `main`.

    With `deep`, multiply-accumulates and receptive fields are compared as well, which takes most of the time.
    """
    parsed = parse(Source("main.arch", text))
    if parsed.diagnostics:
        return Verdict(False, Disagreement("syntax", str(parsed.diagnostics[0].message)))
    torch.manual_seed(random.randrange(2**31) if random else 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            reference = Reference(parsed.file)
            reference.network(NET)
            _backward([reference.tensors[v.number] for _, v, _ in reference.outputs])
            _evaluated(reference, [reference.tensors[v.number] for _, v in reference.inputs])
            problem: BaseException | None = None
        except TooLargeError:
            return Verdict(None)
        except FAILURES as raised:
            problem = raised
        try:
            network = archdsl.parse(text, NET)
            accepted = network.ok
        except archdsl.ArchError as refusal:
            return Verdict(False, None if problem is not None else Disagreement("refused", f"but it runs: {refusal}"))
        except Exception as raised:  # noqa: BLE001  # whatever it is, no spec may raise it
            return Verdict(False, Disagreement("crash", f"in the checker: {type(raised).__name__}: {raised}"))
        if accepted and problem is not None:
            return Verdict(True, Disagreement("accepted", f"but it fails: {type(problem).__name__}: {problem}"))
        if not accepted:
            finding = next(d for d in network.diagnostics if d.is_error)
            return Verdict(
                False,
                None
                if problem is not None
                else Disagreement(f"refused-{finding.code}", f"but it runs: {finding.message}"),
            )
        return Verdict(True, _different(network, reference, deep))


def _different(network: Network, reference: Reference, deep: bool) -> Disagreement | None:
    try:
        found = _facts(network, reference) or _computation(network, reference)
        if found is None and deep:
            found = _macs(network, reference) or _fields(network, reference)
    except Exception as raised:  # noqa: BLE001  # whatever it is, an accepted network raised it
        return Disagreement("crash", f"{type(raised).__name__}: {raised}")
    return found


def _backward(outputs: list[torch.Tensor]) -> None:
    """Derives the sum of all that is a number: whether torch's kernels pass on the gradient of what is none depends on
    how a tensor lies in memory (`hardtanh`).
    """
    loss: Any = sum((x * 1.0).masked_fill(x.isnan(), 0.0).sum() for x in outputs)
    if loss.requires_grad:
        loss.backward()


def _evaluated(reference: Reference, inputs: list[torch.Tensor]) -> list[Any]:
    """Every tensor of the tape in evaluation, from other inputs."""
    values: list[Any] = [None] * len(reference.tensors)
    for (_, value), x in zip(reference.inputs, inputs, strict=True):
        values[value.number] = x
    for op in reference.tape:
        if isinstance(op.run, nn.Module):
            op.run.eval()
        _put(op, values)
    return values


def _put(op: Op, values: list[Any]) -> None:
    result = op.run(*[values[number] for number in op.inputs])
    results = tuple(result) if isinstance(result, tuple | list) else (result,)
    for number, x in zip(op.outputs, results, strict=True):
        values[number] = x


# ---------------------------------------------------------------- what the report says


def _facts(network: Network, reference: Reference) -> Disagreement | None:
    report = network.report()
    ops = [(op.path, op.layer.word) for op in reference.tape]
    said = [(layer.path, layer.layer) for layer in report.layers]
    if ops != said:
        return Disagreement("layers", f"{ops} run, {said} reported")
    before: set[str] = set()
    for op, layer in zip(reference.tape, report.layers, strict=True):
        shapes = tuple(tuple(reference.tensors[number].shape[1:]) for number in op.outputs)
        if shapes != (layer.outputs or (layer.output,)):
            return Disagreement("shape", f"{op.path} gives {shapes}, {layer.outputs or layer.output} reported")
        module = op.run if isinstance(op.run, nn.Module) else None
        if op.path in before:
            module = None  # it is shared, and counts once
        before.add(op.path)
        parameters = sum(p.numel() for p in module.parameters()) if module else 0
        buffers = sum(b.numel() for b in module.buffers()) if module else 0
        if (parameters, buffers) != (layer.parameters, layer.buffers):
            return Disagreement(
                "parameters",
                f"{op.path} has {parameters} and {buffers}, {layer.parameters} and {layer.buffers} reported",
            )
    modules = {id(m): m for _, m in reference.modules.values() if isinstance(m, nn.Module)}
    total = sum(p.numel() for m in modules.values() for p in m.parameters())
    if total != report.totals.parameters:
        return Disagreement("parameters", f"{total} in all, {report.totals.parameters} reported")
    return None


# ---------------------------------------------------------------- what the module computes


def _computation(network: Network, reference: Reference) -> Disagreement | None:
    module: Any = network.compile().double()
    state = {
        name: value
        for path, (_, part) in reference.modules.items()
        if isinstance(part, nn.Module)
        for name, value in state_of(path, part).items()
    }
    keys = {name: tuple(x.shape) for name, x in module.state_dict().items()}
    if keys != {name: tuple(x.shape) for name, x in state.items()}:
        return Disagreement("state_dict", f"{sorted(keys)} compiled, {sorted(state)} run")
    module.load_state_dict({name: value.clone() for name, value in state.items()})
    floating = [reference.tensors[v.number] for _, v in reference.inputs]
    module.train()
    _backward(_results(module(*[_leaf(x) for x in floating])))
    module.load_state_dict(state)
    module.eval()
    module.zero_grad()
    inputs, theirs = [_leaf(x) for x in floating], [_leaf(x) for x in floating]
    ours = _results(module(*inputs))
    values = _evaluated(reference, theirs)
    wanted = [values[v.number] for _, v, training in reference.outputs if not training]
    if [x.shape for x in ours] != [x.shape for x in wanted]:
        return Disagreement("outputs", f"{[tuple(x.shape) for x in ours]} for {[tuple(x.shape) for x in wanted]}")
    for number, (a, b) in enumerate(zip(ours, wanted, strict=True)):
        if not torch.allclose(a, b, rtol=1e-9, atol=1e-12, equal_nan=True):
            return Disagreement("values", f"output {number} differs by {(a - b).abs().max().item():.3g}")
    _backward(ours)
    _backward(wanted)
    hollow = any(x is not None and x.isnan().any() for x in values)
    for (name, _), a, b in zip(reference.inputs, inputs, theirs, strict=True):
        if (a.grad is None) != (b.grad is None) or (a.grad is not None and not _same(a.grad, b.grad, hollow)):
            return Disagreement("gradient", f"of {name}")
    return None


def _same(given: torch.Tensor, wanted: torch.Tensor, hollow: bool) -> bool:
    """Whether gradients are the same. In a `hollow` network, which makes no number of what it is given, those of such
    places are left out: torch's activations pass them on otherwise in place than out of it.
    """
    close = torch.isclose(given, wanted, rtol=1e-6, atol=1e-6, equal_nan=True)
    return bool((close | (given.isnan() | wanted.isnan() if hollow else torch.zeros_like(close))).all())


def _leaf(x: torch.Tensor) -> torch.Tensor:
    return x.detach().clone().requires_grad_() if x.is_floating_point() else x


def _results(result: Any) -> list[torch.Tensor]:
    return [x for x in result if x is not None] if isinstance(result, tuple) else [result]


# ---------------------------------------------------------------- multiply-accumulates


def _macs(network: Network, reference: Reference) -> Disagreement | None:
    """For one sample: what every sample adds, and what is multiplied once for all of them."""
    inputs = [reference.tensors[v.number].detach() for _, v in reference.inputs]
    some, more = (_counted(reference, [torch.cat([x] * times) for x in inputs]) for times in (1, 2))
    counted, said = some - (BATCH - 1) * (more - some) / BATCH, network.report().totals.macs
    return None if counted == said else Disagreement("macs", f"torch counts {counted}, {said} reported")


def _counted(reference: Reference, inputs: list[torch.Tensor]) -> float:
    """The multiplications that torch counts. With gradients, as its counter fails on a parameter's view without."""
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator, in which torch counts nothing
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        _evaluated(reference, inputs)
    torch.backends.mha.set_fastpath_enabled(fast)
    return counter.get_total_flops() / 2


# ---------------------------------------------------------------- receptive fields


def _fields(network: Network, reference: Reference) -> Disagreement | None:
    """What each output sees, found by putting NaN at each position of the input in turn: nothing undoes a NaN.

    Every output may see only what its field says, borders included. In the middle of a map it sees both ends of it.
    """
    sizes = {tuple(reference.tensors[v.number].shape[2:]) for _, v in reference.inputs if v.kind == "map"}
    if len(sizes) != 1 or any(v.kind != "map" for _, v in reference.inputs):
        return None
    if any(getattr(op.layer, name, "zeros") not in ("zeros", "constant") for op in reference.tape for name in _MODES):
        return None
    if any(op.layer.word == "bn" and not getattr(op.layer, "track", True) for op in reference.tape):
        return None  # it would carry a NaN from one sample into the others
    if any(getattr(op.layer, "shift", 0) for op in reference.tape):
        return None  # what a shift brings together counts for e^-100 only, but a NaN comes through
    (space,) = sizes
    clean = [reference.tensors[v.number].detach() for _, v in reference.inputs]
    with torch.no_grad():
        if any(x is not None and not torch.isfinite(x).all() for x in _evaluated(reference, clean)):
            return None
        for axis, size in enumerate(space):
            inputs = []
            for x in clean:
                x = x[:1].repeat(max(size, BATCH), *[1] * (x.dim() - 1))
                for position in range(size):
                    x[position].select(axis + 1, position).fill_(float("nan"))
                inputs.append(x)
            found = _seen(network, reference, inputs, axis, size)
            if found is not None:
                return found
    return None


_MODES = ("padding_mode", "mode")


def _seen(
    network: Network, reference: Reference, inputs: list[torch.Tensor], axis: int, size: int
) -> Disagreement | None:
    values: list[Any] = [None] * len(reference.tensors)
    for (_, value), x in zip(reference.inputs, inputs, strict=True):
        values[value.number] = x
    fields = [field for field, node in zip(network.fields, network.graph.nodes, strict=True) if node.inputs]
    cut = False  # behind a border that is cut off, what is padded stands inside the input
    for op, field in zip(reference.tape, fields, strict=True):
        _put(op, values)
        cut = cut or op.layer.word in ("crop", "upconv")
        first = values[op.inputs[0]]
        if len(op.inputs) == 1 and values[op.outputs[0]].shape == first.shape and op.layer.family == "activation":
            values[op.outputs[0]] = values[op.outputs[0]].masked_fill(first.isnan(), float("nan"))
        if field.axes is None or field.everywhere or len(field.axes) <= axis or op.kinds[0] == "vector":
            continue
        y = values[op.outputs[0]].isnan()
        along = axis + 2 if op.kinds[0] == "map" else 1
        if along >= y.dim():
            continue  # a map of one position, written with fewer axes than it sees
        others = [d for d in range(1, y.dim()) if d != along]
        seen = (y.any(dim=others) if others else y)[:size]
        inside = []
        for index in range(seen.shape[1]):
            interval = field.axes[axis].at(index)
            positions = seen[:, index].nonzero().flatten().tolist()
            if positions and (interval is None or positions[0] < interval[0] or positions[-1] > interval[1]):
                return Disagreement("field", f"{op.path}[{index}] sees {positions} along axis {axis}, said {interval}")
            if interval is not None and interval[0] >= 0 and interval[1] < size:
                inside.append((interval, positions))
        if len(inside) >= 3 and not cut:
            interval, positions = inside[len(inside) // 2]
            if positions and (positions[0], positions[-1]) != interval:  # none, where another axis is all border
                return Disagreement("field", f"{op.path} sees {positions} along axis {axis}, said {interval}")
    return None
