"""Walking and rewiring graphs of objects; names that follow renames."""

from __future__ import annotations

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.model import DType, Mention, MetaGraph
from graphsurgeon.model.graph import Graph, Output, Value


@pytest.fixture
def graph() -> Graph:
    main = MetaGraph().graph
    x = main.add_node("Placeholder", "x", checked=False)
    y = main.add_node("Relu", "y", [x.output()], checked=False)
    main.add_node("AddV2", "z", [y.output(), x.output()], controls=[x], checked=False)
    return main


def names(nodes: object) -> list[str]:
    return [node.name for node in nodes]  # type: ignore[attr-defined]


def test_edges_are_seen_from_both_ends(graph: Graph) -> None:
    x, y, z = graph.nodes
    assert y.inputs[0].producer is x
    assert names(x.output().consumers) == ["y", "z"]
    assert names(x.control_consumers) == ["z"]
    y.set_input(0, z.output())
    assert names(x.output().consumers) == ["z"]
    z.controls = ()
    assert x.control_consumers == ()


def test_a_value_read_twice_has_one_consumer_until_both_are_gone(graph: Graph) -> None:
    x, _, z = graph.nodes
    z.inputs = [x.output(), x.output()]
    z.set_input(0, graph.nodes[1].output())
    assert z in x.output().consumers
    z.set_input(1, graph.nodes[1].output())
    assert z not in x.output().consumers


@pytest.mark.parametrize("place", [-1, 1, 7])
def test_only_an_input_that_is_there_is_replaced(graph: Graph, place: int) -> None:
    x, y, _ = graph.nodes
    before = y.inputs
    assert len(before) == 1
    with pytest.raises(UsageError, match=rf"'y' has 1 input: there is none of place {place};"):
        y.set_input(place, x.output())
    assert y.inputs == before


def test_replace_with_reaches_outputs(graph: Graph) -> None:
    x, y, _ = graph.nodes
    graph.outputs = [Output("o", x.output())]
    assert x.output().replace_with(y.output(), but=[y]) == 2
    assert graph.outputs[0].value is y.output()
    assert names(x.output().consumers) == ["y"]


def test_names_can_be_exchanged(graph: Graph) -> None:
    x, y, _ = graph.nodes
    graph.rename({x: "y", y: "x"})
    assert (graph.node("y"), graph.node("x")) == (x, y)
    with pytest.raises(UsageError, match="already has a node 'z'"):
        x.name = "z"
    with pytest.raises(UsageError, match="already has a node 'w'"):
        graph.rename({x: "w", y: "w"})


def test_removed_nodes_leave_no_trace(graph: Graph) -> None:
    x, y, z = graph.nodes
    graph.remove_nodes([z])
    assert graph.node("z") is None
    assert names(x.output().consumers) == ["y"]
    assert x.control_consumers == ()
    assert y.output().consumers == ()


def test_add_node_refuses_a_taken_name(graph: Graph) -> None:
    with pytest.raises(UsageError, match="already has a node 'x'"):
        graph.add_node("NoOp", "x", checked=False)
    assert graph.unique_name("x") == "x_1"


def test_mentions_follow_their_node(graph: Graph) -> None:
    _, y, _ = graph.nodes
    mention = Mention.of(y.output(), "test")
    assert mention.text == "y:0"
    y.name = "renamed"
    assert mention.text == "renamed:0"
    assert Mention.of(y, "test").text == "renamed"


def test_a_clone_is_a_graph_of_its_own() -> None:
    metagraph = MetaGraph()
    function = metagraph.new_function("f")
    argument = Value(function, None, 0, "a")
    argument.dtype = DType.named("float32")
    function.inputs = [argument]
    node = function.add_node("Relu", "r", [argument], checked=False)
    function.outputs = [Output("o", node.output())]
    copy = function.clone("g")
    assert copy.inputs[0] is not argument
    assert copy.nodes[0].inputs == (copy.inputs[0],)
    assert copy.outputs[0].value is copy.nodes[0].output()
    copy.nodes[0].name = "other"
    assert function.node("r") is node


def test_outputs_that_move_keep_their_readers(graph: Graph) -> None:
    x, y, _ = graph.nodes
    first, second = x.output(0), x.output(1)
    x.move_outputs({0: 1, 1: 0})
    assert (first.port, second.port) == (1, 0)
    assert y.inputs[0] is first
    assert x.output(1) is first
