"""Ops of ONNX Runtime's own, lowered, give in TensorFlow what it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.lowered import LoweredModel, first_difference

pytestmark = [pytest.mark.tensorflow, pytest.mark.onnx]

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (2, 3, 6, 8)).astype("u1")
OTHER = RANDOM.integers(0, 256, (2, 3, 6, 8)).astype("u1")
SCALES = {"s0": np.float32(0.031), "z0": np.uint8(117), "s1": np.float32(0.017), "z1": np.uint8(80)}
RESULT = {"s": np.float32(0.043), "z": np.uint8(101)}


def agrees(path: Path, op: str, fed: dict[str, Any], inputs: list[str], **attrs: Any) -> None:
    """Compare a model of one node with ONNX Runtime; what is not fed is a constant. Integers may be one step apart."""
    onnx = pytest.importorskip("onnx")
    helper, runtime = onnx.helper, pytest.importorskip("onnxruntime")
    node = helper.make_node(op, inputs, ["y"], domain="com.microsoft", **attrs)
    constants = {name: array for name, array in {**SCALES, **RESULT}.items() if name in inputs}
    ends = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in fed.items()
    ]
    initializers = [onnx.numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()]
    graph = helper.make_graph([node], "one", ends, [onnx.ValueInfoProto(name="y")], initializers)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("com.microsoft", 1)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    [wanted] = runtime.InferenceSession(path, providers=["CPUExecutionProvider"]).run(None, fed)
    [found] = LoweredModel(path).run(fed)
    if wanted.dtype.kind == "f":
        assert first_difference([found], [wanted]) == ""
        return
    assert found.dtype == wanted.dtype
    assert len(np.unique(wanted)) > 4
    assert np.abs(found.astype(int) - wanted.astype(int)).max() <= 1


@pytest.mark.parametrize("op", ["QLinearAdd", "QLinearMul"])
def test_arithmetic_of_steps(tmp_path: Path, op: str) -> None:
    fed = {"a": IMAGE, "b": OTHER}
    agrees(tmp_path / "m.onnx", op, fed, ["a", "s0", "z0", "b", "s1", "z1", "s", "z"])


@pytest.mark.parametrize(
    ("op", "attrs"),
    [
        ("QLinearSigmoid", {}),
        ("QLinearLeakyRelu", {"alpha": 0.2}),
        ("QLinearSoftmax", {"axis": -1, "opset": 13}),
        ("QLinearGlobalAveragePool", {}),
        ("QLinearAveragePool", {"kernel_shape": [3, 2], "strides": [2, 1], "pads": [1, 0, 1, 1]}),
    ],
)
def test_layers_of_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, op: str, attrs: dict[str, Any]) -> None:
    if op in ("QLinearSigmoid", "QLinearSoftmax", "QLinearGlobalAveragePool"):
        monkeypatch.setitem(RESULT, "s", np.float32(0.004))  # their results are small
    agrees(tmp_path / "m.onnx", op, {"a": IMAGE}, ["a", "s0", "z0", "s", "z"], **attrs)


def test_parts_of_other_steps_behind_one_another(tmp_path: Path) -> None:
    fed = {"a": IMAGE, "b": OTHER}
    agrees(tmp_path / "m.onnx", "QLinearConcat", fed, ["s", "z", "a", "s0", "z0", "b", "s1", "z1"], axis=1)


def test_products(tmp_path: Path) -> None:
    fed = {"a": IMAGE[0, 0], "b": np.ascontiguousarray(OTHER[0, 0].T)}
    agrees(tmp_path / "m.onnx", "MatMulIntegerToFloat", fed, ["a", "b", "s0", "s1", "z0", "z1"])
    rows = {"a": RANDOM.standard_normal((2, 5, 4)).astype("f4"), "b": RANDOM.standard_normal((2, 5, 3)).astype("f4")}
    agrees(tmp_path / "m.onnx", "FusedMatMul", rows, ["a", "b"], transA=1, alpha=0.5)
