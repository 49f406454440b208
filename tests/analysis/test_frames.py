"""Loops and branches of TensorFlow 1: by hand, each form of the ops."""

from __future__ import annotations

import pytest

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.model import MetaGraph
from graphsurgeon.model.graph import Graph
from tests.model.test_traversal import add, loop


def branch(*, reference: bool) -> Graph:
    """x if p, else -x; what comes after the Merge always runs."""
    ref = "Ref" if reference else ""
    graph = MetaGraph().graph
    x = add(graph, "VariableV2" if reference else "Placeholder", "x")
    p = add(graph, "Placeholder", "p")
    switch = add(graph, f"{ref}Switch", "switch", [x.output(), p.output()])
    no = add(graph, "Neg", "no", [switch.output(0)])
    merge = add(graph, f"{ref}Merge", "merge", [no.output(), switch.output(1)])
    add(graph, "Identity", "after", [merge.output()])
    return graph


@pytest.mark.parametrize("reference", [False, True])
def test_what_lies_between_enter_and_exit_is_in_the_loop(reference: bool) -> None:
    found = control_flow(loop(reference=reference))
    assert {node.name for node in found.frames} == {"enter", "merge", "cond", "switch", "turn"}
    assert {enter.name for enter in found.frames.values()} == {"enter"}
    assert found.branches == {}


@pytest.mark.parametrize("reference", [False, True])
def test_a_branch_ends_where_its_sides_meet(reference: bool) -> None:
    found = control_flow(branch(reference=reference))
    assert {node.name: switch.name for node, switch in found.branches.items()} == {"switch": "switch", "no": "switch"}
    assert found.frames == {}


def test_a_graph_without_control_flow_has_none() -> None:
    graph = MetaGraph().graph
    add(graph, "Relu", "y", [add(graph, "Placeholder", "x").output()])
    assert control_flow(graph).frames == control_flow(graph).branches == {}
