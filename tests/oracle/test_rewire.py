"""Rewired graphs compute what `tf.import_graph_def(input_map=...)`, and models written so, compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import edit, read
from tests.oracle import sessions

pytestmark = pytest.mark.tensorflow
X = np.array([[-1.0, 0.5], [2.0, -3.0]], np.float32)


def test_as_import_graph_def_maps_inputs(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        half = tf.multiply(x, 0.5, name="half")
        loop = tf.while_loop(lambda i, _: i < 3, lambda i, v: (i + 1, v * x), [0, tf.exp(x, name="e")])
        tf.identity(tf.cond(tf.reduce_sum(x) > 0, lambda: loop[1], lambda: half), name="y")
    source, out = tmp_path / "g.pb", tmp_path / "out.pb"
    source.write_bytes(graph.as_graph_def().SerializeToString())
    edit.edit(source, [("rewire", {"tensors": {"e:0": "half:0"}})], output=out)
    with v1.Graph().as_default(), v1.Session() as session:
        fed = v1.placeholder(tf.float32, [None, 2])
        message = v1.GraphDef.FromString(source.read_bytes())
        (inner,) = tf.import_graph_def(message, {"x": fed}, ["half:0"], name="first")
        (mapped,) = tf.import_graph_def(message, {"x": fed, "e": inner}, ["y:0"], name="second")
        expected = [session.run(mapped, {fed: one}) for one in (X, -X)]
    for one, value in zip((X, -X), expected, strict=True):
        found = sessions.run_graph_def(out, {"y": "y:0"}, {"x:0": one}, optimize=False)
        assert np.array_equal(found["y"], value)


def test_in_a_function_both_loaders_run_it(tmp_path: Path) -> None:
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([[1.0, 2.0], [3.0, 4.0]])

        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.matmul(tf.nn.relu(x, name="old"), self.w) + tf.tanh(x, name="new")}

    source, out = tmp_path / "source", tmp_path / "out"
    module = Model()
    tf.saved_model.save(module, str(source))
    function = next(name for name, one in read(source).metagraphs[0].functions.items() if one.node("old") is not None)
    edit.edit(source, [("rewire", {"tensors": {"old": "new"}, "graph": function})], output=out)
    expected = np.tanh(X) @ module.w.numpy() + np.tanh(X)
    loaded = tf.saved_model.load(str(out))
    assert np.allclose(loaded(X)["y"], expected, rtol=1e-5)
    assert np.allclose(loaded.signatures["serving_default"](tf.constant(X))["y"], expected, rtol=1e-5)


@pytest.mark.litert
def test_in_a_tflite_model_operators_stay_in_order(tmp_path: Path) -> None:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    @tf.function(input_signature=[tf.TensorSpec([2, 2], tf.float32)])
    def model(x: Any) -> Any:
        return {"a": tf.exp(tf.nn.relu(x)), "b": tf.tanh(tf.sin(x))}

    source, out = tmp_path / "m.tflite", tmp_path / "out.tflite"
    converter = tf.lite.TFLiteConverter.from_concrete_functions([model.get_concrete_function()], tf.Module())
    source.write_bytes(converter.convert())
    operators = {node.op: node for node in read(source).metagraphs[0].graph.nodes}
    old, new = (str(operators[op].outputs[0]) for op in ("RELU", "TANH"))
    edit.edit(source, [("rewire", {"tensors": {old: new}})], output=out)
    found = Interpreter(str(out)).get_signature_runner("serving_default")
    result = found(**{next(iter(found.get_input_details())): X})
    assert np.allclose(result["a"], np.exp(np.tanh(np.sin(X))), rtol=1e-5)
    assert np.allclose(result["b"], np.tanh(np.sin(X)), rtol=1e-5)
