"""torchvision, also where its compiled library does not load."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType

from torch.library import Library

_SYMPTOM = "operator torchvision::nms does not exist"

# Only what torchvision names while it is being imported; the signatures are those of torchvision/csrc/ops.
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_declared: list[Library] = []  # a library's operators are gone as soon as nobody holds it


def import_torchvision() -> ModuleType:
    """The package torchvision.

    PyPI's torchvision links CUDA. Beside a CPU-only torch its compiled library does not load, and then the import fails
    on the first compiled operator that it names (`operator torchvision::nms does not exist`). Here, and only then, the
    two operators that it names are declared without an implementation and the import is tried again; afterwards a plain
    `import torchvision` works in this process as well.

    What then works is all that is written in Python: models, weights, datasets, and both generations of transforms.
    What does not is what is compiled: of `torchvision.ops`, `nms`, `batched_nms`, `roi_pool`, `ps_roi_align`,
    `ps_roi_pool` and `deform_conv2d` (so that detection models build, but fail when they run), and the decoding and
    encoding of images and videos in `torchvision.io`; `roi_align` falls back to slow Python. torchvision's own message
    says so when one is called. The remedy is a torchvision from the same index as torch:
    https://download.pytorch.org/whl/cpu.

    Raises:
        ImportError: where torchvision is not installed.
        RuntimeError: where it does not import for any other reason.
    """
    try:
        return importlib.import_module("torchvision")
    except RuntimeError as problem:
        if _declared or str(problem) != _SYMPTOM:
            raise
    library = Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for operator in _OPERATORS:
        library.define(operator)  # type: ignore[no-untyped-call]
    _declared.append(library)
    for name in [name for name in sys.modules if name == "torchvision" or name.startswith("torchvision.")]:
        del sys.modules[name]  # half imported
    return importlib.import_module("torchvision")
