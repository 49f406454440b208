"""What really flows where in a model, found without the code under test: values and nodes as one graph.

A function is one set of vertices however often it is called, so that this says at most too much, never too little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph

Vertex = Node | Value


def real_edges(metagraph: MetaGraph) -> dict[Vertex, set[Vertex]]:
    """Return the edges between values and nodes of all graphs, through calls, branches and loops."""
    after: dict[Vertex, set[Vertex]] = {}

    def join(source: Vertex, target: Vertex) -> None:
        after.setdefault(source, set()).add(target)

    for graph in metagraph.graphs:
        for node in graph.nodes:
            for value in node.inputs:
                join(value, node)
                if value.producer is not None:
                    join(value.producer, value)
            for before in node.controls:
                join(before, node)
            for function in _functions(node):
                _join_call(node, function, join)
        for source, target in _captured(graph):
            join(source, target)
    return after


def _captured(graph: Graph) -> Iterator[tuple[Vertex, Vertex]]:
    """Yield edges to what a body of ONNX sees around it."""
    for value in graph.values if graph.kind == "subgraph" else ():
        outside = (value.extra or {}).get("outer")
        if isinstance(outside, Value):
            yield outside, value
            if outside.producer is not None:
                yield outside.producer, outside


def _functions(node: Node) -> list[Graph]:
    named = [ref.graph for ref in node.attrs.values() if isinstance(ref, FunctionRef) and ref.graph is not None]
    lists = [refs for refs in node.attrs.values() if isinstance(refs, list)]
    listed = [ref.graph for refs in lists for ref in refs if isinstance(ref, FunctionRef)]
    return [graph for graph in [*named, *listed, *([node.callee] if node.callee else [])] if graph is not None]


def _join_call(node: Node, function: Graph, join: Callable[[Vertex, Vertex], None]) -> None:
    inputs = node.inputs[len(node.inputs) - len(function.inputs) :] if function.inputs else ()
    for value, argument in zip(inputs, function.inputs, strict=False):
        join(value, argument)
    results = node.outputs
    if node.qualified_op == "onnx: Loop":
        _join_onnx_loop(node, function, join)
        inputs, results = node.inputs, [node.outputs[0], *node.outputs]
    for position, output in enumerate(function.outputs):
        if output.value.producer is not None:
            join(output.value.producer, output.value)
        if position < len(results):
            join(output.value, results[position])
        if ("while" in node.op.lower() or node.op == "Scan") and position < len(function.inputs):
            join(output.value, function.inputs[position])
    # What chooses a branch decides what comes out of it.
    if node.inputs and ("if" in node.op.lower() or "case" in node.op.lower()):
        for output in function.outputs:
            join(node.inputs[0], output.value)


def _join_onnx_loop(node: Node, body: Graph, join: Callable[[Vertex, Vertex], None]) -> None:
    """The first argument counts turns, the first result says whether another one follows."""
    for value in (*node.inputs[:2], body.outputs[0].value):
        for result in node.outputs:
            join(value, result)
    for output, argument in zip(body.outputs, body.inputs[1:], strict=False):
        join(output.value, argument)


def reached(after: dict[Vertex, set[Vertex]], starts: Iterable[Vertex]) -> set[Vertex]:
    """Return what depends on the starts."""
    seen = set(starts)
    waiting = list(seen)
    while waiting:
        new = after.get(waiting.pop(), set()) - seen
        seen |= new
        waiting += new
    return seen
