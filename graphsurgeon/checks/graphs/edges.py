"""Rules about the edges and names of graphs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphsurgeon.checks.places import Present, place
from graphsurgeon.formats.graph.values.attr_kinds import colocations
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import BACK_EDGES

_LEGAL = re.compile(r"[A-Za-z0-9.][A-Za-z0-9_.\\/>-]*")  # node_def.proto
_REWIRE = "rename the node it means to that name, or feed another tensor in its place"


def dangling_inputs(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find inputs, control inputs and results that name nothing in their graph."""
    for graph in metagraph.graphs:
        known = Present(graph)
        for node in graph.nodes:
            lost = [str(value) for value in node.inputs if value not in known]
            plain = [text for text in lost if _is_named_plainly(graph, text)] if lost else []
            for text in plain:  # only `tf.saved_model.load` wants it spelled out, which makes functions in Python
                severity: Severity = "error" if metagraph.objects is not None else "warning"
                what = f"its input {text!r} is a node without the name and number of an output: sessions take the first"
                yield Finding(severity, place(graph, node), what, _REWIRE, "dangling-input")
            texts = [text for text in lost if text not in plain]
            texts += [f"^{other}" for other in node.controls if other not in known.nodes]
            for text in texts:
                yield _dangling(place(graph, node), f"its input {text!r} names nothing in the graph")
        yield from _kept_controls(graph, known)
        for output in graph.outputs:
            if output.value not in known:
                text = f"{str(output.value)!r}, which names nothing in it" if output.value.name != "" else "nothing"
                yield _dangling(place(graph), f"its result {output.name!r} is {text}")


def _is_named_plainly(graph: Graph, text: str) -> bool:
    return graph.kind != "main" and ":" not in text and graph.node(text) is not None


def _kept_controls(graph: Graph, known: Present) -> Iterator[Finding]:
    """Find control inputs that named nothing when the graph was read, or an argument that is gone."""
    lost = [(node, f"^{value.name}") for node, value in graph.argument_controls if value not in graph.inputs]
    for node, text in (*graph.dangling_controls, *lost):
        if node in known.nodes:
            yield _dangling(place(graph, node), f"its input {text!r} names nothing in the graph")


def _dangling(where: str, what: str) -> Finding:
    return Finding("error", where, what, _REWIRE, "dangling-input")


def duplicate_names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes of one name."""
    for graph in metagraph.graphs:
        seen: set[str] = set()
        arguments = {value.name for value in graph.inputs}
        for node in graph.nodes:
            if node.name in seen:
                yield Finding(
                    "error", place(graph, node), "a second node of that name", "rename one of them", "duplicate-name"
                )
            elif node.name in arguments:
                yield Finding(
                    "error", place(graph, node), "an argument has that name too", "rename the node", "duplicate-name"
                )
            seen.add(node.name)


def illegal_names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find names in the main graph that importing refuses."""
    for node in metagraph.graph.nodes:
        if _LEGAL.fullmatch(node.name) is None:
            yield Finding(
                "error",
                place(metagraph.graph, node),
                f"{node.name!r} is no legal name",
                "rename it: a letter, digit or dot first, then letters, digits and any of _ . \\ / > -",
                "illegal-name",
            )


def cycles(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes that wait for each other, loops (closed by NextIteration) aside."""
    for graph in metagraph.graphs:
        stuck = _cyclic(graph)
        if stuck:
            names = " -> ".join(node.name for node in [*stuck[:10], stuck[0]])
            yield Finding("error", place(graph, stuck[0]), f"in a cycle: {names}", "cut one of its edges", "cycle")


def _cyclic(graph: Graph) -> list[Node]:
    """Return one cycle; none for a graph whose nodes stand in a possible order, which most do."""
    done: set[Node] = set()
    for node in graph.nodes:
        for value in node.inputs:
            producer = value.producer
            if producer is not None and producer not in done and producer.op not in BACK_EDGES:
                return _find_cycle(graph)
        for other in node.controls:
            if other not in done and other.op not in BACK_EDGES:
                return _find_cycle(graph)
        done.add(node)
    return []


def _find_cycle(graph: Graph) -> list[Node]:
    waiting = dict.fromkeys(graph.nodes, 0)
    for node in waiting:
        waiting[node] = sum(before in waiting for before in _before(node))
    ready = [node for node, count in waiting.items() if not count]
    while ready:
        node = ready.pop()
        del waiting[node]
        for consumer in _after(node):
            if consumer in waiting:
                waiting[consumer] -= 1
                if not waiting[consumer]:
                    ready.append(consumer)
    if not waiting:
        return []
    path: dict[Node, None] = {}
    node = next(iter(waiting))
    while node not in path:
        path[node] = None
        node = next(before for before in _before(node) if before in waiting)
    trail = list(path)
    return trail[trail.index(node) :][::-1]


def _before(node: Node) -> dict[Node, None]:
    """Return the nodes that must run first, always in one order: the same cycle is told each time."""
    producers = [value.producer for value in node.inputs if value.producer is not None]
    return dict.fromkeys(other for other in (*producers, *node.controls) if other.op not in BACK_EDGES)


def _after(node: Node) -> dict[Node, None]:
    return {} if node.op in BACK_EDGES else dict.fromkeys((*node.consumers, *node.control_consumers))


def colocation(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find colocation with nodes that are not there, which importing refuses."""
    graph = metagraph.graph
    for node in graph.nodes:
        for item in colocations(node):
            if item.startswith(b"loc:@"):
                name = item[5:].decode("utf-8", "surrogateescape")
                if graph.node(name) is None and graph.original(name, "node") is None:
                    yield Finding(
                        "error",
                        place(graph, node),
                        f"it is to be placed with {name!r}, which the graph does not have",
                        "gs strip takes such hints out",
                        "colocation",
                    )
