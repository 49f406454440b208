"""Nodes of a GraphDef or FunctionDef as a Graph, and back.

Reads and writes one list of `NodeDef`s. What encloses it (library, versions, signatures) is in
`metagraph.py`, what is special to functions in `functiondef.py`. Raw messages are never altered: lowering
fills new ones.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator, MutableMapping, Sequence
from sys import intern
from typing import Any

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import alike
from graphsurgeon.formats.graph.nodetypes import NodeTypes, Room, Types
from graphsurgeon.formats.graph.references import Layout, References
from graphsurgeon.formats.graph.values import attrs as attr_values
from graphsurgeon.formats.graph.values.attrs import Context, NodeAttrs
from graphsurgeon.model.collector import collector_off
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node
from graphsurgeon.ops import catalog
from graphsurgeon.ops.opdef import OpDef


class OpDefs:
    """Op definitions in reach of one file: the catalog's, and those the file brings along for custom ops.

    Attributes:
        types: the types of nodes by these definitions.
        room: for outputs that only a number in an attribute stands for.
    """

    __slots__ = ("_stripped", "room", "types")

    def __init__(self, stripped_ops: Sequence[Any] = ()) -> None:
        self._stripped = {op.name: op for op in stripped_ops}
        self.types = NodeTypes()
        self.room = Room()

    def get(self, op: str) -> OpDef | None:
        """Return the definition of an op that is no function, None if nobody knows it."""
        found = catalog.get(op)
        if found is None and op in self._stripped:
            found = catalog.decode(self._stripped[op].SerializeToString())
        return found

    def add(self, others: OpDefs) -> None:
        """Bring the definitions of custom ops of another file in reach; of an op that both define this one's stays."""
        self._stripped = {**others._stripped, **self._stripped}


class NodeListSource:
    """GraphSource over a repeated `NodeDef`; a function extends it with arguments and results.

    Attributes:
        node_defs: the raw nodes.
        context: functions and payloads of the file.
        opdefs: definitions of the ops.
    """

    __slots__ = ("_ops", "context", "node_defs", "opdefs")

    def __init__(self, node_defs: Sequence[Any], context: Context, opdefs: OpDefs) -> None:
        self.node_defs = node_defs
        self._ops: list[str] | None = None
        self.context = context
        self.opdefs = opdefs
        opdefs.room.left += 16 * len(node_defs)  # as many as the values of ordinary nodes, and more

    def lift(self, graph: Graph) -> None:
        """Make the nodes, then join them."""
        with collector_off():
            called = self.context.functions.get
            # Every call for a text makes one; one for all nodes of an op, or of a device, will do.
            made = [  # the graph may have others: those of the model that takes these in
                Node(graph, raw.name, called(op, op), raw, intern(raw.device))
                for raw, op in zip(self.node_defs, self._raw_ops(), strict=True)
            ]
            graph.attach_all(made)
            References(graph, self.layout_of).link_all(made)

    def op_counts(self) -> dict[str, int]:
        """Count the raw nodes by op."""
        return Counter(self._raw_ops())

    def peek(self, graph: Graph, ops: Container[str]) -> list[Node]:
        """Return nodes over the raw ones with some ops, without edges and not entered into the graph."""
        functions = self.context.functions
        chosen = [self.node_defs[index] for index, op in enumerate(self._raw_ops()) if op in ops]
        return [Node(graph, raw.name, functions.get(raw.op, raw.op), raw) for raw in chosen]

    def _raw_ops(self) -> list[str]:
        """Return the op of every raw node: read once, since several questions are asked and none lifts the graph."""
        if self._ops is None:
            self._ops = [intern(raw.op) for raw in self.node_defs]
        return self._ops

    def attrs(self, node: Node) -> MutableMapping[str, AttrValue]:
        """Return the view of a node's raw attributes."""
        return NodeAttrs(node.raw.attr, self.context, op=node.raw.op)

    def function_refs(self, node: Node) -> list[FunctionRef]:
        """Return the functions that raw attributes name."""
        return list(attr_values.function_refs(node.raw.attr, self.context))

    def stated_attrs(self, node: Node) -> bytes | None:
        """Return device and attributes of a node as bytes, equal where these are; None where they do not tell."""
        return alike.stated_attrs(node) if node.raw is not None else None

    def output_dtypes(self, node: Node) -> list[DType] | None:
        """Return the dtypes that the op's definition, or the called function, gives."""
        return self.types_of(node).outputs

    def types_of(self, node: Node) -> Types:
        """Return the dtypes of inputs and outputs that the op's definition, or the called function, gives."""
        opdef = self.opdef_of(node)
        if opdef is None:
            return Types(None, None)
        if node.callee is not None:
            return Types(opdef.input_dtypes(node.attrs), opdef.output_dtypes(node.attrs))
        types = self.opdefs.types.of(node, opdef)
        if types.outputs is not None and not self.opdefs.room.has(node, opdef, len(types.outputs)):
            return types._replace(outputs=None)
        return types

    def opdef_of(self, node: Node) -> OpDef | None:
        """Return the definition of a node's op; for a native call the signature of the function."""
        callee = node.callee
        if callee is None:
            return self.opdefs.get(node.op)
        return callee.raw.opdef(callee) if callee.raw is not None else None  # type: ignore[attr-defined]

    def layout_of(self, node: Node) -> Layout | None:
        """Return the output arguments of a node with the number of their values."""
        opdef = self.opdef_of(node)
        if opdef is None:
            return None
        if all(not arg.number_attr and not arg.type_list_attr for arg in opdef.outputs):
            return [(arg.name, 1) for arg in opdef.outputs]
        lengths = opdef.output_lengths(node.attrs)
        return None if lengths is None else [(arg.name, n) for arg, n in zip(opdef.outputs, lengths, strict=True)]


def serialize_nodes(graph: Graph, context: Context) -> Iterator[bytes]:
    """Yield the bytes of every node of a lifted graph, one at a time: copies of all would take as much as the graph."""
    lowering = _Lowering(graph, context)
    node_def = schema.message("tensorflow.NodeDef")
    for node in graph.nodes:
        if lowering.is_as_read(node) and not context.drops_debug_info:
            yield node.raw.SerializeToString(deterministic=True)
            continue
        stored = list(node.raw.input) if node.raw is not None else []
        texts = lowering.references.texts(node, stored if node.keeps_spelling else [])
        drops_debug_info = context.drops_debug_info and has_debug_info(node)
        if not drops_debug_info and texts == stored and lowering.is_untouched(node):
            yield node.raw.SerializeToString(deterministic=True)
            continue
        message = node_def()
        if node.raw is not None:
            message.CopyFrom(node.raw)
        if texts != stored:
            message.ClearField("input")
            message.input.extend(texts)
        lowering.fill(node, message)
        if drops_debug_info:
            message.ClearField("experimental_debug_info")
        yield message.SerializeToString(deterministic=True)


def has_debug_info(node: Node) -> bool:
    """Say whether a node was read with fields that say where it comes from."""
    return node.raw is not None and bool(node.raw.HasField("experimental_debug_info"))


class _Lowering:
    """Lowers the nodes of one graph."""

    def __init__(self, graph: Graph, context: Context) -> None:
        source = graph.raw if isinstance(graph.raw, NodeListSource) else NodeListSource((), context, OpDefs())
        self.context = context
        self.references = References(graph, source.layout_of)
        self.renamed_functions = context.renamed_functions
        self.renamed_nodes = {old: node.name for old, node in graph.originals.items() if node.name != old}
        renamed_arguments = any(value.name != old for old, value in graph.original_arguments.items())
        has_other_names = self.renamed_functions or self.renamed_nodes or renamed_arguments
        self._changed = None if has_other_names else set(graph.changed_nodes())

    def is_as_read(self, node: Node) -> bool:
        """Say whether a node was not changed in a graph in which all names are as they were, so that it is known so."""
        return self._changed is not None and node not in self._changed and node.raw.name == node.name

    def is_untouched(self, node: Node) -> bool:
        """Say whether the raw message of a node says all that is to be said, its inputs aside."""
        raw = node.raw
        return (
            raw is not None
            and not self.renamed_functions
            and raw.name == node.name
            and raw.op == node.op
            and raw.device == node.device
            and not getattr(node.held_attrs, "changes", None)
            and not (self.renamed_nodes and "_class" in raw.attr)
        )

    def fill(self, node: Node, message: Any) -> None:
        """Bring a copy of a node's raw message up to date, its inputs aside."""
        message.name = node.name
        if message.op != node.op:
            message.op = node.op
        if message.device != node.device:
            message.device = node.device
        if self.renamed_functions:
            attr_values.rename_functions(message.attr, self.renamed_functions)
        if self.renamed_nodes and node.keeps_spelling:
            _respell_colocation(message.attr, self.renamed_nodes)
        _lower_attrs(node, message, self.context)


def _lower_attrs(node: Node, message: Any, context: Context) -> None:
    held = node.held_attrs
    if isinstance(held, NodeAttrs):
        held.lower(message, context.payloads)
    for key, value in (held or {}).items() if node.raw is None else ():
        if value is not None:
            attr_values.encode(value, message.attr[key], context.payloads)


def _respell_colocation(attrs: Any, renamed: dict[str, str]) -> None:
    if "_class" not in attrs:
        return
    texts = attrs["_class"].list.s
    for index, text in enumerate(texts):
        name = text[5:].decode("utf-8", "surrogateescape") if text.startswith(b"loc:@") else ""
        if name in renamed:
            texts[index] = b"loc:@" + renamed[name].encode("utf-8", "surrogateescape")
