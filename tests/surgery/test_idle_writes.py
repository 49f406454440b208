"""A compiled module hands a variable on unchanged, and the graph assigns it: that write is dropped by freezing."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import file
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.freezing.idle_writes import idle_writes
from graphsurgeon.surgery.moves.variable_uses import HeldVariable
from tests.formats.stablehlo.test_modules import data_of

FLOAT, RESOURCE = 1, 20


def graph_of(folder: Path, module: str, *, other: bool = False, between: str = "Identity") -> Graph:
    """Return a graph that reads variable `v`, runs a module on it, and assigns the module's second result."""
    graph = schema.message("tensorflow.GraphDef")()
    for name in ("v", "w"):
        handle = graph.node.add(name=name, op="VarHandleOp")
        handle.attr["dtype"].type = FLOAT
    read = graph.node.add(name="read", op="ReadVariableOp", input=["w" if other else "v"])
    read.attr["dtype"].type = FLOAT
    graph.node.add(name="x", op="Placeholder").attr["dtype"].type = FLOAT
    call = graph.node.add(name="call", op="XlaCallModule", input=["read", "x"])
    call.attr["module"].s = data_of(module)
    call.attr["Tin"].list.type.extend([FLOAT, FLOAT])
    call.attr["Tout"].list.type.extend([FLOAT, FLOAT])
    passing = graph.node.add(name="pass", op=between, input=["call:1"])
    passing.attr["T"].type = FLOAT
    assign = graph.node.add(name="assign", op="AssignVariableOp", input=["v", "pass"])
    assign.attr["dtype"].type = FLOAT
    path = folder / "model.pb"
    path.write_bytes(graph.SerializeToString())
    return file.read(path).graph


def idle(graph: Graph) -> list[str]:
    holders = {}
    for name in ("v", "w"):
        node = graph.node(name)
        assert isinstance(node, Node)
        holders[node.output(0)] = frozenset({HeldVariable(name, FLOAT32, Shape([3]), name)})
    return [node.name for node in idle_writes(graph, holders)]


def test_what_is_handed_on_through_a_call_in_the_module(tmp_path: Path) -> None:
    assert idle(graph_of(tmp_path, "keep")) == ["assign"]


@pytest.mark.parametrize(
    "changes", [{"module": "step"}, {"module": "keep", "other": True}, {"module": "keep", "between": "Neg"}], ids=str
)
def test_what_does_change_the_variable(tmp_path: Path, changes: dict[str, object]) -> None:
    assert idle(graph_of(tmp_path, **changes)) == []  # type: ignore[arg-type]


def test_another_write_makes_writing_back_a_change(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, "keep")
    handle, x = graph.node("v"), graph.node("x")
    assert handle is not None
    assert x is not None
    graph.add_node("AssignVariableOp", "second", [handle.output(0), x.output(0)], {"dtype": FLOAT32})
    assert idle(graph) == []
