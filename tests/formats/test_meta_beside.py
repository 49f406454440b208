"""A `.meta` finds its variables beside it: under its own name, else where there is no question which are its."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon import FileError, edit, read

SWITCHES = {"train_phase": False, "train_phase_last": False}
META = Path(__file__).resolve().parents[2] / "fixtures" / "metagraph" / "face_resnet" / "model-1.meta"


def beside(folder: Path, meta: str, *prefixes: str) -> Path:
    """Copy the graph and its variables under other names."""
    shutil.copy(META, folder / meta)
    for prefix in prefixes:
        for file in META.parent.glob("model-1.*"):
            if file.suffix != ".meta":
                shutil.copy(file, folder / f"{prefix}{file.name.removeprefix('model-1')}")
    return folder / meta


def test_a_name_that_begins_as_its_own_is_taken(tmp_path: Path) -> None:
    model = read(beside(tmp_path, "model-2018.meta", "model-2018.ckpt-275", "zzz"))
    assert model.checkpoint is not None
    assert Path(model.checkpoint.prefix).name == "model-2018.ckpt-275"
    assert any("those of model-2018.ckpt-275" in note for note in model.notes)


def test_the_only_one_is_taken_by_the_only_graph(tmp_path: Path) -> None:
    meta = beside(tmp_path, "graph.meta", "other")
    model = read(meta)
    assert model.checkpoint is not None
    assert Path(model.checkpoint.prefix).name == "other"
    shutil.copy(meta, tmp_path / "second.meta")
    assert read(meta).checkpoint is None


def test_its_own_name_comes_first(tmp_path: Path) -> None:
    model = read(beside(tmp_path, "graph.meta", "graph", "graph.ckpt-1"))
    assert model.checkpoint is not None
    assert Path(model.checkpoint.prefix).name == "graph"


def test_of_several_the_state_file_chooses(tmp_path: Path) -> None:
    meta = beside(tmp_path, "graph.meta", "graph-1", "graph-2")
    with pytest.raises(FileError, match=r"--checkpoint .*graph-1 or --checkpoint .*graph-2"):
        edit.edit(meta, [("freeze", {"outputs": ["logits/MatMul"], "set_values": SWITCHES})], dry_run=True)
    (tmp_path / "checkpoint").write_text('model_checkpoint_path: "graph-2"\n')
    model = read(meta)
    assert model.checkpoint is not None
    assert Path(model.checkpoint.prefix).name == "graph-2"


def test_a_folder_of_the_two_is_one_model_under_other_names_too(tmp_path: Path) -> None:
    beside(tmp_path, "graph.meta", "weights")
    model = read(tmp_path)
    assert model.checkpoint is not None
    assert Path(model.checkpoint.prefix).name == "weights"
    assert any(f"graph.meta is the graph; {tmp_path}/weights is the checkpoint alone" in note for note in model.notes)
    options = {"outputs": ["logits/MatMul"], "set_values": SWITCHES}
    assert edit.edit(tmp_path, [("freeze", options)], dry_run=True).files


def test_a_checkpoint_saved_under_an_empty_name_has_its_graph_beside_it(tmp_path: Path) -> None:
    """As `saver.save(session, "folder/")` writes: `.meta`, `.index`, `.data-...`; a package ships such models."""
    beside(tmp_path, ".meta", "")
    model = read(tmp_path)
    assert model.checkpoint is not None
    assert model.metagraphs
    assert any(f"{tmp_path}/.index is the checkpoint alone" in note for note in model.notes)


def test_graphs_that_no_checkpoint_of_a_folder_belongs_to_leave_it_alone(tmp_path: Path) -> None:
    beside(tmp_path, "first.meta", "weights")
    beside(tmp_path, "second.meta")
    assert read(tmp_path).metagraphs == []
