"""The walk along the tensors of two builds, where what is inside is known: one weight is another, or a converter's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges.verify import verify
from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit
from tests.oracle.places import FIXTURES

FLOAT = FIXTURES / "tflite" / "cnn_float.tflite"
INT8 = FIXTURES / "tflite" / "cnn_int8.tflite"
OPS = ["CONV_2D", "DEPTHWISE_CONV_2D", "MEAN", "FULLY_CONNECTED", "SOFTMAX"]


@pytest.mark.litert
def test_two_builds_part_at_the_weight_that_is_another(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other.tflite"
    edit(FLOAT, [("set-weights", {"values": {"MatMul": 0.25}})], output=other)
    report = verify(FLOAT, other, per_tensor=True)
    assert [item.op for item in report.tensors] == OPS
    assert [item.identical for item in report.tensors] == [True, True, True, False, False]
    assert report.first is not None
    assert report.first.endswith("(FULLY_CONNECTED)")
    assert run(["verify", str(FLOAT), str(other), "--per-tensor"]) == 1
    text = capsys.readouterr().out
    assert "tensors inside, in the order in which they are computed: 5" in text
    assert "the first tensor that differs: MatMul;add (FULLY_CONNECTED)" in text


@pytest.mark.litert
@pytest.mark.parametrize("turned", [False, True])
def test_a_quantized_build_is_walked_as_real_numbers(turned: bool) -> None:
    pair = (INT8, FLOAT) if turned else (FLOAT, INT8)
    report = verify(*pair, dequantize=True, per_tensor=True)
    assert [item.op for item in report.tensors] == OPS
    assert all(item.agrees and item.largest is not None and item.range for item in report.tensors)
    assert all(item.largest < 0.03 * item.range for item in report.tensors if item.largest and item.range)


@pytest.mark.tensorflow
@pytest.mark.litert
def test_a_saved_model_beside_what_the_converter_makes_of_it(tmp_path: Path) -> None:
    import tensorflow as tf

    random = np.random.RandomState(0)
    first = tf.Variable(random.normal(size=(3, 3, 3, 4)), dtype=tf.float32)
    last = tf.Variable(random.normal(size=(4, 5)), dtype=tf.float32)

    class Small(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            self.first, self.last = first, last

        @tf.function(input_signature=[tf.TensorSpec((1, 8, 8, 3), tf.float32, name="image")])  # type: ignore[untyped-decorator]
        def __call__(self, image: Any) -> Any:
            inner = tf.nn.relu(tf.nn.conv2d(image, self.first, 2, "SAME", name="conv"), name="inner")
            return {"probs": tf.nn.softmax(tf.reduce_mean(inner, [1, 2], name="mean") @ self.last)}

    model = Small()
    tf.saved_model.save(model, str(tmp_path / "saved"))
    converter = tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "saved"))
    (tmp_path / "small.tflite").write_bytes(converter.convert())
    for pair in (("saved", "small.tflite"), ("small.tflite", "saved")):
        report = verify(*(tmp_path / name for name in pair), per_tensor=True)
        assert report.agrees
        names = [item.name for item in report.tensors]
        assert len(set(names)) == len(names) >= 2
        assert any("inner" in name for name in names)
        assert any("mean" in name for name in names)
        assert all(item.agrees for item in report.tensors)


@pytest.mark.onnx
def test_tensors_inside_an_onnx_model(tmp_path: Path) -> None:
    """Beside another one whose second product is larger, and beside the graph that it becomes."""
    onnx = pytest.importorskip("onnx")
    make, numbers = onnx.helper, np.random.default_rng(0)
    first, second = numbers.random((4, 5)).astype("f4"), numbers.random((5, 3)).astype("f4")
    for name, scale in (("one", 1.0), ("other", 1.5)):
        nodes = [("MatMul", "x", "w", "m"), ("Relu", "m", "r"), ("MatMul", "r", "v", "n"), ("Neg", "n", "y")]
        ends = [make.make_tensor_value_info(end, 1, [2, width]) for end, width in (("x", 4), ("y", 3))]
        weights = [onnx.numpy_helper.from_array(a, key) for key, a in (("w", first), ("v", second * np.float32(scale)))]
        graph = make.make_graph(
            [make.make_node(op, list(names[:-1]), [names[-1]]) for op, *names in nodes],
            "g",
            ends[:1],
            ends[1:],
            weights,
        )
        model = make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=8)
        onnx.save(model, tmp_path / f"{name}.onnx")
    x = numbers.random((2, 4)).astype("f4")
    one, other, became = tmp_path / "one.onnx", tmp_path / "other.onnx", tmp_path / "one.pb"
    report = verify(one, other, feeds={"x": x}, per_tensor=True)
    gap = float(np.abs(x @ first @ second * 0.5).max())
    assert [(item.name, item.op, item.identical) for item in report.tensors] == [
        ("m", "MatMul", True), ("r", "Relu", True), ("n", "MatMul", False), ("y", "Neg", False),
    ]  # fmt: skip
    assert report.tensors[2].largest == pytest.approx(gap, rel=1e-5)
    assert report.first == "n (MatMul)"
    assert verify(one, other, feeds={"x": x}).first == "n (MatMul)"
    edit(one, [("convert", {})], output=became)
    pytest.importorskip("tensorflow")
    walked = verify(one, became, per_tensor=True)
    assert [(item.name, item.other) for item in walked.tensors] == [(n, f"{n}:0") for n in "mrny"]
    assert walked.agrees
