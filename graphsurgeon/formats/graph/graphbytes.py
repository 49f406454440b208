"""A GraphDef that lies in memory: in a string constant, or in an attribute."""

from __future__ import annotations

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import metagraph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog


def metagraph_of(data: bytes) -> MetaGraph | None:
    """Return the graph that bytes hold; None if they are no GraphDef with a node of a known op, or a function.

    Almost any bytes parse as some message: only what names nodes with ops that TensorFlow has is a graph.
    """
    from google.protobuf.message import DecodeError

    message = schema.message("tensorflow.GraphDef")()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return None
    known = catalog.names()
    has_node = any(node.name and node.op in known for node in message.node)
    has_function = any(function.signature.name and function.node_def for function in message.library.function)
    return metagraph.lift_graph_def(message, []) if has_node or has_function else None
