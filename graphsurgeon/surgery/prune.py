"""Take out what nothing needs: nodes, functions, and what names them."""

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


def reached_functions(graphs: Iterable[Graph]) -> list[Graph]:
    """Return every function that some graphs name, by calls or attributes, directly or through others."""
    found: dict[Graph, None] = {}
    waiting = list(graphs)
    while waiting:
        graph = waiting.pop()
        for node in graph.nodes:
            for function in node.functions:
                if function not in found:
                    found[function] = None
                    waiting.append(function)
    return list(found)
