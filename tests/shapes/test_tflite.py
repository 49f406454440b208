"""Shapes inferred of TFLite operators are those that converters stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.model import Shape
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.tflite import Restated
from graphsurgeon.shapes.tflite_flow import infer_subgraph

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "tflite"


@pytest.mark.parametrize("name", ["cnn_float", "cnn_int8", "dynamic_range", "float", "sparse", "strings"])
def test_stored_shapes_are_inferred(name: str) -> None:
    graph = read(FIXTURES / f"{name}.tflite").metagraphs[0].graph
    restated = Restated(graph)
    report = infer_shapes(restated.graph)
    assert report.findings == []
    for node in graph.nodes:
        for value in node.outputs:
            if value in restated.values:
                assert report.shape(restated.values[value]) == value.shape, node.op


def test_a_free_batch_goes_through() -> None:
    graph = read(FIXTURES / "cnn_float.tflite").metagraphs[0].graph
    found = infer_subgraph(graph, {graph.inputs[0]: Shape([None, 8, 8, 3])})
    assert [str(found.shapes[output.value]) for output in graph.outputs] == ["[?,5]", "[?,4]"]
    assert found.findings == found.unknown == []


@pytest.mark.parametrize("name", ["cnn_float", "cnn_int8", "control_flow", "float", "sparse", "strings"])
def test_operators_unlike_their_kind_are_unknown(name: str) -> None:
    for position in range(4):
        graph = read(FIXTURES / f"{name}.tflite").metagraphs[0].graph
        for node in graph.nodes:
            node.inputs = node.inputs[:position]
        found = infer_subgraph(graph, {value: Shape([None]) for value in graph.inputs})
        assert set(graph.inputs) <= found.shapes.keys()


def test_weights_of_another_rank_are_unknown() -> None:
    graph = read(FIXTURES / "cnn_float.tflite").metagraphs[0].graph
    convolutions = [node for node in graph.nodes if node.op.endswith("CONV_2D")]
    for node in convolutions:
        node.inputs = [node.inputs[0], graph.inputs[0], *node.inputs[2:]]
    graph.inputs[0].shape = Shape([3])
    found = infer_subgraph(graph, {graph.inputs[0]: Shape([None])})
    assert convolutions
    assert len(found.unknown) >= len(convolutions)
