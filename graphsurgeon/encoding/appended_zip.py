"""A ZIP archive behind something else in a file, as TFLite metadata keeps label files; found, and moved.

Only its directory is read. The places in it count from the start of the file (or, by some writers, of the
archive); when what stands before the archive changes its size, they are counted anew.
Spec: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterable, Mapping
from itertools import pairwise

from graphsurgeon.disk.files import FileRange, Rope, SourceFile
from graphsurgeon.errors import FormatError

_END = struct.Struct("<4s4H2IH")  # signature, disk numbers and counts, directory size, directory offset, comment size
_ENTRY = struct.Struct("<4s6H3I5H2I")  # signature, ..., name, extra, comment size, ..., offset of the local header
_LOCAL = struct.Struct("<4s5H3I2H")  # signature, version, flags, method, time, day, CRC, sizes, name, extra
_NEEDS, _UTF8, _DAY = 20, 0x800, 0x21  # version 2.0; names are UTF-8; the first of January 1980
_DEFLATED = 8
_MOST_UNPACKED = 1 << 28  # bytes of one file
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

    def moved(self, start: int, without: Collection[str] = (), added: Mapping[str, bytes] | None = None) -> Rope:
        """Return the archive as it must be to start at another place of a file.

        Args:
            start: where it will start.
            without: names of files that it shall not hold any more; an archive of none is nothing.
            added: files that it shall hold besides, in place of those of the same name.
        """
        if added or not set(without).isdisjoint(self.names):
            return self._rebuilt(start, {*without, *(added or ())}, added or {})
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

    def _rebuilt(self, start: int, without: Collection[str], added: Mapping[str, bytes]) -> Rope:
        """Return the archive with other files: those that stay keep their bytes and their order."""
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
        for name, data in added.items():
            local, entry_of_new = _new_file(name, data, origin + size)
            rope.append(local)
            entries.append(entry_of_new)
            size += len(local)
        return _closed(rope, entries, origin + size, self._tail)

    def content(self, name: str) -> bytes:
        """Return the bytes of a file, unpacked.

        Raises:
            FormatError: it is damaged, encrypted, or packed in a way that is not read, or far larger than it is packed.
        """
        at, end = next(
            (at, at + size)
            for (at, size), known in zip(_entries(self._directory), self.names, strict=True)
            if known == name
        )
        _, _, _, flags, method, _, _, crc, packed, size, *_ = _ENTRY.unpack_from(self._directory, at)
        assert end
        local = self._base + _offset(self._directory, at)
        head = self.file.read_at(local, _LOCAL.size)
        start = local + _LOCAL.size + sum(_LOCAL.unpack(head)[-2:])
        if flags & 1 or method not in (0, _DEFLATED) or start + packed > self._end or size > _MOST_UNPACKED:
            raise FormatError(f"{name!r} in the archive behind the model cannot be unpacked", path=self.file.path)
        return _unpacked(self.file.read_at(start, packed), method, size, crc, name)


def new_zip(start: int, files: Mapping[str, bytes]) -> Rope:
    """Return an archive that starts at a place of a file; its files are stored as they are, as MediaPipe asks."""
    rope: Rope = []
    entries, at = [], start
    for name, data in files.items():
        local, entry = _new_file(name, data, at)
        rope.append(local)
        entries.append(entry)
        at += len(local)
    return _closed(rope, entries, at, _END.pack(b"PK\5\6", 0, 0, 0, 0, 0, 0, 0))


def _closed(rope: Rope, entries: list[bytes], at: int, tail: bytes) -> Rope:
    """Return files with their directory, which starts at a place, and the end; nothing if there are none."""
    if not entries:
        return []
    directory, end = b"".join(entries), bytearray(tail)
    struct.pack_into("<2H2I", end, 8, len(entries), len(entries), len(directory), at)
    return [*rope, directory, bytes(end)]


def _new_file(name: str, data: bytes, offset: int) -> tuple[bytes, bytes]:
    """Return a stored file with its local header, and its entry in the directory."""
    from zlib import crc32

    text = name.encode()
    facts = (_NEEDS, _UTF8, 0, 0, _DAY, crc32(data), len(data), len(data), len(text), 0)
    local = _LOCAL.pack(b"PK\3\4", *facts) + text + data
    return local, _ENTRY.pack(b"PK\1\2", _NEEDS, *facts, 0, 0, 0, 0, offset) + text


def _unpacked(data: bytes, method: int, size: int, crc: int, name: str) -> bytes:
    import zlib

    if method == _DEFLATED:
        try:
            data = zlib.decompressobj(-zlib.MAX_WBITS).decompress(data, size + 1)
        except zlib.error as error:
            raise FormatError(f"{name!r} in the archive behind the model is damaged: {error}") from error
    if len(data) != size or zlib.crc32(data) != crc:
        raise FormatError(f"{name!r} in the archive behind the model is damaged")
    return data


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
