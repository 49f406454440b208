"""A tar that gzip has packed as a whole (`.tar.gz`, `.tgz`): unpacked into a file without a name while it is looked at.

Spec: RFC 1952.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphsurgeon.disk.bundles.bundle import UnpackedFile, most_unpacked, scratch
from graphsurgeon.disk.bundles.tars import TarBundle
from graphsurgeon.disk.files import BLOCK, Rope, SourceFile, rope_chunks
from graphsurgeon.errors import FormatError

_MARK = b"\x1f\x8b\x08"
_WITH_HEADER = 31  # for zlib: the largest window, and gzip's header and end around
_HEADER = 512  # bytes of a tar's first header


def is_gzipped_tar(file: SourceFile) -> bool:
    """Say whether a file is one, by the first bytes that are packed in it."""
    import zlib

    if file.read_at(0, min(file.size, len(_MARK))) != _MARK:
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
        super().__init__(_unpacked(file))

    def replaced(self, name: str, content: Rope) -> Rope:
        """Return the archive with other bytes for one member, packed again; see `Container.replaced`."""
        import zlib

        held, engine, size = scratch(), zlib.compressobj(wbits=_WITH_HEADER), 0
        for chunk in rope_chunks(super().replaced(name, content)):
            size += held.write(engine.compress(chunk))
        size += held.write(engine.flush())
        held.flush()
        return [UnpackedFile(self.packed.path, held, size).whole()]


def _unpacked(file: SourceFile) -> UnpackedFile:
    """Unpack into a file without a name.

    Raises:
        FormatError: it is damaged, or would grow beyond measure.
    """
    held = scratch()
    try:
        size = _unpack_into(held, file)
    except BaseException:
        held.close()
        raise
    return UnpackedFile(file.path, held, size)


def _unpack_into(held: Any, file: SourceFile) -> int:
    import zlib

    path: Path = file.path
    engine, done, most = zlib.decompressobj(_WITH_HEADER), 0, most_unpacked(file.size)
    for begin in range(0, file.size, BLOCK):
        data = file.read_at(begin, min(BLOCK, file.size - begin))
        while data:
            if engine.eof:  # several may lie behind each other; what else does is ignored, as gzip does
                if not data.startswith(_MARK):
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
