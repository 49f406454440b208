from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding import sstable
from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.errors import FormatError
from tests.work import at_most

ENTRIES = [(b"", b"v"), (b"ab", b"1"), (b"abc", b"22")]


SCRATCH: list[Path] = []  # a folder for all examples of one property


@pytest.fixture(autouse=True, scope="module")
def _scratch(tmp_path_factory: pytest.TempPathFactory) -> None:
    SCRATCH[:] = [tmp_path_factory.mktemp("tables")]


def crc_trailer(block: bytes) -> bytes:
    """Type 0 and the masked CRC32C, both computed from their definitions."""
    value = 0xFFFFFFFF
    for byte in block + b"\0":
        value ^= byte
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
    value ^= 0xFFFFFFFF
    masked = ((value >> 15 | value << 17) + 0xA282EAD8) & 0xFFFFFFFF
    return b"\0" + struct.pack("<I", masked)


def by_hand() -> bytes:
    """The table of ENTRIES, byte by byte."""
    data = (
        b"\x00\x00\x01v"  # shared 0, new 0, value 1
        b"\x00\x02\x01ab1"
        b"\x02\x01\x02c22"  # shares "ab"
        b"\x00\x00\x00\x00\x01\x00\x00\x00"  # one restart point, at 0
    )
    meta = b"\x00\x00\x00\x00\x01\x00\x00\x00"  # an empty block
    index = b"\x00\x01\x02b" + b"\x00" + bytes([len(data)])  # "b" is the short successor of "abc"
    index += b"\x00\x00\x00\x00\x01\x00\x00\x00"
    meta_at = len(data) + 5
    index_at = meta_at + len(meta) + 5
    footer = bytes([meta_at, len(meta), index_at, len(index)]) + bytes(36) + bytes.fromhex("57fb808b247547db")
    return data + crc_trailer(data) + meta + crc_trailer(meta) + index + crc_trailer(index) + footer


def table_of(path: Path, data: bytes) -> sstable.SSTable:
    path.write_bytes(data)
    return sstable.SSTable(open_source(path))


def test_bytes_by_hand(tmp_path: Path) -> None:
    assert sstable.write_table(ENTRIES) == by_hand()
    table = table_of(tmp_path / "t", by_hand())
    assert list(table) == ENTRIES
    assert table.get(b"ab") == b"1"
    assert table.get(b"aa") is None
    assert table.get(b"zz") is None
    assert table.damaged == []


def test_an_empty_table_has_no_data_block(tmp_path: Path) -> None:
    data = sstable.write_table([])
    assert len(data) == 2 * (8 + 5) + 48
    assert list(table_of(tmp_path / "t", data)) == []


@pytest.mark.parametrize(
    ("start", "limit", "separator"),
    [
        (b"abcdef", b"abzz", b"abd"),
        (b"abc", b"abd", b"abc"),  # nothing between c and d
        (b"ab", b"abc", b"ab"),  # a prefix cannot be shortened
        (b"a\xff\xff", b"b", b"a\xff\xff"),
        (b"a\xff", b"c", b"b"),
    ],
)
def test_separators(start: bytes, limit: bytes, separator: bytes) -> None:
    assert sstable.shortest_separator(start, limit) == separator


@pytest.mark.parametrize(
    ("key", "successor"), [(b"abc", b"b"), (b"\xff\xffa", b"\xff\xffb"), (b"\xff", b"\xff"), (b"", b"")]
)
def test_successors(key: bytes, successor: bytes) -> None:
    assert sstable.short_successor(key) == successor


def uncompressed_indexes(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*.index")):
        if path.parent.name not in ("snappy", "small_blocks", "big_endian") and "hostile" not in path.parts:
            yield path


def test_indexes_that_tensorflow_wrote_are_written_byte_for_byte(fixtures_dir: Path) -> None:
    paths = list(uncompressed_indexes(fixtures_dir))
    assert len(paths) > 30
    for path in paths:
        assert sstable.write_table(sstable.SSTable(open_source(path))) == path.read_bytes(), path


@pytest.mark.corpus
def test_indexes_of_others(corpus: Path) -> None:
    """Byte for byte the same, unless blocks are compressed, which ours never are."""
    compared = 0
    for path in sorted(corpus.rglob("*.index")):
        source = open_source(path)
        if not sstable.is_table(source):
            continue
        table = sstable.SSTable(source)
        if all(source.read_at(handle.offset + handle.size, 1) == b"\0" for handle in table._handles):
            assert sstable.write_table(table) == path.read_bytes(), path
            compared += 1
    assert compared > 30


def test_blocks_end_at_the_block_size(tmp_path: Path) -> None:
    entries = [(b"%05d" % number, bytes(number % 50)) for number in range(2000)]
    data = sstable.write_table(entries, block_size=500)
    table = table_of(tmp_path / "t", data)
    assert len(table._handles) > 50
    assert all(handle.size >= 500 for handle in table._handles[:-1])
    assert list(table) == entries
    assert all(table.get(key) == value for key, value in entries)


KEYS = st.lists(st.binary(max_size=9), unique=True, max_size=60).map(sorted)


@settings(max_examples=60)
@given(KEYS, st.integers(1, 300), st.data())
def test_what_is_written_is_read(keys: list[bytes], block_size: int, data: st.DataObject) -> None:
    entries = [(key, data.draw(st.binary(max_size=30))) for key in keys]
    table = table_of(SCRATCH[0] / "table", sstable.write_table(entries, block_size=block_size))
    assert list(table) == entries
    assert [table.get(key) for key in keys] == [value for _, value in entries]


@pytest.mark.parametrize("cut", range(0, len(by_hand()), 3))
def test_cut_off(tmp_path: Path, cut: int) -> None:
    with pytest.raises(FormatError):
        list(table_of(tmp_path / "t", by_hand()[:cut]))


def test_flipped_bits_are_noticed_or_harmless(tmp_path: Path) -> None:
    data = by_hand()
    for position in range(len(data)):
        for bit in (1, 16, 128):
            damaged = bytearray(data)
            damaged[position] ^= bit
            try:
                table = table_of(tmp_path / "t", bytes(damaged))
                found = list(table)
            except FormatError:
                continue
            assert found == ENTRIES or table.damaged, f"bit {bit} of byte {position}"


def test_a_damaged_block_is_read_and_noted(tmp_path: Path) -> None:
    data = bytearray(by_hand())
    data[3] = ord("w")
    table = table_of(tmp_path / "t", bytes(data))
    assert next(iter(table)) == (b"", b"w")
    assert table.damaged == [0]


def with_index(blocks: bytes, entries: list[tuple[bytes, bytes]]) -> bytes:
    """A table whose index block says what it likes."""
    builder = sstable._BlockBuilder(restart_interval=1)
    for key, value in entries:
        builder.add(key, value)
    block = builder.finish()
    handle = sstable._encode_handle(sstable.Handle(len(blocks), len(block)))
    footer = (b"\0\0" + handle).ljust(40, b"\0") + struct.pack("<Q", sstable.MAGIC)
    return blocks + block + crc_trailer(block) + footer


def test_handles_that_overlap_are_refused(tmp_path: Path) -> None:
    block = by_hand()[:24]
    blocks = block + crc_trailer(block)
    twice = [(b"a", b"\x00" + bytes([len(block)])), (b"b", b"\x00" + bytes([len(block)]))]
    with pytest.raises(FormatError, match="overlaps"):
        table_of(tmp_path / "t", with_index(blocks, twice))


@pytest.mark.parametrize("value", [b"", b"\xff" * 9 + b"\x01\x05", b"\x00\xff\xff\xff\x7f", b"\x80"])
def test_absurd_handles_are_refused(tmp_path: Path, value: bytes) -> None:
    with pytest.raises(FormatError):
        list(table_of(tmp_path / "t", with_index(b"", [(b"a", value)])))


def test_keys_that_grow_without_end_are_refused_quickly(tmp_path: Path) -> None:
    """Each entry takes 4 bytes and stands for a key of 200 KB."""
    long = encode_varint(0) + encode_varint(200_000) + b"\0" + b"k" * 200_000
    entry = encode_varint(200_000) + b"\0\0"
    block = long + entry * 50_000 + struct.pack("<2I", 0, 1)
    handle = b"\0" + encode_varint(len(block))
    stored = with_index(block + b"\0" + bytes(4), [(b"z", handle)])
    with pytest.raises(FormatError, match="far beyond"), at_most(100_000):
        list(table_of(tmp_path / "t", stored))


@pytest.mark.parametrize("entry", [b"\x01\x00\x00", b"\x00\x05\x00ab", b"\x00\x01\x09a", b"\x80", b"\xff" * 12])
def test_entries_that_do_not_fit(tmp_path: Path, entry: bytes) -> None:
    block = entry + struct.pack("<2I", 0, 1)
    handle = b"\0" + encode_varint(len(block))
    with pytest.raises(FormatError, match="block at byte 0"):
        list(table_of(tmp_path / "t", with_index(block + crc_trailer(block), [(b"z", handle)])))


def test_restart_points_that_do_not_fit(tmp_path: Path) -> None:
    block = struct.pack("<I", 1 << 30)
    with pytest.raises(FormatError, match="restart points"):
        list(table_of(tmp_path / "t", with_index(block + crc_trailer(block), [(b"z", b"\0\4")])))


def test_keys_must_ascend_when_written() -> None:
    with pytest.raises(AssertionError):
        sstable.write_table([(b"b", b""), (b"a", b"")])
