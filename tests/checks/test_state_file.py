"""What the file `checkpoint` of a folder says, beside `tf.train.load_checkpoint` of TensorFlow 2.21."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "checkpoint"
NAME = "model.ckpt-20"
# The text of the file, whether a loader that is given the folder refuses it.
TEXTS = [
    (f'model_checkpoint_path: "{NAME}"\n', False),
    (f'model_checkpoint_path: "/no/such/folder/{NAME}"\n', True),
    ('model_checkpoint_path: "no_such-7"\n', True),
    ("", True),
    ("{{", True),
    (f'model_checkpoint_path: "{NAME}"\nall_model_checkpoint_paths: "gone"\n', False),
]


def folder_of(tmp_path: Path, text: str) -> Path:
    folder = shutil.copytree(FIXTURES / "moved", tmp_path / "m")
    for file in folder.glob("model.ckpt-10.*"):
        file.unlink()
    (folder / "checkpoint").write_text(text)
    return folder


def told(path: Path) -> set[str]:
    return {found.severity for found in check(read(path)) if found.rule == "state-file"}


@pytest.mark.parametrize(("text", "is_refused"), TEXTS)
def test_who_names_the_folder_is_refused(tmp_path: Path, text: str, is_refused: bool) -> None:
    assert ("error" in told(folder_of(tmp_path, text))) == is_refused


@pytest.mark.parametrize(("text", "is_refused"), TEXTS)
def test_who_names_the_checkpoint_is_not(tmp_path: Path, text: str, is_refused: bool) -> None:
    said = told(folder_of(tmp_path, text) / NAME)
    assert said == {"warning"} if is_refused else "error" not in said


@pytest.mark.tensorflow
@pytest.mark.parametrize(("text", "is_refused"), TEXTS)
def test_the_loader_refuses_the_folder(tmp_path: Path, text: str, is_refused: bool) -> None:
    import tensorflow as tf

    folder = folder_of(tmp_path, text)
    assert tf.train.load_checkpoint(str(folder / NAME)) is not None
    if is_refused:
        with pytest.raises(ValueError, match="checkpoint"):
            tf.train.load_checkpoint(str(folder))
    else:
        assert tf.train.load_checkpoint(str(folder)) is not None


@pytest.mark.parametrize(("name", "severity"), [("", "error"), ("model.meta", "warning")])
def test_of_a_graph_with_its_checkpoint_too(tmp_path: Path, name: str, severity: str) -> None:
    folder = shutil.copytree(FIXTURES.parent / "metagraph" / "training_text", tmp_path / "m")
    (folder / "checkpoint").write_text('model_checkpoint_path: "/no/such/folder/model"\n')
    assert told(folder / name) == {severity}
