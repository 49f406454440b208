"""Shapes of ONNX graphs, expected values by hand from the documentation of the operators."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.formats.onnx import file
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from tests.formats.onnx import models


def infer(folder: Path, nodes: Sequence[Any], inputs: Sequence[Any], *, opset: int = 17, **fields: Any) -> ShapeReport:
    main = models.graph(nodes, inputs, [], **fields)
    model = file.read(models.save(folder, models.model(main, opset=opset)))
    report = infer_shapes(model)
    report.of = lambda name: report.shape(model.graph.value(name)).to_json()  # type: ignore[attr-defined]
    return report


def numbers(name: str, values: Sequence[int]) -> Any:
    return models.new("TensorProto", name=name, dims=[len(values)], data_type=models.INT64, int64_data=values)


def attributes(**values: Any) -> list[Any]:
    found = []
    for name, value in values.items():
        kind = {int: 2, bytes: 3, list: 7}[type(value)]
        found.append(models.new("AttributeProto", name=name, type=kind, **{{2: "i", 3: "s", 7: "ints"}[kind]: value}))
    return found


IMAGE = models.value("x", ["n", 3, 32, 32])
CASES: list[tuple[Any, list[Any], list[int | None]]] = [
    (models.node("Relu", ["x"], ["y"]), [IMAGE], [None, 3, 32, 32]),
    (models.node("GlobalAveragePool", ["x"], ["y"]), [IMAGE], [None, 3, 1, 1]),
    (models.node("Transpose", ["x"], ["y"], attribute=attributes(perm=[0, 2, 3, 1])), [IMAGE], [None, 32, 32, 3]),
    (models.node("Flatten", ["x"], ["y"]), [IMAGE], [None, 3072]),
    (
        models.node("MaxPool", ["x"], ["y"], attribute=attributes(kernel_shape=[3, 3], strides=[2, 2])),
        [IMAGE],
        [None, 3, 15, 15],
    ),
    (
        models.node(
            "MaxPool", ["x"], ["y"], attribute=attributes(kernel_shape=[3, 3], strides=[2, 2], auto_pad=b"SAME_UPPER")
        ),
        [IMAGE],
        [None, 3, 16, 16],
    ),
    (models.node("DepthToSpace", ["x"], ["y"], attribute=attributes(blocksize=2)), [models.value("x", [1, 8, 2, 3])],
     [1, 2, 4, 6]),
    (models.node("Add", ["x", "b"], ["y"]), [models.value("x", [4, 1]), models.value("b", [5])], [4, 5]),
    (models.node("MatMul", ["x", "b"], ["y"]), [models.value("x", [2, 4, 5]), models.value("b", [5, 7])], [2, 4, 7]),
    (models.node("Gather", ["x", "b"], ["y"], attribute=attributes(axis=1)),
     [models.value("x", [2, 9, 4]), models.value("b", [3, 3], models.INT64)], [2, 3, 3, 4]),
    (models.node("ReduceMean", ["x"], ["y"], attribute=attributes(axes=[1, -1], keepdims=0)), [IMAGE], [None, 32]),
    (models.node("ArgMax", ["x"], ["y"], attribute=attributes(axis=1)), [IMAGE], [None, 1, 32, 32]),
    (models.node("LSTM", ["x", "w", "r"], ["y"], attribute=attributes(hidden_size=5, direction=b"bidirectional")),
     [models.value("x", ["t", 2, 4]), models.value("w", None), models.value("r", None)], [None, 2, 2, 5]),
    (models.node("Einsum", ["x", "b"], ["y"], attribute=attributes(equation=b"bij,bjk->bik")),
     [models.value("x", [2, 3, 4]), models.value("b", [2, 4, 5])], [2, 3, 5]),
]  # fmt: skip


@pytest.mark.parametrize(("node", "inputs", "expected"), CASES, ids=lambda case: getattr(case, "op_type", None))
def test_one_op(tmp_path: Path, node: Any, inputs: list[Any], expected: list[int | None]) -> None:
    report: Any = infer(tmp_path, [node], inputs)
    assert report.of("y") == expected
    assert report.findings == []


def test_convolution(tmp_path: Path) -> None:
    conv = models.node("Conv", ["x", "w"], ["y"], attribute=attributes(strides=[2, 2], pads=[1, 1, 1, 1]))
    weights = [models.new("TensorProto", name="w", dims=[8, 3, 3, 3], data_type=1, raw_data=bytes(4 * 216))]
    report: Any = infer(tmp_path, [conv], [IMAGE], initializer=weights)
    assert report.of("y") == [None, 8, 16, 16]


def test_channels_that_do_not_fit_are_found(tmp_path: Path) -> None:
    conv = models.node("Conv", ["x", "w"], ["y"], "first")
    weights = [models.new("TensorProto", name="w", dims=[8, 4, 3, 3], data_type=1, raw_data=bytes(4 * 288))]
    report = infer(tmp_path, [conv], [IMAGE], initializer=weights)
    assert [(found.where, found.what) for found in report.findings] == [("first", "dimensions 3 and 4 must be equal")]


def test_a_shape_that_is_computed(tmp_path: Path) -> None:
    """The way exporters write `x.reshape(x.shape[0], -1, 4)`."""
    nodes = [
        models.node("Shape", ["x"], ["s"]),
        models.node("Gather", ["s", "zero"], ["n"], attribute=attributes(axis=0)),
        models.node("Concat", ["n", "rest"], ["to"], attribute=attributes(axis=0)),
        models.node("Reshape", ["x", "to"], ["y"]),
    ]
    report: Any = infer(tmp_path, nodes, [IMAGE], initializer=[numbers("zero", [0]), numbers("rest", [-1, 4])])
    assert report.of("y") == [None, 768, 4]
    other: Any = infer(tmp_path, nodes, [models.value("x", [5, 8])],
                       initializer=[numbers("zero", [0]), numbers("rest", [-1, 4])])  # fmt: skip
    assert other.of("y") == [5, 2, 4]


def test_slices_backwards_and_to_the_end(tmp_path: Path) -> None:
    ends = [numbers("s", [-1, 1]), numbers("e", [-(1 << 62), 1 << 62]), numbers("a", [0, 1]), numbers("t", [-1, 2])]
    cut = models.node("Slice", ["x", "s", "e", "a", "t"], ["y"])
    report: Any = infer(tmp_path, [cut], [models.value("x", [5, 10])], initializer=ends)
    assert report.of("y") == [5, 5]


def test_a_name_of_a_dimension_is_one_number(tmp_path: Path) -> None:
    nodes = [models.node("Shape", ["x"], ["s"]), models.node("Reshape", ["b", "s"], ["y"])]
    report: Any = infer(tmp_path, nodes, [models.value("x", ["n", 4]), models.value("b", ["n", 2, 2])])
    assert report.of("y") == [None, 4]


def test_recorded_shapes_come_first(tmp_path: Path) -> None:
    nodes = [models.node("Strange", ["x"], ["h"], domain="mine"), models.node("Relu", ["h"], ["y"])]
    report: Any = infer(tmp_path, nodes, [IMAGE], value_info=[models.value("h", [2, 5])])
    assert report.of("y") == [2, 5]
    assert report.uninferred == []


def test_a_recorded_shape_that_cannot_be(tmp_path: Path) -> None:
    report = infer(tmp_path, [models.node("Relu", ["x"], ["y"], "r")], [models.value("x", [2])],
                   value_info=[models.value("y", [3])])  # fmt: skip
    assert [(found.where, found.what) for found in report.findings] == [("r", "y has shape [2], the file records [3]")]


def test_the_version_of_the_op_decides(tmp_path: Path) -> None:
    """Before version 7 the second operand is stretched to the first, whatever its own shape."""
    inputs = [models.value("x", [1, 3, 4]), models.value("b", [3])]
    add = models.node("Add", ["x", "b"], ["y"], attribute=attributes(broadcast=1, axis=1))
    report: Any = infer(tmp_path, [add], inputs, opset=6)
    assert report.of("y") == [1, 3, 4]


def test_bodies(tmp_path: Path) -> None:
    """A loop that appends its state, which grows, and sees a value of the graph around it."""
    body = models.graph(
        [
            models.node("Identity", ["go"], ["on"]),
            models.node("Concat", ["state", "h"], ["grown"], attribute=attributes(axis=0)),
            models.node("Relu", ["h"], ["each"]),
        ],
        [models.value("i", [], models.INT64), models.value("go", [], models.BOOL), models.value("state", None)],
        [models.value("on", [], models.BOOL), models.value("grown", None), models.value("each", None)],
    )
    nodes = [
        models.node("Relu", ["x"], ["h"]),
        models.node("Loop", ["m", "", "x"], ["last", "all"], attribute=[models.body("body", body)]),
    ]
    report: Any = infer(tmp_path, nodes, [models.value("x", [2, 3])], initializer=[
        models.new("TensorProto", name="m", data_type=models.INT64, int64_data=[7])])  # fmt: skip
    assert report.of("last") == [None, 3]
    assert report.of("all") == [7, 2, 3]


def test_functions_are_inferred_for_their_calls(tmp_path: Path) -> None:
    function = models.new(
        "FunctionProto", name="Pool", domain="mine", input=["a"], output=["b"], attribute=["size"],
        node=[models.node("MaxPool", ["a"], ["b"], attribute=[
            models.new("AttributeProto", name="kernel_shape", ref_attr_name="size", type=7)])],
    )  # fmt: skip
    call = models.node("Pool", ["x"], ["y"], domain="mine", attribute=attributes(size=[2, 2]))
    main = models.graph([call], [IMAGE], [])
    model = file.read(models.save(tmp_path, models.model(main, functions=[function])))
    report = infer_shapes(model)
    y = model.graph.value("y")
    assert y is not None
    assert report.shape(y).to_json() == [None, 3, 31, 31]


def test_a_function_that_calls_itself_ends(tmp_path: Path) -> None:
    function = models.new("FunctionProto", name="F", domain="m", input=["a"], output=["b"],
                          node=[models.node("F", ["a"], ["b"], domain="m")])  # fmt: skip
    main = models.graph([models.node("F", ["x"], ["y"], domain="m")], [IMAGE], [])
    model = file.read(models.save(tmp_path, models.model(main, functions=[function])))
    assert infer_shapes(model).findings == []


NONE = "none"  # nothing is found: what is missing is not for shapes to judge
CONTRADICTING: list[tuple[Any, list[int | None] | None, str]] = [
    (models.node("Conv", ["x"], ["y"]), [None] * 4, NONE),
    (models.node("Gemm", [], ["y"]), [None] * 2, NONE),
    (models.node("Concat", [], ["y"]), None, NONE),
    (models.node("Transpose", ["x"], ["y"], attribute=attributes(perm=[0])), None, "order [0]"),
    (models.node("Split", ["x"], ["y"], attribute=attributes(axis=9)), None, "axis 9 is outside"),
    (models.node("MaxPool", ["x"], ["y"], attribute=attributes(kernel_shape=[3, 3], strides=[0, 0])), None, "stride 0"),
    (models.node("If", ["x"], ["y"]), None, NONE),
    (models.node("Loop", ["x"], ["y"]), None, "it has no body"),
    (models.node("LSTM", ["x"], ["y"]), None, "rank 3 is required"),
    (models.node("Einsum", ["x"], ["y"], attribute=attributes(equation=b"ij->k")), None, "rank 2 is required"),
    (models.node("Reshape", ["x", "x"], ["y"]), None, "rank 1 is required"),
    (models.node("Range", ["x"], ["y"]), [None], NONE),
]


@pytest.mark.parametrize(("node", "shape", "what"), CONTRADICTING, ids=[node.op_type for node, *_ in CONTRADICTING])
def test_nodes_that_contradict_their_op_give_an_answer(
    tmp_path: Path, node: Any, shape: list[int | None] | None, what: str
) -> None:
    report: Any = infer(tmp_path, [node], [IMAGE])
    assert report.of("y") == shape
    assert [what in finding.what for finding in report.findings] == [True] * (what != NONE)
