"""Nodes that compute the same become one: equal constants, and the same op of the same inputs."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_order
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BACK_EDGES, CONTROL_FLOW, PLACEHOLDERS, PYTHON, QUIETLY_IMPURE
from graphsurgeon.surgery.moves.inlining.inline import alive_control

_MOST_HASHED = 1 << 20  # bytes of a constant that is compared
_NOT_PURE = PYTHON | PLACEHOLDERS | CONTROL_FLOW | QUIETLY_IMPURE


def merge(graph: Graph, kept: Collection[Node], unread: Collection[Node], *, constants: bool) -> list[Node]:
    """Let the readers of equal nodes read the first; return the nodes that went.

    Args:
        graph: a main graph or function.
        kept: nodes that stay, since something names them; they may be the first of equal ones.
        unread: nodes that stay as they are.
        constants: merge constants, else all other nodes.
    """
    first: dict[object, Node] = {}
    gone: dict[Node, Node] = {}
    ends = {*graph.control_outputs.values()}
    for node in in_order(graph.nodes, controls=False, back_edges=BACK_EDGES):
        if (node.op == "Const") is not constants or node in unread or not _is_pure(node):
            continue
        key = _key(node)
        if key is None:
            continue
        other = first.setdefault(key, node)
        if other is node:
            continue
        if node in kept or node in ends:
            if other in kept or other in ends or not _is_before(node, other):
                continue
            first[key], node, other = node, other, node
        _exchange(node, other)
        gone[node] = other
    graph.remove_nodes(gone)
    return list(gone)


def _is_before(node: Node, other: Node) -> bool:
    """Say whether a node can stand for one that was met first: constants read nothing, so they can."""
    return node.op == "Const"


def _exchange(node: Node, other: Node) -> None:
    for port, value in enumerate(node.outputs):
        value.replace_with(other.output(port))
    for user in node.control_consumers:
        user.controls = list(dict.fromkeys(alive(other) if one is node else one for one in user.controls))


def alive(node: Node) -> Node:
    """Return what to wait for in order to wait for a node."""
    return alive_control(node.output()) if node.outputs else node


def _is_pure(node: Node) -> bool:
    definition = catalog.of(node)
    if definition is None or definition.is_stateful or node.callee is not None or node.op in _NOT_PURE:
        return False
    dtypes = node.output_dtypes() if node.graph.raw is not None else definition.output_dtypes(node.attrs)
    return bool(dtypes) and not any(dtype.is_ref or dtype in (RESOURCE, VARIANT) for dtype in dtypes or ())


def _key(node: Node) -> object | None:
    attrs: list[tuple[str, Any]] = []
    definition = catalog.of(node)
    for name in definition.attrs if definition is not None else ():
        value = definition.attr(node.attrs, name) if definition is not None else None
        shown = _shown(value)
        if shown is None and value is not None:
            return None
        attrs.append((name, shown))
    inputs: tuple[Value, ...] = node.inputs
    return node.op, inputs, frozenset(node.controls), node.device, tuple(attrs), _class(node)


def _class(node: Node) -> object:
    wishes = node.attrs.get("_class")
    return tuple(map(str, wishes)) if isinstance(wishes, list) else None


def _shown(value: AttrValue) -> Any:
    """Return an attribute as a key; None if it cannot be one."""
    if isinstance(value, Tensor):
        if value.nbytes > _MOST_HASHED:
            return None
        digest = hashlib.sha256()
        for chunk in value.chunks():
            digest.update(len(chunk).to_bytes(8, "little") + chunk if not value.dtype.bits else chunk)
        return value.dtype.name, value.shape, digest.digest()
    if isinstance(value, list):
        items = [_shown(item) for item in value]
        return None if None in items else tuple(items)
    if isinstance(value, FunctionRef | Value):
        return None
    return type(value).__name__, str(value)
