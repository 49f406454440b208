"""A graph as a TensorBoard event file, written only.

An event file is a sequence of records: length (8 bytes, little-endian), its masked CRC-32C, the data, its masked
CRC-32C (`tensorflow/core/lib/io/record_writer.h`). The data are `Event` messages; the first says the version.
"""

from __future__ import annotations

import struct
from typing import Any

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.files import Rope
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.metagraph import serialize_graph_def
from graphsurgeon.formats.graph.protobuf.payloads import LARGE, marked
from graphsurgeon.model.metagraph import MetaGraph

VERSION = "brain.Event:2"
# TensorBoard looks for "tfevents" in the name and sorts by it; a fixed one keeps the output the same every time.
FILE_NAME = "events.out.tfevents.0000000000.graphsurgeon"


def lower(metagraph: MetaGraph) -> dict[str, Rope]:
    """Return the file by its name below the log folder: the graph and its functions, without large values.

    TensorBoard shows no values, and a large one would only slow it down.

    Raises:
        UnsupportedError: the graph is a TFLite subgraph.
    """
    if metagraph.graph.kind == "subgraph":
        raise UnsupportedError("TensorBoard shows GraphDefs only", hint="gs render draws a TFLite model")
    graph_def = schema.message("tensorflow.GraphDef").FromString(serialize_graph_def(metagraph))
    for nodes in (graph_def.node, *(function.node_def for function in graph_def.library.function)):
        for node in nodes:
            _drop_values(node)
    event = schema.message("tensorflow.Event")
    events = [event(file_version=VERSION), event(graph_def=graph_def.SerializeToString(deterministic=True))]
    return {FILE_NAME: [_record(message.SerializeToString()) for message in events]}


def _record(data: bytes) -> bytes:
    length = struct.pack("<Q", len(data))
    checksums = [struct.pack("<I", crc32c.mask(crc32c.crc32c(part))) for part in (length, data)]
    return length + checksums[0] + data + checksums[1]


def _drop_values(node: Any) -> None:
    """Leave of a large constant its dtype and shape."""
    for value in node.attr.values():
        tensor = value.tensor
        if value.WhichOneof("value") == "tensor" and (marked(tensor.tensor_content) or tensor.ByteSize() >= LARGE):
            small = schema.message("tensorflow.TensorProto")(dtype=tensor.dtype)
            small.tensor_shape.CopyFrom(tensor.tensor_shape)
            tensor.CopyFrom(small)
