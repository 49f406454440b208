"""Partitioned tensors: a whole value out of the slices that a checkpoint stores apart.

Slices may cut any number of dimensions. Each slice is read once, from its beginning to its end, in step with
the row-major order of the whole, so that memory stays at a few blocks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import islice, pairwise
from typing import NamedTuple, Protocol

from graphsurgeon.disk.files import BLOCK, FileRange
from graphsurgeon.encoding.orderedcode import WHOLE, Extent
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape

_SMALL = 1 << 18  # bytes below which pieces are joined before they are handed on
Run = tuple[int, int]  # number of a slice, and how many of its elements come next


class SliceSource(Protocol):
    """Values of one slice."""

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""

    def chunks(self, block: int = ...) -> Iterator[bytes]:
        """Yield the little-endian bytes of all elements, in blocks of at most `block` bytes where possible."""

    def strings(self) -> list[bytes]:
        """Return all elements of a string tensor."""

    def ranges(self) -> list[FileRange] | None:
        """Return where the little-endian bytes lie in files, None if they must be computed."""

    def checked_ranges(self) -> list[FileRange] | None:
        """Return the same, as ranges that compare their checksum when they are read; None without checksum."""

    def verify(self) -> None:
        """Compare the checksum, where there is one."""


class Slice(NamedTuple):
    """One stored slice; `source` is None where the file lacks it."""

    extents: tuple[Extent, ...]
    source: SliceSource | None


def resolve(extents: Sequence[Extent], shape: Shape) -> tuple[Extent, ...] | None:
    """Return start and true length in every dimension; None if the slice does not lie inside the shape."""
    dims = shape.dims
    if dims is None or len(dims) != len(extents):
        return None
    resolved = [
        (start, (dim or 0) - start if length == WHOLE else length)
        for (start, length), dim in zip(extents, dims, strict=True)
    ]
    fits = all(
        start >= 0 and length >= 0 and start + length <= (dim or 0)
        for (start, length), dim in zip(resolved, dims, strict=True)
    )
    return tuple(resolved) if fits else None


def slice_shape(extents: Sequence[Extent]) -> Shape:
    """Return the shape of a resolved slice."""
    return Shape(length for _, length in extents)


class SlicedSource:
    """The whole value of a partitioned tensor.

    Attributes:
        where: the tensor, for messages.
        slices: the stored slices, their extents resolved.
    """

    __slots__ = ("dtype", "shape", "slices", "where")

    def __init__(self, where: str, dtype: DType, shape: Shape, slices: list[Slice]) -> None:
        self.where = where
        self.dtype = dtype
        self.shape = shape
        self.slices = slices

    @property
    def nbytes(self) -> int:
        """Bytes of all slices as stored."""
        return sum(part.source.nbytes for part in self.slices if part.source is not None)

    def chunks(self) -> Iterator[bytes]:
        """Yield the little-endian bytes of the whole. Reads the files."""
        itemsize = self.dtype.itemsize
        sources = self._sources()
        block = max(1 << 16, BLOCK // max(len(sources), 1))
        cursors = [_Cursor(source, block) for source in sources]
        joined = bytearray()
        for number, count in self._runs():
            for piece in cursors[number].take(count * itemsize):
                joined += piece
                if len(joined) >= _SMALL:
                    yield bytes(joined)
                    joined.clear()
        if joined:
            yield bytes(joined)

    def strings(self) -> list[bytes]:
        """Return all elements of a string tensor. Reads the files."""
        items = [iter(source.strings()) for source in self._sources()]
        return [item for number, count in self._runs() for item in islice(items[number], count)]

    def ranges(self) -> list[FileRange] | None:
        """Return the file ranges that make the whole, one after the other; None if they are many or not plain."""
        sources = self._sources()
        runs = list(islice(self._runs(), 4 * len(sources) + 1))
        if len(runs) > 4 * len(sources) or not self.dtype.itemsize:
            return None
        stored = [source.ranges() for source in sources]
        done = [0] * len(sources)
        found = []
        for number, count in runs:
            ranges = stored[number]
            if ranges is None or len(ranges) != 1:
                return None
            found.append(ranges[0].part(done[number], count * self.dtype.itemsize))
            done[number] += count * self.dtype.itemsize
        return found

    def checked_ranges(self) -> list[FileRange] | None:
        """Return the same, as ranges that compare their checksum when they are read; None unless slices stay whole."""
        checked = {piece: piece for source in self._sources() for piece in source.checked_ranges() or ()}
        ranges = self.ranges()
        return [checked[piece] for piece in ranges] if ranges is not None and checked.keys() >= set(ranges) else None

    def verify(self) -> None:
        """Compare the checksum of every slice. Reads the files.

        Raises:
            FormatError: the bytes of one do not match it.
        """
        for source in self._sources():
            source.verify()

    def _sources(self) -> list[SliceSource]:
        """Return the sources of all slices, when their elements together are as many as the whole has."""
        sources = [part.source for part in self.slices if part.source is not None]
        if len(sources) < len(self.slices):
            missing = len(self.slices) - len(sources)
            raise FormatError(f"{self.where}: {missing} of its {len(self.slices)} slices are missing")
        held = sum(slice_shape(part.extents).num_elements or 0 for part in self.slices)
        if held != self.shape.num_elements:
            raise FormatError(f"{self.where}: its slices hold {held} elements, shape {self.shape} asks for others")
        return sources

    def _runs(self) -> Iterator[Run]:
        if self.shape.num_elements == 0:
            return iter(())
        dims = [dim or 0 for dim in self.shape]
        boxes = [part.extents for part in self.slices]
        try:
            return _runs(dims, boxes, 0, range(len(boxes))) if dims else iter([(0, 1)])
        except FormatError as error:
            raise FormatError(f"{self.where}: {error.message}") from error


def _runs(dims: list[int], boxes: list[tuple[Extent, ...]], axis: int, among: Sequence[int]) -> Iterator[Run]:
    """Yield, in the row-major order of the whole, which slice holds the next elements and how many."""
    inner = math.prod(dims[axis + 1 :])
    for begin, end, covering in _intervals(dims[axis], boxes, axis, among):
        if len(covering) == 1 and _is_whole(boxes[covering[0]], dims, axis + 1):
            yield covering[0], (end - begin) * inner
        elif not covering or axis + 1 == len(dims):
            raise FormatError(f"{len(covering) or 'none'} of the slices hold index {begin} of dimension {axis}")
        elif axis + 2 == len(dims):
            row = list(_runs(dims, boxes, axis + 1, covering))
            for _ in range(begin, end):
                yield from row
        else:
            for _ in range(begin, end):
                yield from _runs(dims, boxes, axis + 1, covering)


def _intervals(
    size: int, boxes: list[tuple[Extent, ...]], axis: int, among: Sequence[int]
) -> Iterator[tuple[int, int, list[int]]]:
    """Cut a dimension where slices begin and end; yield each part with the slices that cover it."""
    filled = [number for number in among if boxes[number][axis][1]]
    waiting = sorted(filled, key=lambda number: boxes[number][axis][0], reverse=True)
    edges = {0, size} | {edge for n in among for edge in (boxes[n][axis][0], sum(boxes[n][axis]))}
    cuts = sorted(edges)
    covering: list[int] = []
    for begin, end in pairwise(cuts):
        covering = [number for number in covering if sum(boxes[number][axis]) > begin]
        while waiting and boxes[waiting[-1]][axis][0] <= begin:
            covering.append(waiting.pop())
        yield begin, end, covering


def _is_whole(box: tuple[Extent, ...], dims: list[int], axis: int) -> bool:
    return all(extent == (0, dim) for extent, dim in zip(box[axis:], dims[axis:], strict=True))


class _Cursor:
    """Reads a slice from its beginning to its end, in pieces as large as asked for."""

    __slots__ = ("_block", "_chunks", "_position")

    def __init__(self, source: SliceSource, block: int) -> None:
        self._chunks = source.chunks(block)
        self._block = b""
        self._position = 0

    def take(self, count: int) -> Iterator[bytes]:
        while count > 0:
            if self._position == len(self._block):
                self._block = next(self._chunks, b"")
                self._position = 0
                if not self._block:
                    raise FormatError(f"a slice lacks {count} bytes")
            piece = self._block[self._position : self._position + count]
            self._position += len(piece)
            count -= len(piece)
            yield piece
