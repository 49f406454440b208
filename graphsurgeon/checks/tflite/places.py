"""How findings name places in a TFLite model."""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node, Value

ANEW = "convert the model anew"


def own(graph: Graph) -> str:
    """Return what a subgraph is called."""
    return f"subgraph {graph.name or 'main'}"


def subgraph(graph: Graph) -> str:
    """Return what stands before a place in a model of several subgraphs."""
    return f"subgraph {graph.name or 'main'}, " if graph.metagraph.functions else ""


def operator(graph: Graph, number: int, node: Node) -> str:
    """Return what an operator is called."""
    return f"{subgraph(graph)}operator #{number} ({node.op})"


def tensor(value: Value) -> str:
    """Return what a tensor is called."""
    return f"{subgraph(value.graph)}tensor {value} (#{value.port})"
