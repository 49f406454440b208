"""The sorted string table in which checkpoints keep their index (and V1 checkpoints everything).

The format is LevelDB's (https://github.com/google/leveldb/blob/main/doc/table_format.md) in TensorFlow's
dialect (`tensorflow/core/lib/io/format.cc`): sorted keys in blocks, a block of separators over them, a footer
of 48 bytes. Blocks are read when they are asked for. Nothing that a file says is trusted: blocks must follow
each other, and keys and uncompressed blocks together may not grow far beyond the file.

The writer makes the bytes that TensorFlow's writer makes for the same entries.
"""

from __future__ import annotations

import struct
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding import snappy
from graphsurgeon.encoding.protowire import encode_varint, read_varint
from graphsurgeon.errors import FormatError

MAGIC = 0xDB4775248B80FB57
FOOTER_SIZE = 48
TRAILER_SIZE = 5  # compression type and checksum behind every block
BLOCK_SIZE = 262144  # bytes from which the writer ends a block
RESTART_INTERVAL = 16  # entries between two keys that are spelled in full

_UNCOMPRESSED, _SNAPPY = 0, 1
_GROWN = "keys and blocks grow far beyond the size of the file"
_GROWTH = 64 << 20  # bytes that keys and uncompressed blocks may take beyond four times the file


class Handle(NamedTuple):
    """Where a block lies: bytes from the start of the file, its trailer not counted."""

    offset: int
    size: int


class SSTable:
    """An open table.

    Attributes:
        file: the file.
        damaged: offsets of the blocks read so far whose checksum does not match.
    """

    def __init__(self, file: SourceFile) -> None:
        """Read footer and index block.

        Raises:
            FormatError: the file is no table, or its index block cannot be read.
        """
        self.file = file
        self.damaged: list[int] = []
        self._budget = _GROWTH + 4 * file.size
        index = read_footer(file)
        self._handles: list[Handle] = []
        self._separators: list[bytes] = []
        end = 0
        for separator, value in self._entries(index):
            handle = _decode_handle(value, 0)[0]
            if handle.offset < end:
                raise FormatError(f"the block at byte {handle.offset} overlaps another", path=file.path)
            end = handle.offset + handle.size + TRAILER_SIZE
            self._handles.append(handle)
            self._separators.append(separator)

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        """Yield all entries in file order. Reads the file block by block.

        Raises:
            FormatError: a block cannot be read.
        """
        for handle in self._handles:
            yield from self._entries(handle)

    def verify(self, progress: Callable[[int], None]) -> None:
        """Read every block once, so that `damaged` is complete; `progress` is called with the offset reached."""
        for handle in self._handles:
            self._stored(handle)
            progress(handle.offset + handle.size)

    def get(self, key: bytes, *, may_be_large: bool = False) -> bytes | None:
        """Return the value of a key, None if the table does not have it. Reads one block.

        Args:
            key: the whole key.
            may_be_large: the value is weights, which may have been compressed as densely as can be.
        """
        position = bisect_left(self._separators, key)
        if position == len(self._handles):
            return None
        before = self._budget
        self._budget = _GROWTH + (snappy.MAX_RATIO if may_be_large else 4) * self.file.size  # the block is not kept
        try:
            return next((value for found, value in self._entries(self._handles[position]) if found == key), None)
        finally:
            self._budget = before

    def _entries(self, handle: Handle) -> Iterator[tuple[bytes, bytes]]:
        try:
            block = self._block(handle)
            for key, value in _block_entries(block):
                self._budget -= len(key)
                if self._budget < 0:
                    raise FormatError(_GROWN)
                yield key, value
        except FormatError as error:
            raise FormatError(f"the block at byte {handle.offset}: {error.message}", path=self.file.path) from error

    def _block(self, handle: Handle) -> bytes:
        stored = self._stored(handle)
        content, kind = stored[: handle.size], stored[handle.size]
        if kind == _SNAPPY:
            content = snappy.decompress(content, self._budget)
            self._spend(len(content))
        elif kind != _UNCOMPRESSED:
            raise FormatError(f"unknown compression {kind}")
        return content

    def _stored(self, handle: Handle) -> bytes:
        """Return a block with its trailer; note whether it matches its checksum."""
        if handle.offset + handle.size + TRAILER_SIZE > self.file.size - FOOTER_SIZE:
            raise FormatError(f"its {handle.size} bytes reach into the footer or past the end of the file")
        stored = self.file.read_at(handle.offset, handle.size + TRAILER_SIZE)
        (checksum,) = struct.unpack_from("<I", stored, handle.size + 1)
        if crc32c.mask(crc32c.crc32c(stored[:-4])) != checksum and handle.offset not in self.damaged:
            self.damaged.append(handle.offset)
        return stored

    def _spend(self, amount: int) -> None:
        self._budget -= amount
        if self._budget < 0:
            raise FormatError(_GROWN)


def is_table(file: SourceFile) -> bool:
    """Say whether a file ends as a table does."""
    return file.size >= FOOTER_SIZE and file.read_at(file.size - 8, 8) == struct.pack("<Q", MAGIC)


def read_footer(file: SourceFile) -> Handle:
    """Return where the index block of a table lies.

    Raises:
        FormatError: the file does not end in a footer.
    """
    if not is_table(file):
        hint = "it may be cut off, or be of another kind"
        raise FormatError("does not end in the footer of a checkpoint table", path=file.path, hint=hint)
    footer = file.read_at(file.size - FOOTER_SIZE, FOOTER_SIZE)
    try:
        _, position = _decode_handle(footer, 0)
        return _decode_handle(footer, position)[0]
    except FormatError as error:
        raise FormatError(f"the footer: {error.message}", path=file.path) from error


def _decode_handle(data: bytes, position: int) -> tuple[Handle, int]:
    offset, position = read_varint(data, position)
    size, position = read_varint(data, position)
    return Handle(offset, size), position


def _block_entries(block: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values; a key may begin like the one before it, of which only the length is stored."""
    end = _restarts(block)
    position, key = 0, b""
    while position < end:
        start = position
        shared, position = read_varint(block, position)
        fresh, position = read_varint(block, position)
        length, position = read_varint(block, position)
        if shared > len(key) or position + fresh + length > end:
            raise FormatError(f"the entry at its byte {start} does not fit")
        key = key[:shared] + block[position : position + fresh]
        position += fresh
        yield key, block[position : position + length]
        position += length


def _restarts(block: bytes) -> int:
    """Return where the entries of a block end and its list of restart points begins."""
    if len(block) < 4:
        raise FormatError(f"{len(block)} bytes are no block")
    count: int = struct.unpack_from("<I", block, len(block) - 4)[0]
    end = len(block) - 4 * (count + 1)
    if end < 0:
        raise FormatError(f"{count} restart points do not fit into {len(block)} bytes")
    return end


def write_table(entries: Iterable[tuple[bytes, bytes]], *, block_size: int = BLOCK_SIZE) -> bytes:
    """Return an uncompressed table of entries whose keys ascend strictly."""
    file = bytearray()
    index = _BlockBuilder(restart_interval=1)
    block = _BlockBuilder()
    pending: tuple[bytes, Handle] | None = None  # the last block, whose separator depends on the next key
    last = b""
    for number, (key, value) in enumerate(entries):
        assert not number or key > last, "keys of a table must ascend"
        if pending is not None:
            index.add(shortest_separator(pending[0], key), _encode_handle(pending[1]))
            pending = None
        block.add(key, value)
        last = key
        if block.size >= block_size:
            pending = (last, _append_block(file, block))
            block = _BlockBuilder()
    if not block.is_empty:
        pending = (last, _append_block(file, block))
    meta = _append_block(file, _BlockBuilder())
    if pending is not None:
        index.add(short_successor(pending[0]), _encode_handle(pending[1]))
    footer = _encode_handle(meta) + _encode_handle(_append_block(file, index))
    return bytes(file) + footer.ljust(FOOTER_SIZE - 8, b"\0") + struct.pack("<Q", MAGIC)


def shortest_separator(start: bytes, limit: bytes) -> bytes:
    """Return a short key that is not less than `start` and less than `limit`."""
    shared = _shared_length(start, limit)
    if shared < min(len(start), len(limit)) and start[shared] + 1 < limit[shared]:
        return start[:shared] + bytes([start[shared] + 1])
    return start


def short_successor(key: bytes) -> bytes:
    """Return a short key that is not less than `key`."""
    for position, byte in enumerate(key):
        if byte != 0xFF:
            return key[:position] + bytes([byte + 1])
    return key


class _BlockBuilder:
    def __init__(self, restart_interval: int = RESTART_INTERVAL) -> None:
        self._interval = restart_interval
        self._data = bytearray()
        self._restarts = [0]
        self._count = 0
        self._last = b""

    @property
    def is_empty(self) -> bool:
        return not self._data

    @property
    def size(self) -> int:
        return len(self._data) + 4 * len(self._restarts) + 4

    def add(self, key: bytes, value: bytes) -> None:
        shared = 0
        if self._count < self._interval:
            shared = _shared_length(self._last, key)
        else:
            self._restarts.append(len(self._data))
            self._count = 0
        for number in (shared, len(key) - shared, len(value)):
            self._data += encode_varint(number)
        self._data += key[shared:] + value
        self._last = key
        self._count += 1

    def finish(self) -> bytes:
        count = len(self._restarts)
        return bytes(self._data) + struct.pack(f"<{count + 1}I", *self._restarts, count)


def _append_block(file: bytearray, block: _BlockBuilder) -> Handle:
    content = block.finish()
    handle = Handle(len(file), len(content))
    checked = content + bytes([_UNCOMPRESSED])
    file += checked + struct.pack("<I", crc32c.mask(crc32c.crc32c(checked)))
    return handle


def _encode_handle(handle: Handle) -> bytes:
    return encode_varint(handle.offset) + encode_varint(handle.size)


def _shared_length(first: bytes, second: bytes) -> int:
    limit = min(len(first), len(second))
    differing = int.from_bytes(first[:limit], "little") ^ int.from_bytes(second[:limit], "little")
    return ((differing & -differing).bit_length() - 1) // 8 if differing else limit
