"""Attributes and device strings that say nothing, or only where something is to run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from operator import itemgetter

from graphsurgeon.model.graph import AttrValue, Graph, Node
from graphsurgeon.ops import catalog
from graphsurgeon.surgery.moves.recorded_shapes import OUTPUT_SHAPES

_COLOCATION = "_class"
_AT = b"loc:@"

Cleared = list[tuple[Node, str]]


def clear_devices(graph: Graph) -> Cleared:
    """Remove device strings; return the nodes with theirs."""
    found = [(node, node.device) for node in graph.nodes if node.device]
    for node, _ in found:
        node.device = ""
    return found


def clear_colocation(graph: Graph) -> Cleared:
    """Remove all wishes to be placed with another node."""
    return _clear_wishes(graph, lambda wish: False)


def clear_stale_colocation(graph: Graph) -> Cleared:
    """Remove wishes to be placed with another node that is gone."""
    return _clear_wishes(graph, lambda wish: not _is_stale(wish, graph))


def take_out_with_wishes(graph: Graph, nodes: Collection[Node]) -> None:
    """Take nodes out that nobody reads, and wishes to be placed with one of them: loaders refuse such a wish."""
    gone = {_AT + node.name.encode("utf-8", "surrogateescape") for node in nodes}
    graph.take_out(nodes)
    if gone:
        _clear_wishes(graph, lambda wish: wish not in gone)


def _clear_wishes(graph: Graph, stays: Callable[[object], bool]) -> Cleared:
    found: Cleared = []
    for node in graph.nodes:
        if _COLOCATION not in node.attrs:
            continue
        wishes = node.attrs[_COLOCATION]
        kept = list(filter(stays, wishes)) if isinstance(wishes, list) else []  # of another kind it is no wish
        if isinstance(wishes, list) and len(kept) == len(wishes):
            continue
        found.append((node, _COLOCATION))
        if kept:
            node.attrs[_COLOCATION] = kept
        else:
            del node.attrs[_COLOCATION]
    return found


def clear_defaults(graph: Graph) -> Cleared:
    """Remove attributes that have the default of the op's definition; return the nodes with their names."""
    found: Cleared = []
    for node in graph.nodes:
        defaults = _defaults(node.qualified_op) if node.callee is None else ()
        for name, default in defaults:
            if name in node.attrs and _is_same(node.attrs[name], default):
                del node.attrs[name]
                found.append((node, name))
    return found


def clear_recorded_shapes(graph: Graph) -> Cleared:
    """Remove the shapes that are recorded beside the ops; those of a function's arguments stay."""
    found = [(node, OUTPUT_SHAPES) for node in graph.nodes if OUTPUT_SHAPES in node.attrs]
    for node, key in found:
        del node.attrs[key]
    return found


@functools.cache
def _defaults(op: str) -> tuple[tuple[str, AttrValue], ...]:
    """Return the attributes of an op that have a default, by name."""
    opdef = catalog.get(op)
    attrs = opdef.attrs.values() if opdef is not None else ()
    given = [(attr.name, attr.default) for attr in attrs if attr.has_default and attr.default is not None]
    return tuple(sorted(given, key=itemgetter(0)))


def _is_same(value: object, default: object) -> bool:
    return type(value) is type(default) and repr(value) == repr(default) and value == default


def _is_stale(wish: object, graph: Graph) -> bool:
    if not isinstance(wish, bytes):
        return True  # importers read texts alone
    if not wish.startswith(_AT):
        return False
    return graph.node(wish.removeprefix(_AT).decode("utf-8", "surrogateescape")) is None
