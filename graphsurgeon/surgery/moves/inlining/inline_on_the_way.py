"""Open a main graph up, so that tensors inside functions lie in it: calls on the way to them are inlined in a copy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.surgery.moves.copy_part import CopiedPart, copy_part
from graphsurgeon.surgery.moves.functions.carry_out import Way, find_way
from graphsurgeon.surgery.moves.inlining.inline import Inliner


@dataclass(frozen=True)
class OpenedGraph:
    """A graph in which every end can be found.

    Attributes:
        graph: the main graph, a copy of it with calls inlined, or a function that only itself leads to.
        values: value of the source -> in that graph.
        origins: node of that graph -> node of the source's main graph; empty if it is the source itself.
        prefix: of the names that inlining gave to what the ends lie in.
    """

    graph: Graph
    values: dict[Value, Value]
    origins: dict[Node, Node]
    prefix: str = ""


def open_graph(metagraph: MetaGraph, values: Sequence[Value], calls: Sequence[str]) -> OpenedGraph:
    """Return a graph that has some values of a MetaGraph's graphs, or their counterparts.

    Args:
        metagraph: left as it is.
        values: wherever they are.
        calls: nodes that call functions, to choose among several ways to a function.

    Raises:
        UnsupportedError: no plain call leads to a function, and not all values lie in that one.
        UsageError: several calls lead there; with the nodes to choose from.
    """
    functions = [graph for graph in dict.fromkeys(value.graph for value in values) if graph.kind == "function"]
    if not functions:
        return OpenedGraph(metagraph.graph, {value: value for value in values}, {})
    try:
        ways = {function: find_way(metagraph, function, None, calls) for function in functions}
    except UnsupportedError:
        if len(functions) > 1 or any(value.graph is not functions[0] for value in values):
            raise
        return OpenedGraph(functions[0], {value: value for value in values}, {})
    return _inlined(metagraph, ways, values)


def _inlined(metagraph: MetaGraph, ways: Mapping[Graph, Way], values: Sequence[Value]) -> OpenedGraph:
    """Copy the main graph and inline the calls on some ways in the copy."""
    source = metagraph.graph
    chains = {way[depth].function: way[: depth + 1] for way in ways.values() for depth in range(len(way))}
    steps = {step.call: step.function for way in ways.values() for step in way}
    deep = {value: _behind_calls(value, steps) for value in values}
    wanted: dict[Graph, dict[Node, None]] = {}
    for node in (*steps, *(value.producer for value in deep.values())):
        if node is not None:
            wanted.setdefault(node.graph, {})[node] = None
    copy = source.blank()
    part = copy_part(source, copy, [], wanted.get(source, {}), cut={}, name=str)
    inliner = Inliner(
        copy,
        keep=lambda _, function: function not in chains,
        effects=Effects(),
        results_wait=False,
        wanted={function: list(nodes) for function, nodes in wanted.items()},
    )
    inliner.run([part.nodes[step] for step in steps if step.graph is source])
    parts = {function: _follow(part, inliner, way) for function, way in chains.items()}
    found = {value: (parts[end.graph][0] if end.graph in parts else part).value(end) for value, end in deep.items()}
    prefix = min((parts[function][1] for function in ways), key=len)
    return OpenedGraph(copy, found, {new: old for old, new in part.nodes.items()}, prefix)


def _behind_calls(value: Value, steps: Mapping[Node, Graph]) -> Value:
    """Return the value inside a function that is a result of one of the calls that will be inlined."""
    while (function := steps.get(value.producer) if value.producer else None) and isinstance(value.port, int):
        value = function.outputs[value.port].value
    return value


def _follow(part: CopiedPart, inliner: Inliner, way: Way) -> tuple[CopiedPart, str]:
    """Return what has become of the innermost function of a way, and how the names of its nodes begin."""
    name = ""
    for step in way:
        call = part.nodes[step.call]
        name = f"{call.name}/"
        part = inliner.parts[call]
    return part, name
