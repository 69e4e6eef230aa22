"""What a network says of its training and of its images: `recipe` and `preprocess`, their words with their values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from archdsl import limits
from archdsl.elaborate.values import MISSING, OPEN, SILENT, Env, describe
from archdsl.graph import Part, Recipe, Setting, Settings, Stage
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from collections.abc import Sequence

    from archdsl.elaborate.builder import Builder
    from archdsl.elaborate.expressions import Expressions


class Training:
    """Evaluates these statements where they stand. What their words mean is for the analyses to say."""

    def __init__(self, builder: Builder, expressions: Expressions) -> None:
        self.builder = builder
        self.report = builder.report
        self.expressions = expressions

    def said(self, statement: tree.Preprocess | tree.Recipe, env: Env, again: bool = False) -> None:
        """Puts down what a network says; a variant says it `again` for itself."""
        self.builder.spend(16, statement, env)
        is_recipe = isinstance(statement, tree.Recipe)
        before = self.builder.recipe if is_recipe else self.builder.preprocess
        if before is not None and not again:
            word = "recipe" if is_recipe else "preprocess"
            help = "put its stages into the one above" if is_recipe else "put all into one statement"
            self.report("duplicate-name", f"a network has one `{word}`", statement, env, help=help)
        elif isinstance(statement, tree.Recipe):
            stages = tuple([self.stage(stage, env) for stage in statement.stages])
            self.builder.recipe = Recipe(stages, _span(statement, env))
        else:
            self.builder.preprocess = self.settings(statement.settings, statement, env)

    def stage(self, stage: tree.Stage, env: Env) -> Stage:
        parts = tuple([self.part(part, env) for part in stage.parts])
        settings = self.settings(stage.settings, stage, env)
        return Stage(stage.name.text, stage.doc, settings, parts, _span(stage.name, env))

    def part(self, part: tree.Part, env: Env) -> Part:
        return Part(part.path.text, self.settings(part.settings, part, env), _span(part.path, env))

    def settings(self, given: Sequence[tree.Argument], at: tree.Node, env: Env) -> Settings:
        values: dict[str, Setting] = {}
        self.builder.spend(8 + 4 * len(given), at, env)
        for argument in given:
            assert argument.name is not None
            name = argument.name.text
            if name in values:
                self.report("duplicate-name", f"`{name}` is said twice", argument, env, help="keep one of them")
                continue
            value = self.value(argument.value, env)
            if value is not SILENT:
                values[name] = Setting(name, value, _span(argument, env))
        return Settings(tuple(values.values()), _span(at, env))

    def value(self, node: tree.Expression, env: Env) -> Any:
        """A number, yes or no, a text, or several of them. A word that stands for nothing here is a text."""
        if isinstance(node, tree.Name) and env.find(node.text) is MISSING:
            return node.text
        value = self.expressions.settled(node, env)
        if value is SILENT or _is_plain(value):
            return value
        message = f"this takes a number, a word, `yes` or `no`, or a list of them, got {describe(value)}"
        self.report("bad-argument", message, node, env)
        return SILENT


def _is_plain(value: Any) -> bool:
    if type(value) is tuple:
        return len(value) <= limits.SETTING_VALUES and all(type(item) in (int, float, str) for item in value)
    return type(value) in (int, float, bool, str) and value is not OPEN


def _span(node: tree.Node, env: Env) -> Span:
    return Span(env.source, node.start, node.end)
