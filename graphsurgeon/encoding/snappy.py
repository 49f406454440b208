"""Snappy blocks to bytes: https://github.com/google/snappy/blob/main/format_description.txt.

Checkpoint indexes are compressed with it by some writers; ours are not, so there is no compressor.
"""

from __future__ import annotations

from graphsurgeon.encoding.protowire import read_varint
from graphsurgeon.errors import FormatError

MAX_RATIO = 22  # the densest element makes 64 bytes of 3


def decompress(data: bytes, limit: int) -> bytes:
    """Return the uncompressed bytes of one block.

    Raises:
        FormatError: the block is damaged, or claims more than `limit` bytes or more than its size can hold.
    """
    length, position = read_varint(data, 0)
    if length > limit or length > MAX_RATIO * len(data):
        raise FormatError(f"a Snappy block of {len(data)} bytes claims {length} bytes")
    out = bytearray()
    end = len(data)
    while position < end:
        tag = data[position]
        if tag & 3 == 0:
            position = _literal(data, position, out)
        else:
            position = _copy(data, position, out)
        if len(out) > length:
            break
    if len(out) != length:
        raise FormatError(
            f"a Snappy block claims {length} bytes and holds {len(out)}{'' if position == end else ' or more'}"
        )
    return bytes(out)


def _literal(data: bytes, position: int, out: bytearray) -> int:
    """Append bytes that stand in the block; a length above 60 follows in 1 to 4 bytes."""
    length = data[position] >> 2
    position += 1
    if length >= 60:
        extra = length - 59
        length = int.from_bytes(data[position : position + extra], "little")
        position += extra
    stop = position + length + 1
    if stop > len(data):
        raise FormatError(f"a Snappy literal at byte {position} runs past the end of its block")
    out += data[position:stop]
    return stop


def _copy(data: bytes, position: int, out: bytearray) -> int:
    """Append bytes that came before; a copy may overlap what it appends."""
    tag = data[position]
    width = (0, 1, 2, 4)[tag & 3]
    stored = data[position + 1 : position + 1 + width]
    if len(stored) < width:
        raise FormatError(f"a Snappy copy at byte {position} runs past the end of its block")
    offset = int.from_bytes(stored, "little")
    length = (tag >> 2) + 1
    if width == 1:
        offset |= (tag >> 5) << 8
        length = (tag >> 2 & 7) + 4
    if not 0 < offset <= len(out):
        raise FormatError(f"a Snappy copy at byte {position} reaches {offset} bytes back, {len(out)} are there")
    start = len(out) - offset
    chunk = bytes(out[start : start + length])
    while len(chunk) < length:
        chunk += chunk[: length - len(chunk)]
    out += chunk
    return position + 1 + width
