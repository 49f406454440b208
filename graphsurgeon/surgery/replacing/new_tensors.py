"""Constants of rules as tensors: rounded once, to the dtype that is wanted."""

from __future__ import annotations

import math
from typing import Any

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import BOOL, FLOAT32, INT32, INT64, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import BytesSource, Tensor

# dtypes that numpy has
_NATIVE = frozenset(
    [f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
    + ["float16", "float32", "float64", "bool", "complex64", "complex128"]
)


def array_dtype(value: Any) -> DType:
    """Return the dtype that a number or array has if nothing else says one: int32, int64 if it must be, or float32."""
    import numpy as np

    array = np.asarray(value)
    if array.dtype.kind == "b":
        return BOOL
    if array.dtype.kind not in "iu":
        return FLOAT32
    fits = array.size == 0 or (array.min() >= -(1 << 31) and array.max() < 1 << 31)
    return INT32 if fits else INT64


def tensor_of(value: Any, dtype: DType, shape: Shape | None = None) -> Tensor:
    """Return a number, list or array as a tensor; a number fills the shape, if one is given.

    Raises:
        UnsupportedError: the dtype cannot hold it.
    """
    import numpy as np

    if isinstance(value, list) and any(not isinstance(item, int | float | np.number) for item in _flat(value)):
        raise UnsupportedError("a dimension is not known")
    array = np.asarray(value)
    if shape is not None:
        if (shape.num_elements or 0) > 1 << 26:
            raise UnsupportedError(f"a constant of shape {shape} is too large")
        array = np.full([dim or 0 for dim in shape], value)
    is_whole = not (dtype.is_floating or dtype.is_complex)
    if is_whole and array.dtype.kind == "f" and not np.all(array == np.floor(array)):
        raise UnsupportedError(f"{dtype} cannot hold {_shown(array)}")
    if is_whole and dtype is not BOOL and dtype.name in _NATIVE:
        limits = np.iinfo(dtype.name)
        if array.size and (array.min() < limits.min or array.max() > limits.max):
            raise UnsupportedError(f"{dtype} cannot hold {_shown(array)}")
    if dtype.name in _NATIVE:
        return Tensor.from_numpy(np.asarray(array).astype(dtype.name))
    if dtype.name == "bfloat16":
        return Tensor(dtype, Shape(array.shape), BytesSource(_bfloat16(array)))
    if not dtype.bits:
        raise UnsupportedError(f"a constant of {dtype} cannot be made of numbers")
    return Tensor.of(dtype, array.shape, array.ravel().tolist())


def _bfloat16(array: Any) -> bytes:
    """Return numbers rounded to the nearest bfloat16, ties to even."""
    import numpy as np

    bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    nan = np.isnan(array)
    return bytes(np.where(nan, (bits >> 16) | 0x40, rounded).astype("<u2").tobytes())


def _flat(value: Any) -> list[Any]:
    return [item for part in value for item in _flat(part)] if isinstance(value, list) else [value]


def _shown(array: Any) -> str:
    numbers = array.ravel().tolist()
    return ", ".join(str(number) for number in numbers[:3] if not math.isnan(number)) + (", ..." * (len(numbers) > 3))
