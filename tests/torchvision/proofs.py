"""Proofs that a network that ships is torchvision's network of that name.

Each takes a name, raises an AssertionError where the two differ, and returns what the table says where they do not.
"""

from __future__ import annotations

import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.torch.vision import import_torchvision

import_torchvision()

from special import Case, cases, special  # noqa: E402
from torchvision import models  # noqa: E402

CLASSIFIERS = tuple(models.list_models(module=models))
"""Every classifier of images that torchvision has."""
SEGMENTERS = tuple(models.list_models(module=models.segmentation))
"""Every network of torchvision's that labels pixels."""
CONVOLUTIONAL = tuple(models.list_models(module=models.video, exclude=["mvit*", "swin*"]))
"""Those of torchvision's classifiers of videos that are made of convolutions."""
ALL = CLASSIFIERS + SEGMENTERS + CONVOLUTIONAL
NAMES = tuple(sorted(set(ALL) & set(archdsl.shipped_networks())))
"""Those that ship here."""


# ---------------------------------------------------------------- the two networks


class Unfilled(TorchFunctionMode):
    """Tensors that are made empty have no numbers: so a large network is made at once, and its tables are right."""

    def __torch_function__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        return function(*arguments, **({**options, "device": "meta"} if function is torch.empty else options))


def unfilled(name: str, case: Case) -> nn.Module:
    """torchvision's network without weights; only what it counts out while it is built has numbers."""
    with Unfilled():
        return models.get_model(name, weights=None, **case.theirs)


def bare(name: str, case: Case) -> nn.Module:
    """torchvision's network on the meta device: its structure without numbers."""
    return unfilled(name, case).to("meta")


def theirs(name: str, case: Case) -> nn.Module:
    """torchvision's network in eval mode, with weights and statistics that keep activations in range."""
    model = unfilled(name, case)
    model._apply(lambda tensor: torch.empty_like(tensor, device="cpu") if tensor.is_meta else tensor)
    torch.manual_seed(0)
    for key, tensor in model.state_dict().items():
        if key.endswith("num_batches_tracked"):
            tensor.fill_(7)
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 1.5)
        elif not tensor.is_floating_point():
            continue
        elif sum(size > 1 for size in tensor.shape) <= 1:
            tensor.uniform_(0.2, 1.0) if key.endswith("weight") else tensor.uniform_(-0.1, 0.1)
        else:
            bound = math.sqrt(6 / tensor[0].numel())
            tensor.uniform_(-bound, bound)
    return model.eval()


def ours(name: str, case: Case) -> nn.Module:
    """The spec's network, on the meta device: the weights come from theirs."""
    with torch.device("meta"):
        return archdsl.load(name, **case.spec).compile()


def both(name: str, variant: str) -> tuple[nn.Module, nn.Module]:
    """Theirs and ours with the same weights; the buffers, which training changes, are each one's own."""
    case = running(name, variant)
    reference, model = theirs(name, case), ours(name, case)
    buffers = {key for key, _ in reference.named_buffers()}
    state = {key: each.clone() if key in buffers else each for key, each in reference.state_dict().items()}
    model.load_state_dict(state, strict=True, assign=True)
    return reference, model


def running(name: str, variant: str) -> Case:
    """The form that numbers run through: a smaller one where there is one."""
    found = special(name)
    return found.smaller if found.smaller is not None and not variant else cases(name)[variant]


def results(given: Any) -> tuple[Tensor, ...]:
    """What a network gives, one result or several."""
    if isinstance(given, Tensor):
        return (given,)
    each = given.values() if isinstance(given, dict) else given
    return tuple(result for result in each if result is not None)


def named(given: Any) -> tuple[str, ...]:
    """What the results of a network are called, where it gives several."""
    names = given if isinstance(given, dict) else getattr(given, "_fields", ())
    return tuple(names) if len(names) > 1 else ()


def image(name: str) -> Tensor:
    return torch.rand(2, *special(name).shape, generator=torch.Generator().manual_seed(2))


def loss_of(outputs: tuple[Tensor, ...]) -> Tensor:
    """The first result counts in full, those of auxiliary heads less."""
    samples, classes, *places = outputs[0].shape
    label = torch.arange(3, 3 + 897 * samples * math.prod(places), 897, device="cpu") % classes
    label = label.view(samples, *places).to(outputs[0].device)
    losses = [nn.functional.cross_entropy(each, label) for each in outputs]
    return losses[0] + sum((0.3 * each for each in losses[1:]), torch.zeros_like(losses[0]))


# ---------------------------------------------------------------- proofs

OLDER = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 13)
"""Whether torch's kernels may give other last bits to what lies in memory otherwise, as it does for other operators."""


def alike(given: Tensor, expected: Tensor, case: Case) -> bool:
    """Whether two results have equal bits; where other operators run, older versions of torch leave a rest."""
    if OLDER and case.reason:
        return torch.allclose(given, expected, rtol=1e-4, atol=1e-5)
    return torch.equal(given, expected)


def counts(name: str) -> tuple[int, float]:
    """Parameters, and multiply-accumulates in thousands of millions, are those of all published weights.

    Each set of weights is for a size of images; what is returned is of the spec as it is written.
    """
    published = [(shape_of(weights.transforms.keywords), weights.meta) for weights in models.get_model_weights(name)]
    assert published, "there are no published weights"
    for shape, meta in published:
        parameters, macs = totals(name, shape)
        assert parameters == meta["num_params"], f"{parameters:,} parameters, theirs {meta['num_params']:,}"
        written = "x".join(map(str, shape))
        assert macs == meta["_ops"], f"{macs:.3f} G MACs at {written}, theirs {meta['_ops']}"
    own = totals(name)
    assert own in [(meta["num_params"], meta["_ops"]) for _, meta in published], "as it is written it is none of them"
    return own


FRAMES = 16
"""Of the videos for which multiply-accumulates are published."""


def shape_of(transforms: Mapping[str, Any]) -> tuple[int, ...]:
    """The image or the video for which the multiply-accumulates of published weights are, by how they prepare it."""
    size = transforms["crop_size"] if "crop_size" in transforms else transforms["resize_size"]
    return (3, size, size) if isinstance(size, int) else (3, FRAMES, *size)


def totals(name: str, shape: tuple[int, ...] | None = None) -> tuple[int, float]:
    """Parameters and thousands of millions of multiply-accumulates, for an input of this shape or the spec's own."""
    found = special(name)
    sized: dict[str, Any] = {} if shape is None else {found.sized: shape[-1]} if found.sized else {"input": shape}
    parameters = archdsl.load(name, **found.case.spec, **sized).report().totals.parameters
    macs = archdsl.load(name, **found.counted, **sized).report().totals.macs
    assert macs is not None, "the multiplications are not known"
    return parameters, round(macs / 1e9, 3)


def keys(name: str, variant: str = "") -> int:
    """The state has the same names for tensors of the same shapes, in the same order if there is no reason why not."""
    case, order = cases(name)[variant], special(name).order
    reference, given = bare(name, case).state_dict(), ours(name, case).state_dict()
    if order:
        assert list(reference) != list(given), f"the order is the same; this is no longer true: {order}"
        reference, given = (dict(sorted(state.items())) for state in (reference, given))
    for one, other in zip(reference, given, strict=False):
        assert one == other, f"{other} stands where theirs has {one}"
        assert (reference[one].shape, reference[one].dtype) == (given[one].shape, given[one].dtype), one
    assert len(reference) == len(given), f"{len(given)} entries, theirs {len(reference)}"
    return len(given)


def bits(name: str, variant: str = "") -> str:
    """Their weights load strictly, and in evaluation the results have the same bits."""
    reference, model = both(name, variant)
    x = image(name)
    with torch.inference_mode():
        expected, given = reference.eval()(x), model.eval()(x)
    assert named(given) == named(expected), f"results {named(given)}, theirs {named(expected)}"
    assert len(results(given)) == len(results(expected)), (
        f"{len(results(given))} results, theirs {len(results(expected))}"
    )
    for one, other in zip(results(expected), results(given), strict=True):
        assert one.isfinite().all(), "theirs leaves the range of numbers"
        assert one.std() > 1e-3, "theirs gives the same for everything"
        same = alike(other, one, running(name, variant))
        assert same, f"results differ by up to {(other - one).abs().max()}"
    return "equal"


def gradients(name: str, variant: str = "") -> str:
    """In training the results have the same bits, dropout included; gradients and statistics are the same.

    The gradients have the same bits where the operators are the same ones. Elsewhere sums may be taken in another
    order, and each tensor of gradients may differ by a ten-thousandth of its length.
    """
    reference, model = (each.train() for each in both(name, variant))
    x = image(name)
    torch.manual_seed(1)
    expected = results(reference(x))
    loss_of(expected).backward()
    wanted = {key: parameter.grad for key, parameter in reference.named_parameters()}
    buffers = dict(reference.named_buffers())
    for parameter in reference.parameters():
        parameter.grad = None
    assert all(each is not None and each.isfinite().all() for each in wanted.values()), "theirs leaves the range"
    used = sum(bool(each.any()) for each in wanted.values() if each is not None)
    assert used > len(wanted) / 2, f"only {used} of {len(wanted)} tensors of theirs have a gradient"

    differences: dict[str, float] = {}
    for key, parameter in model.named_parameters():
        parameter.register_post_accumulate_grad_hook(_compare(key, wanted, differences))
    torch.manual_seed(1)
    given = results(model(x))
    assert len(given) == len(expected), f"{len(given)} results in training, theirs {len(expected)}"
    case = running(name, variant)
    assert all(alike(one, other, case) for one, other in zip(given, expected, strict=True)), (
        "results of training differ"
    )
    loss_of(given).backward()
    assert not wanted, f"no gradient for {next(iter(wanted))}"
    worst = max(differences, key=differences.__getitem__)
    most = 1e-4 if case.reason else 0.0
    assert differences[worst] <= most, f"gradients of {worst} differ by {differences[worst]:.1e} of their length"
    for key, buffer in model.named_buffers():
        torch.testing.assert_close(buffer, buffers[key], msg=f"{key} differs after training")
    return "equal" if differences[worst] == 0 else "close"


SHORT = 1e-3 if OLDER else 0.0
"""With older versions the length below which a gradient counts as that long: some are zero but for rounding."""


def _compare(key: str, wanted: dict[str, Tensor | None], differences: dict[str, float]) -> Callable[[Tensor], None]:
    """What notes by how much a gradient differs from theirs, and then forgets both."""

    def hook(parameter: Tensor) -> None:
        expected, given = wanted.pop(key), parameter.grad
        parameter.grad = None
        assert expected is not None
        assert given is not None
        if torch.equal(given, expected):
            differences[key] = 0.0
        else:
            length = max(float(expected.norm()), SHORT)
            differences[key] = float((given - expected).norm()) / length if length else math.inf

    return hook


class Recorded(TorchDispatchMode):
    """Every operator that runs, with the shapes, strides and numbers that it is given."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: list[tuple[Any, ...]] = []
        self.given: tuple[Tensor, ...] = ()

    def __torch_dispatch__(self, operator: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        self.operators.append((operator, described(arguments), [(key, described(options[key])) for key in options]))
        return operator(*arguments, **options)

    def random(self) -> Iterator[tuple[Any, ...]]:
        """Those that draw: dropout, stochastic depth."""
        return (each for each in self.operators if torch.Tag.nondeterministic_seeded in each[0].tags)


def described(given: Any) -> object:
    if isinstance(given, torch.Tensor):
        return given.shape, given.stride(), given.dtype
    if isinstance(given, list | tuple):
        return tuple(map(described, given))
    return given if isinstance(given, int | float | str | None) else type(given)


@lru_cache(maxsize=1)
def steps(name: str, variant: str) -> tuple[Recorded, Recorded]:
    """What runs in a training step of theirs and of ours: forward, backward and the optimizer."""
    case = running(name, variant)
    x = image(name).to("meta")
    runs = []
    for model in (bare(name, case), ours(name, case)):
        optimizer = torch.optim.SGD(model.train().parameters(), lr=0.1, momentum=0.9)
        with torch.device("meta"), Recorded() as run:
            run.given = results(model(x))
            loss_of(run.given).backward()
            optimizer.step()
        assert len(run.operators) > 3 * len(list(model.parameters())), "the step was not seen"
        runs.append(run)
    return runs[0], runs[1]


def calls(name: str) -> float:
    """A forward in evaluation calls as many functions, Python's and C's, as theirs: what a small image costs most."""
    case = running(name, "")
    reference = unfilled(name, case)
    reference._apply(lambda tensor: torch.zeros_like(tensor, device="cpu") if tensor.is_meta else tensor)
    model = ours(name, case)
    model.load_state_dict(reference.state_dict(), strict=True, assign=True)
    x = image(name)[:1]
    given, theirs_are = (called(partial(module.eval(), x)) for module in (model, reference))
    assert given <= 1.01 * theirs_are or special(name).calls, f"{given} calls of functions, theirs has {theirs_are}"
    assert given <= 1.2 * theirs_are
    return given / theirs_are


def called(do: Callable[[], object]) -> int:
    """How many functions something calls, once it has run before."""
    count = 0

    def see(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    with torch.inference_mode():
        do()
        before = sys.getprofile()
        sys.setprofile(see)
        try:
            do()
        finally:
            sys.setprofile(before)
    return count


def structure(name: str, variant: str = "") -> str:
    """In training there are as many results, and the same random numbers are drawn in the same order.

    So every dropout and every stochastic depth is where theirs is, with the same probability.
    """
    reference, given = steps(name, variant)
    assert [each.shape for each in given.given] == [each.shape for each in reference.given], "other results"
    theirs_drawn, drawn = list(reference.random()), list(given.random())
    for number, (one, other) in enumerate(zip(theirs_drawn, drawn, strict=False)):
        assert one == other, f"random numbers {number} are {other}, theirs {one}"
    assert len(drawn) == len(theirs_drawn), f"random numbers are drawn {len(drawn)} times, theirs {len(theirs_drawn)}"
    return "same"


def operators(name: str, variant: str = "") -> str:
    """A training step takes what theirs takes: it runs the same operators one by one.

    Where there is a reason why they differ, they differ as it says: of all other operators there are as many, given the
    same shapes and numbers.
    """
    reference, given = (run.operators for run in steps(name, variant))
    case = running(name, variant)
    if not case.reason:
        for number, (one, other) in enumerate(zip(reference, given, strict=False)):
            assert one == other, f"operator {number} is {other}, theirs {one}"
        assert len(given) == len(reference), f"{len(given)} operators, theirs {len(reference)}"
        return "same"
    assert given != reference, f"the operators are the same; this is no longer true: {case.reason}"
    more, less = (Counter((plain(each[0]), str(each)) for each in run) for run in (given, reference))
    differing = {operator for operator, _ in (more - less) + (less - more)}
    assert differing == case.apart, f"these differ: {', '.join(sorted(differing)) or 'none'}; {case.reason}"
    return "others"


def plain(operator: Any) -> str:
    """The name of an operator: `add_` of `aten.add_.Tensor`."""
    return str(operator.overloadpacket).removeprefix("aten.")


# ---------------------------------------------------------------- all of them


@dataclass(frozen=True)
class Row:
    """What was proven of a network, and why what was not, was not."""

    name: str
    cells: tuple[str, ...]
    failures: tuple[str, ...]


EACH: dict[str, Callable[[str, str], object]] = {
    "keys": keys,
    "bits": bits,
    "gradients": gradients,
    "structure": structure,
    "operators": operators,
}
"""The proofs of a network and of each of its other forms."""
REFUSALS = (AssertionError, ValueError, TypeError, RuntimeError, archdsl.ArchError)
"""How a proof says that there is none."""
COLUMNS = ("network", "parameters", "G MACs", *EACH)


def prove(name: str) -> Row:
    """All proofs of a network."""
    failures = []
    cells = ["no", "no"]
    try:
        parameters, macs = counts(name)
        cells = [f"{parameters:,}", f"{macs:.3f}"]
    except REFUSALS as problem:
        failures.append(f"{name}: counts: {problem}")
    for what, proof in EACH.items():
        found: list[str] = []
        for variant in cases(name):
            try:
                found.append(str(proof(name, variant)))
            except REFUSALS as problem:
                failures.append(f"{name}{f' ({variant})' if variant else ''}: {what}: {problem}")
                found.append("no")
        cells.append("no" if "no" in found else found[0])
    return Row(name, tuple(cells), tuple(failures))
