"""Which nodes say the same but for their names and inputs: a large graph has few kinds of nodes.

What is asked of a node's op and attributes alone need not be asked of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.values.attrs import NodeAttrs
from graphsurgeon.model.graph import Node

_COLOCATION = b"_class"  # of which some rules ask whether it names the node itself


def one_of_a_kind(nodes: Iterable[Node]) -> list[Node]:
    """Return some nodes of one graph without those that are as an earlier one is, in their order.

    Nodes are alike if op, device and attributes are the same and either all have inputs or none. New nodes, those with
    other attributes than they were read with, and those that go where another one is, are all among what is returned.
    """
    seen: set[tuple[object, ...]] = set()
    found = []
    node_def = schema.message("tensorflow.NodeDef")
    for node in nodes:
        kind = _kind(node, node_def)
        if kind is None:
            found.append(node)
        elif kind not in seen:
            seen.add(kind)
            found.append(node)
    return found


def _kind(node: Node, node_def: Any) -> tuple[object, ...] | None:
    raw, held = node.raw, node.held_attrs
    if raw is None or not (held is None or isinstance(held, NodeAttrs)):
        return None
    scratch = node_def()  # one for all would keep the memory of each
    scratch.CopyFrom(raw)
    scratch.name = ""
    scratch.ClearField("input")
    if held is not None and held.changes:
        if not held.only_lacks:
            return None
        for name in held.changes:
            scratch.attr.pop(name, None)
    said: bytes = scratch.SerializeToString(deterministic=True)
    return None if _COLOCATION in said else (said, node.op, node.device, bool(node.inputs))
