"""ZIP archives as bundles: `.task`, `.tflite.zip` and plain ones, with ZIP64. Members are stored or deflated.

Local headers are found from the directory at the end, so there may be gaps: MediaPipe's writer keeps the bytes of its
members at multiples of 4 by zeros between a member and the next header. Whatever alignment a member has, it keeps: what
follows a member that has changed its size moves by a multiple of 64.
Spec: https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from graphsurgeon.disk.bundles.bundle import (
    MOST_MEMBERS,
    Container,
    Member,
    UnpackedFile,
    inflate,
    refused_name,
    require_apart,
    scratch,
)
from graphsurgeon.disk.files import Computed, FileRange, Rope, SourceFile, rope_chunks, rope_size
from graphsurgeon.errors import FormatError, UnsupportedError

_END = struct.Struct("<4s4H2IH")  # signature, disk numbers and counts, directory size, directory offset, comment size
_END64 = struct.Struct("<4sQ2H2I4Q")  # signature, size, versions, disks, counts, directory size, directory offset
_LOCATOR = struct.Struct("<4sIQI")
_ENTRY = struct.Struct("<4s6H3I5H2I")  # signature, ..., name, extra, comment size, ..., offset of the local header
_LOCAL = struct.Struct("<4s5H3I2H")  # signature, version, flags, method, time, day, CRC, sizes, name, extra
_STORED, _DEFLATED = 0, 8
_ENCRYPTED, _SIZES_BEHIND, _UTF8 = 1, 8, 0x800
_ZIP64, _NEEDS_ZIP64, _HUGE, _MANY = 1, 45, 0xFFFFFFFF, 0xFFFF
_LONGEST_COMMENT = 0xFFFF
_DIRECTORY_LIMIT = 16 << 20
_ALIGN = 64  # no payload asks for more


@dataclass(frozen=True)
class _Entry:
    """An entry of the directory; `offset` as it says it, `local` and `data` from the start of the file."""

    head: tuple[int, ...]  # the fixed fields behind the signature
    name: bytes
    extra: bytes  # without what is of ZIP64
    comment: bytes
    packed: int
    size: int
    offset: int
    local: int = 0
    data: int = 0

    @property
    def flags(self) -> int:
        return self.head[2]

    @property
    def method(self) -> int:
        return self.head[3]

    @property
    def crc(self) -> int:
        return self.head[6]

    @property
    def text(self) -> str:
        if self.flags & _UTF8:
            return self.name.decode("utf-8", "backslashreplace")
        return self.name.decode("cp437")


class ZipBundle(Container):
    """An archive that a whole file is, or what it stands behind."""

    def __init__(self, file: SourceFile) -> None:
        self._end_at, self._count, size, offset = _find_end(file)
        self._tail = file.read_at(self._end_at, file.size - self._end_at)
        self._directory_at = _directory_at(file, self._end_at, size)
        base = self._directory_at - offset
        entries = list(_entries(file.read_at(self._directory_at, size), file.path))
        if len(entries) != self._count or base < 0:
            raise FormatError(f"its directory has {len(entries)} entries, and says {self._count}", path=file.path)
        self._entries = [_placed(entry, base, self._directory_at, file) for entry in entries]
        spans = [(entry.local, entry.data + entry.packed, entry.text) for entry in self._entries]
        require_apart(spans, self._directory_at, file.path)
        super().__init__(file, _members(self._entries, file.path))

    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the archive with other bytes for one member; see `Container.replaced`."""
        at, old = next((at, entry) for at, entry in enumerate(self._entries) if entry.text == name)
        data, size, checksum = content, rope_size(content), _checksum(content)
        if old.method == _DEFLATED:
            data = [_deflate(content, self.file.path).whole()]
        packed = rope_size(data)
        local = _local_header(old, self.file.read_at(old.local, old.data - old.local), packed, size, checksum)
        stop = min((entry.local for entry in self._entries if entry.local > old.local), default=self._directory_at)
        end = old.local + rope_size(local) + packed
        gap = (stop - end) % _ALIGN if self._is_aligned() and stop < self._directory_at else 0
        shift = end + gap - stop
        changed = [
            replace(entry, offset=entry.offset + (shift if entry.local > old.local else 0)) for entry in self._entries
        ]
        head = (*old.head[:2], old.flags & ~_SIZES_BEHIND, *old.head[3:])
        changed[at] = replace(old, head=head, packed=packed, size=size)
        return [
            FileRange(self.file, 0, old.local),
            *local,
            *data,
            bytes(gap),
            FileRange(self.file, stop, self._directory_at - stop),
            *self._end_of(changed, at, checksum, self._directory_at + shift),
        ]

    def _end_of(self, entries: list[_Entry], changed: int, checksum: Callable[[], int], at: int) -> Rope:
        """Return the directory and what stands behind it, for a directory that begins at a place of the file."""
        sizes = [len(_packed_entry(entry, entry.crc)) for entry in entries]

        def chunks() -> Iterator[bytes]:
            for number, entry in enumerate(entries):
                yield _packed_entry(entry, checksum() if number == changed else entry.crc)

        size = sum(sizes)
        offset = at - (self._directory_at - self._stored_offset())
        tail = bytearray(self._tail)
        struct.pack_into("<2I", tail, 12, min(size, _HUGE), min(offset, _HUGE))
        end: Rope = [Computed(size, chunks)]
        if self._has_end64() or offset >= _HUGE:
            struct.pack_into("<2H2I", tail, 8, _MANY, _MANY, _HUGE, _HUGE)
            count = len(entries)
            end.append(_END64.pack(b"PK\6\6", 44, _NEEDS_ZIP64, _NEEDS_ZIP64, 0, 0, count, count, size, offset))
            end.append(_LOCATOR.pack(b"PK\6\7", 0, offset + size, 1))
        return [*end, bytes(tail)]

    def _stored_offset(self) -> int:
        first = self._entries[0]
        return self._directory_at - (first.local - first.offset)

    def _has_end64(self) -> bool:
        return self._end_at >= _LOCATOR.size and self.file.read_at(self._end_at - _LOCATOR.size, 4) == b"PK\6\7"

    def _is_aligned(self) -> bool:
        """Say whether members lie where they do for a reason: none begins at an odd place, or there are gaps."""
        return all(entry.data % 4 == 0 for entry in self._entries if entry.method == _STORED)

    def _unpack(self, member: Member, path: Path) -> UnpackedFile:
        return inflate(self.file, member, path)


def _find_end(file: SourceFile) -> tuple[int, int, int, int]:
    """Return where the end record is, and count, size and offset of the directory.

    Members may be archives too: only a record whose comment ends with the file is that of this one.
    """
    length = min(file.size, _END.size + _LONGEST_COMMENT)
    tail = file.read_at(file.size - length, length)
    at = tail.rfind(b"PK\5\6")
    while at >= 0:
        if at + _END.size <= length:
            *_, count, size, offset, comment = _END.unpack_from(tail, at)
            if at + _END.size + comment == length:
                end_at = file.size - length + at
                return end_at, *_wide(file, end_at, count, size, offset)
        at = tail.rfind(b"PK\5\6", 0, at)
    what = "the directory at the end of the archive is missing: the file is cut off, or something follows it"
    raise FormatError(what, path=file.path, hint="fetch or write it again")


def _wide(file: SourceFile, end_at: int, count: int, size: int, offset: int) -> tuple[int, int, int]:
    """Return count, size and offset of the directory, those of ZIP64 where the short ones do not say them."""
    if count != _MANY and _HUGE not in (size, offset):
        return count, size, offset
    at = end_at - _LOCATOR.size
    if at < 0 or file.read_at(at, 4) != b"PK\6\7":
        return count, size, offset
    place = _LOCATOR.unpack(file.read_at(at, _LOCATOR.size))[2]
    for candidate in (place, at - _END64.size):
        if 0 <= candidate <= at - _END64.size and file.read_at(candidate, 4) == b"PK\6\6":
            *_, count, size, offset = _END64.unpack(file.read_at(candidate, _END64.size))
            return count, size, offset
    raise FormatError("the end record of ZIP64 is missing", path=file.path, hint="fetch or write it again")


def _directory_at(file: SourceFile, end_at: int, size: int) -> int:
    stop = end_at
    if end_at >= _LOCATOR.size + _END64.size and file.read_at(end_at - _LOCATOR.size, 4) == b"PK\6\7":
        place = _LOCATOR.unpack(file.read_at(end_at - _LOCATOR.size, _LOCATOR.size))[2]
        behind = end_at - _LOCATOR.size - _END64.size
        stop = place if 0 < place <= behind and file.read_at(place, 4) == b"PK\6\6" else behind
    if not 0 <= size <= min(stop, _DIRECTORY_LIMIT):
        raise FormatError(f"its directory says that it has {size:,} bytes", path=file.path)
    return stop - size


def _entries(directory: bytes, path: Path) -> Iterator[_Entry]:
    at = 0
    for _ in range(MOST_MEMBERS):
        if directory[at : at + 4] != b"PK\1\2" or at + _ENTRY.size > len(directory):
            return
        head = _ENTRY.unpack_from(directory, at)[1:]
        packed, size, offset = head[7], head[8], head[15]
        lengths = head[9:12]
        name, extra, comment = (
            directory[at + _ENTRY.size + sum(lengths[:part]) : at + _ENTRY.size + sum(lengths[: part + 1])]
            for part in range(3)
        )
        rest, wide = _without_zip64(extra)
        values = []
        for value in (size, packed, offset):
            if value == _HUGE and len(wide) >= 8:
                (value,), wide = struct.unpack("<Q", wide[:8]), wide[8:]
            values.append(value)
        size, packed, offset = values
        yield _Entry(head, name, rest, comment, packed, size, offset)
        at += _ENTRY.size + sum(lengths)
    raise FormatError(f"it holds more than {MOST_MEMBERS:,} members", path=path)


def _without_zip64(extra: bytes) -> tuple[bytes, bytes]:
    """Return extra fields without that of ZIP64, and what that one holds."""
    rest, wide, at = b"", b"", 0
    while at + 4 <= len(extra):
        kind, size = struct.unpack_from("<2H", extra, at)
        field = extra[at : at + 4 + size]
        if kind == _ZIP64:
            wide = field[4:]
        else:
            rest += field
        at += 4 + size
    return rest + extra[at:], wide


def _placed(entry: _Entry, base: int, stop: int, file: SourceFile) -> _Entry:
    """Return an entry with its places in the file.

    Raises:
        FormatError: its local header lies elsewhere, or speaks of another member.
    """
    local = base + entry.offset
    if not 0 <= local <= stop - _LOCAL.size:
        raise FormatError(f"the member {entry.text!r} should begin at byte {local}", path=file.path)
    signature, _, flags, method, _, _, _, packed, size, name, extra = _LOCAL.unpack(file.read_at(local, _LOCAL.size))
    if signature != b"PK\3\4" or method != entry.method or name != len(entry.name):
        raise FormatError(f"there is no header of {entry.text!r} at byte {local}", path=file.path)
    if file.read_at(local + _LOCAL.size, name) != entry.name:
        raise FormatError(f"the header at byte {local} is not that of {entry.text!r}", path=file.path)
    told = (packed, size)
    if not flags & _SIZES_BEHIND and _HUGE not in told and told != (entry.packed, entry.size):
        what = f"{entry.text!r} has {packed:,} bytes by its header and {entry.packed:,} by the directory"
        raise FormatError(what, path=file.path)
    return replace(entry, local=local, data=local + _LOCAL.size + name + extra)


def _members(entries: list[_Entry], path: Path) -> dict[str, Member]:
    members: dict[str, Member] = {}
    for entry in entries:
        name = entry.text
        refused = refused_name(name)
        if refused or name in members:
            raise FormatError(refused or f"two members are called {name!r}", path=path)
        members[name] = Member(
            name,
            entry.data,
            entry.packed,
            entry.size,
            entry.crc,
            entry.method == _STORED,
            _problem(entry),
        )
    return {name: member for name, member in members.items() if not name.endswith("/")}


def _problem(entry: _Entry) -> str:
    if entry.flags & _ENCRYPTED:
        return "it is encrypted"
    if entry.method not in (_STORED, _DEFLATED):
        return f"it is packed by method {entry.method}, which is not read here"
    if entry.method == _STORED and entry.packed != entry.size:
        return f"it has {entry.packed:,} bytes, and says {entry.size:,}"
    return ""


def _checksum(content: Rope) -> Callable[[], int]:
    """Return what computes the checksum of pieces when it is first asked, and keeps it."""
    known: list[int] = []

    def compute() -> int:
        if not known:
            import zlib

            crc = 0
            for chunk in rope_chunks(content):
                crc = zlib.crc32(chunk, crc)
            known.append(crc)
        return known[0]

    return compute


def _deflate(content: Rope, path: Path) -> UnpackedFile:
    """Return the packed bytes of a member that is to be written, in a file without a name."""
    import zlib

    held, engine, packed = scratch(), zlib.compressobj(wbits=-zlib.MAX_WBITS), 0
    for chunk in rope_chunks(content):
        packed += held.write(engine.compress(chunk))
    packed += held.write(engine.flush())
    held.flush()
    return UnpackedFile(path, held, packed)


def _local_header(entry: _Entry, old: bytes, packed: int, size: int, checksum: Callable[[], int]) -> Rope:
    """Return the header of a member of other size; its length stays, unless ZIP64 comes to it."""
    fields = _LOCAL.unpack_from(old)
    name = old[_LOCAL.size : _LOCAL.size + fields[9]]
    extra, was_wide = _without_zip64(old[_LOCAL.size + fields[9] :])
    is_wide = bool(was_wide) or max(packed, size) >= _HUGE
    if is_wide:
        extra = struct.pack("<2H2Q", _ZIP64, 16, size, packed) + extra
    if len(extra) > _MANY:
        raise UnsupportedError(f"the header of {entry.text!r} has no room for its size")
    told = (_HUGE, _HUGE) if is_wide else (packed, size)
    version = max(fields[1], _NEEDS_ZIP64) if is_wide else fields[1]
    flags = fields[2] & ~_SIZES_BEHIND

    def chunks() -> Iterator[bytes]:
        head = (b"PK\3\4", version, flags, *fields[3:6], checksum(), *told, len(name), len(extra))
        yield _LOCAL.pack(*head) + name + extra

    return [Computed(_LOCAL.size + len(name) + len(extra), chunks)]


def _packed_entry(entry: _Entry, crc: int) -> bytes:
    """Return an entry of the directory, with the fields of ZIP64 that it needs."""
    wide, told = b"", []
    for value in (entry.size, entry.packed, entry.offset):
        told.append(min(value, _HUGE))
        if value >= _HUGE:
            wide += struct.pack("<Q", value)
    extra = (struct.pack("<2H", _ZIP64, len(wide)) + wide if wide else b"") + entry.extra
    version = max(entry.head[1], _NEEDS_ZIP64) if wide else entry.head[1]
    size, packed, offset = told
    head = (entry.head[0], version, *entry.head[2:6], crc, packed, size)
    lengths = (len(entry.name), len(extra), len(entry.comment))
    fixed = _ENTRY.pack(b"PK\1\2", *head, *lengths, *entry.head[12:15], offset)
    return fixed + entry.name + extra + entry.comment
