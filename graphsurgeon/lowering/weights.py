"""Constants of the new graph made from those of the source: transposed and reshaped once, when they are written."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.disk.files import BLOCK
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import ComputedSource, FilledSource, Tensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

LARGE = 1 << 16  # bytes from which on a constant is not held in memory but made when it is written


def transposed(tensor: Tensor, order: Sequence[int]) -> Tensor:
    """Return a constant whose axis i is axis `order[i]` of another."""
    if list(order) == list(range(len(order))):
        return tensor
    dims = [tensor.shape.dims[axis] for axis in order]  # type: ignore[index]
    return _made(tensor, dims, lambda array: array.transpose(order))


def reshaped(tensor: Tensor, dims: Sequence[int]) -> Tensor:
    """Return a constant with the same elements in another shape; nothing is read."""
    return Tensor(tensor.dtype, Shape(dims), tensor.source)


def filled(tensor: Tensor, dims: Sequence[int]) -> Tensor:
    """Return a constant of a shape, each element of it that of a constant of one element."""
    return Tensor(tensor.dtype, Shape(dims), FilledSource(tensor.tobytes(), math.prod(dims)))


def mapped(tensor: Tensor, dims: Sequence[int], function: Callable[[np.ndarray[Any, Any]], Any]) -> Tensor:
    """Return a constant computed from another of the same type when it is written.

    Args:
        tensor: the other one.
        dims: shape of the result.
        function: from array to array of the same dtype.
    """
    return _made(tensor, list(dims), function)


def _made(tensor: Tensor, dims: Sequence[int | None], function: Callable[[np.ndarray[Any, Any]], Any]) -> Tensor:
    if isinstance(tensor.source, FilledSource):
        return Tensor(tensor.dtype, Shape(dims), FilledSource(tensor.source.element, tensor.source.size))
    size = math.prod(dim or 0 for dim in dims)
    source = ComputedSource(size * tensor.dtype.itemsize, lambda: _chunks(function(as_stored(tensor))))
    made = Tensor(tensor.dtype, Shape(dims), source)
    return made if made.nbytes >= LARGE else Tensor.from_numpy(made.numpy()) if _is_plain(tensor) else made


def as_stored(tensor: Tensor) -> np.ndarray[Any, Any]:
    """Return the elements as an array of their own width: of types that numpy lacks, as integers of that width."""
    import numpy as np

    code = {1: "u1", 2: "<u2", 4: "<u4", 8: "<u8", 16: "<c16"}[tensor.dtype.itemsize]
    return np.frombuffer(tensor.tobytes(), code).reshape([dim or 0 for dim in tensor.shape])


def _chunks(array: Any) -> Iterator[bytes]:
    import numpy as np

    if array.ndim == 0:
        yield array.tobytes()
        return
    rows = max(1, BLOCK // max(array.nbytes // max(len(array), 1), 1))
    for start in range(0, len(array), rows):
        yield np.ascontiguousarray(array[start : start + rows]).tobytes()


def _is_plain(tensor: Tensor) -> bool:
    return tensor.dtype.name in PLAIN


_NUMPY = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 float16 float32 float64 complex64 complex128"
PLAIN = frozenset(_NUMPY.split())  # element types that numpy has under the same name
