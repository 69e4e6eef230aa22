"""What names stand for while a network is built."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from archdsl.graph import Value
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from archdsl.layers.base import Argument, Layer
    from archdsl.project import Module


class _Sentinel:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name


SILENT: Final = _Sentinel("SILENT")
"""A value that an error, already reported, keeps from being known."""

OPEN: Final = _Sentinel("OPEN")
"""A size that the spec leaves open and that only `--input` settles."""

MISSING: Final = _Sentinel("MISSING")
"""No such name."""


Defaults = dict["type[Layer]", "Mapping[str, Default]"]
"""For each layer, by the name of the argument, what it takes unless it is given another."""


class Env:
    """Names in scope: a body inside a body sees the outer one's."""

    __slots__ = ("defaults", "given", "module", "modules", "names", "parent", "source")

    def __init__(self, module: Module, parent: Env | None = None) -> None:
        self.module = module
        self.source = module.parsed.source
        self.parent = parent
        self.names: dict[str, Any] = {}
        self.defaults: Defaults = parent.defaults if parent else {}
        self.given: GivenParameters | None = None
        """Of a block's or a network's own names: what its parameters were given."""
        self.modules: dict[str, int] | None = None
        """The numbers of the activations that `as` has named; -1 after an error."""

    def find(self, name: str) -> Any:
        env: Env | None = self
        while env is not None:
            found = env.names.get(name, MISSING)
            if found is not MISSING:
                return found
            env = env.parent
        return MISSING

    def module_named(self, name: str) -> int | None:
        """The number of the activation that a name in scope is given to; -1 after an error."""
        env: Env | None = self
        while env is not None:
            if env.modules is not None and name in env.modules:
                return env.modules[name]
            if name in env.names:
                break
            env = env.parent
        return None

    def visible(self) -> set[str]:
        """Every name in scope, for suggestions."""
        names: set[str] = set()
        env: Env | None = self
        while env is not None:
            names.update(env.names)
            env = env.parent
        return names


class Default(NamedTuple):
    """What a layer takes for an argument that it is not given: where that is written, and its value if it is known."""

    argument: tree.Argument
    env: Env
    field: Argument
    constant: Any


class GivenParameters(NamedTuple):
    """What the parameters of a block or a network were given: the arguments, each with the names of its place."""

    parameters: tuple[tree.Parameter, ...]
    arguments: Sequence[tuple[tree.Argument, Env]]

    def argument(self, name: str) -> tuple[tree.Argument, Env] | None:
        """The argument for a parameter; None where it took its default."""
        by_name = {argument.name.text for argument, _ in self.arguments if argument.name is not None}
        free = [p.name.text for p in self.parameters if p.name.text not in by_name]
        for argument, env in self.arguments:
            if argument.name is not None:
                meant = argument.name.text
            elif isinstance(argument.value, tree.Name) and _is_compact(argument.value.text, name):
                meant = name
            else:
                meant = free.pop(0) if free else ""
            if meant == name:
                return argument, env
        return None

    def default(self, name: str) -> tree.Expression | None:
        return next((p.default for p in self.parameters if p.name.text == name), None)


def _is_compact(text: str, name: str) -> bool:
    return len(name) == 1 and text.startswith(name) and text[1:2].isdigit()


@dataclass(frozen=True, slots=True)
class BlockValue:
    """A block, as a name for it is passed around."""

    definition: tree.Block
    env: Env
    """The names of the file that it was written in."""
    parameters: tuple[str, ...] = field(init=False, compare=False)
    takes: tuple[str, ...] = field(init=False, compare=False)
    """The names of what flows in; `in` where the block names nothing."""

    def __post_init__(self) -> None:
        definition = self.definition
        object.__setattr__(self, "parameters", tuple([p.name.text for p in definition.parameters]))
        object.__setattr__(self, "takes", tuple([take.text for take in definition.takes]) or ("in",))

    def __str__(self) -> str:
        return self.definition.name.text


@dataclass(frozen=True, slots=True)
class LayerValue:
    """A layer's word as a value: `act=relu`."""

    layer: type[Layer]

    def __str__(self) -> str:
        return self.layer.word


@dataclass(frozen=True, slots=True)
class Partial:
    """A layer, a block or a network with some of its arguments: `act=leaky_relu(0.2)`."""

    target: BlockValue | LayerValue | NetValue
    arguments: tuple[tree.Argument, ...]
    env: Env
    text: str

    def __str__(self) -> str:
        return self.text


@dataclass(slots=True, eq=False)
class Shared:
    """`share name = element`: the element, and its module once it has been used."""

    definition: tree.Share
    env: Env
    frame: Any
    """The module that it belongs to, wherever it is used."""
    first: Any = None
    """What its first use makes of it."""

    def __str__(self) -> str:
        return self.definition.name.text


@dataclass(frozen=True, slots=True)
class NetValue:
    """A network or a variant, as a name for it is passed around."""

    definition: tree.Net | tree.Variant
    module: Module
    """The file that it is written in."""

    def __str__(self) -> str:
        return self.definition.name.text


@dataclass(slots=True, eq=False)
class Question:
    """What a contract may ask of the finished network, with arguments: `peak_memory(batch=32, train)`."""

    name: str
    parameters: Mapping[str, tuple[str, ...] | None]
    """For each argument the words that it takes, or None for a whole number; a word may stand alone."""
    answer: Callable[..., tuple[Any, tuple[str, ...]]]
    """The value, and what is to be noted where the contract does not hold."""
    steps: int
    """How much work an answer is."""
    required: tuple[str, ...] = ()
    """The arguments that it cannot do without."""
    said: list[str] = field(default_factory=list)
    """The notes of the answers so far."""


def is_number(value: object) -> bool:
    """Whether it is a number; yes and no are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def describe(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if is_number(value):
        return f"the number {value}"
    if isinstance(value, str):
        return f'the text "{value}"'
    if isinstance(value, Value):
        return "a value that flows"
    if type(value) is tuple:
        return "a list"
    if isinstance(value, LayerValue):
        return f"the layer {value}"
    if isinstance(value, BlockValue):
        return f"the block {value}"
    if isinstance(value, Partial):
        return f"the element {value}"
    if isinstance(value, NetValue):
        return f"the network {value}"
    if isinstance(value, Shared):
        return "a shared module"
    if isinstance(value, Question):
        return f"a question without its brackets: `{value.name}()`"
    return "a size that is open"
