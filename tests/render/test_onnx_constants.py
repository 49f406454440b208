"""Nodes of the op Constant in ONNX models are values, not steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.render import View, draw

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.onnx


def test_constants_are_folded_into_what_reads_them(tmp_path: Path) -> None:
    helper, numbers = onnx.helper, onnx.numpy_helper
    weights = np.arange(12, dtype=np.float32).reshape(4, 3)
    nodes = [
        helper.make_node("Constant", [], ["w"], value=numbers.from_array(weights)),
        helper.make_node("Constant", [], ["axes"], value_ints=[0]),
        helper.make_node("MatMul", ["x", "w"], ["product"]),
        helper.make_node("Unsqueeze", ["product", "axes"], ["wide"]),
    ]
    nodes += [helper.make_node("Relu", ["wide" if not n else f"r{n - 1}"], [f"r{n}"]) for n in range(4)]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [2, 4]), ("r3", [1, 2, 3]))
    ]
    graph = helper.make_graph(nodes, "made", ends[:1], ends[1:])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), str(tmp_path / "m.onnx"))
    scene = draw(graphsurgeon.read(tmp_path / "m.onnx"), format="dot", view=View(depth=9)).scene
    titles = [box.title for box in scene.boxes]
    assert "Constant" not in titles
    (product,) = [box for box in scene.boxes if box.title == "MatMul"]
    assert product.parameters == 12
    assert sum(box.parameters for box in scene.boxes) == 12
