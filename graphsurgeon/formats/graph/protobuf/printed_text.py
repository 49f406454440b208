"""Text protobuf as programs print it, a field a line, made into the bytes of the message; ten times as fast as parsing.

Nothing is decided here: of any text that is written in another way, or that may be wrong, nothing comes back, and
protobuf's own parser is asked. Most lines of a graph are the same as others, so each is looked at once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from typing import Any, TypeAlias

from graphsurgeon.encoding.protowire import encode_varint

_MOST_LINES = 1 << 16  # different lines that are remembered, for each type of message
_BLANKS = " \t\r"
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"')
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,19})")
_REAL = re.compile(r"-?(?:[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]+)?|inf|nan)")
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5  # wire types

_Encode: TypeAlias = Callable[[str], bytes]
# What a line adds, and the bit of its field, which a second one must not have: 0 where it may stand several times.
_Line: TypeAlias = "tuple[bytes, int]"


class _OtherwiseError(Exception):
    """A text that protobuf's own parser has to see."""


def encode_printed(text: str, descriptor: Any) -> bytes | None:
    """Return the bytes of a message in text form, None for a text that only a real parser can tell about.

    Args:
        text: the whole text.
        descriptor: of the message.
    """
    try:
        return _encode(text, _Type.of(descriptor, {}))
    except _OtherwiseError:
        return None


def _encode(text: str, kind: _Type) -> bytes:
    stack: list[tuple[_Type, list[bytes], int, bytes]] = []
    parts: list[bytes] = []
    seen, head = 0, b""
    for line in text.split("\n"):
        known = kind.lines.get(line)
        if known is None:
            stripped = line.strip(_BLANKS)
            if not stripped or stripped[0] == "#":
                continue
            if stripped == "}":
                if not stack:
                    raise _OtherwiseError
                whole = b"".join(parts)
                length = encode_varint(len(whole))
                kind, outer, seen, own = stack.pop()
                outer += (head, length, whole)
                parts, head = outer, own
                continue
            if stripped[-1] == "{":
                inner, tag, bit = kind.message(stripped[:-1].rstrip(_BLANKS))
                if seen & bit:
                    raise _OtherwiseError
                stack.append((kind, parts, seen | bit, head))
                kind, parts, seen, head = inner, [], 0, tag
                continue
            known = kind.line(line, stripped)
        data, bit = known
        if seen & bit:
            raise _OtherwiseError
        seen |= bit
        parts.append(data)
    if stack:
        raise _OtherwiseError
    return b"".join(parts)


class _Type:
    """What is known of a type of messages: its fields by name, and the lines that were seen in it."""

    def __init__(self, descriptor: Any, known: dict[str, _Type]) -> None:
        self.lines: dict[str, _Line] = {}
        self._fields = {field.name: field for field in descriptor.fields}
        self._known = known
        self._encoders: dict[str, tuple[_Encode, int]] = {}
        self._messages: dict[str, tuple[_Type, bytes, int]] = {}
        places: dict[str, int] = {}
        self._bits = {name: _bit(field, places) for name, field in self._fields.items()}

    @staticmethod
    def of(descriptor: Any, known: dict[str, _Type]) -> _Type:
        if descriptor.full_name not in known:
            known[descriptor.full_name] = _Type(descriptor, known)
        return known[descriptor.full_name]

    def message(self, name: str) -> tuple[_Type, bytes, int]:
        """Return the type behind a field of messages, the tag and the bit of the field."""
        if name not in self._messages:
            field = self._fields.get(name)
            if field is None or field.type != field.TYPE_MESSAGE:
                raise _OtherwiseError
            inner = _Type.of(field.message_type, self._known)
            self._messages[name] = inner, encode_varint(field.number << 3 | _LENGTH), self._bits[name]
        return self._messages[name]

    def line(self, line: str, stripped: str) -> _Line:
        """Return what a line with a value says."""
        name, colon, value = stripped.partition(":")
        if name not in self._encoders:
            field = self._fields.get(name)
            encode = _encoder(field) if field is not None else None
            if encode is None:
                raise _OtherwiseError
            self._encoders[name] = encode, self._bits[name]
        encode, bit = self._encoders[name]
        found = encode(value.lstrip(_BLANKS)), bit
        if not colon:
            raise _OtherwiseError
        if len(self.lines) < _MOST_LINES:
            self.lines[line] = found
        return found


def _bit(field: Any, places: dict[str, int]) -> int:
    """Return the bit of a field, which all fields of a oneof share; 0 of one that is repeated."""
    if field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED:
        return 0
    group = field.containing_oneof
    name = field.name if group is None else f"oneof {group.name}"
    return 1 << places.setdefault(name, len(places))


def _encoder(field: Any) -> _Encode | None:
    """Return what encodes values of a field with their tag, None of types that have no place here."""
    kind = field.type
    if kind in (field.TYPE_STRING, field.TYPE_BYTES):
        tag = encode_varint(field.number << 3 | _LENGTH)
        return lambda value: _with_length(tag, _string(value))
    if kind in (field.TYPE_FLOAT, field.TYPE_DOUBLE):
        wire, code = (_FIXED32, "<f") if kind == field.TYPE_FLOAT else (_FIXED64, "<d")
        tag = encode_varint(field.number << 3 | wire)
        return lambda value: tag + _real(value, code)
    tag = encode_varint(field.number << 3 | _VARINT)
    if kind == field.TYPE_ENUM:
        numbers = {value.name: value.number for value in field.enum_type.values}
        return lambda value: tag + _number(numbers.get(value))
    if kind == field.TYPE_BOOL:
        return lambda value: tag + _number({"true": 1, "false": 0}.get(value))
    if kind not in _RANGES:
        return None
    least, most = _RANGES[kind]
    return lambda value: tag + _number(_integer(value, least, most))


def _with_length(tag: bytes, data: bytes) -> bytes:
    return b"".join((tag, encode_varint(len(data)), data))


def _string(value: str) -> bytes:
    if _STRING.fullmatch(value) is None:
        raise _OtherwiseError
    inner = value[1:-1]
    try:
        if "\\" not in inner:
            return inner.encode("utf-8")
        from google.protobuf.text_encoding import CUnescape

        found: bytes = CUnescape(inner)
    except ValueError:
        raise _OtherwiseError from None
    return found


def _real(value: str, code: str) -> bytes:
    if _REAL.fullmatch(value) is None:
        raise _OtherwiseError
    try:
        return struct.pack(code, float(value))
    except OverflowError:
        raise _OtherwiseError from None


def _integer(value: str, least: int, most: int) -> int | None:
    number = int(value) if _INTEGER.fullmatch(value) is not None else None
    return number if number is not None and least <= number <= most else None


def _number(number: int | None) -> bytes:
    if number is None:
        raise _OtherwiseError
    return encode_varint(number & ((1 << 64) - 1))


# Types of fields, by `FieldDescriptor.TYPE_...`, that are plain varints: int64, uint64, int32, uint32.
_RANGES = {
    3: (-(1 << 63), (1 << 63) - 1),
    4: (0, (1 << 64) - 1),
    5: (-(1 << 31), (1 << 31) - 1),
    13: (0, (1 << 32) - 1),
}
