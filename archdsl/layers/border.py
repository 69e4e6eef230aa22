"""The border of a map: added, or cut off."""

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

from archdsl.layers.base import (
    KEEPS_INPUT,
    KEEPS_NOTHING,
    UNKNOWN_REACH,
    Flag,
    Kept,
    Layer,
    Number,
    Problem,
    Reach,
    compact,
    each,
    option,
    positional,
    reference,
    whole,
)
from archdsl.layers.call import Call, Expression
from archdsl.layers.convolution import window_problems
from archdsl.layers.geometry import Window, outputs
from archdsl.layers.resampling import Resampling, like_problems, one_of
from archdsl.layers.tensor import Size, Tensor


def _amounts(value: object) -> int | tuple[int, ...] | None:
    """One number for every border, one for each axis, or one for each border: [top, bottom, left, right]."""
    if value is None:
        return None
    if not isinstance(value, tuple | list):
        return whole(value, 0)
    if not 1 <= len(value) <= 6:
        raise PydanticCustomError("axes", "must have one number for each axis, or two: before and after it")
    return tuple(whole(item, 0) for item in value)


Amounts = Annotated[int | tuple[int, ...] | None, BeforeValidator(_amounts)]
PadMode = Literal["zeros", "reflect", "replicate", "circular"]


class Pad(Resampling):
    """Adds a border: of zeros, of a value, or of what the map holds."""

    word: ClassVar[str] = "pad"
    rewritable: ClassVar[bool] = True
    operations_per_value: ClassVar[int | None] = 0
    torch_name: ClassVar[str] = "torch.nn.ZeroPad2d, ConstantPad2d, ReflectionPad2d, ReplicationPad2d, CircularPad2d"

    amounts: Amounts = positional("border on each side; 1x2 for each axis; [top, bottom, left, right]")
    mode: PadMode = option(None, "what the border holds", "zeros")
    value: Number = option(None, "a number that the border holds in place of zeros", 0.0)

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        yield from _amounts_problems(self, self.amounts, x.rank)
        if _fits(self.amounts, x.rank):
            yield from window_problems(self.word, self.windows(x.rank), x, self.mode, parameter="amounts")
        if self.value and self.mode != "zeros":
            yield Problem(
                "padding-mode",
                f"a border of {self.mode} holds no value {self.value:g}",
                parameter="value",
                help="leave out mode or value",
            )

    def windows(self, rank: int) -> tuple[Window, ...]:
        return tuple(Window(before=before, after=after) for before, after in _borders(self.amounts, rank))

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_space(outputs(self.windows(inputs[0].rank), inputs[0].space))

    def reach(self, *inputs: Tensor) -> Reach:
        return Reach(self.windows(inputs[0].rank))

    def lower(self, *inputs: Tensor) -> Call:
        rank = inputs[0].rank
        # Torch counts from the last axis.
        amounts = compact(tuple(n for border in reversed(_borders(self.amounts, rank)) for n in border))
        if self.value:
            return Call(f"nn.ConstantPad{rank}d", amounts, self.value)
        name = {"zeros": "Zero", "reflect": "Reflection", "replicate": "Replication", "circular": "Circular"}[self.mode]
        return Call(f"nn.{name}Pad{rank}d", amounts)

    def keeps(self, *inputs: Tensor) -> Kept:
        return KEEPS_INPUT if self.mode in ("reflect", "replicate") else KEEPS_NOTHING


class Crop(Resampling):
    """Cuts the border off, or with `like` keeps the centre of the size of another map."""

    word: ClassVar[str] = "crop"
    is_module: ClassVar[bool] = False
    is_view: ClassVar[bool] = True
    torch_name: ClassVar[str] = "indexing"

    amounts: Amounts = positional("border on each side; 1x2 for each axis; [top, bottom, left, right]", None)
    like: Flag = reference("a map whose spatial sizes the result takes")

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        x = inputs[0]
        yield from one_of(self, amounts=self.amounts is not None, like=self.like)
        yield from _amounts_problems(self, self.amounts, x.rank)
        misfits = list(like_problems(self, *inputs))
        yield from misfits
        if misfits or (self.amounts is None) != self.like or not _fits(self.amounts, x.rank):
            return
        for size, result in zip(x.space, self.target(*inputs), strict=True):
            if isinstance(size, int) and isinstance(result, int) and not 1 <= result <= size:
                message = (
                    f"{self.word} cannot take {result} of a size of {size}"
                    if self.like
                    else (f"{self.word} leaves {result} of a size of {size}")
                )
                help = None if self.like else f"at most {(size - 1) // 2} on each side"
                yield Problem("empty-output", message, parameter="like" if self.like else "amounts", help=help)
                return

    def target(self, *inputs: Tensor) -> tuple[Size, ...]:
        """The spatial sizes of the result."""
        if self.like:
            return inputs[1].space
        windows = [Window(before=-before, after=-after) for before, after in _borders(self.amounts, inputs[0].rank)]
        return outputs(windows, inputs[0].space)

    def output(self, *inputs: Tensor) -> Tensor:
        return inputs[0].with_space(self.target(*inputs))

    def reach(self, *inputs: Tensor) -> Reach:
        x = inputs[0]
        if not self.like:
            return Reach(tuple(Window(before=-a, after=-b) for a, b in _borders(self.amounts, x.rank)))
        windows = []
        for size, result in zip(x.space, inputs[1].space, strict=True):
            if size != result and not (isinstance(size, int) and isinstance(result, int)):
                return UNKNOWN_REACH
            over = size - result if isinstance(size, int) and isinstance(result, int) else 0
            windows.append(Window(before=-(over // 2), after=over // 2 - over))
        return Reach(tuple(windows))

    def lower(self, *inputs: Tensor) -> Expression:
        axes = range(2, 2 + inputs[0].rank)
        if self.like:
            starts = ", ".join(f"({{0}}.shape[{a}] - {{1}}.shape[{a}]) // 2 :" for a in axes)
            sizes = ", ".join(f": {{1}}.shape[{a}]" for a in axes)
            return Expression(f"{{0}}[:, :, {starts}][:, :, {sizes}]")
        borders = _borders(self.amounts, inputs[0].rank)
        slices = ", ".join(f"{before or ''}:{-after or ''}" for before, after in borders)
        return Expression(f"{{0}}[:, :, {slices}]")


def _fits(amounts: int | tuple[int, ...] | None, rank: int) -> bool:
    return not isinstance(amounts, tuple) or len(amounts) in (rank, 2 * rank)


def _borders(amounts: int | tuple[int, ...] | None, rank: int) -> tuple[tuple[int, int], ...]:
    """What is added or cut before and after each axis."""
    if isinstance(amounts, tuple) and len(amounts) == 2 * rank:
        return tuple(zip(amounts[::2], amounts[1::2], strict=True))
    return tuple((amount, amount) for amount in each(amounts or 0, rank))


def _amounts_problems(layer: Layer, amounts: int | tuple[int, ...] | None, rank: int) -> Iterator[Problem]:
    if isinstance(amounts, tuple) and not _fits(amounts, rank):
        axes = "one axis" if rank == 1 else f"{rank} axes"
        yield Problem(
            "wrong-axes",
            f"{layer.word} got {len(amounts)} amounts, but the map has {axes}",
            parameter="amounts",
            help=f"give one number, or {rank} joined by x, or a list of {2 * rank}: before and after each axis",
        )
