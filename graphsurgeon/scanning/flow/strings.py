"""Texts inside attributes and constants: names of functions, bytes that are more than they seem."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import AttrValue, Node
from graphsurgeon.model.tensor import Tensor

MOST_ELEMENTS = 4096  # of a constant of strings that are looked at
MOST_BYTES = 64 << 20  # of a string that is looked into
_LONGEST_NAME = 1024


def function_names(node: Node) -> Iterator[str]:
    """Yield short texts among a node's attributes, any of which may be the name of a function.

    Some ops name functions in plain strings; what is no function is of no interest to the caller.
    """
    if not node.graph.metagraph.functions or node.op == "Const":
        return
    for value in node.attrs.values():
        for item in value if isinstance(value, list) else (value,):
            if isinstance(item, bytes) and 0 < len(item) <= _LONGEST_NAME:
                yield item.decode("utf-8", "surrogateescape")
    options = node.attrs.get("custom_options")
    if isinstance(options, bytes):  # a TensorFlow op in a TFLite model: its attributes name functions, as messages
        yield from (name for name in node.graph.metagraph.functions if _mention(name) in options)


def _mention(name: str) -> bytes:
    """Return the message that names a function: its field 1."""
    data = name.encode("utf-8", "surrogateescape")
    return b"\x0a" + encode_varint(len(data)) + data


def strings_of(tensor: Tensor | None) -> list[bytes] | None:
    """Return the elements of a constant of strings; None for other constants, and for too many elements."""
    if tensor is None or tensor.dtype is not STRING or tensor.num_elements > MOST_ELEMENTS:
        return None
    return [bytes(item) for item in tensor.items()]


def texts_of(value: AttrValue) -> list[bytes]:
    """Return the strings in an attribute: it may be one, or a list."""
    return [item for item in (value if isinstance(value, list) else [value]) if isinstance(item, bytes)]
