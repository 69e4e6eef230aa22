"""Expressions and what they come to. Nothing here can run for long, and nothing can reach outside the spec."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol

from archdsl import limits
from archdsl.diagnostics.model import Label, nearest
from archdsl.elaborate import meant
from archdsl.elaborate.functions import FUNCTIONS
from archdsl.elaborate.origins import blamed, facts
from archdsl.elaborate.values import (
    MISSING,
    OPEN,
    SILENT,
    BlockValue,
    Env,
    LayerValue,
    NetValue,
    Partial,
    Question,
    describe,
    is_number,
)
from archdsl.errors import ArchError
from archdsl.graph import SizeRead, Value, shown
from archdsl.source import Span
from archdsl.syntax import tree
from archdsl.syntax.printer import print_expression

if TYPE_CHECKING:
    from archdsl.layers.catalog import Catalog
    from archdsl.layers.tensor import Tensor


_SIZES = {"c": "channels", "h": "height", "w": "width", "d": "depth", "l": "length", "shape": "all sizes"}
"""What may be asked of a value."""


class Reporter(Protocol):
    """Takes findings in the file being elaborated."""

    def __call__(
        self,
        code: str,
        message: str,
        node: tree.Node,
        env: Env,
        *,
        labels: Sequence[Label] = (),
        notes: Sequence[str] = (),
        help: str | None = None,
        warn: bool = False,
    ) -> None: ...


class Expressions:
    """Evaluates expressions in an environment; what cannot be evaluated is reported once and becomes SILENT."""

    def __init__(
        self,
        catalog: Catalog,
        report: Reporter,
        tensor: Callable[[Value], Tensor],
        spend: Callable[[int, tree.Node, Env], None],
        size_reads: list[SizeRead],
    ) -> None:
        self.catalog = catalog
        self.report = report
        self.spend = spend
        self.tensor = tensor
        self.weights: dict[int, tuple[tuple[Any, ...], int, int]] = {}
        """Of lists that hold lists: the list (held, so that its identity stays its own), its values, its depth."""
        self.size_reads = size_reads
        self.parts: Callable[[int, tree.Node, Env], Mapping[str, tuple[Value, ...]]] = lambda *_: {}
        """What comes out of the parts of a module, by the number of its activation."""

    def value(self, node: tree.Expression, env: Env) -> Any:
        """What an expression comes to: a number, text, yes or no, a tuple, a Value, an element; or SILENT or OPEN."""
        kind = type(node)
        if kind is tree.Name:
            found = env.names.get(node.text, MISSING)  # type: ignore[union-attr]
            if found is MISSING:
                found = env.find(node.text)  # type: ignore[union-attr]
            return self.word(node, env) if found is MISSING else found  # type: ignore[arg-type]
        if kind is tree.Number or kind is tree.String or kind is tree.Constant:
            return node.value  # type: ignore[union-attr]
        self.spend(1, node, env)
        return _METHODS[kind](self, node, env)

    def shape(self, node: tree.Expression, env: Env) -> Any:
        """A written shape, of an input or to be checked, or a contract: what it asks of sizes changes no network."""
        before = len(self.size_reads)
        value = self.value(node, env)
        del self.size_reads[before:]
        return value

    def settled(self, node: tree.Expression, env: Env) -> Any:
        """The value of an expression that must be known now; an open size is reported."""
        value = self.value(node, env)
        if value is OPEN:
            self.open_size(node, env)
            return SILENT
        return value

    def open_size(self, node: tree.Node, env: Env) -> None:
        message = "this depends on a size that the spec leaves open"
        self.report("unknown-size", message, node, env, help="give the size: --input 3x224x224")

    # ------------------------------------------------------------ names

    def word(self, node: tree.Name, env: Env) -> Any:
        """A name that stands for nothing in the spec: a layer's word, or a mistake."""
        layer = self.catalog.find(node.text)
        if layer is not None:
            return LayerValue(layer)
        self.unknown(node, env)
        return SILENT

    def unknown(self, node: tree.Name, env: Env, further: tuple[str, ...] = ()) -> None:
        help = meant.value(node, env, self.catalog, lambda steps: self.spend(steps, node, env), further)
        self.report("unknown-name", f"nothing here is called `{node.text}`", node, env, help=help)

    def attribute(self, node: tree.Attribute, env: Env) -> Any:
        if node.name not in _SIZES and (tapped := self.tapped(node, env)) is not MISSING:
            return tapped
        base = self.value(node.base, env)
        if base is SILENT:
            return SILENT
        if not isinstance(base, Value):
            self.wrong(node, env, f"only a value has `.{node.name}`, and this is {describe(base)}")
            return SILENT
        tensor = self.tensor(base)
        if not tensor.known:
            return SILENT
        if node.name == "shape":
            self.reads(base, range(len(tensor.dims)), node, env)
            return tuple(size if isinstance(size, int) else OPEN for size in tensor.dims)
        if node.name == "c":
            if tensor.rank == 0 or tensor.kind == "ids":
                self.reads(base, (0,), node, env)
            return _settled(tensor.channels)
        axes = {"h": -2, "w": -1, "d": -3}
        if node.name == "l" and tensor.rank == 1:
            self.reads(base, (1 if tensor.kind == "map" else 0,), node, env)
            return _settled(tensor.space[0])
        if node.name in axes and tensor.kind == "map":
            if tensor.rank >= -axes[node.name]:
                self.reads(base, (len(tensor.dims) + axes[node.name],), node, env)
                return _settled(tensor.space[axes[node.name]])
            self.wrong(node, env, f"{tensor} has no `.{node.name}`", "a map with one spatial axis has `.l` or `.w`")
            return SILENT
        if node.name in _SIZES:
            self.wrong(node, env, f"{tensor}, {tensor.described}, has no {_SIZES[node.name]} (`.{node.name}`)")
        else:
            listed = ", ".join(f".{name} ({meaning})" for name, meaning in _SIZES.items())
            self.wrong(node, env, f"a value has no `.{node.name}`", f"it has {listed}")
        return SILENT

    def tapped(self, node: tree.Attribute, env: Env) -> Any:
        """`body.layer2`: what comes out of a part of a named module; MISSING where it is none, nor meant to be."""
        names = [node.name]
        base = node.base
        while type(base) is tree.Attribute:
            names.append(base.name)
            base = base.base
        index = env.module_named(base.text) if type(base) is tree.Name else None
        if index is None:
            return MISSING
        if index < 0:
            return SILENT
        assert isinstance(base, tree.Name)
        path = ".".join(reversed(names))
        known = self.parts(index, node, env)
        flow = known.get(path)
        if flow is not None and len(flow) == 1:
            return flow[0]
        if flow is not None:
            self.wrong(node, env, f"{len(flow)} values come out of `{path}`, and one is needed here")
            return SILENT
        near = nearest(path, known)
        if near is None:
            return MISSING
        message = f"`{base.text}` has no layer `{path}`"
        self.report("unknown-name", message, node, env, help=f"did you mean `{base.text}.{near}`?")
        return SILENT

    # ------------------------------------------------------------ lists

    def size(self, node: tree.Size, env: Env) -> Any:
        return tuple(
            extent if isinstance(extent, int) else self.symbol_value(extent, env, node) for extent in node.extents
        )

    def symbol(self, node: tree.Symbol, env: Env) -> Any:
        return self.symbol_value(node.text, env, node)

    def symbol_value(self, text: str, env: Env, node: tree.Node) -> Any:
        found = env.find(text)
        if not isinstance(found, int):
            return OPEN
        self.size_reads.append(SizeRead(None, 0, Span(env.source, node.start, node.end)))
        return found

    def reads(self, value: Value, axes: Iterable[int], node: tree.Node, env: Env) -> None:
        """Puts down that sizes of a value are asked for."""
        span = Span(env.source, node.start, node.end)
        self.size_reads += [SizeRead(value, axis, span) for axis in axes]

    def list(self, node: tree.List, env: Env) -> Any:
        self.spend(len(node.items), node, env)
        items = tuple(self.value(item, env) for item in node.items)
        return SILENT if any(item is SILENT for item in items) else self.bounded_list(items, node, env)

    def bounded_list(self, items: tuple[Any, ...], node: tree.Node, env: Env) -> Any:
        """A list, if with the lists inside it is not too large: names let a short text write an endless one."""
        self.spend(len(items) >> 3, node, env)
        weights = [self.weight(item) for item in items if type(item) is tuple]
        count = len(items) + sum(count for count, _ in weights)
        depth = 1 + max((depth for _, depth in weights), default=0)
        if count > limits.LIST_ITEMS:
            self.wrong(node, env, f"a list may hold {limits.LIST_ITEMS:,} values at most")
            return SILENT
        if depth > limits.NESTING:
            self.wrong(node, env, f"lists nest more than {limits.NESTING} deep")
            return SILENT
        if weights:
            self.weights[id(items)] = (items, count, depth)
        return items

    def weight(self, value: tuple[Any, ...]) -> tuple[int, int]:
        """How many values a list holds, with those of the lists inside it, and how deep these nest."""
        known = self.weights.get(id(value))
        return (len(value), 1) if known is None else known[1:]

    def index(self, node: tree.Index, env: Env) -> Any:
        base, index = self.value(node.base, env), self.value(node.index, env)
        if base is SILENT or index is SILENT:
            return SILENT
        if index is OPEN:
            return OPEN
        if type(base) is not tuple:
            message = f"only a list has elements, and this is {describe(base)}"
            self.blame(node.base, node, env, message, "an element is asked for here")
            return SILENT
        if not _is_whole(index):
            self.wrong(node, env, f"the number of an element must be whole, got {shown(index)}")
            return SILENT
        if not -len(base) <= index < len(base):
            message = f"the list has {len(base)} elements, and number {shown(index)} is asked for"
            self.wrong(node, env, message, f"elements are numbered from 0 to {len(base) - 1}" if base else None)
            return SILENT
        return base[int(index)]

    def slice(self, node: tree.Slice, env: Env) -> Any:
        base = self.value(node.base, env)
        if base is SILENT:
            return SILENT
        if type(base) is not tuple:
            message = f"only a list has parts, and this is {describe(base)}"
            self.blame(node.base, node, env, message, "a part is asked for here")
            return SILENT
        whole: tuple[Any, ...] = base
        first: Any = 0 if node.first is None else self.value(node.first, env)
        stop: Any = len(whole) if node.stop is None else self.value(node.stop, env)
        for end in (first, stop):
            if end is SILENT or end is OPEN:
                return end
            if not _is_whole(end):
                self.wrong(node, env, f"a part of a list runs between whole numbers, got {describe(end)}")
                return SILENT
        if not 0 <= first <= stop <= len(whole):
            message = (
                f"the list has {len(whole)} elements, and those from {shown(first)} to {shown(stop)} are asked for"
            )
            self.wrong(node, env, message, f"a part runs from 0 to {len(whole)} at most, and not backwards")
            return SILENT
        return self.bounded_list(whole[int(first) : int(stop)], node, env)

    # ------------------------------------------------------------ functions

    def function(self, node: tree.Function, env: Env) -> Any:
        known = FUNCTIONS.get(node.name.text)
        bound = env.find(node.name.text)
        if isinstance(bound, Question):
            return self.ask(node, bound, env)
        if bound is not MISSING or (known is None and self.catalog.find(node.name.text)):
            return self.partial(node, bound, env)
        if known is None and node.name.text == "range" and len(node.arguments) == 1:
            stop = node.arguments[0].value
            text = f"0..{env.source.text[stop.start : stop.end]}"
            self.report("unknown-name", "nothing here is called `range`", node.name, env, help=f"write `{text}`")
            return SILENT
        if known is None:
            self.unknown(node.name, env, tuple(FUNCTIONS))
            return SILENT
        function, least, most, _ = known
        if any(argument.name for argument in node.arguments):
            self.wrong(node, env, f"{node.name.text} takes no named arguments")
            return SILENT
        if len(node.arguments) < least or (most is not None and len(node.arguments) > most):
            self.wrong(node, env, f"{node.name.text} takes {least} argument{'s' * (least > 1)}")
            return SILENT
        values = [self.value(argument.value, env) for argument in node.arguments]
        self.spend(sum([len(value) if type(value) is tuple else 1 for value in values]), node, env)
        flat = [item for value in values for item in (value if type(value) is tuple else (value,))]
        if any(value is SILENT for value in flat):
            return SILENT
        if any(value is OPEN for value in flat) and node.name.text != "len":
            return OPEN
        if node.name.text == "len":
            if type(values[0]) is not tuple:
                self.wrong(node, env, f"len needs a list, got {describe(values[0])}")
                return SILENT
            return len(values[0])
        if not all(is_number(value) for value in flat) or not (flat or node.name.text == "sum"):
            self.wrong(node, env, f"{node.name.text} needs numbers")
            return SILENT
        if node.name.text == "round_to" and (not _is_whole(values[1]) or values[1] < 1):
            self.wrong(node, env, f"round_to needs a whole divisor of at least 1, got {shown(values[1])}")
            return SILENT
        try:
            return self.bounded(function(*values), node, env)
        except (TypeError, ValueError, OverflowError):
            self.wrong(node, env, f"{node.name.text} needs numbers")
            return SILENT

    def ask(self, node: tree.Function, question: Question, env: Env) -> Any:
        """What the finished network answers."""
        given: dict[str, Any] = {}
        for argument in node.arguments:
            value = argument.value
            word = value.text if isinstance(value, tree.Name) else None
            homes = (name for name, words in question.parameters.items() if words and word in words)
            name = argument.name.text if argument.name else next(homes, None)
            if name is None or name not in question.parameters or name in given:
                takes = ("|".join(words) if words else f"{of}=..." for of, words in question.parameters.items())
                known = chain(question.parameters, *filter(None, question.parameters.values()))
                near = nearest(name or word or "", known)
                help = f"did you mean `{near}`?" if near else f"it takes {', '.join(takes)}"
                self.wrong(argument, env, f"{question.name} cannot take `{_text(argument, env)}`", help)
                return SILENT
            words = question.parameters[name]
            if words is None:
                number = self.settled(value, env)
                if number is SILENT:
                    return SILENT
                if not _is_whole(number) or not 1 <= number <= limits.BATCH:
                    message = f"{name} must be a whole number from 1 to {limits.BATCH:,}, got {describe(number)}"
                    self.wrong(argument, env, message)
                    return SILENT
                given[name] = int(number)
            elif word in words:
                given[name] = word
            else:
                message = f"{question.name} has no {name} `{_text(argument, env)}`"
                self.wrong(argument, env, message, f"choose from {', '.join(words)}")
                return SILENT
        for name in question.required:
            if name not in given:
                words = question.parameters[name] or ()
                self.wrong(node, env, f"{question.name} needs a {name}", f"one of {', '.join(words)}")
                return SILENT
        self.spend(question.steps, node, env)
        try:
            answer, notes = question.answer(**given)
        except ArchError as problem:  # two words that do not go together
            self.wrong(node, env, str(problem))
            return SILENT
        question.said += notes
        return answer

    def partial(self, node: tree.Function, bound: Any, env: Env) -> Any:
        target = bound
        if bound is MISSING:
            layer = self.catalog.find(node.name.text)
            assert layer is not None
            target = LayerValue(layer)
        if target is SILENT:
            return SILENT
        if isinstance(target, Partial):
            self.spend(len(target.arguments), node, env)
            return Partial(target.target, target.arguments + node.arguments, env, _written(node, env))
        if not isinstance(target, BlockValue | LayerValue | NetValue):
            self.wrong(node, env, f"`{node.name.text}` cannot be called, it is {describe(target)}")
            return SILENT
        return Partial(target, node.arguments, env, _written(node, env))

    # ------------------------------------------------------------ operators

    def unary(self, node: tree.Unary, env: Env) -> Any:
        value = self.value(node.operand, env)
        if value is SILENT or value is OPEN:
            return value
        if node.operator == "not":
            if not isinstance(value, bool):
                self.wrong(node, env, f"`not` needs yes or no, got {describe(value)}")
                return SILENT
            return not value
        if not is_number(value):
            self.wrong(node, env, f"`-` needs a number, got {describe(value)}")
            return SILENT
        return -value

    def binary(self, node: tree.Binary, env: Env) -> Any:
        operator = node.operator
        if operator == "//" and type(node.right) is tree.Name and self.is_comment(node.right, env):
            help = "a comment begins with `#`; `//` divides"
            self.report("unknown-name", f"nothing here is called `{node.right.text}`", node.right, env, help=help)
            return SILENT
        left = self.value(node.left, env)
        if operator in ("and", "or"):
            return self.logical(node, left, env)
        right = self.value(node.right, env)
        if type(left) is int and type(right) is int and operator not in _DIVISIONS:
            if operator in ("==", "!="):
                return (left == right) is (operator == "==")
            return self.bounded(_OPERATIONS[operator](left, right), node, env)
        if left is SILENT or right is SILENT:
            return SILENT
        if left is OPEN or right is OPEN:
            return OPEN
        for value in (left, right):
            if type(value) is Value:
                help = "`.c`, `.h`, `.w` and `.shape` are its sizes"
                self.wrong(node, env, f"`{operator}` cannot take {describe(value)}", help)
                return SILENT
        if operator in ("==", "!="):
            if type(left) is tuple:
                self.spend(self.weight(left)[0], node, env)
            return (left == right) is (operator == "==")
        if operator == "+" and type(left) is tuple and type(right) is tuple:
            self.spend((len(left) + len(right)) >> 3, node, env)
            return self.bounded_list(left + right, node, env)
        for value, side in ((left, node.left), (right, node.right)):
            if not is_number(value):
                message = f"`{operator}` needs numbers, got {describe(value)}"
                self.blame(side, node, env, message, "it is used here")
                return SILENT
        if operator in _DIVISIONS and right == 0:
            self.wrong(node, env, f"{shown(left)} {operator} 0 divides by zero")
            return SILENT
        try:
            return self.bounded(_OPERATIONS[operator](left, right), node, env)
        except OverflowError:
            self.wrong(node, env, "the number is too large")
            return SILENT

    def is_comment(self, node: tree.Name, env: Env) -> bool:
        """Whether what is divided by is no name but the first word of what was meant as a comment."""
        return env.find(node.text) is MISSING and self.catalog.find(node.text) is None and node.text != "in"

    def logical(self, node: tree.Binary, left: Any, env: Env) -> Any:
        decisive = node.operator == "or"
        if left is decisive:
            return decisive
        right = self.value(node.right, env)
        if left is SILENT or right is SILENT:
            return SILENT
        if right is decisive:
            return decisive
        for value in (left, right):
            if not isinstance(value, bool) and value is not OPEN:
                self.wrong(node, env, f"`{node.operator}` needs yes or no on both sides, got {describe(value)}")
                return SILENT
        return OPEN if OPEN in (left, right) else right

    def bounded(self, value: Any, node: tree.Node, env: Env) -> Any:
        if isinstance(value, float) and value.is_integer() and type(node) is tree.Function:
            value = int(value)
        if is_number(value) and abs(value) > 2**63:
            self.wrong(node, env, "the number is too large")
            return SILENT
        return value

    def mistake(self, node: tree.Mistake, env: Env) -> Any:
        return SILENT

    def blame(self, part: tree.Node, node: tree.Node, env: Env, message: str, use: str) -> None:
        """Reports a part of an expression that cannot be: where it was given, if it is a parameter."""
        given = blamed(part, env)
        if given is None:
            self.wrong(node, env, message)
            return
        place, entry, notes = given
        labels = [Label(Span(env.source, node.start, node.end), use)]
        self.report("bad-expression", message, place, entry, labels=labels, notes=notes)

    def wrong(self, node: tree.Node, env: Env, message: str, help: str | None = None) -> None:
        self.report("bad-expression", message, node, env, notes=facts(node, env), help=help)


_METHODS: dict[type, Callable[[Expressions, Any, Env], Any]] = {
    tree.Size: Expressions.size,
    tree.Symbol: Expressions.symbol,
    tree.List: Expressions.list,
    tree.Attribute: Expressions.attribute,
    tree.Index: Expressions.index,
    tree.Slice: Expressions.slice,
    tree.Function: Expressions.function,
    tree.Unary: Expressions.unary,
    tree.Binary: Expressions.binary,
    tree.Mistake: Expressions.mistake,
}

_DIVISIONS = ("/", "//", "%")
_OPERATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "//": lambda a, b: a // b,
    "%": lambda a, b: a % b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _settled(size: int | str) -> Any:
    return size if isinstance(size, int) else OPEN


def _is_whole(value: object) -> bool:
    return is_number(value) and value == int(value)  # type: ignore[call-overload]


def _text(node: tree.Node, env: Env) -> str:
    return env.source.text[node.start : node.end]


def _written(node: tree.Function, env: Env) -> str:
    """An element as a value, on one line, however the writer has laid it out."""
    try:
        return print_expression(node)
    except ValueError:  # there is a mistake in it, which has been reported
        return env.module.source.text[node.start : node.end]
