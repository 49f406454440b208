"""ZIP archives: what their members are named, and whether one is a program; members as files for a while."""

from __future__ import annotations

import io
import re
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.scanning.files.magic import HEAD, program
from graphsurgeon.scanning.finding import Severity, Threat

MOST_MEMBERS = 10_000  # that are looked into; what is left is told
_MOST_READ = 64 << 20  # bytes of one member
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError)


class _Stream(io.RawIOBase):
    """A file to read from, as the standard library wants it."""

    def __init__(self, file: SourceFile) -> None:
        self.file = file
        self.at = 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self.at = offset + (0, self.at, self.file.size)[whence]
        return self.at

    def tell(self) -> int:
        return self.at

    def read(self, size: int = -1) -> bytes:
        left = max(0, self.file.size - self.at)
        data = self.file.read_at(self.at, left if size < 0 else min(size, left)) if left else b""
        self.at += len(data)
        return data


def opened(source: SourceFile | bytes) -> zipfile.ZipFile | None:
    """Return the archive in a file or in some bytes; None if it is broken."""
    try:
        return zipfile.ZipFile(io.BytesIO(source) if isinstance(source, bytes) else _Stream(source))
    except _BROKEN:
        return None


def content(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int = _MOST_READ) -> bytes | None:
    """Return the first bytes of a member; None where they cannot be had (encrypted, broken, unknown compression)."""
    try:
        with archive.open(member) as stream:
            return stream.read(most)
    except _BROKEN:
        return None


@contextmanager
def unpacked(name: str, data: bytes) -> Iterator[Path]:
    """Keep a member as a file of its own for the time of a `with` block; only the last part of its name is used."""
    with tempfile.TemporaryDirectory(prefix="gs-scan-") as folder:
        path = Path(folder) / (re.sub(r"[^\w.-]", "_", name) or "member")
        path.write_bytes(data)
        yield path


def threats(archive: zipfile.ZipFile, where: str, harmless: tuple[str, ...] = ()) -> Iterator[Threat]:
    """Yield members that would be written elsewhere when they are unpacked, and those that are programs.

    Args:
        archive: whose directory is looked at, and the first bytes of members.
        where: the place of the archive, for findings.
        harmless: suffixes of members that need no look inside.
    """
    members = archive.infolist()
    if len(members) > MOST_MEMBERS:
        yield _member("medium", where, "", f"{len(members)} members, the last of which could not be looked into")
    for member in members[:MOST_MEMBERS]:
        name = member.filename
        if _leads_out(name):
            yield _member("high", where, name, "a name that leads out of the folder it is unpacked into")
        if stat.S_ISLNK(member.external_attr >> 16):
            yield _member("high", where, name, "a symbolic link, which may lead out of the folder it is unpacked into")
        if member.is_dir() or name.endswith(harmless or ("\0",)):
            continue
        head = content(archive, member, HEAD)
        if head is None:
            yield _member("medium", where, name, "a member that could not be looked into")
        elif (what := program(head)) is not None:
            yield _member("high", where, name, what)


def _leads_out(name: str) -> bool:
    parts = PurePosixPath(name.replace("\\", "/")).parts
    return name.startswith(("/", "\\")) or ".." in parts or bool(PureWindowsPath(name).drive)


def _member(severity: Severity, where: str, name: str, what: str) -> Threat:
    return Threat(severity, None, f"holds, in a ZIP archive, {what}", f"{where} > {name}", "unknown", name, "archive")
