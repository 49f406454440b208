"""`keras_metadata.pb`: what Keras 2 keeps beside a SavedModel of its layers, by their numbers in the object graph.

Source: `keras/protobuf/saved_metadata.proto`: a list (field 1) of objects, whose field 2 is the number. Read and
written as fields on the wire, since the message belongs to Keras and TensorFlow does not have it.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding import protowire
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.savedmodel.folder import parts
from graphsurgeon.model.metagraph import MetaGraph

NAME = parts.KERAS_METADATA
MOST = 1 << 28  # bytes; it holds the configuration of layers, no weights
_NODES, _NODE_ID = 1, 2


def renumbered(source: SourceFile, metagraph: MetaGraph) -> bytes | None:
    """Return the file with the numbers that objects are going to have; None if it may stay as it is.

    Raises:
        FormatError: the file is damaged or too large.
    """
    if metagraph._objects is None or metagraph.objects is None:
        return None
    from graphsurgeon.formats.graph import objectgraph

    ids = objectgraph.new_ids(metagraph.objects)
    if ids is None:
        return None
    if source.size > MOST:
        raise FormatError(f"{source.size} bytes are too many for the metadata of Keras", path=source.path)
    data = source.whole().read()
    nodes = [value for number, value in fields(data) if number == _NODES and isinstance(value, bytes)]
    kept = [node for one in nodes if (node := _with_new_id(one, ids)) is not None]
    return protowire.insert(protowire.without(data, (_NODES,)), _NODES, kept)


def _with_new_id(node: bytes, ids: Mapping[int, int]) -> bytes | None:
    """Return an object under its new number, None if it is gone. The number 0 is not stored."""
    old = next((value for number, value in fields(node) if number == _NODE_ID and isinstance(value, int)), 0)
    if old not in ids:
        return None
    tag = protowire.encode_varint(_NODE_ID << 3)
    number = tag + protowire.encode_varint(ids[old]) if ids[old] else b""
    return number + protowire.without(node, (_NODE_ID,))
