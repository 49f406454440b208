"""Types of ONNX values in the terms of the model: element types, shapes, and what is no tensor.

Numbers are those of `TensorProto.DataType`. Optional, sequence and map types become element types of their own,
with what is inside told in words.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

_NAMES = {
    1: "float32", 2: "uint8", 3: "int8", 4: "uint16", 5: "int16", 6: "int32", 7: "int64", 8: "string", 9: "bool",
    10: "float16", 11: "float64", 12: "uint32", 13: "uint64", 14: "complex64", 15: "complex128", 16: "bfloat16",
    17: "float8_e4m3fn", 18: "float8_e4m3fnuz", 19: "float8_e5m2", 20: "float8_e5m2fnuz", 21: "uint4", 22: "int4",
    23: "float4_e2m1fn", 24: "float8_e8m0fnu", 25: "uint2", 26: "int2", 27: "float6_e2m3fn", 28: "float6_e3m2fn",
}  # fmt: skip
_DTYPES = {number: DType.named(name) for number, name in _NAMES.items()}
_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}
_UNKNOWN = 2000  # added to a number that ONNX has not had yet
_DEEPEST = 8  # of sequences in sequences; nobody nests more than two


class ValueType(NamedTuple):
    """What a `TypeProto` says.

    Attributes:
        dtype: of the elements, or "sequence", "map", "optional", "opaque"; None if not told.
        dim_names: names of unknown dimensions, None for the others; empty without any.
        text: what is inside of something that is no tensor; empty for tensors.
        is_sparse: a sparse tensor.
    """

    dtype: DType | None
    shape: Shape
    dim_names: tuple[str | None, ...] = ()
    text: str = ""
    is_sparse: bool = False


NOTHING = ValueType(None, UNKNOWN_RANK)


def dtype_of(number: int) -> DType | None:
    """Return the element type of a number; None for 0, a type without name or size for a number unknown here."""
    return _DTYPES.get(number) or (DType.of(_UNKNOWN + number) if number else None)


def number_of(dtype: DType) -> int:
    """Return the number of an element type.

    Raises:
        UnsupportedError: ONNX has none for it.
    """
    if dtype not in _NUMBERS:
        raise UnsupportedError(f"ONNX has no element type {dtype}")
    return _NUMBERS[dtype]


def read_type(message: Any) -> ValueType:
    """Return what a `TypeProto` says."""
    kind = message.WhichOneof("value")
    if kind in ("tensor_type", "sparse_tensor_type"):
        inner = getattr(message, kind)
        shape, names = read_shape(inner)
        return ValueType(dtype_of(inner.elem_type), shape, names, is_sparse=kind == "sparse_tensor_type")
    if kind is None:
        return NOTHING
    return ValueType(DType.named(kind.removesuffix("_type")), UNKNOWN_RANK, text=type_text(message))


def read_shape(holder: Any) -> tuple[Shape, tuple[str | None, ...]]:
    """Return the shape of a `TypeProto.Tensor`, and the names of its dimensions, empty if none has one."""
    if not holder.HasField("shape"):
        return UNKNOWN_RANK, ()
    dims = holder.shape.dim
    names = tuple(dim.dim_param or None for dim in dims)
    sizes = [dim.dim_value if dim.WhichOneof("value") == "dim_value" else None for dim in dims]
    return Shape(sizes), names if any(names) else ()


def type_text(message: Any, depth: int = 0) -> str:
    """Return a type as words: `sequence(float32[?,3])`, `map(int64, string)`."""
    kind = message.WhichOneof("value")
    if kind is None or depth > _DEEPEST:
        return "?"
    inner, name = getattr(message, kind), kind.removesuffix("_type")
    if kind in ("tensor_type", "sparse_tensor_type"):
        dims = read_shape(inner)[0].dims
        shape = "" if dims is None else f"[{','.join('?' if dim is None else str(dim) for dim in dims)}]"
        text = f"{dtype_of(inner.elem_type) or '?'}{shape}"
        return f"sparse({text})" if kind == "sparse_tensor_type" else text
    if kind == "map_type":
        return f"map({dtype_of(inner.key_type) or '?'}, {type_text(inner.value_type, depth + 1)})"
    if kind == "opaque_type":
        return f"opaque({inner.domain}.{inner.name})" if inner.domain else f"opaque({inner.name})"
    return f"{name}({type_text(inner.elem_type, depth + 1)})"
