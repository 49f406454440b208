"""Write a FlatBuffer from tables that were read, with changes: one generic emitter over the schema.

A `Record` is a table to be written: one that was read, with some fields changed, or a new one. What is not
changed is copied as it lies: a table's inline bytes stay the very same but for offsets, so fields that the
schema does not know survive (`flatbuffer_unknown` finds those that are offsets). Tables come first; vectors of
bytes that are large follow behind all of them, as ranges of their file, so that weights are never in memory.
Data that the schema places behind the FlatBuffer comes last.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphsurgeon.disk.files import FileRange, Piece, Rope, rope_size
from graphsurgeon.encoding.flatbuffer.read import LIMIT, Table
from graphsurgeon.encoding.flatbuffer.schema import TableField, TableType
from graphsurgeon.errors import UnsupportedError

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.unknown import UnknownFields

PAYLOAD = 1024  # bytes; a vector this long is moved as a range of its file
ALIGN = 16  # of payloads: what the schema of TFLite asks for, and no more than any vector instruction wants
UNTYPED = TableType("", [], {})  # of tables that the schema does not know: no field of theirs is known
_NO_OFFSET = bytes(4)


class Payload:
    """Bytes that stay where they are until they are copied.

    Attributes:
        pieces: the bytes.
        key: payloads with one key are one payload, written once.
        align: of the first byte in the file.
    """

    __slots__ = ("align", "key", "pieces")

    def __init__(self, pieces: Rope, key: object = None, align: int = ALIGN) -> None:
        self.pieces = pieces
        self.key = id(self) if key is None else key
        self.align = align

    @staticmethod
    def of(range: FileRange, align: int = ALIGN) -> Payload:
        """Return the payload that a range of a file is."""
        return Payload([range], (id(range.file), range.offset, range.length), align)

    @property
    def size(self) -> int:
        """Number of bytes."""
        return rope_size(self.pieces)


class Record:
    """A table to be written.

    Attributes:
        type: its type.
        base: the table as it was read, None for a new one.
        changes: by field: a number; bytes of a string; an `array`, bytes or Payload of a vector; a Record; None
            to take the field away. For a scalar a Payload stands for its place behind the FlatBuffer.
        parts: vectors of tables as they shall be, by field.
        moves: like `changes`, for what only moves with the layout and makes no difference.
    """

    __slots__ = ("base", "changes", "moves", "parts", "type")

    def __init__(self, type: TableType, base: Table | None = None) -> None:
        self.type = type
        self.base = base
        self.changes: dict[str, Any] = {}
        self.moves: dict[str, Any] = {}
        self.parts: dict[str, list[Record]] = {}

    def set(self, name: str, value: object) -> None:
        """Change a field, unless it has that value already."""
        if self.base is None or name in self.changes or not _same(self.base.get(name), value):
            self.changes[name] = value

    def is_changed(self) -> bool:
        """Say whether writing gives anything else than what was read."""
        if self.base is None or self.changes:
            return True
        return any(self._is_other(name, records) for name, records in self.parts.items())

    def _is_other(self, name: str, records: Sequence[Record]) -> bool:
        assert self.base is not None
        before = self.base.tables(name)
        if len(before) != len(records):
            return True
        places = before.addresses() if before else ()
        return any(
            record.base is None or record.base.at != at or record.is_changed()
            for record, at in zip(records, places, strict=True)
        )


class Emitter:
    """Lays out one FlatBuffer. Use `emit`."""

    def __init__(self, unknown: UnknownFields | None) -> None:
        self.unknown = unknown
        self.out = bytearray()
        self.payloads: dict[object, tuple[Payload, int, list[int]]] = {}
        self.behind: dict[object, tuple[Payload, list[int]]] = {}
        self._vtables: dict[bytes, int] = {}

    def table(self, record: Record) -> int:
        """Write a table with everything below it; return its address."""
        inline = _Inline(record)
        vtable = self._vtable(inline)
        self._pad(8, inline.residue)
        at = len(self.out)
        struct.pack_into("<i", inline.data, 0, at - vtable)
        self.out += inline.data
        for offset, payload in inline.placed:
            self.behind.setdefault(payload.key, (payload, []))[1].append(at + offset)
        for offset, field, child in inline.children:
            self._below(at + offset, field, child)
        for offset, copy in inline.unknown(self.unknown):
            self.point(at + offset, copy(self))
        return at

    def point(self, place: int, target: int) -> None:
        """Let the offset at a place point to a target behind it."""
        struct.pack_into("<I", self.out, place, target - place)

    def vector(self, count: int, data: bytes, align: int, end: bytes = b"") -> int:
        """Write a vector of scalars (or a string); return its address."""
        self._pad(max(align, 4), -4 % max(align, 4))
        at = len(self.out)
        self.out += struct.pack("<I", count) + data + end
        return at

    def offsets(self, count: int) -> int:
        """Write a vector of offsets that point nowhere yet; return its address."""
        return self.vector(count, _NO_OFFSET * count, 4)

    def blob(self, data: bytes, residue: int) -> int:
        """Write bytes at an address with the given rest modulo 16; return it."""
        self._pad(16, residue)
        at = len(self.out)
        self.out += data
        return at

    def _below(self, place: int, field: TableField, child: Any) -> None:
        """Write what an offset points to."""
        if isinstance(child, Payload):
            size = field.size if field.kind == "scalars" else 1
            self.payloads.setdefault((child.key, size), (child, size, []))[2].append(place)
        elif isinstance(child, Record):
            self.point(place, self.table(child))
        elif isinstance(child, bytes) and field.kind == "string":
            self.point(place, self.vector(len(child), child, 4, b"\0"))
        elif isinstance(child, list):
            at = self.offsets(len(child))
            self.point(place, at)
            for number, item in enumerate(child):
                self._item(at + 4 + 4 * number, item)
        else:
            data = child if isinstance(child, bytes) else _little_endian(child)
            self.point(place, self.vector(len(data) // field.size, data, max(field.size, field.align)))

    def _item(self, place: int, item: Record | bytes) -> None:
        self.point(place, self.table(item) if isinstance(item, Record) else self.vector(len(item), item, 4, b"\0"))

    def _vtable(self, inline: _Inline) -> int:
        data = struct.pack(f"<{len(inline.slots) + 2}H", 2 * len(inline.slots) + 4, len(inline.data), *inline.slots)
        if data not in self._vtables:
            self._pad(2, 0)
            self._vtables[data] = len(self.out)
            self.out += data
        return self._vtables[data]

    def _pad(self, align: int, residue: int) -> None:
        self.out += bytes((residue - len(self.out)) % align)


class _Inline:
    """The inline bytes of a table: scalars in place, offsets still to be filled in.

    Attributes:
        data, slots: the bytes, and the offset of each field in them.
        residue: what the table's address must leave modulo 8, so that fields inside stay aligned.
        children: (offset, field, what it points to).
        placed: (offset, payload whose place in the file the scalar there tells).
    """

    def __init__(self, record: Record) -> None:
        self.record = record
        self.base = base = record.base
        self.children: list[tuple[int, TableField, Any]] = []
        self.placed: list[tuple[int, Payload]] = []
        if base is None:
            self.data, self.slots, self.residue = bytearray(4), [], 4
        else:
            base.image.spend(base.slots[1], base.at)
            self.data = bytearray(base.image.data[base.at : base.at + base.slots[1]])
            self.slots, self.residue = list(base.slots[2:]), base.at % 8
        changes = {**record.changes, **record.moves}
        self._keep_children(changes)
        for field in sorted(self._changed(changes), key=lambda field: -_inline_size(field)):
            self._change(field, self._new(field, changes))

    def unknown(self, unknown: UnknownFields | None) -> list[tuple[int, Any]]:
        """Return the fields that the schema does not know and that are offsets, with what copies their targets."""
        if self.base is None or unknown is None:
            return []
        known = self.record.type.by_id
        return unknown.offsets(self.base, [n for n, offset in enumerate(self.slots) if offset and n not in known])

    def _changed(self, changes: dict[str, Any]) -> list[TableField]:
        names = {*changes, *self.record.parts}
        return [field for field in self.record.type.by_id.values() if field.name in names]

    def _new(self, field: TableField, changes: dict[str, Any]) -> Any:
        return self.record.parts[field.name] if field.name in self.record.parts else changes[field.name]

    def _keep_children(self, changes: dict[str, Any]) -> None:
        if self.base is None:
            return
        for field in self.record.type.by_id.values():
            is_kept = field.kind != "scalar" and field.name not in changes and field.name not in self.record.parts
            if is_kept and (place := self.base.place_of(field)):
                child = _copied(self.base, field)
                if child is None:  # a union whose type says that there is nothing
                    self.slots[field.id] = 0
                else:
                    self.children.append((place - self.base.at, field, child))

    def _change(self, field: TableField, value: Any) -> None:
        is_there = field.id < len(self.slots) and self.slots[field.id] != 0
        is_nothing = value == [] if self.base is not None and not is_there else False
        if value is None or is_nothing or (self.base is None and value == field.default):
            if field.id < len(self.slots):
                self.slots[field.id] = 0
            return
        offset = self._room(field)
        if field.kind != "scalar":
            self.children.append((offset, field, value))
        elif isinstance(value, Payload):
            self.placed.append((offset, value))
        else:
            struct.pack_into("<" + field.code, self.data, offset, value)

    def _room(self, field: TableField) -> int:
        """Return where a field's inline bytes are, made at the end if the table had no such field."""
        self.slots += [0] * (field.id + 1 - len(self.slots))
        if not self.slots[field.id]:
            size = _inline_size(field)
            self.data += bytes(-(self.residue + len(self.data)) % size)
            self.slots[field.id] = len(self.data)
            self.data += bytes(size)
        return self.slots[field.id]


def emit(record: Record, identifier: bytes, unknown: UnknownFields | None = None) -> Rope:
    """Return the FlatBuffer with this root table, and what lies behind it.

    Args:
        record: the root table.
        identifier: four bytes, or none.
        unknown: what finds fields that the schema does not know.

    Raises:
        UnsupportedError: it would be larger than a FlatBuffer can be.
    """
    emitter = Emitter(unknown)
    emitter.out += _NO_OFFSET + identifier
    emitter.point(0, emitter.table(record))
    size = _place_payloads(emitter)
    if size > LIMIT:
        raise UnsupportedError(f"the model would have {size} bytes, a FlatBuffer holds at most {LIMIT}")
    return _assemble(emitter, size)


def _place_payloads(emitter: Emitter) -> int:
    """Decide where large vectors and the data behind lie, and let everything point there; return the size."""
    at = len(emitter.out)
    for payload, _, places in emitter.payloads.values():
        at += -(at + 4) % payload.align
        if at > LIMIT:
            break
        for place in places:
            emitter.point(place, at)
        at += 4 + payload.size
    end = at
    for payload, places in emitter.behind.values():
        at += -at % payload.align
        for place in places:
            struct.pack_into("<Q", emitter.out, place, at)
        at += payload.size
    return end


def _assemble(emitter: Emitter, size: int) -> Rope:
    rope: list[Piece] = []
    at, pending = len(emitter.out), bytearray(emitter.out)
    for payload, element, _ in emitter.payloads.values():
        pending += bytes(-(at + 4) % payload.align) + struct.pack("<I", payload.size // element)
        at += -(at + 4) % payload.align + 4
        pending = _append(rope, pending, payload)
        at += payload.size
    assert at == size
    for payload, _ in emitter.behind.values():
        pending += bytes(-at % payload.align)
        at += -at % payload.align
        pending = _append(rope, pending, payload)
        at += payload.size
    if emitter.behind:
        pending += bytes(-at % ALIGN + ALIGN)  # kernels may read a vector beyond the last element
    if pending:
        rope.append(bytes(pending))
    return rope


def _append(rope: list[Piece], pending: bytearray, payload: Payload) -> bytearray:
    for piece in payload.pieces:
        if isinstance(piece, bytes):
            pending += piece
        else:
            if pending:
                rope.append(bytes(pending))
            pending = bytearray()
            rope.append(piece)
    return pending


def _copied(base: Table, field: TableField) -> Any:
    """Return what an offset of a table points to, as something to be written again."""
    image = base.image
    address = image.follow(base.place_of(field))
    if field.kind == "scalars":
        start, length = image.vector(address, field.size)
        align = max(field.size, field.align, _natural_alignment(start) if field.size == 1 else 1)
        image.spend(0 if length >= PAYLOAD else length, address)
        if length >= PAYLOAD and image.file is not None:
            return Payload.of(FileRange(image.file, start, length), align)
        image.need(start, length)
        data = bytes(image.data[start : start + length])
        return data if align <= max(field.size, field.align) else Payload([data], align=align)
    found = base.get(field.name)
    if isinstance(found, Table):
        return Record(found.type or UNTYPED, found)
    return [Record(image.schema.table(field.type), table) for table in found] if field.kind == "tables" else found


def _natural_alignment(address: int) -> int:
    return min(address & -address, ALIGN) if address else ALIGN


def _inline_size(field: TableField) -> int:
    return field.size if field.kind == "scalar" else 4


def _little_endian(numbers: array[Any]) -> bytes:
    import sys

    if sys.byteorder == "big":
        numbers = array(numbers.typecode, numbers)
        numbers.byteswap()
    return numbers.tobytes()


def _same(before: Any, after: Any) -> bool:
    if before is None or after is None or isinstance(after, (Payload, Record)):
        return before is None and after is None
    if isinstance(before, array) and isinstance(after, (array, bytes)):  # by their bytes: NaN equals itself
        return before.tobytes() == (after if isinstance(after, bytes) else after.tobytes())
    return bool(before == after or (before != before and after != after))  # NaN
