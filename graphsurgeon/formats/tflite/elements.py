"""Stored bytes of a TFLite constant to elements and back: packed small types, strings, sparse tensors.

Sparse tensors follow the TACO format as told in `schema.fbs` (`SparsityParameters`).
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table

_DENSE_LIMIT = 64 << 20  # bytes; a sparse tensor may always become this large
_DENSE_FACTOR = 100  # and this many times what is stored
_PLACES_LIMIT = 1 << 22  # places of one level on the way to the values, where fewer values are stored
_DENSE = 0  # DimensionType


def packed_size(count: int, bits: int) -> int:
    """Return the bytes that elements smaller than a byte take when packed."""
    return -(-count * bits // 8)


def unpacked_chunks(chunks: Iterable[bytes], dtype: DType, count: int) -> Iterator[bytes]:
    """Yield one byte for each packed element, sign extended; the lowest bits of a byte come first."""
    per_byte = 8 // dtype.bits
    tables = _unpack_tables(dtype.bits, dtype.name.startswith("int"))
    for chunk in chunks:
        out = bytearray(len(chunk) * per_byte)
        for place, table in enumerate(tables):
            out[place::per_byte] = chunk.translate(table)
        yield bytes(out[:count]) if count < len(out) else bytes(out)
        count -= min(count, len(out))


def packed_chunks(chunks: Iterable[bytes], dtype: DType) -> Iterator[bytes]:
    """Yield elements, one per byte, packed."""
    per_byte, rest = 8 // dtype.bits, b""
    for chunk in chunks:
        data = rest + chunk
        whole = len(data) - len(data) % per_byte
        rest = data[whole:]
        yield _packed(data[:whole], dtype)
    yield _packed(rest, dtype)


def _packed(data: bytes, dtype: DType) -> bytes:
    per_byte = 8 // dtype.bits
    mask = bytes(byte & ((1 << dtype.bits) - 1) for byte in range(256))
    data = data.translate(mask) + bytes(-len(data) % per_byte)
    total = 0
    for place in range(per_byte):
        total |= int.from_bytes(data[place::per_byte], "little") << (place * dtype.bits)
    return total.to_bytes(len(data) // per_byte, "little")


def string_elements(data: bytes) -> list[bytes]:
    """Return the strings of a buffer: their number, where each starts, where the last ends, their bytes.

    Raises:
        FormatError: the places do not fit the bytes.
    """
    try:
        (count,) = struct.unpack_from("<i", data)
        places = struct.unpack_from(f"<{count + 1}i", data, 4) if 0 <= count <= len(data) // 4 else ()
    except struct.error as error:
        raise FormatError(f"a string tensor of {len(data)} bytes is cut short") from error
    if not places or any(not 0 <= a <= b <= len(data) for a, b in pairwise(places)):
        raise FormatError(f"a string tensor of {len(data)} bytes places its {count} strings outside")
    return [data[start:end] for start, end in pairwise(places)]


def string_buffer(items: Sequence[bytes]) -> bytes:
    """Return strings as TFLite stores them."""
    start = 4 * (len(items) + 2)
    places = [start]
    for item in items:
        places.append(places[-1] + len(item))
    return struct.pack(f"<{len(places) + 1}i", len(items), *places) + b"".join(items)


def dense_elements(sparsity: Table, shape: Shape, dtype: DType, chunks: Iterable[bytes]) -> bytes:
    """Return all elements of a sparse tensor, zeros included.

    Raises:
        FormatError: the sparsity does not fit the shape or the values.
    """
    stored = b"".join(chunks)
    if dtype.bits < 8:
        stored = b"".join(unpacked_chunks([stored], dtype, len(stored) * 8 // dtype.bits))
    size = dtype.itemsize
    total = (shape.num_elements or 0) * size
    if not size or total > max(_DENSE_LIMIT, _DENSE_FACTOR * len(stored)):
        raise FormatError(f"a sparse {dtype} tensor of shape {shape} holds {len(stored)} bytes")
    places = _places(sparsity, shape, max(_PLACES_LIMIT, len(stored) // size))
    if len(places) * size > len(stored):
        raise FormatError(f"a sparse tensor places {len(places)} values and stores {len(stored) // size}")
    out = bytearray(total)
    for number, place in enumerate(places):
        out[place * size : place * size + size] = stored[number * size : number * size + size]
    return bytes(out)


def _places(sparsity: Table, shape: Shape, limit: int) -> Sequence[int]:
    """Return the flat index of each stored value, level by level of the traversal order."""
    metadata = sparsity.tables("dim_metadata")
    strides = _strides(sparsity, shape, len(metadata))
    places: Sequence[int] = array("q", [0])
    parents: Sequence[int] = places
    for level, stride in zip(metadata, strides, strict=True):
        if level.get("format") == _DENSE:
            places, parents = _dense_level(places, parents, level.get("dense_size"), stride, limit)
        else:
            places, parents = _sparse_level(places, parents, level, stride, limit)
    if places and not (min(places) >= 0 and max(places) < (shape.num_elements or 0)):
        raise FormatError(f"a sparse tensor of shape {shape} places a value outside")
    return places


def _dense_level(
    places: Sequence[int], parents: Sequence[int], size: int, stride: int, limit: int
) -> tuple[Sequence[int], Sequence[int]]:
    if size < 0 or len(places) * size > limit:
        raise FormatError(f"a dense dimension of {size} under {len(places)} others in a sparse tensor")
    steps = range(size)
    return (
        array("q", (place + step * stride for place in places for step in steps)),
        array("q", (parent * size + step for parent in parents for step in steps)),
    )


def _sparse_level(
    places: Sequence[int], parents: Sequence[int], level: Table, stride: int, limit: int
) -> tuple[Sequence[int], Sequence[int]]:
    segments, indices = _numbers(level, "array_segments"), _numbers(level, "array_indices")
    deeper, numbers = array("q"), array("q")
    for place, parent in zip(places, parents, strict=True):
        if parent + 1 >= len(segments):
            raise FormatError(f"a sparse dimension has {len(segments)} segments, {parent + 2} are needed")
        start, end = segments[parent], segments[parent + 1]
        if not 0 <= start <= end <= len(indices) or len(numbers) + end - start > limit:
            raise FormatError(f"segment {start} to {end} of a sparse dimension with {len(indices)} indices")
        numbers.extend(range(start, end))
        deeper.extend(place + index * stride for index in indices[start:end])
    return deeper, numbers


def _strides(sparsity: Table, shape: Shape, levels: int) -> list[int]:
    """Return how far apart, in the dense tensor, the elements of each level of the traversal order are."""
    order, block_map = list(sparsity.scalars("traversal_order")), list(sparsity.scalars("block_map"))
    dims = [dim or 0 for dim in shape]
    rank = len(dims)
    sound = levels == len(order) == rank + len(block_map) and sorted(order) == list(range(levels))
    if not sound or any(not 0 <= dim < rank for dim in block_map):
        raise FormatError(f"sparsity of {levels} levels, order {order[:16]}, blocks {block_map[:16]} for shape {shape}")
    strides = [1] * rank
    for dim in reversed(range(rank - 1)):
        strides[dim] = strides[dim + 1] * dims[dim + 1]
    inner = [strides[dim] for dim in block_map]
    for number, dim in enumerate(block_map):
        size = sparsity.tables("dim_metadata")[order.index(rank + number)].get("dense_size")
        strides[dim] *= size
        inner[:number] = [s * size if d == dim else s for s, d in zip(inner[:number], block_map, strict=False)]
    return [[*strides, *inner][dim] for dim in order]


def _numbers(level: Table, name: str) -> array[Any] | tuple[()]:
    vector = level.get(name)
    return () if vector is None or vector.type is None else vector.scalars("values")


@cache
def _unpack_tables(bits: int, signed: bool) -> tuple[bytes, ...]:
    top = 1 << bits
    values = [((code ^ top >> 1) - (top >> 1)) & 255 if signed else code for code in range(top)]
    return tuple(bytes(values[byte >> shift & top - 1] for byte in range(256)) for shift in range(0, 8, bits))
