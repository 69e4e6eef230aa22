"""How a layer is declared: once, and everything else reads the declaration.

A layer is a frozen pydantic model. Its fields are its arguments, its docstring is the head of its page, and its methods
say what it does to a tensor. The parser, the checker, the counts, the receptive field, the report, the compiler, the
documentation and the completion all read these.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import prod
from typing import Annotated, Any, ClassVar, Literal, NamedTuple, TypeAlias, get_args, get_origin

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError, PydanticUndefined

from archdsl import limits
from archdsl.layers.call import Call, Expression, Parameter
from archdsl.layers.geometry import Geometry, Window
from archdsl.layers.tensor import Kind, Tensor, product

# ---------------------------------------------------------------- the types of arguments


def whole(value: object, low: int) -> int:
    """A whole number from `low` up; 64.0 is one, yes is not."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool):
        context = {"help": "round it: floor(v), round_to(v, 8)"} if isinstance(value, float) else {}
        raise PydanticCustomError("whole", "must be a whole number", context)
    if value < low:
        raise PydanticCustomError("low", "must be at least {low}", {"low": low})
    if value > limits.SIZE:
        raise PydanticCustomError("high", "must be at most {high}", {"high": limits.SIZE})
    return value


def per_axis(value: object, low: int) -> int | tuple[int, ...]:
    """One whole number for all axes, or one for each: 3, 1x7, [1, 7]."""
    if isinstance(value, tuple | list):
        if not 1 <= len(value) <= 3:
            raise PydanticCustomError("axes", "must have one number for each of one to three axes")
        return tuple(whole(item, low) for item in value)
    return whole(value, low)


def number(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise PydanticCustomError("number", "must be a number")
    return float(value)


_LEAST_PERCENTAGE = 2
"""From which number on a share was meant in percent."""


def _share(value: object) -> float:
    share = number(value)
    if not 0 <= share <= 1:
        context = {"help": f"as a part of 1: `{share / 100:g}`"} if _LEAST_PERCENTAGE <= share <= 100 else {}
        raise PydanticCustomError("share", "must be between 0 and 1", context)
    return share


def _from_zero(value: object) -> float:
    if (result := number(value)) < 0:
        raise PydanticCustomError("low", "must be at least {low}", {"low": 0})
    return result


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise PydanticCustomError("flag", "must be yes or no")
    return value


Count: TypeAlias = Annotated[int, BeforeValidator(lambda value: whole(value, 1))]
"""A whole number of at least 1: channels, groups, features."""

Whole: TypeAlias = Annotated[int, BeforeValidator(lambda value: whole(value, -limits.SIZE))]
"""Any whole number."""

PerAxis: TypeAlias = Annotated[int | tuple[int, ...], BeforeValidator(lambda value: per_axis(value, 1))]
"""A whole number of at least 1 for all spatial axes, or one for each (height before width)."""

PerAxisOrNone: TypeAlias = Annotated[
    int | tuple[int, ...] | None, BeforeValidator(lambda value: None if value is None else per_axis(value, 1))
]
"""The same, or nothing: what that means, the layer says."""

PerAxisFromZero: TypeAlias = Annotated[int | tuple[int, ...], BeforeValidator(lambda value: per_axis(value, 0))]
"""A whole number of at least 0 for all spatial axes, or one for each (height before width)."""

Number: TypeAlias = Annotated[float, BeforeValidator(number)]
"""Any number."""

NumberFromZero: TypeAlias = Annotated[float, BeforeValidator(_from_zero)]
"""A number of at least 0."""

Share: TypeAlias = Annotated[float, BeforeValidator(_share)]
"""A number between 0 and 1."""

Flag: TypeAlias = Annotated[bool, BeforeValidator(_flag)]
"""yes or no."""


def positional(
    doc: str, default: Any = PydanticUndefined, letter: str | None = None, words: tuple[str, ...] = ()
) -> Any:
    """An argument that may be given by its place: `conv 64`; the fields stand in the order of the places."""
    extra: dict[str, Any] = {"positional": True, "letter": letter, "words": list(words)}
    return Field(default, description=doc, json_schema_extra=extra)


def option(letter: str | None, doc: str, default: Any = PydanticUndefined, words: tuple[str, ...] = ()) -> Any:
    """An argument given by its name (`stride=2`) and, with a letter, compactly (`s2`) or by the letter (`s=2`).

    `words` are words that it takes besides its type's values (`p=same`); the words of a Literal are read from the type.
    """
    extra: dict[str, Any] = {"positional": False, "letter": letter, "words": list(words)}
    return Field(default, description=doc, json_schema_extra=extra)


def reference(doc: str) -> Any:
    """An argument that names a value: `upsample like=e1`. The value becomes a further input; the field says if it is.

    Only the sizes of a referenced value are read, never what it holds.
    """
    return Field(False, description=doc, json_schema_extra={"reference": True})


# ---------------------------------------------------------------- what a layer answers


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a layer cannot take what it is given. The place in the text is attached by whoever asked.

    `parameter` is the field at fault, where it is one, and `input` the number of the input at fault, where it is one.
    """

    code: str
    message: str
    parameter: str | None = None
    input: int | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None


class Reach(NamedTuple):
    """What an output of a layer sees of its input's space.

    `axes` has a geometry for each spatial axis; None leaves each position where it is. `everywhere` says that, besides,
    the whole input has its say: global pooling, statistics over space, attention. `unknown` says that the geometry
    depends on sizes that are open, and `nothing` that what comes in has no say at all.
    """

    axes: tuple[Geometry, ...] | None = None
    everywhere: bool = False
    unknown: bool = False
    nothing: bool = False


POINTWISE = Reach()
GLOBAL = Reach(everywhere=True)
UNKNOWN_REACH = Reach(unknown=True)
BLIND = Reach(nothing=True)


def sliding(windows: tuple[Window, ...]) -> Reach:
    """What windows that slide see: a window of one that takes each position sees what stands there."""
    return POINTWISE if windows == (Window(),) * len(windows) else Reach(windows)


TO_MAP: Mapping[Kind, str] = {
    "tokens": "to_map",
    "vector": "reshape CxHxW",
    "ids": "embedding D -> to_map",
}
"""The elements that make a map of the other kinds."""


class Traffic(NamedTuple):
    """What a layer moves to and from memory, in numbers: those of each sample, and those that a whole batch shares.

    `values` and `weights` are of the type that is computed in, `ids` and `integers` are whole numbers of eight bytes.
    """

    values: int = 0
    ids: int = 0
    weights: int = 0
    integers: int = 0


class Argument(NamedTuple):
    """A declared argument, as binding, messages, hover and the reference page need it."""

    name: str
    letter: str | None
    positional: bool
    reference: bool
    required: bool
    default: object
    doc: str
    words: tuple[str, ...]
    type: Any


class Signature(NamedTuple):
    """The arguments of a layer or a block, by place and by name."""

    arguments: Mapping[str, Argument]
    positional: tuple[Argument, ...]
    letters: Mapping[str, Argument]

    def find(self, name: str) -> Argument | None:
        return self.arguments.get(name) or self.letters.get(name)


Shapes: TypeAlias = Mapping[str, tuple[int, ...]]


class Kept(NamedTuple):
    """What torch holds of a layer's run until its backward pass, besides parameters (tests/layers/test_kept.py).

    `inputs` are the numbers of the inputs that it keeps, and `output` says whether it keeps its result. Of what it
    keeps besides, `values` are numbers for each sample in the network's type, `statistics` such for the whole batch,
    `indices` whole numbers of eight bytes, and `mask` bytes, in whose place torch keeps `on_cpu` numbers on a CPU.
    `scratch` are numbers for each sample that it needs besides while it runs; where nothing is kept it needs
    `passing`, which are by default all of them.
    """

    inputs: tuple[int, ...] = ()
    output: bool = False
    values: int = 0
    statistics: int = 0
    indices: int = 0
    mask: int = 0
    on_cpu: int = 0
    scratch: int = 0
    passing: int | None = None
    frozen: "Kept | None" = None
    """What it keeps where its parameters do not train, if that is less: a matrix needs its input for its own gradient
    only.
    """


KEEPS_NOTHING = Kept()
KEEPS_INPUT = Kept((0,))
KEEPS_INPUT_TO_TRAIN = Kept((0,), frozen=KEEPS_NOTHING)
KEEPS_OUTPUT = Kept(output=True)


def elements(x: Tensor) -> int:
    """How many numbers a sample of a tensor without open sizes has."""
    count = x.elements
    assert count is not None
    return count


class Layer(BaseModel):
    """Something that a spec calls by one word.

    A subclass gives `word`, its fields, and the methods below. Every method but `check` is asked only where `check`
    found nothing and every tensor is known, though sizes of spatial axes may still be open.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True, arbitrary_types_allowed=True)

    word: ClassVar[str] = ""
    """What a spec writes."""
    aliases: ClassVar[tuple[str, ...]] = ()
    """Other words for the same layer."""
    family: ClassVar[str] = ""
    """The group that the catalog, the reference page and the diagram's colours put it in."""
    accepts: ClassVar[tuple[Kind, ...]] = ("map", "tokens", "vector")
    """The kinds of tensor it takes."""
    conversions: ClassVar[Mapping[Kind, str]] = {"ids": "embedding D"}
    """For kinds that it does not take, the element to put before it."""
    ranks: ClassVar[tuple[int, ...]] = (1, 2, 3)
    """The numbers of spatial axes it takes, of a map."""
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)
    """The least and the greatest number of inputs, references not counted; None for any number."""
    is_module: ClassVar[bool] = True
    """Whether it is a module of its own in torch; a merge is an expression."""
    has_inplace: ClassVar[bool] = False
    """Whether the module takes torch's `inplace=True`."""
    differentiates_result: ClassVar[bool] = False
    """Whether, in place, torch takes the derivative from the result; else it keeps a copy of what it overwrites."""
    rewritable: ClassVar[bool] = False
    """Whether the next layer may overwrite its output: it is no view, and its backward pass does not read it.

    Of what works while training only, its input's giver says so.
    """
    channels_last: ClassVar[bool] = False
    """Whether a map that comes out of it lies in memory with its channels last."""
    is_view: ClassVar[bool] = False
    """Whether what comes out lies in the memory of what comes in: nothing is computed, nothing is copied."""
    shares_gradient: ClassVar[bool] = False
    """Whether the gradient of what comes in lies in that of what comes out: nothing is computed on the way back."""
    trains_only: ClassVar[bool] = False
    """Whether it works while training only; in evaluation it hands on its input itself."""
    operations_per_value: ClassVar[int | None] = None
    """Arithmetic operations for each value that comes out, where all values take as many; see `operations`."""
    integer_buffers: ClassVar[tuple[str, ...]] = ("num_batches_tracked", "relative_position_index")
    """The names of buffers that hold whole numbers."""
    wants_channels_last: ClassVar[bool] = False
    """Whether it keeps a copy of a map that does not lie in memory with its channels last, in place of the map."""
    treats_axes_alike: ClassVar[bool] = False
    """Whether a map on its side gives the result on its side, by the same module, where no argument is for one axis."""
    torch_name: ClassVar[str] = ""
    """What it is called in torch, for the reference page."""

    @property
    def is_isotropic(self) -> bool:
        """Whether, with these arguments, all spatial axes are treated alike."""
        return self.treats_axes_alike and not any(type(value) is tuple for value in self.__dict__.values())

    @property
    def tracks(self) -> bool:
        """Whether it averages statistics of the batches while the module trains, and uses them in evaluation."""
        return False

    @property
    def works_in_place(self) -> bool:
        """Whether the module, with these arguments, may overwrite its input and still be trained."""
        return self.has_inplace

    def check(self, *inputs: Tensor) -> Iterator[Problem]:
        """What is wrong with these inputs, beyond their kind, rank and number, which are checked before."""
        yield from ()

    def output(self, *inputs: Tensor) -> Tensor | tuple[Tensor, ...]:
        """What comes out; a tuple where there are several results."""
        return inputs[0]

    def weights(self, *inputs: Tensor) -> Shapes:
        """The parameters: name to shape, in the order of torch's `state_dict()`; "" names the layer itself."""
        return {}

    def buffers(self, *inputs: Tensor) -> Shapes:
        """What `state_dict()` holds besides parameters."""
        return {}

    def reach(self, *inputs: Tensor) -> Reach:
        """What an output sees of the input's space."""
        return POINTWISE

    def macs(self, *inputs: Tensor) -> int | None:
        """Multiply-accumulates for one sample; None where a size is open.

        The rule is torchvision's: multiplications of convolutions, linear layers and matrix products, and no others.
        """
        weight = self.weights(*inputs).get("weight")
        if weight is None or len(weight) < 2:
            return 0
        output = self.output(*inputs)
        assert isinstance(output, Tensor)
        positions = product(output.space)
        return None if positions is None else positions * (product(weight) or 0)

    def operations(self, *inputs: Tensor) -> int | None:
        """Arithmetic operations for one sample in evaluation; None where a size is open, or the layer does not say.

        Each addition, multiplication, division and comparison is one, and so is each exp, log, tanh, erf, sqrt or pow;
        what is the same for every input counts nothing. docs/counting.md has the rule, layer by layer.
        """
        if self.is_view or self.trains_only:
            return 0
        output = self.output(*inputs)
        results = (output,) if isinstance(output, Tensor) else output
        if self.operations_per_value is not None:
            return times(self.operations_per_value, results)
        macs, values = self.macs(*inputs), times(1, results)
        if not macs or values is None:
            return None
        # Each value is a sum: of n products it has n - 1 additions, and with a bias n.
        return 2 * macs - (0 if "bias" in self.weights(*inputs) else values)

    def traffic(self, *inputs: Tensor) -> Traffic | None:
        """What it reads and writes in evaluation, each number once; None where a size is open."""
        if self.is_view or self.trains_only:
            return Traffic()
        output = self.output(*inputs)
        results = (output,) if isinstance(output, Tensor) else output
        read = () if self.reach(*inputs).nothing else inputs[: len(inputs) - self.references]
        values, ids = (
            times(1, [x for x in (*results, *read) if (x.kind == "ids") is whole]) for whole in (False, True)
        )
        if values is None or ids is None:
            return None
        weights, integers = sum(map(prod, self.weights(*inputs).values())), 0
        for name, shape in self.buffers(*inputs).items():
            if name not in self.integer_buffers:
                weights += prod(shape)
            elif shape:  # the count of batches is for training
                integers += prod(shape)
        return Traffic(values, ids, weights, integers)

    def keeps(self, *inputs: Tensor) -> Kept:
        """What torch holds of it until the backward pass; asked only where every size is known."""
        return KEEPS_NOTHING if self.is_view else KEEPS_INPUT

    def lower(self, *inputs: Tensor) -> Call | Expression | Parameter:
        """What it is in the generated source."""
        raise NotImplementedError

    # ------------------------------------------------------------ read from the declaration

    @property
    def references(self) -> int:
        """How many of its inputs, the last ones, it reads the sizes of only."""
        arguments = self.signature().arguments.values()
        return sum([bool(getattr(self, argument.name)) for argument in arguments if argument.reference])

    @classmethod
    def signature(cls) -> Signature:
        """The declared arguments."""
        known = cls.__dict__.get("_signature_")
        if known is None:
            known = _signature(cls)
            type.__setattr__(cls, "_signature_", known)
        return known


def _signature(layer: type[Layer]) -> Signature:
    arguments = {}
    for name, field in layer.model_fields.items():
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        words = tuple(str(word) for word in extra.get("words") or ())  # type: ignore[union-attr]
        arguments[name] = Argument(
            name,
            extra.get("letter"),  # type: ignore[arg-type]
            bool(extra.get("positional")),
            bool(extra.get("reference")),
            field.is_required(),
            None if field.is_required() else field.default,
            field.description or "",
            words + _literal_words(field.annotation),
            field.annotation,
        )
    positional = tuple(a for a in arguments.values() if a.positional)
    letters = {a.letter: a for a in arguments.values() if a.letter}
    return Signature(arguments, positional, letters)


def _literal_words(annotation: Any) -> tuple[str, ...]:
    if get_origin(annotation) is Literal:
        return tuple(word for word in get_args(annotation) if isinstance(word, str))
    return tuple(word for part in get_args(annotation) for word in _literal_words(part))


def times(operations: int, tensors: Iterable[Tensor]) -> int | None:
    """So many for each value of all tensors; None where a size is open."""
    total = 0
    for tensor in tensors:
        if (elements := tensor.elements) is None:
            return None
        total += operations * elements
    return total


def each(value: int | tuple[int, ...], rank: int) -> tuple[int, ...]:
    """A per-axis argument, written out for that many axes."""
    return value if isinstance(value, tuple) else (value,) * rank


def compact(values: tuple[int, ...]) -> int | tuple[int, ...]:
    """A per-axis argument as people write it: one number where all are equal."""
    return values[0] if len(set(values)) == 1 else values


def changed(layer: Layer, *names: str) -> dict[str, Any]:
    """The arguments that differ from their default, by name; of all arguments if none is named."""
    fields = type(layer).model_fields
    values = {name: getattr(layer, name) for name in names or fields}
    return {name: value for name, value in values.items() if value != fields[name].default}


def features(x: Tensor) -> int:
    """The channels of a tensor whose number of them is known."""
    assert isinstance(x.channels, int)
    return x.channels


def channels_problems(layer: Layer, x: Tensor) -> Iterator[Problem]:
    """A layer whose weights are counted in channels needs their number."""
    if not isinstance(x.channels, int):
        axis = "size" if x.kind == "vector" else "number of channels"
        yield Problem(
            "unknown-size",
            f"{layer.word} has weights for each channel, but the {axis} is not known: {x}",
            help="give the sizes of the input, or put `gap` before `flatten`",
        )


def axes_problems(layer: Layer, rank: int, *names: str) -> Iterator[Problem]:
    """A problem for each per-axis argument that has another number of axes than the map."""
    for name in names:
        value = getattr(layer, name)
        if isinstance(value, tuple) and len(value) != rank:
            written = "x".join(map(str, value))
            yield Problem(
                "wrong-axes",
                f"{layer.word} got {name} {written} for {len(value)} axes, but the map has {rank}",
                parameter=name,
                help="give one number" if rank == 1 else f"give one number, or {rank} joined by x",
            )
