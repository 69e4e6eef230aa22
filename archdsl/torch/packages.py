"""Packages of torch's own: the program of `torch.export`, and what AOTInductor compiles of it."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

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
            with _patient(place) as file:
                torch.export.save(program, file, extra_files={"archdsl": job.carried})
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
                with _patient(package) as file:
                    _inductor.aoti_compile_and_package(
                        program,
                        package_path=file,
                        inductor_configs={"aot_inductor.metadata": {"archdsl": job.carried}},
                    )
                again = _inductor.aoti_load_package(str(package))
        except OSError:
            raise
        except Exception as problem:  # a compiler fails in many ways
            raise ArchError(f"AOTInductor cannot compile {job.network.graph.name}: {reason_of(problem)}") from problem
        compare(_runner(again))
        package.replace(place)


class _Patient(io.RawIOBase):
    """A file that takes whatever is written to it, and keeps what went wrong for later.

    Torch writes in C++, which ends the process where an exception comes amid it: of a full disk, of a signal.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.problem: BaseException | None = None

    def write(self, data: Any) -> int:
        if self.problem is None:
            try:
                self.file.write(data)
            except BaseException as problem:  # noqa: BLE001  # it is raised later
                self.problem = problem
        return len(data)

    def writable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, place: int, whence: int = 0) -> int:
        return place  # to the beginning, when all is written


@contextmanager
def _patient(path: Path) -> Iterator[Any]:
    """A file for torch to write.

    Raises:
        OSError: where that failed.
    """
    with open(path, "wb") as file:
        patient = _Patient(file)
        try:
            yield patient
        finally:
            if patient.problem is not None:
                raise patient.problem


def _runner(again: Any) -> Runner:
    def run(inputs: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        result = again(*inputs)
        return [result] if isinstance(result, torch.Tensor) else list(result)

    return run
