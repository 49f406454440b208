"""Files as pieces: positioned reads, ranges that stay on disk, and ropes that writers stream.

Only this module opens files.
Payloads are read with positioned reads and never through a map: mapped pages count as memory, and a file
that shrinks under a map kills the process. `SourceFile.view` is for finding structure only.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import Any, Protocol, TypeAlias, Union

from graphsurgeon.disk.places import MemberPath, RemotePath
from graphsurgeon.disk.refusals import reason as reason
from graphsurgeon.disk.refusals import translated as translated
from graphsurgeon.errors import FileError, FormatError

BLOCK = 4 << 20  # bytes read at once: large enough to be fast, small enough not to count as memory
Piece: TypeAlias = Union[bytes, "FileRange", "Computed"]
Rope: TypeAlias = list[Piece]
Progress: TypeAlias = Callable[[int, int], None]

_OPEN_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_CREATE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_SEEK_LOCK = threading.Lock()


class SourceFile:
    """A file to read from. The descriptor is opened at the first read and closed with the object.

    Attributes:
        path: as given.
        size: bytes when the object was made.
        start: where its bytes begin in what the descriptor is of.
    """

    __slots__ = ("_descriptor", "_identity", "path", "size", "start")

    def __init__(self, path: Path, size: int, identity: tuple[int, int]) -> None:
        self.path = path
        self.size = size
        self.start = 0
        self._identity = identity
        self._descriptor: int | None = None

    @property
    def step(self) -> int:
        """How much is read at once while looking for structure."""
        return 1 << 16

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`.

        Raises:
            FormatError: the range does not lie inside the file.
            FileError: the file cannot be read, or was replaced or cut since it was opened.
        """
        check_range(offset, length, self.size, self.path)
        descriptor = self.descriptor()
        with translated(self.path, "read"):
            parts = []
            while length > 0:
                part = _read_positioned(descriptor, min(length, 1 << 30), offset)
                if not part:
                    raise shrunk(self, offset)
                parts.append(part)
                offset += len(part)
                length -= len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    @contextmanager
    def view(self) -> Iterator[memoryview]:
        """Map the file read-only, to look for structure; do not touch payloads through it, nor keep it."""
        if not self.size:
            yield memoryview(b"")
            return
        import mmap

        try:
            mapped = mmap.mmap(self.descriptor(), self.size, access=mmap.ACCESS_READ)
        except (OSError, ValueError):  # some network and virtual file systems cannot map; or the file has just shrunk
            yield memoryview(self.read_at(0, self.size))
            return
        view = memoryview(mapped)
        try:
            yield view
        finally:
            _unmap(view, mapped)

    def whole(self) -> FileRange:
        """Return the range of all its bytes."""
        return FileRange(self, 0, self.size)

    def descriptor(self) -> int:
        """Return the open descriptor (for copying inside the system), opening it if need be."""
        if self._descriptor is None:
            with translated(self.path, "read"):
                descriptor = os.open(self.path, _OPEN_FLAGS)
            status = os.fstat(descriptor)
            if (status.st_dev, status.st_ino) != self._identity or status.st_size < self.size:
                os.close(descriptor)
                raise FileError("the file was replaced or cut while it was being read", path=self.path)
            self._descriptor = descriptor
        return self._descriptor

    def close(self) -> None:
        """Give the descriptor back; the next read opens the file again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def __del__(self) -> None:
        if getattr(self, "_descriptor", None) is not None:
            self.close()

    def __repr__(self) -> str:
        return f"SourceFile({str(self.path)!r}, {self.size} bytes)"


class FileRange:
    """A part of a file that is copied, not read, until somebody asks for it."""

    __slots__ = ("file", "length", "offset")

    def __init__(self, file: SourceFile, offset: int, length: int) -> None:
        check_range(offset, length, file.size, file.path)
        self.file = file
        self.offset = offset
        self.length = length

    def read(self) -> bytes:
        """Return all its bytes. Reads the file."""
        return self.file.read_at(self.offset, self.length)

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes in blocks of at most 4 MiB. Reads the file."""
        for start in range(0, self.length, BLOCK):
            yield self.file.read_at(self.offset + start, min(BLOCK, self.length - start))

    def part(self, start: int, length: int) -> FileRange:
        """Return a range inside this one."""
        check_range(start, length, self.length, self.file.path)
        return FileRange(self.file, self.offset + start, length)

    def __len__(self) -> int:
        return self.length

    def __eq__(self, other: object) -> bool:
        return isinstance(other, FileRange) and (self.file, self.offset, self.length) == (
            other.file,
            other.offset,
            other.length,
        )

    def __hash__(self) -> int:
        return hash((self.offset, self.length))

    def __repr__(self) -> str:
        return f"FileRange({str(self.file.path)!r}, {self.offset}, {self.length})"


class Computed:
    """Bytes that are made while they are written, such as values in another byte order or type."""

    __slots__ = ("_chunks", "length")

    def __init__(self, length: int, chunks: Callable[[], Iterator[bytes]]) -> None:
        self.length = length
        self._chunks = chunks

    def read(self) -> bytes:
        """Return all bytes."""
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Yield the bytes in blocks, as many as were promised.

        Raises:
            FormatError: there are more or fewer.
        """
        done = 0
        for chunk in self._chunks():
            done += len(chunk)
            yield chunk
        if done != self.length:
            raise FormatError(f"{done} bytes of values where {self.length} were expected")

    def __len__(self) -> int:
        return self.length


def open_source(path: str | os.PathLike[str]) -> SourceFile:
    """Return a file to read from.

    Raises:
        FileError: it is missing, unreadable, a folder or not an ordinary file.
    """
    keeper = _keeper(path)
    if keeper is not None:
        return keeper.open_file(path)
    with translated(path, "read"):
        status = os.stat(path)
        readable = os.access(path, os.R_OK)
    if stat.S_ISDIR(status.st_mode):
        raise FileError("is a folder, not a file", path=path)
    if not stat.S_ISREG(status.st_mode):
        raise FileError("is not an ordinary file (a pipe or device)", path=path, hint="save it to a file first")
    if not readable:
        raise FileError("cannot read: permission denied", path=path)
    return SourceFile(Path(path), status.st_size, (status.st_dev, status.st_ino))


def create_file(path: Path) -> int:
    """Make a new file and return its descriptor, to write to. Raises `OSError`, for the caller knows what it is for."""
    return os.open(path, _CREATE_FLAGS, 0o666)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, if they are not there.

    Raises:
        FileError: it cannot be made.
    """
    with translated(path, "make the folder"):
        os.makedirs(path, exist_ok=True)


def sync_folder(folder: Path) -> None:
    """Make renames in a folder last. Where a folder cannot be synced (Windows, some networks) only time is lost."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def exists(path: Path) -> bool:
    """Say whether something lies at a path (a broken symbolic link counts)."""
    keeper = _keeper(path)
    if keeper is not None:
        return keeper.exists(path)
    with translated(path, "look at"):
        return os.path.lexists(path)


def is_folder(path: Path) -> bool:
    """Say whether a path leads to a folder."""
    keeper = _keeper(path)
    if keeper is not None:
        return keeper.is_folder(path)
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """Say whether a path leads to an ordinary file."""
    keeper = _keeper(path)
    if keeper is not None:
        return keeper.is_file(path)
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_link(path: Path) -> bool:
    """Say whether a path is a symbolic link."""
    return os.path.islink(path)


def stamp(path: Path) -> tuple[int, int]:
    """Return the size in bytes and the time of the last change in nanoseconds, by which a change is noticed.

    Raises:
        FileError: there is no such file.
    """
    keeper = _keeper(path)
    if keeper is not None:
        return keeper.stamp(path)
    with translated(path, "look at"):
        status = os.stat(path)
    return status.st_size, status.st_mtime_ns


def can_list(folder: Path) -> bool:
    """Say whether the names in a folder can be had; a server of the web gives out files alone."""
    return isinstance(folder, MemberPath) or not (isinstance(folder, RemotePath) and folder.is_web)


def folder_names(folder: Path) -> list[str]:
    """Return the names in a folder, sorted.

    Raises:
        FileError: it cannot be listed.
    """
    keeper = _keeper(folder)
    if keeper is not None:
        return keeper.folder_names(folder)
    with translated(folder, "list the folder"):
        return sorted(os.listdir(folder))


def tree_names(folder: Path) -> list[str]:
    """Return every path below a folder as `a/b`, sorted; folders without content end in `/`. Links are not entered."""
    keeper = _keeper(folder)
    if keeper is not None:
        return keeper.tree_names(folder)
    found: list[str] = []
    with translated(folder, "list the folder"):
        for place, folders, names in os.walk(folder, onerror=_raise):
            inside = Path(place).relative_to(folder).as_posix()
            prefix = "" if inside == "." else inside + "/"
            found += [prefix + name for name in names]
            found += [prefix + name for name in folders if os.path.islink(os.path.join(place, name))]
            if prefix and not folders and not names:
                found.append(prefix)
    return sorted(found)


def file_sizes(folder: Path) -> dict[str, int]:
    """Return the size in bytes of every file below a folder, by its path inside; links out or to nothing are empty."""
    sizes = {}
    for name in tree_names(folder):
        if not name.endswith("/"):
            with translated(folder / name, "look at"):
                sizes[name] = _size_inside(folder, name)
    return sizes


def contained(folder: Path, name: str, root: Path | None = None) -> Path:
    """Return the path of a file that a model names, or holds, below its folder.

    Symbolic links may lead anywhere inside the folder, and into the store of blobs of a download cache that keeps
    a snapshot's files as links (`NAME/snapshots/REVISION/` beside `NAME/blobs/`).

    Args:
        folder: what the name starts from.
        name: as it stands in the model.
        root: the model's folder, where `folder` is one below it.

    Raises:
        FormatError: the name, or a link on its way, leads outside.
    """
    keeper = _keeper(folder)
    if keeper is not None:
        return keeper.contained(folder, name)
    pure = PurePosixPath(name.replace("\\", "/") if os.name == "nt" else name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name or (os.name == "nt" and ":" in name):
        raise FormatError(f"the file name {name!r} leads outside the model's folder", path=folder)
    path = folder / pure
    with translated(path, "follow the links of"):
        whole = Path(os.path.realpath(folder if root is None else root))
        real = Path(os.path.realpath(path))
    if not real.is_relative_to(whole) and not any(real.is_relative_to(store) for store in _blob_stores(whole)):
        raise FormatError(
            f"a symbolic link at {name!r} leads outside the model's folder, to {str(real)!r}",
            path=folder,
            hint="copy the folder with its links resolved (cp -rL) if you trust it",
        )
    return path


def rope_size(rope: Iterable[Piece]) -> int:
    """Return the bytes of all pieces."""
    return sum(map(len, rope))


def rope_chunks(rope: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the bytes of all pieces, ranges in blocks. Reads the files."""
    for piece in rope:
        if isinstance(piece, bytes):
            yield piece
        else:
            yield from piece.chunks()


def shrunk(file: SourceFile, offset: int) -> FileError:
    """Return the error for a file that ends before the size it had when it was opened."""
    return FileError(f"the file was cut while it was being read: it ends before byte {offset + 1}", path=file.path)


def check_range(offset: int, length: int, size: int, path: Path) -> None:
    """Refuse a range that does not lie inside a file.

    Raises:
        FormatError: it does not.
    """
    if offset < 0 or length < 0 or offset + length > size:
        raise FormatError(f"bytes {offset} to {offset + length} lie outside the {size} that there are", path=path)


class _Keeper(Protocol):
    """What knows a place that is not a folder or file of this machine."""

    def open_file(self, path: Any) -> SourceFile: ...
    def exists(self, path: Any) -> bool: ...
    def is_file(self, path: Any) -> bool: ...
    def is_folder(self, path: Any) -> bool: ...
    def stamp(self, path: Any) -> tuple[int, int]: ...
    def folder_names(self, folder: Any) -> list[str]: ...
    def tree_names(self, folder: Any) -> list[str]: ...
    def contained(self, folder: Any, name: str) -> Path: ...


def _keeper(path: str | os.PathLike[str]) -> _Keeper | None:
    if isinstance(path, MemberPath):
        from graphsurgeon.disk.bundles import inside

        return inside
    if isinstance(path, RemotePath):
        from graphsurgeon.disk import remote

        return remote
    return None


def _size_inside(folder: Path, name: str) -> int:
    if _keeper(folder) is not None:
        return open_source(folder / name).size
    try:
        return contained(folder, name).stat().st_size if os.path.exists(folder / name) else 0
    except FormatError:  # a link out: whoever needs the file says so
        return 0


def _blob_stores(root: Path) -> list[Path]:
    return [folder.parent / "blobs" for folder in root.parents if folder.name == "snapshots"]


def _read_positioned(descriptor: int, length: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(descriptor, length, offset)
    with _SEEK_LOCK:  # Windows has no positioned read
        os.lseek(descriptor, offset, os.SEEK_SET)
        return os.read(descriptor, length)


def _unmap(view: memoryview, mapped: object) -> None:
    try:
        view.release()
        mapped.close()  # type: ignore[attr-defined]
    except BufferError:  # a slice is still alive, in the traceback of an error perhaps: the map goes with it
        pass


def _raise(error: OSError) -> None:
    raise error
