"""Attributes and device strings that say nothing, or only where something is to run."""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.ops import catalog

_COLOCATION = "_class"
_AT = b"loc:@"

Cleared = list[tuple[Node, str]]


def clear_devices(graph: Graph, everything: bool) -> Cleared:
    """Remove device strings; return the nodes with theirs."""
    found = [(node, node.device) for node in graph.nodes if node.device] if everything else []
    for node, _ in found:
        node.device = ""
    return found


def clear_colocation(graph: Graph, everything: bool) -> Cleared:
    """Remove wishes to be placed with another node: all, or those whose other node is gone."""
    found: Cleared = []
    for node in graph.nodes:
        wishes = node.attrs.get(_COLOCATION)
        if not isinstance(wishes, list):
            continue
        kept = [] if everything else [wish for wish in wishes if not _is_stale(wish, graph)]
        if len(kept) == len(wishes):
            continue
        found.append((node, _COLOCATION))
        if kept:
            node.attrs[_COLOCATION] = kept
        else:
            del node.attrs[_COLOCATION]
    return found


def clear_defaults(graph: Graph, everything: bool) -> Cleared:
    """Remove attributes that have the default of the op's definition; return the nodes with their names."""
    found: Cleared = []
    for node in graph.nodes if everything else ():
        opdef = catalog.get(node.op) if node.callee is None else None
        if opdef is None:
            continue
        for name in [name for name in node.attrs if name in opdef.attrs]:
            definition = opdef.attrs[name]
            value = node.attrs[name]
            if definition.has_default and definition.default is not None and _is_same(value, definition.default):
                del node.attrs[name]
                found.append((node, name))
    return found


def _is_same(value: object, default: object) -> bool:
    return type(value) is type(default) and repr(value) == repr(default) and value == default


def _is_stale(wish: object, graph: Graph) -> bool:
    if not isinstance(wish, bytes) or not wish.startswith(_AT):
        return False
    return graph.node(wish.removeprefix(_AT).decode("utf-8", "surrogateescape")) is None
