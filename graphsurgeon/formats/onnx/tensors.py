"""Values of ONNX tensors, read when they are asked for: raw bytes, typed fields, other files, sparse ones.

Layouts follow the comments at `TensorProto` and `SparseTensorProto` in `onnx.proto`, and `docs/ExternalData.md`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

from graphsurgeon.disk.files import FileRange, SourceFile, contained, open_source
from graphsurgeon.encoding.protowire import read_varint
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.graph.protobuf.payloads import Payload, marked
from graphsurgeon.formats.onnx.types import dtype_of
from graphsurgeon.formats.tflite.elements import packed_size, unpacked_chunks
from graphsurgeon.model.dtype import INT64, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

_EXTERNAL = 1  # TensorProto.DataLocation
_RAW_TAG, _FLOAT_TAG, _DOUBLE_TAG = 9 << 3 | 2, 4 << 3 | 2, 10 << 3 | 2  # these fields hold elements as they are
_SIX = 6  # bits of the float6 types
_MOST_DENSE = 256 << 20  # bytes that a sparse tensor may become
_WIDE = {"float32": "f", "complex64": "f", "float64": "d", "complex128": "d", "int64": "q", "uint64": "Q"}
_FIELDS = {
    "float32": "float_data", "complex64": "float_data", "float64": "double_data", "complex128": "double_data",
    "int64": "int64_data", "uint32": "uint64_data", "uint64": "uint64_data",
}  # fmt: skip


class Store:
    """Where the values of a model lie.

    Attributes:
        file: the model's file.
        payloads: values that parsing left in the file.
    """

    __slots__ = ("_files", "file", "payloads")

    def __init__(self, file: SourceFile, payloads: list[Payload]) -> None:
        self.file = file
        self.payloads = payloads
        self._files: dict[str, SourceFile] = {}

    def external_file(self, location: str) -> SourceFile:
        """Return a file of external data.

        Raises:
            FormatError: its name leads outside the model's folder.
            FileError: it is missing or unreadable.
        """
        if location not in self._files:
            self._files[location] = open_source(contained(self.file.path.parent, location))
        return self._files[location]

    def tensor(self, message: Any) -> Tensor:
        """Return a lazy Tensor over a `TensorProto`."""
        dtype = dtype_of(message.data_type) or DType.of(0)
        return Tensor(dtype, Shape(max(dim, 0) for dim in message.dims), OnnxTensorSource(self, message, dtype))

    def sparse_tensor(self, message: Any) -> Tensor:
        """Return a lazy Tensor over a `SparseTensorProto`; its elements read as those of a dense one."""
        dtype = dtype_of(message.values.data_type) or DType.of(0)
        return Tensor(dtype, Shape(max(dim, 0) for dim in message.dims), SparseSource(self, message, dtype))


class External:
    """What `external_data` of a tensor says.

    Attributes:
        entries: as stored.
        location: name of the file, below the model's folder.
    """

    __slots__ = ("entries", "location")

    def __init__(self, message: Any) -> None:
        self.entries = {entry.key: entry.value for entry in message.external_data}
        self.location = self.entries.get("location", "")

    def range(self, store: Store) -> FileRange:
        """Return where the bytes lie: all to the end of the file where no length is given.

        Raises:
            FormatError: the name leads outside the folder, offset or length are no numbers or lie outside the file.
            FileError: the file is missing or unreadable.
        """
        file = store.external_file(self.location)
        offset = _number(self.entries.get("offset", "0"))
        length = _number(self.entries["length"]) if "length" in self.entries else max(file.size - offset, 0)
        return FileRange(file, offset, length)


def is_external(message: Any) -> bool:
    """Say whether the values of a `TensorProto` lie in a file of their own."""
    return bool(message.data_location == _EXTERNAL)


class OnnxTensorSource:
    """Values of a `TensorProto`, as a `TensorSource` of the model.

    Attributes:
        store: where the values lie that are not in the message.
        message: the `TensorProto`, large values marked instead of held.
    """

    __slots__ = ("dtype", "message", "store")

    def __init__(self, store: Store, message: Any, dtype: DType) -> None:
        self.store = store
        self.message = message
        self.dtype = dtype

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        if is_external(self.message):
            return (Shape(self.message.dims).num_elements or 0) * self.dtype.bits // 8
        payload = self._payload()
        if payload is not None:
            return sum(map(len, payload))
        return sum(map(len, self.message.string_data)) or int(self.message.ByteSize())

    def ranges(self) -> list[FileRange] | None:
        """Return where the bytes of the elements lie, one after the other, None if they do not lie in a file."""
        if 0 < self.dtype.bits < 8:
            return None
        found = self._stored()
        return [found] if isinstance(found, FileRange) else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of all elements, one byte for each that is smaller. Reads the file."""
        if not self.dtype.bits:
            raise FormatError(f"a tensor of type {self.dtype} has no fixed-size elements")
        stored = self._stored()
        if stored is not None:
            yield from self._one_byte_each(stored.chunks())
            return
        message = self._whole()
        if self.dtype.bits == _SIX and not message.raw_data:  # in `int32_data` each such element has an entry
            yield bytes(item & 63 for item in message.int32_data)
            return
        yield from self._one_byte_each(iter([bytes(message.raw_data) or self._typed(message)]))

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor. Reads the file."""
        return list(self._whole().string_data)

    def _one_byte_each(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        """Unpack elements that are smaller than a byte."""
        if self.dtype.bits >= 8:
            yield from pieces
            return
        count = Shape(max(dim, 0) for dim in self.message.dims).num_elements or 0
        packed = _at_most(pieces, packed_size(count, self.dtype.bits))
        if self.dtype.bits == _SIX:
            yield _unpacked_6_bits(b"".join(packed), count)
        else:
            yield from unpacked_chunks(packed, self.dtype, count)

    def _payload(self) -> Payload | None:
        """Return the fields of the values where they stayed in the file; None if the message holds them."""
        index = marked(self.message.raw_data)
        return self.store.payloads[index - 1] if 0 < index <= len(self.store.payloads) else None

    def _stored(self) -> FileRange | None:
        """Return where the elements lie as they are, None if they are in the message or in another form."""
        if is_external(self.message):
            return External(self.message).range(self.store)
        payload = self._payload()
        if payload is None or len(payload) != 1 or not isinstance(payload[0], FileRange):
            return None
        stored = payload[0]
        head = stored.file.read_at(stored.offset, min(stored.length, 16))
        tags = {_RAW_TAG, {"float_data": _FLOAT_TAG, "double_data": _DOUBLE_TAG}.get(_FIELDS.get(self.dtype.name, ""))}
        if head[0] not in tags:
            return None
        length, start = read_varint(head, 1)
        return stored.part(start, length) if start + length == stored.length else None

    def _whole(self) -> Any:
        payload = self._payload()
        if payload is None:
            return self.message
        whole = type(self.message)()
        whole.CopyFrom(self.message)
        whole.ClearField("raw_data")
        whole.MergeFromString(b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in payload))
        return whole

    def _typed(self, message: Any) -> bytes:
        """Return the elements in a field of their type; types of 32 bits and less share `int32_data`."""
        name = self.dtype.name
        items = getattr(message, _FIELDS.get(name, "int32_data"))
        if name in _WIDE:
            return struct.pack(f"<{len(items)}{_WIDE[name]}", *items)
        size = 1 if self.dtype.bits < 8 else self.dtype.itemsize
        mask = (1 << 8 * size) - 1
        code = {1: "B", 2: "H", 4: "I"}[size]
        return struct.pack(f"<{len(items)}{code}", *(item & mask for item in items))


class SparseSource:
    """Elements of a `SparseTensorProto` as those of a dense tensor: zero where none is stored."""

    __slots__ = ("dtype", "message", "store")

    def __init__(self, store: Store, message: Any, dtype: DType) -> None:
        self.store = store
        self.message = message
        self.dtype = dtype

    @property
    def nbytes(self) -> int:
        """Bytes as stored: values and their places."""
        return sum(self.store.tensor(part).nbytes for part in (self.message.values, self.message.indices))

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes of all elements. Reads the file.

        Raises:
            FormatError: a place lies outside, or the dense tensor would be absurdly large.
        """
        size, dims = self.dtype.itemsize, [max(dim, 0) for dim in self.message.dims]
        total = Shape(dims).num_elements or 0
        values, indices = self.store.tensor(self.message.values), self.store.tensor(self.message.indices)
        if not size or total * size > _MOST_DENSE:
            raise FormatError(f"a sparse {self.dtype} tensor of shape {Shape(dims)} is too large to be made dense")
        stored = values.tobytes()
        places = _places(indices, len(stored) // size, dims)
        out = bytearray(total * size)
        for number, place in enumerate(places):
            if not 0 <= place < total:
                raise FormatError(f"a sparse tensor of shape {Shape(dims)} places a value at {place}")
            out[place * size : place * size + size] = stored[number * size : number * size + size]
        yield bytes(out)

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor."""
        raise FormatError("a sparse tensor of strings is not read")


def _places(indices: Tensor, count: int, dims: list[int]) -> list[int]:
    """Return the flat index of each stored value: indices are flat, or one row of coordinates for each value."""
    if indices.dtype is not INT64 or indices.shape.rank not in (1, 2):
        raise FormatError(f"indices of a sparse tensor are {indices.dtype} of shape {indices.shape}")
    items = indices.items()
    if indices.shape.rank == 1:
        found = items
    else:
        rank = len(dims)
        if not rank or len(items) != count * rank:
            raise FormatError(f"{len(items)} coordinates for {count} values of a sparse tensor of rank {rank}")
        found = [_flat(items[start : start + rank], dims) for start in range(0, len(items), rank)]
    if len(found) != count:
        raise FormatError(f"a sparse tensor places {len(found)} values and stores {count}")
    return found


def _flat(coordinates: list[int], dims: list[int]) -> int:
    place = 0
    for coordinate, dim in zip(coordinates, dims, strict=True):
        if not 0 <= coordinate < dim:
            return -1
        place = place * dim + coordinate
    return place


def _unpacked_6_bits(data: bytes, count: int) -> bytes:
    """Return one byte for each of `count` elements of 6 bits: four of them in three bytes, lowest bits first."""
    data += bytes(-len(data) % 3)
    first, second, third = data[0::3], data[1::3], data[2::3]
    out = bytearray(len(first) * 4)
    out[0::4] = bytes(a & 63 for a in first)
    out[1::4] = bytes(a >> 6 | (b & 15) << 2 for a, b in zip(first, second, strict=True))
    out[2::4] = bytes(b >> 4 | (c & 3) << 4 for b, c in zip(second, third, strict=True))
    out[3::4] = bytes(c >> 2 for c in third)
    return bytes(out[:count])


def _at_most(pieces: Iterator[bytes], length: int) -> Iterator[bytes]:
    for piece in pieces:
        yield piece[:length]
        length -= len(piece)
        if length <= 0:
            return


def _number(text: str) -> int:
    if not text.isascii() or not text.isdecimal() or len(text) > 18:
        raise FormatError(f"external data gives {text[:40]!r} for an offset or a length")
    return int(text)
