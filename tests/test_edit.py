"""The one way a file is changed: what is checked, what is written, and what is left alone."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read, registry
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset
from graphsurgeon.model.model import Model

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
GRAPH = FIXTURES / "graphdef" / "linear.pb"
SAVED_MODEL = FIXTURES / "savedmodel" / "linear"


def rename_first(model: Model, name: str) -> str:
    """A step: rename the first node, and say what it was called."""
    node = model.metagraphs[0].graph.nodes[0]
    before, node.name = node.name, name
    return before


def cut_first_input(model: Model) -> None:
    """A step that breaks the model: one node reads what is not there."""
    graph = model.metagraphs[0].graph
    node = next(node for node in graph.nodes if node.inputs)
    nowhere = Value(graph, None, 0, "nowhere")
    nowhere.is_dangling = True
    node.set_input(0, nowhere)


def test_steps_by_name_and_by_function(tmp_path: Path) -> None:
    first = read(GRAPH).metagraphs[0].graph.nodes[0].name
    report = edit(
        GRAPH, [(rename_first, {"name": "one"}), ("rename", {"names": {"one": "two"}})], output=tmp_path / "out.pb"
    )
    assert [step.operation for step in report.steps] == ["rename_first", "rename"]
    assert report.steps[0].report == first
    assert report.output == str(tmp_path / "out.pb")
    assert report.written
    assert report.files == {"out.pb": (tmp_path / "out.pb").stat().st_size}
    assert read(tmp_path / "out.pb").metagraphs[0].graph.nodes[0].name == "two"


def test_without_steps_the_copy_is_the_same_bytes(tmp_path: Path) -> None:
    edit(GRAPH, [], output=tmp_path / "out.pb")
    assert (tmp_path / "out.pb").read_bytes() == GRAPH.read_bytes()


def test_a_dry_run_writes_nothing_and_reports_the_same(tmp_path: Path) -> None:
    steps = [(rename_first, {"name": "one"})]
    dry = edit(GRAPH, steps, output=tmp_path / "out.pb", dry_run=True)
    assert os.listdir(tmp_path) == []
    done = edit(GRAPH, steps, output=tmp_path / "out.pb")
    assert not dry.written
    assert (dry.files, dry.notes, dry.num_bytes) == (done.files, done.notes, done.num_bytes)
    assert edit(SAVED_MODEL, steps, dry_run=True).output.startswith(str(SAVED_MODEL))


def test_an_edit_that_breaks_the_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="nowhere"):
        edit(GRAPH, [(cut_first_input, {})], output=tmp_path / "out.pb")
    assert os.listdir(tmp_path) == []


def test_faults_that_the_source_had_are_no_reason(tmp_path: Path) -> None:
    source = FIXTURES / "hostile" / "bad_functions.pb"
    report = edit(source, [(rename_first, {"name": "one"})], output=tmp_path / "out.pb")
    assert report.written
    assert report.warnings == ()


def test_faults_of_the_files_that_the_source_had_are_no_reason_either(tmp_path: Path) -> None:
    source = FIXTURES / "hostile" / "bad_indices.tflite"
    assert edit(source, [("rename", {"prefix": "zz/"})], output=tmp_path / "out.tflite").written


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path) -> None:
    def add_asset(model: Model) -> None:
        node = model.metagraphs[0].graph.add_node("Placeholder", "vocab", [], {"dtype": STRING})
        model.metagraphs[0].assets.append(Asset("vocab.txt", Mention.of(node.output(), "asset vocab.txt")))

    with pytest.raises(UnsupportedError, match=r"vocab\.txt: the file is not in assets/"):
        edit(SAVED_MODEL, [(add_asset, {})], output=tmp_path / "out")
    assert os.listdir(tmp_path) == []


def test_an_error_in_a_step_writes_nothing(tmp_path: Path) -> None:
    for step in (("rename", {"names": {"missing": "x"}}), ("no-such-thing", {})):
        with pytest.raises(UsageError):
            edit(GRAPH, [step], output=tmp_path / "out.pb")
    assert os.listdir(tmp_path) == []


def test_where_it_goes_must_be_said_once(tmp_path: Path) -> None:
    for arguments in ({}, {"output": tmp_path / "out.pb", "in_place": True}):
        with pytest.raises(UsageError, match="one output"):
            edit(GRAPH, [], **arguments)  # type: ignore[arg-type]


def test_in_place(tmp_path: Path) -> None:
    shutil.copytree(SAVED_MODEL, tmp_path / "model")
    report = edit(tmp_path / "model", [(rename_first, {"name": "one"})], in_place=True)
    assert any("fingerprint" in note for note in report.notes)
    assert read(tmp_path / "model").metagraphs[0].graph.nodes[0].name == "one"
    assert os.listdir(tmp_path) == ["model"]


@dataclass(frozen=True)
class Answer:
    agrees: bool


def test_a_verifier_sees_source_and_result(tmp_path: Path) -> None:
    seen: list[tuple[str, str]] = []

    def verify(source: Path, result: Path) -> Answer:
        seen.append((read(source).metagraphs[0].graph.nodes[0].name, read(result).metagraphs[0].graph.nodes[0].name))
        return Answer(agrees=False)

    first = read(GRAPH).metagraphs[0].graph.nodes[0].name
    report = edit(GRAPH, [(rename_first, {"name": "one"})], output=tmp_path / "out.pb", verify=verify)
    assert report.written
    assert report.verdict == Answer(agrees=False)
    assert seen == [(first, "one")]


@pytest.mark.parametrize("agrees", [True, False])
def test_in_place_the_verifier_decides(tmp_path: Path, agrees: bool) -> None:
    shutil.copytree(SAVED_MODEL, tmp_path / "model")
    before = (tmp_path / "model" / "saved_model.pb").read_bytes()
    trials: list[Path] = []

    def verify(source: Path, result: Path) -> Answer:
        assert (source / "saved_model.pb").read_bytes() == before
        assert read(result).metagraphs[0].graph.nodes[0].name == "one"
        trials.append(result)
        return Answer(agrees)

    report = edit(tmp_path / "model", [(rename_first, {"name": "one"})], in_place=True, verify=verify)
    assert report.written is agrees
    assert (read(tmp_path / "model").metagraphs[0].graph.nodes[0].name == "one") is agrees
    assert not trials[0].exists()
    assert os.listdir(tmp_path) == ["model"]


def test_a_damaged_source_is_told_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"truncated\.pb"):
        edit(FIXTURES / "hostile" / "truncated.pb", [], output=tmp_path / "out.pb")


def test_progress_counts_bytes(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    edit(SAVED_MODEL, [], output=tmp_path / "out", progress=lambda done, total: calls.append((done, total)))
    total = sum(path.stat().st_size for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert calls[-1] == (total, total)


@pytest.mark.parametrize("name", ["name_based", "empty_basename", "multi_shard", "v1"])
@pytest.mark.parametrize("by", ["folder", "index"])
def test_a_checkpoint_in_place(tmp_path: Path, name: str, by: str) -> None:
    shutil.copytree(FIXTURES / "checkpoint" / name, tmp_path / "model")
    before = sorted(os.listdir(tmp_path / "model"))
    indices = [file for file in before if file.endswith(".index")]
    path = tmp_path / "model" / indices[0] if by == "index" and indices else tmp_path / "model"
    if name == "v1":
        with pytest.raises(UnsupportedError, match="version 1"):
            edit(path, [], in_place=True)
        return
    keys = list((read(path).checkpoint or pytest.fail("no checkpoint")).variables)
    edit(path, [("rename", {"names": {keys[0]: "another/key"}, "what": "variables"})], in_place=True)
    assert sorted(os.listdir(tmp_path / "model")) == before
    again = read(path).checkpoint
    assert again is not None
    assert list(again.variables) == sorted(["another/key", *keys[1:]])


def test_a_checkpoint_into_a_folder(tmp_path: Path) -> None:
    edit(FIXTURES / "checkpoint" / "name_based", [], output=tmp_path)
    names = {*os.listdir(FIXTURES / "checkpoint" / "name_based"), "checkpoint"}
    assert sorted(os.listdir(tmp_path)) == sorted(names)


def test_a_meta_graph_with_its_checkpoint_in_place(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "metagraph" / "face_resnet", tmp_path / "model")
    before = sorted(os.listdir(tmp_path / "model"))
    path = tmp_path / "model" / "model-1.meta"
    keys = list((read(path).checkpoint or pytest.fail("no checkpoint")).variables)
    edit(path, [("rename", {"names": {keys[0]: "another/key"}, "what": "variables"})], in_place=True)
    assert sorted(os.listdir(tmp_path / "model")) == before
    again = read(path).checkpoint
    assert again is not None
    assert "another/key" in again.variables


def of_kind(kind: str, folder: Path) -> tuple[Path, list[Path]]:
    """Copy a model of a kind into a folder; return its path, and the files that its edits replace."""
    if kind == "checkpoint":
        shutil.copytree(FIXTURES / "checkpoint" / "name_based", folder)
        return folder, sorted(folder.iterdir())
    if kind == "saved_model":
        shutil.copytree(SAVED_MODEL, folder)
        return folder, [folder / "saved_model.pb"]
    folder.mkdir()
    source = GRAPH if kind == "graph_def" else FIXTURES / "tflite" / "float.tflite"
    return Path(shutil.copy(source, folder)), [folder / source.name]


@pytest.mark.parametrize("kind", ["graph_def", "tflite", "saved_model", "checkpoint"])
@pytest.mark.parametrize("way", ["in place", "force"])
@pytest.mark.parametrize("fault", ["unreadable", "something else"])
def test_what_does_not_read_back_replaces_nothing(
    kind: str, way: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, files = of_kind(kind, tmp_path / "source")
    target, target_files = of_kind(kind, tmp_path / "target")
    prefix = target / "model" if kind == "checkpoint" else target
    if kind == "checkpoint":
        for file in target_files:
            if file.name != "checkpoint":
                file.rename(file.with_name(f"model{file.name[file.name.index('.') :]}"))
        target_files = sorted(target.iterdir())
    before = {file: file.read_bytes() for file in [*files, *target_files]}
    names = {
        place: sorted(os.listdir(place)) for place in (source.parent, target.parent, source, target) if place.is_dir()
    }
    reads: list[Path] = []

    def broken(path: Path, **options: object) -> Model:
        reads.append(path)
        if fault == "unreadable" and len(reads) > 1:
            raise FormatError("made up by the test", path=path)
        return read(path) if len(reads) == 1 else Model(registry.GRAPH_DEF, "", None)

    monkeypatch.setattr("graphsurgeon.edit.read", broken)
    monkeypatch.setattr("graphsurgeon.edit._require_sound", lambda *_, **__: ((), []))
    if way == "in place":
        arguments: dict[str, object] = {"in_place": True}
    else:
        arguments = {"output": prefix, "force": True}
    with pytest.raises(GraphSurgeonError, match="nothing was replaced, the source is as it was") as raised:
        edit(source, [(touch, {})], **arguments)  # type: ignore[arg-type]
    assert len(reads) == 2
    assert "gs-" not in str(raised.value)
    assert {file: file.read_bytes() for file in before} == before
    assert {place: sorted(os.listdir(place)) for place in names} == names


def touch(model: Model) -> None:
    """A step that changes something in a model of any kind."""
    if model.checkpoint is not None and not model.metagraphs:
        key = next(iter(model.checkpoint.variables))
        model.checkpoint.rename({key: "another"})
    elif model.format == "tflite":
        model.metagraphs[0].producer["description"] = "changed"
    else:
        rename_first(model, "another")


def test_one_key_of_two_tflite_signatures(tmp_path: Path) -> None:
    data = (FIXTURES / "tflite" / "dynamic_range.tflite").read_bytes()
    twice = data.replace(b"\6\0\0\0encode\0", b"\6\0\0\0decode\0")
    assert twice != data
    (tmp_path / "model.tflite").write_bytes(twice)
    assert list(read(tmp_path / "model.tflite").metagraphs[0].signatures) == ["decode", "decode#1"]
    for removed in ("decode", "decode#1"):
        edit(
            tmp_path / "model.tflite",
            [("remove-signature", {"names": [removed]})],
            output=tmp_path / "out.tflite",
            force=True,
        )
        assert list(read(tmp_path / "out.tflite").metagraphs[0].signatures) == ["decode"]  # as the file has it


def test_reference_types_of_a_checkpoint_stay(tmp_path: Path) -> None:
    from graphsurgeon.disk.crc32c import crc32c, mask
    from graphsurgeon.encoding.sstable import write_table
    from graphsurgeon.formats import schema

    values = bytes(8)
    header = schema.message("tensorflow.BundleHeaderProto")(num_shards=1)
    entry = schema.message("tensorflow.BundleEntryProto")(dtype=101, size=8, crc32c=mask(crc32c(values)))
    entry.shape.dim.add(size=2)
    rows = [(b"", header.SerializeToString()), (b"w", entry.SerializeToString())]
    (tmp_path / "model.index").write_bytes(write_table(rows))
    (tmp_path / "model.data-00000-of-00001").write_bytes(values)
    edit(tmp_path / "model", [("rename", {"names": {"w": "v"}})], in_place=True)
    checkpoint = read(tmp_path / "model").checkpoint
    assert checkpoint is not None
    assert {key: str(variable.tensor.dtype) for key, variable in checkpoint.variables.items()} == {"v": "float32_ref"}


def empty_saved_model(folder: Path) -> Path:
    """Write a SavedModel whose graph holds nothing, not even versions."""
    from graphsurgeon.formats import schema

    message = schema.message("tensorflow.SavedModel")(saved_model_schema_version=1)
    message.meta_graphs.add().meta_info_def.tags.append("serve")
    message.meta_graphs[0].graph_def.SetInParent()
    folder.mkdir()
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder


@pytest.mark.parametrize("name", ["out.pb", "out.pbtxt", "out.meta"])
def test_a_graph_of_nothing_goes_everywhere(name: str, tmp_path: Path) -> None:
    source = empty_saved_model(tmp_path / "model")
    shutil.copy(GRAPH, tmp_path / "out.pb")
    edit(source, [], output=tmp_path / name, force=True)
    assert [len(graph) for graph in read(tmp_path / name).graphs] == [0]


@pytest.mark.tensorflow
def test_tensorflow_takes_a_graph_of_nothing(tmp_path: Path) -> None:
    import tensorflow as tf

    edit(empty_saved_model(tmp_path / "model"), [], output=tmp_path / "out.pb")
    message = tf.compat.v1.GraphDef.FromString((tmp_path / "out.pb").read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(message, name="")
    assert graph.get_operations() == []
