"""Weights stay on disk: the protobuf wire format with large tensors taken out, and put back.

`reduce` copies a serialized message without the values of large `TensorProto`s; in their place stands a mark: a
`tensor_content` of random bytes, drawn anew by each process so that no file can hold them, and an index into a list
of payloads. `expand` is its inverse on a serialized message. Only subtrees that can hold a tensor, and are large
enough to, are looked into.
Source: the encoding guide of protobuf; field numbers from the descriptors of TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.files import FileRange, Piece, Rope, SourceFile, rope_size
from graphsurgeon.ops.wire import varint as read_varint

LARGE = 1024  # bytes on the wire from which a tensor's values stay on disk
MAX_DEPTH = 100  # protobuf's own limit on nesting

Payload = list[Piece]  # the value fields of one TensorProto, tags included

_CHILDREN: dict[str, dict[int, str]] = {
    "SavedModel": {2: "MetaGraphDef"},
    "MetaGraphDef": {2: "GraphDef", 5: "SignatureEntry"},
    "SignatureEntry": {2: "SignatureDef"},
    "SignatureDef": {4: "DefaultEntry"},
    "DefaultEntry": {2: "TensorProto"},
    "GraphDef": {1: "NodeDef", 2: "FunctionDefLibrary"},
    "FunctionDefLibrary": {1: "FunctionDef"},
    "FunctionDef": {3: "NodeDef", 5: "AttrEntry"},
    "NodeDef": {5: "AttrEntry"},
    "AttrEntry": {2: "AttrValue"},
    "AttrValue": {1: "ListValue", 8: "TensorProto", 10: "NameAttrList"},
    "ListValue": {8: "TensorProto", 9: "NameAttrList"},
    "NameAttrList": {2: "AttrEntry"},
}
_VALUE_FIELDS = frozenset(range(4, 19))  # TensorProto: tensor_content and every typed field; 1 to 3 describe them
_CONTENT = 4  # number of tensor_content
_SECRET = os.urandom(16)
_MARK_SIZE = len(_SECRET) + 8
_MERGED = frozenset(("AttrEntry", "AttrValue", "DefaultEntry"))  # of two tensors in one, protobuf makes one


def reduce(source: SourceFile, message: str, payloads: list[Payload]) -> bytes:
    """Return the message's bytes without large tensor values, which are appended to `payloads` and not read.

    Args:
        source: the file. It is read in small windows around what is structure: a map would count every large
            page that the system maps along as memory, and die with a file that shrinks.
        message: "SavedModel", "MetaGraphDef" or "GraphDef".
        payloads: where the values lie.

    Raises:
        FormatError: the bytes are not a sequence of fields; with the offset.
    """
    window = _Window(source)
    pieces = _Reducer(source, window, payloads).message(0, source.size, message, 0)
    return window.copy(0, source.size) if pieces is None else b"".join(pieces)


def expand(data: bytes, message: str, payloads: list[Payload]) -> Rope:
    """Return serialized bytes with every mark replaced by the payload, enclosing lengths adjusted."""
    return _expand(data, message, payloads) if _SECRET in data else [data]


def mark(number: int) -> bytes:
    """Return the `tensor_content` that stands for the payload of a number, counted from 1."""
    return _SECRET + number.to_bytes(8, "little")


def marked(content: bytes) -> int:
    """Return the number of the payload that a `tensor_content` stands for, 0 if it is itself the values."""
    is_mark = len(content) == _MARK_SIZE and content.startswith(_SECRET)
    return int.from_bytes(content[len(_SECRET) :], "little") if is_mark else 0


def without(data: bytes, numbers: Collection[int]) -> bytes:
    """Return a serialized message without some of its fields."""
    pieces = []
    copied = 0
    for number, start, stop in _fields(data):
        if number in numbers:
            pieces.append(data[copied:start])
            copied = stop
    pieces.append(data[copied:])
    return b"".join(pieces)


def only(data: bytes, number: int) -> bytes:
    """Return one field of a serialized message, every occurrence."""
    return b"".join(data[start:stop] for other, start, stop in _fields(data) if other == number)


def insert(data: bytes, number: int, messages: Iterable[bytes]) -> bytes:
    """Return a serialized message with messages added as one of its fields, where serializing the whole puts them."""
    place = next((start for other, start, _ in _fields(data) if other > number), len(data))
    tag = varint(number << 3 | 2)
    out = bytearray(data[:place])
    for message in messages:
        out += tag
        out += varint(len(message))
        out += message
    out += data[place:]
    return bytes(out)


def _fields(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield number, start and end of the fields of a message that protobuf has serialized."""
    window = _Window(data)
    offset, end = 0, len(data)
    while offset < end:
        start = offset
        tag, length, offset = window.head(offset)
        offset = offset + length if tag & 7 == 2 else window.skip(tag & 7, offset, end)
        yield tag >> 3, start, offset


def varint(value: int) -> bytes:
    """Encode a number as a varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


class _Window:
    """Varints and fields at offsets of a file, or of bytes in memory, through a window that moves along."""

    SIZE = 1 << 16
    MARGIN = 32  # longer than a tag and a length

    def __init__(self, source: SourceFile | bytes) -> None:
        self._source = source
        self._buffer = source if isinstance(source, bytes) else b""
        self._start = 0
        self._stop = len(self._buffer)
        self._size = self._stop if isinstance(source, bytes) else source.size

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
        self._buffer = self._source.read_at(offset, max(0, min(self.SIZE, self._size - offset)))
        self._start, self._stop = offset, offset + len(self._buffer)


class _Reducer:
    """One pass over a file; offsets are those of the file."""

    def __init__(self, source: SourceFile, window: _Window, payloads: list[Payload]) -> None:
        self.source = source
        self.window = window
        self.payloads = payloads

    def message(self, start: int, end: int, message: str, depth: int) -> list[bytes] | None:
        """Return the pieces of the reduced message; None if it holds nothing large."""
        if message == "TensorProto":
            return self.tensor(start, end)
        if depth > MAX_DEPTH:
            raise FormatError(f"messages are nested too deep at byte {start}")
        window, children = self.window, _CHILDREN[message]
        merged = 0
        pieces: list[bytes] = []
        copied = offset = start
        while offset < end:
            field_start = offset
            tag, length, body = window.head(offset)
            if tag & 7 != 2:
                offset = window.skip(tag & 7, body, end)
                continue
            offset = body + length
            if offset > end:
                raise FormatError(
                    f"field {tag >> 3} of {message} at byte {field_start} runs {offset - end} bytes past its end"
                )
            if (tag >> 3) not in children:
                continue
            merged += message in _MERGED
            if length < LARGE:
                continue
            inner = self.message(body, offset, children[tag >> 3], depth + 1)
            if inner is not None:
                pieces.append(window.copy(copied, field_start))
                pieces.append(varint(tag) + varint(sum(map(len, inner))))
                pieces += inner
                copied = offset
        if not pieces or merged > 1:
            return None
        pieces.append(window.copy(copied, end))
        return pieces

    def tensor(self, start: int, end: int) -> list[bytes] | None:
        """Keep what describes a tensor; make ranges of the fields that hold its values."""
        window = self.window
        kept: list[bytes] = []
        ranges: list[tuple[int, int]] = []
        offset = start
        while offset < end:
            field_start = offset
            tag, offset = window.varint(offset)
            if tag & 7 == 2:
                length, offset = window.varint(offset)
                offset += length
                if offset > end:
                    raise FormatError(f"field {tag >> 3} of TensorProto at byte {field_start} runs past its end")
            else:
                offset = window.skip(tag & 7, offset, end)
            if tag >> 3 not in _VALUE_FIELDS:
                kept.append(window.copy(field_start, offset))
            elif ranges and ranges[-1][1] == field_start:
                ranges[-1] = (ranges[-1][0], offset)
            else:
                ranges.append((field_start, offset))
        if sum(stop - begin for begin, stop in ranges) < LARGE:
            return None
        self.payloads.append([FileRange(self.source, begin, stop - begin) for begin, stop in ranges])
        kept.append(varint(_CONTENT << 3 | 2) + varint(_MARK_SIZE) + mark(len(self.payloads)))
        return kept


def _expand(data: bytes, message: str, payloads: list[Payload]) -> Rope:
    window = _Window(data)
    children = {} if message == "TensorProto" else _CHILDREN[message]
    rope: Rope = []
    copied = offset = 0
    end = len(data)
    while offset < end:
        field_start = offset
        tag, offset = window.varint(offset)
        number = tag >> 3
        if tag & 7 != 2:
            offset = window.skip(tag & 7, offset, end)
            continue
        length, offset = window.varint(offset)
        body, offset = offset, offset + length
        if message == "TensorProto":
            index = marked(data[body:offset]) if number == _CONTENT and length == _MARK_SIZE else 0
            if index:
                rope.append(data[copied:field_start])
                rope += payloads[index - 1]
                copied = offset
        elif number in children and data.find(_SECRET, body, offset) >= 0:
            inner = _expand(data[body:offset], children[number], payloads)
            rope.append(data[copied:field_start] + varint(tag) + varint(rope_size(inner)))
            rope += inner
            copied = offset
    rope.append(data[copied:end])
    return [piece for piece in rope if not isinstance(piece, bytes) or piece]
