"""What is damaged is named and nothing is written; what is saved of it TensorFlow restores, and misses the rest."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.export import export_file
from graphsurgeon.formats.exports import arrays

pytestmark = pytest.mark.tensorflow

COUNT = 6


def program(value: float) -> tuple[Any, list[Any]]:
    import tensorflow as tf

    inner = tf.Module()
    inner.values = [tf.Variable([value + n] * 4) for n in range(COUNT)]
    return tf.train.Checkpoint(net=inner), inner.values


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    return Path(program(1.0)[0].save(f"{tmp_path}/ck"))


def data(prefix: Path) -> Path:
    return prefix.with_name(f"{prefix.name}.data-00000-of-00001")


def flip(prefix: Path) -> None:
    """Change a bit of the value of the third variable."""
    content = bytearray(data(prefix).read_bytes())
    content[content.index(np.full(4, 3.0, "f4").tobytes())] ^= 1
    data(prefix).write_bytes(content)


def cut(prefix: Path) -> None:
    """Cut the shard off before the value of the third; the object graph, which lies behind, is lost too."""
    content = data(prefix).read_bytes()
    data(prefix).write_bytes(content[: content.index(np.full(4, 3.0, "f4").tobytes())])


def flip_objects(prefix: Path) -> None:
    content = bytearray(data(prefix).read_bytes())
    content[content.index(b"values") + 1] ^= 1
    data(prefix).write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "lost"), [(flip, [2]), (cut, [2, 3, 4, 5]), (flip_objects, [])], ids=["bit", "cut", "objects"]
)
def test_the_rest_is_saved(damage: Callable[[Path], None], lost: list[int], saved: Path, tmp_path: Path) -> None:
    damage(saved)
    [done] = edit(saved, [("extract", {"skip_damaged": True})], output=tmp_path / "rest.ckpt").steps
    told = [key for key, _ in done.report.damaged if "values" in key]  # type: ignore[attr-defined]
    assert told == [f"net/values/{n}/.ATTRIBUTES/VARIABLE_VALUE" for n in lost]
    fresh, values = program(100.0)
    status = fresh.restore(f"{tmp_path}/rest.ckpt").expect_partial()
    for number, value in enumerate(values):
        wanted = 100.0 + number if number in lost else 1.0 + number
        np.testing.assert_array_equal(value.numpy(), [wanted] * 4)
    if lost:
        with pytest.raises(AssertionError, match="not bound"):
            status.assert_existing_objects_matched()
    else:
        status.assert_existing_objects_matched()


@pytest.mark.parametrize("damage", [flip, cut, flip_objects], ids=["bit", "cut", "objects"])
@pytest.mark.parametrize(
    "step",
    [
        ("extract", {"match": ["net/values/[0-4]"]}),
        ("rename", {"names": {"net/": "other/"}}),
        ("cast", {"dtype": "bfloat16"}),
        ("average", {"checkpoints": ["SOUND"]}),
        ("merge", {"checkpoint": "SOUND", "prefix": "b/"}),
    ],
    ids=lambda step: step[0],
)
def test_nothing_is_written_of_what_is_damaged(
    step: tuple[str, Any], damage: Callable[[Path], None], saved: Path, tmp_path: Path
) -> None:
    (tmp_path / "sound").mkdir()
    sound = program(2.0)[0].save(f"{tmp_path}/sound/ck")
    given = {
        name: [sound] if value == ["SOUND"] else sound if value == "SOUND" else value for name, value in step[1].items()
    }
    damage(saved)
    assert any(finding.severity == "error" for finding in check(read(saved), checksums=True))
    with pytest.raises((FileError, UsageError)):
        edit(saved, [(step[0], given)], output=tmp_path / "out.ckpt")
    assert not list(tmp_path.glob("out*"))


def test_no_array_is_made_of_damaged_values(saved: Path, tmp_path: Path) -> None:
    flip(saved)
    checkpoint = read(saved).checkpoint
    assert checkpoint is not None
    tensors = {key: variable.tensor for key, variable in checkpoint.variables.items()}
    for suffix in (".npz", ".safetensors"):
        with pytest.raises(FileError, match="do not match their checksum"):
            export_file(tmp_path / f"w{suffix}", arrays.lower(tensors, suffix), sources=[saved])
        assert not (tmp_path / f"w{suffix}").exists()


FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "checkpoint"


def unnamed(found: Any) -> None:
    key = next(key for key in found.entries if key)
    found.entries[b"\xff\xfe"] = found.entries[key]


def unknown_rank(found: Any) -> None:
    next(entry for key, entry in found.entries.items() if key).shape.unknown_rank = True


# fixture, change of its index, whether TensorFlow refuses it then
INDICES: list[tuple[str, Callable[[Any], object], bool]] = [
    ("name_based", lambda found: found.entries.pop(b""), False),  # its first entry, of floats, says one shard
    ("dtypes", lambda found: found.entries.pop(b""), True),
    ("name_based", unknown_rank, False),
    ("name_based", unnamed, True),
]


@pytest.mark.parametrize("index", range(len(INDICES)))
def test_an_index_is_judged_as_tensorflow_reads_it(tmp_path: Path, index: int) -> None:
    import shutil

    import tensorflow as tf

    from benchmarks import soundness_checkpoints as checkpoints

    name, change, is_refused = INDICES[index]
    shutil.copytree(FIXTURES / name, tmp_path / "m")
    prefix = checkpoints.prefixes(tmp_path / "m")[0]
    parts = checkpoints.parts(prefix)
    change(parts)
    checkpoints.write(parts, prefix)
    try:
        reader = tf.train.load_checkpoint(str(prefix))
        assert all(reader.get_tensor(key) is not None for key in reader.get_variable_to_shape_map())
        was_refused = False
    except (tf.errors.OpError, UnicodeDecodeError, RuntimeError):
        was_refused = True
    assert was_refused == is_refused
    try:
        errors = [found.what for found in check(read(prefix), checksums=True) if found.severity == "error"]
    except FileError as error:
        errors = [error.message]
    assert bool(errors) == is_refused
