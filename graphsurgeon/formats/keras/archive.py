"""Members of a `.keras` file, which is a ZIP archive: the weights where they lie, the JSON as text."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from typing import Protocol

from graphsurgeon.disk.files import FileRange, SourceFile
from graphsurgeon.errors import FormatError, UnsupportedError

_LOCAL = struct.Struct("<4s5H3I2H")  # of a member: signature, ..., lengths of name and extra field
_MOST_INFLATED = 128 << 20  # bytes of a compressed member that are unpacked into memory; Keras stores them as they are
_MOST_MEMBERS = 100_000  # of an archive; Keras 3 writes three and its assets, a bomb any number


class Readable(Protocol):
    """Bytes with positioned reads: a whole file, a part of one, or what was unpacked from one."""

    @property
    def size(self) -> int:
        """Bytes there are."""

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; raises `FormatError` outside of what there is."""

    def range_at(self, offset: int, length: int) -> FileRange | bytes:
        """Return bytes as a part of the file, where they are one."""


class FileWindow:
    """A part of a file."""

    __slots__ = ("file", "size", "start")

    def __init__(self, file: SourceFile, start: int = 0, size: int | None = None) -> None:
        self.file = file
        self.start = start
        self.size = file.size - start if size is None else size

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; raises `FormatError` outside of what there is."""
        self._require(offset, length)
        return self.file.read_at(self.start + offset, length)

    def range_at(self, offset: int, length: int) -> FileRange:
        """Return bytes as a part of the file."""
        self._require(offset, length)
        return FileRange(self.file, self.start + offset, length)

    def _require(self, offset: int, length: int) -> None:
        if offset < 0 or length < 0 or offset + length > self.size:
            what = f"bytes {offset} to {offset + length} lie outside the {self.size} that there are"
            raise FormatError(what, path=self.file.path)


class BytesWindow:
    """What was unpacked."""

    __slots__ = ("data", "size")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.size = len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        """Return bytes; raises `FormatError` outside of what there is."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise FormatError(f"bytes {offset} to {offset + length} lie outside the {self.size} that there are")
        return self.data[offset : offset + length]

    range_at = read_at


class Archive:
    """The members of a ZIP archive by name. Nothing is unpacked to the disk, and no name is used as a path."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        try:
            with zipfile.ZipFile(io.BufferedReader(_Reader(file))) as archive:
                members = archive.infolist()
        except _ZIP_ERRORS as error:
            raise FormatError(f"the archive cannot be read: {error}", path=file.path) from error
        if len(members) > _MOST_MEMBERS:
            raise FormatError(f"an archive of {len(members)} files", path=file.path)
        self._members = {member.filename: member for member in members}

    @property
    def names(self) -> list[str]:
        """Names of the members."""
        return list(self._members)

    def member(self, name: str) -> Readable:
        """Return a member: where it lies if it was stored as it is, else unpacked into memory.

        Raises:
            FormatError: it is damaged, or unpacks to more than it claims.
            UnsupportedError: it is encrypted, compressed in another way than DEFLATE, or compressed and very large.
        """
        member = self._members[name]
        start = self._data_at(member)
        if member.flag_bits & 1:
            raise UnsupportedError(f"{name} is encrypted", path=self.file.path)
        stored = FileWindow(self.file, start, member.compress_size)
        if start + member.compress_size > self.file.size:
            raise FormatError(f"{name} lies outside the {self.file.size} bytes of the archive", path=self.file.path)
        if member.compress_type == zipfile.ZIP_STORED:
            return stored
        if member.compress_type != zipfile.ZIP_DEFLATED or member.file_size > _MOST_INFLATED:
            what = f"{name} is compressed to {member.compress_size} bytes from {member.file_size}"
            raise UnsupportedError(what, path=self.file.path, hint="pack the archive anew without compression")
        return BytesWindow(self._inflated(name, stored, member.file_size))

    def text(self, name: str, most: int) -> str:
        """Return a member that is text, of at most so many bytes.

        Raises:
            FormatError: it is longer, or no UTF-8.
        """
        if self._members[name].file_size > most:
            raise FormatError(f"{name} of {self._members[name].file_size} bytes is too long", path=self.file.path)
        window = self.member(name)
        try:
            return window.read_at(0, window.size).decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(f"{name} is no UTF-8: {error}", path=self.file.path) from error

    def _data_at(self, member: zipfile.ZipInfo) -> int:
        if member.header_offset + _LOCAL.size > self.file.size:
            raise FormatError(f"{member.filename} lies outside the archive", path=self.file.path)
        signature, *_, name, extra = _LOCAL.unpack(self.file.read_at(member.header_offset, _LOCAL.size))
        if signature != b"PK\3\4":
            raise FormatError(f"{member.filename} is not where the archive says", path=self.file.path)
        return member.header_offset + _LOCAL.size + int(name) + int(extra)

    def _inflated(self, name: str, stored: FileWindow, size: int) -> bytes:
        machine = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            data = machine.decompress(stored.read_at(0, stored.size), size + 1)
        except zlib.error as error:
            raise FormatError(f"{name} does not unpack: {error}", path=self.file.path) from error
        if len(data) != size:
            raise FormatError(f"{name} does not unpack to the {size} bytes it claims", path=self.file.path)
        return data


# What the standard library's reader raises on damaged archives.
_ZIP_ERRORS = (zipfile.BadZipFile, struct.error, ValueError, OverflowError, EOFError, RuntimeError, LookupError)


class _Reader(io.RawIOBase):
    """A file as the standard library wants it."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._file.size)[whence]
        if self._at < 0:
            raise ValueError("a place in front of the file")
        return self._at

    def tell(self) -> int:
        return self._at

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        length = max(0, min(len(buffer), self._file.size - self._at))
        buffer[:length] = self._file.read_at(self._at, length) if length else b""
        self._at += length
        return length
