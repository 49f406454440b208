"""Order-preserving encodings, in which checkpoints spell the keys of tensor slices.

The codes sort as the values do: https://github.com/google/orderedcode. A slice key is a zero, the tensor's
name, its rank, then start and length of every dimension; a length of -1 stands for the whole dimension.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.errors import FormatError

Extent = tuple[int, int]  # start and length of a slice in one dimension; length -1: all of it

WHOLE = -1
_ESCAPES = {0: b"\0\xff", 0xFF: b"\xff\0"}
MAX_RANK = 254  # TensorFlow's own limit


def encode_slice_key(name: bytes, extents: Sequence[Extent]) -> bytes:
    """Return the key of a slice."""
    parts = [encode_number(0), encode_string(name), encode_number(len(extents))]
    for start, length in extents:
        parts += [encode_signed(start), encode_signed(length)]
    return b"".join(parts)


def decode_slice_key(key: bytes) -> tuple[bytes, list[Extent]] | None:
    """Return name and extents of a slice's key; None if the key is no such thing."""
    if not key.startswith(b"\0"):
        return None
    try:
        name, position = decode_string(key, 1)
        rank, position = decode_number(key, position)
        if rank > MAX_RANK:
            return None
        extents = []
        for _ in range(rank):
            start, position = decode_signed(key, position)
            length, position = decode_signed(key, position)
            extents.append((start, length))
    except FormatError:
        return None
    return (name, extents) if position == len(key) else None


def encode_number(value: int) -> bytes:
    """Encode a number that is not negative: its length in bytes, then big-endian bytes."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return bytes([len(data)]) + data


def decode_number(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and the position behind it.

    Raises:
        FormatError: there is none, or it is not spelled the shortest way.
    """
    length = data[position] if position < len(data) else 9
    stop = position + 1 + length
    if length > 8 or stop > len(data) or (length and not data[position + 1]):
        raise FormatError(f"no ordered number at byte {position}")
    return int.from_bytes(data[position + 1 : stop], "big"), stop


def encode_string(value: bytes) -> bytes:
    """Encode bytes: 00 and FF are escaped, 00 01 ends them."""
    return b"".join(_ESCAPES.get(byte) or bytes([byte]) for byte in value) + b"\0\1"


def decode_string(data: bytes, position: int) -> tuple[bytes, int]:
    """Return the bytes at a position, and the position behind them.

    Raises:
        FormatError: there are none.
    """
    out = bytearray()
    while position + 1 < len(data):
        pair = data[position : position + 2]
        if pair == b"\0\1":
            return bytes(out), position + 2
        if pair in (b"\0\xff", b"\xff\0"):
            out.append(pair[0])
            position += 2
        elif pair[0] in (0, 0xFF):
            break
        else:
            out.append(pair[0])
            position += 1
    raise FormatError(f"no ordered string at byte {position}")


def encode_signed(value: int) -> bytes:
    """Encode a number of up to 64 bits: as many leading ones as bytes, then the sign, then the number."""
    length = (value if value >= 0 else ~value).bit_length() // 7 + 1
    return (value & (1 << 8 * length) - 1 ^ _header(length)).to_bytes(length, "big")


def decode_signed(data: bytes, position: int) -> tuple[int, int]:
    """Return the number at a position, and the position behind it.

    Raises:
        FormatError: there is none, or it is not spelled the shortest way.
    """
    window = data[position : position + 10].ljust(10, b"\0")
    bits = int.from_bytes(window, "big")
    negative = not bits >> 79
    flipped = ~bits & (1 << 80) - 1 if not negative else bits
    length = 80 - flipped.bit_length()
    stop = position + length
    if not 0 < length <= 10 or stop > len(data):
        raise FormatError(f"no ordered signed number at byte {position}")
    value = int.from_bytes(data[position:stop], "big") ^ _header(length)
    value -= 1 << 8 * length if negative else 0
    if encode_signed(value) != data[position:stop]:
        raise FormatError(f"no ordered signed number at byte {position}")
    return value, stop


def _header(length: int) -> int:
    return (1 << length) - 1 << 7 * length
