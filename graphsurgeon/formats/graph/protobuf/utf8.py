"""Serialized messages with strings that are no UTF-8: put right so that the rest can be read.

protobuf refuses a whole file for one such string, such as a name in which one bit has flipped. Every bad byte
becomes a question mark, so that no length changes; what was there cannot be written again.
"""

from __future__ import annotations

from typing import Any

from graphsurgeon.encoding.protowire import MAX_DEPTH, read_varint
from graphsurgeon.errors import FormatError

_STRING, _MESSAGE = 9, 11  # FieldDescriptorProto.Type
_FIXED = {1: 8, 5: 4}


def repair(data: bytes, descriptor: Any) -> tuple[bytes, list[str]]:
    """Return the message with every string readable, and the strings that were not, as they are now.

    Args:
        data: a serialized message.
        descriptor: of its type.
    """
    repairs: list[str] = []
    buffer = bytearray(data)
    try:
        _repair(buffer, 0, len(buffer), descriptor, repairs, 0)
    except FormatError:  # not a sequence of fields: the parser says so better
        return data, []
    return bytes(buffer), repairs


def readable_text(data: bytes) -> tuple[str, list[str]]:
    """Return the text of a file, and the lines in which bytes were no UTF-8, as they are now."""
    try:
        return data.decode("utf-8-sig"), []
    except UnicodeDecodeError:
        lines = data.decode("utf-8-sig", "surrogateescape").splitlines(keepends=True)
        bad = [number for number, line in enumerate(lines) if _readable(line) != line]
        return "".join(map(_readable, lines)), [_readable(lines[number]).strip()[:80] for number in bad]


def _readable(text: str) -> str:
    """Put a question mark for each byte that is no UTF-8, which Python keeps as one surrogate."""
    return "".join("?" if "\udc80" <= char <= "\udcff" else char for char in text)


def _repair(buffer: bytearray, start: int, end: int, descriptor: Any, repairs: list[str], depth: int) -> None:
    if depth > MAX_DEPTH:
        raise FormatError("nested too deep")
    fields = descriptor.fields_by_number
    offset = start
    while offset < end:
        tag, offset = read_varint(buffer, offset)
        kind = tag & 7
        if kind == 0:
            offset = read_varint(buffer, offset)[1]
            continue
        length, offset = read_varint(buffer, offset) if kind == 2 else (_FIXED.get(kind, -1), offset)
        stop = offset + length
        if length < 0 or stop > end:
            raise FormatError("not a sequence of fields")
        field = fields.get(tag >> 3) if kind == 2 else None
        if field is not None and field.type == _MESSAGE:
            _repair(buffer, offset, stop, field.message_type, repairs, depth + 1)
        elif field is not None and field.type == _STRING:
            _repair_string(buffer, offset, stop, repairs)
        offset = stop


def _repair_string(buffer: bytearray, start: int, stop: int, repairs: list[str]) -> None:
    text = bytes(buffer[start:stop])
    try:
        text.decode()
    except UnicodeDecodeError:
        readable = _readable(text.decode("utf-8", "surrogateescape"))
        buffer[start:stop] = readable.encode()
        repairs.append(readable)
