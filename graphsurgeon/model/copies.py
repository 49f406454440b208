"""Copies of nodes and values, for graphs that are cloned and nodes that are adopted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from graphsurgeon.model.node import Node, Output, Value

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Graph


def copy_node(node: Node, graph: Graph) -> Node:
    """Return a copy of a node for a graph, with all its attributes and without edges, not yet entered there."""
    copy = Node(graph, node._name, node._op, node.raw)
    copy.keeps_spelling = node.keeps_spelling
    copy.device = node.device
    if node._attrs is not None:
        if node.raw is None:
            copy.start_attrs(node._attrs)
        else:
            copy._attrs = node._attrs.copy()  # type: ignore[attr-defined]
    return copy


def copy_value(value: Value, graph: Graph, producer: Node | None, made: dict[Value, Value]) -> Value:
    """Return the copy of a value in a graph, made once: `made` remembers it."""
    if value not in made:
        copy = made[value] = Value(graph, producer, value.port, value.name)
        copy.dtype, copy.shape, copy.tensor, copy.raw = value.dtype, value.shape, value.tensor, value.raw
        copy.is_dangling = value.is_dangling
        copy.extra = dict(value.extra) if value.extra else None
        if producer is not None and not value.name:
            producer.start_output(value.port, copy)
    return made[value]


def fill_copy(graph: Graph, copy: Graph) -> None:
    """Fill an empty graph of the same kind and MetaGraph with copies of all that a graph has."""
    copy._attrs = dict(graph.attrs)
    values: dict[Value, Value] = {}
    copy._inputs = [copy_value(value, copy, None, values) for value in graph._inputs]
    copy.original_arguments = {
        text: values[value] for text, value in graph.original_arguments.items() if value in values
    }
    nodes = {node: copy_node(node, copy) for node in graph._nodes}
    for node, twin in nodes.items():
        for port, value in node.known_outputs.items():
            twin.start_output(port, copy_value(value, copy, twin, values))
        copy.attach(twin)
    copy.originals = {text: nodes[node] for text, node in graph.originals.items() if node in nodes}
    for node, twin in nodes.items():
        twin.inputs = [copy_value(v, copy, nodes.get(v.producer) if v.producer else None, values) for v in node.inputs]
        twin.controls = [nodes[other] for other in node.controls if other in nodes]
    copy._values = [
        copy_value(value, copy, nodes.get(value.producer) if value.producer else None, values)
        for value in graph._values
    ]
    copy._outputs = [Output(o.name, values[o.value], o.dtype, o.raw) for o in graph._outputs if o.value in values]
    copy.argument_controls = [(nodes[node], values[argument]) for node, argument in graph.argument_controls]
    copy.dangling_controls = [(nodes[node], text) for node, text in graph.dangling_controls]
    copy._control_outputs = {key: nodes[node] for key, node in graph._control_outputs.items() if node in nodes}
    if graph.kind == "subgraph":
        _follow_values(copy, values, copy._nodes)


def copy_into(graph: Graph, target: Graph) -> dict[Value, Value]:
    """Enter copies of all tensors and operators of a TFLite subgraph into another one; return tensor -> its copy.

    Inputs and outputs of the target stay as they are.
    """
    values: dict[Value, Value] = {}
    nodes = {}
    for node in graph.nodes:
        _ = node.attrs  # what they mention is found in the subgraph that they were read in
        nodes[node] = copy_node(node, target)
    for value in graph.values:
        copy = copy_value(value, target, nodes.get(value.producer) if value.producer else None, values)
        copy.port = len(target.values)
        target._values.append(copy)
    for node, twin in nodes.items():
        target.attach(twin)
        twin.inputs = [target.absent if value.is_absent else values.get(value, value) for value in node.inputs]
        outputs = [target.absent if value.is_absent else values.get(value, value) for value in node.outputs]
        twin.set_outputs(outputs)
        twin.controls = [nodes[other] for other in node.controls if other in nodes]
    _follow_values(target, values, nodes.values())
    target.absent.producer = None
    return values


def _follow_values(copy: Graph, made: Mapping[Value, Value], nodes: Iterable[Node]) -> None:
    """Let tensors that others name outside the edges (blockwise scales, intermediates) be those of the copy."""
    for value in copy._values:
        quantization = (value.extra or {}).get("quantization")
        if value.extra and quantization is not None:
            scales, zero_points = (made.get(v, v) for v in (quantization.scales, quantization.zero_points))
            value.extra["quantization"] = quantization._replace(scales=scales, zero_points=zero_points)
    for node in nodes:
        for name, attr in list((node._attrs or {}).items()):
            if isinstance(attr, list) and node._attrs is not None:
                node._attrs[name] = [made.get(item, item) if isinstance(item, Value) else item for item in attr]
