"""ZIP and tar archives: what their members are named, and whether one is a program; members as files for a while."""

from __future__ import annotations

import io
import posixpath
import re
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path, PureWindowsPath
from typing import Any

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.scanning.files.magic import HEAD, program
from graphsurgeon.scanning.finding import Severity, Threat

MOST_MEMBERS = 10_000  # that are looked into; what is left is told
_MOST_READ = 64 << 20  # bytes of one member
_LONGEST_LINK = 4096
_BROKEN = (
    zipfile.BadZipFile, tarfile.TarError, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, OSError,
)  # fmt: skip


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


@dataclass(frozen=True)
class PackedFile:
    """A member of an archive.

    Attributes:
        name: as the archive has it.
        size: bytes, unpacked.
        is_folder: it has no bytes.
        raw: what the library calls it.
        link: where a link leads; None for a file.
    """

    name: str
    size: int
    is_folder: bool
    raw: Any
    link: str | None = None


class OpenArchive:
    """A ZIP or tar archive, of which every member counts, also where several have one name.

    Attributes:
        kind: "ZIP" or "tar".
        entries: its members.
    """

    def __init__(self, library: zipfile.ZipFile | tarfile.TarFile) -> None:
        self._library = library
        if isinstance(library, zipfile.ZipFile):
            self.kind = "ZIP"
            self.entries = [
                PackedFile(one.filename, one.file_size, one.is_dir(), one, self._linked(one))
                for one in library.infolist()
            ]
        else:
            self.kind = "tar"
            self.entries = [
                PackedFile(one.name, one.size, one.isdir(), one, one.linkname if one.issym() or one.islnk() else None)
                for one in islice(library, MOST_MEMBERS + 1)
            ]

    def _linked(self, one: zipfile.ZipInfo) -> str | None:
        """Return where a link in a ZIP archive leads, which its bytes say."""
        if not stat.S_ISLNK(one.external_attr >> 16):
            return None
        data = self.content(PackedFile(one.filename, one.file_size, False, one), _LONGEST_LINK)
        return "/" if data is None else data.decode("utf-8", "replace")

    def content(self, entry: PackedFile, most: int = _MOST_READ) -> bytes | None:
        """Return the first bytes of a member; None where they cannot be had (encrypted, broken, unknown packing)."""
        try:
            if isinstance(self._library, zipfile.ZipFile):
                with self._library.open(entry.raw) as stream:
                    return stream.read(most)
            file = self._library.extractfile(entry.raw) if entry.raw.isreg() else None
            return file.read(most) if file is not None else b""
        except _BROKEN:
            return None


def opened(source: SourceFile | bytes, *, tar: bool = False) -> OpenArchive | None:
    """Return the archive in a file or in some bytes; None if it is broken."""
    stream: Any = io.BytesIO(source) if isinstance(source, bytes) else _Stream(source)
    try:
        return OpenArchive(tarfile.open(fileobj=stream, mode="r:") if tar else zipfile.ZipFile(stream))
    except _BROKEN:
        return None


@contextmanager
def unpacked(name: str, data: bytes) -> Iterator[Path]:
    """Keep a member as a file of its own for the time of a `with` block; only the last part of its name is used."""
    with tempfile.TemporaryDirectory(prefix="gs-scan-") as folder:
        path = Path(folder) / (re.sub(r"[^\w.-]", "_", name) or "member")
        path.write_bytes(data)
        yield path


def threats(archive: OpenArchive, where: str, harmless: tuple[str, ...] = ()) -> Iterator[Threat]:
    """Yield members that would be written elsewhere when they are unpacked, and those that are programs.

    Args:
        archive: whose directory is looked at, and the first bytes of members.
        where: the place of the archive, for findings.
        harmless: suffixes of members that need no look inside.
    """

    def member(severity: Severity, name: str, what: str) -> Threat:
        what = f"holds, in a {archive.kind} archive, {what}"
        return Threat(severity, None, what, f"{where} > {name}", "unknown", name, "archive")

    if len(archive.entries) > MOST_MEMBERS:
        yield member("medium", "", f"{len(archive.entries)} members, the last of which could not be looked into")
    for entry in archive.entries[:MOST_MEMBERS]:
        name = entry.name
        if _leads_out(name):
            yield member("high", name, "a name that leads out of the folder it is unpacked into")
        if entry.link is not None and _leads_out(posixpath.join(posixpath.dirname(name), entry.link)):
            yield member("high", name, f"a link to {entry.link}, out of the folder it is unpacked into")
        if entry.is_folder or name.endswith(harmless or ("\0",)):
            continue
        head = archive.content(entry, HEAD)
        if head is None:
            yield member("medium", name, "a member that could not be looked into")
        elif (what := program(head)) is not None:
            yield member("high", name, what)


def _leads_out(name: str) -> bool:
    plain = name.replace("\\", "/")
    return plain.startswith("/") or posixpath.normpath(plain).startswith("..") or bool(PureWindowsPath(name).drive)
