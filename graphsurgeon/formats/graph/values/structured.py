"""Structured signatures: `StructuredValue` messages to nested Python values and back.

Source: `tensorflow/core/protobuf/struct.proto`. Kinds that the vocabulary has no words for (specs of composite values
other than ragged and sparse ones, bounded specs, named tuples, embedded arrays) stay messages and are written back as
they are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.values.tensorproto import read_shape, write_shape
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.objects import CompositeSpec, TensorSpec
from graphsurgeon.model.shape import Shape

_MOST_SPLITS = 64  # dimensions that NumPy and TensorFlow have at most
_PLAIN = ("float64_value", "int64_value", "string_value", "bool_value")


def decode(message: Any) -> object:
    """Return the Python value of a `StructuredValue`; the message itself where there is none."""
    kind = message.WhichOneof("kind")
    if kind in _PLAIN:
        return getattr(message, kind)
    if kind == "type_spec_value":
        spec = _decode_composite(message.type_spec_value)
        if isinstance(spec, CompositeSpec):
            spec.raw = message
        return spec or message
    decoder = _DECODERS.get(kind)
    return message if decoder is None else decoder(getattr(message, kind))


def _decode_spec(message: Any) -> TensorSpec:
    return TensorSpec(message.name, read_shape(message.shape), DType.of(message.dtype), message)


def _decode_composite(message: Any) -> object:
    """Return what a ragged or sparse spec says, None of others; sources: `ragged_tensor.py`, `sparse_tensor.py`."""
    kind = {1: "sparse", 3: "ragged"}.get(message.type_spec_class)
    state = decode(message.type_state)
    if kind is None or not isinstance(state, tuple) or len(state) < 2:
        return None
    shape, dtype = state[:2]
    rank = state[2] if kind == "ragged" and len(state) > 2 else 0
    if not isinstance(shape, Shape) or not isinstance(dtype, DType) or not isinstance(rank, int):
        return None
    return CompositeSpec(kind, shape, dtype, rank, None) if 0 <= rank <= _MOST_SPLITS else None


_DECODERS: dict[str, Callable[[Any], object]] = {
    "none_value": lambda message: None,
    "tensor_shape_value": read_shape,
    "tensor_dtype_value": DType.of,
    "tensor_spec_value": _decode_spec,
    "list_value": lambda message: [decode(value) for value in message.values],
    "tuple_value": lambda message: tuple(decode(value) for value in message.values),
    "dict_value": lambda message: {key: decode(message.fields[key]) for key in sorted(message.fields)},
}


def encode(value: object) -> Any:
    """Return a new `StructuredValue` message.

    Raises:
        UnsupportedError: the format cannot hold such a value.
    """
    message = schema.message("tensorflow.StructuredValue")()
    if isinstance(value, type(message)):
        message.CopyFrom(value)
    elif isinstance(value, CompositeSpec):
        message.CopyFrom(value.raw)
    elif value is None:
        message.none_value.SetInParent()
    elif isinstance(value, (bool, int, float, str)):
        _encode_plain(value, message)
    elif isinstance(value, Shape):
        write_shape(value, message.tensor_shape_value)
    elif isinstance(value, DType):
        message.tensor_dtype_value = value.number
    elif isinstance(value, TensorSpec):
        _encode_spec(value, message.tensor_spec_value)
    elif isinstance(value, (list, tuple, dict)):
        _encode_nested(value, message)
    else:
        raise UnsupportedError(f"a structured signature cannot hold a {type(value).__name__}")
    return message


def _encode_plain(value: bool | int | float | str, message: Any) -> None:
    for kinds, field in ((bool, "bool_value"), (int, "int64_value"), (float, "float64_value"), (str, "string_value")):
        if isinstance(value, kinds):
            setattr(message, field, value)
            return


def _encode_spec(spec: TensorSpec, message: Any) -> None:
    if spec.raw is not None:
        message.CopyFrom(spec.raw)
    message.SetInParent()
    message.name = spec.name
    message.dtype = spec.dtype.number
    if spec.raw is None or read_shape(spec.raw.shape) != spec.shape:
        message.ClearField("shape")
        write_shape(spec.shape, message.shape)


def _encode_nested(value: list[object] | tuple[object, ...] | dict[str, object], message: Any) -> None:
    if isinstance(value, dict):
        message.dict_value.SetInParent()
        for key, item in value.items():
            message.dict_value.fields[key].CopyFrom(encode(item))
        return
    nested = message.list_value if isinstance(value, list) else message.tuple_value
    nested.SetInParent()
    nested.values.extend(encode(item) for item in value)
