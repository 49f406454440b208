"""Recurrent layers, control flow and quantized networks of ONNX: TensorFlow gives what ONNX Runtime gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.lowering.families import recurrent
from tests.oracle.lowered import LoweredModel, first_difference

pytestmark = [pytest.mark.tensorflow, pytest.mark.onnx]
RNG = np.random.default_rng(11)


def weight(name: str, *dims: int) -> Any:
    from onnx import numpy_helper

    return numpy_helper.from_array((RNG.standard_normal(dims) / 2).astype(np.float32), name)


def save(path: Path, nodes: Any, inputs: Any, outputs: list[str], weights: Any = (), types: Any = None) -> Path:
    import onnx
    from onnx import TensorProto, helper

    kinds = types or {}
    ends = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), dims) for name, dims in inputs]
    results = [helper.make_tensor_value_info(name, kinds.get(name, TensorProto.FLOAT), None) for name in outputs]
    graph = helper.make_graph(nodes, "net", ends, results, list(weights))
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def assert_as_in_runtime(path: Path, *feeds: dict[str, Any], steps: float | None = None) -> LoweredModel:
    runtime = pytest.importorskip("onnxruntime")
    lowered, session = LoweredModel(path), runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    for one in feeds:
        expected = session.run(None, one)
        found = lowered.run(one)
        if steps is None:
            assert first_difference(found, expected) == ""
        else:
            assert max(np.abs(a - b).max() for a, b in zip(found, expected, strict=True)) <= steps
    return lowered


def recurrent_layer(path: Path, op: str, *, direction: str = "bidirectional", **attrs: Any) -> Path:
    from onnx import TensorProto, helper

    gates, states = {"LSTM": (4, 2), "GRU": (3, 1), "RNN": (1, 1)}[op]
    count = 2 if direction == "bidirectional" else 1
    weights = [weight("w", count, gates * 5, 3), weight("r", count, gates * 5, 5), weight("b", count, gates * 10)]
    node = helper.make_node(
        op, ["x", "w", "r", "b", "lengths"], ["y", "h", "c"][: 1 + states], hidden_size=5, direction=direction, **attrs
    )
    inputs = [("x", ["steps", "batch", 3]), ("lengths", ["batch"])]
    return save(path, [node], inputs, list(node.output), weights, {"lengths": TensorProto.INT32})


def recurrent_feeds(steps: int, batch: int) -> dict[str, Any]:
    lengths = RNG.integers(1, steps + 1, batch).astype(np.int32)
    return {"x": RNG.standard_normal((steps, batch, 3)).astype(np.float32), "lengths": lengths}


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("LSTM", {}),
        ("LSTM", {"direction": "reverse", "clip": 0.4}),
        ("GRU", {"linear_before_reset": 1}),
        ("GRU", {"activations": ["HardSigmoid", "Relu"] * 2}),
        (
            "RNN",
            {"direction": "forward", "activations": ["Affine"], "activation_alpha": [0.5], "activation_beta": [0.1]},
        ),
    ],
)
def test_recurrent_layers_of_open_batch_and_length(tmp_path: Path, op: str, attrs: dict[str, Any]) -> None:
    path = recurrent_layer(tmp_path / "net.onnx", op, **attrs)
    lowered = assert_as_in_runtime(path, recurrent_feeds(7, 2), recurrent_feeds(3, 1))
    assert any("TFLite takes no loop" in note for note in lowered.report.notes)


def test_unrolled_and_looped_are_alike(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from graphsurgeon.model import Shape

    path = recurrent_layer(tmp_path / "net.onnx", "LSTM")
    shapes = {"x": Shape([4, 2, 3]), "lengths": Shape([2])}
    unrolled = LoweredModel(path, shapes=shapes)
    monkeypatch.setattr(recurrent, "MOST_UNROLLED", 0)
    looped = LoweredModel(path, shapes=shapes)
    assert not unrolled.model.metagraphs[0].functions
    assert looped.model.metagraphs[0].functions
    feeds = recurrent_feeds(4, 2)
    assert first_difference(unrolled.run(feeds), looped.run(feeds)) == ""


@pytest.mark.litert
def test_a_loop_of_known_shapes_becomes_tflite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tf = pytest.importorskip("tensorflow")
    from graphsurgeon.model import Shape

    monkeypatch.setattr(recurrent, "MOST_UNROLLED", 0)
    path = recurrent_layer(tmp_path / "net.onnx", "GRU", direction="forward")
    shapes = {"x": Shape([4, 2, 3]), "lengths": Shape([2])}
    edit(path, [("convert", {"format": "saved_model", "shapes": shapes})], output=tmp_path / "out")
    assert tf.lite.TFLiteConverter.from_saved_model(str(tmp_path / "out")).convert()


def test_a_loop_with_a_condition_and_values_from_outside(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [
            helper.make_node("Add", ["v", "x"], ["grown"]),
            helper.make_node("ReduceSum", ["grown"], ["total"], keepdims=0),
            helper.make_node("Less", ["total", "limit"], ["on"]),
            helper.make_node("Identity", ["grown"], ["seen"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("i", TensorProto.INT64, []),
            helper.make_tensor_value_info("c", TensorProto.BOOL, []),
            helper.make_tensor_value_info("v", TensorProto.FLOAT, ["n"]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("grown", TensorProto.FLOAT, ["n"]),
            helper.make_tensor_value_info("seen", TensorProto.FLOAT, ["n"]),
        ],
    )
    node = helper.make_node("Loop", ["most", "", "x"], ["last", "all"], body=body)
    inputs = [("most", []), ("x", ["n"]), ("limit", [])]
    path = save(tmp_path / "net.onnx", [node], inputs, ["last", "all"], (), {"most": TensorProto.INT64})
    x = np.array([1.0, 2.0, 0.5], np.float32)
    feeds = [{"most": np.array(most, np.int64), "x": x, "limit": np.array(12, np.float32)} for most in (2, 20)]
    assert_as_in_runtime(path, *feeds)


def test_a_scan_along_another_axis_and_back(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    body = helper.make_graph(
        [helper.make_node("Add", ["s", "e"], ["t"]), helper.make_node("Mul", ["t", "e"], ["o"])],
        "body",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("s", "e")],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [2]) for name in ("t", "o")],
    )
    node = helper.make_node(
        "Scan", ["start", "x"], ["last", "all"], body=body, num_scan_inputs=1, scan_input_axes=[1],
        scan_input_directions=[1], scan_output_axes=[1], scan_output_directions=[1],
    )  # fmt: skip
    path = save(tmp_path / "net.onnx", [node], [("start", [2]), ("x", [2, "n"])], ["last", "all"])
    feeds = [{"start": np.ones(2, np.float32), "x": RNG.random((2, n)).astype(np.float32)} for n in (3, 5)]
    assert_as_in_runtime(path, *feeds)


def test_a_branch_reads_what_is_outside(tmp_path: Path) -> None:
    from onnx import TensorProto, helper

    def side(op: str) -> Any:
        out = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(op, ["x", "y"], ["z"])], op, [], [out])

    nodes = [
        helper.make_node("ReduceSum", ["x"], ["sum"], keepdims=0),
        helper.make_node("Less", ["sum", "y"], ["less"]),
        helper.make_node("If", ["less"], ["out"], then_branch=side("Add"), else_branch=side("Mul")),
    ]
    path = save(tmp_path / "net.onnx", nodes, [("x", ["n"]), ("y", [])], ["out"])
    x = np.array([1.0, 2.0], np.float32)
    assert_as_in_runtime(path, *({"x": x, "y": np.array(y, np.float32)} for y in (1, 9)))


def test_quantized_values_become_fake_quantization(tmp_path: Path) -> None:
    from onnx import helper, numpy_helper

    kernel = RNG.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8)
    sizes = (RNG.random(4) * 0.01 + 0.001).astype(np.float32)
    arrays = {
        "scale": np.float32(0.02), "zero": np.uint8(128), "scale2": np.float32(0.05), "zero2": np.uint8(20),
        "kernel": kernel, "sizes": sizes, "zeros": np.zeros(4, np.int8),
    }  # fmt: skip
    weights = [numpy_helper.from_array(np.asarray(array), name) for name, array in arrays.items()]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["xq"]),
        helper.make_node("DequantizeLinear", ["xq", "scale", "zero"], ["xf"]),
        helper.make_node("DequantizeLinear", ["kernel", "sizes", "zeros"], ["k"], axis=0),
        helper.make_node("Conv", ["xf", "k"], ["c"], pads=[1, 1, 1, 1]),
        helper.make_node("QuantizeLinear", ["c", "scale2", "zero2"], ["cq"]),
        helper.make_node("DequantizeLinear", ["cq", "scale2", "zero2"], ["y"]),
    ]
    path = save(tmp_path / "net.onnx", nodes, [("x", ["n", 3, 6, 5])], ["y"], weights)
    x = RNG.standard_normal((2, 3, 6, 5)).astype(np.float32)
    lowered = assert_as_in_runtime(path, {"x": x}, {"x": x[:1]}, steps=0.0501)
    ops = lowered.model.metagraphs[0].graph.op_counts
    assert ops["FakeQuantWithMinMaxVars"] == 2
    assert "Round" not in ops
    assert any("fake quantization" in note for note in lowered.report.notes)


def test_a_sequence_that_goes_in_is_refused_by_name(tmp_path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper

    node = helper.make_node("ConcatFromSequence", ["s"], ["y"], axis=0)
    given = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, None)
    graph = helper.make_graph([node], "net", [given], [result])
    path = tmp_path / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    with pytest.raises(UnsupportedError, match="no input of type sequence"):
        LoweredModel(path)
