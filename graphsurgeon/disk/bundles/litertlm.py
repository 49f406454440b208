"""`.litertlm` files as bundles: models, tokenizers and settings of a language model, one section each.

A header of 32 bytes (mark, version, end of the header), a FlatBuffer without identifier that says where the sections
are, then the sections at multiples of 16,384, with zeros between. Sections have no names: one is called by the
`model_type` that it says, else by its kind, and can be given by its number.
Source: LiteRT-LM, `schema/core/litertlm_header_schema.fbs` and `litertlm_section.h`.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from graphsurgeon.disk.bundles.bundle import Container, Member, require_apart
from graphsurgeon.disk.files import FileRange, Rope, SourceFile, rope_size
from graphsurgeon.errors import FormatError, UnsupportedError

MAGIC = b"LITERTLM"
_MAJOR = 1
_ROOT_AT = 32
_ALIGN = 16384
_MOST_HEADER, _MOST_SECTIONS = 16 << 20, 10_000
_KINDS = {
    0: "none", 1: "binary", 2: "deprecated", 3: "tflite", 4: "sp_tokenizer", 5: "llm_metadata", 6: "hf_tokenizer_zlib",
    7: "weights", 8: "embedding_metadata", 9: "executor_metadata", 10: "tts_metadata", 11: "asr_metadata",
}  # fmt: skip
_TEXT = 9  # of the union of values


class _Section(NamedTuple):
    name: str
    begin_at: int  # where the header says its begin, and its end
    end_at: int
    begin: int
    end: int


class LiteRtLmBundle(Container):
    """A file of LiteRT-LM."""

    def __init__(self, file: SourceFile) -> None:
        head = file.read_at(0, min(_ROOT_AT, file.size))
        if len(head) < _ROOT_AT:
            raise FormatError(f"it ends after {file.size} bytes, inside its header", path=file.path)
        major, minor, patch = struct.unpack_from("<3I", head, 8)
        (end,) = struct.unpack_from("<Q", head, 24)
        if major != _MAJOR:
            raise UnsupportedError(f"LiteRT-LM version {major}.{minor}.{patch}; version 1 is read", path=file.path)
        if not _ROOT_AT < end <= min(file.size, _MOST_HEADER):
            raise FormatError(f"its header says that it ends at byte {end}", path=file.path)
        self._header = _Header(file.read_at(0, end), file)
        self._sections = self._header.sections()
        spans = [(section.begin, section.end, section.name) for section in self._sections]
        require_apart([(0, end, "header"), *spans], file.size, file.path)
        members = [Member(name, begin, end - begin, end - begin) for name, _, _, begin, end in self._sections]
        super().__init__(file, {member.name: member for member in members})

    def named(self, name: str) -> Member | None:
        """Return a section by its name or number."""
        names = list(self.members)
        if name.isdecimal() and name not in self.members and int(name) < len(names):
            name = names[int(name)]
        return self.members.get(name)

    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the file with other bytes for one section; the later ones move by multiples of 16,384."""
        old = next(section for section in self._sections if section.name == name)
        later = [section for section in self._sections if section.begin > old.begin]
        stop = min((section.begin for section in later), default=self.file.size)
        end = old.begin + rope_size(content)
        is_padded = bool(later) or old.end < stop
        gap = (stop - end) % _ALIGN if is_padded else 0
        shift = end + gap - stop
        header = bytearray(self._header.data)
        struct.pack_into("<Q", header, old.end_at, end)
        for section in later:
            struct.pack_into("<Q", header, section.begin_at, section.begin + shift)
            struct.pack_into("<Q", header, section.end_at, section.end + shift)
        return [
            bytes(header),
            FileRange(self.file, len(header), old.begin - len(header)),
            *content,
            bytes(gap),
            FileRange(self.file, stop, self.file.size - stop),
        ]


class _Header:
    """The header's FlatBuffer: just the way from its root to the sections."""

    def __init__(self, data: bytes, file: SourceFile) -> None:
        self.data = data
        self._file = file

    def sections(self) -> list[_Section]:
        """Return the sections, named."""
        root = self._follow(_ROOT_AT)
        listed = self._field(root, 1)
        objects = self._field(self._follow(listed), 0) if listed else 0
        sections: list[_Section] = []
        taken: dict[str, int] = {}
        for table in self._vector(objects) if objects else ():
            name = self._name(table)
            taken[name] = taken.get(name, 0) + 1
            name = name if taken[name] == 1 else f"{name}.{taken[name]}"
            begin_at, end_at = self._field(table, 1), self._field(table, 2)
            if not begin_at or not end_at:
                raise self._error(f"section {len(sections)} does not say where it is")
            sections.append(_Section(name, begin_at, end_at, self._u64(begin_at), self._u64(end_at)))
        for section in sections:
            if section.end < section.begin:
                raise self._error(f"section {section.name} ends before it begins")
        return sections

    def _name(self, table: int) -> str:
        """Return what a section is: the `model_type` among its items, else its kind."""
        items = self._field(table, 0)
        for item in self._vector(items) if items else ():
            key, kind, value = (self._field(item, number) for number in range(3))
            if key and kind and value and self._text(key) == "model_type" and self._bytes(kind, 1)[0] == _TEXT:
                text = self._field(self._follow(value), 0)
                said = self._text(text).lower() if text else ""
                if said and said.replace("_", "").isalnum():
                    return said
        kind = self._field(table, 3)
        number = self._bytes(kind, 1)[0] if kind else 0
        return _KINDS.get(number, f"kind_{number}")

    def _field(self, table: int, number: int) -> int:
        """Return where a field of a table is, 0 for one that it does not have."""
        (back,) = struct.unpack("<i", self._bytes(table, 4))
        vtable = table - back
        (size,) = struct.unpack("<H", self._bytes(vtable, 2))
        if 4 + 2 * number + 2 > size:
            return 0
        (offset,) = struct.unpack("<H", self._bytes(vtable + 4 + 2 * number, 2))
        return table + offset if offset else 0

    def _vector(self, at: int) -> list[int]:
        start = self._follow(at)
        (count,) = struct.unpack("<I", self._bytes(start, 4))
        if count > _MOST_SECTIONS:
            raise self._error(f"a list of {count:,}")
        return [self._follow(start + 4 + 4 * number) for number in range(count)]

    def _text(self, at: int) -> str:
        start = self._follow(at)
        (size,) = struct.unpack("<I", self._bytes(start, 4))
        return self._bytes(start + 4, size).decode("utf-8", "backslashreplace")

    def _follow(self, at: int) -> int:
        (offset,) = struct.unpack("<I", self._bytes(at, 4))
        return at + int(offset)

    def _u64(self, at: int) -> int:
        return int(struct.unpack("<Q", self._bytes(at, 8))[0])

    def _bytes(self, at: int, size: int) -> bytes:
        if at < _ROOT_AT or at + size > len(self.data):
            raise self._error(f"it leads to byte {at}, outside of its {len(self.data)} bytes")
        return self.data[at : at + size]

    def _error(self, what: str) -> FormatError:
        return FormatError(f"its header is damaged: {what}", path=self._file.path, hint="fetch or write it again")
