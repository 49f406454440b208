"""Checkpoint keys of variables that functions capture, by the two object graphs."""

from __future__ import annotations

import pytest

from graphsurgeon.analysis.flow.captures import captured_keys
from graphsurgeon.model import Checkpoint, MetaGraph
from graphsurgeon.model.graph import FunctionRef, Graph, Value
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode
from tests.model.test_traversal import add


def objects(*names: str, keys: bool) -> ObjectGraph:
    """Make a root with a layer, which has a variable of each name."""
    root, layer = ObjectNode("user_object"), ObjectNode("user_object")
    root.children = [("layer", layer)]
    variables = [ObjectNode("" if keys else "variable") for _ in names]
    layer.children = list(zip(names, variables, strict=True))
    for name, variable in layer.children:
        variable.attributes = [("VARIABLE_VALUE", name, f"layer/{name}/key")] if keys else []
    return ObjectGraph([root, layer, *variables], [])


def calling(op: str) -> tuple[MetaGraph, Graph]:
    """Make a call of a function that takes a tensor and two captures."""
    metagraph = MetaGraph()
    graph, function = metagraph.graph, metagraph.new_function("f")
    function.inputs = [Value(function, None, place, name) for place, name in enumerate("xab")]
    inputs = [add(graph, "Placeholder", "x"), *(add(graph, "VarHandleOp", name) for name in ("v", "w"))]
    if op == "TPUPartitionedCall":
        inputs.append(add(graph, "Placeholder", "device"))
    add(graph, op, "call", [node.output() for node in inputs]).attrs["f"] = FunctionRef(function)
    return metagraph, function


def found_keys(metagraph: MetaGraph, function: Graph, stored: ObjectGraph | None) -> dict[str, str]:
    known = objects("kernel", "bias", keys=False)
    known.concrete_functions = [ConcreteFunction(function, known.nodes[2:])]
    metagraph.objects = known
    checkpoint = Checkpoint("memory", 2, {})
    checkpoint.objects = stored
    return {node.name: key for node, key in captured_keys(metagraph, checkpoint).items()}


@pytest.mark.parametrize("op", ["PartitionedCall", "StatefulPartitionedCall", "TPUPartitionedCall"])
def test_the_last_arguments_of_a_call_are_its_captures(op: str) -> None:
    stored = objects("bias", "kernel", keys=True)
    assert found_keys(*calling(op), stored) == {"v": "layer/kernel/key", "w": "layer/bias/key"}


def test_a_variable_that_the_checkpoint_has_not_has_no_key() -> None:
    assert found_keys(*calling("PartitionedCall"), objects("kernel", keys=True)) == {"v": "layer/kernel/key"}
    assert found_keys(*calling("PartitionedCall"), None) == {}


def test_objects_that_hold_each_other_are_paired_once() -> None:
    ours, theirs = objects("kernel", keys=False), objects("kernel", keys=True)
    for graph in (ours, theirs):
        graph.nodes[1].children.append(("parent", graph.root))
    assert ours.paired(theirs) == dict(zip(ours.nodes, theirs.nodes, strict=True))
    assert ours.paths("/") == dict(zip(ours.nodes, ["", "layer", "layer/kernel"], strict=True))
