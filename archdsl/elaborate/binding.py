"""Arguments to a layer or a block: by place, compactly, by name, or in parentheses, and all the same thing.

Which argument goes to which field depends on the text alone. So each call in the text has a plan, made once; each time
the call is met, only what is not a literal is evaluated.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from archdsl.diagnostics.model import Label, nearest
from archdsl.elaborate import meant
from archdsl.elaborate.origins import blamed, facts, rounded_down
from archdsl.elaborate.values import (
    MISSING,
    OPEN,
    SILENT,
    BlockValue,
    Default,
    Env,
    GivenParameters,
    LayerValue,
    Partial,
    describe,
)
from archdsl.graph import Value, shown
from archdsl.layers.applied import MEMORY
from archdsl.layers.base import Argument, Layer, Signature
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from archdsl.elaborate.expressions import Expressions

COMPACT = re.compile(r"([a-z])([0-9]+(?:x[0-9]+)*)")
"""k3, k1x7: a letter and a number, or one for each axis."""
_TWO_NUMBERS = re.compile(r"(-?[0-9][0-9.]*)[ \t]+-([0-9][0-9.]*)")
_LITERALS = (tree.Number, tree.String, tree.Constant)

_NO_DEFAULTS: Mapping[str, Default] = {}

Given = tuple[tree.Argument, Env | None]
"""An argument, with the names of the place where it was written; None for those of the call itself."""


class Bound(NamedTuple):
    """A layer with its arguments, and the values named among them."""

    layer: Layer
    references: tuple[Value, ...]


class Plan:
    """Which argument of a call means which field of a layer."""

    __slots__ = ("constant", "constants", "defaults", "dynamic", "extras", "good", "made", "places", "word")

    def __init__(self, word: str, defaults: Mapping[str, Default]) -> None:
        self.word = word
        self.defaults = defaults  # held so that its identity stays its own
        self.constants: dict[str, Any] = {}
        self.dynamic: list[tuple[Argument, Given]] = []
        self.extras: list[Given] = []
        self.places: dict[str, Given] = {}
        self.good = True
        self.made: dict[Any, Bound] = {}
        self.constant: Bound | None = None
        """What it comes to, where nothing in it is worked out anew each time."""


class Binder:
    """Binds arguments to declared ones; a layer with the same arguments is the same object."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.report = expressions.report
        self.plans: dict[tuple[int, type[Layer], int], Plan] = {}
        self.layers = MEMORY.layers

    # ------------------------------------------------------------ layers

    def layer(self, cls: type[Layer], call: tree.Call, env: Env, partial: Partial | None = None) -> Bound | None:
        """The layer that a call means; None where its arguments do not make one, which has then been reported."""
        defaults = env.defaults.get(cls, _NO_DEFAULTS)
        if partial is None:
            key = (id(call), cls, id(defaults))
            plan = self.plans.get(key)
            if plan is None:
                plan = self.plans[key] = self.plan(cls, [(a, None) for a in call.arguments], defaults, env)
            elif plan.constant is not None:
                return plan.constant
        else:
            given: list[Given] = [(a, partial.env) for a in partial.arguments]
            plan = self.plan(cls, given + [(a, None) for a in call.arguments], defaults, env)
        if not plan.good:
            return None
        values: list[Any] = []
        references: tuple[Value, ...] = ()
        for field, (argument, where) in plan.dynamic:
            value = self.expressions.value(argument.value, where or env)
            if type(value) is Value or field.reference:
                value, references = self.flowing(plan.word, field, value, argument, references, where or env)
            if value is SILENT:
                return None
            if type(value) is tuple:
                self.expressions.spend(len(value), argument, where or env)
            if value is OPEN or (type(value) is tuple and OPEN in value):
                self.expressions.open_size(argument, where or env)
                return None
            values.append(value)
        if plan.extras:
            merged = self.extras(cls, plan, env)
            if merged is None:
                return None
            references += merged
        made = (*values, *map(type, values))  # yes is not 1
        bound = plan.made.get(made)
        if bound is None:
            named = {field.name: value for (field, _), value in zip(plan.dynamic, values, strict=True)}
            layer = self.made(cls, {**plan.constants, **named}, plan, call, env)
            if layer is None:
                return None
            bound = plan.made[made] = Bound(layer, ())
            if not plan.dynamic and not plan.extras:
                plan.constant = bound
        return Bound(bound.layer, references) if references else bound

    def made(self, cls: type[Layer], values: dict[str, Any], plan: Plan, call: tree.Call, env: Env) -> Layer | None:
        given = values.values()
        key = (cls, *values, *given, *map(type, given))
        layer = self.layers.get(key)
        if layer is None:
            layer = self.validated(cls, values, plan, call, env)
            if layer is not None:
                self.layers[key] = layer
        return layer

    def plan(self, cls: type[Layer], given: list[Given], defaults: Mapping[str, Default], env: Env) -> Plan:
        """Sorts a call's arguments to the fields of a layer, and reports those that have none."""
        plan = Plan(cls.word, defaults)
        self.sort(plan, cls, cls.signature(), given, env)
        for name, (argument, where, field, constant) in defaults.items():
            if name not in plan.places:
                plan.places[name] = (argument, where)
                if constant is MISSING:
                    plan.dynamic.append((field, (argument, where)))
                else:
                    plan.constants[name] = constant
        return plan

    def defaults(self, cls: type[Layer], arguments: tuple[tree.Argument, ...], env: Env) -> dict[str, Default] | None:
        """What a `default` gives a layer's arguments; None where it cannot, which has then been reported."""
        plan = self.plan(cls, [(argument, env) for argument in arguments], _NO_DEFAULTS, env)
        if plan.extras:
            self.extra(cls, None, plan, env, in_default=True)
        if not plan.good or plan.extras:
            return None
        fields = cls.signature().arguments
        return {
            name: Default(argument, env, fields[name], plan.constants.get(name, MISSING))
            for name, (argument, _) in plan.places.items()
        }

    def sort(self, plan: Plan, cls: type[Layer], signature: Signature, given: list[Given], env: Env) -> None:
        position = 0
        for number, (argument, where) in enumerate(given):
            value: Any = None
            field: Argument | None
            if argument.name is not None:
                field = signature.find(argument.name.text)
                if field is None:
                    self.unknown_option(cls.word, signature, argument.name, argument.value, where or env)
                    plan.good = False
                    continue
            else:
                compacted = self.compacted(signature, argument.value)
                if compacted is not None:
                    field, value = compacted
                else:
                    while position < len(signature.positional) and signature.positional[position].name in plan.places:
                        position += 1
                    following = given[number + 1][0].value if number + 1 < len(given) else None
                    if self.lone_word(cls.word, signature, argument.value, following, where or env):
                        plan.good = False
                        return
                    if position >= len(signature.positional):
                        plan.extras.append((argument, where))
                        continue
                    field = signature.positional[position]
                    position += 1
                    if type(argument.value) is tree.Binary:
                        self.minus_sign(cls.word, argument, where or env)
            if field.name in plan.places:
                message = f"{cls.word} is given {field.name} twice"
                self.report("extra-argument", message, argument, where or env, help="keep one")
                plan.good = False
                continue
            plan.places[field.name] = (argument, where)
            if value is not None:
                plan.constants[field.name] = value
            elif isinstance(argument.value, _LITERALS) and not field.reference:
                plan.constants[field.name] = argument.value.value
            elif not self.word(plan, field, argument.value, where or env):
                plan.dynamic.append((field, (argument, where)))

    def minus_sign(self, word: str, argument: tree.Argument, env: Env) -> None:
        """Warns of `64 -1`, which reads as two arguments and is a difference."""
        match = _TWO_NUMBERS.fullmatch(env.source.text, argument.start, argument.end)
        if match is None:
            return
        first, second = match.groups()
        help = f"two arguments are `{word}({first}, -{second})`, a difference is `{first} - {second}`"
        message = f"`{match[0]}` is one argument, the difference of two numbers"
        self.report("minus-sign", message, argument, env, help=help, warn=True)

    def word(self, plan: Plan, field: Argument, node: tree.Expression, env: Env) -> bool:
        """Whether an argument is one of the words that its field takes, or was meant to be."""
        if type(node) is not tree.Name or not field.words:
            return False
        if node.text in field.words:
            plan.constants[field.name] = node.text
            return True
        if env.find(node.text) is not MISSING:
            return False
        near = nearest(node.text, field.words)
        if near is None and node.text == "valid":
            help = "without padding it is `p=0`, and that is the default"
        elif near is None and isinstance(field.default, int | float) and not isinstance(field.default, bool):
            help = f"it takes a number, or {_listed(field.words)}"
        else:
            help = f"did you mean `{near}`?" if near else f"it takes {_listed(field.words)}"
        self.report("bad-argument", f"{field.name} has no choice `{node.text}`", node, env, help=help)
        plan.good = False
        return True

    def lone_word(
        self, word: str, signature: Signature, node: tree.Expression, following: tree.Expression | None, env: Env
    ) -> bool:
        """Whether an argument is an option's name or word and no more: `conv 64 k 3`, `conv 64 k3 same`."""
        if type(node) is tree.Name and env.find(node.text) is not MISSING:
            return False
        if type(node) is tree.Binary and meant.is_arrow(node, self.expressions.catalog):
            self.report("bad-argument", "`>` compares two numbers", node, env, help="an arrow is written `->`")
            return True
        if help := meant.lone_word(node, signature):
            text = env.source.text[node.start : node.end]
            self.report("bad-argument", f"{word} takes no `{text}` by itself", node, env, help=help)
            return True
        if type(node) is not tree.Name:
            return False
        field = signature.find(node.text)
        if field is None or not field.letter:
            return False
        number = following.value if isinstance(following, tree.Number) else 3
        help = f"write `{node.text}={number}`"
        if node.text == field.letter:
            help = f"write `{node.text}{number}` without a space, or `{node.text}={number}`"
        short = f" (`{node.text}`)" if node.text != field.name else ""
        self.report("bad-argument", f"{word} {field.name}{short} is given no number", node, env, help=help)
        return True

    @staticmethod
    def compacted(signature: Signature, node: tree.Expression) -> tuple[Argument, Any] | None:
        """k3, k1x7: a letter that is declared, then a number."""
        if type(node) is not tree.Name:
            return None
        match = COMPACT.fullmatch(node.text)
        field = signature.letters.get(match[1]) if match else None
        if match is None or field is None:
            return None
        numbers = tuple(map(int, match[2].split("x")))
        return field, numbers[0] if len(numbers) == 1 else numbers

    def flowing(
        self, word: str, field: Argument, value: Any, argument: tree.Argument, known: tuple[Value, ...], env: Env
    ) -> tuple[Any, tuple[Value, ...]]:
        """An argument that is a value, or should be one."""
        if value is SILENT:
            return SILENT, known
        if not field.reference:
            message = f"{word} {field.name} is given a value that flows, not a number"
            self.report("bad-argument", message, argument, env, help="`.c`, `.h` and `.w` are its sizes")
            return SILENT, known
        if type(value) is not Value:
            message = f"{word} {field.name} needs the name of a value"
            self.report("bad-argument", message, argument, env, help="name one with `as`")
            return SILENT, known
        return True, (*known, value)

    def extras(self, cls: type[Layer], plan: Plan, env: Env) -> tuple[Value, ...] | None:
        """Arguments beyond the places: further values for a merge, or too many."""
        merges = cls.inputs[1] is None or cls.inputs[1] > 1
        values = []
        for argument, where in plan.extras:
            value = self.expressions.value(argument.value, where or env)
            if merges and type(value) is Value:
                values.append(value)
                continue
            if value is not SILENT:
                self.extra(cls, value, plan, env, len(values))
            return None
        return tuple(values)

    def extra(
        self, cls: type[Layer], value: Any, plan: Plan, env: Env, number: int = 0, in_default: bool = False
    ) -> None:
        """Reports an argument that has no place: that of the number among the plan's extras."""
        argument, where = plan.extras[number]
        env = where or env
        signature = cls.signature()
        takes = [a.name for a in signature.positional]
        help: str | None = meant.options(signature)
        if not in_default:
            help = meant.by_place(signature, [each.value for each, _ in plan.extras[number:]], plan.places) or help
            first = plan.places.get("channels")
            if first is not None and isinstance(first[0].value, tree.Size) and "k" in signature.letters:
                sizes = "x".join(map(str, first[0].value.extents))
                text = env.source.text[argument.start : argument.end]
                help = f"the channels come first, the kernel is an option: `{cls.word} {text} k{sizes}`"
        if type(value) is Value:
            message = f"{cls.word} takes one input and cannot merge"
            help = "start a line with the value's name, or merge with add, cat or mul"
        elif isinstance(value, LayerValue | BlockValue | Partial):
            message = f"{cls.word} cannot take {describe(value)} as an argument"
            help = f"put `->` before it: `-> {env.source.text[argument.start : argument.end]}`"
        elif isinstance(argument.value, tree.List) and (cls.inputs[1] is None or cls.inputs[1] > 1):
            message = f"{cls.word} takes values, not a list of them"
            listed = env.source.text[argument.value.start + 1 : argument.value.end - 1].strip()
            help = f"they stand side by side: `{cls.word}({listed})`"
        elif not takes:
            message = f"{cls.word} takes no argument by place"
        else:
            message = f"{cls.word} takes {_counted(len(takes), 'argument')} by place ({', '.join(takes)})"
        self.report("extra-argument", message, argument, env, help=help)

    def unknown_option(
        self, word: str, signature: Signature, name: tree.Name, value: tree.Expression, env: Env
    ) -> None:
        help = meant.option(name.text, value, signature, self.expressions.catalog)
        self.report("unknown-option", f"{word} has no option `{name.text}`", name, env, help=help)

    def validated(
        self, cls: type[Layer], values: dict[str, Any], plan: Plan, call: tree.Call, env: Env
    ) -> Layer | None:
        """The layer itself; what pydantic refuses is reported where it is written."""
        signature = cls.signature()
        missing = [a for a in signature.arguments.values() if a.required and a.name not in values]
        if missing:
            names = " and ".join(a.name for a in missing)
            docs = ", ".join(a.doc for a in missing)
            message = f"{cls.word} needs {names} ({docs})"
            written = {
                name: (where or env).source.text[argument.start : argument.end]
                for name, (argument, where) in plan.places.items()
            }
            self.report("missing-argument", message, call, env, help=meant.whole(cls.word, signature, written))
            return None
        try:
            return cls.model_validate(values)
        except ValidationError as problem:
            for detail in problem.errors(include_url=False):
                name = str(detail["loc"][0]) if detail["loc"] else ""
                place = plan.places.get(name)
                at: tree.Node = place[0] if place else call
                where = (place[1] if place else None) or env
                message = detail["msg"].removeprefix("Value error, ")
                help = detail.get("ctx", {}).get("help")
                if detail["type"] == "literal_error":
                    words = signature.arguments[name].words
                    message = f"must be {_listed(words)}"
                    near = nearest(str(values.get(name)), words)
                    help = f"did you mean `{near}`?" if near else None
                if detail["type"] == "whole":
                    help = rounded_down(at, where) or help
                    if place and isinstance(place[0].value, tree.Number):
                        help = None  # who writes 1.5 does not want it rounded
                    if place and isinstance(place[0].value, tree.Size) and name == "channels":
                        first, *rest = map(str, place[0].value.extents)
                        help = f"a kernel is an option: `{cls.word} {first} k{'x'.join(rest)}`"
                if detail["type"] == "flag" and values.get(name) in (0, 1):
                    help = f"write `{name}={'yes' if values[name] else 'no'}`"
                text = f"{cls.word} {name} {message}, got {shown(values.get(name))}"
                given = blamed(place[0].value, where) if place else None
                if given is None:
                    self.report("bad-argument", text, at, where, notes=facts(at, where), help=help)
                else:
                    labels = [Label(Span(where.source, at.start, at.end), f"{name} of {cls.word}")]
                    entered, entry, notes = given
                    self.report("bad-argument", text, entered, entry, labels=labels, notes=notes, help=help)
            return None

    def argument_of(self, cls: type[Layer], field: str, call: tree.Call, env: Env) -> tuple[tree.Argument, Env] | None:
        """The argument of a call that set a field, as it stands in the text."""
        plan = self.plans.get((id(call), cls, id(env.defaults.get(cls, _NO_DEFAULTS))))
        place = plan.places.get(field) if plan else None
        return None if place is None else (place[0], place[1] or env)

    # ------------------------------------------------------------ blocks and networks

    def parameters(
        self,
        word: str,
        names: tuple[str, ...],
        parameters: tuple[tree.Parameter, ...],
        given: Sequence[tuple[tree.Argument, Env]],
        inner: Env,
        at: tree.Node,
        env: Env,
        takes: tuple[str, ...] | None = None,
    ) -> tuple[tuple[str | None, Any], ...] | None:
        """Puts a block's parameters into its environment; None where one is refused, which has then been reported.

        Returns what was given, by place (None) or by name, for the block's text in reports. `takes` is what a call may
        give, for the help of errors, where that is something else than the parameters.
        """
        takes = names if takes is None else takes
        inner.given = GivenParameters(parameters, given)
        written: list[tuple[str | None, Any]] = []
        position = 0
        good = True
        for argument, where in given:
            by_name: str | None = None
            value: Any
            if argument.name is not None:
                by_name = argument.name.text
                self.expressions.spend(len(names) >> 4, argument, where)
                if by_name not in names:
                    near = nearest(by_name, takes)
                    help = f"did you mean `{near}`?" if near else _parameters(takes)
                    message = f"{word} has no parameter `{by_name}`"
                    self.report("unknown-option", message, argument.name, where, help=help)
                    good = False
                    continue
                name = by_name
                value = self.expressions.value(argument.value, where)
            else:
                match = COMPACT.fullmatch(argument.value.text) if type(argument.value) is tree.Name else None
                if match is not None and match[1] in names and where.find(match[0]) is MISSING:
                    name = by_name = match[1]
                    numbers = tuple(map(int, match[2].split("x")))
                    value = numbers[0] if len(numbers) == 1 else numbers
                else:
                    while position < len(names) and names[position] in inner.names:
                        position += 1
                    if position >= len(names):
                        message = f"{word} takes {_counted(len(names), 'argument')}"
                        self.report("extra-argument", message, argument, where, help=_parameters(names))
                        good = False
                        continue
                    name = names[position]
                    position += 1
                    value = self.expressions.value(argument.value, where)
            if name in inner.names:
                self.report("extra-argument", f"{word} is given {name} twice", argument, where, help="keep one")
                good = False
                continue
            inner.names[name] = value
            written.append((by_name, value))
        missing = []
        for name, parameter in zip(names, parameters, strict=True):
            if name not in inner.names:
                if parameter.default is None:
                    missing.append(name)
                    inner.names[name] = SILENT
                else:
                    inner.names[name] = self.expressions.value(parameter.default, inner)
        if missing and good:
            message = f"{word} needs {' and '.join(missing)}"
            self.report("missing-argument", message, at, env, help=_parameters(names))
        return tuple(written) if good and not missing else None


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _counted(count: int, noun: str) -> str:
    return f"{'no' if count == 0 else count} {noun}{'' if count == 1 else 's'}"


def _parameters(names: tuple[str, ...]) -> str:
    return f"it takes {', '.join(names)}" if names else "it takes none"
