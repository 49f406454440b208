"""onnxruntime, OpenVINO and Keras as runtimes: chosen, run, and compared with TensorFlow and by hand."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges import child
from graphsurgeon.bridges.run import run
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.bridges.verify import verify
from graphsurgeon.compare.entries import OneRun
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import registry

FILTERS = np.random.default_rng(3).random((5, 3, 3, 3), "f4") - 0.5


def installed(monkeypatch: pytest.MonkeyPatch, *needs: str) -> None:
    monkeypatch.setattr(child, "is_installed", lambda need: need in needs)


def test_the_first_that_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    def taken(name: str, wanted: str | None = None) -> str:
        return child.runtime_of(registry.get(name), "m", wanted=wanted)

    installed(monkeypatch, "tensorflow", "openvino")
    assert [taken(name) for name in ("saved_model", "tflite", "onnx")] == ["tensorflow", "openvino", "openvino"]
    installed(monkeypatch)
    assert [taken(name) for name in ("saved_model", "tflite", "onnx")] == ["tensorflow", "litert", "onnxruntime"]
    assert taken("onnx", "openvino") == "openvino"
    assert taken("keras", "tensorflow") == "keras"


def test_a_runtime_that_does_not_run_it() -> None:
    with pytest.raises(UnsupportedError, match="ONNX model is not run by LiteRT; it is by onnxruntime or OpenVINO"):
        child.runtime_of(registry.get("onnx"), "m", wanted="litert")
    with pytest.raises(UsageError, match="'torch' is no runtime"):
        child.runtime_of(registry.get("onnx"), "m", wanted="torch")


@pytest.mark.parametrize(("need", "extra"), [("onnxruntime", "onnx"), ("openvino",) * 2, ("keras", "tensorflow")])
def test_a_missing_runtime_is_named(need: str, extra: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnsupportedError, match=rf"tf-graphsurgeon\[{extra}\]"):
        child.require_extra(need)


def save_onnx(path: Path, nodes: list[Any], ins: Mapping[str, Any], outs: Mapping[str, Any], **arrays: Any) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    def infos(shapes: Mapping[str, Any]) -> list[Any]:
        return [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()]

    initializers = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    graph = helper.make_graph(nodes, "g", infos(ins), infos(outs), initializers)
    domains = {node.domain for node in nodes}
    imports = [helper.make_opsetid(domain, 17 if not domain else 1) for domain in domains]
    save(helper.make_model(graph, opset_imports=imports, ir_version=8), path)


@pytest.fixture
def convolution(tmp_path: Path) -> Path:
    """A convolution in ONNX's layout, behind it a Relu."""
    from onnx import helper

    nodes = [helper.make_node("Conv", ["image", "w"], ["inner"]), helper.make_node("Relu", ["inner"], ["y"])]
    shapes = {"image": ["n", 3, 8, 6]}, {"y": ["n", 5, 6, 4]}
    save_onnx(tmp_path / "conv.onnx", nodes, *shapes, w=FILTERS)
    return tmp_path / "conv.onnx"


def convolved(image: Any) -> Any:
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(2, 3))
    return np.einsum("nchwij,ocij->nohw", windows, FILTERS)


@pytest.mark.onnx
@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_onnx(convolution: Path, runtime: str) -> None:
    image = np.random.default_rng(0).random((2, 3, 8, 6), "f4")
    report = run(convolution, feeds={"image": image}, outputs=["y", "inner"], runtime=runtime)
    assert report.loader == runtime
    inner = convolved(image)
    np.testing.assert_allclose(report.results["inner"].array, inner, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(report.results["y"].array, np.maximum(inner, 0), rtol=1e-5, atol=1e-5)


@pytest.mark.onnx
@pytest.mark.tensorflow
def test_layouts_of_onnx_and_tensorflow(convolution: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    class Model(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None, 8, 6, 3), tf.float32)])
        def __call__(self, picture: Any) -> Any:
            return {"result": tf.nn.relu(tf.nn.conv2d(picture, FILTERS.transpose(2, 3, 1, 0), 1, "VALID"))}

    tf.saved_model.save(Model(), tmp_path / "conv")
    for pair in ((convolution, tmp_path / "conv"), (tmp_path / "conv", convolution)):
        report = verify(*pair)
        assert report.agrees
        assert any(note.startswith("input ") and "with the axes (0, " in note for note in report.notes)
        assert any(note.startswith("output ") and "axes" in note for note in report.notes)
    by_openvino = verify(convolution, tmp_path / "conv", runtime="openvino")
    assert (by_openvino.agrees, by_openvino.outputs[0].loader) == (True, "openvino")


@pytest.mark.onnx
def test_ops_of_a_library_of_somebody_are_not_run(tmp_path: Path) -> None:
    from onnx import helper

    nodes = [helper.make_node("Odd", ["x"], ["y"], domain="com.example")]
    save_onnx(tmp_path / "odd.onnx", nodes, {"x": [2]}, {"y": [2]})
    with pytest.raises(UnsupportedError, match="the runtime cannot load it"):
        run(tmp_path / "odd.onnx")


@pytest.mark.tensorflow
def test_keras_files(tmp_path: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    left, right = keras.Input((4,), name="left"), keras.Input((3,), name="right")
    hidden = keras.layers.Dense(5, activation="relu", name="hidden")(left)
    probs = keras.layers.Dense(2, activation="softmax", name="probs")(keras.layers.Concatenate()([right, hidden]))
    model = keras.Model([left, right], probs)
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    model.export(tmp_path / "exported", verbose=False)
    feeds = {"right": np.ones((2, 3), "f4"), "left": np.full((2, 4), 0.5, "f4")}
    report = run(tmp_path / "m.keras", feeds=feeds)
    np.testing.assert_allclose(report.results["probs"].array, model([feeds["left"], feeds["right"]]), rtol=1e-6)
    assert run(tmp_path / "m.h5", outputs=["hidden"]).results["hidden"].array.shape == (2, 5)
    assert verify(tmp_path / "m.keras", tmp_path / "exported").agrees
    assert verify(tmp_path / "m.h5", tmp_path / "m.keras").agrees


@pytest.mark.tensorflow
def test_code_in_keras_files_is_not_run(tmp_path: Path) -> None:
    import keras

    x = keras.Input((4,))
    keras.Model(x, keras.layers.Lambda(lambda y: y * 2)(x)).save(tmp_path / "m.keras")
    with pytest.raises(UnsupportedError, match="not run, for it reaches outside itself"):
        run(tmp_path / "m.keras")


@pytest.mark.onnx
def test_a_tensor_inside_is_fed_where_a_branch_reads_it(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    def branch(name: str, op: str) -> Any:
        made = [helper.make_node(op, ["inner"], [name])]
        return helper.make_graph(made, name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2])])

    nodes = [
        helper.make_node("Split", ["x"], ["inner", "other"], name="split"),
        helper.make_node("ReduceMax", ["other"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "limit"], ["is_large"]),
        helper.make_node("If", ["is_large"], ["y"], then_branch=branch("a", "Neg"), else_branch=branch("b", "Sqrt")),
    ]
    path = tmp_path / "branches.onnx"
    save_onnx(path, nodes, {"x": [4]}, {"y": [2]}, limit=np.array(5, "f4"))
    fed = {"x": np.array([1, 2, 3, 4], "f4"), "inner": np.array([16, 25], "f4")}
    [outcome] = run_calls(path, [OneRun("onnxruntime", None, fed, {"y": "y"})])
    assert outcome.error == ""
    assert outcome.results["y"].array.tolist() == [4, 5]  # the largest of what is computed yet is not above 5


@pytest.mark.parametrize("name", ["mxnet", "caffe"])
def test_what_no_runtime_runs_becomes_onnx_first(name: str) -> None:
    with pytest.raises(UnsupportedError, match="is not run here") as caught:
        child.runtime_of(registry.get(name), "m")
    assert caught.value.hint == "gs convert MODEL net.onnx makes of it what onnxruntime runs"
