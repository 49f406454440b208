"""Files behind URLs, read by ranges: the structure of a model moves kilobytes, its weights when they are asked for.

What was fetched is kept for the command that runs: a file is opened several times, and read in steps of a few bytes.
How much is read ahead follows from how much there is and was: little where payloads are jumped over, which a protobuf
makes a chain, for the next node is known only when the one before is read.
"""

from __future__ import annotations

import os
import tempfile
from bisect import bisect_right
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from time import monotonic
from typing import Any

from graphsurgeon.disk.files import SourceFile, check_range
from graphsurgeon.disk.places import RemotePath
from graphsurgeon.disk.stores import HEAD, SMALL, TRAFFIC, Listed, RemoteStore, Seen, Web, fetched, store_of
from graphsurgeon.errors import FileError, FormatError, UsageError

MOST_UNASKED = 100_000_000  # bytes of a file that is fetched whole, for want of ranges, without `--download`
_LEAST, _MOST = 1 << 12, 1 << 16  # bytes read ahead after a jump
_MANY = 400  # pieces of one file, from which on the time for each counts more than its bytes
_FAR = 1 << 19  # bytes of a jump, from which on what is read ahead does not hold what comes next
_MOST_AHEAD = 1 << 20  # bytes read ahead where reading goes on without jumps
_MOST_HELD = 32 << 20  # bytes of one file that are kept
_MOST_FILES = 256
_FRESH = 30.0  # seconds for which what a store said is taken to hold
# What a folder on the web, which cannot be listed, may hold: the files that models there must have.
_ENTRIES = ("saved_model.pb", "saved_model.pbtxt", "checkpoint", "variables.index", "model.json")
_OTHERS = ("fingerprint.pb", "keras_metadata.pb")
_VARIABLES = "variables"
_DATA = "variables.data-{:05d}-of-{:05d}"
_MOST_SHARDS = 4


class RemoteSettings:
    """What the user of this process wants.

    Attributes:
        download: fetch files whole that are larger than `MOST_UNASKED`, where a server has no ranges.
        tell: told of what takes long, in a line.
    """

    def __init__(self) -> None:
        self.download = False
        self.tell: Callable[[str], None] = lambda line: None


SETTINGS = RemoteSettings()
_opened: dict[str, tuple[float, RemoteFile | None]] = {}
_listed: dict[str, tuple[float, dict[str, bool]]] = {}


class RemoteFile(SourceFile):
    """A file behind a URL; what was read of it is kept, the latest pieces first."""

    __slots__ = ("_ahead", "_fetches", "_held", "_last", "_moved", "_pieces", "_starts", "_store", "seen")

    def __init__(self, path: RemotePath, store: RemoteStore, seen: Seen) -> None:
        super().__init__(path, seen.size, (0, 0))
        self.seen = seen
        self._store = store
        self._starts: list[int] = []
        self._pieces: list[bytes] = []
        self._held: Any = None  # all of it, where the server has no ranges
        self._moved = self._fetches = 0
        self._last = 0
        self._ahead = 0
        if seen.head:
            self._keep(0, seen.head)

    @property
    def step(self) -> int:
        """How much is read at once while looking for structure."""
        return HEAD if self.size <= SMALL else _LEAST

    def read_at(self, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset`; see `SourceFile.read_at`."""
        check_range(offset, length, self.size, self.path)
        if not length:
            return b""
        found = self._kept(offset, length)
        if found is not None:
            return found
        if not self.seen.has_ranges:
            return os.pread(self._whole(), length, offset)
        start, stop = (0, self.size) if self.size <= SMALL else (offset, self._until(offset, length))
        data = self._fetch(start, stop)
        if stop - start <= _MOST_HELD // 4:
            self._keep(start, data)
        return data[offset - start : offset - start + length]

    @contextmanager
    def view(self) -> Iterator[Any]:
        """Give something that is indexed and cut like the file's bytes; what is looked at is fetched."""
        yield memoryview(self.read_at(0, self.size)) if self.size <= SMALL else _View(self)

    def descriptor(self) -> int:
        """Refuse: there is no file here that the system could copy.

        Raises:
            FileError: always.
        """
        raise FileError("lies on a store, not on a disk of this machine", path=self.path)

    def require_unchanged(self) -> None:
        """Look again whether it is the file that was opened.

        Raises:
            FileError: it was replaced or removed meanwhile.
        """
        path = self.path
        assert isinstance(path, RemotePath)
        if self._starts and not isinstance(self._store, Web):  # the web says it with each range
            seen = fetched(path, "look at", lambda: self._store.look(path))
            if seen is None or (seen.size, seen.mark) != (self.seen.size, self.seen.mark):
                raise FileError("the file was replaced while it was being read", path=path)

    def _kept(self, offset: int, length: int) -> bytes | None:
        place = bisect_right(self._starts, offset) - 1
        if place < 0:
            return None
        begin = offset - self._starts[place]
        piece = self._pieces[place]
        return piece[begin : begin + length] if begin + length <= len(piece) else None

    def _keep(self, start: int, data: bytes) -> None:
        place = bisect_right(self._starts, start)
        if place and self._starts[place - 1] == start:
            self._pieces[place - 1] = max(self._pieces[place - 1], data, key=len)
            return
        self._starts.insert(place, start)
        self._pieces.insert(place, data)
        if sum(map(len, self._pieces)) > _MOST_HELD:
            self._starts, self._pieces = [start], [data]

    def _until(self, offset: int, length: int) -> int:
        """Say up to where to fetch: on and on without a jump more each time, after a jump little."""
        goes_on = self._last - self._ahead <= offset <= self._last
        share = (self.size // 200 - self._moved) // 64
        is_dense = self._fetches >= _MANY and abs(offset - self._last) < _FAR
        after_jump = _MOST if is_dense else min(max(share, _LEAST), _MOST)
        self._ahead = min(self._ahead * 2, _MOST_AHEAD) if goes_on and self._ahead else after_jump
        return min(max(offset + length, offset + self._ahead), self.size)

    def _fetch(self, start: int, stop: int) -> bytes:
        path = self.path
        assert isinstance(path, RemotePath)
        parts: list[bytes] = []
        begin = start
        while begin < stop:
            part = fetched(path, "read", lambda begin=begin: self._store.fetch(path, begin, stop, self.seen))  # type: ignore[misc]
            if not part:
                raise FileError(f"the connection was cut, or the file ends before byte {begin + 1}", path=path)
            parts.append(part)
            begin += len(part)
        self._last = stop
        self._moved += stop - start
        self._fetches += 1
        return b"".join(parts)

    def _whole(self) -> int:
        """Return a descriptor of all of it, fetched into a file without a name."""
        if self._held is None:
            path = self.path
            assert isinstance(path, RemotePath)
            if self.size > MOST_UNASKED and not SETTINGS.download:
                what = f"the server gives out whole files only, and this one has {self.size / 1e6:,.0f} MB"
                raise UsageError(what, path=path, hint="--download fetches it all the same")
            SETTINGS.tell(f"{path}: the server gives out whole files only: fetching {self.size / 1e6:,.1f} MB")
            held = tempfile.TemporaryFile(prefix="gs-")  # noqa: SIM115  lives as long as this object
            answer = fetched(path, "read", lambda: Web().stream(path))
            while part := fetched(path, "read", lambda: answer.read(SMALL)):
                held.write(part)
            held.flush()
            if held.tell() != self.size:
                raise FileError(f"the connection was cut after {held.tell()} of {self.size} bytes", path=path)
            self._held = held
        return int(self._held.fileno())


class _View:
    """Stands for a map of the file."""

    def __init__(self, file: RemoteFile) -> None:
        self.file = file

    def __len__(self) -> int:
        return self.file.size

    def __getitem__(self, place: int | slice) -> int | memoryview:
        if isinstance(place, slice):
            start, stop, _ = place.indices(self.file.size)
            return memoryview(self.file.read_at(start, max(0, stop - start)))
        if not 0 <= place < self.file.size:
            raise IndexError(place)
        return self.file.read_at(place, 1)[0]


def open_file(path: RemotePath) -> RemoteFile:
    """Return a file behind a URL.

    Raises:
        FileError: it is missing, or the store refuses or does not answer.
        UnsupportedError: the package for such a store is not installed.
    """
    found = _look(path)
    if found is None:
        what = "is a folder, not a file" if is_folder(path) else "no such file on the store"
        raise FileError(what, path=path)
    return found


def require_place(path: RemotePath) -> None:
    """Refuse a place that no file can be put at.

    Raises:
        UsageError: it is on the web, whose servers give files out and take none; or nobody knows such a store.
        UnsupportedError: the package for such a store is not installed.
    """
    if not isinstance(store_of(path), Listed):
        raise UsageError("a server of the web takes no files", path=path, hint="write to a local path")


def put(path: RemotePath, file: Path) -> None:
    """Put a file of this machine at a place of a store, in one step: S3 and the like show it when all of it is there.

    Raises:
        FileError: the store refuses, or does not answer.
    """
    store = store_of(path)
    assert isinstance(store, Listed)
    fetched(path, "write", lambda: store.put(path, file))
    for known in (_opened, _listed):  # what was known of it holds no more
        known.clear()


def exists(path: RemotePath) -> bool:
    """Say whether there is a file or a folder."""
    return is_file(path) or is_folder(path)


def is_file(path: RemotePath) -> bool:
    """Say whether there is a file."""
    return _look(path) is not None


def is_folder(path: RemotePath) -> bool:
    """Say whether there is a folder; on the web, one that holds a file which makes it a model."""
    return not is_file(path) and bool(_names(path))


def folder_names(folder: RemotePath) -> list[str]:
    """Return the names in a folder, sorted; on the web, those of files that models have."""
    return sorted(_names(folder))


def tree_names(folder: RemotePath) -> list[str]:
    """Return every path below a folder as `a/b`, sorted."""
    if folder.is_web:
        return sorted(_web_tree(folder))
    found: list[str] = []
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        for name, below in _names(folder / prefix if prefix else folder).items():
            if below:
                waiting.append(f"{prefix}{name}/")
            else:
                found.append(prefix + name)
    return sorted(found)


def file_size(path: RemotePath) -> int:
    """Return the bytes of a file."""
    return open_file(path).size


def stamp(path: RemotePath) -> tuple[int, int]:
    """Return the size of a file, and a number made of its mark."""
    import hashlib

    file = open_file(path)
    return file.size, int.from_bytes(hashlib.blake2b(file.seen.mark.encode(), digest_size=7).digest(), "big")


def require_unchanged() -> None:
    """Look again at what was opened and read.

    Raises:
        FileError: a file was replaced meanwhile.
    """
    for _, file in list(_opened.values()):
        if file is not None:
            file.require_unchanged()


def report() -> str:
    """Say what was fetched so far; empty if nothing was."""
    if not TRAFFIC.requests:
        return ""
    return f"{TRAFFIC.bytes:,} bytes came in {TRAFFIC.requests:,} requests"


def _look(path: RemotePath) -> RemoteFile | None:
    known = _opened.get(str(path))
    if known is not None and monotonic() - known[0] < _FRESH:
        return known[1]
    store = store_of(path)
    seen = fetched(path, "look at", lambda: store.look(path))
    if len(_opened) >= _MOST_FILES:
        _opened.clear()
    file = None if seen is None else RemoteFile(path, store, seen)
    _opened[str(path)] = (monotonic(), file)
    return file


def _names(folder: RemotePath) -> dict[str, bool]:
    known = _listed.get(str(folder))
    if known is not None and monotonic() - known[0] < _FRESH:
        return known[1]
    if folder.is_web:
        found = {name: False for name in _ENTRIES if is_file(folder / name)}
    else:
        store = store_of(folder)
        found = fetched(folder, "list the folder", lambda: store.names(folder) or {})
    _listed[str(folder)] = (monotonic(), found)
    return found


def _web_tree(folder: RemotePath) -> Iterator[str]:
    """Yield the files that a SavedModel on the web, or its folder of variables, must have or may have."""
    inside = "" if folder.name == _VARIABLES else f"{_VARIABLES}/"
    names = (f"{inside}variables.index", *(() if not inside else (*_ENTRIES[:2], *_OTHERS)))
    yield from (name for name in names if is_file(folder / name))
    for count in range(1, _MOST_SHARDS + 1):
        shards = [f"{inside}{_DATA.format(shard, count)}" for shard in range(count)]
        if is_file(folder / shards[0]):
            yield from (shard for shard in shards if is_file(folder / shard))
            return


def contained(folder: RemotePath, name: str) -> Path:
    """Return the path of a file that a model names below its folder; a store has no links.

    Raises:
        FormatError: the name leads outside.
    """
    pure = PurePosixPath(name)
    if not name or pure.is_absolute() or ".." in pure.parts or "\0" in name or "://" in name:
        raise FormatError(f"the file name {name!r} leads outside the model's folder", path=folder)
    return folder / pure
