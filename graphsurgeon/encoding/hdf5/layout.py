"""Where the values of a dataset lie, and how pieces of it become values again."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping

from graphsurgeon.encoding.hdf5 import messages as parts
from graphsurgeon.encoding.hdf5.file import Chunks, Dataset
from graphsurgeon.encoding.hdf5.heaps import tree_leaves
from graphsurgeon.encoding.hdf5.image import Fields, FileImage
from graphsurgeon.encoding.hdf5.messages import Datatype, HeaderMessage, num_elements
from graphsurgeon.errors import FormatError, UnsupportedError

_COMPACT, _CONTIGUOUS, _CHUNKED, _VIRTUAL = range(4)
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3
_MOST_SLAB = 512 << 20  # bytes that are put together at once from pieces
_INDEXES = {1: "one", 2: "row"}


def dataset(image: FileImage, header: Mapping[int, HeaderMessage], type: Datatype, shape: tuple[int, ...]) -> Dataset:
    """Return a dataset from the messages of its header, by their types.

    Raises:
        FormatError: a message is damaged, or of an unknown version.
    """
    fill = _fill(image, header, type.size)
    if parts.EXTERNAL_FILES in header:
        return Dataset(type, shape, elsewhere="its values lie in another file, which is not followed")
    filters = _filters(Fields(header[parts.FILTERS].body, image)) if parts.FILTERS in header else ()
    fields = Fields(header[parts.LAYOUT].body, image)
    version = fields.integer(1)
    if version in (1, 2):
        return _older(fields, type, shape, filters, fill)
    if version not in (3, 4, 5):
        raise FormatError(f"version {version} of a dataset's layout is not known")
    kind = fields.integer(1)
    if kind == _COMPACT:
        return Dataset(type, shape, compact=fields.bytes(fields.integer(2)))
    if kind == _CONTIGUOUS:
        return _contiguous(type, shape, fields.address(), image, fill)
    if kind == _VIRTUAL:
        return Dataset(type, shape, elsewhere="it is a view of other datasets, perhaps in other files")
    if kind != _CHUNKED:
        raise FormatError(f"layout {kind} of a dataset is not known")
    chunks = _chunks_3(fields, shape) if version == 3 else _chunks_4(fields, shape)
    if isinstance(chunks, str):
        return Dataset(type, shape, elsewhere=chunks)
    return Dataset(type, shape, chunks=chunks, filters=filters, fill=fill)


def slabs(image: FileImage, found: Dataset) -> Iterator[bytes]:
    """Yield the values of a dataset that is stored in pieces, row-major, in the byte order of the file.

    Raises:
        FormatError: a piece is damaged, or larger than it claims.
        UnsupportedError: it went through a filter that is not known here.
    """
    import numpy as np

    chunks = found.chunks
    assert chunks is not None
    shape, dims, size = found.shape, chunks.dims, found.type.size
    if not num_elements(shape):
        return
    if not all(dims) or len(dims) != len(shape):
        raise FormatError(f"pieces of shape {dims} for values of shape {shape}")
    slab = min(dims[0], shape[0]) * num_elements(shape[1:]) * size
    if max(slab, num_elements(dims) * size) > _MOST_SLAB:
        raise UnsupportedError(f"pieces of {slab} bytes are too large to be put together")
    where = _places(image, chunks, shape, size)
    for start in range(0, shape[0], dims[0]):
        rows = min(dims[0], shape[0] - start)
        values = np.full((rows, *shape[1:]), np.frombuffer(found.fill or bytes(size), f"V{size}")[0])
        for offsets, (address, length, skipped) in where.get(start, {}).items():
            data = _unfiltered(image, found, address, length, skipped)
            piece = np.frombuffer(data, f"V{size}").reshape(dims)
            ends = [min(dim, whole - offset) for dim, whole, offset in zip(dims[1:], shape[1:], offsets, strict=True)]
            target = tuple(slice(offset, offset + end) for offset, end in zip(offsets, ends, strict=True))
            values[(slice(0, rows), *target)] = piece[(slice(0, rows), *(slice(0, end) for end in ends))]
        yield values.tobytes()


def _places(
    image: FileImage, chunks: Chunks, shape: tuple[int, ...], size: int
) -> dict[int, dict[tuple[int, ...], tuple[int, int, int]]]:
    """Return first row -> offsets along the other axes -> (address, bytes as stored, filters left out)."""
    found: dict[int, dict[tuple[int, ...], tuple[int, int, int]]] = {}
    if chunks.address is None:
        return found
    whole = num_elements(chunks.dims) * size
    if chunks.index == "one":
        length = whole if chunks.size is None else chunks.size
        return {0: {(0,) * (len(shape) - 1): (chunks.address, length, chunks.skipped)}}
    if chunks.index == "row":
        for number, offsets in enumerate(_grid(shape, chunks.dims)):
            found.setdefault(offsets[0], {})[offsets[1:]] = (chunks.address + number * whole, whole, 0)
        return found
    rank = len(shape)
    for key, address in tree_leaves(image, chunks.address, 1, 8 + 8 * (rank + 1)):
        fields = Fields(key, image)
        length, skipped = fields.integer(4), fields.integer(4)
        offsets = tuple(fields.integer(8) for _ in range(rank))
        axes = zip(offsets, shape, chunks.dims, strict=False)
        inside = all(offset < dim and offset % step == 0 for offset, dim, step in axes)
        if inside and address is not None:
            found.setdefault(offsets[0], {})[offsets[1:]] = (address, length, skipped)
    return found


def _grid(shape: tuple[int, ...], dims: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    from itertools import product

    return product(*(range(0, whole, step) for whole, step in zip(shape, dims, strict=True)))


def _unfiltered(image: FileImage, found: Dataset, address: int, length: int, skipped: int) -> bytes:
    assert found.chunks is not None
    size = num_elements(found.chunks.dims) * found.type.size
    data = image.block(address, length, "piece of a dataset")
    for number in range(len(found.filters) - 1, -1, -1):
        if skipped >> number & 1:
            continue
        kind, values = found.filters[number]
        if kind == _DEFLATE:
            data = _inflated(data, size + 4)
        elif kind == _SHUFFLE:
            data = _unshuffled(data, values[0] if values else found.type.size)
        elif kind == _FLETCHER32:
            data = data[:-4]
        else:
            raise UnsupportedError(
                f"the values went through filter {kind} of HDF5, which is not known here",
                hint="write the file again without compression (h5repack -f NONE)",
            )
    if len(data) != size:
        raise FormatError(f"a piece of a dataset has {len(data)} bytes where {size} were expected")
    return data


def _inflated(data: bytes, most: int) -> bytes:
    """Return what was compressed, and no more than it may be: a piece can claim a thousand times its size."""
    machine = zlib.decompressobj()
    try:
        return machine.decompress(data, most)
    except zlib.error as error:
        raise FormatError(f"a piece of a dataset does not decompress: {error}") from error


def _unshuffled(data: bytes, size: int) -> bytes:
    """Put the bytes of each element side by side again; what is over at the end stays."""
    if size < 2 or size > len(data):
        return data
    count = len(data) // size
    result = bytearray(data)
    for place in range(size):
        result[place : count * size : size] = data[place * count : (place + 1) * count]
    return bytes(result)


def _contiguous(type: Datatype, shape: tuple[int, ...], address: int | None, image: FileImage, fill: bytes) -> Dataset:
    return Dataset(type, shape, contiguous=None if address is None else image.base + address, fill=fill)


def _older(
    fields: Fields,
    type: Datatype,
    shape: tuple[int, ...],
    filters: tuple[tuple[int, tuple[int, ...]], ...],
    fill: bytes,
) -> Dataset:
    rank, kind = fields.integer(1), fields.integer(1)
    fields.skip(5)
    address = None if kind == _COMPACT else fields.address()
    dims = tuple(fields.integer(4) for _ in range(rank))
    if kind == _COMPACT:
        return Dataset(type, shape, compact=fields.bytes(fields.integer(4)))
    if kind == _CONTIGUOUS:
        return _contiguous(type, shape, address, fields.image, fill)
    return Dataset(type, shape, chunks=Chunks(dims[: len(shape)], "tree", address), filters=filters, fill=fill)


def _chunks_3(fields: Fields, shape: tuple[int, ...]) -> Chunks:
    rank, address = fields.integer(1), fields.address()
    dims = tuple(fields.integer(4) for _ in range(rank))
    return Chunks(dims[: len(shape)], "tree", address)


def _chunks_4(fields: Fields, shape: tuple[int, ...]) -> Chunks | str:
    """Return the pieces in the newest form; why not, where their index is one that is not known."""
    flags, rank, width = fields.integer(1), fields.integer(1), fields.integer(1)
    dims = tuple(fields.integer(width) for _ in range(rank))[: len(shape)]
    index = fields.integer(1)
    if index not in _INDEXES:
        return "its pieces have an index of the newest form of HDF5, which is not read"
    size, skipped = None, 0
    if index == 1 and flags & 2:
        size, skipped = fields.length(), fields.integer(4)
    return Chunks(dims, _INDEXES[index], fields.address(), size, skipped)


def _filters(fields: Fields) -> tuple[tuple[int, tuple[int, ...]], ...]:
    version, count = fields.integer(1), fields.integer(1)
    if version not in (1, 2) or count > 32:
        raise FormatError(f"version {version} of a list of filters, with {count} of them")
    fields.skip(6 if version == 1 else 0)
    found = []
    for _ in range(count):
        number = fields.integer(2)
        name = fields.integer(2) if version == 1 or number >= 256 else 0
        fields.skip(2)
        values = fields.integer(2)
        fields.skip((name + 7) // 8 * 8 if version == 1 else name)
        found.append((number, tuple(fields.integer(4) for _ in range(values))))
        fields.skip(4 if version == 1 and values % 2 else 0)
    return tuple(found)


def _fill(image: FileImage, header: Mapping[int, HeaderMessage], size: int) -> bytes:
    """Return the bytes of an element that was never written, empty for zeros."""
    if parts.FILL_VALUE not in header:
        return b""
    fields = Fields(header[parts.FILL_VALUE].body, image)
    version = fields.integer(1)
    if version in (1, 2):
        fields.skip(2)
        is_defined = fields.integer(1) or version == 1
    else:
        is_defined = fields.integer(1) & 0x20
    if not is_defined or fields.left < 4:
        return b""
    value = fields.bytes(fields.integer(4))
    return value if len(value) == size and any(value) else b""
