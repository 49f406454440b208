"""Which nodes of a main graph stay: those that signatures, outputs and loading need, and savers of their variables."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from graphsurgeon.analysis.flow.collection_faults import collection_fault
from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS
from graphsurgeon.analysis.flow.restore_map import resource_key
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import TABLES, VARIABLES, is_filler
from graphsurgeon.surgery.stripping.saver_v1 import SaverPart

VARIABLE_DEF = "VariableDef"
QUEUE_RUNNER = "QueueRunnerDef"
_VARIABLE_FIELD = "variable_name"
_QUEUE_FIELD = "queue_name"


def protected_mentions(metagraph: MetaGraph) -> list[Mention]:
    """Return what is mentioned by signatures, assets, objects and what runs on load."""
    found = [mention for one in metagraph.signatures.values() for entry in one.entries for mention in entry.mentions]
    found += [asset.mention for asset in metagraph.assets]
    if metagraph.objects is not None:
        found += metagraph.objects.mentions()
    for key in INIT_COLLECTIONS:
        collection = metagraph.collections.get(key)
        found += [m for item in collection.items for m in item.mentions.values()] if collection is not None else []
    return found


def needed_nodes(metagraph: MetaGraph, outputs: Iterable[Value], saver: SaverPart) -> set[Node]:
    """Return the nodes of the main graph that stay if everything goes that may."""
    roots = producers(outputs)
    roots += [node for mention in protected_mentions(metagraph) if (node := mention.node) is not None]
    needed = set(upstream(roots))
    while True:
        is_kept = kept_resources(needed)
        more = saver.needed(is_kept)
        for item in variable_items(metagraph):
            variable = _variable(item)
            if variable is not None and is_kept(variable):
                more += [node for mention in item.mentions.values() if (node := mention.node) is not None]
        more += _fillers(metagraph, needed, saver)
        fresh = [node for node in _without_saver(more, saver, is_kept) if node not in needed]
        if not fresh:
            return needed
        needed.update(fresh)


def kept_resources(nodes: Iterable[Node]) -> Callable[[Node], bool]:
    """Return what says whether a variable or table is among some nodes, itself or under the same run-time name."""
    members = set(nodes)
    keys = {resource_key(node) for node in members if node.op in VARIABLES | TABLES}
    return lambda node: node in members or resource_key(node) in keys


def drop_stale_items(metagraph: MetaGraph) -> None:
    """Take out of the collections what mentions nodes that are gone; mentions have been resolved before."""
    for key, collection in list(metagraph.collections.items()):
        before = len(collection.items)
        collection.items = [
            item for item in collection.items if not any(_is_gone(mention) for mention in item.mentions.values())
        ]
        if before and not collection.items:
            del metagraph.collections[key]


def drop_broken_items(metagraph: MetaGraph) -> list[str]:
    """Take out of the collections what importers cannot read, or what names nothing; return their keys.

    A collection that should name what runs on load, and names nothing, goes with it.
    """
    found = []
    for key, collection in list(metagraph.collections.items()):
        kept = [item for item in collection.items if not _is_broken(collection, item)]
        if len(kept) < len(collection.items) or (key in INIT_COLLECTIONS and not kept):
            found.append(key)
            collection.items = kept
            if not kept:
                del metagraph.collections[key]
    return found


def _is_broken(collection: Collection, item: CollectionItem) -> bool:
    leads_nowhere = any(mention.text and mention.target is None for mention in item.mentions.values())
    return leads_nowhere or bool(collection_fault(collection, item))


def _fillers(metagraph: MetaGraph, needed: set[Node], saver: SaverPart) -> list[Node]:
    """Return what a program runs so that tables, iterators and queues that are needed hold something."""
    found = [
        node
        for node in metagraph.graph.nodes
        if is_filler(node.op) and node not in saver.targets and any(v.producer in needed for v in node.inputs)
    ]
    for collection in metagraph.collections.values():
        for item in collection.items:
            queue = item.mentions.get(_QUEUE_FIELD)
            if item.type == QUEUE_RUNNER and queue is not None and queue.node in needed:
                found += [node for mention in item.mentions.values() if (node := mention.node) is not None]
    return found


def _is_gone(mention: Mention) -> bool:
    node = mention.node
    return node is not None and node not in mention.graph


def _without_saver(nodes: list[Node], saver: SaverPart, is_kept: Callable[[Node], bool]) -> list[Node]:
    """Return what some nodes need, not going through a saver to the variables that it need not save."""
    inside = set(saver.needed(is_kept))
    return [*inside, *upstream([node for node in nodes if node not in inside])]


def variable_items(metagraph: MetaGraph) -> list[CollectionItem]:
    """Return the entries of collections that list a variable."""
    return [item for one in metagraph.collections.values() for item in one.items if item.type == VARIABLE_DEF]


def _variable(item: CollectionItem) -> Node | None:
    """Return the node of a variable that a collection lists; of a partitioned one that of the part."""
    mention = item.mentions.get(_VARIABLE_FIELD)
    node = mention.node if mention is not None else None
    if node is None or node.op in VARIABLES:
        return node
    return next((other for other in upstream([node]) if other.op in VARIABLES), None)
