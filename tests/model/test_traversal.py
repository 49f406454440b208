"""Walks over edges, and over anything else that leads somewhere."""

from __future__ import annotations

import pytest

from graphsurgeon.model import MetaGraph
from graphsurgeon.model.graph import Graph, Node
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


def names(nodes: object) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


@pytest.fixture
def graph() -> Graph:
    """x -> y -> z, w waits for y and reads x."""
    main = MetaGraph().graph
    x = main.add_node("Placeholder", "x", checked=False)
    y = main.add_node("Relu", "y", [x.output()], checked=False)
    main.add_node("Relu", "z", [y.output()], checked=False)
    main.add_node("Relu", "w", [x.output()], controls=[y], checked=False)
    return main


def node(graph: Graph, name: str) -> Node:
    found = graph.node(name)
    assert found is not None
    return found


def loop(*, reference: bool) -> Graph:
    """A loop of TensorFlow 1 whose nodes stand in the file in no useful order."""
    ref = "Ref" if reference else ""
    main = MetaGraph().graph
    start = main.add_node("VariableV2" if reference else "Const", "start", checked=False)
    enter = main.add_node(f"{ref}Enter", "enter", [start.output()], checked=False)
    merge = main.add_node(f"{ref}Merge", "merge", [enter.output()], checked=False)
    cond = main.add_node("LoopCond", "cond", [merge.output()], checked=False)
    switch = main.add_node(f"{ref}Switch", "switch", [merge.output(), cond.output()], checked=False)
    turn = main.add_node(f"{ref}NextIteration", "turn", [switch.output(1)], checked=False)
    merge.inputs = [enter.output(), turn.output()]
    main.add_node(f"{ref}Exit", "exit", [switch.output(0)], checked=False)
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
    a = graph.add_node("Identity", "a", checked=False)
    b = graph.add_node("Identity", "b", [a.output()], checked=False)
    a.inputs = [b.output()]
    end = graph.add_node("Identity", "end", [b.output()], checked=False)
    assert names(in_order([a, b, end], controls=True)) == ["a", "b", "end"]
    assert set(in_order(graph.nodes, controls=True)) == {a, b, end}
    assert set(upstream([end])) == {a, b, end}
    assert handed_on(end.output(), IDENTITIES) in {a.output(), b.output()}


def test_a_long_chain_is_no_depth() -> None:
    graph = MetaGraph().graph
    last = graph.add_node("Identity", "n", checked=False)
    for number in range(LONG):
        last = graph.add_node("Identity", f"n{number}", [last.output()], checked=False)
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
