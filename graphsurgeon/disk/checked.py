"""Ranges of files whose checksums are compared on the way."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from graphsurgeon.disk.crc32c import crc32c, mask
from graphsurgeon.disk.files import FileRange, check_range
from graphsurgeon.errors import FormatError


class Span(NamedTuple):
    """A stretch of a range that has a checksum.

    Attributes:
        start: its first byte, counted from the beginning of the range.
        length: bytes.
        checksum: masked CRC32C of them.
        what: what the bytes are, for messages.
        begun: CRC32C, not masked, of what the checksum covers before them.
    """

    start: int
    length: int
    checksum: int
    what: str
    begun: int = 0


class CheckedRange(FileRange):
    """A range with checksums that are compared when their bytes have been read, which is how it is written, too.

    Attributes:
        spans: what is compared, by start; others' bytes may be shared, or lie between.
    """

    __slots__ = ("spans",)

    def __init__(self, stored: FileRange, spans: Iterable[Span]) -> None:
        super().__init__(stored.file, stored.offset, stored.length)
        self.spans = sorted(spans)
        for span in self.spans:
            check_range(span.start, span.length, self.length, self.file.path)

    def read(self) -> bytes:
        """Return all its bytes. Reads the file.

        Raises:
            FormatError: they do not match a checksum.
        """
        return b"".join(self.chunks())

    def chunks(self) -> Iterator[bytes]:
        """Yield its bytes in blocks. Reads the file.

        Raises:
            FormatError: they do not match a checksum; after the block in which the bytes of that end.
        """
        coming = iter(self.spans)
        following = next(coming, None)
        begun: list[tuple[Span, int]] = []
        start = 0
        for chunk in super().chunks():
            stop = start + len(chunk)
            while following is not None and following.start < stop:
                begun.append((following, following.begun))
                following = next(coming, None)
            begun = [pair for span, found in begun for pair in self._compare(span, found, chunk, start)]
            yield chunk
            start = stop
        while following is not None:  # empty ones at the end
            self._compare(following, following.begun, b"", start)
            following = next(coming, None)

    def _compare(self, span: Span, found: int, block: bytes, start: int) -> list[tuple[Span, int]]:
        """Return a span with its checksum up to the end of a block, or nothing if it ends there and is right."""
        end = span.start + span.length
        found = crc32c(block[max(span.start - start, 0) : max(end - start, 0)], found)
        if end > start + len(block):
            return [(span, found)]
        if mask(found) != span.checksum:
            raise FormatError(
                f"{span.what}: the {span.length} bytes at byte {self.offset + span.start} do not match their checksum",
                path=self.file.path,
                hint="restore the file from its source",
            )
        return []
