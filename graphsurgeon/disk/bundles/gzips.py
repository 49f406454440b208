"""What gzip has packed as a whole, a tar above all (`.tar.gz`): unpacked into a file without a name to look at it.

Spec: RFC 1952.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphsurgeon.disk.bundles.bundle import UnpackedFile, most_unpacked, scratch
from graphsurgeon.disk.bundles.tars import TarBundle
from graphsurgeon.disk.files import BLOCK, Rope, SourceFile, rope_chunks
from graphsurgeon.errors import FormatError

MARK = b"\x1f\x8b\x08"
_WITH_HEADER = 31  # for zlib: the largest window, and gzip's header and end around
_HEADER = 512  # bytes of a tar's first header


def is_gzipped_tar(file: SourceFile) -> bool:
    """Say whether a file is one, by the first bytes that are packed in it."""
    import zlib

    if file.read_at(0, min(file.size, len(MARK))) != MARK:
        return False
    try:
        head = zlib.decompressobj(_WITH_HEADER).decompress(file.read_at(0, min(file.size, 1 << 14)), _HEADER)
    except zlib.error:
        return False
    return head[257:262] == b"ustar"


class GzippedTar(TarBundle):
    """An archive that is packed as a whole."""

    def __init__(self, file: SourceFile) -> None:
        self.packed = file
        super().__init__(unpacked(file))

    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the archive with other bytes for one member, packed again; see `Container.replaced`."""
        import zlib

        held, engine, size = scratch(), zlib.compressobj(wbits=_WITH_HEADER), 0
        for chunk in rope_chunks(super().replaced(name, content)):
            size += held.write(engine.compress(chunk))
        size += held.write(engine.flush())
        held.flush()
        return [UnpackedFile(self.packed.path, held, size).whole()]


def unpacked(file: SourceFile, most: int | None = None) -> UnpackedFile:
    """Unpack into a file without a name.

    Args:
        file: as gzip wrote it.
        most: bytes that it may grow to; None for what any packed file may.

    Raises:
        FormatError: it is damaged, or would grow beyond measure.
    """
    held = scratch()
    try:
        bound = most_unpacked(file.size)
        size = _unpack_into(held, file, bound if most is None else min(most, bound))
    except BaseException:
        held.close()
        raise
    return UnpackedFile(file.path, held, size)


def _unpack_into(held: Any, file: SourceFile, most: int) -> int:
    import zlib

    path: Path = file.path
    engine, done = zlib.decompressobj(_WITH_HEADER), 0
    for begin in range(0, file.size, BLOCK):
        data = file.read_at(begin, min(BLOCK, file.size - begin))
        while data:
            if engine.eof:  # several may lie behind each other; what else does is ignored, as gzip does
                if not data.startswith(MARK):
                    break
                engine = zlib.decompressobj(_WITH_HEADER)
            try:
                part = engine.decompress(data, BLOCK)
            except zlib.error as error:
                raise FormatError(f"the packed bytes are damaged ({error})", path=path) from error
            data = engine.unused_data if engine.eof else engine.unconsumed_tail
            done += held.write(part)
            if done > most:
                what = f"{file.size:,} packed bytes that unpack to more than {most:,}"
                raise FormatError(what, path=path, hint="unpack it with another tool if you trust it")
    held.flush()
    if not engine.eof:
        raise FormatError("the packed bytes end too early", path=path, hint="fetch or write it again")
    return done
