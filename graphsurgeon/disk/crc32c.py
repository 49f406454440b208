"""CRC32C (Castagnoli), plain and masked as TensorFlow stores it.

A stored checksum is masked because a checksum over bytes that hold checksums is weak:
https://github.com/google/leveldb/blob/main/util/crc32c.h.
"""

from __future__ import annotations

from collections.abc import Iterable

_MASK_DELTA = 0xA282EAD8


def crc32c(data: bytes, crc: int = 0) -> int:
    """Return the checksum of bytes, continuing from `crc`."""
    import google_crc32c

    return int(google_crc32c.extend(crc, data))


def crc32c_of(chunks: Iterable[bytes]) -> int:
    """Return the checksum of all chunks, one after the other."""
    crc = 0
    for chunk in chunks:
        crc = crc32c(chunk, crc)
    return crc


def mask(crc: int) -> int:
    """Return the form in which a checksum is stored."""
    return ((crc >> 15 | crc << 17) + _MASK_DELTA) & 0xFFFFFFFF


def unmask(stored: int) -> int:
    """Return the checksum behind a stored form."""
    rotated = (stored - _MASK_DELTA) & 0xFFFFFFFF
    return (rotated >> 17 | rotated << 15) & 0xFFFFFFFF
