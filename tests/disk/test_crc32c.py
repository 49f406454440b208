from __future__ import annotations

import pytest

from graphsurgeon.disk import crc32c as crc


def bitwise(data: bytes) -> int:
    """CRC32C straight from its definition: the reflected polynomial 0x82F63B78."""
    value = 0xFFFFFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    return value ^ 0xFFFFFFFF


# RFC 3720, appendix B.4.
@pytest.mark.parametrize(
    ("data", "expected"),
    [(b"", 0), (b"123456789", 0xE3069283), (bytes(32), 0x8A9136AA), (b"\xff" * 32, 0x62A8AB43)],
)
def test_published_values(data: bytes, expected: int) -> None:
    assert crc.crc32c(data) == expected == bitwise(data)


def test_checksum_of_parts_is_that_of_the_whole() -> None:
    assert crc.crc32c(b"789", crc.crc32c(b"123456")) == 0xE3069283
    assert crc.crc32c_of([b"12", b"", b"3456789"]) == 0xE3069283


def test_mask_rotates_and_adds() -> None:
    # 0xE3069283 rotated right by 15 bits is 0x2507C60D; plus 0xA282EAD8.
    assert crc.mask(0xE3069283) == 0xC78AB0E5
    assert crc.unmask(0xC78AB0E5) == 0xE3069283
    assert crc.mask(0) == 0xA282EAD8
