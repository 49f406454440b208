"""A ZIP archive behind something else in a file, as TFLite metadata keeps label files; found, and moved.

Only its directory is read. The places in it count from the start of the file (or, by some writers, of the
archive); when what stands before the archive changes its size, they are counted anew.
Spec: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable
from itertools import pairwise

from graphsurgeon.disk.files import FileRange, Rope, SourceFile

_END = struct.Struct("<4s4H2IH")  # signature, disk numbers and counts, directory size, directory offset, comment size
_ENTRY = struct.Struct("<4s6H3I5H2I")  # signature, ..., name, extra, comment size, ..., offset of the local header
_LONGEST_COMMENT = 0xFFFF
_DIRECTORY_LIMIT = 16 << 20  # bytes of a directory that are read: a hundred thousand files


class AppendedZip:
    """An archive in the rest of a file.

    Attributes:
        start: where it starts in the file.
        names: of the files in it.
    """

    __slots__ = ("_base", "_directory", "_end", "_tail", "file", "names", "start")

    def __init__(
        self, file: SourceFile, end: int, tail: bytes, base: int, directory: bytes, offsets: list[int]
    ) -> None:
        self.file = file
        self.start = base + min(offsets)
        self._end = end
        self._tail = tail
        self._base = base
        self._directory = directory
        self.names = [
            directory[at + _ENTRY.size : at + _ENTRY.size + size].decode("utf-8", "surrogateescape")
            for at, size in _entries(directory)
        ]

    def moved(self, start: int, without: Collection[str] = ()) -> Rope:
        """Return the archive as it must be to start at another place of a file.

        Args:
            start: where it will start.
            without: names of files that it shall not hold any more; an archive of none is nothing.
        """
        if not set(without).isdisjoint(self.names):
            return self._rebuilt(start, without)
        directory_at = self._end - len(self._directory)
        files = FileRange(self.file, self.start, directory_at - self.start)
        if self._base:  # counted from its own start: it may stand anywhere
            return [files, self._directory, self._tail]
        shift = start - self.start
        directory, tail = bytearray(self._directory), bytearray(self._tail)
        for at, _ in _entries(self._directory):
            _shift(directory, at + _ENTRY.size - 4, shift)
        _shift(tail, 16, shift)
        return [files, bytes(directory), bytes(tail)]

    def _rebuilt(self, start: int, without: Collection[str]) -> Rope:
        """Return the archive with fewer files: those that stay keep their bytes and their order."""
        directory_at = self._end - len(self._directory)
        places = [at for at, _ in _entries(self._directory)]
        offsets = [_offset(self._directory, at) for at in places]
        stops = dict(pairwise([*sorted(set(offsets)), directory_at - self._base]))
        origin = min(offsets) if self._base else start
        rope: Rope = []
        entries, moved, size = [], dict[int, int](), 0
        for number, (at, end) in enumerate(pairwise([*places, len(self._directory)])):
            if self.names[number] in without:
                continue
            offset = offsets[number]
            if offset not in moved:
                moved[offset] = origin + size
                rope.append(FileRange(self.file, self._base + offset, stops[offset] - offset))
                size += stops[offset] - offset
            entry = bytearray(self._directory[at:end])
            struct.pack_into("<I", entry, _ENTRY.size - 4, moved[offset])
            entries.append(bytes(entry))
        if not entries:
            return []
        directory, tail = b"".join(entries), bytearray(self._tail)
        struct.pack_into("<2H2I", tail, 8, len(entries), len(entries), len(directory), origin + size)
        return [*rope, directory, bytes(tail)]


def find_zip(file: SourceFile) -> AppendedZip | None:
    """Return the archive at the end of a file, None if there is none that can be understood."""
    length = min(file.size, _END.size + _LONGEST_COMMENT)
    tail = file.read_at(file.size - length, length)
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        found = _archive(file, file.size - length + at, tail[at:])
        if found is not None:
            return found
        at = tail.rfind(b"PK\5\6", 0, at)
    return None


def unsafe_names(names: Iterable[str]) -> list[str]:
    """Return the names that would lead a careless unpacker out of its folder, or hide what they are."""
    return [name for name in names if _is_unsafe(name)]


def _is_unsafe(name: str) -> bool:
    parts = name.replace("\\", "/").split("/")
    return name[:1] in ("/", "\\") or ".." in parts or name[1:2] == ":" or not name.isprintable()


def _archive(file: SourceFile, end: int, tail: bytes) -> AppendedZip | None:
    if len(tail) < _END.size:
        return None
    *_, count, size, offset, comment = _END.unpack_from(tail)
    base = end - size - offset
    if _END.size + comment != len(tail) or base < 0 or not 0 < size <= min(end, _DIRECTORY_LIMIT) or count == 0xFFFF:
        return None
    directory = file.read_at(end - size, size)
    places = _entries(directory)
    offsets = [_offset(directory, at) for at, _ in places]
    if len(places) != count or not offsets or any(base + place >= end - size for place in offsets):
        return None
    return AppendedZip(file, end, tail, base, directory, offsets)


def _entries(directory: bytes) -> list[tuple[int, int]]:
    """Return place and length of the name of each entry of a directory; those before the first broken one."""
    found, at = [], 0
    while at + _ENTRY.size <= len(directory) and directory[at : at + 4] == b"PK\1\2":
        name, extra, comment = struct.unpack_from("<3H", directory, at + 28)
        found.append((at, name))
        at += _ENTRY.size + name + extra + comment
    return found


def _offset(directory: bytes, at: int) -> int:
    return int(struct.unpack_from("<I", directory, at + _ENTRY.size - 4)[0])


def _shift(data: bytearray, at: int, amount: int) -> None:
    (offset,) = struct.unpack_from("<I", data, at)
    struct.pack_into("<I", data, at, offset + amount)
