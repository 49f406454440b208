"""What all bundles have in common: members, which are read where they lie, and one of which may be another.

A member that is stored as it is lies at a place of the bundle's file and is never copied. A deflated one is unpacked
into a file without a name, for as long as it is looked at.
"""

from __future__ import annotations

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from graphsurgeon.disk.files import BLOCK, FileRange, Rope, SourceFile, check_range
from graphsurgeon.disk.places import RemotePath
from graphsurgeon.errors import FormatError

MOST_MEMBERS = 100_000
_FREE = 64 << 20  # bytes that a member may always unpack to
_MOST_COMPARED = 64 << 20  # bytes of a member that is read once more to be compared with its checksum
_MOST_FETCHED = 4 << 20  # the same of a member that lies on a store, and is fetched whole anyway
_MOST_RATIO = 64  # times its packed size that a larger one may unpack to: weights shrink to a half


class Member(NamedTuple):
    """A file in a bundle.

    Attributes:
        name: in a `.litertlm`, whose sections have none, what the section is.
        start: where its bytes begin in the bundle.
        packed: bytes there.
        size: bytes that it has.
        crc: of what it has, where the bundle says it.
        is_stored: its bytes lie there as they are.
        problem: why it cannot be read; empty if it can.
    """

    name: str
    start: int
    packed: int
    size: int
    crc: int | None = None
    is_stored: bool = True
    problem: str = ""


class MemberFile(SourceFile):
    """A member that lies in the bundle as it is.

    Attributes:
        start: where it begins in the file that the descriptor is of.
    """

    __slots__ = ("_outer",)

    def __init__(self, path: Path, outer: SourceFile, start: int, size: int) -> None:
        super().__init__(path, size, (0, 0))
        self._outer = outer
        self.start = start + outer.start

    @property
    def step(self) -> int:
        """How much is read at once while looking for structure."""
        return self._outer.step

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; see `SourceFile.read_at`."""
        check_range(offset, length, self.size, self.path)
        return self._outer.read_at(self.start - self._outer.start + offset, length)

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """Map the bundle, and give the part that is this member."""
        begin = self.start - self._outer.start
        with self._outer.view() as whole:
            part = whole[begin : begin + self.size]
            try:
                yield part
            finally:
                part.release()

    def descriptor(self) -> int:
        """Return the descriptor of the bundle; what is copied from there begins at `start`."""
        return self._outer.descriptor()

    def close(self) -> None:
        """Give the descriptor back; the next read opens the bundle again."""
        self._outer.close()


class UnpackedFile(SourceFile):
    """A member that was packed, or is to be: its bytes in a file without a name."""

    __slots__ = ("_held",)

    def __init__(self, path: Path, held: IO[bytes], size: int) -> None:
        super().__init__(path, size, (0, 0))
        self._held = held

    def descriptor(self) -> int:
        """Return the descriptor of the file without a name."""
        return self._held.fileno()

    def close(self) -> None:
        """Do nothing: the file is gone when it is closed."""

    def __del__(self) -> None:
        self._held.close()


class Container(ABC):
    """A bundle.

    Attributes:
        file: its file.
        members: by name, in the order of the bundle.
    """

    def __init__(self, file: SourceFile, members: Mapping[str, Member]) -> None:
        self.file = file
        self.members = members
        self._unpacked: dict[str, UnpackedFile] = {}
        self._compared: set[str] = set()

    def require_sound(self, member: Member, path: Path, *, whole: bool = False) -> None:
        """Compare a stored member with the checksum that the bundle has of it, once; a large one only if that is asked.

        Raises:
            FormatError: they differ.
        """
        most = _MOST_FETCHED if isinstance(self.file.path, RemotePath) else _MOST_COMPARED
        if member.crc is None or not member.is_stored or member.name in self._compared:
            return
        if member.size > most and not whole:
            return
        import zlib

        crc = 0
        for chunk in FileRange(self.file, member.start, member.size).chunks():
            crc = zlib.crc32(chunk, crc)
        if crc != member.crc:
            raise FormatError("its bytes do not match their checksum", path=path, hint="fetch or write it again")
        self._compared.add(member.name)

    def named(self, name: str) -> Member | None:
        """Return the member of a name, None if there is none."""
        return self.members.get(name)

    def member_file(self, member: Member, path: Path) -> SourceFile:
        """Return a member to read from. Unpacks it if it is packed.

        Raises:
            FormatError: it is damaged, encrypted, or would grow beyond measure.
        """
        if member.problem:
            raise FormatError(member.problem, path=path)
        if member.is_stored:
            return MemberFile(path, self.file, member.start, member.size)
        if member.name not in self._unpacked:
            self._unpacked[member.name] = self._unpack(member, path)
        held = self._unpacked[member.name]
        held.path = path
        return held

    @abstractmethod
    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the bundle with other bytes for one member; the others keep theirs, their order and alignment.

        Raises:
            UnsupportedError: such a member is not replaced.
        """

    def _unpack(self, member: Member, path: Path) -> UnpackedFile:
        raise NotImplementedError


def scratch() -> IO[bytes]:
    """Return a file without a name, which is gone when it is closed."""
    held: Any = tempfile.TemporaryFile(prefix="gs-")  # noqa: SIM115  lives as long as what is made of it
    return held  # type: ignore[no-any-return]


def most_unpacked(packed: int) -> int:
    """Return how many bytes that many packed ones may unpack to."""
    return max(_FREE, _MOST_RATIO * packed)


def inflate(file: SourceFile, member: Member, path: Path) -> UnpackedFile:
    """Unpack a deflated member into a file without a name.

    Raises:
        FormatError: it is damaged, or would grow beyond measure.
    """
    if member.size > most_unpacked(member.packed):
        what = f"{member.packed:,} bytes that say they unpack to {member.size:,}"
        raise FormatError(what, path=path, hint="unpack it with another tool if you trust it")
    held = scratch()
    try:
        size = _inflate_into(held, file, member, path)
    except BaseException:
        held.close()
        raise
    return UnpackedFile(path, held, size)


def _inflate_into(held: IO[bytes], file: SourceFile, member: Member, path: Path) -> int:
    """Unpack into a file; return the bytes written."""
    import zlib

    engine, done, crc = zlib.decompressobj(-zlib.MAX_WBITS), 0, 0
    for begin in range(0, member.packed, BLOCK):
        data = file.read_at(member.start + begin, min(BLOCK, member.packed - begin))
        while data and not engine.eof:
            try:
                part = engine.decompress(data, BLOCK)
            except zlib.error as error:
                raise FormatError(f"the packed bytes are damaged ({error})", path=path) from error
            data = engine.unconsumed_tail
            done, crc = done + len(part), zlib.crc32(part, crc)
            if done > member.size:
                raise FormatError(f"it unpacks to more than the {member.size:,} bytes that it says", path=path)
            held.write(part)
    held.flush()
    if done != member.size or not engine.eof:
        raise FormatError(f"it unpacks to {done:,} bytes and says {member.size:,}", path=path)
    if member.crc is not None and crc != member.crc:
        raise FormatError("its bytes do not match their checksum", path=path, hint="fetch or write it again")
    return done


def refused_name(name: str) -> str:
    """Say why a member may not be called so; empty if it may."""
    parts = name.replace("\\", "/").split("/")
    if not name or name[:1] in ("/", "\\") or ".." in parts or name[1:2] == ":" or "\0" in name:
        return f"a member is called {name!r}, which leads outside"
    return ""


def require_apart(spans: list[tuple[int, int, str]], stop: int, path: Path) -> None:
    """Refuse members that overlap: the same bytes twice are how a small file unpacks to a large one.

    Args:
        spans: first byte, byte behind the last, and name of each.
        stop: where their part of the bundle ends.
        path: of the bundle.

    Raises:
        FormatError: two of them share bytes, or one ends behind the end.
    """
    reached, last = 0, ""
    for begin, end, name in sorted(spans):
        if begin < reached:
            raise FormatError(f"the members {last!r} and {name!r} overlap at byte {begin}", path=path)
        if end > stop:
            raise FormatError(f"the member {name!r} ends at byte {end}, behind its end at {stop}", path=path)
        reached, last = end, name
