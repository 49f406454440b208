"""`extract`: what is left computes what it computed in the whole."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphsurgeon import UnsupportedError, UsageError, read, write
from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.surgery.extract import extract
from graphsurgeon.surgery.rename import rename
from tests.oracle import sessions

RELU = "functional_1/stem_relu_1/Relu"


def names(path: Path) -> set[str]:
    return {node.name for node in read(path).graphs[0].nodes}


def test_a_cut_becomes_a_placeholder(fixtures_dir: Path, tmp_path: Path) -> None:
    model = read(fixtures_dir / "graphdef" / "cnn.pb")
    report = extract(model, {"Identity": "result"}, inputs={RELU: "x"})
    assert [str(fact.shape) for fact in report.inputs] == ["[?,8,8,4]"]
    assert [fact.name for fact in report.outputs] == ["result:0"]
    assert report.nodes_after < report.nodes_before
    write(model, tmp_path / "part.pb")
    left = names(tmp_path / "part.pb")
    assert {"x", "result"} <= left
    assert not {"image", RELU} & left


def test_a_cut_without_a_name_keeps_the_tensors_name(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "graphdef" / "cnn.pb")
    extract(model, {"Identity": ""}, inputs={RELU: ""})
    node = model.graphs[0].node(RELU)
    assert node is not None
    assert (node.op, node.inputs) == ("Placeholder", ())


def test_wrong_use_changes_nothing(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "graphdef" / "cnn.pb")
    before = [node.name for node in model.graphs[0].nodes]
    for outputs, inputs in (
        ({}, {}),
        ({"nosuch": ""}, {}),
        ({"Identity": "image"}, {}),
        ({"Identity": ""}, {"Identity_1": "x"}),
    ):
        with pytest.raises(UsageError):
            extract(model, outputs, inputs=inputs)
    assert [node.name for node in model.graphs[0].nodes] == before
    model = read(fixtures_dir / "tflite" / "float.tflite")
    constant = next(value for value in model.graphs[0].values if value.tensor is not None)
    with pytest.raises(UnsupportedError):
        extract(model, {str(constant): ""})


def test_variables_of_a_checkpoint(fixtures_dir: Path, tmp_path: Path) -> None:
    model = read(fixtures_dir / "metagraph" / "face_resnet" / "model-1.index")
    report = extract(model, match=["E_BN2/*"])
    assert report.variables
    write(model, tmp_path / "part.ckpt")
    again = read(tmp_path / "part.ckpt").checkpoint
    assert again is not None
    assert sorted(again.variables) == sorted(report.variables)
    with pytest.raises(UsageError, match="no variable matches"):
        extract(read(tmp_path / "part.ckpt"), match=["nosuch"])


def test_variables_of_an_object_based_checkpoint_by_name(fixtures_dir: Path) -> None:
    """`gs show` and `gs weights` list the names, so they can be copied; the keys differ."""
    model = read(fixtures_dir / "checkpoint" / "object_graph")
    assert model.checkpoint is not None
    named = next(one for one in named_variables(model.checkpoint, model) if one.name not in {None, one.key})
    kept = extract(model, match=[str(named.name)]).variables
    assert set(kept) == {named.key, "save_counter/.ATTRIBUTES/VARIABLE_VALUE"}  # `restore` asks for the counter


def test_the_function_that_computes_a_gradient_stays(fixtures_dir: Path, tmp_path: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "v1_functions")
    slope = model.metagraphs[0].signatures["serving_default"].outputs["slope"].mention
    assert slope is not None
    rename(model, what="functions", prefix="my_")
    report = extract(model, {slope.text: "slope"})
    assert report.functions == ["my_twice_gradient", "my_twice"]
    write(model, tmp_path / "part")
    assert read(tmp_path / "part").metagraphs[0].gradients == {"my_twice": "my_twice_gradient"}


@pytest.mark.tensorflow
def test_the_part_computes_the_same(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "graphdef" / "cnn.pb"
    image = np.random.default_rng(0).random((2, 8, 8, 3), np.float32)
    whole = sessions.run_graph_def(source, {"relu": f"{RELU}:0", "y": "Identity:0"}, {"image:0": image}, optimize=False)
    model = read(source)
    extract(model, {"Identity": "result"}, inputs={RELU: "x"})
    write(model, tmp_path / "part.pb")
    part = sessions.run_graph_def(tmp_path / "part.pb", {"y": "result:0"}, {"x:0": whole["relu"]}, optimize=False)
    assert sessions.same_bits(whole["y"], part["y"])


@pytest.mark.tensorflow
def test_a_part_of_a_saved_model_serves_in_both_worlds(fixtures_dir: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    source = fixtures_dir / "savedmodel" / "keras_export"
    model = read(source)
    entry = model.metagraphs[0].signatures["serving_default"].outputs["probs"].mention
    assert entry is not None
    extract(model, {entry.text: "probabilities"})
    write(model, tmp_path / "part")
    image = tf.random.stateless_uniform([2, 8, 8, 3], seed=[1, 2])
    want = tf.saved_model.load(str(source)).signatures["serving_default"](image=image)["probs"]
    loaded = tf.saved_model.load(str(tmp_path / "part"))
    assert list(loaded.signatures) == ["serving_default"]
    got = loaded.signatures["serving_default"](image=image)["probabilities"]
    np.testing.assert_allclose(got, want, rtol=1e-5)
    with sessions.saved_model(tmp_path / "part", ["serve"], optimize=False) as served:
        inputs, outputs = served.signature("serving_default")
        fetched = served.run({"p": outputs["probabilities"].name}, {inputs["image"].name: image.numpy()})
    np.testing.assert_allclose(fetched["p"], want, rtol=1e-5)


@pytest.mark.tensorflow
def test_an_embedding_out_of_a_training_graph(fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "metagraph" / "face_resnet" / "model-1.meta"
    model = read(source)
    extract(model, {"E_BN2/Reshape_1": "embedding"})
    write(model, tmp_path / "part.meta")
    feeds = {
        "input_image:0": np.random.default_rng(0).random((2, 16, 16, 3), np.float32),
        "train_phase:0": np.array(False),
        "train_phase_last:0": np.array(False),
    }
    with sessions.meta_graph(source, optimize=False) as original:
        want = original.run({"e": "E_BN2/Reshape_1:0"}, feeds)
    with sessions.meta_graph(tmp_path / "part.meta", optimize=False) as part:
        got = part.run({"e": "embedding:0"}, feeds)
    assert sessions.same_bits(want["e"], got["e"])
