"""Tar archives as bundles: the old form, ustar, GNU's long names and the extended headers of POSIX.

Spec: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html (section "ustar Interchange Format")
"""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.disk.bundles.bundle import MOST_MEMBERS, Container, Member, refused_name
from graphsurgeon.disk.files import FileRange, Rope, SourceFile, rope_size
from graphsurgeon.errors import FormatError, UnsupportedError

_BLOCK = 512
_FILES = (b"0", b"\0", b"7")
_LONG_NAME, _LONG_LINK, _EXTENDED, _GLOBAL, _SPARSE = b"L", b"K", b"x", b"g", b"S"
_MOST_TEXT = 1 << 20  # bytes of a long name or of extended headers
_LARGEST_OCTAL = 8**11


class TarBundle(Container):
    """An archive that is not compressed: its members lie one behind another, each behind a header of 512 bytes."""

    def __init__(self, file: SourceFile) -> None:
        self._headers: dict[str, int] = {}
        self._fixed: set[str] = set()  # members whose size is said by an extended header
        members: dict[str, Member] = {}
        at, name, size = 0, "", None
        for _ in range(MOST_MEMBERS):
            header = file.read_at(at, min(_BLOCK, file.size - at))
            if len(header) < _BLOCK or not any(header):
                break
            kind, length = header[156:157], _number(header, file, at)
            data = at + _BLOCK
            if kind in (_LONG_NAME, _EXTENDED):
                name, size = _told(kind, _text(file, data, length), name, size)
            elif kind in _FILES:
                is_fixed, length = size is not None, length if size is None else size
                own, name, size = name or _name(header), "", None
                _require(file, own, data, length, members)
                self._headers[own] = at
                if is_fixed:
                    self._fixed.add(own)
                if not own.endswith("/"):
                    members[own] = Member(own, data, length, length)
            elif kind not in (_LONG_LINK, _GLOBAL):
                name, size = "", None
                length = length if kind == _SPARSE else 0  # folders, links and devices have no bytes
            at = data + length + -length % _BLOCK
        else:
            raise FormatError(f"it holds more than {MOST_MEMBERS:,} members", path=file.path)
        super().__init__(file, members)

    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the archive with other bytes for one member; see `Container.replaced`."""
        if name in self._fixed:
            what = f"the size of {name!r} is said by an extended header, which is not rewritten"
            raise UnsupportedError(what, path=self.file.path, hint="give an output outside of the archive")
        old, size, at = self.members[name], rope_size(content), self._headers[name]
        stop = old.start + old.size + -old.size % _BLOCK
        stop = min(stop, self.file.size)
        header = bytearray(self.file.read_at(at, _BLOCK))
        is_octal = size < _LARGEST_OCTAL
        header[124:136] = b"%011o\0" % size if is_octal else b"\x80" + size.to_bytes(11, "big")
        header[148:156] = b" " * 8
        header[148:156] = b"%06o\0 " % sum(header)
        return [
            FileRange(self.file, 0, at),
            bytes(header),
            *content,
            bytes(-size % _BLOCK),
            FileRange(self.file, stop, self.file.size - stop),
        ]


def _number(header: bytes, file: SourceFile, at: int) -> int:
    """Return the size that a header says, whose checksum must be right."""
    try:
        told = int(header[148:156].split(b"\0")[0].strip() or b"0", 8)
        size = (
            int.from_bytes(header[125:136], "big")
            if header[124] == 0x80
            else int(header[124:136].split(b"\0")[0].strip() or b"0", 8)
        )
    except ValueError:
        told, size = -1, -1
    found = sum(header) - sum(header[148:156]) + 8 * ord(" ")
    if told != found or size < 0:
        what = f"the header at byte {at} is damaged"
        raise FormatError(what, path=file.path, hint="fetch or write it again")
    return size


def _name(header: bytes) -> str:
    name = header[:100].split(b"\0")[0]
    prefix = header[345:500].split(b"\0")[0] if header[257:263] == b"ustar\0" else b""
    whole = prefix + b"/" + name if prefix else name
    return _plain(whole.decode("utf-8", "backslashreplace"))


def _plain(name: str) -> str:
    return name.removeprefix("./")


def _text(file: SourceFile, at: int, length: int) -> bytes:
    if length > min(_MOST_TEXT, file.size - at):
        raise FormatError(f"a name at byte {at} of {length:,} bytes", path=file.path)
    return file.read_at(at, length)


def _told(kind: bytes, text: bytes, name: str, size: int | None) -> tuple[str, int | None]:
    """Return name and size of the next member, as headers before it say them."""
    if kind == _LONG_NAME:
        return _plain(text.split(b"\0")[0].decode("utf-8", "backslashreplace")), size
    at = 0
    while at < len(text):
        length, _, _ = text[at : at + 20].partition(b" ")
        if not length.isdigit() or int(length) <= len(length):
            break
        key, _, value = text[at + len(length) + 1 : at + int(length) - 1].partition(b"=")
        if key == b"path":
            name = _plain(value.decode("utf-8", "backslashreplace"))
        elif key == b"size" and value.isdigit():
            size = int(value)
        at += int(length)
    return name, size


def _require(file: SourceFile, name: str, at: int, length: int, members: dict[str, Member]) -> None:
    path: Path = file.path
    refused = refused_name(name)
    if refused or name in members:
        raise FormatError(refused or f"two members are called {name!r}", path=path)
    if at + length > file.size:
        what = f"the member {name!r} ends at byte {at + length}, behind the end of the file at {file.size}"
        raise FormatError(what, path=path, hint="the file is cut off: fetch or write it again")
