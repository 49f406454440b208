"""What a model says of itself to MediaPipe Tasks, set and read again; MediaPipe judges it where it is there."""

from __future__ import annotations

import io
import json
import os
import subprocess
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.checks.check import check
from graphsurgeon.cli import app
from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.tflite.describe import parser_version, read_json
from graphsurgeon.formats.tflite.set_metadata import set_metadata
from graphsurgeon.formats.tflite.support import root_of
from graphsurgeon.model import Collection, CollectionItem

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"
PLAIN = FIXTURES / "cnn_float.tflite"  # one input, image, and two outputs, pooled and probs
LABELS = b"a\nb\nc\nd\ne\n"


def said(path: Path) -> dict[str, Any]:
    value: Any = read(path).metagraphs[0].collections["TFLITE_METADATA"].items[0].value
    return read_json(value.tobytes())


def described(tmp_path: Path, **arguments: Any) -> Path:
    edit(PLAIN, [("metadata", arguments)], output=tmp_path / "described.tflite", force=True)
    return tmp_path / "described.tflite"


def test_a_model_without_any_gets_an_entry_for_each_end(tmp_path: Path) -> None:
    path = described(tmp_path, labels={"probs": ("labels.txt", LABELS)}, norm={"": [127.5, 128]})
    (subgraph,) = said(path)["subgraph_metadata"]
    (image,) = subgraph["input_tensor_metadata"]
    assert image["name"] == "image"
    assert image["process_units"] == [
        {"options_type": "NormalizationOptions", "options": {"mean": [127.5], "std": [128.0]}}
    ]
    assert image["content"]["content_properties"] == {"color_space": "RGB"}
    named = {one["name"]: one.get("associated_files") for one in subgraph["output_tensor_metadata"]}
    assert named == {
        "pooled": None,
        "probs": [{"name": "labels.txt", "description": "Labels.", "type": "TENSOR_AXIS_LABELS"}],
    }
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert archive.read("labels.txt") == LABELS
        assert archive.infolist()[0].compress_type == zipfile.ZIP_STORED


def test_fields_are_merged_by_name_and_by_place(tmp_path: Path) -> None:
    path = described(tmp_path, norm={"": [0, 1]}, fields={"name": "first", "author": "somebody"})
    outputs = [{}, {"description": "told"}]
    fields = {"name": "second", "author": None, "subgraph_metadata": [{"output_tensor_metadata": outputs}]}
    edit(path, [("metadata", {"fields": fields})], in_place=True)
    now = said(path)
    assert now["name"] == "second"
    assert "author" not in now
    subgraph = now["subgraph_metadata"][0]
    assert [one["name"] for one in subgraph["output_tensor_metadata"]] == ["probs", "pooled"]
    assert subgraph["output_tensor_metadata"][1]["description"] == "told"
    assert subgraph["input_tensor_metadata"][0]["process_units"]


def test_all_that_the_schema_has_comes_back(tmp_path: Path) -> None:
    tensor = {
        "name": "t", "dimension_names": ["a", "b"], "stats": {"max": [1.5], "min": [-1.0]},
        "content": {
            "content_properties_type": "BoundingBoxProperties",
            "content_properties": {"index": [1, 0, 3, 2], "type": "BOUNDARIES", "coordinate_type": "PIXEL"},
            "range": {"min": 1, "max": 2},
        },
        "process_units": [
            {"options_type": "ScoreCalibrationOptions", "options": {"score_transformation": "LOG"}},
            {"options_type": "RegexTokenizerOptions",
             "options": {"delim_regex_pattern": " ", "vocab_file": [{"name": "v.txt", "type": "VOCABULARY"}]}},
        ],
    }  # fmt: skip
    custom = [{"name": "options", "data": list(range(40))}]
    groups = [{"name": "g", "tensor_names": ["t"]}]
    subgraph = {"output_tensor_metadata": [tensor], "output_tensor_groups": groups, "custom_metadata": custom}
    path = described(tmp_path, fields={"subgraph_metadata": [subgraph]})
    now = said(path)["subgraph_metadata"][0]
    assert now["output_tensor_metadata"][0] == tensor
    assert now["custom_metadata"] == custom
    assert now["output_tensor_groups"] == groups
    assert said(path)["min_parser_version"] == "1.5.0"


def test_removing_takes_the_files_too(tmp_path: Path) -> None:
    path = described(tmp_path, labels={"probs": ("labels.txt", LABELS)})
    assert edit(path, [("metadata", {"remove": True})], in_place=True).notes == ()  # of files behind the model
    assert "TFLITE_METADATA" not in read(path).metagraphs[0].collections
    assert not zipfile.is_zipfile(io.BytesIO(path.read_bytes()))
    with pytest.raises(UsageError, match="has no metadata"):
        edit(path, [("metadata", {"remove": True})], in_place=True)


def test_files_that_no_metadata_names_stay_and_are_told(tmp_path: Path) -> None:
    path = described(tmp_path, labels={"probs": ("labels.txt", LABELS)})
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("own.txt", "mine")
    done = edit(path, [("metadata", {"remove": True})], in_place=True)
    assert done.steps[0].report.notes[-1] == "what no metadata named stays behind the model: own.txt"  # type: ignore[attr-defined]
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["own.txt"]


def test_later_steps_keep_it_in_step(tmp_path: Path) -> None:
    inner = f"#{read(PLAIN).graph.nodes[0].outputs[0].port}"
    steps = [
        ("metadata", {"labels": {"probs": ("labels.txt", LABELS)}}),
        ("add-output", {"outputs": {inner: "inner"}}),
        ("extract", {"outputs": {inner: ""}}),
    ]
    edit(PLAIN, steps, output=tmp_path / "out.tflite")
    outputs = said(tmp_path / "out.tflite")["subgraph_metadata"][0]["output_tensor_metadata"]
    assert [one["name"] for one in outputs] == ["inner"]


def test_new_labels_take_the_place_of_old_ones(tmp_path: Path) -> None:
    path = described(tmp_path, labels={"probs": ("labels.txt", LABELS)})
    edit(path, [("metadata", {"labels": {"probs": ("labels.txt", b"1\n2\n3\n4\n5")}})], in_place=True)
    with zipfile.ZipFile(path) as archive:
        assert archive.namelist() == ["labels.txt"]
        assert archive.read("labels.txt") == b"1\n2\n3\n4\n5"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "nothing to set"),
        ({"fields": {"nam": "x"}}, "no field 'nam'"),
        ({"fields": {"name": 3}}, "name: a text is needed"),
        ({"fields": {"subgraph_metadata": "x"}}, "a list of objects"),
        ({"fields": {"subgraph_metadata": [{"input_tensor_metadata": [{"stats": {"max": "x"}}]}]}}, "'x' is no list"),
        ({"labels": {"": ("l.txt", b"")}}, "the model has 2 outputs; give NAME=...; there is probs, pooled"),
        ({"labels": {"prob": ("l.txt", b"")}}, "no output 'prob'"),
        ({"norm": {"": [1, 0]}}, "deviation of 0"),
        ({"norm": {"": [1, 2, 3]}}, "3 numbers for a normalization"),
        ({"remove": True, "norm": {"": [1, 1]}}, "leaves nothing"),
    ],
)  # fmt: skip
def test_what_cannot_be_set_is_refused(arguments: dict[str, Any], message: str) -> None:
    model = read(PLAIN)
    with pytest.raises(UsageError, match=message):
        set_metadata(model, **arguments)
    assert "TFLITE_METADATA" not in model.metagraphs[0].collections


def test_other_formats_are_refused(fixtures_dir: Path) -> None:
    with pytest.raises(UnsupportedError, match="only a TFLite model"):
        set_metadata(read(fixtures_dir / "graphdef" / "cnn.pb"), remove=True)


def test_what_mediapipe_will_not_take_is_said() -> None:
    step = ("metadata", {"norm": {"": [0, 1]}})
    report = edit(FIXTURES / "cnn_int8.tflite", [step], dry_run=True)
    assert all("it takes no int8" in warning.what for warning in report.warnings)
    two = ("set-input", {"shapes": {"image": [2, 8, 8, 3]}})
    assert "one picture at a time" in edit(PLAIN, [two, step], dry_run=True).warnings[0].what
    assert edit(PLAIN, [two], dry_run=True).warnings == ()
    report = set_metadata(read(PLAIN), labels={"probs": ("l.txt", b"a\nb\n")})
    assert any("l.txt has 2 labels, output" in note for note in report.notes)


def test_the_version_that_a_reader_needs() -> None:
    assert parser_version({}) == "1.0.0"
    assert parser_version({"associated_files": [{"type": "VOCABULARY"}]}) == "1.0.1"
    units = [{"options_type": "BertTokenizerOptions", "options": {}}]
    assert parser_version({"subgraph_metadata": [{"input_process_units": units}]}) == "1.1.0"
    assert parser_version({"subgraph_metadata": [{"input_process_units": []}]}) == "1.1.0"
    assert parser_version({"subgraph_metadata": [{"custom_metadata": []}]}) == "1.5.0"


def test_the_command_prints_and_writes_the_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_bytes(LABELS)
    one, parts = tmp_path / "one.tflite", tmp_path / "parts"
    arguments = ["metadata", str(PLAIN), "--labels", f"probs={labels}", "--norm", "127.5,127.5", "-o", str(one)]
    assert app.run(arguments) == 0
    capsys.readouterr()
    assert app.run(["metadata", str(one)]) == 0
    assert "axis labels labels.txt" in capsys.readouterr().out
    assert app.run(["metadata", str(one), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["metadata"] == said(one)
    assert app.run(["metadata", str(one), "--extract", str(parts)]) == 0
    assert (parts / "labels.txt").read_bytes() == LABELS
    assert app.run(["metadata", str(one), "--extract", str(parts)]) == 3
    fields = ["metadata", str(PLAIN), "--fields", str(parts / "metadata.json"), "-o", str(tmp_path / "two.tflite")]
    assert app.run(fields) == 0
    assert said(tmp_path / "two.tflite") == said(one)
    assert app.run(["metadata", str(PLAIN), "--norm", "x", "-o", str(tmp_path / "three.tflite")]) == 2


def test_packed_files_are_unpacked_and_damaged_ones_named(tmp_path: Path) -> None:
    source: Any = read(FIXTURES / "metadata.tflite").raw
    assert source.archive.content("labels.txt") == b"cat\ndog\nfish\n"
    data = bytearray((FIXTURES / "metadata.tflite").read_bytes())
    data[data.rindex(b"PK\1\2") + 16] ^= 255  # of the checksum in the directory
    (tmp_path / "damaged.tflite").write_bytes(data)
    assert app.run(["metadata", str(tmp_path / "damaged.tflite"), "--extract", str(tmp_path / "parts")]) == 3
    assert not (tmp_path / "parts").exists()


LOADS = """
import sys
import numpy as np
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
base = BaseOptions(model_asset_path=sys.argv[1])
task = vision.ImageClassifier.create_from_options(vision.ImageClassifierOptions(base_options=base, max_results=5))
found = task.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.zeros((8, 8, 3), np.uint8)))
print(sorted(one.category_name for one in found.classifications[-1].categories))
"""


@pytest.mark.skipif("GRAPHSURGEON_MEDIAPIPE" not in os.environ, reason="no Python with MediaPipe is named")
def test_mediapipe_takes_what_is_written(tmp_path: Path) -> None:
    model = read(PLAIN)
    probs = model.metagraphs[0].signatures["serving_default"].outputs["probs"].mention
    assert probs is not None
    surgery.extract(model, {str(probs.target): "probs"})
    set_metadata(model, labels={"": ("labels.txt", LABELS)}, norm={"": [127.5, 127.5]})
    write(model, tmp_path / "m.tflite")
    command = [os.environ["GRAPHSURGEON_MEDIAPIPE"], "-c", LOADS, str(tmp_path / "m.tflite")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=100)
    assert done.stdout.strip().endswith("['a', 'b', 'c', 'd', 'e']"), done.stderr[-2000:]


def test_broken_metadata_is_left_alone(tmp_path: Path) -> None:
    """Whatever bit is flipped: the model can be checked and edited, and what cannot be read stays as it is."""
    path = described(tmp_path, labels={"probs": ("labels.txt", LABELS)}, norm={"": [1, 2]}, fields={"name": "n"})
    sound: Any = read(path).metagraphs[0].collections["TFLITE_METADATA"].items[0].value
    data, random = sound.tobytes(), Random(3)
    inner = f"#{read(PLAIN).graph.nodes[0].outputs[0].port}"
    for _ in range(60):
        broken = bytearray(data)
        for _ in range(3):
            broken[random.randrange(8, len(broken))] ^= 1 << random.randrange(8)
        model = read(PLAIN)
        item = CollectionItem("", {}, bytes(broken))
        model.metagraphs[0].collections["TFLITE_METADATA"] = Collection("TFLITE_METADATA", "metadata", [item])
        write(model, tmp_path / "broken.tflite", force=True)
        model = read(tmp_path / "broken.tflite")
        check(model)
        surgery.add_output(model, {inner: "inner"})
        write(model, tmp_path / "edited.tflite", force=True)
        again: Any = read(tmp_path / "edited.tflite").metagraphs[0].collections["TFLITE_METADATA"].items[0].value
        assert root_of(bytes(broken)) is not None or again.tobytes() == bytes(broken)


def test_texts_that_are_no_utf8_come_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = described(tmp_path, fields={"name": "\udcff\udcfe", "author": "größe\x1b[2J"})
    assert app.run(["metadata", str(path)]) == 0
    assert "\x1b" not in capsys.readouterr().out
    assert app.run(["metadata", str(path), "--extract", str(tmp_path / "parts")]) == 0
    fields = str(tmp_path / "parts" / "metadata.json")
    assert app.run(["metadata", str(PLAIN), "--fields", fields, "-o", str(tmp_path / "two.tflite")]) == 0
    assert said(tmp_path / "two.tflite") == said(path)
