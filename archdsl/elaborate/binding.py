"""Arguments to a layer or a block: by place, compactly, by name, or in parentheses, and all the same thing."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from archdsl.diagnostics.model import nearest
from archdsl.elaborate.values import MISSING, OPEN, SILENT, Env
from archdsl.graph import Value, shown
from archdsl.layers.base import Argument, Layer, Signature
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.expressions import Expressions

_COMPACT = re.compile(r"([a-z])([0-9]+(?:x[0-9]+)*)")

Given = tuple[tree.Argument, Env]
"""An argument with the names of the place where it was written."""


class Bound(NamedTuple):
    """A layer with its arguments, and the values named among them."""

    layer: Layer
    references: tuple[Value, ...]


class Binder:
    """Binds arguments to declared ones; a layer with the same arguments is the same object."""

    def __init__(self, expressions: Expressions) -> None:
        self.expressions = expressions
        self.report = expressions.report
        self.layers: dict[tuple[Any, ...], Layer] = {}

    # ------------------------------------------------------------ layers

    def layer(self, cls: type[Layer], given: list[Given], defaults: list[Given], at: tree.Node, env: Env) -> Bound | None:
        """The layer that a call means; None where its arguments do not make one, which has then been reported."""
        signature = cls.signature()
        values: dict[str, Any] = {}
        places: dict[str, Given] = {}
        references: list[Value] = []
        good = self.collect(cls, signature, given, values, places, references)
        for name, (value, place) in self.default_values(cls, signature, defaults).items():
            if name not in values:
                values[name], places[name] = value, place
        if not good or any(value is SILENT for value in values.values()):
            return None
        for name, value in values.items():
            if value is OPEN or (isinstance(value, tuple) and OPEN in value):
                self.expressions.open_size(places[name][0], places[name][1])
                return None
        key = (cls, *values.items(), *map(type, values.values()))  # yes is not 1
        try:
            layer = self.layers.get(key)
        except TypeError:
            layer, key = None, ()
        if layer is None:
            layer = self.validated(cls, signature, values, places, at, env)
            if layer is not None and key:
                self.layers[key] = layer
        return Bound(layer, tuple(references)) if layer is not None else None

    def default_values(
        self, cls: type[Layer], signature: Signature, defaults: list[Given]
    ) -> dict[str, tuple[Any, Given]]:
        if not defaults:
            return {}
        values: dict[str, Any] = {}
        places: dict[str, Given] = {}
        for given in defaults:  # one by one: an inner default replaces an outer one
            one: dict[str, Any] = {}
            self.collect(cls, signature, [given], one, places, [])
            values.update(one)
        return {name: (value, places[name]) for name, value in values.items()}

    def collect(
        self,
        cls: type[Layer],
        signature: Signature,
        given: list[Given],
        values: dict[str, Any],
        places: dict[str, Given],
        references: list[Value],
    ) -> bool:
        """Evaluates the arguments into `values` by field; False where one was refused."""
        position = 0
        good = True
        for argument, env in given:
            field: Argument | None
            if argument.name is not None:
                field = signature.find(argument.name.text)
                if field is None:
                    self.unknown_option(cls.word, signature, argument.name, env)
                    good = False
                    continue
                value = self.argument_value(field, argument.value, env)
            else:
                compacted = self.compacted(signature, argument.value)
                if compacted is not None:
                    field, value = compacted
                else:
                    while position < len(signature.positional) and signature.positional[position].name in values:
                        position += 1
                    field = signature.positional[position] if position < len(signature.positional) else None
                    if field is None:
                        value = self.extra(cls, signature, argument, env)
                        if isinstance(value, Value):
                            references.append(value)
                        else:
                            good = False
                        continue
                    position += 1
                    value = self.argument_value(field, argument.value, env)
            if field.name in values:
                self.report("extra-argument", f"{cls.word} is given {field.name} twice", argument, env, help="keep one")
                good = False
                continue
            if field.reference:
                value = self.referred(cls.word, field, value, argument, references, env)
            elif isinstance(value, Value):
                message = f"{cls.word} {field.name} is given a value that flows, not a number"
                self.report("bad-argument", message, argument, env, help="`.c`, `.h` and `.w` are its sizes")
                value = SILENT
            values[field.name] = value
            places[field.name] = (argument, env)
        return good

    def argument_value(self, field: Argument, node: tree.Expression, env: Env) -> Any:
        """The value for a declared argument: one of its words, or an expression."""
        if type(node) is tree.Name and field.words:
            if node.text in field.words:
                return node.text
            if env.find(node.text) is MISSING:
                near = nearest(node.text, field.words)
                help = f"did you mean `{near}`?" if near else f"it takes {_listed(field.words)}"
                self.report("bad-argument", f"{field.name} has no choice `{node.text}`", node, env, help=help)
                return SILENT
        return self.expressions.value(node, env)

    def compacted(self, signature: Signature, node: tree.Expression) -> tuple[Argument, Any] | None:
        """k3, k1x7: a letter that is declared, then a number."""
        if type(node) is not tree.Name:
            return None
        match = _COMPACT.fullmatch(node.text)
        if match is None:
            return None
        field = signature.letters.get(match[1])
        if field is None:
            return None
        numbers = tuple(map(int, match[2].split("x")))
        return field, numbers[0] if len(numbers) == 1 else numbers

    def referred(
        self, word: str, field: Argument, value: Any, argument: tree.Argument, references: list[Value], env: Env
    ) -> Any:
        if value is SILENT:
            return SILENT
        if not isinstance(value, Value):
            message = f"{word} {field.name} needs the name of a value"
            self.report("bad-argument", message, argument, env, help="name one with `as`")
            return SILENT
        references.append(value)
        return True

    def extra(self, cls: type[Layer], signature: Signature, argument: tree.Argument, env: Env) -> Any:
        """An argument beyond the places: a further value for a merge, or one too many."""
        value = self.expressions.value(argument.value, env)
        merges = cls.inputs[1] is None or cls.inputs[1] > 1
        if value is SILENT or (merges and isinstance(value, Value)):
            return value
        takes = [a.name for a in signature.positional]
        if isinstance(value, Value):
            message = f"{cls.word} takes one input and cannot merge"
            help = "start a line with the value's name, or merge with add, cat or mul"
        elif not takes:
            message = f"{cls.word} takes no argument by place"
            help = _by_name(signature)
        else:
            message = f"{cls.word} takes {_counted(len(takes), 'argument')} by place ({', '.join(takes)})"
            help = _by_name(signature)
        self.report("extra-argument", message, argument, env, help=help)
        return SILENT

    def unknown_option(self, word: str, signature: Signature, name: tree.Name, env: Env) -> None:
        known = [*signature.arguments, *signature.letters]
        near = nearest(name.text, known) if len(name.text) > 1 else None
        help = f"did you mean `{near}`?" if near else _by_name(signature)
        self.report("unknown-option", f"{word} has no option `{name.text}`", name, env, help=help)

    def validated(
        self,
        cls: type[Layer],
        signature: Signature,
        values: dict[str, Any],
        places: dict[str, Given],
        at: tree.Node,
        env: Env,
    ) -> Layer | None:
        missing = [a for a in signature.arguments.values() if a.required and a.name not in values]
        if missing:
            names = " and ".join(a.name for a in missing)
            docs = ", ".join(a.doc for a in missing)
            self.report("missing-argument", f"{cls.word} needs {names} ({docs})", at, env, help=_example(cls, missing))
            return None
        try:
            return cls.model_validate(values)
        except ValidationError as problem:
            for detail in problem.errors(include_url=False):
                name = str(detail["loc"][0]) if detail["loc"] else ""
                argument, where = places.get(name, (None, env))
                value = values.get(name)
                message = detail["msg"].removeprefix("Value error, ")
                help = detail.get("ctx", {}).get("help")
                if detail["type"] == "literal_error":
                    words = signature.arguments[name].words
                    message = f"must be {_listed(words)}"
                    near = nearest(str(value), words)
                    help = f"did you mean `{near}`?" if near else None
                text = f"{cls.word} {name} {message}, got {shown(value)}"
                self.report("bad-argument", text, argument or at, where, help=help)
            return None

    # ------------------------------------------------------------ blocks and networks

    def parameters(
        self,
        word: str,
        parameters: tuple[tree.Parameter, ...],
        given: list[Given],
        inner: Env,
        at: tree.Node,
        env: Env,
        takes_values: bool = False,
    ) -> tuple[tuple[str | None, Any], ...] | None:
        """Puts a block's parameters into its environment; None where one is refused, which has then been reported.

        Returns what was given, by place (None) or by name, for the block's text in reports.
        """
        names = [p.name.text for p in parameters]
        known = set(names)
        written: list[tuple[str | None, Any]] = []
        position = 0
        good = True
        for argument, where in given:
            by_name: str | None = None
            value: Any
            if argument.name is not None:
                by_name = argument.name.text
                if by_name not in known:
                    near = nearest(by_name, names)
                    help = f"did you mean `{near}`?" if near else _parameters(names)
                    self.report("unknown-option", f"{word} has no parameter `{by_name}`", argument.name, where, help=help)
                    good = False
                    continue
                name = by_name
                value = self.expressions.value(argument.value, where)
            else:
                match = _COMPACT.fullmatch(argument.value.text) if type(argument.value) is tree.Name else None
                if match is not None and match[1] in known and where.find(match[0]) is MISSING:
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
        for parameter in parameters:
            if parameter.name.text not in inner.names:
                if parameter.default is None:
                    missing.append(parameter.name.text)
                    inner.names[parameter.name.text] = SILENT
                else:
                    inner.names[parameter.name.text] = self.expressions.value(parameter.default, inner)
        if missing and good:
            message = f"{word} needs {' and '.join(missing)}"
            self.report("missing-argument", message, at, env, help=_parameters(names))
        return tuple(written) if good and not missing else None


def _listed(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1]


def _counted(count: int, noun: str) -> str:
    return f"{'no' if count == 0 else count} {noun}{'' if count == 1 else 's'}"


def _parameters(names: list[str]) -> str:
    return f"it takes {', '.join(names)}" if names else "it takes none"


def _by_name(signature: Signature) -> str | None:
    if not signature.arguments:
        return "it takes no arguments at all"
    options = [f"{a.name} ({a.letter})" if a.letter else a.name for a in signature.arguments.values()]
    return "it takes " + ", ".join(options)


def _example(cls: type[Layer], missing: list[Argument]) -> str:
    parts = [f"{a.letter}3" if a.letter else "64" if a.positional else f"{a.name}=..." for a in missing]
    return f"write `{cls.word} {' '.join(parts)}`"
