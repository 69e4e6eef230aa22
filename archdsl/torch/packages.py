"""Packages of torch's own: the program of `torch.export`, and what AOTInductor compiles of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from archdsl.errors import ArchError
from archdsl.files import staged
from archdsl.torch.exporting import Job, Runner, quiet, reason_of


def write_program(job: Job, compare: Callable[[Runner], None]) -> None:
    """Writes what `torch.export` makes of a module, with the spec in the extra file `archdsl`.

    Raises:
        ArchError: where torch cannot.
    """
    program = job.program()
    with staged(job.path) as place:
        with quiet():
            torch.export.save(program, place, extra_files={"archdsl": job.carried})
            again = torch.export.load(place).module()
        compare(_runner(again))


def write_compiled(job: Job, compare: Callable[[Runner], None]) -> None:
    """Compiles a module by AOTInductor, for the device that its weights are on.

    Raises:
        ArchError: where there is no C++ compiler, or torch cannot.
    """
    from torch import _inductor
    from torch._inductor.cpp_builder import get_cpp_compiler
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except (InvalidCxxCompiler, RuntimeError) as problem:
        raise ArchError("AOTInductor needs a C++ compiler: install g++ or clang, or set CXX to one") from problem
    program = job.program()
    with staged(job.path) as place:
        package = place.with_name("package.pt2")  # whatever the name is to be, torch asks for this ending
        try:
            with quiet():
                _inductor.aoti_compile_and_package(
                    program,
                    package_path=str(package),
                    inductor_configs={"aot_inductor.metadata": {"archdsl": job.carried}},
                )
                again = _inductor.aoti_load_package(str(package))
        except Exception as problem:  # a compiler fails in many ways
            raise ArchError(f"AOTInductor cannot compile {job.network.graph.name}: {reason_of(problem)}") from problem
        compare(_runner(again))
        package.replace(place)


def _runner(again: Any) -> Runner:
    def run(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        result = again(*inputs)
        return [result] if isinstance(result, torch.Tensor) else list(result)

    return run
