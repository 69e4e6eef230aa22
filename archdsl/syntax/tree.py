"""The syntax tree: one frozen dataclass for each construct of the language.

`start` and `end` are offsets into the source and do not count when trees are compared, so that a tree equals what is
read back from its printed text.
"""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from archdsl.records import Record
from archdsl.records import record as node


@node
class Node(Record):
    start: int
    end: int
    unnamed: ClassVar[int] = 2


# ---------------------------------------------------------------- expressions


@node
class Name(Node):
    """The name of a value, a parameter, a layer or a block; `in` is the name of a block's input."""

    text: str


@node
class Number(Node):
    """A number; 5M, 4.1G, 25K and 8GiB are written out."""

    value: int | float


@node
class Size(Node):
    """Extents joined by x: 3x224x224, 3xHxW."""

    extents: tuple[int | str, ...]


@node
class String(Node):
    value: str


@node
class Constant(Node):
    """yes or no."""

    value: bool


@node
class Symbol(Node):
    """A capital letter: any size."""

    text: str


@node
class List(Node):
    items: tuple[Expression, ...]


@node
class Attribute(Node):
    """in.c, e1.shape; body.layer2 and body.layer2.0, what comes out of a part of a named module."""

    base: Expression
    name: str


@node
class Index(Node):
    base: Expression
    index: Expression


@node
class Slice(Node):
    """base[first..stop]: the elements from `first` on, as far as `stop`, which is not among them."""

    base: Expression
    first: Expression | None
    stop: Expression | None


@node
class Function(Node):
    """max(a, b); also a layer with arguments as a value: leaky_relu(0.2)."""

    name: Name
    arguments: tuple[Argument, ...]


@node
class Unary(Node):
    operator: str
    operand: Expression


@node
class Binary(Node):
    operator: str
    left: Expression
    right: Expression


@node
class Argument(Node):
    """A value for a layer or a block, by position or by name."""

    name: Name | None
    value: Expression


# ---------------------------------------------------------------- the flow


@node
class Call(Node):
    """A layer, a block, a shared module or a value, by name, with its arguments."""

    name: Name
    arguments: tuple[Argument, ...]


@node
class Path(Node):
    """The path of a layer or a module: layer2.0.conv2."""

    text: str


@node
class Tap(Node):
    """body.layer2: what comes out of a layer or a module inside a named one."""

    name: Name
    path: Path


@node
class Chain(Node):
    """Elements one after the other."""

    elements: tuple[Element, ...]


@node
class Group(Node):
    """( a | b ): branches over one input; with one branch, brackets and nothing more."""

    branches: tuple[Chain, ...]


@node
class Condition(Node):
    test: Expression
    then: Body
    otherwise: Body | None


@node
class Loop(Node):
    """for names in rows, or for name in first..stop."""

    names: tuple[Name, ...]
    rows: Expression
    stop: Expression | None
    body: Body


@node
class Repeat(Node):
    element: Element
    count: Expression


@node
class Label(Node):
    """What follows `as`: text and computed parts, in turn."""

    parts: tuple[str | Expression, ...]


@node
class Named(Node):
    """X as name; with `numbered`, X as name[]."""

    element: Element
    label: Label
    numbered: bool


@node
class Checked(Node):
    """X : shape."""

    element: Element
    shape: Expression


@node
class Body(Node):
    statements: tuple[Statement, ...]


# ---------------------------------------------------------------- statements


@node
class Input(Node):
    """input name : kind shape of vocabulary."""

    name: Name | None
    kind: Name | None
    shape: Expression
    of: Name | None
    vocabulary: Expression | None
    doc: str


@node
class Output(Node):
    names: tuple[Name, ...]
    when: Name | None
    doc: str


@node
class Let(Node):
    name: Name
    value: Expression
    doc: str


@node
class Default(Node):
    layer: Name
    arguments: tuple[Argument, ...]
    doc: str


@node
class Share(Node):
    name: Name
    element: Element
    doc: str


@node
class Expect(Node):
    """A contract: on the whole network, or on what stands at a path."""

    condition: Expression
    multiple: Expression | None
    """Of `expect sizes multiple_of 32`, the number."""
    at: Path | None
    doc: str


@node
class Preprocess(Node):
    """What becomes of an image before it flows into the network."""

    settings: tuple[Argument, ...]
    doc: str


@node
class Part(Node):
    """What is said of a layer or a module in a stage of training, by its path."""

    path: Path
    settings: tuple[Argument, ...]


@node
class Stage(Node):
    name: Name
    settings: tuple[Argument, ...]
    parts: tuple[Part, ...]
    doc: str


@node
class Recipe(Node):
    """Which parts train in which stage, and how fast."""

    stages: tuple[Stage, ...]
    doc: str


@node
class Line(Node):
    """A chain that stands as a statement: it goes on from the line above, or from the value it begins with."""

    chain: Chain
    doc: str


@node
class Mistake(Node):
    """What could not be read. Its value is unknown, which silences what depends on it."""


# ---------------------------------------------------------------- definitions


@node
class Parameter(Node):
    name: Name
    default: Expression | None


@node
class Use(Node):
    names: tuple[Name, ...]
    path: String
    doc: str


@node
class Net(Node):
    name: Name
    parameters: tuple[Parameter, ...]
    body: Body
    doc: str


@node
class Variant(Node):
    """net name = base(arguments), and in a body perhaps what it promises of itself as it is written here."""

    name: Name
    base: Name
    arguments: tuple[Argument, ...]
    body: Body | None
    doc: str


@node
class Block(Node):
    """A reusable part. `takes` names its inputs; without it there is one, `in`."""

    name: Name
    parameters: tuple[Parameter, ...]
    takes: tuple[Name, ...]
    body: Body
    doc: str


@node
class File(Node):
    definitions: tuple[Definition, ...]


Expression: TypeAlias = (
    Name
    | Number
    | Size
    | String
    | Constant
    | Symbol
    | List
    | Attribute
    | Index
    | Slice
    | Function
    | Unary
    | Binary
    | Mistake
)
Element: TypeAlias = Call | Tap | Group | Condition | Loop | Repeat | Named | Checked | Mistake
Statement: TypeAlias = Input | Output | Let | Default | Share | Expect | Preprocess | Recipe | Line | Mistake
Definition: TypeAlias = Use | Let | Default | Net | Variant | Block | Mistake
