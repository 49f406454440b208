"""Move bytes into an open file: inside the system where it can, else in blocks of 4 MiB."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

from graphsurgeon.disk.checked import CheckedRange
from graphsurgeon.disk.files import BLOCK, Computed, FileRange, Progress, Rope, open_source
from graphsurgeon.disk.places import RemotePath

_SMALL = 64 << 10  # below this, reading is cheaper than asking the system to copy
_STRIDE = 16 << 20  # bytes per call of the system's copy: small enough for a moving progress bar
_FICLONE = 0x40049409
# Errors that say "not this way": other file systems, other kinds of file, an older kernel, a sandbox.
_CANNOT = {errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM, errno.EACCES}


class Meter:
    """Counts bytes for a progress callback."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self.total = total
        self.done = 0
        self._progress = progress

    def add(self, count: int) -> None:
        """Report that `count` more bytes are done."""
        self.done += count
        if self._progress is not None:
            self._progress(self.done, self.total)


def write_rope(descriptor: int, rope: Rope, meter: Meter) -> None:
    """Write all pieces at the current position. Small ones are gathered, large ranges never enter this process."""
    pending: list[bytes] = []
    size = 0
    for piece in rope:
        is_small = isinstance(piece, bytes) or (isinstance(piece, FileRange) and piece.length <= _SMALL)
        if is_small:
            pending.append(piece if isinstance(piece, bytes) else b"".join(piece.chunks()))
            size += len(piece)
            if size < BLOCK:
                continue
        _write_all(descriptor, b"".join(pending), meter)
        pending, size = [], 0
        if is_small:
            continue
        if isinstance(piece, Computed):
            for chunk in piece.chunks():
                _write_all(descriptor, chunk, meter)
        elif isinstance(piece, FileRange):
            copy_range(descriptor, piece, meter)
    _write_all(descriptor, b"".join(pending), meter)


def copy_range(descriptor: int, piece: FileRange, meter: Meter) -> None:
    """Append a range of a file: shared or copied by the system, else read and written, as what is compared must be.

    Raises:
        FileError: the source was cut meanwhile.
        FormatError: it is compared, and does not match a checksum.
    """
    if isinstance(piece.file.path, RemotePath):
        for chunk in piece.chunks():
            _write_all(descriptor, chunk, meter)
        return
    source = piece.file.descriptor()
    begin = piece.file.start + piece.offset
    is_all = piece.length == piece.file.size and not begin and os.lseek(descriptor, 0, os.SEEK_CUR) == 0
    is_cloned = is_all and _clone(descriptor, source, piece.length)
    if isinstance(piece, CheckedRange):
        for chunk in piece.chunks():
            meter.add(len(chunk)) if is_cloned else _write_all(descriptor, chunk, meter)
        return
    if is_cloned:
        meter.add(piece.length)
        return
    done = 0
    for copy in _system_copies():
        done += _copy_by(copy, descriptor, source, begin + done, piece.length - done, meter)
    for chunk in piece.part(done, piece.length - done).chunks():
        _write_all(descriptor, chunk, meter)


def copy_file(descriptor: int, source: Path, meter: Meter) -> None:
    """Append a whole file."""
    file = open_source(source)
    copy_range(descriptor, file.whole(), meter)
    file.close()  # trees have many files; their descriptors need not wait for the garbage collector


def link_file(source: Path, target: Path) -> bool:
    """Give a file a second name; False where the system cannot, or not across these folders."""
    if isinstance(source, RemotePath):
        return False
    try:
        os.link(os.path.realpath(source), target)
    except OSError:
        return False
    return True


def _clone(descriptor: int, source: int, length: int) -> bool:
    """Share the blocks of a whole file, where the file system can; the size is checked, for it may have grown."""
    if not sys.platform.startswith("linux"):
        return False
    import fcntl

    try:
        fcntl.ioctl(descriptor, _FICLONE, source)
    except OSError:
        return False
    os.ftruncate(descriptor, length)
    os.lseek(descriptor, length, os.SEEK_SET)
    return True


def _system_copies() -> list[Callable[[int, int, int, int], int]]:
    if not sys.platform.startswith("linux"):
        return []
    return [
        lambda target, source, offset, count: os.copy_file_range(source, target, count, offset),
        lambda target, source, offset, count: os.sendfile(target, source, offset, count),
    ]


def _copy_by(
    copy: Callable[[int, int, int, int], int], descriptor: int, source: int, offset: int, length: int, meter: Meter
) -> int:
    """Copy until done, or until the system cannot or gives nothing; return the bytes copied."""
    done = 0
    while done < length:
        try:
            count = copy(descriptor, source, offset + done, min(_STRIDE, length - done))
        except OSError as error:
            if error.errno in _CANNOT:
                break
            raise
        if not count:
            break
        done += count
        meter.add(count)
    return done


def _write_all(descriptor: int, data: bytes, meter: Meter) -> None:
    view = memoryview(data)
    while view:
        count = os.write(descriptor, view[:BLOCK])
        view = view[count:]
        meter.add(count)
