"""Tensor values as the shards of a bundle hold them, their checksums included.

Layouts follow `tensorflow/core/util/tensor_bundle/tensor_bundle.cc`. Fixed-size elements lie as they do in
memory. Strings: the length of each as a varint, a checksum of the lengths, then the strings. Variants: each
a varint length, a serialized message, a running checksum; they are listed and copied, not decoded.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.checked import Span
from graphsurgeon.disk.files import FileRange
from graphsurgeon.encoding.protowire import encode_varint, read_varint
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import STRING, VARIANT, DType

_CHECKSUM_SIZE = 4


def swap_bytes(data: bytes, dtype: DType) -> bytes:
    """Return elements in the other byte order."""
    size = dtype.itemsize // (2 if dtype.is_complex else 1)
    if size <= 1:
        return data
    out = bytearray(len(data))
    for position in range(size):
        out[position::size] = data[size - 1 - position :: size]
    return bytes(out)


def decode_strings(stored: FileRange, count: int) -> list[bytes]:
    """Return the elements of a string tensor. Reads the file.

    Raises:
        FormatError: the stored bytes do not hold `count` strings.
    """
    lengths, position = _string_lengths(stored, count)
    position += _CHECKSUM_SIZE
    if position + sum(lengths) != stored.length and count:
        raise FormatError(f"{count} strings of {sum(lengths)} bytes in all do not fill {stored.length} stored bytes")
    data = stored.read()
    items = []
    for length in lengths:
        items.append(data[position : position + length])
        position += length
    return items


def encode_strings(items: Sequence[bytes], *, big_endian: bool) -> tuple[bytes, int]:
    """Return the stored form of a string tensor, and its checksum."""
    checksum = crc32c.crc32c(_hashed_lengths([len(item) for item in items], big_endian=big_endian))
    between = struct.pack(_order(big_endian) + "I", crc32c.mask(checksum))
    strings = b"".join(items)
    data = b"".join(encode_varint(len(item)) for item in items) + between + strings
    return data, crc32c.crc32c(between + strings, checksum)


def payload_checksum(stored: FileRange, dtype: DType, count: int, *, big_endian: bool) -> int:
    """Return the checksum of `count` stored elements as TensorFlow computes it, not masked. Reads the file.

    Raises:
        FormatError: strings or variants do not have the form they should have.
    """
    if dtype is STRING:
        lengths, position = _string_lengths(stored, count)
        checksum = crc32c.crc32c(_hashed_lengths(lengths, big_endian=big_endian))
        for chunk in stored.part(position, stored.length - position).chunks():
            checksum = crc32c.crc32c(chunk, checksum)
        return checksum
    if dtype is VARIANT:
        return _variant_checksum(stored.read(), count)
    return crc32c.crc32c_of(stored.chunks())


def checked_span(
    stored: FileRange, dtype: DType, count: int, checksum: int, what: str, *, big_endian: bool
) -> Span | None:
    """Return what of `count` stored elements is compared while they are copied. Reads the lengths of strings.

    Returns:
        The span, None for variants: their checksum is not that of one stretch of bytes.

    Raises:
        FormatError: strings do not have the form they should have.
    """
    if dtype is VARIANT:
        return None
    if dtype is not STRING:
        return Span(0, stored.length, checksum, what)
    lengths, position = _string_lengths(stored, count)
    begun = crc32c.crc32c(_hashed_lengths(lengths, big_endian=big_endian))
    return Span(position, stored.length - position, checksum, what, begun)


def _string_lengths(stored: FileRange, count: int) -> tuple[list[int], int]:
    """Return the length of each string, and where the lengths end."""
    if count > stored.length:
        raise FormatError(f"{count} strings do not fit into {stored.length} bytes")
    head = stored.part(0, min(stored.length, 10 * count)).read()
    lengths, position = [], 0
    for _ in range(count):
        length, position = read_varint(head, position)
        if length > stored.length:
            raise FormatError(f"a string of {length} bytes does not fit into {stored.length}")
        lengths.append(length)
    if position + _CHECKSUM_SIZE > stored.length and count:
        raise FormatError(f"{stored.length} bytes end before the strings begin")
    return lengths, position


def _hashed_lengths(lengths: Sequence[int], *, big_endian: bool) -> bytes:
    """Return what the checksum sees of lengths: 4 bytes each as in the first version, 8 for what does not fit."""
    order = _order(big_endian)
    return b"".join(struct.pack(order + ("I" if length < 1 << 32 else "Q"), length) for length in lengths)


def _variant_checksum(data: bytes, count: int) -> int:
    checksum = position = 0
    if count > len(data):
        raise FormatError(f"{count} variants do not fit into {len(data)} bytes")
    for _ in range(count):
        length, position = read_varint(data, position)
        stop = position + length + _CHECKSUM_SIZE
        if stop > len(data):
            raise FormatError(f"a variant of {length} bytes runs past the {len(data)} stored")
        checksum = crc32c.crc32c(struct.pack("<Q", length) + data[position:stop], checksum)
        position = stop
    return checksum


def _order(big_endian: bool) -> str:
    return ">" if big_endian else "<"
