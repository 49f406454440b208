"""Tensors: a dtype and shape that cost nothing, and values that are read only when asked for.

Where the bytes lie (a file, a field of a message, memory) is the business of the `TensorSource`.
numpy is imported only by the functions that return arrays.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from graphsurgeon.errors import FormatError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

BLOCK = 4 << 20  # bytes read at once: large enough to be fast, small enough not to count as memory


class TensorSource(Protocol):
    """Where the values of a tensor come from."""

    @property
    def nbytes(self) -> int:
        """Bytes that the values take where they are stored."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes of all elements, in order, in blocks of at most a few MiB.

        Types smaller than a byte come one element per byte. Not for strings, resources and variants.
        """

    def strings(self) -> list[bytes]:
        """Return all elements of a string tensor."""


class BytesSource:
    """Values in memory, as row-major little-endian bytes."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return len(self.data)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes."""
        yield self.data

    def strings(self) -> list[bytes]:
        """Return the elements."""
        raise FormatError("a numeric tensor holds no strings")


class StringsSource:
    """Elements of a string tensor, in memory."""

    __slots__ = ("items",)

    def __init__(self, items: Sequence[bytes]) -> None:
        self.items = list(items)

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return sum(map(len, self.items))

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes."""
        raise FormatError("a string tensor has no fixed-size elements")

    def strings(self) -> list[bytes]:
        """Return the elements."""
        return self.items


class Tensor:
    """A constant or stored value: `dtype`, `shape` (fully known) and a lazy source of elements."""

    __slots__ = ("dtype", "shape", "source")

    def __init__(self, dtype: DType, shape: Shape, source: TensorSource) -> None:
        self.dtype = dtype
        self.shape = shape
        self.source = source

    @staticmethod
    def of(dtype: DType, shape: Iterable[int], items: Sequence[Any]) -> Tensor:
        """Make a tensor in memory from a flat, row-major sequence of Python numbers, bools or bytes."""
        if dtype is STRING:
            return Tensor(dtype, Shape(shape), StringsSource(items))
        return Tensor(dtype, Shape(shape), BytesSource(numeric.encode(dtype, items)))

    @staticmethod
    def from_numpy(array: np.ndarray[Any, Any]) -> Tensor:
        """Make a tensor in memory from an array (`object` and `bytes` arrays become strings)."""
        import numpy as np

        if array.dtype.kind in "OSU":
            items = [i if isinstance(i, bytes) else str(i).encode() for i in array.ravel().tolist()]
            return Tensor.of(STRING, array.shape, items)
        data = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("<")).tobytes()
        return Tensor(DType.named(array.dtype.name), Shape(array.shape), BytesSource(data))

    @property
    def num_elements(self) -> int:
        """Number of elements."""
        return self.shape.num_elements or 0

    @property
    def nbytes(self) -> int:
        """Bytes of all elements: elements times item size; for strings the bytes as stored."""
        return self.num_elements * self.dtype.itemsize if self.dtype.bits else self.source.nbytes

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes in blocks; string elements are yielded one by one. Reads the file."""
        yield from self.source.strings() if self.dtype is STRING else self.source.chunks()

    def tobytes(self) -> bytes:
        """Return the row-major little-endian bytes of all elements. Reads the file."""
        return b"".join(self.chunks())

    def items(self) -> list[Any]:
        """Return all elements as a flat list of Python numbers, bools or bytes. Reads the file; for small tensors."""
        if self.dtype is STRING:
            return list(self.source.strings())
        try:
            return numeric.decode(self.dtype, self.tobytes())
        except struct.error as error:
            raise FormatError(f"{self.dtype} values of shape {self.shape}: {error}") from error

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the elements as an array of `shape`. Reads the file.

        Types that numpy does not have are widened without loss: bfloat16 and float8 to float32, int4 and
        int2 to int8, quantized types to the integers they are stored in; strings become an object array.

        Raises:
            FormatError: the stored bytes do not fill the shape.
        """
        import numpy as np

        dims = tuple(d or 0 for d in self.shape)
        if self.dtype is STRING:
            array = np.empty(self.num_elements, dtype=object)
            strings = self.source.strings()
            if len(strings) != array.size:
                raise FormatError(f"{len(strings)} strings stored for shape {self.shape}")
            array[:] = strings
            return array.reshape(dims)
        data = bytearray()
        for chunk in self.chunks():
            data += chunk
        if len(data) != self.nbytes:
            raise FormatError(f"{len(data)} bytes stored for {self.dtype} of shape {self.shape}")
        return numeric.to_numpy(self.dtype, data).reshape(dims)

    def __repr__(self) -> str:
        return f"Tensor({self.dtype}, {self.shape})"
