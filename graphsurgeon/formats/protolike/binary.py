"""The binary form: fields on the wire, read through a map of the file; long values are left where they are."""

from __future__ import annotations

import struct
from typing import Any

from graphsurgeon.encoding.protowire import read_varint, signed
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.protolike.message import Bulk, FieldTable, MessageField, NamedFields

_BLOCK = 1 << 18  # numbers that are looked at together
_BULK = 256  # bytes from which on numbers and bytes stay in the file
_DEEPEST = 40  # messages in messages, each some frames of Python's stack; protobuf itself stops at 100
_MOST_FIELDS = 4_000_000  # of one file; unpacked numbers take one each
_UNKNOWN = MessageField("", "?", "")


def decode(view: memoryview, name: str, table: FieldTable) -> NamedFields:
    """Return the message of a name that a file holds.

    Raises:
        FormatError: it is damaged, or nested too deeply.
    """
    return _Decoder(view, table).message(name, 0, len(view), 0)


class _Decoder:
    def __init__(self, view: memoryview, table: FieldTable) -> None:
        self._view = view
        self._table = table
        self._left = _MOST_FIELDS

    def message(self, name: str, at: int, end: int, depth: int) -> NamedFields:
        if depth > _DEEPEST:
            raise FormatError(f"messages are nested more than {_DEEPEST} deep")
        fields = self._table.messages.get(name, {})
        found = NamedFields()
        while at < end:
            self._left -= 1
            if self._left < 0:
                raise FormatError(f"more than {_MOST_FIELDS} fields")
            start = at
            key, at = read_varint(self._view, at)
            field = fields.get(key >> 3, _UNKNOWN)
            run = self._run(field, key, start, at, end)
            if run is not None:
                found.setdefault(field.name, []).append(run)
                at = run.end
                continue
            values, at = self._field(field, key & 7, at, end, depth)
            found.setdefault(field.name or f"field_{key >> 3}", []).extend(values)
        return found

    def _run(self, field: MessageField, key: int, start: int, at: int, end: int) -> Bulk | None:
        """Return many numbers that stand one by one, each behind the same tag: Caffe2 writes its weights so."""
        size = {("f", 5): 4, ("d", 1): 8}.get((field.kind, key & 7))
        if size is None or at != start + 1 or end - start < _BULK:
            return None
        step, stop = size + 1, start
        tag = bytes(self._view[start:at])
        while stop < end:
            block = bytes(self._view[stop : min(end, stop + step * _BLOCK) : step])
            same = len(block) - len(block.lstrip(tag))
            stop += same * step
            if same < _BLOCK:
                break
        stop = min(stop, end - (end - start) % step if stop > end else stop)
        return Bulk(field.kind, start, stop, tagged=True) if stop - start >= _BULK else None

    def _field(self, field: MessageField, wire: int, at: int, end: int, depth: int) -> tuple[list[Any], int]:
        if wire == 0:
            value, at = read_varint(self._view, at)
            return [self._number(field, value)], at
        if wire in (1, 5):
            size = 8 if wire == 1 else 4
            if at + size > end:
                raise FormatError(f"byte {at}: a field runs past the end of its message")
            code = {"f": "f", "d": "d", "i": "q" if size == 8 else "i"}.get(field.kind, "Q" if size == 8 else "I")
            if struct.calcsize(code) != size:
                code = "d" if size == 8 else "f"
            return [struct.unpack(f"<{code}", self._view[at : at + size])[0]], at + size
        if wire != 2:
            raise FormatError(f"byte {at}: wire type {wire}, which these files never have")
        length, at = read_varint(self._view, at)
        if at + length > end:
            raise FormatError(f"byte {at}: a field of {length} bytes runs past the end of its message")
        return self._delimited(field, at, at + length, depth), at + length

    def _delimited(self, field: MessageField, at: int, end: int, depth: int) -> list[Any]:
        if field.kind == "m":
            return [self.message(field.of, at, end, depth + 1)]
        if field.kind == "s":
            return [bytes(self._view[at:end]).decode("utf-8", "surrogateescape")]
        if field.kind in ("f", "d"):
            if end - at >= _BULK:
                return [Bulk(field.kind, at, end)]
            size = 4 if field.kind == "f" else 8
            whole = (end - at) // size
            return list(struct.unpack(f"<{whole}{field.kind}", self._view[at : at + whole * size]))
        if field.kind in ("i", "u", "b", "e"):
            return self._packed(field, at, end)
        return [Bulk("B", at, end) if end - at >= _BULK else bytes(self._view[at:end])]

    def _packed(self, field: MessageField, at: int, end: int) -> list[Any]:
        found = []
        while at < end:
            value, at = read_varint(self._view, at)
            found.append(self._number(field, value))
        return found

    def _number(self, field: MessageField, value: int) -> Any:
        if field.kind == "b":
            return bool(value)
        if field.kind == "e":
            return self._table.enums.get(field.of, {}).get(value, value)
        return signed(value) if field.kind == "i" else value
