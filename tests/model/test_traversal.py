"""Walks over edges, and over anything else that leads somewhere."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from graphsurgeon.model import MetaGraph
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import (
    downstream,
    handed_on,
    in_order,
    in_postorder,
    in_preorder,
    nearest_first,
    producers,
    reached,
    upstream,
)
from graphsurgeon.ops.kinds import BACK_EDGES, IDENTITIES

LONG = 20_000  # nodes of a chain: more than may call each other


def add(graph: Graph, op: str, name: str, inputs: Sequence[Value] = (), *, controls: Sequence[Node] = ()) -> Node:
    """Add a node as a file may have it, whatever its op's definition says."""
    node = Node(graph, name, op)
    graph.attach(node)
    node.inputs, node.controls = inputs, controls
    return node


def names(nodes: object) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


@pytest.fixture
def graph() -> Graph:
    """x -> y -> z, w waits for y and reads x."""
    main = MetaGraph().graph
    x = add(main, "Placeholder", "x")
    y = add(main, "Relu", "y", [x.output()])
    add(main, "Relu", "z", [y.output()])
    add(main, "Relu", "w", [x.output()], controls=[y])
    return main


def node(graph: Graph, name: str) -> Node:
    found = graph.node(name)
    assert found is not None
    return found


def loop(*, reference: bool) -> Graph:
    """A loop of TensorFlow 1 whose nodes stand in the file in no useful order."""
    ref = "Ref" if reference else ""
    main = MetaGraph().graph
    start = add(main, "VariableV2" if reference else "Const", "start")
    enter = add(main, f"{ref}Enter", "enter", [start.output()])
    merge = add(main, f"{ref}Merge", "merge", [enter.output()])
    cond = add(main, "LoopCond", "cond", [merge.output()])
    switch = add(main, f"{ref}Switch", "switch", [merge.output(), cond.output()])
    turn = add(main, f"{ref}NextIteration", "turn", [switch.output(1)])
    merge.inputs = [enter.output(), turn.output()]
    add(main, f"{ref}Exit", "exit", [switch.output(0)])
    return main


def test_upstream_follows_values_and_waiting(graph: Graph) -> None:
    w = node(graph, "w")
    assert set(names(upstream([w]))) == {"w", "x", "y"}
    assert names(upstream([w], controls=False)) == ["w", "x"]


def test_nobody_needs_what_computes_a_fed_value(graph: Graph) -> None:
    z = node(graph, "z")
    fed = {node(graph, "y").output()}
    assert names(upstream([z], fed=fed)) == ["z"]
    assert producers([z.output(), *fed], fed) == [z]


def test_downstream_with_and_without_waiting(graph: Graph) -> None:
    y = node(graph, "y")
    assert set(names(downstream([y], controls=False))) == {"y", "z"}
    assert set(names(downstream([y], controls=True))) == {"y", "z", "w"}
    x = node(graph, "x")
    assert set(names(downstream([x], controls=False, through=lambda n: n is not y))) == {"x", "w"}


@pytest.mark.parametrize("reference", [False, True])
def test_a_loop_is_no_reason_to_list_a_consumer_before_its_producer(reference: bool) -> None:
    graph = loop(reference=reference)
    order = names(in_order(list(reversed(graph.nodes)), controls=False, back_edges=BACK_EDGES))
    assert order[:5] == ["start", "enter", "merge", "cond", "switch"]
    assert set(order[5:]) == {"exit", "turn"}


def test_of_nodes_that_may_come_next_the_first_of_the_file_does(graph: Graph) -> None:
    assert names(in_order(graph.nodes, controls=True)) == ["x", "y", "z", "w"]
    some = [node(graph, "z"), node(graph, "w"), node(graph, "y")]
    assert names(in_order(some, controls=False)) == ["w", "y", "z"]
    assert names(in_order(some, controls=True)) == ["y", "z", "w"]


def test_a_cycle_is_entered_where_it_comes_first() -> None:
    graph = MetaGraph().graph
    a = add(graph, "Identity", "a")
    b = add(graph, "Identity", "b", [a.output()])
    a.inputs = [b.output()]
    end = add(graph, "Identity", "end", [b.output()])
    assert names(in_order([a, b, end], controls=True)) == ["a", "b", "end"]
    assert set(in_order(graph.nodes, controls=True)) == {a, b, end}
    assert set(upstream([end])) == {a, b, end}
    assert handed_on(end.output(), IDENTITIES) in {a.output(), b.output()}


def test_a_long_chain_is_no_depth() -> None:
    graph = MetaGraph().graph
    last = add(graph, "Identity", "n")
    for number in range(LONG):
        last = add(graph, "Identity", f"n{number}", [last.output()])
    assert len(upstream([last])) == len(downstream([graph.nodes[0]], controls=True)) == LONG + 1
    assert list(in_postorder([last], lambda one: producers(one.inputs))) == list(graph.nodes)
    assert handed_on(last.output(), IDENTITIES) is graph.nodes[0].output()


TREE = {"a": ["b", "e"], "b": ["c", "d"], "e": ["f"]}


def test_orders_of_a_tree() -> None:
    assert list(in_preorder(["a"], lambda one: TREE.get(one, []))) == ["a", "b", "c", "d", "e", "f"]
    assert list(in_postorder(["a"], lambda one: TREE.get(one, []))) == ["c", "d", "b", "f", "e", "a"]
    assert list(nearest_first(["a"], lambda one: TREE.get(one, []))) == ["a", "b", "e", "c", "d", "f"]
    assert set(reached(["b"], lambda one: TREE.get(one, []))) == {"b", "c", "d"}


def test_in_a_circle_each_is_met_once() -> None:
    circle = {"a": "b", "b": "c", "c": "a"}
    assert list(reached(["a"], lambda one: circle[one])) == ["a", "b", "c"]
    assert list(in_postorder(["a"], lambda one: circle[one])) == ["c", "b", "a"]


def test_the_nearest_come_first_and_no_further_than_asked() -> None:
    asked = []

    def following(one: int) -> list[int]:
        asked.append(one)
        return [one + 1, one + 2]

    assert next(one for one in nearest_first([0], following) if one > 2) == 3
    assert asked == [0, 1, 2]
