"""`expect`: what a network promises of itself, proven or refuted with the numbers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from archdsl.analyses.facts import ASKED, FACTS, Scope
from archdsl.diagnostics.model import Label, error, nearest
from archdsl.elaborate.builder import TooMuchError
from archdsl.elaborate.values import MISSING, OPEN, SILENT, Env, describe, is_number
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.analyses.fields import Field
    from archdsl.analyses.sizes import AxisSizes
    from archdsl.diagnostics.model import Diagnostic
    from archdsl.elaborate.elaborator import Elaboration
    from archdsl.elaborate.values import Question
    from archdsl.graph import Graph, Node
    from archdsl.layers.applied import Counts


def contracts(
    elaboration: Elaboration,
    counts: tuple[Counts, ...],
    fields: tuple[Field, ...],
    questions: Callable[[str], Question | None],
) -> list[Diagnostic]:
    """Findings about the expectations of a network that is otherwise without errors.

    `questions` has those that need more than the graph, by name.
    """
    findings = elaboration.walker.builder.diagnostics
    before = len(findings)
    deciding = _Deciding(elaboration, counts, fields, questions)
    with suppress(TooMuchError):  # of which there is then a finding
        for statement, env in elaboration.expectations:
            deciding.decide(statement, Env(env.module, env))
    return findings[before:]


class _Deciding:
    """Proves and refutes the contracts of one network."""

    def __init__(
        self,
        elaboration: Elaboration,
        counts: tuple[Counts, ...],
        fields: tuple[Field, ...],
        questions: Callable[[str], Question | None],
    ) -> None:
        self.walker = elaboration.walker
        self.graph = elaboration.graph
        self.counts = counts
        self.fields = fields
        self.questions = questions
        self.asked: dict[str, Question | None] = {}
        self.scopes: dict[str | None, Scope] = {}
        self.known: dict[tuple[str | None, str], Any] = {}
        self.axes: list[AxisSizes] | str | None = None
        self.open_inputs = [
            Label(each.span, "sizes are open here")
            for each in self.graph.inputs
            if not all(isinstance(size, int) for size in each.tensor.dims)
        ]

    def decide(self, statement: tree.Expect, inner: Env) -> None:
        """Proves or refutes one expectation."""
        path = statement.at.text if statement.at else None
        if path is not None and not self.exists(statement, inner):
            return
        asks_sizes = (
            statement.multiple is not None
            and isinstance(statement.condition, tree.Name)
            and statement.condition.text == "sizes"
            and inner.find("sizes") is MISSING
        )
        questions = self.introduce(statement, inner, path)
        if questions is None:
            return
        if asks_sizes:
            self.sizes(statement, inner)
            return
        value = self.walker.expressions.value(statement.condition, inner)
        notes = [note for question in questions for note in question.said]
        if statement.multiple is not None:
            value = self.multiples(statement, value, inner)
        if value is False:
            notes = [*self.walker.sides(_compared(statement), inner), *notes]
            self.report("expectation", "this does not hold", statement, inner, notes=notes)
        elif value is OPEN:
            help = "give the sizes that are open: --input 3x224x224"
            message = "this cannot be decided: it depends on a size that is open"
            self.report("undecided", message, statement, inner, labels=self.open_inputs, help=help, warn=True)
        elif value is not True and value is not SILENT:
            message = f"`expect` needs yes or no, got {describe(value)}"
            self.report("bad-expression", message, statement, inner, help="compare it: `params <= 5M`")

    def report(self, code: str, message: str, statement: tree.Expect, env: Env, **more: Any) -> None:
        self.walker.report(code, message, _compared(statement), env, **more)

    # ------------------------------------------------------------ what can be named

    def exists(self, statement: tree.Expect, env: Env) -> bool:
        assert statement.at is not None
        path = statement.at.text
        if self.scope(path).nodes:
            return True
        self.walker.builder.spend(len(self.graph.nodes), statement, env)
        known = [node.path for node in self.graph.nodes if node.inputs]
        known += [each.path for each in self.graph.activations if each.path]
        near = nearest(path, known)
        help = f"did you mean `{near}`?" if near else "the report shows the paths"
        self.walker.report("unknown-name", f"nothing here has the path `{path}`", statement.at, env, help=help)
        return False

    def scope(self, path: str | None) -> Scope:
        if path not in self.scopes:
            self.scopes[path] = Scope(self.graph, self.counts, self.fields, path)
        return self.scopes[path]

    def introduce(self, statement: tree.Expect, env: Env, path: str | None) -> list[Question] | None:
        """Gives the condition what it names; the questions among that, or None where `at` does not go with one."""
        found = []
        unknown = False
        for name in sorted(_named(statement)):
            if env.find(name) is not MISSING:
                continue
            if name in FACTS:
                env.names[name] = self.fact(name, path, statement, env)
            elif (question := self.question(name)) is not None:
                if path is not None:
                    message = f"{name} is of the whole network"
                    self.report("bad-expression", message, statement, env, help=f"leave out `at {path}`")
                    return None
                env.names[name] = question
                question.said.clear()
                found.append(question)
            elif name == "sizes":
                if self.misuses_sizes(statement, path, env):
                    return None
            else:
                unknown = True
        if unknown:  # a mistake, perhaps: then one of these is what was meant
            env.names.update({each: SILENT for each in FACTS if env.find(each) is MISSING})
        return found

    def misuses_sizes(self, statement: tree.Expect, path: str | None, env: Env) -> bool:
        """Reports what cannot be asked of `sizes`."""
        if statement.multiple is None or not isinstance(statement.condition, tree.Name):
            message, help = "of `sizes` only multiples can be expected", "`expect sizes multiple_of 32`"
        elif path is not None:
            message, help = "the sizes of the input are the whole network's", f"leave out `at {path}`"
        else:
            return False
        self.report("bad-expression", message, statement, env, help=help)
        return True

    def question(self, name: str) -> Question | None:
        if name not in self.asked:
            self.asked[name] = self.questions(name)
        return self.asked[name]

    def fact(self, name: str, path: str | None, statement: tree.Expect, env: Env) -> Any:
        key = (path, name)
        if key not in self.known:
            self.walker.builder.spend(ASKED * len(self.graph.nodes), statement, env)
            self.known[key] = FACTS[name](self.scope(path))
        return self.known[key]

    # ------------------------------------------------------------ multiples

    def divisor(self, statement: tree.Expect, env: Env) -> Any:
        """The number behind `multiple_of`; SILENT where it is none, which is then reported."""
        assert statement.multiple is not None
        divisor = self.walker.expressions.settled(statement.multiple, env)
        if divisor is SILENT or (is_number(divisor) and divisor >= 1 and divisor == int(divisor)):
            return divisor
        message = f"`multiple_of` needs a whole number of at least 1, got {describe(divisor)}"
        self.walker.report("bad-expression", message, statement.multiple, env)
        return SILENT

    def multiples(self, statement: tree.Expect, value: Any, env: Env) -> Any:
        """Whether a number, or each of a list, is a multiple."""
        divisor = self.divisor(statement, env)
        if divisor is SILENT or value is SILENT:
            return SILENT
        values = value if type(value) is tuple else (value,)
        if OPEN in values:
            return OPEN
        if not all(is_number(each) for each in values):
            message = f"`multiple_of` needs numbers, got {describe(value)}"
            self.report("bad-expression", message, statement, env, help="`expect out.c multiple_of 8`")
            return SILENT
        return not any(each % divisor for each in values)

    def sizes(self, statement: tree.Expect, env: Env) -> None:
        """Whether every multiple of a number, from the least size on that is taken, is taken along every axis."""
        divisor = self.divisor(statement, env)
        if divisor is SILENT:
            return
        results = self.all_axes()
        if isinstance(results, str):
            message = f"this cannot be decided: {results}"
            self.report("undecided", message, statement, env, warn=True)
            return
        notes: list[str] = []
        for result in results:
            if (refused := _refused(result, int(divisor))) is not None:
                notes.append(f"{result.axis.name} = {refused} = {refused // int(divisor)}*{divisor} is refused")
                notes += _asking(self.graph, result, refused)
        if notes:
            self.report("expectation", "this does not hold", statement, env, notes=list(dict.fromkeys(notes)))

    def all_axes(self) -> list[AxisSizes] | str:
        """What is known of every axis of the inputs, or why nothing is."""
        from archdsl.analyses.laws import UndecidedError
        from archdsl.analyses.sizes import Budget, axes, sizes

        if self.axes is None:
            budget = Budget()
            try:
                self.axes = [sizes(self.graph, axis, budget) for axis in axes(self.graph)]
            except UndecidedError as reason:
                self.axes = str(reason)
            if not self.axes:
                self.axes = "its input has no size that could be another"
        return self.axes


def _compared(statement: tree.Expect) -> tree.Expression:
    """The condition with what it is to be a multiple of."""
    if statement.multiple is None:
        return statement.condition
    condition, multiple = statement.condition, statement.multiple
    return tree.Binary(condition.start, multiple.end, "%", condition, multiple)


def _named(statement: tree.Expect) -> set[str]:
    """The names that a contract mentions, those of functions included."""
    names: set[str] = set()
    waiting: list[Any] = [statement.condition, statement.multiple]
    while waiting:
        part = waiting.pop()
        if isinstance(part, tree.Name):
            names.add(part.text)
        elif isinstance(part, tree.Node):
            parts: tuple[str, ...] = type(part).__match_args__
            waiting += [getattr(part, each) for each in parts[2:]]
        elif type(part) is tuple:
            waiting += part
    return names


def _refused(result: AxisSizes, divisor: int) -> int | None:
    """The least multiple that is refused, above the least size that is taken; None where each is taken."""
    law = result.accepted
    least = next((n for n in range(1, law.start + law.period) if law(n) == 0), None)
    if least is None:
        return divisor
    first = -(-least // divisor)
    enough = max(0, law.start // divisor - first) + law.period + 1
    return next((n for n in range(first * divisor, (first + enough) * divisor, divisor) if law(n) is None), None)


def _asking(graph: Graph, result: AxisSizes, refused: int) -> Iterator[str]:
    """The layer that refuses a size, and what it takes."""
    from archdsl.analyses.formulas import described

    for demand in result.demands:
        if demand.accepted(refused) is None:
            node: Node = graph.nodes[demand.node]
            yield f"{node.layer.word} at {node.span} takes {described(demand.accepted)}"
            return


def impossible(graph: Graph, open_axes: tuple[AxisSizes, ...]) -> list[Diagnostic]:
    """An error for each open size that no number can fill: what one layer leaves of them, the next refuses."""
    if not open_axes:
        return []
    from archdsl.analyses.formulas import described

    hopeless = [result for result in open_axes if 0 not in result.accepted.values]
    found = []
    for at in dict.fromkeys(result.demands[-1].node for result in hopeless):
        results = [result for result in hopeless if result.demands[-1].node == at]
        names, (result, *_) = " or ".join(result.axis.name for result in results), results
        node, demand = graph.nodes[at], result.demands[-1]
        inputs = {number for result in results for number, _ in result.axis.places}
        labels = [
            Label(each.span, f"{names.replace(' or ', ' and ')} {'are' if len(results) > 1 else 'is'} open here")
            for each in graph.inputs
            if each.value.node in inputs and each.span.source is node.span.source
        ]
        before = [(graph.nodes[each.node], each.accepted) for each in result.demands[-4:-1]]
        notes = [f"{each.layer.word} at {each.span} takes {described(accepted)}" for each, accepted in before]
        message = f"no size of {names} suits all layers: at {demand.refused}, {demand.problem.message}"
        help = demand.problem.help or "give both branches as much padding as their windows take, or crop the larger one"
        found.append(error("no-size", message, node.span, labels=labels, notes=notes, help=help))
    return found
