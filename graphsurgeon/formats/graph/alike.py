"""Which nodes say the same but for their names and inputs: a large graph has few kinds of nodes.

What is asked of a node's op and attributes alone need not be asked of each.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphsurgeon.encoding import protowire
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf.payloads import Payload, has_mark
from graphsurgeon.formats.graph.values.attrs import NodeAttrs
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Node

_COLOCATION = b"_class"  # of which some rules ask whether it names the node itself
_COLOCATION_KEY = b"\x0a\x06_class"  # as it begins an entry of the attributes
_MOST_SAID = 1 << 11  # bytes of a node that are worth comparing
_OF_ITS_OWN = frozenset(b"\x0a\x12\x1a")  # tags of name, op and inputs, which come before all others
_OF_FUNCTIONS = (b"\x52", b"\x4a")  # tags of `AttrValue.func` and `ListValue.func`, which text may hold too


def one_of_a_kind(nodes: Iterable[Node]) -> list[Node]:
    """Return some nodes of one graph without those that are as an earlier one is, in their order.

    Nodes are alike if op, device and attributes are the same and either all have inputs or none. New nodes, and those
    that go where another one is, are all among what is returned.
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


def stated(node: Node) -> bytes | None:
    """Return device and attributes of a node, in bytes that are equal where these are.

    None where bytes alone do not tell: of nodes that are new, or of another family of formats; of values that lie
    elsewhere in the file; and of what may name functions or other nodes, whose names may have changed.
    """
    if node.graph.vocabulary != TENSORFLOW or node.raw is None:  # then no protobuf is loaded
        return None
    node_def = schema.message("tensorflow.NodeDef")
    said = _stated(node, node_def) if isinstance(node.raw, node_def) else None
    if said is None or _COLOCATION in said or has_mark(said) or any(tag in said for tag in _OF_FUNCTIONS):
        return None
    return said


def stated_attrs(node: Node) -> bytes | None:
    """Return device and attributes of a node as it was read, without its colocation; None where they do not tell.

    They do not where an attribute was changed, where values lie elsewhere in the file, and where they are many.
    """
    held = node.held_attrs
    if held is not None and (held.__class__ is not NodeAttrs or held.changes):
        return None
    said = _behind_inputs(node.raw)
    if len(said) > _MOST_SAID or has_mark(said):
        return None
    return _without_colocation(said) if _COLOCATION_KEY in said else said


def _behind_inputs(raw: Any) -> bytes:
    """Return a serialized node without name, op and inputs."""
    data: bytes = raw.SerializeToString(deterministic=True)
    at, end = 0, len(data)
    while at < end and data[at] in _OF_ITS_OWN:
        size = data[at + 1]
        at += 2
        if size >= 0x80:
            size, at = protowire.read_varint(data, at - 1)
        at += size
    return data[at:]


def _without_colocation(said: bytes) -> bytes | None:
    """Return serialized attributes without `_class`; None if there are other fields than of texts and messages."""
    at = 0
    while at < len(said):
        if said[at] & 0x87 != 2:
            return None
        size, start = protowire.read_varint(said, at + 1)
        if said.startswith(_COLOCATION_KEY, start):
            return said[:at] + said[start + size :]
        at = start + size
    return said


def _kind(node: Node, node_def: Any) -> tuple[object, ...] | None:
    said = _stated(node, node_def) if node.raw is not None else None
    return None if said is None or _COLOCATION in said else (said, node.op, node.device, bool(node.inputs))


def _stated(node: Node, node_def: Any) -> bytes | None:
    held = node.held_attrs
    if not (held is None or isinstance(held, NodeAttrs)):
        return None
    if held is None or not held.changes:
        return _behind_inputs(node.raw)
    scratch = node_def()  # one for all would keep the memory of each
    scratch.CopyFrom(node.raw)
    for field in ("name", "op", "input"):
        scratch.ClearField(field)
    payloads: list[Payload] = []
    held.lower(scratch, payloads)
    if payloads:  # a mark says nothing of the values that it stands for
        return None
    said: bytes = scratch.SerializeToString(deterministic=True)
    return said
