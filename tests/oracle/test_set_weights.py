"""Weights that were set, as TensorFlow and LiteRT read them and compute with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.cli.app import run
from tests.oracle.commands import ask
from tests.oracle.places import FIXTURES

KERAS = FIXTURES / "savedmodel" / "keras_export"
INT8 = FIXTURES / "tflite" / "cnn_int8.tflite"


def set_weights(source: Path, target: Path, **arrays: Any) -> Path:
    words = []
    for number, (name, array) in enumerate(arrays.items()):
        np.save(target.parent / f"{number}.npy", array)
        words.append(f"{name}=@{target.parent / f'{number}.npy'}")
    assert run(["set-weights", str(source), *words, "-o", str(target)]) == 0
    return target


def softmax(logits: Any) -> Any:
    raised = np.exp(logits - logits.max())
    return raised / raised.sum()


@pytest.mark.tensorflow
def test_both_loaders_compute_with_the_weights_of_a_keras_export(tmp_path: Path) -> None:
    import tensorflow as tf

    bias = np.array([0.5, -1.0, 2.0], "f4")
    path = set_weights(KERAS, tmp_path / "new", **{"probs/kernel": np.zeros((5, 3)), "probs/bias": bias})
    images = np.random.RandomState(0).normal(size=(2, 8, 8, 3)).astype("f4")
    serve = tf.saved_model.load(str(path)).signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    found = serve(**{name: tf.constant(images)})["probs"].numpy()
    np.testing.assert_allclose(found, [softmax(bias)] * 2, rtol=1e-6)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signature = tf.compat.v1.saved_model.load(session, ["serve"], str(path)).signature_def["serving_default"]
        feed = {next(iter(signature.inputs.values())).name: images}
        found = session.run(signature.outputs["probs"].name, feed)
    np.testing.assert_allclose(found, [softmax(bias)] * 2, rtol=1e-6)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["name_based", "object_graph", "partitioned", "multi_shard", "big_endian"])
def test_a_checkpoint_has_the_new_value_and_all_others(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    source = FIXTURES / "checkpoint" / name
    weights = [one for one in ask("weights", source)["weights"] if one["dtype"] == "float32" and one["shape"]]
    chosen = weights[0]["name"]
    given = np.random.RandomState(0).normal(size=weights[0]["shape"]).astype("f4")
    set_weights(source, tmp_path / "new.ckpt", **{chosen: given})
    before = tf.train.load_checkpoint(ask("show", source)["path"]) if name != "big_endian" else None
    after = tf.train.load_checkpoint(str(tmp_path / "new.ckpt"))
    np.testing.assert_array_equal(after.get_tensor(chosen), given)
    for key in before.get_variable_to_shape_map() if before is not None else ():
        if key != chosen:
            np.testing.assert_array_equal(after.get_tensor(key), before.get_tensor(key))


@pytest.mark.tensorflow
def test_an_object_is_restored_with_the_new_value(tmp_path: Path) -> None:
    import tensorflow as tf

    net = tf.Module()
    net.inner = tf.Module()
    net.inner.w, net.b = tf.Variable([[1.0, 2.0]], name="w"), tf.Variable(3.0, name="b")
    tf.train.Checkpoint(net=net).write(str(tmp_path / "old"))
    set_weights(tmp_path / "old", tmp_path / "new.ckpt", **{"net/inner/w": np.array([[5.0, 6.0]])})
    net.inner.w.assign([[0.0, 0.0]])
    tf.train.Checkpoint(net=net).read(str(tmp_path / "new.ckpt")).assert_consumed()
    assert net.inner.w.numpy().tolist() == [[5.0, 6.0]]
    assert float(net.b) == 3.0


@pytest.mark.tensorflow
def test_a_partitioned_variable_of_a_saved_model(tmp_path: Path) -> None:
    import tensorflow as tf

    source = FIXTURES / "savedmodel" / "v1_partitioned"
    sliced = next(one for one in ask("weights", source)["weights"] if len(one["shape"]) == 2)
    given = np.random.RandomState(0).normal(size=sliced["shape"]).astype("f4")
    path = set_weights(source, tmp_path / "new", **{sliced["name"]: given})
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        parts = [v for v in graph.get_collection("variables") if v.name.startswith(f"{sliced['name']}/part_")]
        assert len(parts) > 1
        found = session.run(parts)
    axis = next(axis for axis in (0, 1) if sum(part.shape[axis] for part in found) == given.shape[axis])
    np.testing.assert_array_equal(np.concatenate(found, axis), given)


@pytest.mark.tensorflow
def test_a_frozen_graph_computes_with_the_constant(tmp_path: Path) -> None:
    import tensorflow as tf

    source, name = FIXTURES / "graphdef" / "cnn.pb", "functional_1/embedding_1/Cast/ReadVariableOp/resource"
    path = set_weights(source, tmp_path / "new.pb", **{name: np.zeros((4, 5))})
    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    before = tf.compat.v1.GraphDef.FromString(source.read_bytes())
    changed = [one.name for one, other in zip(before.node, graph_def.node, strict=True) if one != other]
    assert changed == [name]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        assert session.run(f"{name}:0").tolist() == np.zeros((4, 5)).tolist()
        images = np.random.RandomState(0).normal(size=(2, 8, 8, 3)).astype("f4")
        (placeholder,) = (one for one in graph.get_operations() if one.type == "Placeholder")
        first, second = session.run("Identity:0", {placeholder.outputs[0]: images})
    np.testing.assert_array_equal(first, second)  # only the bias is left


@pytest.mark.litert
def test_litert_computes_with_the_quantized_weights(tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    path = set_weights(INT8, tmp_path / "new.tflite", MatMul=np.zeros((5, 4)), add=np.zeros(5))
    interpreter = Interpreter(str(path))
    interpreter.allocate_tensors()
    details = {one["name"]: one for one in interpreter.get_tensor_details() if one["name"]}
    assert not interpreter.get_tensor(details["MatMul"]["index"]).any()
    image = np.random.RandomState(1).randint(-128, 128, (1, 8, 8, 3)).astype(np.int8)
    runner = interpreter.get_signature_runner()
    (name,) = runner.get_input_details()
    found = runner(**{name: image})
    probs = next(array for array in found.values() if array.size == 5)
    assert np.unique(probs).size == 1  # five logits that are zero
