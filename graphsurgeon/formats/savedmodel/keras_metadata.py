"""`keras_metadata.pb`: what Keras 2 keeps beside a SavedModel of its layers, by their numbers in the object graph.

Source: `keras/protobuf/saved_metadata.proto`: a list (field 1) of objects, whose field 2 is the number. Read and
written as fields on the wire, since the message belongs to Keras and TensorFlow does not have it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding import protowire
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.errors import FormatError, plural
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.model.metagraph import MetaGraph

NAME = parts.KERAS_METADATA
MOST = 1 << 28  # bytes; it holds the configuration of layers, no weights
_NODES, _NODE_ID, _PATH, _IDENTIFIER, _METADATA = 1, 2, 3, 4, 5
_MOST_SHOWN = 16 << 20  # bytes; of more, `gs show` says nothing
_BEGINNING = 4096  # bytes of an object's JSON that hold its name and class
_MOST_CLASSES = 8  # that a message names
_DIRECT_LAYER = re.compile(rb"root\.layer(?:_with_weights)?-\d+")
_CLASS = re.compile(rb'"class_name": ?"([^"\\]{1,200})"')
_NAME = re.compile(rb'"name": ?"([^"\\]{1,200})"')


def renumbered(source: SourceFile, metagraph: MetaGraph) -> bytes | None:
    """Return the file with the numbers that objects are going to have; None if it may stay as it is.

    Raises:
        FormatError: the file is damaged or too large.
    """
    if "objects" not in metagraph.made_parts or metagraph.objects is None:
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


def described(source: SourceFile) -> str:
    """Say in a line what the file tells of the model: its class and name, its layers by class. Empty if it tells none.

    Only the beginning of each object's JSON is looked at: enough for its class, and quick for hundreds of layers.
    """
    if source.size > _MOST_SHOWN:
        return ""
    try:
        nodes = [
            dict(fields(value))
            for number, value in fields(source.whole().read())
            if number == _NODES and isinstance(value, bytes)
        ]
    except FormatError:
        return ""
    root = next((node for node in nodes if node.get(_PATH) == b"root"), {})
    layers: dict[str, int] = {}
    for node in nodes:
        if _DIRECT_LAYER.fullmatch(_bytes(node, _PATH)) and _bytes(node, _IDENTIFIER).startswith(b"_tf_keras"):
            kind = _first(_CLASS, _bytes(node, _METADATA))
            layers[kind or "custom"] = layers.get(kind or "custom", 0) + 1
    kind, name = (_first(pattern, _bytes(root, _METADATA)) for pattern in (_CLASS, _NAME))
    if not kind:
        return ""
    common = sorted(layers.items(), key=lambda item: (-item[1], item[0]))[:_MOST_CLASSES]
    counted = ", ".join(f"{layer} {count}" for layer, count in common)
    more = f", {len(layers) - len(common)} more" if len(layers) > len(common) else ""
    rest = f": {plural(sum(layers.values()), 'layer')} ({counted}{more})" if layers else ""
    return f"{NAME} tells of a Keras model, class {kind}" + (f", {name!r}" if name else "") + rest


def _bytes(node: Mapping[int, int | bytes], number: int) -> bytes:
    value = node.get(number, b"")
    return value if isinstance(value, bytes) else b""


def _first(pattern: re.Pattern[bytes], data: bytes) -> str:
    found = pattern.search(data, 0, _BEGINNING)
    return found[1].decode("utf-8", "replace") if found else ""


def _with_new_id(node: bytes, ids: Mapping[int, int]) -> bytes | None:
    """Return an object under its new number, None if it is gone. The number 0 is not stored."""
    old = next((value for number, value in fields(node) if number == _NODE_ID and isinstance(value, int)), 0)
    if old not in ids:
        return None
    tag = protowire.encode_varint(_NODE_ID << 3)
    number = tag + protowire.encode_varint(ids[old]) if ids[old] else b""
    return number + protowire.without(node, (_NODE_ID,))
