"""`TFLITE_METADATA` runs parallel to inputs and outputs after every edit, as MediaPipe asks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.formats.tflite.metadata import KIND
from graphsurgeon.model import Collection, CollectionItem, Model
from tests.formats.tflite_support_bytes import names, support_bytes

pytestmark = pytest.mark.litert  # for `flatbuffers`, which comes with it
FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
INPUTS, OUTPUTS = 2, 3
LABELS = {"labels.txt": b"cat\ndog\n", "vocab.txt": b"a\nb\n"}


def described(tmp_path: Path, name: str, *sides: Sequence[Mapping[str, Any]], **more: Any) -> Path:
    """Write a fixture with metadata and the files it names."""
    model = read(FIXTURES / f"{name}.tflite")
    item = CollectionItem("", {}, support_bytes(*sides, **more))
    model.metagraphs[0].collections["TFLITE_METADATA"] = Collection("TFLITE_METADATA", KIND, [item])
    path = tmp_path / "described.tflite"
    write(model, path)
    with zipfile.ZipFile(path, "a") as archive:
        for member, data in LABELS.items():
            archive.writestr(member, data)
    return path


def metadata(path: Path) -> bytes:
    value = read(path).metagraphs[0].collections["TFLITE_METADATA"].items[0].value
    return value.tobytes()  # type: ignore[attr-defined, no-any-return]


def files(path: Path) -> dict[str, bytes]:
    """Return the members of the archive behind a model, by a reader that trusts the offsets in its directory."""
    data = path.read_bytes()
    if not zipfile.is_zipfile(io.BytesIO(data)):
        return {}
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(data[info.header_offset : info.header_offset + 4] == b"PK\3\4" for info in archive.infolist())
        return {info.filename: archive.read(info) for info in archive.infolist()}


def edited(path: Path, operation: str, *arguments: Any, **options: Any) -> Path:
    model = read(path)
    getattr(surgery, operation)(model, *arguments, **options)
    target = path.with_name(f"{operation}.tflite")
    write(model, target)
    return target


def inner(model: Model) -> str:
    graph = model.metagraphs[0].graph
    outputs = [output.value for output in graph.outputs]
    return next(f"#{v.port}" for node in graph.nodes for v in node.outputs if v not in outputs)


def test_a_new_output_gets_an_entry_with_its_key(tmp_path: Path) -> None:
    path = described(
        tmp_path, "cnn_float", [{"name": "picture"}], [{"name": "one"}, {"name": "two", "files": ["labels.txt"]}]
    )
    result = edited(path, "add_output", {inner(read(path)): "features"})
    assert names(metadata(result), OUTPUTS) == ["one", "two", "features"]
    assert names(metadata(result), INPUTS) == ["picture"]
    assert files(result) == LABELS


def test_entries_of_removed_tensors_go_with_the_files_that_only_they_named(tmp_path: Path) -> None:
    path = described(
        tmp_path,
        "cnn_float",
        [{"name": "picture", "files": ["vocab.txt"]}],
        [{"name": "one", "files": ["labels.txt"]}, {"name": "two", "files": ["vocab.txt"]}],
        groups={"first": ["one"], "both": ["one", "two"]},
    )
    kept = read(path).metagraphs[0].graph.outputs[1].value
    result = edited(path, "extract", {f"#{kept.port}": ""})
    assert names(metadata(result), OUTPUTS) == ["two"]
    assert b"first" not in metadata(result)
    assert b"both" in metadata(result)
    assert files(result) == {"vocab.txt": LABELS["vocab.txt"]}


def test_entries_follow_the_order_of_the_tensors(tmp_path: Path) -> None:
    path = described(tmp_path, "cnn_float", [{"name": "picture"}], [{"name": "one"}, {"name": "two"}])
    first, second = (f"#{output.value.port}" for output in read(path).metagraphs[0].graph.outputs)
    result = edited(path, "extract", {second: "", inner(read(path)): "features", first: ""})
    assert names(metadata(result), OUTPUTS) == ["two", "features", "one"]


def test_a_cut_gives_the_new_input_an_entry(tmp_path: Path) -> None:
    path = described(tmp_path, "cnn_float", [{"name": "picture"}], [{"name": "one"}, {"name": "two"}])
    model = read(path)
    output = model.metagraphs[0].graph.outputs[1].value
    assert output.producer is not None
    result = edited(path, "extract", {f"#{output.port}": ""}, inputs={f"#{output.producer.inputs[0].port}": "tail_in"})
    assert names(metadata(result), INPUTS) == ["tail_in"]
    assert names(metadata(result), OUTPUTS) == ["two"]


def test_metadata_of_other_subgraphs_than_the_extracted_one_goes(tmp_path: Path) -> None:
    path = described(tmp_path, "dynamic_range", [{"name": "code", "files": ["labels.txt"]}], [{"name": "a"}])
    result = edited(path, "extract", signature="encode")
    assert "TFLITE_METADATA" not in read(result).metagraphs[0].collections
    assert list(files(result)) == ["vocab.txt"]


def test_other_edits_leave_every_byte_of_it(tmp_path: Path) -> None:
    path = described(tmp_path, "cnn_float", [{"name": "picture"}], [{"name": "one"}, {"name": "two"}])
    result = edited(path, "rename", prefix="other/")
    assert metadata(result) == metadata(path)
    assert files(result) == LABELS


def test_what_is_no_metadata_of_mediapipe_is_left_alone(tmp_path: Path) -> None:
    model = read(FIXTURES / "cnn_float.tflite")
    item = CollectionItem("", {}, b"something else")
    model.metagraphs[0].collections["TFLITE_METADATA"] = Collection("TFLITE_METADATA", KIND, [item])
    surgery.add_output(model, {inner(model): "features"})
    write(model, tmp_path / "other.tflite")
    assert metadata(tmp_path / "other.tflite") == b"something else"
