"""Copies of nodes and values, for graphs that are cloned and nodes that are adopted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphsurgeon.model.node import Node, Value

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
            producer._outputs = producer._outputs or {}
            producer._outputs.setdefault(value.port, copy)
    return made[value]


def follow_values(copy: Graph, made: Mapping[Value, Value]) -> None:
    """Let tensors that others name outside the edges (blockwise scales, intermediates) be those of the copy."""
    for value in copy._values:
        quantization = (value.extra or {}).get("quantization")
        if value.extra and quantization is not None:
            scales, zero_points = (made.get(v, v) for v in (quantization.scales, quantization.zero_points))
            value.extra["quantization"] = quantization._replace(scales=scales, zero_points=zero_points)
    for node in copy._nodes:
        for name, attr in list((node._attrs or {}).items()):
            if isinstance(attr, list) and node._attrs is not None:
                node._attrs[name] = [made.get(item, item) if isinstance(item, Value) else item for item in attr]
