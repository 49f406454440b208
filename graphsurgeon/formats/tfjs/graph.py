"""A TensorFlow.js graph model as the GraphDef that it is: JSON to message, weights in place of their constants."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import open_source, rope_size
from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.errors import FileError, FormatError, plural
from graphsurgeon.formats import registry, schema
from graphsurgeon.formats.graph import metagraph
from graphsurgeon.formats.graph.protobuf.payloads import Payload, mark
from graphsurgeon.formats.tfjs import topology
from graphsurgeon.formats.tfjs.weights import ManifestWeight, Shards, pieces, read_manifest, strings
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.model import Model

KEY = "serving_default"
_CONTENT_TAG = 4 << 3 | 2  # TensorProto.tensor_content


def read(path: Path) -> Model:
    """Read `model.json` of a graph model; values stay in the shards.

    Raises:
        FormatError: the JSON is damaged, or no graph.
        FileError: the file is missing or unreadable.
    """
    source = open_source(path)
    content = topology.load(source)
    message = schema.message("tensorflow.MetaGraphDef")()
    topology.parse(_nodes(content.get("modelTopology")), message.graph_def)
    _read_signature(content, message)
    weights, shards = read_manifest(content.get("weightsManifest", []), path.parent)
    payloads: list[Payload] = []
    unvalued = _fill(message.graph_def, weights, shards, payloads)
    model = Model(registry.TFJS_GRAPH, str(path))
    found = metagraph.lift_metagraph(message, payloads)
    found.tags = None
    found.producer |= _producer(content)
    model.metagraphs = [found]
    model.files = {str(path): source.size, **shards.sizes()}
    model.notes = _notes(content, shards, unvalued)
    return model


def _nodes(graph: object) -> Mapping[str, Any]:
    """Return the GraphDef in JSON; the first converters wrapped it."""
    if isinstance(graph, Mapping) and isinstance(graph.get("node"), list):
        return graph
    raise FormatError("modelTopology is no graph with nodes")


def _read_signature(content: Mapping[str, Any], message: Any) -> None:
    """Enter the signature that converters keep beside the graph, first among what they called user-defined."""
    user = content.get("userDefinedMetadata")
    stored = content.get("signature") or (user.get("signature") if isinstance(user, Mapping) else None)
    if isinstance(stored, Mapping) and (stored.get("inputs") or stored.get("outputs")):
        topology.parse(stored, message.signature_def[KEY])


def _fill(graph_def: Any, weights: Mapping[str, ManifestWeight], shards: Shards, payloads: list[Payload]) -> list[str]:
    """Put the weights into the constants of their names; return the constants that have no values at all."""
    unvalued = []
    bodies = (function.node_def for function in graph_def.library.function)
    for nodes in (graph_def.node, *bodies):
        for node in nodes:
            if node.op != "Const":
                continue
            weight = weights.get(node.name)
            if weight is not None:
                _set_value(node, weight, shards, payloads)
            elif not _has_value(node.attr["value"].tensor):
                unvalued.append(node.name)
    return unvalued


def _set_value(node: Any, weight: ManifestWeight, shards: Shards, payloads: list[Payload]) -> None:
    """Let a constant have the values of a weight, in the type that the node says: converters narrow int64."""
    tensor = node.attr["value"].tensor
    number = node.attr["dtype"].type or tensor.dtype or weight.dtype.number
    node.attr["dtype"].type = number
    tensor.Clear()
    tensor.dtype = number
    for dim in weight.shape:
        tensor.tensor_shape.dim.add().size = dim
    tensor.tensor_shape.SetInParent()
    if weight.dtype is STRING:
        tensor.string_val.extend(_tried_strings(weight, shards))
        return
    values = pieces(weight, shards, DType.of(number))
    payloads.append([encode_varint(_CONTENT_TAG) + encode_varint(rope_size(values)), *values])
    tensor.tensor_content = mark(len(payloads))


def _tried_strings(weight: ManifestWeight, shards: Shards) -> list[bytes]:
    try:
        return strings(weight, shards)
    except FileError:  # a shard is missing or cut short: the notes tell
        return []


def _has_value(tensor: Any) -> bool:
    described = {"dtype", "tensor_shape", "version_number"}
    return any(field.name not in described for field, _ in tensor.ListFields()) or any(
        dim.size == 0 for dim in tensor.tensor_shape.dim
    )


def _producer(content: Mapping[str, Any]) -> dict[str, Any]:
    made, converted = content.get("generatedBy"), content.get("convertedBy")
    return {
        "tensorflow": made if isinstance(made, str) and made[:1].isdigit() else None,
        "description": converted if isinstance(converted, str) else None,
    }


def _notes(content: Mapping[str, Any], shards: Shards, unvalued: Iterable[str]) -> list[str]:
    notes = topology.missing_shards(shards)
    names = list(unvalued)
    if names:
        some = ", ".join(map(repr, names[:3]))
        notes.append(f"{plural(len(names), 'constant')} without values in the manifest, read as zeros: {some}")
    if content.get("modelInitializer"):
        notes.append("its second graph, which fills tables when the model is loaded, is not read")
    return notes
