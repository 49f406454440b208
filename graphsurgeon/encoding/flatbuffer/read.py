"""Read a FlatBuffer by its schema: one generic reader for every table, checked at every step.

An `BufferImage` is the address space of a file, of which only the pages that are looked at are read, so that weights
between the tables cost nothing. A `Table` is a view of one table in it; fields are decoded when asked for.
Nothing here writes (`flatbuffer_write` does), and nothing knows what the tables mean.
Spec: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import struct
import sys
from array import array
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from graphsurgeon.errors import FileError, FormatError

if TYPE_CHECKING:
    from graphsurgeon.disk.files import SourceFile
    from graphsurgeon.encoding.flatbuffer.schema import Schema, TableField, TableType

LIMIT = (1 << 31) - 1  # offsets inside a FlatBuffer are 32 bits, one of them a sign; data beyond has 64-bit offsets
_PAGE = 4096
_WHOLE = 1 << 20  # a file this small is read at once
_SLACK = 16  # zero bytes behind the file, so that a scalar at its very end may be decoded before it is judged
_I32 = struct.Struct("<i").unpack_from
_U32 = struct.Struct("<I").unpack_from
_2U16 = struct.Struct("<2H").unpack_from


class BufferImage:
    """The address space of a FlatBuffer, read page by page as it is looked at.

    Attributes:
        schema: of its tables.
        file: the file, None for a FlatBuffer in memory.
        size: end of the address space.
        spent: bytes decoded from vectors and strings so far. Tables of a sound file do not share them, so more
            than a small multiple of the file is a trap; reset it before a walk over everything.
    """

    __slots__ = ("_allowance", "_missing", "_vtables", "data", "file", "schema", "size", "spent")

    def __init__(self, source: SourceFile | bytes, schema: Schema) -> None:
        self.schema = schema
        self.file = None if isinstance(source, bytes) else source
        self.size = len(source) if isinstance(source, bytes) else min(source.size, LIMIT)
        self.spent = 0
        self._allowance = 8 * self.size + (1 << 20)
        self._vtables: dict[int, tuple[int, ...]] = {}
        self._missing: bytearray | None = None
        self.data: Any
        if isinstance(source, bytes):
            self.data = source + bytes(_SLACK)
        elif self.size <= _WHOLE:
            self.data = source.read_at(0, self.size) + bytes(_SLACK)
        else:
            self.data = _zeros(self.size + _SLACK)
            self._missing = bytearray(b"\1") * -(-self.size // _PAGE)

    def root(self, type_name: str) -> Table:
        """Return the root table."""
        self.need(0, 4)
        return Table(self, self.schema.table(type_name), _U32(self.data, 0)[0])

    def need(self, start: int, length: int) -> None:
        """Make sure that bytes are there.

        Raises:
            FormatError: they lie outside the file.
        """
        if start < 0 or start + length > self.size:
            raise self.error(start, f"{length} bytes reach beyond the end at {self.size}")
        if self._missing is not None and length:
            self._load(start // _PAGE, (start + length - 1) // _PAGE)

    def spend(self, amount: int, at: int) -> None:
        """Count bytes decoded.

        Raises:
            FormatError: more has been decoded than the file can hold.
        """
        self.spent += amount
        if self.spent > self._allowance:
            raise self.error(at, "tables share their contents over and over, beyond what the file can hold")

    def vtable(self, at: int) -> tuple[int, ...]:
        """Return the vtable of a table: its own size, the table's size, then the offset of each field or 0."""
        self.need(at, 4)
        start = at - _I32(self.data, at)[0]
        found = self._vtables.get(start)
        if found is None:
            found = self._vtables[start] = self._read_vtable(start, at)
        self.need(at, found[1])
        return found

    def text(self, address: int) -> bytes:
        """Return a string."""
        start, length = self.vector(address, 1)
        self.need(start, length)
        self.spend(length, address)
        return bytes(self.data[start : start + length])

    def scalars(self, address: int, code: str, size: int) -> array[Any]:
        """Return a vector of scalars."""
        start, length = self.vector(address, size)
        self.need(start, length)
        self.spend(length, address)
        found = array("B" if code == "?" else code)
        found.frombytes(self.data[start : start + length])
        if sys.byteorder == "big":
            found.byteswap()
        return found

    def vector(self, address: int, size: int) -> tuple[int, int]:
        """Return where the elements of a vector start and how many bytes they claim, unchecked."""
        self.need(address, 4)
        return address + 4, _U32(self.data, address)[0] * size

    def follow(self, address: int) -> int:
        """Return what an offset points to; its own bytes are part of a table or vector that has been looked at."""
        return int(address + _U32(self.data, address)[0])

    def error(self, at: int, what: str) -> FormatError:
        """Return the error for what was found at a byte."""
        path = None if self.file is None else self.file.path
        return FormatError(f"broken FlatBuffer, byte {at}: {what}", path=path)

    def _read_vtable(self, start: int, at: int) -> tuple[int, ...]:
        if start < 0 or start + 4 > self.size:
            raise self.error(at, f"the table's vtable at {start} lies outside the file")
        self.need(start, 4)
        size, table_size = _2U16(self.data, start)
        if size < 4 or size % 2 or table_size < 4:
            raise self.error(start, f"a vtable of {size} bytes for a table of {table_size}")
        self.need(start, size)
        self.spend(size, start)
        found = struct.unpack_from(f"<{size // 2}H", self.data, start)
        if any(offset and not 4 <= offset < table_size for offset in found[2:]):
            raise self.error(start, f"a vtable places a field outside its table of {table_size} bytes")
        return found

    def _load(self, first: int, last: int) -> None:
        missing = self._missing
        assert missing is not None
        assert self.file is not None
        page = missing.find(1, first, last + 1)
        while page >= 0:
            end = missing.find(0, page, last + 1)
            end = last + 1 if end < 0 else end
            start = page * _PAGE
            stop = min(end * _PAGE, self.size)
            self.data[start:stop] = self.file.read_at(start, stop - start)
            missing[page:end] = bytes(end - page)
            page = missing.find(1, end, last + 1)


class Table:
    """A view of one table.

    Attributes:
        image: where it lies.
        type: its type; None for a union member that the schema does not know.
        at: its address.
        slots: its vtable, see `Image.vtable`.
    """

    __slots__ = ("at", "image", "slots", "type")

    def __init__(self, image: BufferImage, type: TableType | None, at: int) -> None:
        self.image = image
        self.type = type
        self.at = at
        self.slots = image.vtable(at)

    def place(self, name: str) -> int:
        """Return the address of a field's inline bytes, 0 if the field is absent."""
        return self.place_of(self._field(name))

    def place_of(self, field: TableField) -> int:
        """Return the address of a field's inline bytes, 0 if the field is absent."""
        index = field.id + 2
        offset = self.slots[index] if index < len(self.slots) else 0
        return self.at + offset if offset else 0

    def get(self, name: str) -> Any:
        """Return a field: a number, bytes of a string, an `array` of numbers, a Table, `Tables` or a list of bytes.

        An absent scalar has its default, everything else is None.
        """
        field = self._field(name)
        address = self.place_of(field)
        if not address:
            return field.default
        if field.kind == "scalar":
            return field.unpack(self.image.data, address)[0]
        return self._behind(field, self.image.follow(address))

    def text(self, name: str) -> str:
        """Return a string as text, empty if absent; bytes that are no UTF-8 survive as surrogates."""
        found = self.get(name)
        return found.decode("utf-8", "surrogateescape") if found else ""

    def tables(self, name: str) -> Tables | tuple[()]:
        """Return a vector of tables, empty if absent."""
        return self.get(name) or ()

    def scalars(self, name: str) -> array[Any] | tuple[()]:
        """Return a vector of scalars, empty if absent."""
        found = self.get(name)
        return () if found is None else found

    def extent(self, name: str) -> tuple[int, int] | None:
        """Return where a vector's elements start and the bytes they claim, unchecked and unread; None if absent."""
        field = self._field(name)
        address = self.place_of(field)
        return self.image.vector(self.image.follow(address), field.size) if address else None

    def _field(self, name: str) -> TableField:
        assert self.type is not None
        return self.type.fields[name]

    def _behind(self, field: TableField, address: int) -> Any:
        image = self.image
        if field.kind == "scalars":
            return image.scalars(address, field.code, field.size)
        if field.kind == "string":
            return image.text(address)
        if field.kind == "table":
            return Table(image, image.schema.table(field.type), address)
        if field.kind == "tables":
            return Tables(image, image.schema.table(field.type), address)
        if field.kind == "strings":
            return [image.text(place) for place in Tables(image, None, address).addresses()]
        number = self.get(f"{field.name}_type")
        member = image.schema.unions[field.type].get(number)
        return Table(image, image.schema.table(member) if member else None, address) if number else None

    def __repr__(self) -> str:
        return f"Table({self.type.name if self.type else '?'} at {self.at})"


class Tables:
    """A vector of tables, each made when it is asked for."""

    __slots__ = ("count", "image", "start", "type")

    def __init__(self, image: BufferImage, type: TableType | None, address: int) -> None:
        self.image = image
        self.type = type
        self.start, length = image.vector(address, 4)
        image.need(self.start, length)
        image.spend(length, address)
        self.count = length // 4

    def addresses(self) -> Iterator[int]:
        """Yield what each element points to."""
        for place in range(self.start, self.start + 4 * self.count, 4):
            yield place + _U32(self.image.data, place)[0]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Table:
        if not 0 <= index < self.count:
            raise IndexError(index)
        return Table(self.image, self.type, self.image.follow(self.start + 4 * index))

    def __iter__(self) -> Iterator[Table]:
        for address in self.addresses():
            yield Table(self.image, self.type, address)


def _zeros(size: int) -> Any:
    """Return zero bytes to write into, of which the system makes only those pages that are touched."""
    import mmap

    try:
        if hasattr(mmap, "MAP_PRIVATE"):
            return mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
        return mmap.mmap(-1, size)
    except OSError as error:
        raise FileError(f"the system gives no address space for a FlatBuffer of {size} bytes: {error}") from error
