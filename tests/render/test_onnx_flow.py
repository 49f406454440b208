"""Bodies of ONNX's If, Loop and Scan are opened, and read what they read from outside."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.render import View, draw
from graphsurgeon.render.picture import build_scene, select_picture
from graphsurgeon.render.scene.scene import Scene
from tests.render.test_truth import assert_true

onnx = pytest.importorskip("onnx")
pytestmark = pytest.mark.onnx


def number(name: str, shape: list[int | None] | None = None, dtype: str = "FLOAT") -> Any:
    return onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, dtype), shape or [])


def constant(name: str, values: Any) -> Any:
    return onnx.numpy_helper.from_array(np.asarray(values), name)


def saved(path: Path, nodes: list[Any], inputs: list[Any], outputs: list[Any], constants: list[Any]) -> Path:
    helper = onnx.helper
    graph = helper.make_graph(nodes, "whole", inputs, outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture
def branches_and_turns(tmp_path: Path) -> Path:
    """`If` whose branches read what is outside, before a `Loop` that counts, stops early and collects."""
    node, graph = onnx.helper.make_node, onnx.helper.make_graph
    then = [node("MatMul", ["a", "w"], ["t"], "product"), node("Relu", ["t"], ["tr"], "relu")]
    other = [node("Tanh", ["a"], ["e"], "tanh")]
    body = graph(
        [
            node("Cast", ["i"], ["fi"], "cast", to=1),
            node("Mul", ["s", "a"], ["sa"], "mul"),
            node("Add", ["sa", "fi"], ["s2"], "add"),
            node("ReduceSum", ["s2"], ["total"], "sum", keepdims=0),
            node("Less", ["total", "limit"], ["go"], "less"),
        ],
        "body",
        [number("i", dtype="INT64"), number("c", dtype="BOOL"), number("s", [2, 4])],
        [number("go", dtype="BOOL"), number("s2", [2, 4]), number("sa", [2, 4])],
        [constant("limit", np.float32(100))],
    )
    nodes = [
        node("Sigmoid", ["x"], ["a"], "sigmoid"),
        node("If", ["p"], ["y0"], "choose", else_branch=graph(other, "other", [], [number("e", [2, 4])]),
             then_branch=graph(then, "then", [], [number("tr", [2, 4])])),
        node("Loop", ["n", "", "y0"], ["y1", "all"], "turns", body=body),
        node("Softmax", ["y1"], ["y"], "softmax"),
        node("Exp", ["all"], ["z"], "exp"),
    ]  # fmt: skip
    inputs = [number("x", [2, 4]), number("p", dtype="BOOL"), number("n", dtype="INT64")]
    outputs = [number("y", [2, 4]), number("z", [None, 2, 4])]
    return saved(tmp_path / "m.onnx", nodes, inputs, outputs, [constant("w", np.ones((4, 4), np.float32))])


def edges(scene: Scene) -> dict[str, set[str]]:
    """Every edge as `from>to`, by kind; boxes by the last part of their names."""
    names = {box.id: box.nodes[0].name if box.kind != "output" else box.title for box in scene.boxes}
    found: dict[str, set[str]] = {}
    for edge in scene.edges:
        found.setdefault(edge.kind, set()).add(f"{names[edge.source]}>{names[edge.target]}")
    return found


def test_branches_and_loops_are_opened_and_read_what_is_outside(branches_and_turns: Path) -> None:
    model = graphsurgeon.read(branches_and_turns)
    scene = draw(model, format="dot", view=View(depth=9)).scene
    found = edges(scene)
    assert found["data"] == {
        "x>sigmoid", "sigmoid>product", "product>relu", "sigmoid>tanh",
        "relu>mul", "tanh>mul", "sigmoid>mul", "cast>add", "mul>add", "add>sum", "sum>less",
        "add>softmax", "mul>exp", "softmax>y", "exp>z",
    }  # fmt: skip
    assert found["loop"] == {"add>mul"}
    assert found["condition"] == {"p>mul", "n>cast", "n>softmax", "n>exp", "less>softmax", "less>exp"}
    (product,) = [box for box in scene.boxes if box.title == "MatMul"]
    assert product.parameters == 16  # of `w`, which stands outside
    frames = [cluster.title for cluster in scene.clusters]
    assert any(title.startswith("turns · while i < n and ReduceSu") and title.endswith("< 100") for title in frames)


def test_a_body_that_is_shown_alone_reads_from_outside(branches_and_turns: Path) -> None:
    model = graphsurgeon.read(branches_and_turns)
    scene = draw(model, format="dot", view=View(graph="choose/then_branch", depth=9)).scene
    assert edges(scene)["data"] == {"a>product", "w>product", "product>relu", "relu>tr"}


def test_every_edge_of_the_bodies_is_real(branches_and_turns: Path) -> None:
    model = graphsurgeon.read(branches_and_turns)
    for view in (View(), View(depth=1), View(everything=True)):
        assert_true(model, model.metagraphs[0], build_scene(select_picture(model, view), view))


@pytest.mark.parametrize("count", ["n", ""])
def test_a_loop_of_no_more_than_a_constant_says_how_often(tmp_path: Path, count: str) -> None:
    node, graph = onnx.helper.make_node, onnx.helper.make_graph
    body = graph(
        [
            node("Identity", ["c"], ["go"]), node("Tanh", ["s"], ["t"], "tanh"), node("Cos", ["t"], ["s2"], "cos"),
        ],
        "body",
        [number("i", dtype="INT64"), number("c", dtype="BOOL"), number("s", [2])],
        [number("go", dtype="BOOL"), number("s2", [2])],
    )  # fmt: skip
    nodes = [
        node("Sin", ["x"], ["a"], "sin"),
        node("Loop", [count, "always", "a"], ["b"], "turns", body=body),
        node("Exp", ["b"], ["y"], "exp"),
    ]
    constants = [constant("n", np.int64(7)), constant("always", np.bool_(True))]
    path = saved(tmp_path / "m.onnx", nodes, [number("x", [2])], [number("y", [2])], constants)
    scene = draw(graphsurgeon.read(path), format="dot", view=View(depth=9)).scene
    found = edges(scene)
    assert found["data"] == {"x>sin", "sin>tanh", "tanh>cos", "cos>exp", "exp>y"}
    assert found["loop"] == {"cos>tanh"}
    (told,) = [cluster.title for cluster in scene.clusters if cluster.kind == "loop"]
    assert told == ("turns · while i < 7" if count else "turns")


def test_a_scan_hands_on_its_states_and_slices(tmp_path: Path) -> None:
    node, graph = onnx.helper.make_node, onnx.helper.make_graph
    body = graph(
        [node("Add", ["sum", "next"], ["now"], "add"), node("Relu", ["now"], ["seen"], "relu")], "body",
        [number("sum", [2]), number("next", [2])], [number("now", [2]), number("seen", [2])],
    )  # fmt: skip
    nodes = [node("Scan", ["start", "x"], ["y", "z"], "turns", body=body, num_scan_inputs=1)]
    ends = [number("start", [2]), number("x", [3, 2])], [number("y", [2]), number("z", [3, 2])]
    scene = draw(graphsurgeon.read(saved(tmp_path / "m.onnx", nodes, *ends, [])), format="dot").scene
    found = edges(scene)
    assert found["data"] == {"start>add", "x>add", "add>relu", "add>y", "relu>z"}
    assert found["loop"] == {"add>add"}
