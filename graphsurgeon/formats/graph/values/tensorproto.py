"""`TensorProto` to Tensor and back.

Facts from `tensorflow/core/framework/tensor.proto` and `tensor.cc`: values stand either in
`tensor_content` (little-endian bytes, not for strings) or in a typed field; a typed field with fewer
values than elements repeats its last one, an empty one means zeros; 16-bit floats stand as their bits in
`half_val`, complex numbers as pairs.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from graphsurgeon.disk.files import BLOCK, Computed, FileRange, rope_size
from graphsurgeon.encoding import protowire as wire_format
from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf.payloads import LARGE, Payload, mark, marked
from graphsurgeon.model.dtype import RESOURCE, STRING, VARIANT, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import FilledSource, FilledStrings, Tensor

MAX_SPLAT = 1 << 34  # bytes that a few stored values may be repeated to

_SHAPES: dict[bytes, Shape] = {}  # a large graph records few shapes, each many times
_MOST_SHAPES, _SHORT = 1 << 12, 64  # entries, and bytes of each

_CONTENT_TAG = 4 << 3 | 2

# dtype: (typed field, struct code of one element); complex types are handled apart
_FIELDS = {
    "float32": ("float_val", "f"), "float64": ("double_val", "d"), "int64": ("int64_val", "q"),
    "bool": ("bool_val", "?"), "uint32": ("uint32_val", "I"), "uint64": ("uint64_val", "Q"),
    "float16": ("half_val", "H"), "bfloat16": ("half_val", "H"),
    "int32": ("int_val", "i"), "int16": ("int_val", "h"), "int8": ("int_val", "b"), "uint8": ("int_val", "B"),
    "uint16": ("int_val", "H"), "qint8": ("int_val", "b"), "quint8": ("int_val", "B"), "qint16": ("int_val", "h"),
    "quint16": ("int_val", "H"), "qint32": ("int_val", "i"),
}  # fmt: skip


def read_shape(message: Any) -> Shape:
    """Return the Shape of a `TensorShapeProto`; of a short one that was read before the same object."""
    said = message.SerializeToString()
    shape = _SHAPES.get(said)
    if shape is None:
        shape = Shape(None) if message.unknown_rank else Shape([dim.size for dim in message.dim])
        if len(said) <= _SHORT and len(_SHAPES) < _MOST_SHAPES:
            _SHAPES[said] = shape
    return shape


def write_shape(shape: Shape, message: Any) -> None:
    """Fill an empty `TensorShapeProto`."""
    message.SetInParent()
    if shape.dims is None:
        message.unknown_rank = True
        return
    for dim in shape.dims:
        message.dim.add().size = -1 if dim is None else dim


def read_tensor(message: Any, payloads: list[Payload]) -> Tensor:
    """Return a lazy Tensor over a `TensorProto` (kept, not copied) and the payload that it may be marked with.

    Of its shape the dimensions count alone, as for TensorFlow: a value that claims an unknown rank has one.
    """
    return Tensor(DType.of(message.dtype), _shape_of_values(message), _ProtoSource(message, payloads))


def _shape_of_values(message: Any) -> Shape:
    stored = message.tensor_shape
    return Shape([dim.size for dim in stored.dim]) if stored.unknown_rank else read_shape(stored)


def write_tensor(tensor: Tensor, message: Any, payloads: list[Payload]) -> None:
    """Fill an empty `TensorProto`; a tensor that lies in a file is entered into `payloads`, not read."""
    source = tensor.source
    if isinstance(source, _ProtoSource):
        _copy_proto(source, message, payloads)
        return
    message.dtype = tensor.dtype.base.number
    write_shape(tensor.shape, message.tensor_shape)
    ranges = _verified_ranges(source)
    if tensor.dtype is STRING:
        message.string_val.extend(source.strings())
    elif ranges is not None and tensor.nbytes:
        payloads.append([encode_varint(_CONTENT_TAG) + encode_varint(rope_size(list(ranges))), *ranges])
        message.tensor_content = mark(len(payloads))
    elif isinstance(source, FilledSource) and tensor.dtype.name in _FIELDS:
        field, code = _FIELDS[tensor.dtype.name]
        getattr(message, field).extend(struct.unpack(f"<{code}", source.element))
    elif getattr(source, "is_computed", False) and tensor.nbytes >= LARGE:
        computed = Computed(tensor.nbytes, source.chunks)
        payloads.append([encode_varint(_CONTENT_TAG) + encode_varint(tensor.nbytes), computed])
        message.tensor_content = mark(len(payloads))
    else:
        message.tensor_content = tensor.tobytes()


def _verified_ranges(source: Any) -> list[FileRange] | None:
    """Return where values lie, their checksums compared, now or when the ranges are read; None if they lie nowhere."""
    checked: list[FileRange] | None = getattr(source, "checked_ranges", lambda: None)()
    if checked is not None:
        return checked
    getattr(source, "verify", lambda: None)()
    ranges: list[FileRange] | None = getattr(source, "ranges", lambda: None)()
    return ranges


def inline_payloads(message: Any, payloads: list[Payload]) -> None:
    """Read the values that a `TensorProto` left on disk into it (for text output)."""
    index = marked(message.tensor_content)
    if index:
        data = b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in payloads[index - 1])
        message.ClearField("tensor_content")
        message.MergeFromString(data)


def _copy_proto(source: _ProtoSource, message: Any, payloads: list[Payload]) -> None:
    message.CopyFrom(source.message)
    payload = source.payload
    if payload is not None and source.payloads is not payloads:
        payloads.append(payload)
        message.tensor_content = mark(len(payloads))


class _ProtoSource:
    """Values of a `TensorProto`: in the message, or in the file where it is marked."""

    __slots__ = ("message", "payloads")
    repeats = True  # its last value fills the shape

    def __init__(self, message: Any, payloads: list[Payload]) -> None:
        self.message = message
        self.payloads = payloads

    @property
    def payload(self) -> Payload | None:
        """Where the values lie in the file; None if they are in the message."""
        index = marked(self.message.tensor_content)
        return self.payloads[index - 1] if index else None

    @property
    def nbytes(self) -> int:
        payload = self.payload
        return int(self.message.ByteSize()) if payload is None else rope_size(payload)

    @property
    def content_size(self) -> int | None:
        """Bytes of `tensor_content`; None if the values stand in a typed field."""
        if self.payload is None:
            return len(self.message.tensor_content) or None
        content = self._content_ranges()
        return None if content is None else rope_size(content)

    def chunks(self) -> Iterator[bytes]:
        content = self._content_ranges()
        if content is not None:
            for piece in content:
                if isinstance(piece, bytes):
                    yield piece
                else:
                    yield from piece.chunks()
            return
        message = self._whole()
        dtype = DType.of(message.dtype)
        if message.tensor_content:
            yield bytes(message.tensor_content)
        else:
            yield from _typed_chunks(message, dtype, _shape_of_values(message).num_elements or 0)

    def strings(self) -> Sequence[bytes]:
        message = self._whole()
        items = list(message.string_val)
        count = _shape_of_values(message).num_elements or 0
        if len(items) >= count:
            return items[:count]
        _limit(count * max(len(items[-1]) if items else 0, 8))
        return FilledStrings(items, count)

    def _content_ranges(self) -> Payload | None:
        """Return where the bytes of `tensor_content` lie, without its tag and length; None if not just that."""
        payload = self.payload
        if payload is None:
            return None
        first = payload[0]
        if len(payload) > 1 and isinstance(first, bytes):
            return payload[1:]
        if len(payload) != 1 or not isinstance(first, FileRange):
            return None
        head = first.file.read_at(first.offset, min(first.length, 16))
        if head[0] != _CONTENT_TAG:
            return None
        length, start = wire_format.read_varint(head, 1)
        return [FileRange(first.file, first.offset + start, length)] if start + length == first.length else None

    def _whole(self) -> Any:
        if self.payload is None:
            return self.message
        whole = schema.message("tensorflow.TensorProto")()
        whole.CopyFrom(self.message)
        inline_payloads(whole, self.payloads)
        return whole


def _typed_chunks(message: Any, dtype: DType, count: int) -> Iterator[bytes]:
    if dtype in (RESOURCE, VARIANT, STRING):
        raise FormatError(f"a tensor of type {dtype} has no fixed-size elements")
    itemsize = dtype.itemsize
    _limit(count * itemsize)
    data = _packer(dtype)(message)[: count * itemsize]
    yield data
    missing = count - len(data) // itemsize if itemsize else 0
    last = data[-itemsize:] if data else bytes(itemsize)
    block = max(1, BLOCK // max(itemsize, 1))
    while missing > 0:
        yield last * min(block, missing)
        missing -= block


def _packer(dtype: DType) -> Callable[[Any], bytes]:
    name = dtype.base.name
    if name in _FIELDS:
        field, code = _FIELDS[name]
        mask = (1 << 8 * struct.calcsize(code)) - 1
        return lambda message: _pack(code, list(getattr(message, field)), mask)
    if dtype.is_complex:
        field, code = ("scomplex_val", "f") if name == "complex64" else ("dcomplex_val", "d")
        return lambda message: _pack(code, list(getattr(message, field)), 0)
    if dtype.is_small_integer:
        return lambda message: bytes(value & (1 << dtype.bits) - 1 for value in message.int_val)
    if name.startswith(("float8", "float4")):
        return lambda message: bytes(message.float8_val)
    raise FormatError(f"a tensor of type {dtype} has no fixed-size elements")


def _pack(code: str, values: list[Any], mask: int) -> bytes:
    try:
        return struct.pack(f"<{len(values)}{code}", *values)
    except struct.error:  # an integer that does not fit its type: TensorFlow truncates
        size = struct.calcsize(code)
        return b"".join((int(value) & mask).to_bytes(size, "little") for value in values)


def _limit(nbytes: int) -> None:
    if nbytes > MAX_SPLAT:
        raise FormatError(f"a constant claims {nbytes} bytes that the file does not hold")
