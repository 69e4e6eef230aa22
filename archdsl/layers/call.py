"""What a layer becomes in the generated source: a constructor as data, or an expression over its inputs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

Literal: TypeAlias = "int | float | bool | str | tuple[Literal, ...] | None"


def literal(value: Literal) -> str:
    """A value as Python source; text in double quotes."""
    if isinstance(value, str):
        return f'"{value}"' if value.isidentifier() else repr(value)
    return repr(value)


@dataclass(frozen=True, slots=True)
class Initializer:
    """A line that sets a parameter after construction: `nn.init.kaiming_normal_(m.weight, mode="fan_out")`."""

    function: str
    parameter: str
    options: tuple[tuple[str, Literal], ...] = ()

    def text(self, module: str) -> str:
        options = "".join(f", {name}={literal(value)}" for name, value in self.options)
        return f"{self.function}({module}.{self.parameter}{options})"


@dataclass(frozen=True, slots=True, init=False)
class Call:
    """The constructor of a module, as data: `Call("nn.Conv2d", 3, 64, 7, stride=2)`.

    The compiler prints it, and thereby runs it. Only literals can stand in it. A constructor without a dot is one of
    the classes in archdsl/lowering/helpers.py, whose text the generated source then carries.
    """

    constructor: str
    arguments: tuple[Literal, ...] = ()
    options: tuple[tuple[str, Literal], ...] = ()
    initializers: tuple[Initializer, ...] = field(default=())

    def __init__(
        self,
        constructor: str,
        *arguments: Literal,
        initializers: tuple[Initializer, ...] = (),
        **options: Literal,
    ) -> None:
        object.__setattr__(self, "constructor", constructor)
        object.__setattr__(self, "arguments", arguments)
        object.__setattr__(self, "options", tuple(options.items()))
        object.__setattr__(self, "initializers", initializers)

    def named(self, constructor: str) -> Call:
        """The same call of another constructor."""
        options: dict[str, Any] = dict(self.options)
        return Call(constructor, *self.arguments, initializers=self.initializers, **options)

    def text(self) -> str:
        """The constructor call as Python source."""
        parts = [literal(argument) for argument in self.arguments]
        parts += [f"{name}={literal(value)}" for name, value in self.options]
        return f"{self.constructor}({', '.join(parts)})"


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that the module around holds itself: its constructor, and the expression that uses it.

    In the expression's template `{self}` stands for the parameter.
    """

    call: Call
    expression: Expression

    def using(self, name: str) -> Expression:
        """The expression, with the parameter by its name in the module."""
        return Expression(self.expression.template.replace("{self}", name))


@dataclass(frozen=True, slots=True)
class Expression:
    """What has no module of its own: `Expression("{0} + {1}")`, with the inputs' variables for the numbers.

    `inplace` is the statement to use instead where the first input may be overwritten: `"{0} += {1}"`; its value is
    then the first input. A merge over any number of inputs gives `"{*}"` for all of them, joined by commas.
    """

    template: str
    inplace: str | None = None

    def text(self, inputs: list[str]) -> str:
        return self._fill(self.template, inputs)

    def inplace_text(self, inputs: list[str]) -> str:
        assert self.inplace is not None
        return self._fill(self.inplace, inputs)

    @staticmethod
    def _fill(template: str, inputs: list[str]) -> str:
        filled = template.replace("{*}", ", ".join(inputs))
        return filled.format(*inputs)
