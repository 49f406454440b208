"""Tensors: a dtype and shape that cost nothing, and values that are read only when asked for.

Where the bytes lie (a file, a field of a message, memory) is the business of the `TensorSource`.
numpy is imported only by the functions that return arrays.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import repeat
from typing import TYPE_CHECKING, Protocol, overload

from graphsurgeon.disk.files import BLOCK
from graphsurgeon.errors import FormatError, plural
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

MOST_HELD = 1 << 30  # bytes that a few stored ones are repeated to in memory; a file of 80 bytes may claim any number
_FACTOR = 64  # and what is stored may become this much: packed and sparse types are unpacked, strings become objects
_POINTER = 8  # bytes of an element of a list


class TensorSource(Protocol):
    """Where the values of a tensor come from."""

    @property
    def nbytes(self) -> int:
        """Bytes that the values take where they are stored."""

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes of all elements, in order, in blocks of at most a few MiB.

        Types smaller than a byte come one element per byte. Not for strings, resources and variants.
        """

    def strings(self) -> Sequence[bytes]:
        """Return all elements of a string tensor."""


class FilledStrings(Sequence[bytes]):
    """Strings of which the last one stored is repeated up to a count, without taking the memory of all."""

    __slots__ = ("size", "stored")

    def __init__(self, stored: Sequence[bytes], size: int) -> None:
        self.stored = list(stored[:size]) or [b""]
        self.size = size

    def __len__(self) -> int:
        return self.size

    @overload
    def __getitem__(self, place: int) -> bytes: ...
    @overload
    def __getitem__(self, place: slice) -> list[bytes]: ...
    def __getitem__(self, place: int | slice) -> bytes | list[bytes]:
        if isinstance(place, slice):
            return [self[number] for number in range(self.size)[place]]
        number = range(self.size)[place]
        return self.stored[min(number, len(self.stored) - 1)]

    def __iter__(self) -> Iterator[bytes]:
        for item, count in string_runs(self):
            yield from repeat(item, count)


def string_runs(items: Sequence[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield strings with how often each comes next; one that fills a tensor comes once."""
    if isinstance(items, FilledStrings):
        *first, last = items.stored
        yield from ((item, 1) for item in first)
        if items.size > len(first):
            yield last, items.size - len(first)
    else:
        yield from ((item, 1) for item in items)


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


class ComputedSource:
    """Values that are made of others while they are read, and not held: transposed weights, for example."""

    __slots__ = ("_chunks", "nbytes")
    is_computed = True  # a writer may ask for them when their place in the file comes

    def __init__(self, nbytes: int, chunks: Callable[[], Iterator[bytes]]) -> None:
        self.nbytes = nbytes
        self._chunks = chunks

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes, made anew each time."""
        return self._chunks()

    def strings(self) -> list[bytes]:
        """Return the elements."""
        raise FormatError("a numeric tensor holds no strings")


class FilledSource:
    """One element that fills a shape of any size."""

    __slots__ = ("element", "size")
    repeats = True

    def __init__(self, element: bytes, size: int) -> None:
        self.element = element
        self.size = size

    @property
    def nbytes(self) -> int:
        """Bytes held."""
        return len(self.element)

    def chunks(self) -> Iterator[bytes]:
        """Yield the element as often as it stands there."""
        at_once = max(1, BLOCK // max(len(self.element), 1))
        for start in range(0, self.size, at_once):
            yield self.element * min(at_once, self.size - start)

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

    @property
    def storage(self) -> object:
        """What two tensors have in common whose values are stored once: a buffer that they share, or the source."""
        return getattr(self.source, "storage", None) or id(self.source)

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes in blocks; of strings one behind the other. Reads the file."""
        if self.dtype is not STRING:
            yield from self.source.chunks()
            return
        for item, count in string_runs(self.source.strings()):
            at_once = max(1, BLOCK // max(len(item), 1))
            while item and count > at_once:
                yield item * at_once
                count -= at_once
            yield item * count

    def checked_chunks(self) -> Iterator[bytes]:
        """Yield what `chunks` yields, compared with the checksum of the file where it has one. Reads the file.

        Raises:
            FormatError: they do not match it; after the last block, so that what is made of them must not be kept.
        """
        ranges = getattr(self.source, "checked_ranges", lambda: None)()
        if ranges is None:
            self.verify()
            yield from self.chunks()
            return
        for stored in ranges:
            yield from stored.chunks()

    def verify(self) -> None:
        """Compare the values with the checksum of the file where it has one. Reads the file.

        Raises:
            FormatError: they do not match it.
        """
        verify = getattr(self.source, "verify", None)
        if verify is not None:
            verify()

    def tobytes(self) -> bytes:
        """Return the row-major little-endian bytes of all elements. Reads the file.

        Raises:
            FormatError: they would take much more memory than what is stored.
        """
        self._require_held()
        return b"".join(self.chunks())

    def items(self) -> list[Any]:
        """Return all elements as a flat list of Python numbers, bools or bytes. Reads the file; for small tensors.

        Raises:
            FormatError: the stored bytes do not fill the shape, or are repeated to more than fits into memory.
        """
        self._require_held()
        try:
            is_text = self.dtype is STRING
            found = list(self.source.strings()) if is_text else numeric.decode(self.dtype, self.tobytes())
        except struct.error as error:
            raise FormatError(f"{self.dtype} values of shape {self.shape}: {error}") from error
        if len(found) != self.num_elements:
            raise FormatError(f"{plural(len(found), 'value')} stored for {self.dtype} of shape {self.shape}")
        return found

    def numpy(self) -> np.ndarray[Any, Any]:
        """Return the elements as an array of `shape`. Reads the file.

        Types that numpy does not have are widened without loss: bfloat16 and float8 to float32, int4 and
        int2 to int8, quantized types to the integers they are stored in; strings become an object array.

        Raises:
            FormatError: the stored bytes do not fill the shape, or are repeated to more than fits into memory.
        """
        import numpy as np

        self._require_held()

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
            # Of types smaller than a byte what is stored is not what was made of them.
            count = self.source.nbytes if 0 < self.dtype.bits < 8 else len(data)
            raise FormatError(f"{plural(count, 'byte')} stored for {self.dtype} of shape {self.shape}")
        return numeric.to_numpy(self.dtype, data).reshape(dims)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any:
        """Return the values for numpy, which asks for them so."""
        array = self.numpy()
        return array if dtype is None else array.astype(dtype)

    def _require_held(self) -> None:
        """Refuse to make whole in memory what is hardly stored: a shape costs nothing to claim."""
        if not getattr(self.source, "repeats", False):  # the others say themselves that they hold less
            return
        size = self.num_elements * (self.dtype.itemsize if self.dtype.bits else _POINTER)
        if size > MOST_HELD and size > _FACTOR * self.source.nbytes:
            raise FormatError(
                f"{self.dtype} values of shape {self.shape} would take {size} bytes of memory, "
                f"and {self.source.nbytes} are stored",
                hint="gs weights --checksum and gs diff read them block by block",
            )

    def __repr__(self) -> str:
        return f"Tensor({self.dtype}, {self.shape})"
