"""What a loader runs after it has restored variables: the init op, and the assignments and tables behind it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin
from graphsurgeon.analysis.flow.effects import acts
from graphsurgeon.analysis.flow.restore_map import ResourceKey, resource_key
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import Asset, MetaGraph
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import ASSIGNMENTS, TABLE_FILES, TABLE_FILLS, TABLES, VARIABLES

INIT_SIGNATURE = "__saved_model_init_op"
TABLE_INITIALIZERS = "table_initializer"  # collection of the steps that `tables_initializer()` groups
INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")
# By what else ops of packages know what others of them have loaded: an id in place of a handle (`SimpleMLInferenceOp`).
_IDS = ("model_identifier", "identifier", "resource_name", "resource_id")


class LoadPath:
    """Answers questions about what happens on load; walks the init op once.

    Args:
        metagraph: any; one without an init op assigns nothing.
    """

    def __init__(self, metagraph: MetaGraph) -> None:
        self._metagraph = metagraph
        self._assets = {asset.mention.node: asset for asset in metagraph.assets if asset.mention.node is not None}
        self.nodes = list(_nodes_on_load(metagraph))
        self.assigned: dict[ResourceKey, Place] = {}
        for node, call in self.nodes:
            if node.op in ASSIGNMENTS and len(node.inputs) == 2:
                target = origin(Place(node.inputs[0], call)).value.producer
                if target is not None and target.op in VARIABLES:
                    self.assigned.setdefault(resource_key(target), Place(node.inputs[1], call))

    def filler(self, nodes: Iterable[Node]) -> tuple[Node, Node] | None:
        """Return the first of some nodes that makes or names what something on load fills, and what fills it.

        Variables and tables are left out: what they hold is known, or refused, by what freezes them.
        """
        for node in nodes if self._filled else ():
            for key in _resources(node):
                for filling in self._filled.get(key, ()):
                    if filling.op != node.op:  # else it makes the resource here as there
                        return node, filling
        return None

    @cached_property
    def _filled(self) -> dict[ResourceKey, list[Node]]:
        found: dict[ResourceKey, list[Node]] = {}
        for node, call in self.nodes:
            if node.callee is None and not node.functions and acts(node.qualified_op):
                origins = (origin(Place(value, call)).value.producer for value in node.inputs)
                for key in (key for one in (node, *origins) if one is not None for key in _resources(one)):
                    found.setdefault(key, []).append(node)
        return found

    def asset(self, place: Place) -> Asset | None:
        """Return the asset whose path a value is, through variables that are set on load; None if it is none."""
        for _ in range(len(self.assigned) + 1):
            place = origin(place)
            node = place.value.producer
            if node is None or node in self._assets:
                break
            if node.op == "ReadVariableOp":
                handle = origin(Place(node.inputs[0], place.call)).value.producer
                assigned = self.assigned.get(resource_key(handle)) if handle is not None else None
                if assigned is None:
                    return None
                place = assigned
        node = origin(place).value.producer
        return self._assets.get(node) if node is not None else None


def init_node(metagraph: MetaGraph) -> Node | None:
    """Return the node that a loader runs after restoring, None if there is none."""
    signature = metagraph.signatures.get(INIT_SIGNATURE)
    for entry in signature.outputs.values() if signature is not None else ():
        if entry.mention is not None and entry.mention.node is not None:
            return entry.mention.node
    for key in INIT_COLLECTIONS:
        collection = metagraph.collections.get(key)
        for item in collection.items if collection is not None else ():
            for mention in item.mentions.values():
                if mention.node is not None:
                    return mention.node
    return None


def fills_on_load(metagraph: MetaGraph) -> list[Node]:
    """Return the nodes that fill tables and that a loader has to run, for nothing that is computed runs them.

    Those of the collection of TensorFlow 1; without it, such as in a frozen graph, every node that fills a table,
    unless something other than a group of such steps waits for it (a lookup of a graph that fills itself).
    """
    collection = metagraph.collections.get(TABLE_INITIALIZERS)
    found = [mention.node for item in collection.items for mention in item.mentions.values()] if collection else []
    if not found:
        fills = [node for node in metagraph.graph.nodes if node.op in TABLE_FILLS or node.op in TABLE_FILES]
        found = [node for node in fills if all(waiting.op == "NoOp" for waiting in node.control_consumers)]
    return [node for node in found if node is not None]


def _nodes_on_load(metagraph: MetaGraph) -> Iterator[tuple[Node, Call | None]]:
    root = init_node(metagraph)
    yield from nodes_inside(list(upstream([root])) if root is not None else [])


def _resources(node: Node) -> Iterator[ResourceKey]:
    """Yield by what others know the resource that a node makes or names: its container and name, or an id."""
    if node.op in VARIABLES or node.op in TABLES:
        return
    opdef = catalog.of(node)
    if "shared_name" in node.attrs or (opdef is not None and "shared_name" in opdef.attrs):
        yield resource_key(node)
    for name in _IDS if opdef is None else ():
        value = node.attrs.get(name)
        if isinstance(value, bytes) and value:
            yield ResourceKey(b"", f"{name} {value.decode('utf-8', 'surrogateescape')}")
