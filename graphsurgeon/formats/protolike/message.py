"""Messages as dicts of lists, and the tables that say what their fields are."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from graphsurgeon.formats import schema


class MessageField(NamedTuple):
    """A field of a message.

    Attributes:
        kind: one letter: m message, e enum, s text, B bytes, b bool, i signed, u unsigned, f float32, d float64.
        of: the message or enum.
    """

    name: str
    kind: str
    of: str


class FieldTable(NamedTuple):
    """A schema: message -> number -> field, and enum -> number -> name."""

    messages: dict[str, dict[int, MessageField]]
    enums: dict[str, dict[int, str]]


_SIZES = {"f": 4, "d": 8}


class Bulk(NamedTuple):
    """Many numbers, or many bytes, that stayed in the file.

    Attributes:
        kind: f, d, or B for bytes.
        start, end: bytes of the file.
        tagged: the numbers stand one by one, each behind a tag of one byte, as a list that is not packed.
    """

    kind: str
    start: int
    end: int
    tagged: bool = False

    @property
    def length(self) -> int:
        """Bytes of the values."""
        size = _SIZES.get(self.kind, 1)
        return (self.end - self.start) // (size + 1) * size if self.tagged else self.end - self.start


class NamedFields(dict[str, list[Any]]):
    """The fields of a message by name, each a list, in the order of the file."""

    def first(self, name: str, default: Any = None) -> Any:
        """Return the first value of a field."""
        values = self.get(name)
        return values[0] if values else default

    def text(self, name: str, default: str = "") -> str:
        """Return the first value of a field that is text."""
        value = self.first(name, default)
        return value if isinstance(value, str) else default

    def texts(self, name: str) -> list[str]:
        """Return the values of a field that are text."""
        return [value for value in self.get(name, ()) if isinstance(value, str)]

    def numbers(self, name: str) -> list[int]:
        """Return the values of a field that are whole numbers."""
        return [value for value in self.get(name, ()) if isinstance(value, int)]

    def messages(self, name: str) -> Iterator[NamedFields]:
        """Yield the values of a field that are messages."""
        yield from (value for value in self.get(name, ()) if isinstance(value, NamedFields))


@cache
def load_table(name: str) -> FieldTable:
    """Return a schema of `formats/schema`: a line `message NAME` or `enum NAME`, then one for each field or value."""
    table = FieldTable({}, {})
    fields: dict[int, MessageField] = {}
    values: dict[int, str] = {}
    in_enum = False
    for line in schema.field_table(f"{name}.txt").splitlines():
        first, _, rest = line.partition(" ")
        if first == "message":
            in_enum = False
            fields = table.messages[rest] = {}
        elif first == "enum":
            in_enum = True
            values = table.enums[rest] = {}
        elif first.isdecimal() and in_enum:
            values[int(first)] = rest
        elif first.isdecimal():
            name, _, kind = rest.partition(" ")
            letter, _, of = kind.partition(":")
            fields[int(first)] = MessageField(name, letter, of)
    return table
