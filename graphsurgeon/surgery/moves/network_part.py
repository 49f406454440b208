"""A part of a network of ONNX, before it is lowered: what some tensors need, down to others that are fed."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.analysis.flow.calls import run_by
from graphsurgeon.analysis.names import find_value
from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Graph, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import reached, upstream
from graphsurgeon.shapes import infer_shapes


def cut(metagraph: MetaGraph, inputs: Sequence[str], outputs: Sequence[str]) -> list[str]:
    """Leave the main graph of a network the part between tensors; return what to tell of it, a line each.

    Args:
        metagraph: of ONNX, changed in place.
        inputs: tensors that are fed from now on; inputs that are still needed stay as they are.
        outputs: tensors that come out; none for those that come out now.

    Raises:
        UsageError: there is no such tensor, it is a constant, or nothing that comes out needs it.
    """
    graph = metagraph.graph
    ends = [_found(metagraph, name) for name in outputs]
    fed = [_found(metagraph, name) for name in inputs]
    shapes = infer_shapes(metagraph)
    known = {value: (shapes.dtype(value), shapes.shape(value)) for value in dict.fromkeys([*fed, *ends])}
    before = list(graph.inputs)
    if ends:
        graph.outputs = [Output(value.name or name, value) for name, value in zip(outputs, ends, strict=True)]
    for value, (dtype, shape) in known.items():
        value.dtype = value.dtype or dtype
        value.shape = value.shape or shape
    for value in fed:
        _detach(value)
    needed = _read(graph)
    for name, value in zip(inputs, fed, strict=True):
        if value not in needed:
            raise UsageError(f"nothing that comes out needs {name!r}", hint="--outputs says what comes out")
    graph.inputs = [value for value in dict.fromkeys([*before, *fed]) if value in needed]
    left = [repr(value.name) for value in before if value not in needed]
    return [f"no longer needed: input {', '.join(left)}"] if left else []


def _found(metagraph: MetaGraph, name: str) -> Value:
    node = next((node for node in metagraph.graph.nodes if node.name == name), None)
    known = any(value.name == name for value in metagraph.graph.values)
    value = find_value(metagraph, name, graph="main") if known or node is None else node.outputs[0]
    if value.tensor is not None:
        raise UsageError(f"{name!r} is a constant")
    return value


def _detach(value: Value) -> None:
    """Let nothing compute a value; the node that did goes on with its other outputs."""
    node = value.producer
    if node is None:
        return
    value.producer = None
    node.set_outputs([Value(node.graph, node, one.port, one.name) if one is value else one for one in node.outputs])


def _read(graph: Graph) -> set[Value]:
    """Return the values that the outputs need, those that bodies take from outside among them."""
    nodes = upstream([output.value.producer for output in graph.outputs if output.value.producer is not None])
    read = {value for node in nodes for value in node.inputs} | {output.value for output in graph.outputs}
    bodies = reached((body for node in nodes for body in node.functions), run_by)
    outside = [(value.extra or {}).get("outer") for body in bodies for value in body.values]
    return read | {value for value in outside if isinstance(value, Value)}
