"""Handmade indexes that TensorFlow reads without a word: overlapping entries, and one key twice."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read
from graphsurgeon.checks.check import check
from graphsurgeon.disk import crc32c as crc
from graphsurgeon.disk.checked import CheckedRange, Span
from graphsurgeon.disk.copying import Meter, write_rope
from graphsurgeon.disk.files import BLOCK, FileRange, open_source
from graphsurgeon.edit import edit
from graphsurgeon.encoding.sstable import write_table
from graphsurgeon.errors import FormatError, UsageError
from graphsurgeon.formats.checkpoint.bundle_payload import encode_strings

MakeBundle = Callable[..., Path]
Floats = Callable[..., bytes]


class Again(bytes):
    """A key that is told to ascend."""

    def __gt__(self, other: object) -> bool:
        return True


def entry(stored: bytes, offset: int, size: int) -> dict[str, Any]:
    checksum = crc.mask(crc.crc32c(stored[offset : offset + size]))
    return {"dtype": 1, "dims": [size // 4], "offset": offset, "size": size, "crc32c": checksum}


@pytest.fixture
def overlapping(make_bundle: MakeBundle, floats: Floats) -> Path:
    """`a` has all four numbers; `b` says that it has the third and fourth; `c`, alone, has two more."""
    stored = floats(1, 2, 3, 4)
    return make_bundle({"a": (1, [4], stored), "b": entry(stored, 8, 8), "c": (1, [2], floats(5, 6))})


def test_overlapping_entries_are_errors(overlapping: Path) -> None:
    errors = [str(finding) for finding in check(read(overlapping)) if finding.severity == "error"]
    assert errors == ["b: its bytes overlap with those of a"]


def test_overlapping_entries_are_not_rewritten(overlapping: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="b overlaps with a"):
        edit(overlapping, [("rename", {"prefix": "x/"})], output=tmp_path / "out.ckpt")
    assert not list(tmp_path.glob("out*"))
    edit(overlapping, [("extract", {"skip_damaged": True})], output=tmp_path / "out.ckpt")
    checkpoint = read(tmp_path / "out.ckpt").checkpoint
    assert checkpoint is not None
    assert {key: one.tensor.items() for key, one in checkpoint.variables.items()} == {"c": [5.0, 6.0]}


def test_the_same_bytes_may_be_meant(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    stored = floats(1, 2)
    path = make_bundle({"a": (1, [2], stored), "b": entry(stored, 0, 8)})
    assert [finding.severity for finding in check(read(path))] == ["warning"]
    edit(path, [("rename", {"prefix": "x/"})], output=tmp_path / "out.ckpt")


def test_a_key_twice(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    path = make_bundle({"a": (1, [2], floats(1, 2)), "b": (1, [2], floats(3, 4))})
    index = path.with_name(f"{path.name}.index")
    bundle = read(path).checkpoint
    assert bundle is not None
    raw = {key: variable.raw.raw for key, variable in bundle.variables.items()}
    rows = [(b"", b"\x08\x01\x1a\x02\x08\x01"), (b"a", raw["a"]), (Again(b"a"), raw["b"]), (b"b", raw["b"])]
    index.write_bytes(write_table(rows))
    assert "is there twice" in " ".join(str(finding) for finding in check(read(path)))
    with pytest.raises(FormatError, match="cannot be carried over"):
        edit(path, [("rename", {"prefix": "x/"})], output=tmp_path / "out.ckpt")
    edit(path, [("extract", {"skip_damaged": True})], output=tmp_path / "out.ckpt")
    checkpoint = read(tmp_path / "out.ckpt").checkpoint
    assert checkpoint is not None
    assert {key: one.tensor.items() for key, one in checkpoint.variables.items()} == {"b": [3.0, 4.0]}


def test_nothing_sound_is_no_checkpoint(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    path = make_bundle({"a": (1, [2], floats(1, 2))})
    path.with_name(f"{path.name}.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(UsageError, match="nothing of what is to be kept is sound"):
        edit(path, [("extract", {"skip_damaged": True})], output=tmp_path / "out.ckpt")


def test_small_checked_pieces_are_written_once(tmp_path: Path) -> None:
    """Many of them fill a block: none may be written again when the block is."""
    (tmp_path / "source").write_bytes(bytes(range(256)) * 64)
    source = open_source(tmp_path / "source")
    span = Span(0, source.size, crc.mask(crc.crc32c(bytes(range(256)) * 64)), "x")
    piece = CheckedRange(FileRange(source, 0, source.size), [span])
    count = 2 * BLOCK // source.size + 3
    with open(tmp_path / "copy", "wb") as out:
        write_rope(out.fileno(), [piece] * count, Meter(count * source.size, None))
    assert (tmp_path / "copy").read_bytes() == bytes(range(256)) * 64 * count


@pytest.mark.parametrize("block", [1, 7, 64, 1000])
def test_every_stretch_is_compared_wherever_blocks_end(
    block: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stretches that share bytes, are empty, follow each other, or have their checksum begun elsewhere."""
    monkeypatch.setattr("graphsurgeon.disk.files.BLOCK", block)
    content = bytes(range(200))
    (tmp_path / "source").write_bytes(content)
    stored = FileRange(open_source(tmp_path / "source"), 0, 200)
    places = [(0, 10), (10, 20), (10, 90), (40, 0), (150, 50), (200, 0)]
    sums = [crc.mask(crc.crc32c(content[start : start + length], crc.crc32c(b"head"))) for start, length in places]
    begun = crc.crc32c(b"head")
    spans = [Span(*place, total, f"at {place}", begun) for place, total in zip(places, sums, strict=True)]
    assert CheckedRange(stored, spans).read() == content
    for number, span in enumerate(spans):
        wrong = [*spans[:number], span._replace(checksum=span.checksum ^ 1), *spans[number + 1 :]]
        with pytest.raises(FormatError, match=re.escape(f"at ({span.start}, {span.length})")):
            CheckedRange(stored, wrong).read()


@pytest.mark.parametrize("key", ["a", "words"])
def test_a_shard_is_compared_where_it_is_copied_whole(
    key: str, make_bundle: MakeBundle, floats: Floats, tmp_path: Path
) -> None:
    words, checksum = encode_strings([b"one", b"seven"], big_endian=False)
    told = {"dtype": 7, "dims": [2], "crc32c": crc.mask(checksum)}
    path = make_bundle({"a": (1, [2], floats(1, 2)), "words": {**told, "offset": 8, "size": len(words)}})
    shard = path.with_name(f"{path.name}.data-00000-of-00001")
    content = bytearray(shard.read_bytes() + words)
    shard.write_bytes(content)
    edit(path, [("rename", {"prefix": "x/"})], output=tmp_path / "whole.ckpt")
    assert (tmp_path / "whole.ckpt.data-00000-of-00001").read_bytes() == content
    content[{"a": 5, "words": -1}[key]] ^= 4
    shard.write_bytes(content)
    for steps in ([("rename", {"prefix": "x/"})], [("rename", {"names": {"a": "b"}})]):
        with pytest.raises(FormatError, match=f"^{shard}: {key}: the .* do not match their checksum"):
            edit(path, steps, output=tmp_path / "out.ckpt")
        assert not list(tmp_path.glob("*out*"))
