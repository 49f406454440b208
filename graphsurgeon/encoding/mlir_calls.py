"""Which functions outside it a serialized MLIR module calls (`custom_call`): of text, and of bytecode.

Only as much of the bytecode is read as that takes: strings, names of ops, attributes, property blobs. The format is
that of MLIR's `docs/BytecodeFormat.md`; the codes of attributes are those of the VHLO and builtin dialects.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from graphsurgeon.errors import FormatError

MAGIC = b"ML\xefR"
_MOST = 1 << 20  # entries of any table
_IN_TEXT = re.compile(r'custom_call\s*@"?([\w.$@<>:-]+)"?|call_target_name\s*=\s*"((?:[^"\\]|\\.)*)"')
_VHLO_STRING, _VHLO_DICTIONARY, _VHLO_API = 14, 6, 5
_STRING, _DICTIONARY = 2, 1
_TARGET_PLACE = 2  # of `call_target_name` among the properties of a custom call, which stand in alphabetical order
_PROPERTIES = (8, 9)  # how many a custom call has, by version


class Calls(NamedTuple):
    """The functions that a module calls.

    Attributes:
        targets: their names.
        is_complete: whether these are all.
    """

    targets: frozenset[str]
    is_complete: bool


def calls_of(data: bytes) -> Calls:
    """Return what a module calls outside itself.

    Raises:
        FormatError: the bytecode is damaged, or of a form that is not known.
    """
    if data.startswith(MAGIC):
        return _Bytecode(data).calls()
    text = data.decode("utf-8", "replace")
    found = frozenset(match[1] or match[2] for match in _IN_TEXT.finditer(text))
    return Calls(found, bool(found) or "custom_call" not in text)


class _Reader:
    """A position in bytes; varints are those of MLIR: the zero bits at the end of the first byte count the others."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def byte(self) -> int:
        return self.take(1)[0]

    def take(self, length: int) -> bytes:
        found = self.data[self.at : self.at + length]
        if len(found) < length:
            raise FormatError("the MLIR module ends too early")
        self.at += length
        return found

    def varint(self) -> int:
        first = self.byte()
        if not first:
            return int.from_bytes(self.take(8), "little")
        more = (first & -first).bit_length() - 1
        return int.from_bytes(bytes([first]) + self.take(more), "little") >> (more + 1)

    def count(self) -> int:
        number = self.varint()
        if number > _MOST:
            raise FormatError(f"the MLIR module counts {number} entries")
        return number

    @property
    def is_done(self) -> bool:
        return self.at >= len(self.data)


class _Bytecode:
    def __init__(self, data: bytes) -> None:
        reader = _Reader(data, len(MAGIC))
        self.version = reader.varint()
        end = data.find(b"\0", reader.at)
        if end < 0:
            raise FormatError("the MLIR module names no producer")
        reader.at = end + 1
        self.sections: dict[int, bytes] = {}
        while not reader.is_done:
            kind, length = reader.byte(), reader.varint()
            if kind & 0x80:
                alignment = reader.varint()
                reader.at += -reader.at % alignment if 0 < alignment <= _MOST else 0
            self.sections.setdefault(kind & 0x7F, reader.take(length))
        self.strings = self._strings()
        self.dialects, self.ops = self._dialects()
        self.attributes = self._attributes()

    def calls(self) -> Calls:
        if not any("custom_call" in op for op in self.ops):
            return Calls(frozenset(), True)
        found = {*self._in_dictionaries(), *self._in_properties()}
        return Calls(frozenset(found), bool(found))

    def _strings(self) -> list[str]:
        reader = _Reader(self.sections.get(0, b""))
        lengths = [reader.varint() for _ in range(reader.count())]
        return [reader.take(length)[:-1].decode("utf-8", "replace") for length in reversed(lengths)]

    def _string(self, number: int) -> str:
        if number >= len(self.strings):
            raise FormatError(f"the MLIR module has no string {number}")
        return self.strings[number]

    def _dialects(self) -> tuple[list[str], list[str]]:
        reader = _Reader(self.sections.get(1, b""))
        dialects = []
        for _ in range(reader.count()):
            number = reader.varint()
            if self.version >= 1:
                has_version, number = number & 1, number >> 1
                if has_version:
                    reader.byte()
                    reader.take(reader.varint())
            dialects.append(self._string(number))
        if self.version >= 4 and not reader.is_done:
            reader.varint()
        ops = []
        while not reader.is_done:
            reader.varint()
            for _ in range(reader.count()):
                number = reader.varint()
                ops.append(self._string(number >> 1 if self.version >= 5 else number))
        return dialects, ops

    def _attributes(self) -> list[tuple[str, bytes]]:
        """Return dialect and bytes of each attribute; no bytes for one in text form."""
        reader, data = _Reader(self.sections.get(3, b"")), _Reader(self.sections.get(2, b""))
        wanted = reader.count()
        reader.count()
        found: list[tuple[str, bytes]] = []
        while len(found) < wanted:
            dialect = reader.varint()
            for _ in range(reader.count()):
                size = reader.varint()
                content = data.take(size >> 1)
                name = self.dialects[dialect] if dialect < len(self.dialects) else ""
                found.append((name, content if size & 1 else b""))
        return found

    def _numbers(self, number: int) -> tuple[str, list[int]]:
        """Return dialect and varints of an attribute, its code first."""
        if number >= len(self.attributes):
            return "", []
        dialect, content = self.attributes[number]
        return dialect, _varints(content)

    def _text(self, number: int) -> str | None:
        dialect, numbers = self._numbers(number)
        is_text = numbers[:1] in ([_VHLO_STRING], [_STRING]) and len(numbers) == 2
        is_own = numbers[:1] == [_VHLO_STRING if dialect == "vhlo" else _STRING]
        return self._string(numbers[1]) if is_text and is_own else None

    def _in_dictionaries(self) -> Sequence[str]:
        found = []
        for dialect, content in self.attributes:
            numbers = _varints(content)
            if numbers[:1] != [_VHLO_DICTIONARY if dialect == "vhlo" else _DICTIONARY] or len(numbers) < 2:
                continue
            pairs = numbers[2:]
            for key, value in zip(pairs[::2], pairs[1::2], strict=False):
                if self._text(key) == "call_target_name":
                    found.append(self._text(value) or "?")
        return found

    def _in_properties(self) -> Sequence[str]:
        reader = _Reader(self.sections.get(8, b""))
        found = []
        for _ in range(reader.count() if not reader.is_done else 0):
            numbers = _varints(reader.take(reader.varint()))
            dialect, api = self._numbers(numbers[0]) if numbers else ("", [])
            if len(numbers) in _PROPERTIES and dialect == "vhlo" and api[:1] == [_VHLO_API]:
                found.append(self._text(numbers[_TARGET_PLACE]) or "?")
        return found


def _varints(content: bytes) -> list[int]:
    reader = _Reader(content)
    found = []
    try:
        while not reader.is_done:
            found.append(reader.varint())
    except FormatError:  # floats and blobs are no varints: not what is looked for
        return []
    return found
