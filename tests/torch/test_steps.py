"""What a step costs in the modes of a GPU, counted: as much as torchvision's own class costs under the same settings.

Nothing here is timed, and nothing depends on the device: what is compared are the operators that run, the bytes that
they read and write, the graph that torch's compiler is given, and the memory that is held.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode

import archdsl
from archdsl.torch.vision import import_torchvision
from tests.reports.tracker import Tracker, tensors
from tests.torch.small import images

torchvision = import_torchvision()

SIZE = 32
NETWORKS = ["resnet50", "efficientnet_b0", "convnext_tiny", "vit_b_16"]
networks = pytest.mark.parametrize("name", NETWORKS)
passes = pytest.mark.parametrize("what", ["training", "inference"])
VIEWS = {"alias", "as_strided", "detach", "expand", "permute", "select", "slice", "squeeze", "unsqueeze", "view"}
"""Of a captured graph: they move no number. The compiler leaves out a `clone` too, where nobody writes to either."""


def both(name: str, what: str) -> tuple[tuple[nn.Module, Any], tuple[nn.Module, Any]]:
    """Ours and torchvision's with what is called of each: under autocast to train, in bfloat16 for inference."""
    given = {"image_size": SIZE} if name.startswith("vit") else {}
    theirs = getattr(torchvision.models, name)(num_classes=10, **given)
    how: dict[str, Any] = {"dtype": "autocast" if what == "training" else "bfloat16", "memory_format": "channels_last"}
    ours = archdsl.load(name, input=f"3x{SIZE}x{SIZE}", classes=10).compile(theirs, **how)
    theirs.to(memory_format=torch.channels_last)
    if what == "inference":
        theirs.to(torch.bfloat16)
        for module in theirs.modules():  # the same setting: what has running statistics stays in float32
            if isinstance(module, nn.BatchNorm2d):
                module.float()
        return (ours.eval(), ours), (theirs.eval(), theirs)

    def by_hand(x: Tensor) -> Any:
        with torch.autocast("cpu", torch.bfloat16):
            return theirs(x)

    return (ours.train(), ours), (theirs.train(), by_hand)


def step(module: nn.Module, run: Callable[[Tensor], Any], what: str) -> Callable[[], object]:
    """A step of training, or a forward; the result becomes float32, as the loss and the reader want it."""
    x = images(4, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
    if what == "inference":
        x = x.to(torch.bfloat16)

        def infer() -> None:
            with torch.no_grad():
                run(x).float()

        return infer
    optimizer = torch.optim.SGD(module.parameters(), lr=1e-3, momentum=0.9)

    def train() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.cross_entropy(run(x).float(), torch.arange(4)).backward()
        optimizer.step()

    return train


class Work(TorchDispatchMode):
    """Counts the operators that compute, and the bytes that they read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: Counter[str] = Counter()
        self.bytes = 0

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = function(*arguments, **(options or {}))
        taken, given = tensors((arguments, options)), tensors(result)
        mutates, places = function._schema.is_mutable, {each.untyped_storage()._cdata for each in taken}
        made = [each for each in given if mutates or each.untyped_storage()._cdata not in places]
        if (made or mutates) and "empty" not in str(function):  # else it is a view, or nothing at all
            self.operators[str(function).replace("_.", ".")] += 1
            self.bytes += sum(each.nbytes for each in (*taken, *given))
        return result


@networks
@passes
def test_a_step_runs_no_more_operators_and_moves_no_more_bytes(name: str, what: str) -> None:
    work = []
    for module, run in both(name, what):
        do = step(module, run, what)
        do()  # the optimiser has its momentum
        with Work() as counted:
            do()
        work.append(counted)
    ours, theirs = work
    assert sum(ours.operators.values()) > 100
    assert ours.operators <= theirs.operators, ours.operators - theirs.operators
    assert ours.bytes <= theirs.bytes


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of torch's compiler, about itself
@networks
@passes
def test_the_compiler_is_given_no_more_to_do(name: str, what: str) -> None:
    """All of it, after decompositions, with the backward pass: the result's conversion alone has come inside."""
    import torch._inductor.compile_fx  # what the decompositions ask of it is imported with it
    from torch._dynamo.backends.common import aot_autograd
    from torch._functorch.aot_autograd import make_boxed_func
    from torch._inductor.decomposition import select_decomp_table

    def graphs(module: nn.Module, run: Callable[[Tensor], Any]) -> list[Counter[str]]:
        found: list[Counter[str]] = []

        def see(graph: fx.GraphModule, _: object) -> Any:
            found.append(computed(graph))
            return make_boxed_func(graph.forward)

        torch.compiler.reset()
        module.compile(backend=aot_autograd(fw_compiler=see, decompositions=select_decomp_table()), fullgraph=True)
        with torch._functorch.config.patch(enable_autograd_cache=False):
            step(module, run, what)()
        torch.compiler.reset()
        return found

    ours, theirs = (graphs(*each) for each in both(name, what))
    assert len(ours) == len(theirs) == (2 if what == "training" else 1)
    for one, other in zip(ours, theirs, strict=True):
        assert one.total() > 100
        assert one.total() <= other.total() + 1, one - other


def computed(graph: fx.GraphModule) -> Counter[str]:
    """The operators of a graph that compute, with the types and shapes that they give."""
    found: Counter[str] = Counter()
    for node in graph.graph.nodes:
        if isinstance(node.target, torch._ops.OpOverload):
            name = node.target.overloadpacket.__name__
            if name not in VIEWS and name != "clone":
                given = [f"{each.dtype} {tuple(each.shape)}" for each in tensors(node.meta["val"])]
                found[f"{name} {', '.join(given)}"] += 1
    return found


@networks
def test_a_step_of_training_holds_as_much_memory(name: str) -> None:
    """Every tensor alive is counted: the same to the byte."""
    peaks = []
    for module, run in both(name, "training"):
        x = images(4, 3, SIZE, SIZE).contiguous(memory_format=torch.channels_last)
        with Tracker([*module.parameters(), *module.buffers(), x]) as tracker:
            nn.functional.cross_entropy(run(x).float(), torch.arange(4)).backward()
        peaks.append(tracker.peak)
    assert peaks[0] == peaks[1]
