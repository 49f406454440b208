"""Finding the files that a path stands for; V1 checkpoints."""

from __future__ import annotations

import shutil
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding import sstable
from graphsurgeon.encoding.orderedcode import encode_slice_key
from graphsurgeon.encoding.sstable import SSTable, write_table
from graphsurgeon.errors import FileError, FormatError, UsageError
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.recognise import locate as detect
from tests.work import at_most

FLOAT = 1
DATA = ".data-00000-of-00001"
MakeBundle = Callable[..., Path]
Floats = Callable[..., bytes]


def one(make_bundle: MakeBundle, floats: Floats, name: str = "model", value: float = 1) -> Path:
    return make_bundle({"w": (FLOAT, (1,), floats(value))}, name=name)


def value_of(path: object) -> list[float]:
    return checkpoint.read_checkpoint(str(path)).variables["w"].tensor.items()


@pytest.mark.parametrize("ending", ["", ".index", DATA])
@pytest.mark.parametrize("name", ["model", "model.ckpt-12", "model-00001-of-00002", ""])
def test_every_spelling_of_a_bundle(
    make_bundle: MakeBundle, floats: Floats, tmp_path: Path, name: str, ending: str
) -> None:
    one(make_bundle, floats, name)
    assert value_of(f"{tmp_path}/{name}{ending}") == [1]
    assert checkpoint.read_checkpoint(f"{tmp_path}/{name}{ending}").prefix == f"{tmp_path}/{name}"


def test_a_folder_with_one_checkpoint(make_bundle: MakeBundle, floats: Floats) -> None:
    assert value_of(one(make_bundle, floats).parent) == [1]


def test_a_folder_with_two(make_bundle: MakeBundle, floats: Floats) -> None:
    folder = one(make_bundle, floats, "first").parent
    one(make_bundle, floats, "second")
    with pytest.raises(UsageError, match=r"holds 2 checkpoints; name one of .*first\.index, .*second\.index"):
        checkpoint.read_checkpoint(folder)
    (folder / "checkpoint").write_text('model_checkpoint_path: "third"')
    with pytest.raises(UsageError, match=r"holds 2 checkpoints, none of which its file 'checkpoint' names; name one"):
        checkpoint.read_checkpoint(folder)


def test_which_of_two_is_taken_is_told(make_bundle: MakeBundle, floats: Floats) -> None:
    folder = one(make_bundle, floats, "first").parent
    assert checkpoint.read(folder).notes == []
    one(make_bundle, floats, "second")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/elsewhere/second"')
    taken, wrong = checkpoint.read(folder).notes
    assert taken == "second, which the file 'checkpoint' names; here too: first"
    assert "names /elsewhere/second, which is not there" in wrong


def test_a_folder_with_data_and_no_index(make_bundle: MakeBundle, floats: Floats) -> None:
    prefix = one(make_bundle, floats)
    Path(f"{prefix}.index").unlink()
    with pytest.raises(FileError, match=rf"the index of this data file, {prefix.name}\.index, is missing"):
        detect.locate(prefix.parent)


@pytest.mark.parametrize(
    "named", ["second", "./second", "/somewhere/else/second", "C:\\\\runs\\\\second", "../out/second", "lost/second"]
)
def test_the_state_file_names_the_latest(make_bundle: MakeBundle, floats: Floats, named: str) -> None:
    folder = one(make_bundle, floats, "first").parent
    one(make_bundle, floats, "second", 2)
    (folder / "checkpoint").write_text(f'model_checkpoint_path: "{named}"\nall_model_checkpoint_paths: "first"\n')
    assert value_of(folder) == [2]


def test_the_state_file_names_one_below(make_bundle: MakeBundle, floats: Floats) -> None:
    prefix = one(make_bundle, floats)
    folder = prefix.parent
    (folder / "runs").mkdir()
    for ending in (".index", DATA):
        Path(f"{prefix}{ending}").rename(folder / f"runs/model{ending}")
    (folder / "checkpoint").write_text('model_checkpoint_path: "runs/model"')
    assert value_of(folder) == [1]


@pytest.mark.parametrize(
    "text", ["", "no state", 'model_checkpoint_path: "gone"', 'model_checkpoint_path: ""', "\x00\xff"]
)
def test_a_state_file_that_does_not_help(make_bundle: MakeBundle, floats: Floats, text: str) -> None:
    folder = one(make_bundle, floats).parent
    (folder / "checkpoint").write_bytes(text.encode("latin-1"))
    assert value_of(folder) == [1]


def test_the_state_file_leads_nowhere_else(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    one(make_bundle, floats, "outside")
    inside = tmp_path / "inside"
    inside.mkdir()
    for named in ("../outside", str(tmp_path / "outside")):
        (inside / "checkpoint").write_text(f'model_checkpoint_path: "{named}"')
        with pytest.raises(FileError, match="holds no checkpoint"):
            checkpoint.read_checkpoint(inside)


def test_what_is_not_there(make_bundle: MakeBundle, floats: Floats, tmp_path: Path) -> None:
    prefix = one(make_bundle, floats)
    with pytest.raises(FileError, match="no checkpoint of that name"):
        checkpoint.read_checkpoint(tmp_path / "other")
    with pytest.raises(FileError, match="no checkpoint of that name"):
        checkpoint.read_checkpoint(tmp_path / "no folder" / "model")
    Path(f"{prefix}.index").unlink()
    with pytest.raises(FileError, match=r"the index of this data file, model\.index, is missing"):
        checkpoint.read_checkpoint(f"{prefix}{DATA}")
    assert checkpoint.find(prefix) is None
    assert checkpoint.find(tmp_path / "no folder" / "model") is None


def test_a_file_of_another_kind(tmp_path: Path) -> None:
    (tmp_path / "model.index").write_bytes(b"not a table" * 10)
    with pytest.raises(FormatError, match="does not end in the footer"):
        checkpoint.read_checkpoint(tmp_path / "model")


def test_read_fills_the_model(fixtures_dir: Path) -> None:
    model = checkpoint.read(fixtures_dir / "checkpoint/multi_shard")
    names = sorted(Path(path).name for path in model.files)
    assert names == [
        "model.ckpt.data-00000-of-00002",
        "model.ckpt.data-00001-of-00002",
        "model.ckpt.index",
    ]
    assert all(size == Path(path).stat().st_size for path, size in model.files.items())
    assert model.notes == []
    assert model.metagraphs == []


# V1 checkpoints.


def v1_file(
    path: Path, tensors: dict[str, tuple[int, tuple[int, ...], dict[tuple[tuple[int, int], ...], bytes]]]
) -> Path:
    """Write a V1 checkpoint: name -> (dtype number, dims, {extents: serialized TensorProto})."""
    slices = schema.message("tensorflow.SavedTensorSlices")
    head, rows = slices(), {}
    for name, (dtype, dims, parts) in tensors.items():
        meta = head.meta.tensor.add(name=name, type=dtype)
        meta.shape.SetInParent()
        for dim in dims:
            meta.shape.dim.add().size = dim
        for extents, value in parts.items():
            row = slices()
            row.data.name = name
            row.data.data.MergeFromString(value)
            stored = meta.slice.add()
            for start, length in extents:
                extent = stored.extent.add(start=start)
                if length >= 0:
                    extent.length = length
            rows[encode_slice_key(name.encode(), extents)] = row.SerializeToString()
    path.write_bytes(write_table([(b"", head.SerializeToString()), *sorted(rows.items())]))
    return path


def packed(field: int, data: bytes) -> bytes:
    assert len(data) < 128
    return bytes([field << 3 | 2, len(data)]) + data


ALL = (0, -1)


def test_v1_types(tmp_path: Path, floats: Floats) -> None:
    """Every kind of typed field: plain bytes, varints, bits of 16-bit floats, strings."""
    path = v1_file(
        tmp_path / "m",
        {
            "f": (1, (2,), {(ALL,): packed(5, floats(1, -2.5))}),
            "d": (2, (), {(): packed(6, struct.pack("<d", 3))}),
            "i": (3, (2,), {(ALL,): packed(7, b"\x05" + b"\xff" * 9 + b"\x01")}),
            "u8": (4, (2,), {(ALL,): packed(7, b"\xff\x01\x00")}),
            "l": (9, (1,), {(ALL,): packed(10, b"\xac\x02")}),
            "b": (10, (2,), {(ALL,): packed(11, b"\x01\x00")}),
            "h": (19, (1,), {(ALL,): packed(13, b"\x80\x78")}),
            "bf": (14, (1,), {(ALL,): packed(13, b"\x80\x7f")}),
            "z": (8, (1,), {(ALL,): packed(9, floats(1, 2))}),
            "s": (7, (2,), {(ALL,): packed(8, b"one") + packed(8, b"")}),
        },
    )
    found = checkpoint.read_checkpoint(path)
    assert found.version == 1
    assert found.objects is None
    assert {key: variable.tensor.items() for key, variable in found.variables.items()} == {
        "f": [1, -2.5], "d": [3], "i": [5, -1], "u8": [255, 0], "l": [300], "b": [True, False],
        "h": [1.0], "bf": [1.0], "z": [1 + 2j], "s": [b"one", b""],
    }  # fmt: skip
    assert all(variable.slices == 0 for variable in found.variables.values())
    assert checkpoint.problems(found) + checkpoint.verify_checksums(found) == []


def test_v1_partitions_in_several_files(tmp_path: Path, floats: Floats) -> None:
    for number, (start, values) in enumerate([(0, (1, 2)), (2, (3, 4))]):
        part = {((start, 2),): packed(5, floats(*values))}
        v1_file(tmp_path / f"m-0000{number}-of-00002", {"w": (FLOAT, (4,), part)})
    for path in (tmp_path / "m", tmp_path / "m-00001-of-00002", tmp_path):
        found = checkpoint.read_checkpoint(path)
        assert found.variables["w"].tensor.items() == [1, 2, 3, 4]
        assert found.variables["w"].slices == 2
        assert found.prefix == str(tmp_path / "m")
    (tmp_path / "m-00001-of-00002").unlink()
    found = checkpoint.read_checkpoint(tmp_path / "m")
    assert [str(problem) for problem in checkpoint.problems(found)] == ["m: 1 of its 2 files are there"]
    with pytest.raises(FormatError, match="hold 2 elements"):
        found.variables["w"].tensor.items()


def test_v1_values_that_are_missing_or_too_few(tmp_path: Path, floats: Floats) -> None:
    path = v1_file(tmp_path / "m", {"w": (FLOAT, (1 << 40,), {(ALL,): packed(5, floats(1, 2))})})
    with pytest.raises(FormatError, match="bytes stored for float32"), at_most(100_000):
        checkpoint.read_checkpoint(path).variables["w"].tensor.items()
    rows = [row for row in SSTable(open_source(path)) if not row[0]]
    path.write_bytes(write_table(rows))
    with pytest.raises(FormatError, match="w: the values of a slice are missing"):
        checkpoint.read_checkpoint(path).variables["w"].tensor.items()


def test_v1_damage_is_found_block_by_block(fixtures_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.ckpt"
    data = (fixtures_dir / "checkpoint/v1/model.ckpt").read_bytes()
    sound = {
        k: v.tensor.tobytes()
        for k, v in checkpoint.read_checkpoint(fixtures_dir / "checkpoint/v1/model.ckpt").variables.items()
    }
    for position in range(0, len(data), 3):
        damaged = bytearray(data)
        damaged[position] ^= 4
        path.write_bytes(damaged)
        try:
            found = checkpoint.read_checkpoint(path)
        except FileError:
            continue
        problems = checkpoint.problems(found) + checkpoint.verify_checksums(found)
        assert problems or {k: v.tensor.tobytes() for k, v in found.variables.items()} == sound


def test_no_new_checksum_hides_damage_of_v1(tmp_path: Path, floats: Floats) -> None:
    path = v1_file(tmp_path / "m", {"w": (FLOAT, (2,), {(ALL,): packed(5, floats(1, 2))})})
    content = path.read_bytes()
    path.write_bytes(content.replace(floats(1, 2), floats(1, 3)))
    found = checkpoint.read_checkpoint(path)
    assert found.variables["w"].tensor.items() == [1.0, 3.0]
    with pytest.raises(FormatError, match="w: the block at byte 0 does not match its checksum"):
        checkpoint.lower_checkpoint(found)


@pytest.mark.parametrize("name", ["variables", "variables-00000-of-00001", "saved_model_variables"])
def test_variables_of_early_saved_models(fixtures_dir: Path, tmp_path: Path, name: str) -> None:
    (tmp_path / "variables").mkdir()
    shutil.copy(fixtures_dir / "checkpoint/v1/model.ckpt", tmp_path / "variables" / name)
    found = checkpoint.find_variables(tmp_path)
    assert found is not None
    assert len(found.variables) == 9
    assert checkpoint.find_variables(tmp_path / "none") is None


def test_a_dense_bomb_in_the_first_block_is_refused(tmp_path: Path) -> None:
    """8 MB that Snappy would make 170 MB of, before anything is known of the file."""
    elements = b"\xfe\x01\x00" * 2_700_000
    size = 1 + 64 * 2_700_000
    length = bytes([size & 0x7F | 0x80, size >> 7 & 0x7F | 0x80, size >> 14 & 0x7F | 0x80, size >> 21 & 0x7F])
    block = length + b"\x00a" + elements
    index = sstable._BlockBuilder(restart_interval=1)
    index.add(b"z", sstable._encode_handle(sstable.Handle(0, len(block))))
    stored = index.finish()
    footer = (b"\0\0" + sstable._encode_handle(sstable.Handle(len(block) + 5, len(stored)))).ljust(40, b"\0")
    data = block + b"\1" + bytes(4) + stored + bytes(5) + footer + struct.pack("<Q", sstable.MAGIC)
    (tmp_path / "bomb").write_bytes(data)
    with pytest.raises(FormatError, match="claims 172800001 bytes"), at_most(100_000):
        checkpoint.read_checkpoint(tmp_path / "bomb")


def test_v1_can_be_sniffed(fixtures_dir: Path) -> None:
    assert checkpoint.sniff(open_source(fixtures_dir / "checkpoint/v1/model.ckpt"))
    assert not checkpoint.sniff(open_source(fixtures_dir / f"checkpoint/name_based/model.ckpt{DATA}"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["v1", "v1_snappy"])
def test_v1_values_are_those_tensorflow_reads(fixtures_dir: Path, name: str) -> None:
    import tensorflow as tf

    path = fixtures_dir / "checkpoint" / name / "model.ckpt"
    reader = tf.compat.v1.train.NewCheckpointReader(str(path))
    found = checkpoint.read_checkpoint(path)
    assert set(found.variables) == set(reader.get_variable_to_shape_map())
    for key, variable in found.variables.items():
        np.testing.assert_array_equal(variable.tensor.numpy(), reader.get_tensor(key))
