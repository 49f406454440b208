"""Take out nodes that nothing needs."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import producers, upstream


def prune_graph(graph: Graph, roots: Iterable[Node] = ()) -> list[Node]:
    """Remove the nodes that neither outputs, control outputs nor some further nodes need; return them."""
    wanted = [output.value for output in graph.outputs]
    needed = upstream([*producers(wanted), *graph.control_outputs.values(), *roots])
    gone = [node for node in graph.nodes if node not in needed]
    graph.take_out(gone)
    return gone


def read_nodes(graph: Graph) -> set[Node]:
    """Return the nodes that another one takes a value from, or waits for."""
    return {node for node in graph.nodes if node.consumers or node.control_consumers}


def remove_orphans(graph: Graph, read_before: Iterable[Node], protected: Collection[Node]) -> list[Node]:
    """Remove nodes that were read before a change and no longer are, then those that only they read; return them.

    Nodes that act (assert, print, assign) stay, and nodes that a graph yields or that are protected.
    """
    effects = Effects()
    kept = {*protected, *graph.control_outputs.values()}
    kept |= {output.value.producer for output in graph.outputs if output.value.producer is not None}
    waiting = [node for node in read_before if node in graph]
    gone: list[Node] = []
    while waiting:
        node = waiting.pop()
        if node not in graph or node in kept or node.consumers or node.control_consumers or effects.of_node(node):
            continue
        waiting += [value.producer for value in node.inputs if value.producer is not None]
        waiting += node.controls
        graph.take_out([node])
        gone.append(node)
    return gone


def protected_nodes(metagraph: MetaGraph) -> dict[Node, str]:
    """Return the main graph's nodes that something besides edges and collections names, and what that is."""
    named: dict[Node, str] = {}
    mentions = [
        mention for signature in metagraph.signatures.values() for e in signature.entries for mention in e.mentions
    ]
    mentions += metagraph.saver.mentions if metagraph.saver is not None else []
    mentions += [asset.mention for asset in metagraph.assets]
    mentions += metagraph.objects.mentions() if metagraph.objects is not None else []
    for mention in mentions:
        if mention.node is not None:
            named.setdefault(mention.node, mention.where)
    return named


def collected_nodes(metagraph: MetaGraph) -> set[Node]:
    """Return the nodes that collections name."""
    items = [item for collection in metagraph.collections.values() for item in collection.items]
    return {mention.node for item in items for mention in item.mentions.values() if mention.node is not None}


def forget_removed(metagraph: MetaGraph, removed: Collection[Node]) -> int:
    """Drop the elements of collections that name a removed node, and collections left empty; return how many."""
    gone = set(removed)
    count = 0
    for key, collection in list(metagraph.collections.items()):
        kept = [item for item in collection.items if not any(m.node in gone for m in item.mentions.values())]
        count += len(collection.items) - len(kept)
        if len(kept) < len(collection.items):
            collection.items = kept
            if not kept:
                del metagraph.collections[key]
    return count
