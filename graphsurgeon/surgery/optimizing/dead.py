"""Nodes that nothing reads any more."""

from __future__ import annotations

from collections.abc import Collection

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.surgery.replacing.exchange import lead_round, steers
from graphsurgeon.surgery.replacing.ground import Ground, producers


def ends_of(graph: Graph) -> set[Node]:
    """Return the nodes that nobody reads or waits for: of a main graph somebody may fetch or run them."""
    if graph.kind == "function":
        return set()
    return {node for node in graph.nodes if not node.consumers and not node.control_consumers}


def remove_dead(graph: Graph, ends: Collection[Node], ground: Ground) -> list[Node]:
    """Take out nodes that nobody reads, and what only they read; who waited for one waits for what it waited for.

    Args:
        graph: a main graph or function.
        ends: nodes that stay although nobody reads them.
        ground: says what has to stay.
    """
    results = {*producers(output.value for output in graph.outputs), *graph.control_outputs.values()}
    gone: dict[Node, None] = {}
    waiting = [node for node in graph.nodes if not node.consumers]
    while waiting:
        node = waiting.pop()
        if node in gone or node.consumers or node in ends or node in results or ground.is_kept(node):
            continue
        if steers(node, ground) or (not node.outputs and node.control_consumers):
            continue  # the last one is a NoOp that gathers what others wait for
        before = [*producers(node.inputs), *node.controls]
        lead_round(node)
        gone[node] = None
        graph.remove_nodes([node])
        waiting += [one for one in dict.fromkeys(before) if not one.consumers]
    if gone:
        graph.argument_controls = [pair for pair in graph.argument_controls if pair[0] not in gone]
        graph.dangling_controls = [pair for pair in graph.dangling_controls if pair[0] not in gone]
    return list(gone)
