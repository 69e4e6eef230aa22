"""How the tests of the language look at a network."""

from __future__ import annotations

from typing import Any

import archdsl
from archdsl.diagnostics import Diagnostic
from archdsl.network import Network

IMAGE = "input image : 3x32x32\n"


def network(text: str, name: str | None = None, **options: Any) -> Network:
    """A network in whose text nothing may be found, warnings included."""
    net = archdsl.parse(text, name, **options)
    assert not net.diagnostics, "\n".join(map(str, net.diagnostics))
    return net


def body(lines: str, **options: Any) -> Network:
    """A network on a small image, with these lines."""
    return network(f"net a {{\n{IMAGE}{lines}\n}}", **options)


def paths(net: Network) -> list[str]:
    """The layers' paths; inputs are none."""
    return [node.path for node in net.graph.nodes if node.inputs]


def layers(net: Network) -> list[str]:
    """The layers as the language writes them."""
    return [layer.text for layer in net.report().layers if layer.inputs]


def shapes(net: Network) -> list[str]:
    """The first result of each layer."""
    return [str(net.graph.outputs_of(node)[0]) for node in net.graph.nodes if node.inputs]


def out(net: Network) -> str:
    """The shape of the only output."""
    (output,) = net.graph.outputs
    return str(net.graph.tensor(output.value))


def wired(net: Network) -> dict[str, list[str]]:
    """What flows into each layer, by path."""
    nodes = net.graph.nodes
    return {node.path: [nodes[value.node].path for value in node.inputs] for node in nodes if node.inputs}


def substance(net: Network) -> list[tuple[object, ...]]:
    """All that a network computes, whatever its parts are called: layers, wiring, shapes, counts and fields."""
    graph = net.graph
    rows: list[tuple[object, ...]] = [
        (node.layer, node.inputs, applied.outputs, node.reused, counts, field.axes, field.everywhere is not None)
        for node, applied, counts, field in zip(graph.nodes, graph.applied, net.counts, net.fields, strict=True)
    ]
    return [*rows, *[(output.value, output.training_only) for output in graph.outputs]]


def named_substance(net: Network) -> list[tuple[object, ...]]:
    """The same, and what each layer is called."""
    return [*substance(net), *[(node.path,) for node in net.graph.nodes]]


def findings(text: str, name: str | None = None, **options: Any) -> tuple[Diagnostic, ...]:
    return archdsl.parse(text, name, **options).diagnostics


def codes(text: str, name: str | None = None, **options: Any) -> list[str]:
    return [finding.code for finding in findings(text, name, **options)]


def place(finding: Diagnostic) -> str:
    """`code line:column text` of a finding."""
    line, column = finding.span.source.position(finding.span.start)
    return f"{finding.code} {line}:{column} {finding.span.text}"


def places(text: str, name: str | None = None, **options: Any) -> list[str]:
    return [place(finding) for finding in findings(text, name, **options)]


def one(text: str, name: str | None = None, **options: Any) -> Diagnostic:
    """The only finding of a text."""
    found = findings(text, name, **options)
    assert len(found) == 1, "\n".join(map(str, found))
    return found[0]
