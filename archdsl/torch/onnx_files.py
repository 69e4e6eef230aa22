"""ONNX: a file that other runtimes run, compared with the module by onnxruntime."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from archdsl.errors import ArchError
from archdsl.files import staged
from archdsl.torch.exporting import Job, Runner, quiet, reason_of

if TYPE_CHECKING:
    from collections.abc import Mapping

PACKAGES = ("onnx", "onnxscript", "onnxruntime")

LARGE = 1_800_000_000
"""So many bytes of weights stand in the file itself; of more, in a second one beside it. Such a file ends at 2 GiB."""


def write(job: Job, compare: Callable[[Runner], None]) -> None:
    """Writes a module as ONNX, with the spec in its metadata.

    Raises:
        ArchError: where a package is missing, or torch cannot write it.
    """
    missing = [name for name in PACKAGES if find_spec(name) is None]
    if missing:
        raise ArchError(f"ONNX needs {' and '.join(missing)}: pip install {' '.join(missing)}")
    if any(p.dtype == torch.bfloat16 for p in job.model.parameters()):
        raise ArchError("what is in bfloat16 cannot be compared as ONNX; convert it before: model.float()")
    if same := [name for name in job.outputs if name in job.inputs]:
        raise ArchError(
            f"ONNX has one name for each value, and {same[0]} is an input and an output; give the output "
            f"a name of its own: `{same[0]} -> id as {same[0]}_out`"
        )
    program = job.program()
    names = job.names(program)
    try:
        with quiet():
            made: Any = torch.onnx.export(
                program, (), dynamo=True, input_names=job.inputs, output_names=job.outputs, verbose=False
            )
    except torch.onnx.errors.OnnxExporterError as problem:
        raise ArchError(f"torch cannot write {job.network.graph.name} as ONNX: {_cause(problem)}") from problem
    _rename(made.model, names)
    made.model.metadata_props["archdsl"] = job.carried
    size = sum(value.numel() * value.element_size() for value in job.model.state_dict().values())
    with staged(job.path) as place:
        made.save(str(place), external_data=size > LARGE)
        compare(_runner(place, job.inputs))


def _cause(problem: BaseException) -> str:
    """What lies under an error of the exporter, in a line."""
    while problem.__cause__ is not None:
        problem = problem.__cause__
    return str(problem).strip().partition("\n")[0][:300] or type(problem).__name__


def _rename(model: Any, names: Mapping[str, str]) -> None:
    """Calls open sizes what they are called in the spec, wherever they stand in the file."""
    import onnx_ir

    def renamed(shape: Any) -> Any:
        dims = [
            re.sub(r"[A-Za-z_]\w*", lambda word: names.get(word[0], word[0]), dim.value or "") or None
            if isinstance(dim, onnx_ir.SymbolicDim)
            else dim
            for dim in shape
        ]
        return onnx_ir.Shape(dims)

    values = [*model.graph.inputs, *model.graph.outputs]
    for node in model.graph.all_nodes():
        values += node.outputs
    for value in values:
        if value.shape is not None:
            value.shape = renamed(value.shape)


def _runner(path: Path, names: Sequence[str]) -> Runner:
    onnxruntime: Any = import_module("onnxruntime")  # it has no types

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as problem:  # of kinds of its own, which have no common one
        raise ArchError(f"onnxruntime does not take what was written: {reason_of(problem)}") from problem

    def run(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        feeds = {name: each.cpu().numpy() for name, each in zip(names, inputs, strict=True)}
        known = {each.name for each in session.get_inputs()}
        feeds = {name: each for name, each in feeds.items() if name in known}
        return [torch.from_numpy(each) for each in session.run(None, feeds)]

    return run
