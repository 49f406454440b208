"""Shapes inferred of TFLite operators are those that converters stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.model import Shape
from graphsurgeon.shapes.infer import infer_shapes
from graphsurgeon.shapes.tflite import Restated, infer_subgraph

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
