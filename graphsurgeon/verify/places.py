"""How findings say where they are."""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node


def place(graph: Graph, node: Node | None = None) -> str:
    """Name a graph, or a node in it: `node a/b`, `function f, node a/b`."""
    inside = "" if graph.kind == "main" else f"{graph.kind} {graph.name}"
    if node is None:
        return inside or "main graph"
    return f"{inside}, node {node.name}" if inside else f"node {node.name}"
