"""Handles that do not come from the model's own ops: they reach the state of other models in the same process."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.ops import catalog
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.flow.strings import texts_of
from graphsurgeon.scanning.judge import Judge
from graphsurgeon.scanning.words import readable

_HANDLES = ("resource", "variant")


def is_of_interest(graph: Graph) -> bool:
    """Say whether a graph holds a resource as a constant, or names a container. Does not lift it."""
    return any(_of_node(node) is not None for node in graph.peek({"Const", *_with_container(graph)}))


def threats(judge: Judge) -> Iterator[Threat]:
    """Yield nodes that reach what other models of the process hold."""
    for graph in judge.metagraph.graphs:
        ops = {"Const", *_with_container(graph)}
        for node in graph.nodes:
            found = _of_node(node) if node.op in ops else None
            if found is None:
                continue
            labels = judge.reach.labels(node)
            label = labels[0] if labels else None
            where = " > ".join(judge.reach.path(node, label))
            when = label.when if label is not None else "unknown"
            yield Threat("medium", node.op, found[0], where, when, found[1], "shared")


def _with_container(graph: Graph) -> set[str]:
    found = set()
    for op in graph.op_counts:
        opdef = catalog.get(op)
        if opdef is not None and "container" in opdef.attrs:
            found.add(op)
    return found


def _of_node(node: Node) -> tuple[str, str | None] | None:
    if node.op == "Const":
        is_handle = getattr(node.attrs.get("dtype"), "name", "") in _HANDLES
        return ("holds a handle as a constant, which reaches state of other models", None) if is_handle else None
    container = texts_of(node.attrs.get("container"))
    if not container or not container[0]:
        return None
    return "keeps its state in a container that other models of the process can name", readable(container[0])
