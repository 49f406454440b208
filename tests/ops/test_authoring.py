"""Nodes as people write them: completed by the op's definition, or refused before anything changes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model.dtype import FLOAT32, FLOAT64, INT32, INT64
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


@pytest.fixture
def graph() -> Graph:
    model = Model(registry.GRAPH_DEF, "made")
    model.metagraphs = [MetaGraph()]
    made = model.graph
    made.add_node("Placeholder", "x", attrs={"dtype": "float32", "shape": "?,4"})
    made.add_node("Placeholder", "n", attrs={"dtype": np.int64, "shape": []})
    return made


def test_what_follows_from_the_inputs_is_filled_in(graph: Graph) -> None:
    assert dict(graph.add_node("Relu", "r", "x:0").attrs) == {"T": FLOAT32}
    assert dict(graph.add_node("AddN", "sum", ["x", "r", "x:0"]).attrs) == {"N": 3, "T": FLOAT32}
    assert dict(graph.add_node("IdentityN", "both", ["x", "n"]).attrs) == {"T": [FLOAT32, INT64]}
    assert dict(graph.add_node("Cast", "c", graph.node("x"), {"DstT": float}).attrs) == {
        "SrcT": FLOAT32,
        "DstT": FLOAT32,
    }
    assert dict(graph.add_node("Shape", "s", ["x"]).attrs) == {"T": FLOAT32}


def test_numbers_and_arrays_become_constants_of_the_wanted_type(graph: Graph) -> None:
    half = graph.add_node("Mul", "half", ["x", 0.5])
    assert [str(value) for value in half.inputs] == ["x:0", "half/y:0"]
    constant = half.inputs[1].producer
    assert constant is not None
    value = constant.attrs["value"]
    assert isinstance(value, Tensor)
    assert (value.dtype, value.items()) == (FLOAT32, [0.5])
    product = graph.add_node("MatMul", "product", ["x", np.ones((4, 3), np.float32)])
    assert product.attrs["T"] is FLOAT32
    mean = graph.add_node("Mean", "mean", ["x", [1]])
    assert mean.attrs["Tidx"] is INT32


FORMS: list[tuple[str, dict[str, Any], str, Any]] = [
    ("Placeholder", {"dtype": "half"}, "dtype", "float16"),
    ("Placeholder", {"dtype": np.float64}, "dtype", FLOAT64),
    ("Placeholder", {"dtype": np.dtype("int32")}, "dtype", INT32),
    ("Placeholder", {"dtype": float, "shape": "(None, 4)"}, "shape", Shape([None, 4])),
    ("Placeholder", {"dtype": float, "shape": (2, 4)}, "shape", Shape([2, 4])),
    ("Const", {"value": np.zeros((2, 3), np.int64)}, "dtype", INT64),
    ("Const", {"value": 3, "dtype": "float64"}, "dtype", FLOAT64),
    ("VarHandleOp", {"dtype": "float32", "shape": [1], "shared_name": "v"}, "shared_name", b"v"),
]


@pytest.mark.parametrize(("op", "attrs", "name", "wanted"), FORMS)
def test_attributes_in_the_forms_that_people_use(
    op: str, attrs: dict[str, Any], name: str, wanted: Any, graph: Graph
) -> None:
    found = graph.add_node(op, "made", attrs=attrs).attrs[name]
    assert (str(found) if isinstance(wanted, str) else found) == wanted


def test_lists_of_numbers(graph: Graph) -> None:
    image = graph.add_node("Placeholder", "image", attrs={"dtype": float, "shape": "1,8,8,3"})
    pool = graph.add_node(
        "MaxPool", "pool", [image], {"ksize": (1, 2, 2, 1), "strides": np.array([1, 2, 2, 1]), "padding": "SAME"}
    )
    assert (pool.attrs["ksize"], pool.attrs["strides"], pool.attrs["padding"]) == ([1, 2, 2, 1], [1, 2, 2, 1], b"SAME")


def test_assigned_attributes_take_the_same_forms(graph: Graph, fixtures_dir: Path, tmp_path: Path) -> None:
    graph.node("x").attrs["dtype"] = "float64"  # type: ignore[union-attr]
    assert graph.node("x").attrs["dtype"] is FLOAT64  # type: ignore[union-attr]
    model = graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb")
    weights = model.graph.node("MatMul/ReadVariableOp/resource")
    assert weights is not None
    weights.attrs["value"] = np.full((4, 3), 2.0, np.float32)  # type: ignore[assignment]
    graphsurgeon.write(model, tmp_path / "changed.pb")
    again = graphsurgeon.read(tmp_path / "changed.pb").graph.node("MatMul/ReadVariableOp/resource")
    assert again is not None
    value = again.attrs["value"]
    assert isinstance(value, Tensor)
    assert value.items() == [2.0] * 12
    with pytest.raises(UsageError, match="T is of kind type, not 'flot32'; did you mean 'float32'"):
        model.graph.node("MatMul").attrs["T"] = "flot32"  # type: ignore[union-attr]


POOL = {"ksize": [1], "strides": [1], "padding": "SAME"}
REFUSED: list[tuple[str, Callable[[Graph], object], str]] = [
    ("no such value", lambda g: g.add_node("Relu", "r", ["y:0"]), "the main graph has no value 'y:0'"),
    ("none", lambda g: g.add_node("Relu", "r", [g.node("y")]), "None is no input"),
    ("too few", lambda g: g.add_node("MatMul", "r", ["x"]), "1 input given, MatMul takes (a, b)"),
    ("too many", lambda g: g.add_node("Relu", "r", ["x", "x"]), "2 inputs given, Relu takes (features)"),
    ("types differ", lambda g: g.add_node("AddV2", "r", ["x", "n"]), "y, n:0, is int64, and float32 is wanted"),
    ("wrong fixed type", lambda g: g.add_node("LogicalNot", "r", ["x"]), "is float32, and bool is wanted"),
    ("attribute missing", lambda g: g.add_node("Cast", "r", ["x"]), "the attribute DstT (type) is missing"),
    ("unknown attribute", lambda g: g.add_node("Cast", "r", ["x"], {"Dst": "int32"}), "'Dst'; did you mean 'DstT'?"),
    ("wrong kind", lambda g: g.add_node("Relu", "r", ["x"], {"T": 3.5}), "the attribute T is of kind type, not 3.5"),
    ("not allowed", lambda g: g.add_node("MaxPool", "r", ["x"], POOL | {"padding": "same"}), "padding cannot be same"),
    ("not a list", lambda g: g.add_node("MaxPool", "r", ["x"], POOL | {"ksize": 2}), "of kind list(int), not 2"),
    ("ragged", lambda g: g.add_node("Const", "r", attrs={"value": [[1], [1, 2]]}), "value is no array"),
    ("objects", lambda g: g.add_node("Const", "r", attrs={"value": object()}), "value cannot be <object"),
    ("taken", lambda g: g.add_node("Relu", "x", ["x"]), "the main graph already has a node 'x'"),
    ("no such control", lambda g: g.add_node("NoOp", "r", controls=["y"]), "has no node 'y' to wait for"),
    ("in use", lambda g: g.remove_nodes(["x"]), "Relu 'used' reads x:0 of Placeholder 'x'"),
    ("not there", lambda g: g.remove_nodes("y"), "the main graph has no node 'y'"),
    ("does not fit", lambda g: g.add_node("Mul", "r", ["n", 0.5]), "y is float64, and int64 is wanted"),
]  # fmt: skip


@pytest.mark.parametrize(("act", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_a_refusal_changes_nothing(act: Callable[[Graph], object], said: str, graph: Graph) -> None:
    graph.add_node("Relu", "used", ["x"])
    before = [(node.name, node.op, node.inputs, node.consumers) for node in graph]
    with pytest.raises(UsageError) as caught:
        act(graph)
    assert said in str(caught.value)
    assert [(node.name, node.op, node.inputs, node.consumers) for node in graph] == before


def test_another_model_is_no_place_for_inputs(graph: Graph, fixtures_dir: Path) -> None:
    other = graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb").graph.node("x")
    assert isinstance(other, Node)
    with pytest.raises(UsageError, match="is in another model"):
        graph.add_node("Relu", "r", [other])


def test_graphs_print_as_text(graph: Graph) -> None:
    graph.add_node("MatMul", "y", ["x", np.ones((4, 3), np.float32)])
    assert str(graph).splitlines() == [
        "main graph, 4 nodes",
        "  x:0 float32 [?,4] = Placeholder()",
        "  n:0 int64 [] = Placeholder()",
        "  y/b:0 float32 [4,3] = Const()",
        "  y:0 float32 [?,3] = MatMul(x:0, y/b:0)",
    ]
