"""How a module is to run, in words: where, in which type, laid out how, compiled how, folded, recomputed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archdsl.diagnostics.model import nearest
from archdsl.errors import ArchError

if TYPE_CHECKING:
    from collections.abc import Mapping

DTYPES: Final = ("float32", "autocast", "bfloat16", "float16")
"""`autocast` computes in bfloat16 where torch holds that to be safe; the others are the type of the weights."""
MEMORY_FORMATS: Final = ("contiguous", "channels_last")
MODES: Final = ("eager", "default", "reduce-overhead", "max-autotune", "max-autotune-no-cudagraphs")
"""How `torch.compile` is asked for; `eager` is not at all."""
PRESETS: Final = ("training", "inference")

_CHOICES: Final[dict[str, tuple[str, ...]]] = {"dtype": DTYPES, "memory_format": MEMORY_FORMATS, "mode": MODES}


class Settings(NamedTuple):
    """How a module runs. As it stands it is what `compile()` gives without arguments."""

    device: str | None = None
    """None for where torch makes its tensors."""
    dtype: str = "float32"
    memory_format: str = "contiguous"
    mode: str = "eager"
    fold: bool = False
    checkpoint: bool = False
    inference: bool = False
    """Whether it is to run in evaluation only: without dropout, statistics of batches, and gradients of parameters."""

    @property
    def forward(self) -> Settings:
        """Those that the source of a module depends on."""
        return Settings(dtype=self.dtype, fold=self.fold, checkpoint=self.checkpoint)


_FAST: Final[dict[str, dict[str, Any]]] = {
    "training": {"dtype": "autocast", "memory_format": "channels_last", "mode": "default"},
    "inference": {"dtype": "bfloat16", "memory_format": "channels_last", "mode": "default", "fold": True},
}
_PLAIN: Final[dict[str, dict[str, Any]]] = {"training": {}, "inference": {"fold": True}}


def settings(given: Mapping[str, Any], preset: str | None = None, fast: bool = False) -> Settings:
    """What is given, and for what is None what a preset sets: all of it where the device is `fast`.

    Fast is an accelerator that computes in bfloat16 and for which torch compiles. On a CPU bfloat16 is slow where the
    processor has no instructions for it, and compiling asks for a C++ compiler. A type or a memory format may be
    torch's own: it is written as its word.

    Raises:
        ArchError: for a word that means nothing, or two that do not go together.
    """
    usual = {} if preset is None else (_FAST if fast else _PLAIN)[_word("preset", preset, PRESETS)]
    chosen = {name: value for name, value in given.items() if value is not None}
    for name, words in _CHOICES.items():
        if name in chosen:
            chosen[name] = _word(name, str(chosen[name]).removeprefix("torch."), words)
    for name in ("fold", "checkpoint"):
        if not isinstance(chosen.get(name, False), bool):
            raise ArchError(f"{name}={chosen[name]!r} means nothing here; write True or False")
    found = Settings(**{**usual, **chosen})
    found = found._replace(inference=found.fold or preset == "inference")
    if found.checkpoint and found.inference:
        what = "fold=True" if found.fold else 'preset="inference"'
        raise ArchError(
            f"checkpoint=True and {what} do not go together: values are computed again for the gradients of a "
            "training step, and a module for inference takes none; leave one of them out"
        )
    return found


def _word(name: str, value: str, words: tuple[str, ...]) -> str:
    if value in words:
        return value
    near = nearest(value, words)
    hint = f"did you mean {near!r}?" if near else f"choose from {', '.join(map(repr, words))}"
    raise ArchError(f"{name}={value!r} means nothing here; {hint}")
