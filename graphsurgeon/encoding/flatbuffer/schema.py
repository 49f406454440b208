"""A FlatBuffers schema from a text table: which tables there are, their fields, enums and unions.

The grammar is told by the script that writes the table (`tools/make_tflite_schema.py`). A table is parsed when
it is first asked for.
Spec: https://flatbuffers.dev/internals/
"""

from __future__ import annotations

import re
import struct
from functools import cached_property

SCALARS = {
    "bool": "?", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i", "uint32": "I",
    "int64": "q", "uint64": "Q", "float32": "f", "float64": "d",
}  # fmt: skip
_FIELD = re.compile(r"(\w+):(\[?)(\w+)\]?(?::(\w+))?(?:=([-.\w]+))?(?:@(\d+))?(?:>(\w+))?")


class TableField:
    """A field of a table.

    Attributes:
        name, id: as in the schema; the slot in the vtable is the id.
        kind: "scalar", "string", "table", "union", "scalars", "strings" or "tables" (vectors).
        code: `struct` code of a scalar or of a vector's elements; "I" (an offset) for everything else.
        size: bytes of the scalar, offset or element.
        type: name of the table, or of the union, behind an offset.
        enum: name of the enum whose members the numbers are, empty if none.
        default: value of an absent scalar.
        align: alignment of a vector's elements, 0 where it is that of one element.
        target: table that the numbers are indices into (`Tensor`, `SubGraph`, ...), empty if none.
    """

    __slots__ = ("align", "code", "default", "enum", "id", "kind", "name", "size", "target", "type", "unpack")

    def __init__(self, number: int, text: str, unions: dict[str, dict[int, str]]) -> None:
        match = _FIELD.fullmatch(text)
        assert match is not None, text
        self.name, vector, self.type, enum, default, align, target = match.groups()
        self.id = number
        scalar = SCALARS.get(self.type)
        self.kind = _kind(self.type, bool(vector), self.type in unions)
        self.code = scalar or "I"
        self.size = struct.calcsize("<" + self.code)
        self.unpack = struct.Struct("<" + self.code).unpack_from
        self.enum = enum or ""
        self.align = int(align or 0)
        self.target = target or ""
        self.default = _default(self.kind, self.code, default)

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.kind} {self.type})"


class TableType:
    """A table of the schema.

    Attributes:
        name: of the table.
        fields: by name, in the order of their ids; a union's type has a field of its own, `NAME_type`.
        by_id: the same by id.
    """

    __slots__ = ("by_id", "fields", "name")

    def __init__(self, name: str, texts: list[str], unions: dict[str, dict[int, str]]) -> None:
        self.name = name
        self.by_id: dict[int, TableField] = {}
        number = 0
        for text in texts:
            if text == "-":
                number += 1
                continue
            field = TableField(number, text, unions)
            if field.kind == "union":
                self.by_id[number] = TableField(number, f"{field.name}_type:uint8", unions)
                number += 1
                field.id = number
            self.by_id[number] = field
            number += 1
        self.fields = {field.name: field for field in self.by_id.values()}

    def __repr__(self) -> str:
        return f"TableType({self.name!r}, {list(self.fields)})"


class Schema:
    """All tables, enums and unions of a schema text."""

    def __init__(self, text: str) -> None:
        self._lines: dict[tuple[str, str], list[str]] = {}
        for line in text.splitlines():
            if line and not line.startswith("#"):
                kind, name, *words = line.split()
                self._lines[kind, name] = words
        self._tables: dict[str, TableType] = {}
        self._enums: dict[str, dict[int, str]] = {}

    @cached_property
    def unions(self) -> dict[str, dict[int, str]]:
        """Name of a union -> number -> name of the table."""
        return {name: _members(words) for (kind, name), words in self._lines.items() if kind == "union"}

    def table(self, name: str) -> TableType:
        """Return a table. Raises KeyError if the schema has none of that name."""
        found = self._tables.get(name)
        if found is None:
            found = self._tables[name] = TableType(name, self._lines["table", name], self.unions)
        return found

    def enum(self, name: str) -> dict[int, str]:
        """Return number -> name of an enum's members. Raises KeyError if the schema has none of that name."""
        found = self._enums.get(name)
        if found is None:
            found = self._enums[name] = _members(self._lines["enum", name])
        return found

    def words(self, kind: str) -> dict[str, list[str]]:
        """Return name -> words of the lines of another kind."""
        return {name: words for (found, name), words in self._lines.items() if found == kind}


def _kind(type_name: str, is_vector: bool, is_union: bool) -> str:
    if type_name in SCALARS:
        return "scalars" if is_vector else "scalar"
    if type_name == "string":
        return "strings" if is_vector else "string"
    return "tables" if is_vector else "union" if is_union else "table"


def _default(kind: str, code: str, text: str | None) -> float | None:
    if kind != "scalar":
        return None
    if code in "fd":
        return float(text or 0)
    return bool(int(text or 0)) if code == "?" else int(text or 0)


def _members(words: list[str]) -> dict[int, str]:
    pairs = (word.rpartition("=") for word in words)
    return {int(number): name for name, _, number in pairs}
