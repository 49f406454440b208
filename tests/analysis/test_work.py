"""Multiplications of operations, beside numbers that are counted by hand from the definitions of the ops."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import UsageError, new_model, read
from graphsurgeon.analysis.costs.run_shapes import RunShapes
from graphsurgeon.analysis.costs.work import macs, work_of
from graphsurgeon.model import Graph, MetaGraph, Shape, Tensor
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.format import ONNX, TFLITE, Vocabulary
from graphsurgeon.shapes import infer_shapes

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
STEP = {"strides": [1, 2, 2, 1], "padding": "SAME"}
DEEP = {"strides": [1, 1, 1, 1, 1], "padding": "VALID"}

# op, shapes of inputs, attributes, MACs: result elements times what each is summed over
TENSORFLOW = [
    ("Conv2D", [[2, 8, 8, 3], [3, 3, 3, 16]], STEP, 2 * 4 * 4 * 16 * 3 * 3 * 3),
    ("Conv2D", [[2, 8, 8, 6], [3, 3, 3, 16]], STEP, 2 * 4 * 4 * 16 * 3 * 3 * 3),  # two groups
    ("Conv3D", [[1, 4, 4, 4, 2], [2, 2, 2, 2, 5]], DEEP, 27 * 5 * 8 * 2),
    ("DepthwiseConv2dNative", [[1, 8, 8, 4], [3, 3, 4, 2]], STEP, 4 * 4 * 8 * 9),
    ("MatMul", [[5, 7], [7, 3]], {}, 5 * 3 * 7),
    ("MatMul", [[7, 5], [3, 7]], {"transpose_a": True, "transpose_b": True}, 5 * 3 * 7),
    ("BatchMatMulV2", [[2, 1, 5, 7], [4, 7, 3]], {}, 2 * 4 * 5 * 3 * 7),
    ("BatchMatMulV2", [[4, 7, 5], [4, 7, 3]], {"adj_x": True}, 4 * 5 * 3 * 7),
    ("Relu", [[5, 7]], {}, 0),
    ("AddV2", [[5, 7], [5, 7]], {}, 0),
]
STORED = [
    ("CONV_2D", [[2, 8, 8, 3], [16, 3, 3, 3], [16]], [2, 4, 4, 16], {}, 2 * 4 * 4 * 16 * 27),
    ("DEPTHWISE_CONV_2D", [[1, 8, 8, 4], [1, 3, 3, 8], [8]], [1, 4, 4, 8], {}, 4 * 4 * 8 * 9),
    ("TRANSPOSE_CONV", [[4], [5, 3, 3, 2], [1, 4, 4, 2]], [1, 8, 8, 5], {}, 4 * 4 * 2 * 9 * 5),
    ("FULLY_CONNECTED", [[5, 7], [3, 7]], [5, 3], {}, 5 * 3 * 7),
    ("FULLY_CONNECTED", [[1, 5, 7], [3, 7]], [1, 5, 3], {}, 5 * 3 * 7),
    ("BATCH_MATMUL", [[2, 5, 7], [2, 7, 3]], [2, 5, 3], {}, 2 * 5 * 3 * 7),
    ("SVDF", [[2, 7], [6, 7], [6, 9]], [2, 6], {}, 2 * (6 * 7 + 6 * 9)),
    ("SOFTMAX", [[5, 7]], [5, 7], {}, 0),
]
FOREIGN = [
    ("Conv", [[1, 4, 8, 8], [6, 2, 3, 3]], [1, 6, 8, 8], {}, 6 * 64 * 2 * 9),  # two groups
    ("ConvTranspose", [[1, 4, 8, 8], [4, 6, 3, 3]], [1, 6, 10, 10], {}, 4 * 64 * 6 * 9),
    ("Gemm", [[7, 5], [7, 3]], [5, 3], {"transA": 1}, 5 * 3 * 7),
    ("MatMul", [[2, 5, 7], [7, 3]], [2, 5, 3], {}, 2 * 5 * 3 * 7),
    ("Einsum", [[2, 5, 7], [2, 7, 3]], [2, 5, 3], {"equation": b"bij,bjk->bik"}, 2 * 5 * 3 * 7),
    ("Einsum", [[9, 2, 5, 7], [7, 3]], [9, 2, 5, 3], {"equation": b"...ij,jk->...ik"}, 9 * 2 * 5 * 7 * 3),
    ("LSTM", [[10, 2, 7], [1, 20, 7], [1, 20, 5]], [10, 1, 2, 5], {}, 10 * 2 * (20 * 7 + 20 * 5)),
    ("Add", [[5, 7], [5, 7]], [5, 7], {}, 0),
]


def names(cases: list[Any]) -> list[str]:
    return [f"{case[0]} {case[-1]}" for case in cases]


@pytest.mark.parametrize(("op", "shapes", "attrs", "wanted"), TENSORFLOW, ids=names(TENSORFLOW))
def test_ops_of_tensorflow(op: str, shapes: list[list[int]], attrs: Mapping[str, Any], wanted: int) -> None:
    graph = new_model().graph
    inputs = [
        graph.add_node("Placeholder", f"x{place}", [], {"dtype": FLOAT32, "shape": Shape(dims)})
        for place, dims in enumerate(shapes)
    ]
    node = graph.add_node(op, "y", inputs, attrs)
    assert macs(node, infer_shapes(graph).shape) == wanted


def stored(vocabulary: Vocabulary, op: str, shapes: list[list[int]], result: list[int | None], attrs: Any) -> Any:
    graph = Graph(MetaGraph(vocabulary=vocabulary), "subgraph")
    values = [
        graph.add_value(f"x{place}", FLOAT32, Shape(dims), Tensor.of(FLOAT32, dims, []) if place else None)
        for place, dims in enumerate(shapes)
    ]
    node = graph.add_node(op, "", values, attrs, checked=False)
    node.set_outputs([graph.add_value("y", FLOAT32, Shape(result))])
    return node


@pytest.mark.parametrize(("op", "shapes", "result", "attrs", "wanted"), STORED, ids=names(STORED))
def test_operators_of_tflite(op: str, shapes: Any, result: Any, attrs: Any, wanted: int) -> None:
    assert macs(stored(TFLITE, op, shapes, result, attrs), lambda value: value.shape or Shape(None)) == wanted


@pytest.mark.parametrize(("op", "shapes", "result", "attrs", "wanted"), FOREIGN, ids=names(FOREIGN))
def test_operators_of_onnx(op: str, shapes: Any, result: Any, attrs: Any, wanted: int) -> None:
    assert macs(stored(ONNX, op, shapes, result, attrs), lambda value: value.shape or Shape(None)) == wanted


@pytest.mark.parametrize(
    ("shapes", "result"),
    [([[1, 8, 8, 3], [16, 3, 3, 3]], [1, None, 4, 16]), ([[1, 8, 8, 3]], [1, 4, 4, 16]), ([[1], [0]], [1, 4])],
)
def test_what_is_not_known_is_not_guessed(shapes: Any, result: Any) -> None:
    assert macs(stored(TFLITE, "CONV_2D", shapes, result, {}), lambda value: value.shape or Shape(None)) is None


# fixtures/make: 3x3 of 3 -> 4 channels, 3x3 by channel, 1x1 of 4 -> 4, all on 8x8; 4 -> 5 -> 3 units
CNN = {"Conv2D": 64 * 4 * 27 + 64 * 4 * 4, "DepthwiseConv2dNative": 64 * 4 * 9, "MatMul": 20 + 15}


@pytest.mark.parametrize(("batch", "factor"), [(None, 1), (3, 3)])
def test_an_open_batch_is_one_unless_it_is_said(batch: int | None, factor: int) -> None:
    (metagraph,) = read(FIXTURES / "graphdef" / "cnn.pb").metagraphs
    shapes = RunShapes(metagraph, {"image": Shape([batch, 8, 8, 3])} if batch else {})
    assert list(shapes.assumed) == ([] if batch else ["image:0"])
    assert work_of(metagraph.graph.nodes, shapes).by_op == {op: factor * number for op, number in CNN.items()}


def test_a_function_counts_as_often_as_it_is_called() -> None:
    metagraph = read(FIXTURES / "savedmodel" / "keras_export").metagraphs[0]
    found = work_of(metagraph.graph.nodes, RunShapes(metagraph))
    assert found.by_op == {op: 2 * number for op, number in CNN.items()}  # by two signatures
    assert sum(found.by_node.values()) == found.macs == 2 * sum(CNN.values())


def test_a_body_of_a_loop_counts_once_and_that_is_said() -> None:
    (metagraph,) = read(FIXTURES / "tflite" / "control_flow.tflite").metagraphs
    found = work_of(metagraph.graph.nodes, RunShapes(metagraph))
    assert found.once
    assert set(found.by_op) == {"FULLY_CONNECTED"}


def test_an_input_that_is_not_there() -> None:
    with pytest.raises(UsageError, match="there is no input 'nope'"):
        RunShapes(read(FIXTURES / "graphdef" / "cnn.pb").metagraphs[0], {"nope": Shape([1])})
