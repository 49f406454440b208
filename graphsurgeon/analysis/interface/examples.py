"""The features that a graph parses out of serialized examples, of sequences too, and an example that has them."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin
from graphsurgeon.analysis.flow.restore_map import constant
from graphsurgeon.analysis.interface.parsed_features import ALL_PARSERS, feature_names, inputs_of_argument
from graphsurgeon.encoding.protowire import length_delimited
from graphsurgeon.model.dtype import FLOAT32, STRING, DType
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import SEQUENCE_PARSERS


class Feature(NamedTuple):
    """A feature that is parsed.

    Attributes:
        size: how many values an example must have; 0 for one that may be left out.
        is_list: a sequence has it, for each of its steps.
    """

    name: str
    dtype: DType
    size: int
    is_list: bool = False


def parsed_features(metagraph: MetaGraph, source: object) -> list[Feature] | None:
    """Return the features that are parsed out of the examples in a main-graph value, in the order of the op.

    Args:
        metagraph: whose main graph has the value.
        source: the value, such as the placeholder of a signature.

    Returns:
        None if nothing parses the value as examples, or the names are not constant.
    """
    counts = [graph.op_counts for graph in metagraph.graphs]
    if not isinstance(source, Value) or not any(op in ops for ops in counts for op in ALL_PARSERS):
        return None
    for node, call in nodes_inside(metagraph.graph.nodes, ALL_PARSERS):
        if node.inputs and origin(Place(node.inputs[0], call)) == origin(Place(source)):
            return _of_sequence(node, call) if node.op in SEQUENCE_PARSERS else _features(node, call)
    return None


def serialize_example(features: Iterable[Feature]) -> bytes:
    """Return an Example with zeros, or `text`, for the features that it must have; a SequenceExample of one step."""
    alone: list[bytes] = []
    lists: list[bytes] = []
    for feature in features:
        if feature.size:
            value = length_delimited(1, _values(feature)) if feature.is_list else _values(feature)
            entry = length_delimited(1, feature.name.encode()) + length_delimited(2, value)
            (lists if feature.is_list else alone).append(length_delimited(1, entry))
    # The context of a SequenceExample is where an Example has its features.
    return length_delimited(1, b"".join(alone)) + (length_delimited(2, b"".join(lists)) if lists else b"")


def _of_sequence(node: Node, call: Call | None) -> list[Feature] | None:
    """Return the features of a parser of sequences; sparse and ragged ones may be left out."""
    found = []
    for prefix, types in (("context_", "Tcontext_dense"), ("feature_list_", "feature_list_dense_types")):
        is_list = prefix != "context_"
        dtypes, shapes = node.attrs.get(types), node.attrs.get(f"{prefix}dense_shapes")
        names = feature_names(node, call, f"{prefix}dense_keys")
        if not isinstance(dtypes, list) or len(names) != len(dtypes):
            return None
        defaults = [] if is_list else inputs_of_argument(node, "context_dense_defaults")
        for position, (name, dtype) in enumerate(zip(names, dtypes, strict=True)):
            default = constant(Place(defaults[position], call)) if position < len(defaults) else None
            shape = shapes[position] if isinstance(shapes, list) and position < len(shapes) else None
            size = 0 if default is not None and default.num_elements else _count(shape)
            if isinstance(dtype, DType):
                found.append(Feature(name, dtype, size, is_list))
        for kind, noted in (("sparse", "sparse_types"), ("ragged", "ragged_value_types")):
            dtypes = node.attrs.get(f"{prefix}{noted}")
            names = feature_names(node, call, f"{prefix}{kind}_keys")
            pairs = zip(names, dtypes if isinstance(dtypes, list) else [], strict=False)
            found += [Feature(name, dtype, 0, is_list) for name, dtype in pairs if isinstance(dtype, DType)]
    return found


def _features(node: Node, call: Call | None) -> list[Feature] | None:
    sparse, dense = _keys(node, call)
    sparse_types, dense_types = node.attrs.get("sparse_types"), node.attrs.get("Tdense")
    if sparse is None or dense is None or not isinstance(sparse_types, list) or not isinstance(dense_types, list):
        return None
    shapes = node.attrs.get("dense_shapes")
    defaults = node.inputs[len(node.inputs) - len(dense) :]
    found = []
    for position, (name, dtype) in enumerate(zip(dense, dense_types, strict=False)):
        default = constant(Place(defaults[position], call)) if position < len(defaults) else None
        shape = shapes[position] if isinstance(shapes, list) and position < len(shapes) else None
        is_optional = default is not None and default.num_elements > 0
        if isinstance(dtype, DType):
            found.append(Feature(name, dtype, 0 if is_optional else _count(shape)))
    return found + [
        Feature(name, dtype, 0) for name, dtype in zip(sparse, sparse_types, strict=False) if isinstance(dtype, DType)
    ]


def _count(shape: object) -> int:
    count = 1
    for dim in shape.dims or () if isinstance(shape, Shape) else ():
        count *= 1 if dim is None else dim
    return count


def _keys(node: Node, call: Call | None) -> tuple[list[str] | None, list[str] | None]:
    """Return the names of sparse and of dense features, None where they are computed."""
    if node.op == "ParseSingleExample":
        lists = (node.attrs.get("sparse_keys"), node.attrs.get("dense_keys"))
        return _texts(lists[0]), _texts(lists[1])
    if node.op == "ParseExampleV2":
        return _constants(node.inputs[2:3], call), _constants(node.inputs[3:4], call)
    count = node.attrs.get("Nsparse")
    middle = 2 + (count if isinstance(count, int) else 0)
    many = node.attrs.get("Ndense")
    return _constants(node.inputs[2:middle], call), _constants(
        node.inputs[middle : middle + (many if isinstance(many, int) else 0)], call
    )


def _constants(values: Iterable[Value], call: Call | None) -> list[str] | None:
    texts: list[str] = []
    for value in values:
        tensor = constant(Place(value, call))
        if tensor is None or tensor.dtype is not STRING:
            return None
        texts += _texts(tensor.items()) or []
    return texts


def _texts(items: object) -> list[str] | None:
    if not isinstance(items, list):
        return None
    return [item.decode("utf-8", "backslashreplace") for item in items if isinstance(item, bytes)]


def _values(feature: Feature) -> bytes:
    """Return the Feature message: BytesList is field 1, FloatList 2, Int64List 3."""
    if feature.dtype is STRING:
        return length_delimited(1, b"".join(length_delimited(1, b"text") for _ in range(feature.size)))
    if feature.dtype is FLOAT32:
        return length_delimited(2, length_delimited(1, struct.pack(f"<{feature.size}f", *[0.0] * feature.size)))
    return length_delimited(3, length_delimited(1, bytes(feature.size)))
