"""The protobuf wire format, read and written without the protobuf package: fields of one message as Python values.

Groups (long deprecated, and in none of TensorFlow's messages) are refused. See
https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.errors import FormatError

MAX_DEPTH = 100  # protobuf's own limit on nesting

Field = tuple[int, int | bytes]


def fields(data: bytes) -> Iterator[Field]:
    """Yield (number, value) of each field: an unsigned integer for varints, bytes for all other wire types.

    Raises:
        FormatError: `data` ends inside a field, or holds a wire type that protobuf does not have.
    """
    position, end = 0, len(data)
    while position < end:
        key, position = read_varint(data, position)
        kind = key & 7
        if kind == 0:
            value, position = read_varint(data, position)
            yield key >> 3, value
            continue
        length, position = read_varint(data, position) if kind == 2 else (_FIXED_SIZES.get(kind, -1), position)
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


def read_varint(data: bytes | bytearray | memoryview, position: int) -> tuple[int, int]:
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
        value, position = read_varint(data, position)
        yield value


def encode_varint(value: int) -> bytes:
    """Encode a number as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def length_delimited(number: int, data: bytes) -> bytes:
    """Return a field whose content is bytes: a string, a message, a packed list."""
    return encode_varint(number << 3 | 2) + encode_varint(len(data)) + data


def without(data: bytes, numbers: Collection[int]) -> bytes:
    """Return a serialized message without some of its fields."""
    pieces = []
    copied = 0
    for number, start, stop in field_spans(data):
        if number in numbers:
            pieces.append(data[copied:start])
            copied = stop
    pieces.append(data[copied:])
    return b"".join(pieces)


def only(data: bytes, number: int) -> bytes:
    """Return one field of a serialized message, every occurrence."""
    return b"".join(data[start:stop] for other, start, stop in field_spans(data) if other == number)


def insert(data: bytes, number: int, messages: Iterable[bytes]) -> bytes:
    """Return a serialized message with messages added as one of its fields, where serializing the whole puts them."""
    place = next((start for other, start, _ in field_spans(data) if other > number), len(data))
    tag = encode_varint(number << 3 | 2)
    out = bytearray(data[:place])
    for message in messages:
        out += tag
        out += encode_varint(len(message))
        out += message
    out += data[place:]
    return bytes(out)


def field_spans(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that protobuf has serialized."""
    window = WireWindow(data)
    offset, end = 0, len(data)
    while offset < end:
        start = offset
        tag, length, offset = window.head(offset)
        offset = offset + length if tag & 7 == 2 else window.skip(tag & 7, offset, end)
        yield tag >> 3, start, offset


class WireWindow:
    """Varints and fields at offsets of a file, or of bytes in memory, through a window that moves along."""

    MARGIN = 32  # longer than a tag and a length

    def __init__(self, source: SourceFile | bytes) -> None:
        self._source = source
        self._buffer = source if isinstance(source, bytes) else b""
        self._start = 0
        self._stop = len(self._buffer)
        self._size = self._stop if isinstance(source, bytes) else source.size
        self._step = 0 if isinstance(source, bytes) else source.step

    def varint(self, offset: int) -> tuple[int, int]:
        """Return the number at an offset and the offset behind it."""
        if offset < self._start or (offset + self.MARGIN > self._stop and self._stop < self._size):
            self._fill(offset)
        value, position = read_varint(self._buffer, offset - self._start)
        return value, position + self._start

    def head(self, offset: int) -> tuple[int, int, int]:
        """Return the tag at an offset, the length behind it (0 unless length-delimited), and the offset behind both.

        One call for each field of a file: what is usual, a tag of one byte and a length of two, is read in place.
        """
        if offset < self._start or (offset + self.MARGIN > self._stop and self._stop < self._size):
            self._fill(offset)
        buffer, position = self._buffer, offset - self._start + 1
        tag = buffer[position - 1] if position <= len(buffer) else 0x80
        if tag >= 0x80:
            tag, position = read_varint(buffer, position - 1)
        if tag & 7 != 2:
            return tag, 0, position + self._start
        if position + 1 < len(buffer) and buffer[position] < 0x80:
            return tag, buffer[position], position + 1 + self._start
        if position + 2 < len(buffer) and buffer[position + 1] < 0x80:
            return tag, buffer[position] & 0x7F | buffer[position + 1] << 7, position + 2 + self._start
        length, position = read_varint(buffer, position)
        return tag, length, position + self._start

    def copy(self, start: int, stop: int) -> bytes:
        """Return the bytes of a range."""
        if isinstance(self._source, bytes) or (self._start <= start and stop <= self._stop):
            return self._buffer[start - self._start : stop - self._start]
        return self._source.read_at(start, stop - start)

    def skip(self, wire_type: int, offset: int, end: int) -> int:
        """Return the offset behind a field's value that is not length-delimited.

        Raises:
            FormatError: the wire type does not exist, a group does not end, or the value is cut off.
        """
        if wire_type == 0:
            offset = self.varint(offset)[1]
        elif wire_type in (1, 5):
            offset += 8 if wire_type == 1 else 4
        elif wire_type == 3:
            offset = self._skip_group(offset, end)
        else:
            raise FormatError(f"wire type {wire_type} at byte {offset}")
        if offset > end:
            raise FormatError(f"a value is cut off at byte {end}")
        return offset

    def _skip_group(self, offset: int, end: int) -> int:
        depth = 1
        while depth:
            tag, offset = self.varint(offset)
            wire_type = tag & 7
            if wire_type == 2:
                length, offset = self.varint(offset)
                offset += length
            elif wire_type in (3, 4):
                depth += 1 if wire_type == 3 else -1
            else:
                offset = self.skip(wire_type, offset, end)
            if offset > end or depth > MAX_DEPTH:
                raise FormatError(f"a group is cut off at byte {end}")
        return offset

    def _fill(self, offset: int) -> None:
        assert not isinstance(self._source, bytes)
        self._buffer = self._source.read_at(offset, max(0, min(self._step, self._size - offset)))
        self._start, self._stop = offset, offset + len(self._buffer)
