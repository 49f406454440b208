"""`gs convert`: the same model in another container."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import read
from graphsurgeon.cli import app
from graphsurgeon.disk import crc32c as crc
from graphsurgeon.formats import schema


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("graphdef/cnn.pb", ["a.pbtxt", "b.pb"]),
        ("metagraph/training_text/model.meta", ["a.pb", "b.pbtxt"]),
        ("savedmodel/linear", ["a.meta", "b.meta"]),
        ("savedmodel/v1_text", ["a.pb", "b.pb"]),
    ],
)
def test_nodes_survive_every_container(source: str, names: list[str], fixtures_dir: Path, tmp_path: Path) -> None:
    before = read(fixtures_dir / source).metagraphs[0]
    place = fixtures_dir / source
    for name in names:
        assert app.run(["convert", str(place), str(tmp_path / name)]) == 0
        place = tmp_path / name
    after = read(place).metagraphs[0]
    assert [node.name for node in after.graph.nodes] == [node.name for node in before.graph.nodes]
    assert list(after.functions) == list(before.functions)


def test_text_and_back_is_equal(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "graphdef" / "functional.pb"
    assert app.run(["convert", str(source), str(tmp_path / "a.pbtxt")]) == 0
    assert app.run(["convert", str(tmp_path / "a.pbtxt"), str(tmp_path / "b.pb")]) == 0
    assert app.run(["diff", str(source), str(tmp_path / "b.pb")]) == 0


def test_one_of_several_metagraphs(fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = str(fixtures_dir / "savedmodel" / "v1_tag_sets")
    assert app.run(["convert", source, str(tmp_path / "a.meta"), "--tags", "nosuch"]) == 2
    assert "there is --tags" in capsys.readouterr().err
    assert app.run(["convert", source, str(tmp_path / "a.meta"), "--tags", "serve"]) == 0
    assert read(tmp_path / "a.meta").metagraphs[0].tags == ["serve"]


def test_a_meta_becomes_a_complete_saved_model(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "metagraph" / "face_resnet" / "model-1.meta"
    assert app.run(["convert", str(source), str(tmp_path / "out")]) == 0
    model = read(tmp_path / "out")
    assert model.metagraphs[0].tags == ["serve"]
    assert model.checkpoint is not None
    original = read(source).checkpoint
    assert original is not None
    assert set(model.checkpoint.variables) == set(original.variables)


def test_a_model_among_logs_says_what_tensorboard_would_show(
    fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = str(fixtures_dir / "graphdef" / "cnn.pb")
    assert app.run(["convert", source, str(tmp_path / "logs" / "run")]) == 0
    assert "--format logdir" in capsys.readouterr().err
    assert app.run(["convert", source, str(tmp_path / "logs" / "log"), "--format", "logdir"]) == 0
    assert "--format logdir" not in capsys.readouterr().err
    assert app.run(["convert", source, str(tmp_path / "other" / "run")]) == 0
    assert "--format logdir" not in capsys.readouterr().err


def test_event_file(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "graphdef" / "cnn.pb"
    assert app.run(["convert", str(source), str(tmp_path / "logdir")]) == 0
    [file] = (tmp_path / "logdir").iterdir()
    data, events = file.read_bytes(), []
    while data:
        (length,) = struct.unpack("<Q", data[:8])
        assert struct.unpack("<I", data[8:12]) == (crc.mask(crc.crc32c(data[:8])),)
        body = data[12 : 12 + length]
        assert struct.unpack("<I", data[12 + length : 16 + length]) == (crc.mask(crc.crc32c(body)),)
        events.append(schema.message("tensorflow.Event").FromString(body))
        data = data[16 + length :]
    assert events[0].file_version == "brain.Event:2"
    graph = schema.message("tensorflow.GraphDef").FromString(events[1].graph_def)
    assert [node.name for node in graph.node] == [node.name for node in read(source).graphs[0].nodes]


def test_a_tflite_model_is_no_event_file(
    fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = fixtures_dir / "tflite" / "control_flow.tflite"
    assert app.run(["convert", str(source), str(tmp_path / "logdir")]) == 4
    assert "gs render" in capsys.readouterr().err
    assert not (tmp_path / "logdir").exists()


@pytest.mark.tensorflow
def test_tensorflow_reads_the_event_file(fixtures_dir: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    source = fixtures_dir / "savedmodel" / "control_flow"
    assert app.run(["convert", str(source), str(tmp_path / "logdir"), "--keep-functions"]) == 0
    [file] = (tmp_path / "logdir").iterdir()
    events = list(tf.compat.v1.train.summary_iterator(str(file)))
    graph = tf.compat.v1.GraphDef.FromString(events[1].graph_def)
    assert len(graph.library.function) == len(read(source).metagraphs[0].functions)


@pytest.mark.tensorflow
def test_tensorboard_shows_the_network_with_its_calls_opened(fixtures_dir: Path, tmp_path: Path) -> None:
    readers = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    import tensorflow as tf

    source = fixtures_dir / "savedmodel" / "keras_export"
    assert app.run(["convert", str(source), str(tmp_path / "logdir")]) == 0
    log = readers.EventAccumulator(str(tmp_path / "logdir"))
    log.Reload()
    shown = log.Graph()
    loaded = tf.saved_model.load(str(source))
    inner = loaded.signatures["serving_default"].graph._functions.values()
    ops = {node.op for function in inner for node in function.definition.node_def} - {"StatefulPartitionedCall"}
    assert ops <= {node.op for node in shown.node}
    names = {node.name for node in shown.node}
    assert all(read.lstrip("^").partition(":")[0] in names for node in shown.node for read in node.input)


def graph_in(folder: Path) -> Any:
    """Return the GraphDef of an event file: the second of its records."""
    [file] = folder.iterdir()
    data = file.read_bytes()
    (first,) = struct.unpack("<Q", data[:8])
    (second,) = struct.unpack("<Q", data[16 + first : 24 + first])
    event = schema.message("tensorflow.Event").FromString(data[28 + first : 28 + first + second])
    return schema.message("tensorflow.GraphDef").FromString(event.graph_def)


def test_calls_are_opened_for_tensorboard(
    fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = fixtures_dir / "savedmodel" / "keras_export"
    assert app.run(["convert", str(source), str(tmp_path / "logdir")]) == 0
    assert "4 calls opened" in capsys.readouterr().out
    graph = graph_in(tmp_path / "logdir")
    calls = [node.attr["f"].func.name for node in graph.node if node.op == "StatefulPartitionedCall"]
    assert sorted(calls) == sorted(function.signature.name for function in graph.library.function)
    assert all(name.startswith(("__inference__traced_save", "__inference__traced_restore")) for name in calls)
    inside = [node.name for node in graph.node if node.op == "Conv2D" and "stem_1" in node.name]
    assert sorted(inside) == [
        f"{call}/StatefulPartitionedCall/functional_1/stem_1/convolution"
        for call in ("StatefulPartitionedCall", "StatefulPartitionedCall_1")
    ]


def test_a_call_of_itself_stays_a_call(fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = fixtures_dir / "hostile" / "recursive_functions.pb"
    assert app.run(["convert", str(source), str(tmp_path / "logdir")]) == 0
    assert "function calls stay as they are: function 'f0' calls itself" in capsys.readouterr().err
    assert {node.op for node in graph_in(tmp_path / "logdir").node} == {"PartitionedCall", "Placeholder"}


def test_functions_are_kept_for_tensorboard_alone(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "savedmodel" / "linear"
    assert app.run(["convert", str(source), str(tmp_path / "out.pb"), "--keep-functions"]) == 2


def test_weights_alone(fixtures_dir: Path, tmp_path: Path) -> None:
    import numpy as np

    source = fixtures_dir / "savedmodel" / "linear"
    assert app.run(["convert", str(source), str(tmp_path / "w.npz")]) == 0
    model = read(source)
    assert model.checkpoint is not None
    with np.load(tmp_path / "w.npz") as arrays:
        for key, variable in model.checkpoint.variables.items():
            np.testing.assert_array_equal(arrays[key], variable.tensor.numpy())


def test_what_cannot_be_converted_says_so(
    fixtures_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert app.run(["convert", str(fixtures_dir / "tflite" / "float.tflite"), str(tmp_path / "a.pb")]) == 4
    assert "TFLite" in capsys.readouterr().err
