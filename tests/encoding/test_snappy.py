from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsurgeon.encoding.snappy import decompress
from graphsurgeon.errors import FormatError
from tests.work import at_most

LIMIT = 1 << 20


# By hand from the format description: length, then elements.
@pytest.mark.parametrize(
    ("block", "expected"),
    [
        (b"\x00", b""),
        (b"\x03\x08abc", b"abc"),
        (b"\x09\x08abc\x09\x03", b"abcabcabc"),  # 1-byte offset: length 6, 3 back, overlapping itself
        (b"\x08\x0cabcd\x0e\x04\x00", b"abcdabcd"),  # 2-byte offset: length 4
        (b"\x08\x0cabcd\x0f\x04\x00\x00\x00", b"abcdabcd"),  # 4-byte offset
        (b"\x3d\xf0\x3c" + bytes(61), bytes(61)),  # literal whose length takes one more byte
        (b"\xac\x02\xf4\x2b\x01" + b"x" * 300, b"x" * 300),  # literal whose length takes two
    ],
)
def test_elements(block: bytes, expected: bytes) -> None:
    assert decompress(block, LIMIT) == expected


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x80",
        b"\x03\x08ab",  # literal cut off
        b"\x04\x08abc",  # shorter than claimed
        b"\x02\x08abc",  # longer than claimed
        b"\x09\x08abc\x09\x04",  # reaches back too far
        b"\x09\x08abc\x09\x00",  # offset zero
        b"\x09\x08abc\x0e\x03",  # offset cut off
        b"\xff\xff\xff\xff\x0f\x08abc",  # claims 4 GiB
    ],
)
def test_damage(block: bytes) -> None:
    with pytest.raises(FormatError):
        decompress(block, LIMIT)


def test_a_bomb_is_refused_by_the_limit() -> None:
    block = b"\x80\x80\x04" + b"\x00a" + b"\xfe\x01\x00" * 1023
    with pytest.raises(FormatError, match="claims 65536 bytes"):
        decompress(block, 65535)


def test_the_densest_block_takes_a_few_steps_for_each_element() -> None:
    count = 40_000
    size = 1 + 64 * count
    varint = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21])
    block = varint + b"\x00a" + b"\xfe\x01\x00" * count
    with at_most(40 * count):  # 1 + 6 turns to make 64 bytes of one, and the rest
        made = decompress(block, size)
    assert made == b"a" * size


@given(st.lists(st.binary(max_size=40), max_size=30).map(lambda parts: b"".join(parts * 3)))
def test_what_a_compressor_makes(data: bytes) -> None:
    cramjam = pytest.importorskip("cramjam")
    assert decompress(bytes(cramjam.snappy.compress_raw(data)), LIMIT) == data


@given(st.binary(max_size=60))
def test_any_bytes_give_bytes_or_the_error(data: bytes) -> None:
    with suppress(FormatError):
        assert len(decompress(data, LIMIT)) <= 22 * len(data)
