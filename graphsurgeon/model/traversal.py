"""What a value reaches, and an order in which values are computed."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable

from graphsurgeon.model.graph import Graph, Node, Value


def downstream(nodes: Iterable[Node], through: Callable[[Node], bool] = lambda _: True) -> set[Node]:
    """Return nodes with all that reads of them, directly or through nodes that let it pass."""
    found = set(nodes)
    waiting = list(found)
    while waiting:
        for user in waiting.pop().consumers:
            if user not in found and through(user):
                found.add(user)
                waiting.append(user)
    return found


def upstream(values: Iterable[Value], fed: Container[object] = ()) -> dict[Node, None]:
    """Return the nodes that compute values once some are fed, nodes that they wait for included."""
    found: dict[Node, None] = {}
    waiting = [value.producer for value in values if value not in fed]
    while waiting:
        node = waiting.pop()
        if node is None or node in found:
            continue
        found[node] = None
        waiting += [value.producer for value in node.inputs if value not in fed]
        waiting += node.controls
    return found


def in_order(graph: Graph) -> list[Node]:
    """Return the nodes so that each follows what it reads, back edges of loops aside; file order breaks ties."""
    missing = {node: len({v.producer for v in node.inputs if v.producer is not None}) for node in graph.nodes}
    for node in graph.nodes:
        if node.op in ("Merge", "RefMerge") and any(
            v.producer and v.producer.op == "NextIteration" for v in node.inputs
        ):
            missing[node] = 1
    ready = [node for node, count in missing.items() if not count]
    done: dict[Node, None] = {}
    for node in ready:
        done[node] = None
        for user in node.consumers:
            missing[user] -= 1
            if not missing[user]:
                ready.append(user)
    return [*done, *(node for node in graph.nodes if node not in done)]
