"""`tf.train.latest_checkpoint` finds what the state file names, after a folder was moved and after an edit."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
from graphsurgeon.scanning.scan import scan

pytestmark = pytest.mark.tensorflow


@pytest.fixture
def moved(tmp_path: Path) -> Path:
    """Save twice as savers of version 1 do, with absolute paths, and move the folder."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        v1.get_variable("v", initializer=[1.0, 2.0])
        session.run(v1.global_variables_initializer())
        saver = v1.train.Saver()
        for step in (1, 2):
            saver.save(session, str(tmp_path / "first" / "m"), global_step=step)
    shutil.move(tmp_path / "first", tmp_path / "second")
    return tmp_path / "second"


def latest(folder: Path) -> str | None:
    import tensorflow as tf

    found: str | None = tf.train.latest_checkpoint(str(folder))
    return found


def kept(folder: Path) -> list[str]:
    import tensorflow as tf

    return list(tf.train.get_checkpoint_state(str(folder)).all_model_checkpoint_paths)


def test_a_moved_folder_is_told_and_mended(moved: Path) -> None:
    assert latest(moved) is None
    model = read(moved)
    assert "state-file" in [finding.rule for finding in check(model)]
    assert any("--what state" in note for note in model.notes)
    edit(moved, [("rename", {"what": "state"})], in_place=True)
    assert latest(moved) == str(moved / "m-2")
    assert kept(moved) == [str(moved / "m-1"), str(moved / "m-2")]
    assert "state-file" not in [finding.rule for finding in check(read(moved))]


def test_a_copy_beside_the_original_names_itself(moved: Path, tmp_path: Path) -> None:
    shutil.copytree(moved, tmp_path / "first")
    assert latest(moved) == str(tmp_path / "first" / "m-2")  # that of the other folder
    edit(moved, [("rename", {"what": "state"})], in_place=True)
    assert latest(moved) == str(moved / "m-2")


def test_what_is_gone_is_not_named(moved: Path) -> None:
    for file in moved.glob("m-1.*"):
        file.unlink()
    edit(moved, [("rename", {"what": "state"})], in_place=True)
    assert kept(moved) == [str(moved / "m-2")]


@pytest.mark.parametrize(
    "text",
    ["", "model_checkpoint_path: 3", 'model_checkpoint_path: "m-2"\nmine: 1', 'model_checkpoint_path: "m-2.index"'],
)
def test_a_file_that_tensorflow_takes_nothing_from(text: str, moved: Path) -> None:
    (moved / "checkpoint").write_text(text)
    edit(moved / "m-2", [("rename", {"what": "state"})], in_place=True)
    assert latest(moved) == str(moved / "m-2")


@pytest.mark.parametrize("output", ["fresh/new.ckpt", "fresh/"])
def test_an_edit_leaves_a_folder_with_its_state_file(output: str, moved: Path, tmp_path: Path) -> None:
    report = edit(moved / "m-1", [("rename", {"prefix": "x/"})], output=f"{tmp_path}/{output}")
    assert latest(tmp_path / "fresh") == report.output


def test_an_edit_in_place_mends_what_names_nothing(moved: Path) -> None:
    edit(moved / "m-1", [("rename", {"prefix": "x/"})], in_place=True)
    assert latest(moved) == str(moved / "m-2")


def test_a_folder_of_training_keeps_its_latest(moved: Path) -> None:
    edit(moved, [("rename", {"what": "state"})], in_place=True)
    before = (moved / "checkpoint").read_bytes()
    edit(moved / "m-1", [("rename", {"prefix": "x/"})], output=moved / "other.ckpt")
    assert (moved / "checkpoint").read_bytes() == before


def test_timestamps_stay_beside_their_paths(tmp_path: Path) -> None:
    import tensorflow as tf

    checkpoint = tf.train.Checkpoint(v=tf.Variable(1.0))
    manager = tf.train.CheckpointManager(checkpoint, str(tmp_path), max_to_keep=None)
    for _ in range(3):
        manager.save()
    before = tf.train.get_checkpoint_state(str(tmp_path)).all_model_checkpoint_timestamps
    for file in tmp_path.glob("ckpt-1.*"):
        file.unlink()
    edit(tmp_path, [("rename", {"what": "state"})], in_place=True)
    after = tf.train.get_checkpoint_state(str(tmp_path))
    assert list(after.all_model_checkpoint_timestamps) == list(before[1:])
    assert kept(tmp_path) == [str(tmp_path / "ckpt-2"), str(tmp_path / "ckpt-3")]


@pytest.mark.parametrize(
    ("named", "is_read"),
    [
        ("{}/other/model.ckpt", True), ("../other/model.ckpt", True), ("model.ckpt", False), ("{}/c/model.ckpt", False),
        ("../c/model.ckpt", False), ("/home/someone/train/model.ckpt", False),
    ],
)  # fmt: skip
def test_a_scan_tells_when_the_latest_checkpoint_is_another(
    named: str, is_read: bool, fixtures_dir: Path, tmp_path: Path
) -> None:
    for name in ("c", "other"):
        shutil.copytree(fixtures_dir / "checkpoint/multi_shard", tmp_path / name)
    (tmp_path / "c/checkpoint").write_text(f'model_checkpoint_path: "{named.format(tmp_path)}"\n')
    found = latest(tmp_path / "c")
    assert is_read == (found is not None and Path(found).resolve().parent != (tmp_path / "c").resolve())
    assert is_read == bool([one for one in scan(tmp_path / "c").findings if one.severity == "critical"])
