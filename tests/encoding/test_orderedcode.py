from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsurgeon.encoding import orderedcode as oc
from graphsurgeon.errors import FormatError

SIGNED = st.integers(-(2**63), 2**63 - 1)


# From the description of the code: as many leading ones as bytes, a sign bit, the number; negatives flipped.
@pytest.mark.parametrize(
    ("value", "code"),
    [
        (0, "80"), (1, "81"), (24, "98"), (63, "bf"), (64, "c040"), (8191, "dfff"), (8192, "e02000"), (-1, "7f"),
        (-64, "40"), (-65, "3fbf"), (2**63 - 1, "ffc07fffffffffffffff"), (-(2**63), "003f8000000000000000"),
    ],
)  # fmt: skip
def test_signed_numbers(value: int, code: str) -> None:
    assert oc.encode_signed(value).hex() == code
    assert oc.decode_signed(bytes.fromhex(code) + b"x", 0) == (value, len(code) // 2)


@pytest.mark.parametrize(("value", "code"), [(0, "00"), (1, "0101"), (255, "01ff"), (256, "020100")])
def test_numbers(value: int, code: str) -> None:
    assert oc.encode_number(value).hex() == code
    assert oc.decode_number(bytes.fromhex(code), 0) == (value, len(code) // 2)


@pytest.mark.parametrize(
    ("value", "code"), [(b"", "0001"), (b"ab", "61620001"), (b"\0", "00ff0001"), (b"\xff\1", "ff00010001")]
)
def test_strings(value: bytes, code: str) -> None:
    assert oc.encode_string(value).hex() == code
    assert oc.decode_string(bytes.fromhex(code), 0) == (value, len(code) // 2)


def test_key_of_a_slice_as_tensorflow_stores_it() -> None:
    key = b"\x00s/w\x00\x01\x01\x02\x80\x98\x80\x86"
    assert oc.encode_slice_key(b"s/w", [(0, 24), (0, 6)]) == key
    assert oc.decode_slice_key(key) == (b"s/w", [(0, 24), (0, 6)])
    assert oc.decode_slice_key(oc.encode_slice_key(b"s", [(0, oc.WHOLE)])) == (b"s", [(0, oc.WHOLE)])


@pytest.mark.parametrize(
    "key", [b"", b"w", b"\0", b"\0w", b"\0w\0\1", b"\0w\0\1\1\1", b"\0w\0\1\1\1\x80\x98x", b"\0w\0\2"]
)
def test_other_keys_are_no_slices(key: bytes) -> None:
    assert oc.decode_slice_key(key) is None


@pytest.mark.parametrize("code", ["", "c0", "c000", "ffff", "0000"])  # cut off, not the shortest form, too long
def test_damaged_signed_numbers(code: str) -> None:
    with pytest.raises(FormatError):
        oc.decode_signed(bytes.fromhex(code), 0)


@given(SIGNED, SIGNED)
def test_signed_codes_sort_as_numbers_do(first: int, second: int) -> None:
    codes = oc.encode_signed(first), oc.encode_signed(second)
    assert (codes[0] < codes[1]) == (first < second)
    assert oc.decode_signed(codes[0] + codes[1], 0) == (first, len(codes[0]))


@given(st.binary(max_size=12), st.binary(max_size=12))
def test_string_codes_sort_as_strings_do(first: bytes, second: bytes) -> None:
    codes = oc.encode_string(first), oc.encode_string(second)
    assert (codes[0] < codes[1]) == (first < second)
    assert oc.decode_string(codes[0] + codes[1], 0) == (first, len(codes[0]))


@given(st.binary(max_size=30), st.lists(st.tuples(st.integers(0, 2**40), st.integers(-1, 2**40)), max_size=5))
def test_slice_keys_come_back(name: bytes, extents: list[tuple[int, int]]) -> None:
    assert oc.decode_slice_key(oc.encode_slice_key(name, extents)) == (name, extents)


@given(st.binary(max_size=40))
def test_any_bytes_are_a_slice_key_or_not(data: bytes) -> None:
    found = oc.decode_slice_key(b"\0" + data)
    if found is not None:
        assert oc.encode_slice_key(*found) == b"\0" + data
