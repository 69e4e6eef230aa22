"""Generated source, executed: the module that trains is the text that `net.source()` shows."""

from __future__ import annotations

import hashlib
import linecache
import sys
from collections import deque
from types import ModuleType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archdsl.lowering.program import Program


KEPT = 1000
"""How many generated texts a process keeps for tracebacks and for the next module of the same class."""

_made: deque[tuple[str, str]] = deque()


def build(program: Program) -> nn.Module:
    """A new module of the program's class, with fresh weights."""
    made = getattr(module_of(program.text), program.class_name)()
    assert isinstance(made, nn.Module)
    return made


def empty(program: Program) -> nn.Module:
    """A module of the program's class on torch's `meta` device: with shapes, without numbers or memory for them.

    It is for `filled`: nothing is drawn at random only to be written over.
    """
    with torch.device("meta"):
        return build(program)


def filled(program: Program, state: Mapping[str, torch.Tensor]) -> nn.Module:
    """A module of the program's class that holds these very tensors, by the names of its `state_dict()`.

    What is frozen stays frozen. Buffers that no state has, which a layer of your own may keep, are as it makes them.

    Raises:
        RuntimeError: where a name or a shape is not the module's.
    """
    module = empty(program)
    module.load_state_dict(state, strict=True, assign=True)
    return complete(module, program)


def complete(module: nn.Module, program: Program) -> nn.Module:
    """A module that was `empty`, once its state is in it: with those of its buffers that no state has."""
    left = [
        (path, name)
        for path, part in module.named_modules()
        for name, buffer in part.named_buffers(recurse=False)
        if buffer.is_meta and name in part._non_persistent_buffers_set
    ]
    if left:
        made = build(program)
        for path, name in left:
            setattr(module.get_submodule(path), name, getattr(made.get_submodule(path), name))
    return module


def module_of(text: str) -> ModuleType:
    """The source as a Python module, executed once for each text.

    It is put where tracebacks and debuggers find its lines, and where pickle finds its classes.
    """
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    name = f"archdsl.compiled.m{digest}"
    known = sys.modules.get(name)
    if known is not None:
        return known
    _forget_all_but(KEPT - 1)
    filename = f"<archdsl {digest}>"
    linecache.cache[filename] = (len(text), None, text.splitlines(keepends=True), filename)
    module = ModuleType(name)
    module.__file__ = filename
    sys.modules[name] = module
    try:
        exec(compile(text, filename, "exec", dont_inherit=True), module.__dict__)  # noqa: S102
    except BaseException:
        del sys.modules[name], linecache.cache[filename]
        raise
    _made.append((name, filename))
    for value in list(vars(module).values()):
        if isinstance(value, type) and value.__module__ == name and issubclass(value, nn.Module):
            value.__reduce__ = _reducer(text)  # type: ignore[method-assign]
    return module


def _forget_all_but(most: int) -> None:
    """Lets the oldest texts go: a search over architectures makes many. What they made still runs and pickles."""
    while len(_made) > most:
        name, filename = _made.popleft()
        sys.modules.pop(name, None)
        linecache.cache.pop(filename, None)


def _reducer(text: str) -> Any:
    """How a module is pickled: with its source, so that any process with archdsl can read it back.

    What torch has compiled of it is left out: `compile()` is called again where it is read.
    """

    def reduce(self: nn.Module) -> tuple[Any, ...]:
        return restore, (text, type(self).__qualname__), self.__getstate__()  # type: ignore[no-untyped-call]

    return reduce


def restore(text: str, class_name: str) -> nn.Module:
    """An empty module of a generated class; pickle then fills it."""
    kind = getattr(module_of(text), class_name)
    made = kind.__new__(kind)
    assert isinstance(made, nn.Module)
    return made
