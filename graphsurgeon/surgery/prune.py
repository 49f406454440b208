"""Take out nodes that nothing needs."""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.restore_map import reached
from graphsurgeon.model.graph import Graph, Node


def prune_graph(graph: Graph, roots: Iterable[Node] = ()) -> list[Node]:
    """Remove the nodes that neither outputs, control outputs nor some further nodes need; return them."""
    wanted = [output.value.producer for output in graph.outputs]
    needed = set(reached([*(node for node in wanted if node is not None), *graph.control_outputs.values(), *roots]))
    gone = [node for node in graph.nodes if node not in needed]
    graph.remove_nodes(gone)
    return gone
