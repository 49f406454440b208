"""How findings say where they are, and what is in a graph at all."""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node, Value


def place(graph: Graph, node: Node | None = None) -> str:
    """Name a graph, or a node in it: `node a/b`, `function f, node a/b`."""
    inside = "" if graph.kind == "main" else f"{graph.kind} {graph.name}"
    if node is None:
        return inside or "main graph"
    return f"{inside}, node {node.name}" if inside else f"node {node.name}"


class Present:
    """What belongs to a graph now: a node that was removed, or a value of another graph, does not."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = set(graph.nodes)
        self._values = {id(value) for value in (*graph.inputs, *graph.values)}

    def __contains__(self, item: Node | Value) -> bool:
        if isinstance(item, Node):
            return item in self.nodes
        if item.producer is not None:
            return item.producer in self.nodes
        return not item.is_dangling and (item.is_absent or id(item) in self._values)


def is_present(item: Node | Value | None) -> bool:
    """Say whether the target of a mention still belongs to its graph."""
    if item is None:
        return False
    node = item if isinstance(item, Node) else item.producer
    if node is not None:
        return node in node.graph
    assert isinstance(item, Value)
    return any(item is value for value in (*item.graph.inputs, *item.graph.values))
