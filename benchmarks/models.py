"""GraphDefs written node by node, for models that are too large to be built in memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.formats import schema


def node(
    name: str,
    op: str,
    inputs: Sequence[str] = (),
    *,
    value: Any = None,
    device: str = "",
    colocated: str = "",
    shape: Sequence[int] | None = None,
    **types: int,
) -> bytes:
    """Return a node as it stands in a GraphDef.

    Args:
        name, op, inputs, device: of the node.
        value: of a Const, as a TensorProto.
        colocated: a node that it must share its device with.
        shape: of its output, as TensorFlow records it.
        types: attributes that hold a dtype.
    """
    message = schema.message("tensorflow.NodeDef")(name=name, op=op, input=inputs, device=device)
    if colocated:
        message.attr["_class"].list.s.append(f"loc:@{colocated}".encode())
    if shape is not None:
        recorded = message.attr["_output_shapes"].list.shape.add()
        for size in shape:
            recorded.dim.add().size = size
    for key, number in types.items():
        message.attr[key].type = number
    if value is not None:
        message.attr["value"].tensor.CopyFrom(value)
    data: bytes = message.SerializeToString()
    return b"\x0a" + encode_varint(len(data)) + data


def scalar(number: int) -> Any:
    """Return an int32 scalar as a TensorProto."""
    tensor = schema.message("tensorflow.TensorProto")(dtype=3, int_val=[number])
    tensor.tensor_shape.SetInParent()
    return tensor


def const_head(name: str, length: int) -> bytes:
    """Return a Const of float32 up to where its values begin; the sizes of all enclosing messages count them."""
    tensor = schema.message("tensorflow.TensorProto")(dtype=1)
    tensor.tensor_shape.dim.add().size = length // 4
    head = tensor.SerializeToString() + b"\x22" + encode_varint(length)  # tensor_content
    total = len(head) + length
    for start in (b"\x42", b"\x0a\x05value\x12"):  # AttrValue.tensor; key and value of the attribute's entry
        start += encode_varint(total)
        head, total = start + head, len(start) + total
    message = schema.message("tensorflow.NodeDef")(name=name, op="Const")
    message.attr["dtype"].type = 1
    fields = message.SerializeToString() + b"\x2a" + encode_varint(total)
    return b"\x0a" + encode_varint(len(fields) + total) + fields + head
