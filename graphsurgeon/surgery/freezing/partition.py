"""The part of a tensor that a partitioned variable holds, cut out when it is read.

`shape_and_slices` of a restore op says which: the full shape, then `start,length` (or `-` for all) for every
dimension, as in `20 6 0,7:0,6`; see `tensorflow/core/framework/tensor_slice.h`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

# Dimensions in one text of a slice; a tensor has 254 at most (tensorflow/core/framework/tensor_shape.h).
_MOST_RANGES = 1 << 12


class Extent(NamedTuple):
    """A stretch of one dimension."""

    start: int
    length: int


def part_of(tensor: Tensor, slice: str) -> Tensor:
    """Return the part of a tensor that a `shape_and_slices` text names; the tensor itself for an empty one.

    Raises:
        FormatError: the text makes no sense, or does not fit the tensor.
    """
    if not slice:
        return tensor
    extents = _parse(slice, tensor.shape)
    if all(extent == (0, dim) for extent, dim in zip(extents, tensor.shape, strict=True)):
        return tensor
    return Tensor(tensor.dtype, Shape(extent.length for extent in extents), PartSource(tensor, extents))


def _parse(text: str, shape: Shape) -> list[Extent]:
    *dims, spec = text.split(" ")
    parts = spec.split(":") if spec else []
    try:
        numbers = [int(dim) for dim in dims]
        extents = [_extent(part, dim) for part, dim in zip(parts, numbers, strict=True)]
    except ValueError as error:
        raise FormatError(f"the slice {text!r} is not of the form `20 6 0,7:0,6`") from error
    if numbers != list(shape) or any(
        e.start < 0 or e.length < 0 or sum(e) > d for e, d in zip(extents, numbers, strict=True)
    ):
        raise FormatError(f"the slice {text!r} does not lie in a tensor of shape {shape}")
    return extents


def _extent(text: str, dim: int) -> Extent:
    if text == "-":
        return Extent(0, dim)
    start, _, length = text.partition(",")
    return Extent(int(start), int(length))


class PartSource:
    """Values of a part: runs of elements that lie together in the whole, in order."""

    __slots__ = ("_extents", "_whole")

    def __init__(self, whole: Tensor, extents: list[Extent]) -> None:
        self._whole = whole
        self._extents = extents

    @property
    def nbytes(self) -> int:
        """Bytes of the part; strings count one each."""
        return sum(count for _, count in self._runs()) * max(self._whole.dtype.itemsize, 1)

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of the part, reading the whole up to its end."""
        size = self._whole.dtype.itemsize
        chunks, chunk, offset = self._whole.chunks(), b"", 0
        for start, count in self._runs():
            begin, end = start * size, (start + count) * size
            while begin < end:
                while begin >= offset + len(chunk):
                    offset += len(chunk)
                    chunk = next(chunks)
                piece = chunk[begin - offset : end - offset]
                yield piece
                begin += len(piece)

    def strings(self) -> list[bytes]:
        """Return the elements of a part of a string tensor."""
        items = self._whole.source.strings()
        return [item for start, count in self._runs() for item in items[start : start + count]]

    def ranges(self) -> list[Any] | None:
        """Return where the bytes lie in files, None if the whole does not know or they are many pieces."""
        return self._cut_ranges(getattr(self._whole.source, "ranges", lambda: None)())

    def checked_ranges(self) -> list[Any] | None:
        """Return the same as ranges that compare their checksum when read; None unless stored parts stay whole."""
        whole = getattr(self._whole.source, "checked_ranges", lambda: None)()
        ranges = self._cut_ranges(whole)
        return ranges if ranges is not None and whole is not None and all(piece in whole for piece in ranges) else None

    def verify(self) -> None:
        """Compare the checksum of the whole, where there is one. Reads the file."""
        getattr(self._whole.source, "verify", lambda: None)()

    def _cut_ranges(self, whole: list[Any] | None) -> list[Any] | None:
        size = self._whole.dtype.itemsize
        if whole is None or self._whole.dtype is STRING or not size:
            return None
        found: list[Any] = []
        for start, count in self._runs():
            found += _cut(whole, start * size, count * size)
            if len(found) > _MOST_RANGES:
                return None
        return found

    def _runs(self) -> Iterator[tuple[int, int]]:
        """Yield start and number of elements of each stretch, counted in the whole."""
        dims = [dim or 0 for dim in self._whole.shape]
        axis = len(dims)
        inner = 1
        while axis and self._extents[axis - 1] == (0, dims[axis - 1]):
            axis -= 1
            inner *= dims[axis]
        if any(not extent.length for extent in self._extents):
            return
        yield from _stretches(dims, self._extents, axis - 1, inner)


def _stretches(dims: list[int], extents: list[Extent], last: int, inner: int) -> Iterator[tuple[int, int]]:
    """Count through the outer dimensions; the one called last is cut, and what is inside it is whole."""
    start, length = extents[last]
    position = [extent.start for extent in extents[:last]]
    while True:
        offset = 0
        for index, dim in zip(position, dims, strict=False):
            offset = offset * dim + index
        yield (offset * dims[last] + start) * inner, length * inner
        axis = last - 1
        while axis >= 0:
            position[axis] += 1
            if position[axis] < sum(extents[axis]):
                break
            position[axis] = extents[axis].start
            axis -= 1
        if axis < 0:
            return


def _cut(ranges: list[Any], start: int, length: int) -> Iterator[Any]:
    """Yield the pieces of file ranges, lying one behind the other, that cover a stretch of bytes."""
    for piece in ranges:
        begin, end = max(start, 0), min(start + length, len(piece))
        if begin < end:
            yield piece if (begin, end) == (0, len(piece)) else piece.part(begin, end - begin)
        start -= len(piece)
