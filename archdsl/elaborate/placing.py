"""A layer at its place: does what flows in suit it, and what comes out."""

from __future__ import annotations

import re
from itertools import islice
from typing import TYPE_CHECKING

from archdsl import limits
from archdsl.diagnostics.model import Label
from archdsl.elaborate.builder import NOTHING, Builder, Flow, new
from archdsl.elaborate.explain import Provenance, matching_help
from archdsl.graph import Value
from archdsl.layers.applied import MEMORY, Applied
from archdsl.layers.base import Layer, Problem
from archdsl.layers.tensor import Tensor
from archdsl.source import Span
from archdsl.syntax import tree

if TYPE_CHECKING:
    from archdsl.elaborate.binding import Binder
    from archdsl.elaborate.values import Env, Partial


_BACK = 1000
"""How many named values are looked through for one to suggest."""

_PRODUCT = re.compile(r"input +(\w+ *: *)?(\d+( *[*] *\d+)+)")


class Placer:
    """Puts layers into the graph; a layer on shapes that it has met before is not worked out again."""

    def __init__(self, builder: Builder, binder: Binder) -> None:
        self.builder = builder
        self.binder = binder
        self.provenance = Provenance(builder.nodes, builder.applied)
        self.known = MEMORY.applied

    def layer(
        self,
        cls: type[Layer],
        call: tree.Call,
        flow: Flow,
        env: Env,
        label: str | None,
        partial: Partial | None = None,
    ) -> Flow:
        """Puts a layer into the graph; returns its results, or NOTHING after an error."""
        builder = self.builder
        bound = self.binder.layer(cls, call, env, partial)
        word = cls.word
        if word == "id":  # changes nothing, and so is no node
            if label is not None:
                builder.take_name(label, word, call, env, is_module=False)
            return flow if bound is not None else (NOTHING,)
        # Going by another value's size is no module: `upsample like=x` is a function of both.
        is_module = cls.is_module and not (bound and bound[1])
        span = new(Span, (env.source, call.start, call.end))
        if label is None:
            name = builder.frame.default_name(word, span, is_module)
        else:
            name = builder.take_name(label, word, call, env, is_module)
        if bound is None:
            return (NOTHING,)
        layer, references = bound
        inputs = flow + references if references else flow
        nodes = builder.applied
        if len(inputs) == 1:
            index, number = inputs[0]
            if index < 0:
                return (NOTHING,)
            tensors: tuple[Tensor, ...] = (nodes[index].outputs[number],)
        elif not inputs:
            self.no_value(call, env)
            return (NOTHING,)
        elif NOTHING in inputs:
            return (NOTHING,)
        else:
            tensors = tuple([nodes[value[0]].outputs[value[1]] for value in inputs])
        key = (id(layer), tensors)
        applied = self.known.get(key)
        if applied is None:
            applied = self.apply(layer, tensors, len(references), inputs, call, env)
            if applied is None:
                return (NOTHING,)
            self.known[key] = applied
        if (wide := len(inputs) + len(applied.outputs)) > 2:
            builder.spend(wide, call, env)
        if len(nodes) >= limits.LAYERS:
            builder.too_much(call, env, f"the network has more than {limits.LAYERS:,} layers")
        return builder.add(name, applied, inputs, span)

    def no_value(self, call: tree.Call, env: Env) -> None:
        """Reports a layer or a block into which nothing flows."""
        inputs = self.builder.inputs
        if not inputs:
            help = "write an input first: `input 3x224x224`"
            message = f"nothing flows into {call.name.text}: the network has no input"
            self.builder.refuse("no-input", message, call, env, help=help)
        else:
            names = self.builder.activations[self.builder.frame.activation].takes or [i.name for i in inputs]
            help = f"begin the line with a value: {', '.join(f'`{name}`' for name in names)}"
            self.builder.refuse("no-value", f"nothing flows into {call.name.text}", call, env, help=help)

    def apply(
        self,
        layer: Layer,
        tensors: tuple[Tensor, ...],
        references: int,
        inputs: Flow,
        call: tree.Call,
        env: Env,
    ) -> Applied | None:
        """Checks what flows into a layer and says what comes out; None where it cannot, which is then reported."""
        cls = type(layer)
        least, most = cls.inputs
        merges = most is None or most > 1
        count = len(tensors) if merges else len(tensors) - references
        if count < least or (most is not None and count > most):
            self.wrong_inputs(cls, count, inputs, call, env)
            return None
        for tensor in tensors:
            if tensor.kind not in cls.accepts:
                help = self.conversion(cls, tensor, inputs)
                message = f"{cls.word} takes {_kinds(cls.accepts)}, got {tensor}, {tensor.described}"
                self.builder.refuse("wrong-kind", message, call, env, labels=self.givers(inputs, env), help=help)
                return None
            if tensor.kind == "map" and tensor.rank not in cls.ranks:
                ranks = " or ".join(map(str, cls.ranks))
                message = f"{cls.word} takes maps with {ranks} spatial axes, got {tensor} with {tensor.rank}"
                self.builder.refuse("wrong-rank", message, call, env, labels=self.givers(inputs, env))
                return None
        problems = list(layer.check(*tensors))
        for problem in problems:
            self.problem(layer, problem, inputs, call, env)
        if problems:
            return None
        output = layer.output(*tensors)
        outputs = (output,) if isinstance(output, Tensor) else tuple(output)
        for tensor in outputs:
            elements = tensor.elements
            if elements is not None and elements > limits.SIZE:
                message = f"{layer.word} gives {tensor}, {elements:,} values, more than any machine holds"
                help = "fewer channels, a smaller factor, or more strides above"
                self.builder.refuse("huge-tensor", message, call, env, labels=self.givers(inputs, env), help=help)
                return None
        return Applied(layer, tensors, outputs)

    # ------------------------------------------------------------ what is wrong

    def conversion(self, cls: type[Layer], tensor: Tensor, inputs: Flow) -> str | None:
        """What makes a layer's kind of the kind that flows."""
        giver = self.provenance.source(inputs[0])
        if giver.layer.word == "flatten" and "map" in cls.accepts:
            return f"put it before `flatten`, or `{cls.conversions.get('vector', 'reshape CxHxW')}` between the two"
        product = _PRODUCT.fullmatch(giver.span.text) if not giver.inputs and tensor.kind == "vector" else None
        if product is not None and "map" in cls.accepts:
            return f"the sizes of a map are joined by x: `input {product[1] or ''}{re.sub(' *[*] *', 'x', product[2])}`"
        if not giver.inputs and cls.accepts == ("ids",) and tensor.kind == "vector":
            return f"ids are declared with their vocabulary: `input ids {tensor} of 30000`"
        element = cls.conversions.get(tensor.kind)
        return f"put `{element}` before it" if element else None

    def doubtful_input(self, over: int = 0) -> str | None:
        """What an input was most likely meant to be: channels first and, where there are sizes too many, no batch."""
        for each in self.builder.inputs:
            dims = each.tensor.dims
            if over == 1 and len(dims) == 4 and each.tensor.kind == "map":
                shape = "x".join(map(str, dims[1:]))
                return f"an input is written without its batch axis: `input {shape}`"
            if len(dims) == 3 and dims[0] == dims[1] != dims[2] and dims[2] in (1, 3):
                return f"channels come first: `input {dims[2]}x{dims[0]}x{dims[1]}`"
        return None

    def some_value(self, env: Env) -> str:
        """The name of a value that could be merged; the latest that is known here."""
        names = (label for _, _, label in islice(reversed(self.builder.named), _BACK))
        return next((name for name in names if type(env.find(name)) is Value), "e1")

    def wrong_inputs(self, cls: type[Layer], count: int, inputs: Flow, call: tree.Call, env: Env) -> None:
        least, most = cls.inputs
        if most == 1:
            message = f"{cls.word} takes one input, got {count}"
            help: str | None = (
                "merge the branches first: put `add ->` or `cat ->` before it, or another merging element"
            )
        elif count < least:
            message = f"{cls.word} merges at least {least} values, got {count}"
            other = self.some_value(env)
            help = f"name another value, `{cls.word} {other}`, or put branches before it: `( a | b ) -> {cls.word}`"
        else:
            takes = f"{least}" if least == most else f"{least} to {most}"
            message, help = (
                f"{cls.word} takes {takes} values, got {count}",
                "leave one out, or merge two of them before",
            )
        self.builder.refuse("wrong-inputs", message, call, env, labels=self.givers(inputs, env), help=help)

    def problem(self, layer: Layer, problem: Problem, inputs: Flow, call: tree.Call, env: Env) -> None:
        """Attaches a layer's own finding to the text, with where its inputs' sizes come from."""
        at: tree.Node = call
        notes = list(problem.notes)
        help = problem.help
        if problem.code == "merge-shapes" and layer.family == "merge":
            other = inputs[problem.input or 1]
            of_space = layer.word == "cat"
            notes += self.provenance.differences((inputs[0], other) if of_space else inputs, of_space)
            help = help or self.merge_help(inputs, other, of_space, env)
        else:
            place = self.binder.argument_of(type(layer), problem.parameter, call, env) if problem.parameter else None
            if place is not None and place[1].module is env.module:
                at = place[0]
            if len(inputs) == 1 and problem.notes:
                notes += self.provenance.of_space(inputs[0])
            if problem.code == "window-too-large":
                help = self.doubtful_input() or help
        labels = self.givers(inputs, env)
        self.builder.refuse(problem.code, problem.message, at, env, labels=labels, notes=notes, help=help)

    def merge_help(self, inputs: Flow, wrong: Value, of_space: bool, env: Env) -> str | None:
        """What would make a branch fit the first; for a merge of space only, the channels may differ."""
        first, second = self.builder.tensor(inputs[0]), self.builder.tensor(wrong)
        for target, value in ((first, wrong), (second, inputs[0])):
            if help := self.provenance.keeping(target, value, of_space):
                return help
        if {first.kind, second.kind} == {"map", "vector"} and first.channels == second.channels and first.rank < 3:
            flat = "x".join(map(str, (first.channels, *(1 for _ in (first.space or second.space)))))
            return f"put `reshape {flat}` behind the vector, or keep a map: no `flatten`, and `conv` in place of `fc`"
        if wrong in self.builder.names and (name := self.fitting(first, inputs, of_space, env)):
            return f"`{name}` has the sizes of the first branch"
        if first.kind == second.kind == "map" and first.rank == second.rank == 2 and first.space != second.space:
            if first.space == second.space[::-1]:
                return "height stands before width: one of the two is turned"
            pairs = zip(first.space, second.space, strict=True)
            gaps = [abs(a - b) for a, b in pairs if isinstance(a, int) and isinstance(b, int)]
            if of_space and gaps and max(gaps) <= 2:
                return "what is halved and doubled again must be even: pad the input, or `crop` the larger branch"
        for target, value in ((first, wrong), (second, inputs[0])):
            if help := self.provenance.halving(target, value, of_space):
                return help
        if of_space:
            return "shrink or grow one of the branches as the other: a stride, `pool`, `upsample`, `crop`"
        inputs = (inputs[0], wrong)
        for target, other, value, which in ((first, second, inputs[1], "second"), (second, first, inputs[0], "first")):
            help = matching_help(target, other)
            if help is not None and target != other:
                is_older = value.node < max(v.node for v in inputs[:2])
                if is_older or target is second:
                    return f"give the {which} branch {help}"
        return None

    def fitting(self, target: Tensor, inputs: Flow, of_space: bool, env: Env) -> str | None:
        """The name of another value that has the sizes of a tensor."""
        for _, value, label in islice(reversed(self.builder.named), _BACK):
            tensor = self.builder.tensor(value)
            fits = tensor.space == target.space if of_space else tensor == target
            if fits and tensor.kind == target.kind and value not in inputs and env.find(label) == value:
                return label
        return None

    def givers(self, inputs: Flow, env: Env) -> list[Label]:
        """Labels at the elements whose results flow in; at the ends of branches, where they come from some."""
        which = "this branch gives" if len(inputs) > 1 else "this gives"
        results, ends = self.builder.branches
        places = ends() if results and inputs[: len(results)] == results else []
        labels = []
        for number, value in enumerate(inputs[:8]):
            span = places[number] if number < len(places) else self.builder.nodes[value.node].span
            if span.source is env.module.source:
                labels.append(Label(span, f"{which} {self.builder.tensor(value)}"))
        return labels


def _kinds(kinds: tuple[str, ...]) -> str:
    return " or ".join(Tensor(kind).described for kind in kinds)  # type: ignore[arg-type]
