"""The protobuf wire format, read without the protobuf package: fields of one message as plain Python values.

Enough for trusted or small data: the op catalog, the schema, an `OpDef` inside a file. Groups (long
deprecated, and in none of TensorFlow's messages) are refused. See
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.errors import FormatError

Field = tuple[int, int | bytes]


def fields(data: bytes) -> Iterator[Field]:
    """Yield (number, value) of each field: an unsigned integer for varints, bytes for all other wire types.

    Raises:
        FormatError: `data` ends inside a field, or holds a wire type that protobuf does not have.
    """
    position, end = 0, len(data)
    while position < end:
        key, position = varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = varint(data, position)
            yield key >> 3, value
            continue
        length, position = varint(data, position) if kind == 2 else (_FIXED_SIZES.get(kind, -1), position)
        if length < 0 or position + length > end:
            raise FormatError(f"field {key >> 3}: wire type {kind} runs past the end of its message")
        yield key >> 3, data[position : position + length]
        position += length


_FIXED_SIZES = {1: 8, 5: 4}


def messages(data: bytes) -> Iterator[bytes]:
    """Yield the content of each length-delimited field: of a message that only lists messages, these."""
    for _, value in fields(data):
        if isinstance(value, bytes):
            yield value


def varint(data: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
    """Return the unsigned varint at a position, and the position after it.

    Raises:
        FormatError: `data` ends inside the varint, or it is longer than ten bytes.
    """
    value = shift = 0
    try:
        while (byte := data[position]) >= 0x80:
            value |= (byte & 0x7F) << shift
            shift, position = shift + 7, position + 1
            if shift > 63:
                raise FormatError(f"byte {position}: a varint of more than ten bytes")
    except IndexError:
        raise FormatError(f"byte {position}: the data ends inside a varint") from None
    return value | byte << shift, position + 1


def signed(value: int) -> int:
    """Return the signed value of a 64-bit varint (`int32`, `int64`)."""
    return value - (1 << 64) if value >> 63 else value


def packed(data: bytes) -> Iterator[int]:
    """Yield the varints of a packed repeated field."""
    position = 0
    while position < len(data):
        value, position = varint(data, position)
        yield value
