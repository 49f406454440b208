"""Reading tensor bundles: values against hand-made bytes, numpy and TensorFlow; damage."""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphsurgeon.checks.check import check
from graphsurgeon.disk import crc32c as crc
from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding.orderedcode import encode_slice_key
from graphsurgeon.encoding.sstable import write_table
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.checkpoint.bundle_check import shards
from graphsurgeon.formats.checkpoint.bundle_payload import decode_strings, encode_strings, payload_checksum
from graphsurgeon.formats.checkpoint.slices import Slice, SlicedSource
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape
from tests.work import at_most

FLOAT, INT32, STRING, INT64, BFLOAT16, VARIANT, COMPLEX64 = 1, 3, 7, 9, 14, 21, 8
MakeBundle = Callable[..., Path]
Floats = Callable[..., bytes]


def strings_as_stored(*items: bytes) -> tuple[bytes, int]:
    """Varint lengths (below 128 here), their masked checksum, the strings; and the masked checksum of the entry."""
    hashed = b"".join(struct.pack("<I", len(item)) for item in items)
    between = struct.pack("<I", crc.mask(crc.crc32c(hashed)))
    stored = bytes(map(len, items)) + between + b"".join(items)
    return stored, crc.mask(crc.crc32c(hashed + between + b"".join(items)))


def messages(found: Checkpoint) -> list[str]:
    return [str(problem) for problem in checkpoint.problems(found)]


def test_values(make_bundle: MakeBundle, floats: Floats) -> None:
    stored = {
        "w": (FLOAT, (2, 2), floats(1, 2, 3, 4.5)),
        "n": (INT64, (), struct.pack("<q", -7)),
        "b": (BFLOAT16, (2,), bytes.fromhex("803f00c0")),  # 1.0 and -2.0
        "z": (COMPLEX64, (1,), floats(1, -1)),
        "e": (INT32, (0, 3), b""),
    }
    found = checkpoint.read_checkpoint(make_bundle(stored))
    assert list(found.variables) == ["b", "e", "n", "w", "z"]
    values = {key: variable.tensor.numpy().tolist() for key, variable in found.variables.items()}
    assert values == {"w": [[1, 2], [3, 4.5]], "n": -7, "b": [1, -2], "z": [1 - 1j], "e": []}
    assert found.variables["w"].tensor.shape == Shape((2, 2))
    assert checkpoint.problems(found) == []
    assert checkpoint.verify_checksums(found) == []


def test_big_endian_values_are_swapped(make_bundle: MakeBundle) -> None:
    stored = {
        "w": (FLOAT, (2,), struct.pack(">2f", 1, -2)),
        "n": (INT64, (1,), struct.pack(">q", 258)),
        "z": (COMPLEX64, (1,), struct.pack(">2f", 3, 4)),
        "u": (4, (2,), b"\1\2"),
    }
    found = checkpoint.read_checkpoint(make_bundle(stored, big_endian=True))
    assert {k: v.tensor.numpy().tolist() for k, v in found.variables.items()} == {
        "w": [1, -2], "n": [258], "z": [3 + 4j], "u": [1, 2],
    }  # fmt: skip
    assert found.variables["w"].tensor.source.ranges() is None
    assert len(found.variables["u"].tensor.source.ranges()) == 1


def test_strings(make_bundle: MakeBundle) -> None:
    stored, checksum = strings_as_stored(b"one", b"", b"\xff\0three")
    prefix = make_bundle({"s": {"dtype": STRING, "dims": (3,), "size": len(stored), "crc32c": checksum}})
    Path(f"{prefix}.data-00000-of-00001").write_bytes(stored)
    found = checkpoint.read_checkpoint(prefix)
    assert found.variables["s"].tensor.items() == [b"one", b"", b"\xff\0three"]
    assert found.variables["s"].tensor.nbytes == len(stored)
    assert checkpoint.problems(found) + checkpoint.verify_checksums(found) == []


@pytest.mark.parametrize(
    "stored",
    [b"", b"\x03", b"\x05\0\0\0\0abc", b"\xff\xff\xff\xff\x0f\0\0\0\0", b"\x80" * 12, b"\xff" * 9 + b"\x7f" + bytes(9)],
)
def test_damaged_strings(make_bundle: MakeBundle, stored: bytes) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"s": (STRING, (1,), stored)}))
    with pytest.raises(FormatError):
        found.variables["s"].tensor.items()
    assert len(checkpoint.verify_checksums(found)) == 1


def test_a_claim_of_many_strings_is_refused_quickly(make_bundle: MakeBundle) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"s": (STRING, (1 << 40,), b"\0" * 100)}))
    with pytest.raises(FormatError, match="do not fit"), at_most(1000):
        found.variables["s"].tensor.items()


def test_variants_are_listed_not_decoded(fixtures_dir: Path) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/iterator/ckpt")
    variable = next(v for v in found.variables.values() if v.tensor.dtype.number == VARIANT)
    assert variable.tensor.nbytes > 0
    with pytest.raises((FormatError, UnsupportedError)):
        variable.tensor.numpy()
    assert checkpoint.verify_checksums(found) == []


def test_slices_are_hidden_and_joined(make_bundle: MakeBundle, floats: Floats) -> None:
    """A 2 x 3 tensor cut by columns, the second slice spelled `all rows`."""
    first, second = encode_slice_key(b"w", [(0, 2), (0, 1)]), encode_slice_key(b"w", [(0, -1), (1, 2)])
    stored: dict[Any, Any] = {
        first: (FLOAT, (2, 1), floats(1, 4)),
        second: (FLOAT, (2, 2), floats(2, 3, 5, 6)),
        "w": {"dtype": FLOAT, "dims": (2, 3), "slices": [[(0, 2), (0, 1)], [(0, -1), (1, 2)]]},
    }
    found = checkpoint.read_checkpoint(make_bundle(stored))
    assert list(found.variables) == ["w"]
    assert found.variables["w"].slices == 2
    assert found.variables["w"].tensor.numpy().tolist() == [[1, 2, 3], [4, 5, 6]]
    assert found.variables["w"].tensor.nbytes == 24
    assert checkpoint.problems(found) == []


def test_a_missing_slice(make_bundle: MakeBundle, floats: Floats) -> None:
    stored: dict[Any, Any] = {
        encode_slice_key(b"w", [(0, 1)]): (FLOAT, (1,), floats(1)),
        encode_slice_key(b"gone", [(0, 1)]): (FLOAT, (1,), floats(1)),
        "w": {"dtype": FLOAT, "dims": (2,), "slices": [[(0, 1)], [(1, 1)]]},
    }
    found = checkpoint.read_checkpoint(make_bundle(stored))
    with pytest.raises(FormatError, match="1 of its 2 slices are missing"):
        found.variables["w"].tensor.numpy()
    assert messages(found) == [
        "w: its slice at [1] is missing",
        "gone [0:1]: is a slice of a variable that does not list it: Python's readers cannot list its name",
    ]


def test_slices_that_overlap(make_bundle: MakeBundle, floats: Floats) -> None:
    stored: dict[Any, Any] = {
        encode_slice_key(b"w", [(0, 2)]): (FLOAT, (2,), floats(1, 2)),
        encode_slice_key(b"w", [(1, 2)]): (FLOAT, (2,), floats(3, 4)),
        "w": {"dtype": FLOAT, "dims": (4,), "slices": [[(0, 2)], [(1, 2)]]},
    }
    with pytest.raises(FormatError, match="2 of the slices hold index 1 of dimension 0"):
        checkpoint.read_checkpoint(make_bundle(stored)).variables["w"].tensor.numpy()


class Part:
    """A slice in memory that hands its bytes out in blocks of an awkward size."""

    def __init__(self, array: np.ndarray[Any, Any]) -> None:
        self.data = array.tobytes()
        self.items = [b"%d" % number for number in array.ravel().tolist()]

    @property
    def nbytes(self) -> int:
        return len(self.data)

    def chunks(self, block: int = 12) -> Iterator[bytes]:
        yield from (self.data[start : start + 12] for start in range(0, len(self.data), 12))

    def strings(self) -> list[bytes]:
        return self.items

    def ranges(self) -> None:
        return None


@settings(max_examples=80)
@given(st.data())
def test_any_partition_joins_to_the_whole(data: st.DataObject) -> None:
    dims = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    boxes = data.draw(st.permutations(cut(data, tuple((0, dim) for dim in dims), 3)))
    whole = np.arange(np.prod(dims), dtype="<i4").reshape(dims)
    parts = [Slice(box, Part(whole[tuple(slice(s, s + n) for s, n in box)])) for box in boxes]
    source = SlicedSource("w", DType.named("int32"), Shape(dims), parts)
    assert b"".join(source.chunks()) == whole.tobytes()
    assert source.strings() == [b"%d" % number for number in whole.ravel().tolist()]


def cut(data: st.DataObject, box: tuple[tuple[int, int], ...], depth: int) -> list[tuple[tuple[int, int], ...]]:
    """Cut a box in two along any dimension, and the halves again: more than a grid can do."""
    axes = [axis for axis, (_, length) in enumerate(box) if length > 1]
    if not axes or not depth or not data.draw(st.booleans()):
        return [box]
    axis = data.draw(st.sampled_from(axes))
    start, length = box[axis]
    at = data.draw(st.integers(1, length - 1))
    low = (*box[:axis], (start, at), *box[axis + 1 :])
    high = (*box[:axis], (start + at, length - at), *box[axis + 1 :])
    return cut(data, low, depth - 1) + cut(data, high, depth - 1)


def test_rows_of_a_partition_stay_in_the_file(make_bundle: MakeBundle, floats: Floats) -> None:
    """What is cut by rows is the concatenation of its slices: they can be copied inside the system."""
    stored: dict[Any, Any] = {
        encode_slice_key(b"w", [(0, 1), (0, 2)]): (FLOAT, (1, 2), floats(1, 2)),
        encode_slice_key(b"w", [(1, 2), (0, 2)]): (FLOAT, (2, 2), floats(3, 4, 5, 6)),
        "w": {"dtype": FLOAT, "dims": (3, 2), "slices": [[(0, 1), (0, 2)], [(1, 2), (0, 2)]]},
    }
    source = checkpoint.read_checkpoint(make_bundle(stored)).variables["w"].tensor.source
    assert b"".join(part.read() for part in source.ranges()) == floats(1, 2, 3, 4, 5, 6)


def test_reading_opens_no_shard(make_bundle: MakeBundle, floats: Floats) -> None:
    prefix = make_bundle({"w": (FLOAT, (1,), floats(1))})
    Path(f"{prefix}.data-00000-of-00001").unlink()
    found = checkpoint.read_checkpoint(prefix)
    assert found.variables["w"].tensor.shape == Shape((1,))
    with pytest.raises(FileError, match=r"model\.data-00000-of-00001: .*no such file"):
        found.variables["w"].tensor.numpy()
    assert "model.data-00000-of-00001: is missing or unreadable; it holds 1 entries" in messages(found)
    assert checkpoint.read(prefix).files == {f"{prefix}.index": os.path.getsize(f"{prefix}.index")}


@pytest.mark.parametrize(
    ("entry", "what"),
    [
        ({"size": 3}, "w: 3 bytes stored, float32 of shape [2] takes 8"),
        ({"offset": -4}, "w: 8 bytes at byte -4 cannot be"),
        ({"offset": 1 << 40}, f"model.data-00000-of-00001: ends at byte 8, its entries reach to byte {(1 << 40) + 8}"),
        ({"shard_id": 5}, "w: lies in shard 5 of 1"),
        ({"shard_id": -1}, "w: lies in shard -1 of 1"),
        ({"dims": (2, -1)}, "w: its shape [2,?] is not fully known"),
        ({"dims": (1 << 62, 1 << 62)}, None),
        ({"dtype": 999}, None),
        ({"dtype": 101}, None),
    ],
)
def test_entries_that_make_no_sense_are_shown(
    make_bundle: MakeBundle, floats: Floats, entry: dict[str, Any], what: str | None
) -> None:
    sound = {"dtype": FLOAT, "dims": (2,), "size": 8}
    prefix = make_bundle({"v": (FLOAT, (2,), floats(1, 2)), "w": {**sound, **entry}})
    found = checkpoint.read_checkpoint(prefix)
    assert set(found.variables) == {"v", "w"}
    assert found.variables["v"].tensor.numpy().tolist() == [1, 2]
    if what is not None:
        assert what in messages(found)
        with pytest.raises(GraphSurgeonError):
            found.variables["w"].tensor.numpy()


def test_an_entry_that_is_no_message(tmp_path: Path) -> None:
    rows = [(b"", b"\x08\x01"), (b"a", b"\xff\xff"), (b"b", b"\x08\x01\x12\x00")]
    (tmp_path / "m.index").write_bytes(write_table(rows))
    found = checkpoint.read_checkpoint(tmp_path / "m")
    assert list(found.variables) == ["b"]
    assert messages(found)[0] == "a: 2 bytes are no valid BundleEntryProto message"


def test_keys_that_are_no_text(make_bundle: MakeBundle, floats: Floats) -> None:
    found = checkpoint.read_checkpoint(make_bundle({b"w\xff\n": (FLOAT, (1,), floats(3))}))
    assert list(found.variables) == ["w\\xff\n"]
    assert found.variables["w\\xff\n"].tensor.items() == [3]


def test_a_flipped_weight_is_found_by_its_checksum(make_bundle: MakeBundle, floats: Floats) -> None:
    prefix = make_bundle({"v": (FLOAT, (2,), floats(1, 2)), "w": (FLOAT, (2,), floats(3, 4))})
    shard = Path(f"{prefix}.data-00000-of-00001")
    data = bytearray(shard.read_bytes())
    data[9] ^= 1
    shard.write_bytes(data)
    found = checkpoint.read_checkpoint(prefix)
    calls: list[tuple[int, int]] = []
    problems = checkpoint.verify_checksums(found, progress=lambda done, total: calls.append((done, total)))
    assert [str(problem) for problem in problems] == ["w: the 8 bytes at byte 8 do not match their checksum"]
    assert calls == [(8, 16), (16, 16)]
    assert checkpoint.verify_checksums(found, ["v"]) == []


def test_a_damaged_index_is_shown_but_gives_no_values(make_bundle: MakeBundle, floats: Floats) -> None:
    index = Path(f"{make_bundle({'weights': (FLOAT, (1,), floats(1))})}.index")
    index.write_bytes(index.read_bytes().replace(b"weights", b"weighty"))
    found = checkpoint.read_checkpoint(index)
    assert list(found.variables) == ["weighty"]
    assert messages(found)[0].startswith("model.index: the block at byte 0 does not match its checksum")
    with pytest.raises(FormatError, match="does not match its checksum"):
        found.variables["weighty"].tensor.numpy()


def test_shards(fixtures_dir: Path) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/multi_shard/model.ckpt")
    listed = shards(found.raw)
    assert len(listed) > 1
    assert all(shard.size == shard.needed for shard in listed)
    assert sum(shard.entries for shard in listed) == sum(v.slices or 1 for v in found.variables.values())


def test_a_claim_of_many_shards_costs_nothing(fixtures_dir: Path) -> None:
    with at_most(100_000):
        found = checkpoint.read(fixtures_dir / "hostile/ckpt_absurd_shards/model").checkpoint
    assert found is not None
    assert len(found.variables) == 9


def test_a_shard_that_is_a_link_out_of_the_folder(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    prefix = make_bundle({"w": (FLOAT, (1,), floats(1))}, name="m")
    inside = tmp_path / "model"
    inside.mkdir()
    for file in sorted(tmp_path.glob("m.*")):
        file.rename(inside / file.name)
    shard = inside / f"{prefix.name}.data-00000-of-00001"
    shard.rename(tmp_path / "secret")
    shard.symlink_to(tmp_path / "secret")
    found = checkpoint.read_checkpoint(inside / "m")
    with pytest.raises(FormatError, match="leads outside"):
        found.variables["w"].tensor.numpy()


def test_truncated_and_flipped_indexes_end_in_an_answer_or_the_error(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = fixtures_dir / "checkpoint/partitioned"
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    index = tmp_path / "model.ckpt.index"
    data = index.read_bytes()
    sound = read_values(tmp_path / "model.ckpt")
    for size in range(0, len(data), 7):
        index.write_bytes(data[:size])
        with pytest.raises(FormatError):
            checkpoint.read_checkpoint(index)
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 1 << position % 8
        index.write_bytes(damaged)
        try:
            found = checkpoint.read_checkpoint(index)
            assert checkpoint.problems(found) or read_values(index) == sound, position
        except FileError:
            continue


def read_values(path: Path) -> dict[str, bytes]:
    return {key: variable.tensor.tobytes() for key, variable in checkpoint.read_checkpoint(path).variables.items()}


def test_truncated_shards_end_in_an_answer_or_the_error(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = fixtures_dir / "checkpoint/object_graph"
    for file in folder.glob("ckpt-1.*"):
        (tmp_path / file.name).write_bytes(file.read_bytes())
    shard = tmp_path / "ckpt-1.data-00000-of-00001"
    data = shard.read_bytes()
    for size in range(0, len(data) - 1, 37):
        shard.write_bytes(data[:size])
        found = checkpoint.read_checkpoint(tmp_path / "ckpt-1")
        assert any("is cut off" in problem.hint for problem in checkpoint.problems(found))
        for key, variable in found.variables.items():
            if variable.raw.offset + variable.raw.size > size:
                with pytest.raises(FormatError, match=re.escape(key)):
                    variable.tensor.tobytes()
            else:
                assert variable.tensor.tobytes() == data[variable.raw.offset : variable.raw.offset + variable.raw.size]


def all_prefixes(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*.index")) if "hostile" not in path.parts]


def compare_with_tensorflow(index: Path) -> int:
    import tensorflow as tf

    reader = tf.compat.v1.train.NewCheckpointReader(str(index).removesuffix(".index"))
    dtypes, shapes = reader.get_variable_to_dtype_map(), reader.get_variable_to_shape_map()
    found = checkpoint.read_checkpoint(index)
    assert set(found.variables) == set(dtypes) - {"_CHECKPOINTABLE_OBJECT_GRAPH"}
    compared = 0
    for key, variable in found.variables.items():
        tensor = variable.tensor
        assert (tensor.dtype.number, list(tensor.shape)) == (dtypes[key].as_datatype_enum, shapes[key]), key
        try:
            expected = reader.get_tensor(key)
        except Exception:
            with pytest.raises(GraphSurgeonError):
                tensor.numpy()
            continue
        same_values(tensor.numpy(), expected)
        compared += 1
    return compared


def same_values(found: Any, expected: Any) -> None:
    if getattr(expected, "dtype", np.dtype("O")).kind == "O":
        assert found.tolist() == (expected.tolist() if isinstance(expected, np.ndarray) else expected)
    elif found.dtype.kind == "f":
        np.testing.assert_array_equal(found, np.asarray(expected, found.dtype))
    else:
        np.testing.assert_array_equal(found, np.asarray(expected).astype(found.dtype))


@pytest.mark.tensorflow
def test_values_are_those_tensorflow_reads(fixtures_dir: Path) -> None:
    assert sum(map(compare_with_tensorflow, all_prefixes(fixtures_dir))) > 200


@pytest.mark.corpus
@pytest.mark.tensorflow
def test_values_of_others_are_those_tensorflow_reads(corpus: Path) -> None:
    assert sum(map(compare_with_tensorflow, all_prefixes(corpus))) > 300


@settings(max_examples=40)
@given(items=st.lists(st.binary(max_size=20), max_size=8))
def test_strings_come_back(tmp_path_factory: pytest.TempPathFactory, items: list[bytes]) -> None:
    path = tmp_path_factory.mktemp("strings") / "s"
    stored, checksum = encode_strings(items, big_endian=False)
    assert (stored, crc.mask(checksum)) == strings_as_stored(*items)
    path.write_bytes(stored)
    whole = open_source(path).whole()
    assert decode_strings(whole, len(items)) == items
    assert payload_checksum(whole, DType.named("string"), len(items), big_endian=False) == checksum


def test_many_errors_are_counted(fixtures_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "MAX_LISTED", 1)
    model = read(fixtures_dir / "hostile" / "ckpt_wrong_size")
    assert model.notes[-1].endswith("more errors of this kind: see `gs check`")
    assert len([found for found in check(model) if found.severity == "error"]) > 1
