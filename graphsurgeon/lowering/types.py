"""Element types: what TensorFlow has no kernel for is computed in a wider type and brought back.

Which ops have CPU kernels for which types was read from the registry of TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand, Order
from graphsurgeon.model.dtype import BOOL, FLOAT32, INT32, INT64, DType

_UNSIGNED = "uint8 uint16 uint32 uint64"
_SHORT = f"int8 int16 {_UNSIGNED}"
# TensorFlow's op -> integers and halves that it has no kernel for.
_MISSING: dict[str, frozenset[str]] = {
    op: frozenset(types.split())
    for ops, types in (
        ("Abs Neg Sign Pow", _UNSIGNED),
        ("TruncateMod", f"{_SHORT} float16 bfloat16"),
        ("Round", _SHORT),
        ("MatMul BatchMatMulV2", f"int8 {_UNSIGNED}"),
        ("Einsum", _SHORT),
        ("Range", _SHORT),
        ("SquaredDifference", _SHORT),
        ("Conv2D Conv2DBackpropInput", f"{_SHORT} int64"),
        ("MaxPool3D AvgPool3D", "float16 float64"),
        ("LRN", "bfloat16 float64"),
        ("MatrixDeterminant", "float16 bfloat16"),
    )
    for op in ops.split()
}
_WIDER = {"float16": FLOAT32, "bfloat16": FLOAT32, "float64": FLOAT32}


def computed_as(b: Builder, op: str, function: Callable[..., Operand], *operands: Operand) -> Operand:
    """Return what a function makes of operands, in a wider type where TensorFlow's op has no kernel for theirs.

    Args:
        b: the builder.
        op: the op of TensorFlow that decides.
        function: takes the operands.
        operands: of one type.
    """
    dtype = operands[0].dtype
    if dtype.name not in _MISSING.get(op, ()):
        return function(*operands)
    wider = _WIDER.get(dtype.name, INT64)
    found = function(*(b.cast(operand, wider) for operand in operands))
    return b.cast(found, dtype) if found.dtype is wider else found


def cast(b: Builder, x: Operand, dtype: DType) -> Operand:
    """Return an operand in another type as ONNX casts: to bool what is not 0, its axes as they lie."""
    if dtype is BOOL and x.dtype is not BOOL:
        return ordered_like(x, b.op("NotEqual", raw(x), b.constant(0, x.dtype)))
    return b.cast(x, dtype)


def raw(x: Operand) -> Operand:
    """Return an operand as it lies in the new graph."""
    return x if x.order is None else Operand(x.value, x.fact, tensor=x.tensor, name=x.name)


def ordered_like(x: Operand, made: Operand) -> Operand:
    """Return what was made of an operand element by element, with its order of axes."""
    order: Order | None = x.order
    return made if order is None else Operand(made.value, made.fact, tensor=made.tensor, order=order, name=made.name)


def as_indices(b: Builder, x: Operand) -> Operand:
    """Return an operand in a type that TensorFlow takes for indices."""
    return x if x.dtype in (INT32, INT64) else b.cast(x, INT64)


def number(b: Builder, value: Any, dtype: DType) -> Operand:
    """Return a constant of one element."""
    return b.constant(value, dtype)
