"""Where a model goes: the suffix decides, and nothing is replaced that was not meant."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon.disk import atomic
from graphsurgeon.disk.atomic import is_temporary
from graphsurgeon.disk.files import tree_names
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import read, write
from graphsurgeon.formats.checkpoint.find import verify_checksums
from graphsurgeon.formats.target import resolve
from graphsurgeon.formats.writing import plan_write
from graphsurgeon.model.model import Model

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
GRAPH = FIXTURES / "graphdef" / "linear.pb"
SAVED_MODEL = FIXTURES / "savedmodel" / "linear"
META = FIXTURES / "metagraph" / "face_resnet" / "model-1.meta"
CHECKPOINT = FIXTURES / "metagraph" / "face_resnet" / "model-1"
TFLITE = FIXTURES / "tflite" / "float.tflite"


def content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in tree_names(folder) if (folder / name).is_file()}


def renamed(path: Path) -> Model:
    """A model with one node renamed, so that its protobuf is not the source's."""
    model = read(path)
    graph = model.metagraphs[0].graph
    graph.nodes[0].name = graph.unique_name("renamed")
    return model


TARGETS = [
    (GRAPH, "out.pb", None, ("graph_def", None, "file")),
    (GRAPH, "out.pbtxt", None, ("graph_def", True, "file")),
    (GRAPH, "out", None, ("saved_model", None, "folder")),
    (GRAPH, "out", "pbtxt", ("graph_def", True, "file")),
    (GRAPH, "out.meta", None, ("meta_graph", False, "file")),
    (META, "out.meta", None, ("meta_graph", None, "file")),
    (META, "out.txt", "meta-text", ("meta_graph", True, "file")),
    (SAVED_MODEL, "out", None, ("saved_model", None, "folder")),
    (SAVED_MODEL, "7", None, ("saved_model", None, "folder")),
    (SAVED_MODEL, "model.2", None, ("saved_model", None, "folder")),
    (SAVED_MODEL, "v1.0b", None, ("saved_model", None, "folder")),
    (GRAPH, "model.2", None, ("saved_model", None, "folder")),
    (GRAPH, "model.foo/", None, ("saved_model", None, "folder")),
    (SAVED_MODEL, "model.pb/", None, ("saved_model", None, "folder")),
    (GRAPH, "saved_model.pb", None, ("saved_model", False, "folder")),
    (CHECKPOINT, "v1.0", None, ("checkpoint", None, "group")),
    (CHECKPOINT, "out.foo/", None, ("checkpoint", None, "group")),
    (SAVED_MODEL, "out.ckpt", "checkpoint", ("checkpoint", None, "group")),
    (SAVED_MODEL, "out.foo", "saved_model", ("saved_model", None, "folder")),
    (TFLITE, "out", None, ("tflite", None, "file")),
    (SAVED_MODEL, "out", "saved_model_pbtxt", ("saved_model", True, "folder")),
    (SAVED_MODEL, "out.pb", None, ("graph_def", False, "file")),
    (CHECKPOINT, "out", None, ("checkpoint", None, "group")),
    (CHECKPOINT, "out.ckpt-100", None, ("checkpoint", None, "group")),
    (CHECKPOINT, "out.index", None, ("checkpoint", None, "group")),
    (TFLITE, "out.tflite", None, ("tflite", None, "file")),
    (TFLITE, "out.bin", "tflite", ("tflite", None, "file")),
]


@pytest.mark.parametrize(("source", "name", "format", "expected"), TARGETS)
def test_the_suffix_decides(
    tmp_path: Path, source: Path, name: str, format: str | None, expected: tuple[object, ...]
) -> None:
    target = resolve(read(source), f"{tmp_path}/{name}", format=format)
    assert (target.format, target.is_text, target.shape) == expected


@pytest.mark.parametrize("source", [GRAPH, SAVED_MODEL, META])
@pytest.mark.parametrize("name", ["z.ckpt", "z.ckpt-7", "z.index", "x.foo", "model.v2", "-", "x.pb.gz"])
def test_the_source_decides_nothing(tmp_path: Path, source: Path, name: str) -> None:
    with pytest.raises(UsageError) as error:
        plan_write(read(source), name if name == "-" else tmp_path / name)
    if name in ("x.foo", "model.v2"):
        assert f"{tmp_path / name}/" in str(error.value)
        assert "--format saved_model" in str(error.value)


def test_a_suffix_that_says_nothing_has_two_ways_that_work(tmp_path: Path) -> None:
    for source, format, place in (
        (GRAPH, "saved_model", tmp_path / "x.foo"),
        (CHECKPOINT, "checkpoint", tmp_path / "x.foo" / CHECKPOINT.name),
    ):
        with pytest.raises(UsageError, match=rf"{tmp_path}/x.foo/.*--format {format}"):
            plan_write(read(source), tmp_path / "x.foo")
        assert resolve(read(source), f"{tmp_path}/x.foo/").path == place
        assert resolve(read(source), tmp_path / "x.foo", format=format).path == tmp_path / "x.foo"
    with pytest.raises(UsageError, match=r"x\.tflite, or --format tflite"):
        plan_write(read(TFLITE), tmp_path / "x.foo")


@pytest.mark.parametrize("name", [".pb", ".pbtxt", ".tflite", ".onnx"])
def test_a_suffix_without_a_name_is_no_name(tmp_path: Path, name: str) -> None:
    model = read(FIXTURES / "graphdef" / "linear.pb")
    with pytest.raises(UsageError, match="is a suffix without a name; put a name before it"):
        write(model, tmp_path / name)
    assert list(tmp_path.iterdir()) == []
    write(model, f"{tmp_path / name}/")
    assert (tmp_path / name / "saved_model.pb").is_file()


def test_text_stays_text_under_its_suffix_and_in_place(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "graphdef" / "linear.pbtxt", tmp_path / "text.pb")
    shutil.copy(TFLITE, tmp_path / "model.bin")
    write(read(tmp_path / "text.pb"), tmp_path / "copy.pb")
    write(read(tmp_path / "model.bin"), tmp_path / "model.bin", in_place=True)
    assert (tmp_path / "copy.pb").read_bytes() == (tmp_path / "text.pb").read_bytes()
    assert (tmp_path / "model.bin").read_bytes() == TFLITE.read_bytes()


def test_a_checkpoint_does_not_go_into_the_saved_model_that_it_is_of(tmp_path: Path) -> None:
    shutil.copytree(SAVED_MODEL, tmp_path / "model")
    for place in (tmp_path / "model" / "ck", f"{tmp_path}/model/variables/"):
        with pytest.raises(UsageError, match="is the model that is read, or lies in it"):
            plan_write(read(tmp_path / "model"), place, format="checkpoint", force=True)


@pytest.mark.parametrize(
    ("source", "name", "error"),
    [
        (GRAPH, "out.xyz", UsageError),
        (GRAPH, "out.h5", UnsupportedError),
        (GRAPH, "out.tflite", UnsupportedError),
        (TFLITE, "out.pb", UnsupportedError),
        (CHECKPOINT, "out.pb", UnsupportedError),
        (FIXTURES / "savedmodel" / "v1_tag_sets", "out.pb", UsageError),
    ],
)
def test_what_cannot_be_written(tmp_path: Path, source: Path, name: str, error: type[Exception]) -> None:
    with pytest.raises(error):
        plan_write(read(source), tmp_path / name)


def test_an_unknown_format_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as error:
        plan_write(read(GRAPH), tmp_path / "out", format="coreml")
    assert "saved_model" in error.value.hint


def test_an_existing_file_is_replaced_only_with_force_and_only_by_its_kind(tmp_path: Path) -> None:
    model = renamed(GRAPH)
    (tmp_path / "notes.pb").write_text("precious words")
    shutil.copy(TFLITE, tmp_path / "lite.pb")
    shutil.copy(FIXTURES / "graphdef" / "cnn.pb", tmp_path / "graph.pb")
    before = content(tmp_path)
    for name in before:
        with pytest.raises(UsageError, match="already exists"):
            write(model, tmp_path / name)
    for name in ("notes.pb", "lite.pb"):
        with pytest.raises(UsageError, match="--force replaces only a GraphDef"):
            write(model, tmp_path / name, force=True)
    assert content(tmp_path) == before
    write(model, tmp_path / "graph.pb", force=True)
    assert read(tmp_path / "graph.pb").metagraphs[0].graph.nodes[0].name.startswith("renamed")


def test_an_existing_folder_is_replaced_only_if_it_holds_a_model_and_nothing_else(tmp_path: Path) -> None:
    model = renamed(SAVED_MODEL)
    shutil.copytree(SAVED_MODEL, tmp_path / "model")
    shutil.copytree(SAVED_MODEL, tmp_path / "mixed")
    (tmp_path / "mixed" / "thesis.tex").write_text("precious")
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"meow")
    (tmp_path / "empty").mkdir()
    before = content(tmp_path)
    for name, message in (("model", "already exists"), ("mixed", "already exists"), ("photos", "already exists")):
        with pytest.raises(UsageError, match=message):
            write(model, tmp_path / name)
    for name, message in (("mixed", "thesis.tex"), ("photos", "cat.jpg")):
        with pytest.raises(UsageError, match=message):
            write(model, tmp_path / name, force=True)
    assert content(tmp_path) == before
    write(model, tmp_path / "model", force=True)
    write(model, tmp_path / "empty")
    assert content(tmp_path / "model") == content(tmp_path / "empty") != content(SAVED_MODEL)


def test_a_target_that_is_the_source_by_any_name(tmp_path: Path) -> None:
    folder, file = tmp_path / "model", tmp_path / "graph.pb"
    shutil.copytree(SAVED_MODEL, folder)
    shutil.copy(GRAPH, file)
    (tmp_path / "alias").symlink_to(folder)
    (tmp_path / "link.pb").symlink_to(file)
    os.link(file, tmp_path / "hard.pb")
    before = content(tmp_path)
    for target in (folder, tmp_path / "alias", folder / "inside", folder / "variables", tmp_path):
        with pytest.raises(UsageError, match="the model that is read"):
            write(renamed(folder), target, force=True, format="saved_model")
    with pytest.raises(UsageError, match="the model that is read"):
        write(renamed(folder), folder / "frozen.pb")
    for target in (file, tmp_path / "link.pb", tmp_path / "hard.pb"):
        with pytest.raises(UsageError, match="the model that is read"):
            write(renamed(file), target, force=True)
    assert content(tmp_path) == before


def test_in_place_replaces_the_protobuf_alone(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FIXTURES / "savedmodel" / "table_asset", folder)
    (folder / "mine.txt").write_text("kept")
    inodes = {name: (folder / name).stat().st_ino for name in tree_names(folder) if (folder / name).is_file()}
    report = write(renamed(folder), folder, in_place=True)
    assert "fingerprint.pb was left out" in report.notes[0]
    inodes.pop("fingerprint.pb")
    changed = [name for name, inode in inodes.items() if (folder / name).stat().st_ino != inode]
    assert changed == ["saved_model.pb"]
    assert sorted(content(folder)) == sorted(inodes)


def test_in_place_with_changed_variables_keeps_everything_else(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(SAVED_MODEL, folder)
    (folder / "mine").mkdir()
    (folder / "mine" / "notes.txt").write_text("kept")
    model = read(folder)
    assert model.checkpoint is not None
    key = next(iter(model.checkpoint.variables))
    model.checkpoint.rename({key: "other/name"})
    write(model, folder, in_place=True)
    assert (folder / "mine" / "notes.txt").read_text() == "kept"
    again = read(folder).checkpoint
    assert again is not None
    assert "other/name" in again.variables
    assert os.listdir(tmp_path) == ["model"]


def test_a_copied_folder_has_every_file(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(FIXTURES / "savedmodel" / "table_asset", source)
    (source / "labels.txt").write_text("cat")
    (source / "cache").mkdir()
    (source / "cache" / "x").touch()
    report = write(read(source), tmp_path / "copy")
    expected = {name: data for name, data in content(source).items() if name != "cache/x"}
    assert content(tmp_path / "copy") == expected
    assert any("cache" in note for note in report.notes)
    assert report.num_bytes == sum(map(len, expected.values()))


def test_linked_files_share_their_bytes(tmp_path: Path) -> None:
    shutil.copytree(SAVED_MODEL, tmp_path / "source")
    write(renamed(tmp_path / "source"), tmp_path / "copy", link=True)
    same = [
        name
        for name in content(tmp_path / "copy")
        if (tmp_path / "copy" / name).stat().st_ino == (tmp_path / "source" / name).stat().st_ino
    ]
    assert same == ["variables/variables.data-00000-of-00001", "variables/variables.index"]


def test_links_that_leave_the_folder_are_not_copied(tmp_path: Path) -> None:
    source = tmp_path / "source"
    shutil.copytree(FIXTURES / "savedmodel" / "table_asset", source)
    (tmp_path / "secret").write_text("key")
    (source / "assets" / "vocab.txt").unlink()
    (source / "assets" / "vocab.txt").symlink_to(tmp_path / "secret")
    from graphsurgeon.errors import FormatError

    with pytest.raises(FormatError, match="leads outside"):
        write(read(source), tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_meta_graph_takes_its_checkpoint_along(tmp_path: Path) -> None:
    model = read(META)
    write(model, tmp_path / "same" / "copy.meta")
    sources = {name: data for name, data in content(META.parent).items() if name.startswith(META.stem + ".")}
    written = content(tmp_path / "same")
    assert b'model_checkpoint_path: "copy"' in written.pop("checkpoint")  # of a folder of its own
    assert written == {name.replace(META.stem, "copy"): data for name, data in sources.items()}
    assert model.checkpoint is not None
    key = next(iter(model.checkpoint.variables))
    model.checkpoint.rename({key: "first"})
    write(model, tmp_path / "new.meta")
    names = ["new.data-00000-of-00001", "new.index", "new.meta"]
    assert sorted(os.listdir(tmp_path)) == [*names, "same"]
    again = read(tmp_path / "new.meta").checkpoint
    assert again is not None
    assert "first" in again.variables


def test_a_meta_graph_whose_checkpoint_is_damaged_leaves_it_where_it_is(tmp_path: Path) -> None:
    shutil.copytree(META.parent, tmp_path / "source")
    for shard in (tmp_path / "source").glob("*.data-*"):
        shard.unlink()
    report = write(read(tmp_path / "source" / META.name), tmp_path / "new" / "copy.meta")
    assert os.listdir(tmp_path / "new") == ["copy.meta"]
    assert any("stay in" in note for note in report.notes)


def test_files_of_external_buffers_go_along(tmp_path: Path) -> None:
    source = FIXTURES / "tflite" / "external_buffers"
    write(read(source / "model.tflite"), tmp_path / "new" / "copy.tflite")
    copied = content(tmp_path / "new")
    assert copied == {
        "copy.tflite": (source / "model.tflite").read_bytes(),
        "weights.bin": content(source)["weights.bin"],
    }
    with pytest.raises(UsageError, match="already exists"):
        write(read(source / "model.tflite"), tmp_path / "new" / "other.tflite")


def test_what_a_format_cannot_hold_is_said(tmp_path: Path) -> None:
    report = write(read(SAVED_MODEL), tmp_path / "graph.pb")
    assert any("signatures" in note for note in report.notes)
    assert any("gs freeze" in note for note in report.notes)


OBJECTS = FIXTURES / "checkpoint" / "name_based"


def first_half(folder: Path, monkeypatch: pytest.MonkeyPatch, stop: int, act: Callable[[], object]) -> None:
    """Do something and be killed at the N-th file that takes its place in a folder."""
    real, count = os.replace, 0

    def replace(source: object, target: object) -> None:
        nonlocal count
        if Path(str(target)).parent == folder:
            if count == stop:
                raise KilledError
            count += 1
        real(source, target)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(atomic, "_bring_back", lambda *_: None)  # a kill leaves no time for it
        patch.setattr(os, "replace", replace)
        with suppress(KilledError):
            act()


class KilledError(BaseException):
    """Stands for a kill."""


def values_of(prefix: Path) -> dict[str, list[object]]:
    checkpoint = read(prefix).checkpoint
    assert checkpoint is not None
    assert verify_checksums(checkpoint) == []
    return {key: variable.tensor.items() for key, variable in checkpoint.variables.items()}


@pytest.mark.parametrize("stop", range(4))
@pytest.mark.parametrize("way", ["rename", "values", "other"])
def test_a_checkpoint_is_never_half_new(way: str, stop: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Path(shutil.copytree(OBJECTS, tmp_path / "ck"))
    [index] = folder.glob("*.index")
    prefix = index.with_suffix("")
    before = values_of(prefix)

    def act() -> None:
        model = read(prefix if way != "other" else FIXTURES / "checkpoint" / "multi_shard")
        assert model.checkpoint is not None
        if way == "rename":
            model.checkpoint.rename({key: f"new/{key}" for key in model.checkpoint.variables})
        elif way == "values":
            del model.checkpoint.variables[next(iter(before))]
        write(model, prefix, format="checkpoint", force=way == "other", in_place=way != "other")

    first_half(folder, monkeypatch, stop, act)
    found = values_of(prefix)
    shutil.rmtree(folder)
    shutil.copytree(OBJECTS, folder)
    act()
    after = values_of(prefix)
    assert after != before
    assert found in (before, after)
    for _ in range(2):  # again and again under the same name
        act() if way == "other" else None
        assert values_of(prefix) == after
    assert read(prefix).notes == []
    assert not [name for name in os.listdir(folder) if is_temporary(name)]


def test_only_the_index_is_written_where_the_values_stay(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(OBJECTS, tmp_path / "ck"))
    [shard] = folder.glob("*.data-*")
    before = shard.stat().st_ino
    model = read(folder)
    assert model.checkpoint is not None
    model.checkpoint.rename({key: f"new/{key}" for key in model.checkpoint.variables})
    [index] = folder.glob("*.index")
    report = write(model, index.with_suffix(""), in_place=True)
    assert sorted(report.files) == sorted([shard.name, index.name])
    assert shard.stat().st_ino == before


@pytest.mark.tensorflow
def test_tensorflow_reads_a_checkpoint_with_new_names_of_shards(tmp_path: Path) -> None:
    import tensorflow as tf

    folder = Path(shutil.copytree(OBJECTS, tmp_path / "ck"))
    [index] = folder.glob("*.index")
    prefix = index.with_suffix("")
    model = read(prefix)
    assert model.checkpoint is not None
    gone = next(iter(model.checkpoint.variables))
    del model.checkpoint.variables[gone]
    expected = {key: variable.tensor.numpy() for key, variable in model.checkpoint.variables.items()}
    write(model, prefix, in_place=True)
    assert sorted(file.name for file in folder.glob("*.data-*")) == [
        f"{prefix.name}.data-0000{n}-of-00002" for n in (0, 1)
    ]
    reader = tf.train.load_checkpoint(str(prefix))
    assert set(reader.get_variable_to_shape_map()) == set(expected)
    for key, value in expected.items():
        np.testing.assert_array_equal(reader.get_tensor(key), value)


def test_what_a_kill_left_in_a_folder_is_told_and_taken_away(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(SAVED_MODEL, tmp_path / "model"))
    (folder / ".saved_model.pb.gs-0123abcd.part").write_bytes(b"half")
    (tmp_path / ".model.gs-0123abcd.part").mkdir()
    assert len(read(folder).notes) == 2
    write(read(folder), tmp_path / "copy")
    assert not [name for name in os.listdir(tmp_path / "copy") if is_temporary(name)]
    report = write(renamed(SAVED_MODEL), folder, force=True)
    assert sum("it is taken away" in note for note in report.notes) == 2
    assert not [name for place in (tmp_path, folder) for name in os.listdir(place) if is_temporary(name)]
    (folder / ".saved_model.pb.gs-0123abcd.part").write_bytes(b"half")
    write(renamed(folder), folder, in_place=True)
    assert len(read(folder).notes) == 1
    write(renamed(folder), folder, in_place=True, force=True)
    assert read(folder).notes == []


def test_the_folder_where_one_stands_is_a_place_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path / "out")
    write(read(SAVED_MODEL), ".")
    assert content(tmp_path / "out") == content(SAVED_MODEL)
    shutil.copytree(SAVED_MODEL, tmp_path / "all" / "model")
    for place in (tmp_path / "all", tmp_path / "all" / "model", tmp_path / "all" / "model" / "variables"):
        with pytest.raises(UsageError, match="is the model that is read, or lies in it"):
            plan_write(read(tmp_path / "all" / "model"), place, format="saved_model", force=True)
