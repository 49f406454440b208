"""Writing tensor bundles: what stays byte for byte, what moves, and what TensorFlow makes of it."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.files import BLOCK, FileRange, Rope, open_source, rope_chunks
from graphsurgeon.encoding.orderedcode import encode_slice_key
from graphsurgeon.encoding.sstable import SSTable, write_table
from graphsurgeon.errors import FileError, FormatError, UnsupportedError, UsageError
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.model import numeric
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32, INT64, STRING, VARIANT, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import BytesSource, Tensor

FLOAT = 1
DATA = ".data-00000-of-00001"
MakeBundle = Callable[..., Path]
Floats = Callable[..., bytes]
WriteFiles = Callable[[Path, Mapping[str, Rope]], None]


def content(files: Mapping[str, Rope]) -> dict[str, bytes]:
    return {name: b"".join(rope_chunks(rope)) for name, rope in files.items()}


def readable(folder: Path) -> Iterator[Checkpoint]:
    for path in sorted(folder.rglob("*.index")):
        if "hostile" not in path.parts and (
            Path(str(path)[:-6] + DATA).exists() or list(path.parent.glob("*.data-*-of-*2"))
        ):
            yield checkpoint.read_checkpoint(path)


def assert_untouched(found: Checkpoint) -> None:
    files = content(checkpoint.lower_checkpoint(found))
    folder, name = os.path.split(found.prefix)
    stored = {
        p.name: p.read_bytes() for p in Path(folder).iterdir() if p.name.startswith((f"{name}.data-", f"{name}.index"))
    }
    assert files == stored
    assert list(files)[-1] == f"{name}.index"
    assert checkpoint.is_untouched(found)


def test_an_untouched_checkpoint_is_copied(fixtures_dir: Path) -> None:
    found = list(readable(fixtures_dir))
    assert len(found) > 30
    for one in found:
        assert_untouched(one)
        assert one.objects is None or checkpoint.is_untouched(one)  # looking at the object graph changes nothing
        assert_untouched(one)


@pytest.mark.corpus
def test_untouched_checkpoints_of_others_are_copied(corpus: Path) -> None:
    for one in readable(corpus):
        assert_untouched(one)


def test_untouched_under_another_name(make_bundle: MakeBundle, floats: Floats) -> None:
    prefix = make_bundle({"w": (FLOAT, (1,), floats(1))})
    files = checkpoint.lower_checkpoint(checkpoint.read_checkpoint(prefix), "other")
    assert list(files) == [f"other{DATA}", "other.index"]
    assert content(files)["other.index"] == Path(f"{prefix}.index").read_bytes()
    (whole,) = files[f"other{DATA}"]
    assert isinstance(whole, FileRange)


def test_every_key_renamed_and_named_back(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    """Through the disk and back, everything is what it was; an index that was compressed is not."""
    for number, one in enumerate(readable(fixtures_dir)):
        if not one.variables or not checkpoint.is_untouched(one):
            continue
        folder, name = os.path.split(one.prefix)
        before = {key: stored(variable) for key, variable in one.variables.items()}
        one.rename({key: f"{key}x" for key in one.variables})
        write_files(tmp_path / str(number), checkpoint.lower_checkpoint(one, "renamed"))
        again = checkpoint.read_checkpoint(tmp_path / str(number) / "renamed")
        assert {key: stored(variable) for key, variable in again.variables.items()} == {
            f"{k}x": v for k, v in before.items()
        }
        assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []
        again.rename({key: key[:-1] for key in again.variables})
        files = content(checkpoint.lower_checkpoint(again, name))
        data = {file: files[file] for file in files if file.startswith(f"{name}.data-")}
        assert data == {file: (Path(folder) / file).read_bytes() for file in data}
        if Path(folder).name not in ("snappy", "small_blocks", "big_endian"):
            assert files[f"{name}.index"] == (Path(folder) / f"{name}.index").read_bytes(), one.prefix


def stored(variable: Variable) -> tuple[Any, ...]:
    tensor = variable.tensor
    if tensor.dtype is VARIANT:
        return tensor.dtype, tensor.shape, variable.slices, tensor.nbytes
    return (
        tensor.dtype,
        tensor.shape,
        variable.slices,
        tensor.tobytes() if tensor.dtype is not STRING else tensor.items(),
    )


def test_renaming_leaves_the_shard_alone(make_bundle: MakeBundle, floats: Floats) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2))}))
    found.rename({"a": "b", "b": "a"})
    assert not checkpoint.is_untouched(found)
    (whole,) = checkpoint.lower_checkpoint(found)[f"model{DATA}"]
    assert isinstance(whole, FileRange)
    assert whole.length == whole.file.size


def test_renamed_values_are_found(
    make_bundle: MakeBundle, floats: Floats, tmp_path: Path, write_files: WriteFiles
) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2))}))
    found.rename({"a": "b", "b": "a"})
    write_files(tmp_path / "out", checkpoint.lower_checkpoint(found, ""))
    again = checkpoint.read_checkpoint(tmp_path / "out" / ".index")
    assert {key: variable.tensor.items() for key, variable in again.variables.items()} == {"a": [2], "b": [1]}


def test_removing_closes_the_gap(make_bundle: MakeBundle, floats: Floats) -> None:
    rows = {"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (2,), floats(2, 3)), "c": (FLOAT, (1,), floats(4))}
    found = checkpoint.read_checkpoint(make_bundle(rows))
    found.remove(["b"])
    files = checkpoint.lower_checkpoint(found)
    assert content(files)[f"model{DATA}"] == floats(1, 4)
    assert len(files[f"model{DATA}"]) == 2


def test_adding_appends(make_bundle: MakeBundle, floats: Floats, tmp_path: Path, write_files: WriteFiles) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"b": (FLOAT, (1,), floats(1))}))
    found.variables["a"] = Variable("a", Tensor.of(FLOAT32, (2,), [2.0, 3.0]))
    found.variables["s"] = Variable("s", Tensor.of(STRING, (2,), [b"x", b"yz"]))
    write_files(tmp_path / "out", checkpoint.lower_checkpoint(found))
    assert (tmp_path / f"out/model{DATA}").read_bytes().startswith(floats(1, 2, 3))
    again = checkpoint.read_checkpoint(tmp_path / "out/model")
    assert {k: v.tensor.items() for k, v in again.variables.items()} == {"a": [2, 3], "b": [1], "s": [b"x", b"yz"]}
    assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []


def test_a_changed_value_takes_the_old_place(make_bundle: MakeBundle, floats: Floats) -> None:
    rows = {"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2)), "c": (FLOAT, (1,), floats(3))}
    found = checkpoint.read_checkpoint(make_bundle(rows))
    found.variables["b"].tensor = Tensor.of(INT64, (2,), [7, 8])
    assert content(checkpoint.lower_checkpoint(found))[f"model{DATA}"] == floats(1) + struct.pack("<2q", 7, 8) + floats(
        3
    )


def test_a_new_shape_over_the_same_values(
    make_bundle: MakeBundle, floats: Floats, tmp_path: Path, write_files: WriteFiles
) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (2, 3), floats(1, 2, 3, 4, 5, 6))}))
    old = found.variables["a"].tensor
    found.variables["a"].tensor = Tensor(old.dtype, Shape((3, 2)), old.source)
    files = checkpoint.lower_checkpoint(found)
    assert isinstance(files[f"model{DATA}"][0], FileRange)
    write_files(tmp_path / "out", files)
    again = checkpoint.read_checkpoint(tmp_path / "out/model").variables["a"].tensor
    assert again.numpy().tolist() == [[1, 2], [3, 4], [5, 6]]


def test_two_names_for_the_same_values(
    make_bundle: MakeBundle, floats: Floats, tmp_path: Path, write_files: WriteFiles
) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2))}))
    found.variables["copy"] = Variable("copy", found.variables["a"].tensor)
    found.remove(["b"])
    write_files(tmp_path / "out", checkpoint.lower_checkpoint(found))
    again = checkpoint.read_checkpoint(tmp_path / "out/model")
    assert {key: variable.tensor.items() for key, variable in again.variables.items()} == {"a": [1], "copy": [1]}


def test_slices_follow_their_variable(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/partitioned/model.ckpt")
    values = found.variables["rows"].tensor.numpy()
    found.rename({"rows": "renamed/rows"})
    found.remove(["columns"])
    write_files(tmp_path, checkpoint.lower_checkpoint(found, "out"))
    again = checkpoint.read_checkpoint(tmp_path / "out")
    assert again.variables["renamed/rows"].slices == found.variables["renamed/rows"].slices > 1
    np.testing.assert_array_equal(again.variables["renamed/rows"].tensor.numpy(), values)
    assert "columns" not in again.variables
    assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []


def test_big_endian_bundles_stay_so(make_bundle: MakeBundle, tmp_path: Path, write_files: WriteFiles) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), struct.pack(">f", 2))}, big_endian=True))
    found.variables["b"] = Variable("b", Tensor.of(FLOAT32, (2,), [3.0, 4.0]))
    found.variables["s"] = Variable("s", Tensor.of(STRING, (1,), [b"text"]))
    write_files(tmp_path / "out", checkpoint.lower_checkpoint(found))
    again = checkpoint.read_checkpoint(tmp_path / "out/model")
    assert again.raw.big_endian
    assert {k: v.tensor.items() for k, v in again.variables.items()} == {"a": [2], "b": [3, 4], "s": [b"text"]}
    assert (tmp_path / f"out/model{DATA}").read_bytes()[:12] == struct.pack(">3f", 2, 3, 4)
    assert checkpoint.verify_checksums(again) == []


def test_from_another_checkpoint(
    make_bundle: MakeBundle, tmp_path: Path, write_files: WriteFiles, floats: Floats
) -> None:
    """Little-endian values move with the checksum they have; those of the other byte order are made anew."""
    first = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), floats(1))}, name="first"))
    cut = {
        encode_slice_key(b"w", [(0, 1)]): (FLOAT, (1,), floats(5)),
        encode_slice_key(b"w", [(1, 1)]): (FLOAT, (1,), floats(6)),
        "w": {"dtype": FLOAT, "dims": (2,), "slices": [[(0, 1)], [(1, 1)]]},
    }
    swapped = {"big": (FLOAT, (2,), struct.pack(">2f", 7, 8))}
    for other in (make_bundle(cut, name="cut"), make_bundle(swapped, name="swapped", big_endian=True)):
        for key, variable in checkpoint.read_checkpoint(other).variables.items():
            first.variables[key] = variable
    files = checkpoint.lower_checkpoint(first, "merged")
    assert sum(isinstance(piece, FileRange) for piece in files[f"merged{DATA}"]) == 3
    write_files(tmp_path / "out", files)
    again = checkpoint.read_checkpoint(tmp_path / "out/merged")
    assert {k: v.tensor.items() for k, v in again.variables.items()} == {"a": [1], "w": [5, 6], "big": [7, 8]}
    assert again.variables["w"].slices == 2
    assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []


class Counted:
    """Values that are made block by block; counts how often they were."""

    def __init__(self, blocks: int) -> None:
        self.blocks = blocks
        self.passes = 0

    @property
    def nbytes(self) -> int:
        return self.blocks * BLOCK

    def chunks(self) -> Iterator[bytes]:
        self.passes += 1
        yield from (bytes([number]) * BLOCK for number in range(self.blocks))

    def strings(self) -> list[bytes]:
        return []


def test_large_new_values_stream(tmp_path: Path, write_files: WriteFiles) -> None:
    source = Counted(3)
    new = Checkpoint("new", 2, {"w": Variable("w", Tensor(FLOAT32, Shape((3 * BLOCK // 4,)), source))})
    files = checkpoint.lower_checkpoint(new, "new")
    assert source.passes == 1  # for the checksum; the bytes are made again when they are written
    write_files(tmp_path, files)
    assert source.passes == 2
    found = checkpoint.read_checkpoint(tmp_path / "new")
    assert checkpoint.verify_checksums(found) == []
    assert [chunk[0] for chunk in found.variables["w"].tensor.chunks()] == [0, 1, 2]


def test_values_that_do_not_fill_their_shape() -> None:
    new = Checkpoint("new", 2, {"w": Variable("w", Tensor(FLOAT32, Shape((3,)), BytesSource(b"1234")))})
    with pytest.raises(FormatError, match=r"w: 4 bytes of values, float32 of shape \[3\] takes 12"):
        checkpoint.lower_checkpoint(new, "new")


@pytest.mark.parametrize("key", ["", "_CHECKPOINTABLE_OBJECT_GRAPH"])
def test_keys_that_mean_something_else(fixtures_dir: Path, key: str) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/object_graph/ckpt-1")
    found.rename({next(iter(found.variables)): key})
    with pytest.raises(FormatError, match=f"two entries would have the key '{key}'"):
        checkpoint.lower_checkpoint(found)


def test_a_slice_that_is_listed_twice(make_bundle: MakeBundle, floats: Floats) -> None:
    rows: dict[Any, Any] = {
        encode_slice_key(b"w", [(0, 1)]): (FLOAT, (1,), floats(1)),
        "w": {"dtype": FLOAT, "dims": (1,), "slices": [[(0, 1)], [(0, 1)]]},
    }
    found = checkpoint.read_checkpoint(make_bundle(rows))
    found.rename({"w": "v"})
    assert content(checkpoint.lower_checkpoint(found))[f"model{DATA}"] == floats(1)


def test_variants_cannot_be_made() -> None:
    new = Checkpoint("new", 2, {"v": Variable("v", Tensor(VARIANT, Shape(()), BytesSource(b"")))})
    with pytest.raises(UnsupportedError, match="v: values of type variant can only be copied"):
        checkpoint.lower_checkpoint(new, "new")


def test_the_object_graph_names_the_new_keys(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/object_graph/ckpt-1")
    key = next(key for key in found.variables if "OPTIMIZER" not in key)
    new = "much/longer/than/before/it/was/" + key
    found.rename({key: new})
    write_files(tmp_path, checkpoint.lower_checkpoint(found, "out"))
    again = checkpoint.read_checkpoint(tmp_path / "out")
    assert again.objects is not None
    named = [name for node in again.objects.nodes for _, _, name in node.attributes]
    assert new in named
    assert key not in named
    assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []


def test_tables_are_renamed_by_their_parts(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    """The object graph knows `table/...`, the file has `table/...-keys` and `-values`."""
    found = checkpoint.read_checkpoint(fixtures_dir / "savedmodel/table_mutable/variables/variables")
    parts = [key for key in found.variables if key.startswith("table/")]
    assert len(parts) == 2
    found.rename({key: f"new_{key}" for key in parts})
    write_files(tmp_path, checkpoint.lower_checkpoint(found, "out"))
    again = checkpoint.read_checkpoint(tmp_path / "out")
    assert checkpoint.problems(again) == []
    again.remove([key for key in again.variables if key.startswith("new_table")])
    assert checkpoint.problems(again) == []


def test_renaming_refuses_collisions_and_unknown_keys(make_bundle: MakeBundle, floats: Floats) -> None:
    found = checkpoint.read_checkpoint(make_bundle({"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2))}))
    with pytest.raises(UsageError, match="two variables would have the key 'b'"):
        found.rename({"a": "b"})
    with pytest.raises(UsageError, match="no variable 'c'"):
        found.rename({"c": "d"})
    assert checkpoint.is_untouched(found)


def test_a_missing_shard_is_named(fixtures_dir: Path) -> None:
    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/index_only/model")
    for change in ({}, {next(iter(found.variables)): "renamed"}):
        found.rename(change)
        with pytest.raises(FileError, match=r"model\.data-00000-of-00001"):
            checkpoint.lower_checkpoint(found)


def test_what_could_not_be_read_is_not_dropped(make_bundle: MakeBundle, floats: Floats) -> None:
    rows = {"a": (FLOAT, (1,), floats(1)), "b": (FLOAT, (1,), floats(2))}
    prefix = make_bundle(rows)
    index = Path(f"{prefix}.index")
    index.write_bytes(index.read_bytes().replace(b"b\x08\x01", b"c\x08\x01"))
    found = checkpoint.read_checkpoint(prefix)
    assert content(checkpoint.lower_checkpoint(found))["model.index"] == index.read_bytes()
    found.rename({"a": "z"})
    with pytest.raises(FormatError, match="do not match their checksums; only an unchanged copy"):
        checkpoint.lower_checkpoint(found)


def test_unknown_fields_of_entries_and_header_stay(tmp_path: Path, floats: Floats, write_files: WriteFiles) -> None:
    unknown = b"\xfa\x3f\x03new"  # field 1023
    header = b"\x08\x01\x1a\x02\x08\x01" + unknown
    checksum = struct.pack("<I", crc32c.mask(crc32c.crc32c(floats(1))))
    row = b"\x08\x01\x12\x04\x12\x02\x08\x01\x28\x04\x35" + checksum + unknown
    (tmp_path / "m.index").write_bytes(write_table([(b"", header), (b"a", row), (b"b", row)]))
    (tmp_path / f"m{DATA}").write_bytes(floats(1))
    found = checkpoint.read_checkpoint(tmp_path / "m")
    found.rename({"a": "c"})
    found.variables["b"].tensor = Tensor.of(FLOAT32, (1,), [2.0])
    write_files(tmp_path / "out", checkpoint.lower_checkpoint(found))
    entries = dict(SSTable(open_source(tmp_path / "out/m.index")))
    assert entries[b""] == header
    assert entries[b"c"] == row
    assert entries[b"b"].endswith(unknown)


@pytest.mark.tensorflow
def test_new_files_have_the_bytes_that_tensorflow_writes(tmp_path: Path) -> None:
    import tensorflow as tf

    arrays = {
        "a/kernel": np.arange(600, dtype=np.float32).reshape(20, 30),
        "a/kernel/Momentum": np.zeros((20, 30), np.float32),
        "b": np.array(5, np.int64),
        "empty": np.zeros((0, 4), np.float64),
        "half": np.array([1.5, -2], np.float16),
        "text": np.array([b"", b"long " * 40], object),
        "flag": np.array([True, False]),
        "z": np.array([1 + 2j], np.complex64),
    } | {f"many/{number:04d}": np.array(number) for number in range(300)}
    names = list(arrays)
    tensors = [tf.constant(value) for value in arrays.values()]
    prefix = str(tmp_path / "theirs")
    tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=tensors)
    ours = Checkpoint("ours", 2, {k: Variable(k, Tensor.from_numpy(v)) for k, v in arrays.items()})
    files = content(checkpoint.lower_checkpoint(ours, "theirs"))
    assert files == {f"theirs{end}": Path(prefix + end).read_bytes() for end in (DATA, ".index")}


@pytest.mark.tensorflow
def test_tensorflow_restores_what_was_edited(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    """Keys renamed, slots dropped: `load_checkpoint` and `Checkpoint.restore` find every value."""
    import tensorflow as tf

    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/object_graph/ckpt-1")
    before = {key: variable.tensor.numpy() for key, variable in found.variables.items()}
    slots = [key for key in found.variables if "optimizer" in key.lower()]
    found.remove(slots)
    renamed = {key: f"renamed/{key}" for key in found.variables}
    found.rename(renamed)
    write_files(tmp_path, checkpoint.lower_checkpoint(found, "edited"))
    reader = tf.train.load_checkpoint(str(tmp_path / "edited"))
    assert set(reader.get_variable_to_dtype_map()) == {*renamed.values(), "_CHECKPOINTABLE_OBJECT_GRAPH"}
    assert found.objects is not None
    for path, key in attribute_paths(found):
        if path and path != ["save_counter"]:
            target = tf.Variable(
                tf.zeros(before[key.removeprefix("renamed/")].shape, before[key.removeprefix("renamed/")].dtype)
            )
            tf.train.Checkpoint(**{path[0]: holder(path[1:], target)}).restore(
                str(tmp_path / "edited")
            ).expect_partial()
            np.testing.assert_array_equal(target.numpy(), before[key.removeprefix("renamed/")])


def attribute_paths(found: Checkpoint) -> Iterator[tuple[list[str], str]]:
    """Yield the local names that lead from the root to each saved value, and its key."""
    assert found.objects is not None
    todo: list[tuple[list[str], Any]] = [([], found.objects.root)]
    seen = set()
    while todo:
        path, node = todo.pop()
        if node in seen:
            continue
        seen.add(node)
        for name, _, key in node.attributes:
            if name == "VARIABLE_VALUE":
                yield path, key
        todo += [([*path, name], child) for name, child in node.children]


def holder(path: list[str], variable: Any) -> Any:
    import tensorflow as tf

    if not path:
        return variable
    module = tf.Module()
    setattr(module, path[0], holder(path[1:], variable))
    return module


@pytest.mark.tensorflow
def test_a_saver_restores_renamed_variables_and_slices(
    fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles
) -> None:
    import tensorflow as tf

    found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint/partitioned/model.ckpt")
    expected = {key: variable.tensor.numpy() for key, variable in found.variables.items()}
    found.rename({key: f"new/{key}" for key in expected})
    write_files(tmp_path, checkpoint.lower_checkpoint(found, "out"))
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variables = {
            key: tf.compat.v1.get_variable(
                key.replace(":", "_"), value.shape, tf.as_dtype(value.dtype), use_resource=True
            )
            for key, value in expected.items()
        }
        tf.compat.v1.train.Saver({f"new/{k}": v for k, v in variables.items()}).restore(session, str(tmp_path / "out"))
        for key, variable in variables.items():
            np.testing.assert_array_equal(session.run(variable), expected[key])


def test_a_v1_checkpoint_becomes_a_v2_one(fixtures_dir: Path, tmp_path: Path, write_files: WriteFiles) -> None:
    for name in ("v1", "v1_partitioned", "v1_snappy"):
        found = checkpoint.read_checkpoint(fixtures_dir / "checkpoint" / name / "model.ckpt")
        assert found.version == 1
        assert checkpoint.is_untouched(found)
        write_files(tmp_path / name, checkpoint.lower_checkpoint(found, "out"))
        again = checkpoint.read_checkpoint(tmp_path / name / "out")
        assert {k: stored(v)[::3] for k, v in again.variables.items()} == {
            k: stored(v)[::3] for k, v in found.variables.items()
        }
        assert checkpoint.problems(again) + checkpoint.verify_checksums(again) == []


def test_float8_and_bfloat16_keep_their_bits(tmp_path: Path, write_files: WriteFiles) -> None:
    types = [DType.named(name) for name in ("bfloat16", "float8_e5m2", "float8_e4m3fn")]
    new = {str(t): Variable(str(t), Tensor(t, Shape((2,)), BytesSource(numeric.encode(t, [1.5, -2.0])))) for t in types}
    write_files(tmp_path, checkpoint.lower_checkpoint(Checkpoint("m", 2, new), "m"))
    found = checkpoint.read_checkpoint(tmp_path / "m")
    assert {key: variable.tensor.items() for key, variable in found.variables.items()} == {
        key: [1.5, -2.0] for key in new
    }
