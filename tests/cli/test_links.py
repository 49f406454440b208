"""Links and names that lead out of a model's folder: one rule, the same words from every command."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon.formats.checkpoint import find as checkpoint
from tests.cli.conftest import GS

TABLE = "savedmodel/table_asset"  # has a variable and two assets
WORDS = "leads outside the model's folder"
READERS = ("show", "check", "weights")


def moved_out(fixtures_dir: Path, folder: Path, fixture: str, name: str) -> Path:
    """Copy a fixture and put a link in the place of a file or folder of it, which now lies beside the copy."""
    model = folder / "model"
    shutil.copytree(fixtures_dir / fixture, model)
    (folder / "outside").mkdir()
    (model / name).rename(folder / "outside" / Path(name).name)
    (model / name).symlink_to(folder / "outside" / Path(name).name)
    return model


@pytest.mark.parametrize("name", ["variables", "variables/variables.index"])
def test_variables_that_are_a_link_out(gs: GS, fixtures_dir: Path, tmp_path: Path, name: str) -> None:
    model = moved_out(fixtures_dir, tmp_path, TABLE, name)
    for command, status in {"show": 0, "check": 1, "weights": 3}.items():
        result = gs(command, model)
        assert (result.status, WORDS in result.out + result.err) == (status, True), command
    for command in (
        ["weights", "--checksum"],
        ["weights", "--export", tmp_path / "w.npz"],
        ["freeze", "-o", tmp_path / "o.pb"],
    ):
        result = gs(command[0], model, *command[1:])
        assert (result.status, WORDS in result.err) == (3, True), command
    edits = (["convert", model, tmp_path / "o"], ["strip", model, "-o", tmp_path / "o"])
    for command in (*edits, ["diff", model, model], ["run", model], ["verify", model, model]):
        result = gs(*command)
        assert (result.status, WORDS in result.err) == (3, True), command
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "outside"]


@pytest.mark.parametrize("name", ["assets", "assets/vocab.txt"])
def test_assets_that_are_a_link_out(gs: GS, fixtures_dir: Path, tmp_path: Path, name: str) -> None:
    model = moved_out(fixtures_dir, tmp_path, TABLE, name)
    for command, status in {"show": 0, "check": 1}.items():
        result = gs(command, model)
        assert (result.status, WORDS in result.out + result.err) == (status, True), command
    for command in (["convert", model, tmp_path / "o"], ["strip", model, "-o", tmp_path / "o"]):
        result = gs(*command)
        assert (result.status, WORDS in result.err) == (3, True), command


@pytest.mark.parametrize("command", ["convert", "strip"])
def test_assets_whose_name_leads_out(gs: GS, tmp_path: Path, command: str) -> None:
    assert WORDS in gs("show", "hostile/asset_traversal").out
    assert WORDS in gs("check", "hostile/asset_traversal").out
    target = [tmp_path / "o"] if command == "convert" else ["-o", tmp_path / "o"]
    result = gs(command, "hostile/asset_traversal", *target)
    assert (result.status, WORDS in result.err, (tmp_path / "o").exists()) == (3, True, False)


def test_assets_whose_name_leads_out_are_not_edited_in_place(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    model = shutil.copytree(fixtures_dir / "hostile/asset_traversal", tmp_path / "model")
    before = (model / "saved_model.pb").read_bytes()
    result = gs("strip", model, "--in-place")
    assert (result.status, WORDS in result.err) == (3, True)
    assert (model / "saved_model.pb").read_bytes() == before


def test_a_protobuf_that_is_a_link_out(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    model = moved_out(fixtures_dir, tmp_path, TABLE, "saved_model.pb")
    for command in READERS:
        for path in (model, model / "saved_model.pb"):
            result = gs(command, path)
            assert (result.status, WORDS in result.err) == (3, True), command
    assert gs("show", tmp_path / "outside" / "saved_model.pb").status == 0


def test_versions_and_only_files_that_are_links_out(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "1").symlink_to(fixtures_dir / TABLE)
    (tmp_path / "single").mkdir()
    (tmp_path / "single" / "model.tflite").symlink_to(fixtures_dir / "tflite/float.tflite")
    assert WORDS in gs("show", tmp_path / "served").err
    assert gs("show", tmp_path / "served" / "1").status == 0
    assert WORDS in gs("show", tmp_path / "single").err
    assert gs("show", tmp_path / "single" / "model.tflite").status == 0


def test_shards_that_are_a_link_out(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    model = moved_out(fixtures_dir, tmp_path, "checkpoint/name_based", "model.ckpt.data-00000-of-00001")
    for command in (["show"], ["check"], ["weights", "--checksum"], ["convert", tmp_path / "o"]):
        result = gs(command[0], model, *command[1:])
        assert WORDS in result.out + result.err, command


def test_a_state_file_that_names_a_folder_behind_a_link(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "sub").symlink_to(fixtures_dir / "checkpoint/name_based")
    (tmp_path / "model" / "checkpoint").write_text('model_checkpoint_path: "sub/model.ckpt"')
    for command in READERS:
        result = gs(command, tmp_path / "model")
        assert (result.status, WORDS in result.err) == (3, True), command


def test_external_buffers_that_are_a_link_out(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    model = moved_out(fixtures_dir, tmp_path, "tflite/external_buffers", "weights.bin") / "model.tflite"
    for command in (["show"], ["check"], ["weights", "--all", "--checksum"]):
        result = gs(command[0], model, *command[1:])
        assert WORDS in result.out + result.err, command
    for command in (["convert", model, tmp_path / "o.tflite"], ["strip", model, "-o", tmp_path / "o.tflite"]):
        result = gs(*command)
        assert (result.status, WORDS in result.err) == (3, True), command
    assert not (tmp_path / "o.tflite").exists()


def test_links_that_stay_in_the_model(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    model = shutil.copytree(fixtures_dir / TABLE, tmp_path / "model")
    (model / "variables").rename(model / "shared")
    (model / "variables").mkdir()
    for path in (model / "shared").iterdir():
        (model / "variables" / path.name).symlink_to(f"../shared/{path.name}")
    found = checkpoint.find_variables(model)
    expected = checkpoint.find_variables(fixtures_dir / TABLE)
    assert found is not None
    assert expected is not None
    values = {key: variable.tensor.tobytes() for key, variable in expected.variables.items()}
    assert {key: variable.tensor.tobytes() for key, variable in found.variables.items()} == values
    assert gs("convert", model, tmp_path / "copy").status == 0
