"""What stands before a forward in generated code where it is to run in another way: source, as in helpers.py."""

from __future__ import annotations

from typing import Final

_AS_FLOAT32 = '''
def as_float32(result):
    """What a network gives, in float32: a loss in fewer digits would lose the small steps."""
    if isinstance(result, tuple):
        return type(result)(*[as_float32(each) for each in result])
    return result if result is None or not result.is_floating_point() else result.float()
'''

_AUTOCAST = '''
def autocast(forward):
    """A forward in bfloat16 where torch holds that to be safe; it gives float32."""

    @functools.wraps(forward)
    def run(self, *inputs, **named):
        device = next(iter([*inputs, *named.values()])).device.type
        with torch.autocast(device, torch.bfloat16):
            result = forward(self, *inputs, **named)
        return as_float32(result)

    return run
'''

_COMPUTING_IN = '''
def computing_in(kind):
    """A forward in the type of the weights, whatever the type of what flows in; it gives float32."""

    def cast(value):
        return value.to(kind) if value.is_floating_point() else value

    def decorated(forward):
        @functools.wraps(forward)
        def run(self, *inputs, **named):
            named = {name: cast(value) for name, value in named.items()}
            return as_float32(forward(self, *[cast(value) for value in inputs], **named))

        return run

    return decorated
'''

_WITHOUT_STATISTICS = '''
@contextmanager
def without_statistics(module):
    """Batches that run again while this holds change no running statistics: they have been counted."""
    norms = [norm for norm in module.modules() if norm.training and getattr(norm, "track_running_stats", False)]
    kept = [dict(norm._buffers) for norm in norms]
    try:
        for norm in norms:  # what is in them matters to nobody: in training they are only written
            norm._buffers.update({name: torch.empty_like(buffer) for name, buffer in norm._buffers.items()})
            norm.num_batches_tracked = None
        yield
    finally:
        for norm, buffers in zip(norms, kept, strict=True):
            norm._buffers.update(buffers)
'''

_RECOMPUTED = '''
def recomputed(forward):
    """A forward whose values are not kept for the backward pass, which computes them again."""

    @functools.wraps(forward)
    def run(self, *inputs):
        if not torch.is_grad_enabled() or torch.compiler.is_exporting():
            return forward(self, *inputs)
        if torch.compiler.is_compiling():  # the compiler itself sees to the statistics
            return checkpoint(functools.partial(forward, self), *inputs, use_reentrant=False)

        def contexts():
            return nullcontext(), without_statistics(self)

        return checkpoint(functools.partial(forward, self), *inputs, use_reentrant=False, context_fn=contexts)

    return run
'''

DECORATORS: Final[dict[str, str]] = {
    "as_float32": _AS_FLOAT32.lstrip(),
    "autocast": _AUTOCAST.lstrip(),
    "computing_in": _COMPUTING_IN.lstrip(),
    "without_statistics": _WITHOUT_STATISTICS.lstrip(),
    "recomputed": _RECOMPUTED.lstrip(),
}
"""The source of each, by its name."""

NEEDED: Final[dict[str, tuple[str, ...]]] = {
    "autocast": ("as_float32", "autocast"),
    "computing_in": ("as_float32", "computing_in"),
    "recomputed": ("without_statistics", "recomputed"),
}
"""What a decorator brings with it."""

IMPORTS: Final[dict[str, tuple[str, ...]]] = {
    "autocast": ("import functools",),
    "computing_in": ("import functools",),
    "recomputed": ("import functools", "from contextlib import contextmanager, nullcontext"),
}
"""The lines at the head of a file that a decorator asks for."""
