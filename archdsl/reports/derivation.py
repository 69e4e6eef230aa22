"""Why a layer has its sizes, field, parameters and costs: every number with its formula, and where it was written."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import TYPE_CHECKING

from archdsl.analyses.fields import CONSTANT, POINT
from archdsl.diagnostics.model import nearest
from archdsl.errors import NotFoundError
from archdsl.layers.geometry import Window
from archdsl.layers.tensor import AXIS_NAMES
from archdsl.reports.numbers import clean, percent, shape, thousands

if TYPE_CHECKING:
    from archdsl.analyses.fields import AxisField, Field
    from archdsl.graph import Activation, Graph, Node, Value
    from archdsl.layers.applied import Counts
    from archdsl.layers.geometry import Geometry
    from archdsl.layers.tensor import Tensor
    from archdsl.network import Network

_LISTED = 6


def derivation(network: Network, path: str) -> str:
    """The derivation of a layer or a module, in Markdown.

    Raises:
        NotFoundError: where the network has nothing at that path.
        SpecError: where the network has errors.
    """
    graph = network.checked().graph
    nodes = [node for node in graph.nodes if node.path == path and node.inputs]
    modules = [each for each in graph.activations if each.path == path and each.kind != "net" and not each.transparent]
    if not nodes and not modules:
        raise NotFoundError(not_there(graph, path))
    lines = [f"# {path}", ""]
    for number, node in enumerate(nodes):
        if len(nodes) > 1:
            lines += [f"## Use {number + 1} of {len(nodes)}", ""]
        lines += _layer(network, node)
    for number, module in enumerate(modules if not nodes else ()):
        if len(modules) > 1:
            lines += [f"## Use {number + 1} of {len(modules)}", ""]
        lines += _module(network, module)
    return "\n".join(lines).rstrip() + "\n"


def paths(network: Network) -> tuple[str, ...]:
    """What can be explained of a network: its layers and modules, by their paths."""
    graph = network.graph
    found = [node.path for node in graph.nodes if node.inputs]
    return tuple(dict.fromkeys([each.path for each in graph.activations if each.path] + found))


def not_there(graph: Graph, path: str) -> str:
    known = [node.path for node in graph.nodes if node.inputs] + [each.path for each in graph.activations if each.path]
    near = nearest(path, known)
    inside = next((each for each in known if each.endswith(f".{path}")), None)
    hint = near or inside
    meant = f"did you mean {hint}?" if hint else "its report shows the paths"
    return f"{graph.name} has nothing at {path}; {meant}"


# ---------------------------------------------------------------- a layer


def _layer(network: Network, node: Node) -> Iterator[str]:
    graph = network.graph
    applied = graph.applied[node.index]
    counts, field = network.counts[node.index], network.fields[node.index]
    yield f"`{clean(applied.text)}`, written at {clean(str(node.span))}"
    yield from _trail(graph, node.activation)
    yield ""
    yield "## Shape"
    yield ""
    for value, tensor in zip(node.inputs, applied.inputs, strict=True):
        yield f"- takes {_dims(network, value)} ({tensor.kind}), from {_place(graph, value)}"
    for number, tensor in enumerate(applied.outputs):
        users = _users(graph, node, number)
        yield f"- gives {_dims(network, _value(node, number))} ({tensor.kind}), to {users}"
    yield from _sizes(applied.inputs[0], applied.reach.axes)
    yield ""
    yield "## Receptive field"
    yield ""
    yield from _field(network, node, field)
    yield ""
    yield "## Parameters"
    yield ""
    yield from _parameters(network, node, counts)
    yield ""
    yield "## Multiply-accumulates"
    yield ""
    yield from _macs(network, node, counts)
    yield ""


def _trail(graph: Graph, activation: int) -> Iterator[str]:
    """The blocks around, the innermost first."""
    for each in graph.trail(activation):
        if each.kind == "net":
            yield f"- in net {each.definition}, at {clean(str(each.span))}"
        else:
            what = f"`{clean(each.call)}`" if each.kind == "block" else "a group"
            named = f" as {each.path}" if not each.transparent else ""
            yield f"- in {what}{named}, written at {clean(str(each.span))}"


def _value(node: Node, number: int) -> Value:
    from archdsl.graph import Value

    return Value(node.index, number)


def _dims(network: Network, value: Value) -> str:
    from archdsl.reports.build import dims_of

    return shape(dims_of(network, value))


def _place(graph: Graph, value: Value) -> str:
    node = graph.nodes[value.node]
    which = f" (result {value.output + 1})" if len(graph.applied[value.node].outputs) > 1 else ""
    return f"the input {node.path}" if not node.inputs else f"{node.path}{which}, at {clean(str(node.span))}"


def _users(graph: Graph, node: Node, number: int) -> str:
    users = [each.path for each in graph.nodes if any(v == (node.index, number) for v in each.inputs)]
    users += [f"the output {each.name}" for each in graph.outputs if each.value == (node.index, number)]
    more = f" and {len(users) - _LISTED} more" if len(users) > _LISTED else ""
    return (", ".join(users[:_LISTED]) + more) or "nothing"


def _sizes(x: Tensor, axes: tuple[Geometry, ...] | None) -> Iterator[str]:
    if axes is None or len(axes) != x.rank:
        return
    names = AXIS_NAMES[x.rank]
    texts = [geometry.formula(size) for geometry, size in zip(axes, x.space, strict=True)]
    if len(set(texts)) == 1:
        yield f"- {' and '.join(names)}: {texts[0]}"
    else:
        yield from (f"- {name}: {text}" for name, text in zip(names, texts, strict=True))


# ---------------------------------------------------------------- the field


def _field(network: Network, node: Node, field: Field) -> Iterator[str]:
    graph = network.graph
    before = [network.fields[value.node] for value in node.inputs]
    if field == CONSTANT:
        yield "It sees nothing of the input: it depends on parameters only."
        return
    if field.everywhere:
        yield f"The whole input has its say, by {clean(field.everywhere)}."
        if field.axes is None:
            return
        yield ""
    if field.axes is None:
        yield "Position has lost its meaning here."
        return
    if not field.axes:
        yield "It has no spatial axes."
        return
    names = AXIS_NAMES[len(field.axes)]
    reach = graph.applied[node.index].reach
    texts = []
    for number, axis in enumerate(field.axes):
        came = [each.axes[number] for each in before if each.axes and len(each.axes) == len(field.axes)]
        geometry = reach.axes[number] if reach.axes is not None and len(reach.axes) == len(field.axes) else None
        texts.append(list(_along(axis, came, geometry)))
    if all(text == texts[0] for text in texts):
        yield f"Along {' and '.join(names)}:"
        yield ""
        yield from texts[0]
        return
    for name, text in zip(names, texts, strict=True):
        yield f"Along the {name}:"
        yield ""
        yield from text
        yield ""


def _along(axis: AxisField, before: list[AxisField], geometry: Geometry | None) -> Iterator[str]:
    if len(before) > 1:
        for number, each in enumerate(before):
            yield f"- branch {number + 1} sees {_seen(each)}"
        yield f"- together: {_seen(axis)}"
        return
    if not before or geometry is None:
        yield f"- {_seen(axis)}, as before: each position sees what stands there"
        return
    (came,) = before
    yield f"- before: {'one position, itself' if came == POINT else _seen(came)}"
    simple = isinstance(geometry, Window) and came.period == axis.period == 1
    if simple and isinstance(geometry, Window):
        yield f"- size: {came.size} + ({geometry.extent} - 1)*{came.stride} = {axis.size}"
        yield f"- stride: {came.stride}*{geometry.stride} = {axis.stride}"
        yield f"- padding: {came.padding} + {geometry.before}*{came.stride} = {axis.padding}"
    else:
        yield f"- after: {_seen(axis)}"


def _seen(axis: AxisField) -> str:
    phases = f", in {axis.period} phases" if axis.period > 1 else ""
    stride = f"{axis.stride:.6g}" if isinstance(axis.stride, float) else str(axis.stride)
    return f"{axis.size} inputs, stride {stride}, padding {axis.padding}{phases}"


# ---------------------------------------------------------------- counts


def _parameters(network: Network, node: Node, counts: Counts) -> Iterator[str]:
    applied = network.graph.applied[node.index]
    weights, buffers = applied.weights, node.layer.buffers(*applied.inputs)
    if not weights and not buffers:
        yield "None."
        return
    for kind, shapes in (("", weights), (" (buffer, not learned)", buffers)):
        for name, sizes in shapes.items():
            product = f"{shape(sizes)} = {prod(sizes):,}" if len(sizes) > 1 else f"{prod(sizes):,}"
            yield f"- {name or 'itself'}: {product}{kind}"
    if node.reused:
        yield "- counted at the first use of this module"
    elif counts.parameters:
        yield f"- together {counts.parameters:,}{_share(counts.parameters, network.totals.parameters)}"
    yield from _training(network, node)


def _training(network: Network, node: Node) -> Iterator[str]:
    """What of a layer does not train, and where that is said."""
    held, settled = node.index in network.frozen.parameters, node.index in network.frozen.statistics
    if not held and not settled:
        return
    graph = network.graph
    if graph.recipe is not None and graph.stage is not None:
        stage = graph.recipe.stages[graph.stage]
        said = f"in the stage {clean(stage.name)}, written at {clean(str(stage.span))}"
    else:
        inside = [each for each in graph.backbones if node.path.startswith(f"{each.path}.")]
        said = f"by {clean(inside[-1].path)}, written at {clean(str(inside[-1].span))}"
    what = "frozen" if held else "trained"
    statistics = "; its statistics stay as they are" if settled else ""
    yield f"- {what}{statistics}: {said}"


def _macs(network: Network, node: Node, counts: Counts) -> Iterator[str]:
    applied = network.graph.applied[node.index]
    layer, macs = node.layer, counts.macs
    if macs is None:
        yield "Not known: a size is open."
        return
    if macs == 0:
        yield "None: torchvision's rule counts convolutions, linear layers and matrix products only."
        return
    weight = applied.weights.get("weight", ())
    rule = (type(layer).macs.__doc__ or "").partition("\n")[0].strip()
    for which, tensor in (("output", applied.outputs[0]), ("input", applied.inputs[0])):
        space = [size for size in tensor.space if isinstance(size, int)]
        if weight and prod(space) * prod(weight) == macs:
            places = f"{'*'.join(map(str, space))} positions of the {which}, each " if space else ""
            yield f"- {places}{'*'.join(map(str, weight))}: {prod(space):,} * {prod(weight):,} = {macs:,}"
            break
    else:
        yield f"- {macs:,}: {rule}"
    if network.totals.macs:
        yield f"-{_share(macs, network.totals.macs, '') or ' a small part of all'}"


def _share(part: int, whole: int, comma: str = ",") -> str:
    share = percent(part / whole) if whole else ""
    return f"{comma} {share} of all" if share else ""


# ---------------------------------------------------------------- a module


def _module(network: Network, module: Activation) -> Iterator[str]:
    graph = network.graph
    inside = set()
    for each in graph.activations[module.index :]:
        if each.index == module.index or each.parent in inside:
            inside.add(each.index)
    held = [node for node in graph.nodes if node.activation in inside and node.inputs]
    what = f"`{clean(module.call)}`" if module.kind == "block" else "A group"
    yield f"{what}, written at {clean(str(module.span))}"
    yield from _trail(graph, module.parent) if module.parent is not None else ()
    yield ""
    if module.doc:
        yield clean(" ".join(module.doc.split()))
        yield ""
    for value in module.inputs:
        yield f"- takes {_dims(network, value)}, from {_place(graph, value)}"
    for value in module.outputs:
        yield f"- gives {_dims(network, value)}, from {_place(graph, value)}"
    parameters = sum(network.counts[node.index].parameters for node in held)
    macs = [network.counts[node.index].macs for node in held]
    known = None if None in macs else sum(each or 0 for each in macs)
    yield f"- {thousands(parameters)} parameters{_share(parameters, network.totals.parameters)}"
    total = network.totals.macs
    yield f"- {thousands(known)} multiply-accumulates{_share(known, total) if known and total else ''}"
    yield f"- {len(held)} layers:"
    yield ""
    for node in held:
        count = network.counts[node.index]
        numbers = f"{thousands(count.parameters)} parameters, {thousands(count.macs)} MACs"
        applied = graph.applied[node.index]
        yield f"  - {node.path}: `{clean(applied.text)}` gives {_dims(network, _value(node, 0))}, {numbers}"
    yield ""
