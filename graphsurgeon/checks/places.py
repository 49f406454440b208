"""How findings say where they are, what is in a graph at all, and at which nodes a rule looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeAlias

from graphsurgeon.formats.graph.alike import one_of_a_kind
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.model import Model

Nodes: TypeAlias = Callable[[Graph], Iterable[Node]]


def every_node(graph: Graph) -> Iterable[Node]:
    """Return all nodes of a graph."""
    return graph.nodes


class NodesOfEdit:
    """The nodes that an edit can have broken, for rules that look at a node alone.

    They are the changed ones, and those that call a function by its name. A function that nobody has looked into is as
    it was; one that somebody has is looked at whole.
    """

    def __init__(self, model: Model) -> None:
        self._lifted = {graph for graph in model.graphs if graph.is_lifted}
        self._changed: dict[Graph, Iterable[Node]] = {}

    def __call__(self, graph: Graph) -> Iterable[Node]:
        """Return the nodes of a graph to look at, each once."""
        if graph not in self._lifted:
            return ()
        if graph.kind != "main":
            return graph.nodes
        if graph not in self._changed:  # several rules ask
            calls = (node for node in graph.nodes if node.callee is not None)
            self._changed[graph] = dict.fromkeys((*graph.changed_nodes(), *calls))
        return self._changed[graph]


class ReadersOfEdit:
    """The nodes that an edit can have broken, for rules that look at a node and at what it reads."""

    def __init__(self, nodes: NodesOfEdit) -> None:
        self._nodes = nodes

    def __call__(self, graph: Graph) -> Iterable[Node]:
        """Return the nodes of a graph to look at, each once."""
        changed = self._nodes(graph)
        return dict.fromkeys((*changed, *(user for node in changed for user in node.consumers)))


class OneOfAKind:
    """Of the nodes to look at one of each kind, for rules that look at op, device and attributes alone."""

    def __init__(self, nodes: Nodes) -> None:
        self._nodes = nodes
        self._found: dict[Graph, list[Node]] = {}

    def __call__(self, graph: Graph) -> Iterable[Node]:
        """Return nodes of a graph, of those that are alike the first."""
        if graph not in self._found:  # several rules ask
            self._found[graph] = one_of_a_kind(self._nodes(graph))
        return self._found[graph]


def place(graph: Graph, node: Node | None = None) -> str:
    """Name a graph, or a node in it: `node a/b`, `function f, node a/b`."""
    inside = "" if graph.kind == "main" else f"{graph.kind} {graph.name}"
    if node is None:
        return inside or "main graph"
    return f"{inside}, node {node.name}" if inside else f"node {node.name}"


class Present:
    """What belongs to a graph now: a node that was removed, or a value of another graph, does not."""

    def __init__(self, graph: Graph) -> None:
        self.nodes = set(graph.nodes)
        self._values = {id(value) for value in (*graph.inputs, *graph.values)}

    def __contains__(self, item: Node | Value) -> bool:
        if isinstance(item, Node):
            return item in self.nodes
        if item.producer is not None:
            return item.producer in self.nodes
        return not item.is_dangling and (item.is_absent or id(item) in self._values)


def is_present(item: Node | Value | None) -> bool:
    """Say whether the target of a mention still belongs to its graph."""
    if item is None:
        return False
    node = item if isinstance(item, Node) else item.producer
    if node is not None:
        return node in node.graph
    assert isinstance(item, Value)
    return any(item is value for value in (*item.graph.inputs, *item.graph.values))
