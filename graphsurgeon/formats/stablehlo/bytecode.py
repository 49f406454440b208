"""The container of MLIR bytecode: sections, strings, dialects, names of ops, places of attributes and types."""

from __future__ import annotations

from typing import NamedTuple

from graphsurgeon.errors import FormatError, UnsupportedError

MAGIC = b"ML\xefR"
NEWEST = 6  # of bytecode; a newer one may mean anything
_STRINGS, _DIALECTS, _ATTRIBUTES, _OFFSETS, IR, _RESOURCES, _RESOURCE_OFFSETS, _VERSION, _PROPERTIES = range(9)
_ALIGNED = 0x80  # bit of a section's number; this and what follows: MLIR's BytecodeEnums.h and Encoding.h
_PADDING = 0xCB
# Bytecode versions from which on something is stored in another way.
_WITH_DIALECT_VERSIONS, _WITH_OP_COUNT, _WITH_PROPERTIES = 1, 4, 5
_MOST_ALIGNMENT = 1 << 20  # so that damaged bytes end


class Cursor:
    """A place in the bytes; offsets count from the start of the module, to which alignment refers."""

    __slots__ = ("data", "end", "offset")

    def __init__(self, data: bytes | memoryview, offset: int, end: int) -> None:
        self.data = data
        self.offset = offset
        self.end = end

    @property
    def left(self) -> int:
        """Bytes behind the place."""
        return self.end - self.offset

    def byte(self) -> int:
        """Return the next byte."""
        if self.offset >= self.end:
            raise FormatError(f"the module ends inside a part at byte {self.offset}")
        self.offset += 1
        return self.data[self.offset - 1]

    def varint(self) -> int:
        """Return the next number: the zeros at the end of its first byte say how many bytes follow."""
        first = self.byte()
        if first & 1:
            return first >> 1
        length = (first & -first).bit_length() - 1 if first else 8
        if length > self.left:
            raise FormatError(f"the module ends inside a number at byte {self.offset}")
        start = self.offset - (1 if first else 0)
        self.offset += length
        number = int.from_bytes(self.data[start : self.offset], "little")
        return number >> (length + 1) if first else number

    def signed(self) -> int:
        """Return the next signed number."""
        number = self.varint()
        return (number >> 1) ^ -(number & 1)

    def count(self) -> int:
        """Return a number of things that follow, each of at least a byte: no more than there are bytes."""
        number = self.varint()
        if number > self.left:
            raise FormatError(f"{number} parts are announced at byte {self.offset}, where {self.left} bytes are left")
        return number

    def skip(self, length: int) -> int:
        """Step over bytes, and return where they begin."""
        if length > self.left:
            raise FormatError(f"{length} bytes are announced at byte {self.offset}, where {self.left} are left")
        self.offset += length
        return self.offset - length

    def inside(self, length: int) -> Cursor:
        """Step over bytes, and return a cursor over them."""
        start = self.skip(length)
        return Cursor(self.data, start, start + length)


class StoredAt(NamedTuple):
    """Where an attribute or a type lies.

    Attributes:
        is_custom: in the dialect's own encoding; else it is text.
    """

    dialect: str
    is_custom: bool
    start: int
    end: int


class Bytecode:
    """A module before its ops are read.

    Attributes:
        version: of the bytecode.
        producer: who wrote it: `StableHLO_v1.13.0`, `MLIR23.0.0git`.
        strings: all strings.
        dialects: their names.
        ops: full name of each op (`vhlo.add_v1`), and whether its dialect knew it when it was written.
        attributes, types: where each lies.
        properties: where those of ops lie.
    """

    def __init__(self, data: bytes) -> None:
        self.data = data
        cursor = Cursor(data, 0, len(data))
        if data[: len(MAGIC)] != MAGIC:
            raise FormatError("no MLIR bytecode")
        cursor.skip(len(MAGIC))
        self.version = cursor.varint()
        if self.version > NEWEST:
            what = f"MLIR bytecode version {self.version}; up to {NEWEST} is read here"
            raise UnsupportedError(what, hint="export the model with an older version of JAX")
        end = data.find(b"\0", cursor.offset)
        if end < 0:
            raise FormatError("the module does not say who wrote it")
        self.producer = bytes(data[cursor.offset : end]).decode("utf-8", "replace")
        cursor.offset = end + 1
        self._sections = _sections(cursor)
        self.strings = self._read_strings()
        self.dialects: list[str] = []
        self.ops: list[tuple[str, bool]] = []
        self._read_dialects()
        self.attributes, self.types = self._read_places()
        self.properties = self._read_properties()

    def section(self, number: int) -> Cursor:
        """Return a section, empty if there is none."""
        start, end = self._sections.get(number, (0, 0))
        return Cursor(self.data, start, end)

    def string(self, index: int) -> str:
        """Return a string."""
        if index >= len(self.strings):
            raise FormatError(f"string {index} of {len(self.strings)}")
        return self.strings[index]

    def _read_strings(self) -> list[str]:
        cursor = self.section(_STRINGS)
        if not cursor.left:
            return []
        lengths = [cursor.varint() for _ in range(cursor.count())]
        found = []
        end = cursor.end
        for length in lengths:  # the last string comes first
            start = end - length
            if start < cursor.offset or not length:
                raise FormatError("the strings of the module do not fit its bytes")
            found.append(bytes(self.data[start : end - 1]).decode("utf-8", "surrogateescape"))
            end = start
        return found[::-1]

    def _read_dialects(self) -> None:
        cursor = self.section(_DIALECTS)
        for _ in range(cursor.count() if cursor.left else 0):
            number = cursor.varint()
            is_marked = self.version >= _WITH_DIALECT_VERSIONS
            has_version = is_marked and bool(number & 1)
            self.dialects.append(self.string(number >> 1 if is_marked else number))
            if has_version:
                read_section(cursor)
        if self.version >= _WITH_OP_COUNT and cursor.left:
            cursor.varint()
        while cursor.left:
            dialect = self.dialect(cursor.varint())
            for _ in range(cursor.count()):
                number = cursor.varint()
                known = bool(number & 1) if self.version >= _WITH_PROPERTIES else True
                name = self.string(number >> 1 if self.version >= _WITH_PROPERTIES else number)
                self.ops.append((f"{dialect}.{name}", known))

    def dialect(self, index: int) -> str:
        """Return the name of a dialect."""
        if index >= len(self.dialects):
            raise FormatError(f"dialect {index} of {len(self.dialects)}")
        return self.dialects[index]

    def _read_places(self) -> tuple[list[StoredAt], list[StoredAt]]:
        cursor, bodies = self.section(_OFFSETS), self.section(_ATTRIBUTES)
        if not cursor.left:
            return [], []
        counts = (cursor.varint(), cursor.varint())
        return self._places(cursor, bodies, counts[0]), self._places(cursor, bodies, counts[1])

    def _places(self, cursor: Cursor, bodies: Cursor, count: int) -> list[StoredAt]:
        found: list[StoredAt] = []
        while len(found) < count:
            dialect = self.dialect(cursor.varint())
            for _ in range(cursor.count()):
                number = cursor.varint()
                start = bodies.skip(number >> 1)
                found.append(StoredAt(dialect, bool(number & 1), start, bodies.offset))
        return found

    def _read_properties(self) -> list[tuple[int, int]]:
        cursor = self.section(_PROPERTIES)
        found = []
        for _ in range(cursor.count() if cursor.left else 0):
            start = cursor.skip(cursor.varint())
            found.append((start, cursor.offset))
        return found


def read_section(cursor: Cursor) -> tuple[int, Cursor]:
    """Return number and content of the section at a place, and step over it."""
    head = cursor.byte()
    length = cursor.varint()
    if head & _ALIGNED:
        alignment = cursor.varint()
        if not 0 < alignment <= _MOST_ALIGNMENT:
            raise FormatError(f"a section at byte {cursor.offset} is aligned to {alignment}")
        while cursor.offset % alignment:
            if cursor.byte() != _PADDING:
                raise FormatError(f"what fills up at byte {cursor.offset - 1} is no padding")
    return head & ~_ALIGNED, cursor.inside(length)


def _sections(cursor: Cursor) -> dict[int, tuple[int, int]]:
    found: dict[int, tuple[int, int]] = {}
    while cursor.left:
        number, inner = read_section(cursor)
        if number in found:
            raise FormatError(f"section {number} stands twice in the module")
        found[number] = (inner.offset, inner.end)
    for number in (_STRINGS, _DIALECTS, _ATTRIBUTES, _OFFSETS, IR):
        if number not in found:
            raise FormatError(f"section {number} is missing in the module")
    return found
